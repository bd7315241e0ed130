"""The chat command against a scripted server: streaming, counts, interruption, refusals."""

import json
from collections.abc import Iterator
from io import StringIO

import httpx2
import pytest

from server.chat_client import ChatClient, ChatError, ReplyStats
from server.chat_session import ChatSession, printable


def event(data: object) -> str:
    return f"data: {json.dumps(data)}\n\n"


def text_event(text: str | None, finish_reason: str | None = None) -> str:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}
    return event({"choices": [choice], "usage": None})


USAGE = event({"choices": [], "usage": {"prompt_tokens": 7, "completion_tokens": 3}})
DONE = "data: [DONE]\n\n"


class ScriptedServer:
    """Answers every chat with the same stream and remembers what it was asked."""

    def __init__(self, *events: str, status: int = 200) -> None:
        self.events = events
        self.status = status
        self.bodies: list[dict[str, object]] = []

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/v1/models":
            return httpx2.Response(200, json={"data": [{"id": "first"}, {"id": "second"}]})
        self.bodies.append(json.loads(request.content))
        return httpx2.Response(self.status, text="".join(self.events))

    def client(self) -> ChatClient:
        return ChatClient("http://server", "key", httpx2.MockTransport(self))


def session(server: ScriptedServer) -> ChatSession:
    return ChatSession(server.client(), "first", "Be brief.", {"temperature": 0.0})


def test_the_reply_goes_to_stdout_and_its_counts_to_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    server = ScriptedServer(": ping\n\n", text_event("Hel"), text_event("lo"), USAGE, DONE)
    assert session(server).ask("Hi")
    captured = capsys.readouterr()
    assert captured.out == "Hello\n"
    assert "7 + 3 tokens" in captured.err
    assert "tokens/s" in captured.err


def test_each_turn_carries_the_whole_conversation() -> None:
    server = ScriptedServer(text_event("yes", "stop"), USAGE, DONE)
    conversation = session(server)
    conversation.ask("one")
    conversation.ask("two")
    assert server.bodies[1]["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "yes"},
        {"role": "user", "content": "two"},
    ]
    assert server.bodies[1]["temperature"] == 0.0


def test_an_interrupted_reply_is_kept_and_the_conversation_goes_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class InterruptedClient(ChatClient):
        def stream_reply(self, *_: object) -> Iterator[str]:  # type: ignore[override]  # a script
            yield "half"
            raise KeyboardInterrupt

    server = ScriptedServer(text_event("yes"), USAGE, DONE)
    client = InterruptedClient("http://server", None, httpx2.MockTransport(server))
    assert not ChatSession(client, "first", None, {}).ask("Hi")
    captured = capsys.readouterr()
    assert captured.out == "half\n"
    assert "interrupted" in captured.err


def test_a_reply_cut_at_the_limit_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    session(ScriptedServer(text_event("x", "length"), USAGE, DONE)).ask("Hi")
    assert "cut at the token limit" in capsys.readouterr().err


def test_a_refusal_shows_the_servers_words_and_forgets_the_question() -> None:
    server = ScriptedServer(json.dumps({"error": {"message": "too long"}}), status=400)
    conversation = session(server)
    with pytest.raises(ChatError, match="400: too long"):
        conversation.ask("Hi")
    server.events, server.status = (text_event("yes"), USAGE, DONE), 200
    conversation.ask("short")
    assert server.bodies[1]["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "short"},
    ]


def test_an_error_in_the_middle_of_a_stream_ends_the_reply() -> None:
    server = ScriptedServer(text_event("half"), event({"error": {"message": "worker died"}}))
    with pytest.raises(ChatError, match="worker died"):
        session(server).ask("Hi")


def test_a_conversation_survives_a_refusal_and_ends_with_the_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("first\n\nsecond\n"))
    server = ScriptedServer("busy", status=503)
    session(server).run()
    assert len(server.bodies) == 2
    assert capsys.readouterr().err.count("503: Service Unavailable") == 2


def test_a_server_that_is_not_there_is_named_with_the_command_to_start_one() -> None:
    def refuse(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("refused", request=request)

    client = ChatClient("http://server", None, httpx2.MockTransport(refuse))
    with pytest.raises(ChatError, match="no server at http://server.*granite-server serve"):
        client.first_model()


def test_the_first_listed_model_is_used_and_the_key_is_sent() -> None:
    keys = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        keys.append(request.headers["authorization"])
        return httpx2.Response(200, json={"data": [{"id": "first"}]})

    with ChatClient("http://server/v1/", "key", httpx2.MockTransport(answer)) as client:
        assert client.first_model() == "first"
    assert keys == ["Bearer key"]


def test_something_else_than_a_model_server_is_recognised() -> None:
    client = ChatClient("http://x", None, httpx2.MockTransport(lambda _: httpx2.Response(200)))
    with pytest.raises(ChatError, match="does not list a model"):
        client.first_model()


def test_a_model_cannot_drive_the_terminal() -> None:
    assert printable("a\x1b[2Jb\r\x07\n\tc\x9bd") == "a[2Jb\n\tcd"


def test_speed_is_left_out_where_it_cannot_be_known() -> None:
    stats = ReplyStats(prompt_tokens=5, reply_tokens=1)
    stats.note_text()
    assert "5 + 1 tokens" in str(stats)
    assert "tokens/s" not in str(stats)
