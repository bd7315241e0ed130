"""What the server says about itself at its start, and the address it tells people to use."""

import json
import shlex
import subprocess
import sys

import pytest

from engine.options import EngineOptions
from server.launch import address, curl_example, describe
from server.startup import StartupPlan


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
        ("box.local", "http://box.local:80"),
    ],
)
def test_the_announced_address_can_be_opened_on_this_machine(host: str, url: str) -> None:
    assert address(host, 80) == url


def test_the_description_names_model_precision_memory_and_context() -> None:
    options = EngineOptions(
        checkpoint="/m", dtype="bf16", threads=4, num_slots=16, num_pages=100, context_length=5000
    )
    plan = StartupPlan(
        model_names=("org/model",),
        options=options,
        weight_bytes=6 * 2**30,
        slot_bytes=1300 * 2**20,
        page_bytes=50 * 2**20,
    )
    text = describe(plan)
    for fact in ("org/model", "bf16 on cpu, 4 threads", "6.0 GiB weights", "1.3 GiB", "50 MiB"):
        assert fact in text
    assert "6400 tokens" in text
    assert "context    5000 tokens" in text


@pytest.mark.parametrize(
    ("is_native", "device", "says"),
    [(True, "cpu", False), (False, "cpu", True), (False, "cuda", False)],
)
def test_the_description_says_when_the_native_kernels_are_missed(
    is_native: bool, device: str, says: bool
) -> None:
    options = EngineOptions(checkpoint="/m", is_native=is_native, device=device)
    plan = StartupPlan(
        model_names=("m",), options=options, weight_bytes=0, slot_bytes=0, page_bytes=0
    )
    assert ("plain torch" in describe(plan)) is says


def test_the_example_request_is_valid_shell_and_json() -> None:
    words = shlex.split(curl_example("http://h:1", "demo", needs_key=False))
    assert words[:2] == ["curl", "http://h:1/v1/chat/completions"]
    assert json.loads(words[-1])["model"] == "demo"


def test_the_example_carries_a_key_only_where_one_is_needed_and_never_shows_it() -> None:
    assert "Authorization" not in curl_example("http://h:1", "demo", needs_key=False)
    assert "Bearer $GRANITE_API_KEY" in curl_example("http://h:1", "demo", needs_key=True)


def test_the_api_process_stays_small_because_it_never_loads_torch() -> None:
    """import-linter proves it for this code; this proves it for the libraries, too."""
    script = "import sys, server.launch; print({'torch', 'transformers'} & set(sys.modules))"
    command = [sys.executable, "-c", script]
    assert subprocess.run(command, capture_output=True, check=True, text=True).stdout == "set()\n"
