import pytest

from engine.request import FinishReason
from engine.sequence import Sequence, finish_reason, suppressed_token_ids
from tests.engine.fakes import make_request

EOS = frozenset({0})


def generated(token_ids: list[int], **sampling: object) -> Sequence:
    request = make_request((1, 2), **{"max_tokens": 10, **sampling})  # type: ignore[arg-type]  # real names
    sequence = Sequence(generation=1, choice=0, arrival=0, request=request)
    for token_id in token_ids:
        sequence.append(token_id)
    return sequence


@pytest.mark.parametrize(
    ("token_ids", "sampling", "expected"),
    [
        ([5], {}, None),
        ([5, 0], {}, FinishReason.STOP),
        ([5, 0], {"ignore_eos": True}, None),
        ([5, 9], {"stop_token_ids": (9,)}, FinishReason.STOP),
        ([9], {"stop_token_ids": (9,), "ignore_eos": True}, FinishReason.STOP),
        ([5, 0], {"min_tokens": 2}, None),
        ([5, 6, 0], {"min_tokens": 2}, FinishReason.STOP),
        ([5, 6], {"max_tokens": 2}, FinishReason.LENGTH),
        ([5, 0], {"max_tokens": 2}, FinishReason.STOP),
        ([5, 5, 5, 5, 5, 5], {}, FinishReason.LENGTH),
    ],
)
def test_a_sequence_ends_by_the_first_rule_that_applies(
    token_ids: list[int], sampling: dict[str, object], expected: FinishReason | None
) -> None:
    assert finish_reason(generated(token_ids, **sampling), EOS, context_length=8) is expected


@pytest.mark.parametrize(
    ("token_ids", "sampling", "expected"),
    [
        ([], {}, set()),
        ([5], {"min_tokens": 2, "stop_token_ids": (9,)}, {0, 9}),
        ([5, 5], {"min_tokens": 2, "stop_token_ids": (9,)}, set()),
        ([5], {"ignore_eos": True}, {0}),
        ([5], {"ignore_eos": True, "stop_token_ids": (0,)}, set()),
    ],
)
def test_tokens_that_may_not_end_the_sequence_are_suppressed(
    token_ids: list[int], sampling: dict[str, object], expected: set[int]
) -> None:
    assert suppressed_token_ids(generated(token_ids, **sampling), EOS) == expected
