from dataclasses import dataclass, replace

import pytest

from engine.admission import LONGEST_RETRY_AFTER, Admission, check_request
from engine.errors import InvalidRequest, QueueFull
from engine.request import GenerationRequest
from tests.engine.fakes import make_request, small_options
from tests.engine.test_protocol import INFO

MODEL = replace(INFO, context_length=10, vocab_size=100)


@dataclass
class FakeLive:
    request: GenerationRequest
    num_unfinished: int = 1
    num_unstarted: int = 1


@pytest.mark.parametrize(
    "request_",
    [
        make_request(()),
        make_request((-1,)),
        make_request((1, 100)),
        make_request((1,) * 10),
        make_request(num_choices=0),
        make_request(logit_bias=((100, 1.0),)),
        make_request(stop_token_ids=(100,)),
    ],
    ids=["empty", "negative", "beyond vocabulary", "no room", "no choice", "bias", "stop"],
)
def test_what_the_model_cannot_compute_is_refused(request_: GenerationRequest) -> None:
    with pytest.raises(InvalidRequest):
        check_request(request_, MODEL)


def test_the_longest_prompt_leaves_room_for_one_token() -> None:
    check_request(make_request((99,) * 9), MODEL)


def test_a_prompt_that_is_only_read_may_fill_the_context() -> None:
    check_request(make_request((99,) * 10, max_tokens=0), MODEL)
    with pytest.raises(InvalidRequest):
        check_request(make_request((99,) * 11, max_tokens=0), MODEL)


def test_all_choices_of_a_request_find_room_or_none_does() -> None:
    admission = Admission(small_options(num_slots=4, max_queued_requests=5))
    live = [FakeLive(make_request(), num_unfinished=6)]
    admission.check_room(make_request(num_choices=3), live)
    with pytest.raises(QueueFull):
        admission.check_room(make_request(num_choices=8), live)
    with pytest.raises(QueueFull):
        admission.check_room(make_request(num_choices=4), live)


def test_unread_prompt_tokens_are_bounded_but_one_long_prompt_is_always_let_in() -> None:
    admission = Admission(small_options(max_queued_tokens=100))
    long = make_request((1,) * 90)
    admission.check_room(make_request((1,) * 200), [])
    admission.check_room(make_request((1,) * 200), [FakeLive(long, num_unstarted=0)])
    admission.check_room(make_request((1,) * 10), [FakeLive(long)])
    with pytest.raises(QueueFull):
        admission.check_room(make_request((1,) * 11), [FakeLive(long)])


def test_retry_after_grows_with_the_load_and_stays_within_what_clients_obey() -> None:
    admission = Admission(small_options(num_slots=1, max_queued_requests=10))
    full = [FakeLive(make_request(), num_unfinished=11)]

    def retry_after() -> int:
        with pytest.raises(QueueFull) as refused:
            admission.check_room(make_request(), full)
        return refused.value.retry_after

    before = retry_after()
    for _ in range(5):
        admission.note_duration(10.0)
    assert 1 <= before < retry_after()
    for _ in range(100):
        admission.note_duration(1e6)
    assert retry_after() == LONGEST_RETRY_AFTER


def test_the_background_takes_no_room_from_others_but_they_take_room_from_it() -> None:
    admission = Admission(small_options(num_slots=1, max_queued_requests=1, max_queued_tokens=10))
    background = make_request((1,) * 10, is_background=True)
    admission.check_room(make_request(), [FakeLive(background, num_unfinished=2)])
    with pytest.raises(QueueFull):
        admission.check_room(make_request(), [FakeLive(make_request(), num_unfinished=2)])
    with pytest.raises(QueueFull):
        admission.check_room(background, [FakeLive(make_request(), num_unfinished=2)])
    with pytest.raises(QueueFull):
        admission.check_room(background, [FakeLive(background, num_unfinished=2)])
