import msgspec
import pytest

from engine.errors import DeadlineExceeded, EngineError, NumericError, OutOfMemory, QueueTimeout
from engine.framing import FrameReader, ProtocolError
from engine.interface import EngineInfo, EngineStats
from engine.protocol import (
    Cancel,
    Closed,
    Command,
    Ended,
    Hello,
    LoadFailed,
    Loading,
    Progress,
    Ready,
    Report,
    Scores,
    Start,
    StepDone,
    Submit,
    Token,
    decode_command,
    decode_report,
    encode,
    error_of,
    failed,
)
from engine.request import (
    ChoiceEnded,
    FinishReason,
    PrefillProgress,
    PromptLogprobs,
    ScoredToken,
    TokenEvent,
    TokenLogprob,
)
from tests.engine.fakes import make_request, small_options

STATS = EngineStats(
    running=1,
    waiting=2,
    free_slots=3,
    total_slots=4,
    free_pages=5,
    total_pages=6,
    preemptions=7,
    steps=8,
    late_messages=9,
    forward_seconds=0.5,
)
INFO = EngineInfo(
    dtype="bf16",
    device="cpu",
    num_parameters=1,
    weight_bytes=2,
    state_bytes=3,
    context_length=4,
    vocab_size=5,
    num_slots=6,
)
TOKEN = TokenEvent(
    choice=1,
    token_id=2,
    logprob=-0.5,
    top_logprobs=(TokenLogprob(2, -0.5), TokenLogprob(3, -1.5)),
    finish_reason=FinishReason.STOP,
)
SCORES = PromptLogprobs(0, 1, (ScoredToken(2, -0.5, 3, (TokenLogprob(9, -0.1),)),))
REQUEST = make_request(
    (1, 2, 3),
    9,
    num_choices=2,
    prompt_logprobs=4,
    logit_bias=((4, -1.5),),
    stop_token_ids=(7,),
    logprobs=2,
)


def payload(message: Command | Report) -> bytes:
    (only,) = FrameReader().feed(encode(message))
    return only


@pytest.mark.parametrize(
    "command", [Start(1, small_options()), Submit(3, REQUEST), Cancel(3)], ids=lambda c: type(c)
)
def test_commands_arrive_as_they_were_sent(command: Command) -> None:
    assert decode_command(payload(command)) == command


@pytest.mark.parametrize(
    "report",
    [
        Hello(1),
        Loading(0.5),
        Ready(INFO),
        LoadFailed("no such file"),
        StepDone([Token(1, TOKEN), Progress(2, PrefillProgress(0, 1, 2)), Closed(3)], STATS),
        StepDone([Scores(1, SCORES), Ended(1, ChoiceEnded(0, FinishReason.LENGTH))], STATS),
    ],
    ids=lambda r: type(r),
)
def test_reports_arrive_as_they_were_sent(report: Report) -> None:
    assert decode_report(payload(report)) == report


@pytest.mark.parametrize("kind", [DeadlineExceeded, NumericError, OutOfMemory, QueueTimeout])
def test_errors_keep_their_type_and_text(kind: type[EngineError]) -> None:
    error = error_of(failed(1, kind("why")))
    assert type(error) is kind
    assert str(error) == "why"


def test_an_error_of_an_unknown_name_is_still_an_engine_error() -> None:
    failure = msgspec.structs.replace(failed(1, EngineError("why")), error="os.system")
    assert type(error_of(failure)) is EngineError


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\xc1",
        b"garbage",
        payload(Cancel(1))[:-1],
        payload(Hello(1)),
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        msgspec.msgpack.encode({"type": "Cancel", "generation": "x"}),
        msgspec.msgpack.encode({"type": "Unknown"}),
        payload(Submit(1, REQUEST)).replace(b"request_id", b"request_no"),
        payload(Submit(1, make_request(prompt_logprobs=20))).replace(
            b"\xafprompt_logprobs\x14", b"\xafprompt_logprobs\x15"
        ),
        payload(Submit(1, make_request(temperature=1.5))).replace(
            b"\xabtemperature\xcb" + b"\x3f\xf8" + bytes(6),
            b"\xabtemperature\xcb" + b"\x40\x59" + bytes(6),
        ),
    ],
    ids=[
        "empty",
        "reserved byte",
        "text",
        "truncated",
        "wrong direction",
        "huge array",
        "huge map",
        "wrong type",
        "unknown tag",
        "missing field",
        "prompt_logprobs 21",
        "temperature 100",
    ],
)
def test_what_is_not_a_valid_command_is_refused(garbage: bytes) -> None:
    with pytest.raises(ProtocolError):
        decode_command(garbage)


def test_what_is_not_a_valid_report_is_refused() -> None:
    with pytest.raises(ProtocolError):
        decode_report(payload(Cancel(1)))
