"""However a text is cut into tokens, every dialect tells the same of it, whole and streamed."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings, strategies

from tests.server.dialects.pieces import PieceServer, piece_server
from tests.server.dialects.table import dialects
from tests.server.dialects.told import Asked, Dialect, Told
from tests.server.openai.support import ALIAS

DIALECTS = dialects(ALIAS)
CALL = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Malmö"}}\n</tool_call>'
PARTS = [
    *(CALL, CALL.replace("Malmö", "漢字")),
    *("Hm. ", "漢字", "👩‍🔬", "\n", "<tool_", "<tool_call>", "</"),
]
TEXTS = strategies.lists(strategies.sampled_from(PARTS), min_size=1, max_size=5).map("".join)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PieceServer]:
    with piece_server(tmp_path_factory.mktemp("pieces")) as server:
        yield server


def cut(text: str, places: Sequence[int]) -> list[bytes]:
    encoded = text.encode()
    bounds = [0, *sorted(place % (len(encoded) + 1) for place in places), len(encoded)]
    return [encoded[start:end] for start, end in zip(bounds, bounds[1:], strict=False)]


def uncounted(told: Told) -> Told:
    """Other tokens are as many as they are."""
    return replace(told, completion_tokens=0)


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
@settings(deadline=None, max_examples=25)
@given(text=TEXTS, places=strategies.lists(strategies.integers(0, 400), max_size=8))
def test_any_tokens_give_the_same_deltas(
    server: PieceServer, dialect: Dialect, text: str, places: list[int]
) -> None:
    asked = Asked(text="Hello", has_tool=dialect.has_tools)
    server.write([text.encode()])
    expected = dialect.whole(server.client, asked)
    pieces = cut(text, places)
    server.write(pieces)
    streamed = dialect.streamed(server.client, asked)
    assert dialect.whole(server.client, asked) == streamed
    assert uncounted(streamed) == uncounted(expected)
    assert streamed.completion_tokens == len(pieces) + 1
    if not dialect.has_tools or CALL[:30] not in text:
        assert streamed.text == text


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)
def test_half_a_character_at_the_end_is_told_the_same(
    server: PieceServer, dialect: Dialect
) -> None:
    asked = Asked(text="Hello")
    server.write([b"ok ", "漢".encode()[:2]])
    streamed = dialect.streamed(server.client, asked)
    assert dialect.whole(server.client, asked) == streamed
    assert streamed.text == "ok \N{REPLACEMENT CHARACTER}"
