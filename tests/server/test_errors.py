"""Every error of the program has a status and a code, and its reply gives nothing away."""

import importlib
import json
import pkgutil
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngineUnavailable, NumericError, OutOfMemory, QueueFull, WorkerDied
from kernels.errors import GraniteError
from sampling.params import InvalidSamplingParams
from server import errors
from server.errors import (
    ApiError,
    BadRequest,
    ModelNotFound,
    UnsupportedParameter,
    describe,
    error_body,
)

PACKAGES = ("kernels", "sampling", "model_loader", "engine", "server")
NEVER_SEEN_BY_CLIENTS = {
    "AllocationError",
    "ChannelClosed",
    "ChatError",
    "CheckpointError",
    "EngineError",
    "GrammarStuck",
    "InvalidGrammar",
    "InvalidSettings",
    "InvalidTransition",
    "NativeKernelsMissing",
    "ProtocolError",
    "StartupError",
}


def all_errors() -> list[type[GraniteError]]:
    for package in PACKAGES:
        path = importlib.import_module(package).__path__
        for module in pkgutil.walk_packages(path, f"{package}."):
            is_program = module.name.endswith(("__main__", "libgranite_kernels"))
            if not is_program:
                importlib.import_module(module.name)
    return list(_subclasses(GraniteError))


def _subclasses(root: type[GraniteError]) -> Iterator[type[GraniteError]]:
    for child in root.__subclasses__():
        if child.__module__.split(".")[0] in PACKAGES:
            yield child
            yield from _subclasses(child)


def test_every_error_is_given_a_reply_or_is_known_never_to_need_one() -> None:
    undecided = [
        error.__name__
        for error in all_errors()
        if not issubclass(error, ApiError)
        and not any(ancestor in errors._SHAPES for ancestor in error.__mro__)
        and not NEVER_SEEN_BY_CLIENTS & {ancestor.__name__ for ancestor in error.__mro__}
    ]
    assert undecided == []


def test_the_tree_in_the_docstring_names_every_error_with_a_reply_and_its_code() -> None:
    tree = errors.__doc__ or ""
    for error in all_errors():
        if issubclass(error, ApiError) and error is not ApiError:
            assert f"{error.__name__} " in tree
            assert f"{error.status}  {error.code}" in tree
    for kind, shape in errors._SHAPES.items():
        assert f"{kind.__name__} " in tree
        assert f"{shape.status}  {shape.code}" in tree


def test_a_reply_has_all_four_keys_that_clients_read() -> None:
    body = error_body(BadRequest("n must be positive", "n"))
    assert body == {
        "error": {
            "message": "n must be positive",
            "type": "invalid_request_error",
            "param": "n",
            "code": "invalid_value",
        }
    }


@pytest.mark.parametrize(
    ("error", "status", "code", "retry_after"),
    [
        (QueueFull("full", retry_after=7), 503, "overloaded", "7"),
        (EngineUnavailable("loading", retry_after=3), 503, "engine_unavailable", "3"),
        (OutOfMemory("no pages"), 503, "out_of_memory", "10"),
        (WorkerDied("pid 12"), 500, "worker_died", None),
        (ValueError("anything"), 500, "server_error", None),
        (errors.ShuttingDown(), 503, "shutting_down", "5"),
    ],
)
def test_server_side_errors_say_when_to_come_back(
    error: Exception, status: int, code: str, retry_after: str | None
) -> None:
    reply = describe(error)
    assert (reply.status, reply.code) == (status, code)
    assert reply.headers.get("retry-after") == retry_after
    assert reply.body["error"]["type"] == "server_error"


@pytest.mark.parametrize(
    "error",
    [
        WorkerDied("worker 17 died at 0x7f0012 in /home/u/engine.py"),
        NumericError("layer 3 of /models/x"),
        RuntimeError('File "/a/b.py", line 1'),
        GraniteError("/etc/passwd"),
    ],
)
def test_texts_for_the_operator_do_not_reach_the_client(error: Exception) -> None:
    text = json.dumps(error_body(error))
    assert str(error) not in text
    assert "/" not in text
    assert "0x" not in text


def test_errors_about_the_request_name_the_field_that_the_lower_layer_found() -> None:
    reply = describe(InvalidSamplingParams("top_p", "top_p must be between 0 and 1, got 2"))
    assert (reply.status, reply.body["error"]["param"]) == (400, "top_p")
    assert "got 2" in reply.body["error"]["message"]


@given(st.text(alphabet=st.characters(), max_size=3000))
def test_whatever_is_echoed_stays_bounded_and_encodable(text: str) -> None:
    for error in (BadRequest(text, text), ModelNotFound(text), UnsupportedParameter(text)):
        body = json.dumps(error_body(error), ensure_ascii=False).encode("utf-8")
        assert len(body) <= 4096
        message = error_body(error)["error"]["message"]
        assert not any(character < " " or character in "\x7f\x85\u2028" for character in message)


def test_echoed_input_is_cut_at_200_characters() -> None:
    assert "x" * 200 not in error_body(ModelNotFound("x" * 10_000))["error"]["message"]
