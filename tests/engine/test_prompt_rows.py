"""Shares of a step: even between clients, and bounded where rows need logits of their own."""

from engine.prompt_rows import MAX_SCORED_ROWS, prompt_rows
from engine.sequence import Sequence
from tests.engine.fakes import make_request


def reading(length: int, *, client: str = "", scored: bool = False) -> Sequence:
    request = make_request(
        tuple(range(1, 1 + length)), client=client, prompt_logprobs=0 if scored else None
    )
    return Sequence(generation=1, choice=0, arrival=0, request=request)


def shares(*sequences: Sequence, budget: int = 256) -> list[int]:
    return [rows for _, rows in prompt_rows(sequences, budget)]


def test_the_first_of_a_client_takes_its_share_before_the_second() -> None:
    assert shares(reading(100, client="a"), reading(100, client="a"), budget=150) == [100, 50]
    assert shares(reading(100, client="a"), reading(100, client="b"), budget=60) == [30, 30]


def test_all_prompts_that_are_scored_share_one_limit() -> None:
    assert shares(reading(40, scored=True), reading(100, scored=True), reading(100)) == [
        40,
        MAX_SCORED_ROWS - 40,
        100,
    ]


def test_a_prompt_that_is_read_again_after_its_scores_are_out_has_no_limit() -> None:
    again = reading(100, scored=True)
    again.num_scored = 99
    assert shares(again) == [100]
