from pathlib import Path

import pytest

from benchmarks.llama_cpp import LlamaCpp, PeerMissing
from benchmarks.peers import granite_server, transformers_serve
from server.command_line import parse_settings

CHECKPOINT = Path("/models/tiny")


def write_llama(directory: Path, *weights: str) -> LlamaCpp:
    binary = directory / "llama-server"
    binary.touch(mode=0o755)
    for name in weights:
        (directory / name).touch()
    return LlamaCpp(binary, directory)


def test_our_flags_are_those_of_our_command_line() -> None:
    command = granite_server(3, ["--dtype", "fp32"]).command(CHECKPOINT, 8123)
    settings = parse_settings(command[command.index("serve") + 1 :])
    assert (settings.model, settings.port, settings.dtype) == ("/models/tiny", 8123, "fp32")
    assert (settings.threads, settings.served_model_name) == (3, ["bench"])


def test_without_a_number_of_threads_ours_chooses_it_itself() -> None:
    assert "--threads" not in granite_server(None, []).command(CHECKPOINT, 8123)


def test_transformers_gets_the_checkpoint_and_the_threads() -> None:
    peer = transformers_serve("float32", 3)
    command = peer.command(CHECKPOINT, 8123)
    assert str(CHECKPOINT) in command and "8123" in command
    assert peer.model(CHECKPOINT) == str(CHECKPOINT)
    assert peer.environment["OMP_NUM_THREADS"] == "3"


def test_llama_cpp_gets_a_slot_a_stream_and_no_cache(tmp_path: Path) -> None:
    llama = write_llama(tmp_path, "granite-Q8_0.gguf")
    command = llama.peer("Q8_0", slots=8, threads=3).command(CHECKPOINT, 8123)
    assert command[command.index("--model") + 1] == str(tmp_path / "granite-Q8_0.gguf")
    assert command[command.index("--parallel") + 1] == "8"
    assert command[command.index("--threads") + 1] == "3"
    assert "--no-cache-prompt" in command
    assert command[command.index("--cache-ram") + 1] == "0"


def test_weights_are_found_by_their_type_whatever_its_case(tmp_path: Path) -> None:
    llama = write_llama(tmp_path, "bf16.gguf", "x-Q4_0.gguf", "x-q4_k_m.gguf", "notes-Q4_0.txt")
    names = {form: llama.peer(form, 1, 1).name for form in ("BF16", "Q4_0", "Q4_K_M")}
    assert names == {form: f"llama.cpp {form}" for form in names}


@pytest.mark.parametrize(
    ("llama", "reason"),
    [
        (LlamaCpp(None, None), "LLAMA_SERVER and LLAMA_WEIGHTS"),
        (LlamaCpp(Path("/no/such/program"), Path("/models")), "/no/such/program is not a program"),
    ],
)
def test_a_peer_that_is_not_there_says_what_is_missing(llama: LlamaCpp, reason: str) -> None:
    with pytest.raises(PeerMissing, match=f"llama.cpp Q4_0: .*{reason}"):
        llama.peer("Q4_0", 1, 1)


def test_missing_and_ambiguous_weights_are_named(tmp_path: Path) -> None:
    llama = write_llama(tmp_path, "a-Q4_0.gguf", "b-Q4_0.gguf")
    with pytest.raises(PeerMissing, match="0 files .*Q8_0.gguf"):
        llama.peer("Q8_0", 1, 1)
    with pytest.raises(PeerMissing, match="2 files .*Q4_0.gguf"):
        llama.peer("Q4_0", 1, 1)
