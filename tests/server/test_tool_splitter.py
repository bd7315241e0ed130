"""Tool calls out of text: however it is cut into pieces, with whatever mistakes of the model."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given, settings, strategies

from server.events import TextDelta, ToolCallArguments, ToolCallBroken, ToolCallStarted
from server.folding import FoldedChoice
from server.tool_splitter import Split, ToolSplitter

PARIS = '<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}\n</tool_call>'
ROME = PARIS.replace("Paris", "Rome")
CITY = '{"city": "Paris"}'


def split(pieces: Sequence[str], *, only_one: bool = False) -> list[Split]:
    splitter = ToolSplitter(0, only_one=only_one)
    splits = [split for piece in pieces for split in splitter.feed(piece)]
    return splits if splitter.is_done else splits + splitter.finish()


def folded(pieces: Sequence[str], *, only_one: bool = False) -> tuple[str, list[tuple[str, str]]]:
    """The content, and names and arguments of the whole calls."""
    choice = FoldedChoice()
    for one in split(pieces, only_one=only_one):
        choice.add(one.event)
    return choice.text, [(call.name, call.arguments) for call in choice.tool_calls]


@pytest.mark.parametrize(
    ("text", "content", "arguments"),
    [
        (PARIS, "", [CITY]),
        (f"Let me look.\n{PARIS}", "Let me look.", [CITY]),
        (f"Let me look.{PARIS}", "Let me look.", [CITY]),
        (f"One\n\n{PARIS}", "One\n", [CITY]),
        (f"{PARIS}\n{ROME}", "", [CITY, '{"city": "Rome"}']),
        (f"{PARIS}{ROME} \n", "", [CITY, '{"city": "Rome"}']),
        (f"{PARIS}\nDone.", "\nDone.", [CITY]),
        (f"a\n{PARIS} b\n{ROME}c", "a bc", [CITY, '{"city": "Rome"}']),
        ("<tool_call>" + '{"name":"weather"}' + "</tool_call>", "", ["{}"]),
        ('<tool_call>{"name":"weather","arguments":null}</tool_call>', "", ["{}"]),
        ('<tool_call>{"name":"weather","arguments":{}}</tool_call>', "", ["{}"]),
    ],
)
def test_calls_are_taken_out_of_the_text(text: str, content: str, arguments: list[str]) -> None:
    assert folded([text]) == (content, [("weather", each) for each in arguments])


@pytest.mark.parametrize(
    "text",
    [
        '<tool_call>{"arguments": {"city": "Paris"}, "name": "weather"}</tool_call>',
        '<tool_call>{"name": "weather", "arguments": "{\\"city\\": \\"Paris\\"}"}</tool_call>',
        '<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}\n</tool_call>',
        '<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}',
        '<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}',
        '<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"}}\n</tool_',
        '<tool_call> {"na\\u006de" : "we\\u0061ther" , "arguments" :{"city": "Paris"} } ',
    ],
)
def test_a_call_that_can_be_understood_is_a_call(text: str) -> None:
    assert folded([text]) == ("", [("weather", CITY)])
    assert folded(list(text)) == ("", [("weather", CITY)])


MALFORMED = [
    '<tool_call>\n{"name": "weather", "arguments": {"city": Paris}}\n</tool_call>',
    '<tool_call>\n{"name": "weather", "arguments": {"city": "Paris"]}}\n</tool_call>',
    '<tool_call>\n{"name": "weather", "arguments": {"city": "Par',
    '<tool_call>\n{"name": "weather", "argum',
    '<tool_call>\n{"name": "wea',
    "<tool_call>\n",
    "<tool_call>",
    "<tool_",
    '<tool_call>{"name": "weather"</tool_call>',
    '<tool_call>{"name": "weather", "city": "Paris"}</tool_call>',
    '<tool_call>{"name": "weather", "name": "clock", "arguments": {}}</tool_call>',
    '<tool_call>{"name": "", "arguments": {}}</tool_call>',
    '<tool_call>{"name": "\\ud800", "arguments": {}}</tool_call>',
    '<tool_call>{"name": 5, "arguments": {}}</tool_call>',
    '<tool_call>{"name": "weather", "arguments": [1]}</tool_call>',
    '<tool_call>{"name": "weather", "arguments": 5}</tool_call>',
    '<tool_call>{"name": "weather", "arguments": }</tool_call>',
    '<tool_call>{"name": "weather", "arguments": "Paris"}</tool_call>',
    '<tool_call>{"name": "weather", "arguments": "{\\"a\\": \\"\\ud800\\"}"}</tool_call>',
    '<tool_call>{"name": "weather", "arguments": {"n": NaN}}</tool_call>',
    '<tool_call>{"name": "weather", "arguments": {"n": ' + "1" * 5000 + "}}</tool_call>",
    '<tool_call>{"name": "weather", "arguments": ' + '{"a":' * 100 + "1" + "}" * 101,
    "<tool_call>" + "[" * 5000,
    '<tool_call>[{"name": "weather", "arguments": {}}]</tool_call>',
    '<tool_call>weather(city="Paris")</tool_call>',
    "<tool_call>{}</tool_call>",
    "<tool_call></tool_call>",
    "<tool_call><tool_call>",
    "</tool_call>",
]


@pytest.mark.parametrize("text", MALFORMED, ids=lambda text: text[:60])
@pytest.mark.parametrize("before", ["", "Look:\n", "\n\n"])
def test_what_is_no_call_is_content_to_the_last_character(text: str, before: str) -> None:
    assert folded([before + text]) == (before + text, [])
    assert folded(list(before + text)) == (before + text, [])


@pytest.mark.parametrize("text", MALFORMED[:1] + MALFORMED[9:11], ids=lambda text: text[:60])
def test_a_broken_call_does_not_spoil_the_next(text: str) -> None:
    assert folded([f"{text}\n{PARIS}"]) == (text, [("weather", CITY)])


def test_the_name_comes_first_and_the_arguments_as_they_are_written() -> None:
    events = [one.event for one in split(list(PARIS))]
    started, *pieces = events
    assert isinstance(started, ToolCallStarted)
    assert (started.index, started.name) == (0, "weather")
    assert [piece.text for piece in pieces if isinstance(piece, ToolCallArguments)] == list(CITY)
    assert len(pieces) == len(CITY)


def test_calls_are_counted_and_have_ids_of_their_own() -> None:
    started = [one.event for one in split([PARIS, ROME]) if isinstance(one.event, ToolCallStarted)]
    assert [event.index for event in started] == [0, 1]
    assert len({event.id for event in started}) == 2


def test_a_call_that_breaks_after_it_was_told_is_taken_back() -> None:
    text = '<tool_call>{"name": "weather", "arguments": {"city": Paris}}'
    *_, broken, rest = [one.event for one in split([f"a\n{text}"])]
    assert broken == ToolCallBroken(0, 0, f"\n{text[:-1]}")
    assert rest == TextDelta(0, "}")


def test_with_only_one_call_the_rest_is_dropped() -> None:
    assert folded([f"a\n{PARIS}\n{ROME} b"], only_one=True) == ("a", [("weather", CITY)])
    assert folded(["just text"], only_one=True) == ("just text", [])


def test_text_is_not_held_back_longer_than_needed() -> None:
    splitter = ToolSplitter(0, only_one=False)
    pieces = ("a < b", " <tool", "box>", "\n", "c")
    told = [[one.event for one in splitter.feed(piece)] for piece in pieces]
    first, space, word, _, line = [
        TextDelta(0, text) for text in ("a < b", " ", "<toolbox>", "", "\nc")
    ]
    assert told == [[first], [space], [word], [], [line]]


_VALUES = strategies.recursive(
    strategies.none() | strategies.integers() | strategies.text(max_size=8),
    lambda inner: (
        strategies.lists(inner, max_size=3)
        | strategies.dictionaries(strategies.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)
_CALLS = strategies.builds(
    lambda name, arguments, indent: (
        "<tool_call>\n"
        + json.dumps({"name": name, "arguments": arguments}, indent=indent)
        + "\n</tool_call>"
    ),
    strategies.text(alphabet='ab_"é', min_size=1, max_size=4),
    strategies.dictionaries(strategies.text(max_size=6), _VALUES, max_size=4),
    strategies.sampled_from([None, 1]),
)
_SCRAPS = strategies.sampled_from(
    [
        "<tool_call>",
        "</tool_call>",
        "\n",
        " ",
        '{"name": "f", ',
        '"arguments": {',
        "}",
        '"',
        "<",
        "a",
    ]
)
_TEXTS = strategies.lists(_CALLS | _SCRAPS, max_size=6).map("".join)


@settings(deadline=None, max_examples=100)
@given(text=_TEXTS, data=strategies.data())
def test_how_the_text_was_cut_makes_no_difference(text: str, data: strategies.DataObject) -> None:
    places = strategies.integers(0, len(text))
    cuts = sorted(data.draw(strategies.lists(places, max_size=12)))
    bounds = [0, *cuts, len(text)]
    pieces = [text[start:end] for start, end in zip(bounds, bounds[1:], strict=False)]
    assert joined(split(pieces)) == joined(split([text])) == joined(split(list(text)))


def joined(splits: Sequence[Split]) -> list[tuple[object, ...]]:
    """The events with neighbours of a kind put together, and where they end."""
    result: list[tuple[object, ...]] = []
    for one in splits:
        kind, index = type(one.event), getattr(one.event, "index", None)
        text = one.event.name if isinstance(one.event, ToolCallStarted) else one.event.text
        if result and result[-1][:2] == (kind, index) and kind is not ToolCallBroken:
            text = f"{result.pop()[2]}{text}"
        result.append((kind, index, text))
    return result


@settings(deadline=None, max_examples=100)
@given(text=_TEXTS)
def test_nothing_is_lost_but_the_frame_of_whole_calls(text: str) -> None:
    content, calls = folded(list(text))
    for name, arguments in calls:
        assert isinstance(json.loads(arguments), dict)
        assert name
    if not calls:
        assert content == text
    kept = len(content) + sum(len(arguments) for _, arguments in calls)
    assert kept <= len(text) + 2 * len(calls)
    assert [one.end for one in split(list(text))] == sorted(one.end for one in split(list(text)))
    assert all(one.end <= len(text) for one in split(list(text)))


@settings(deadline=None)
@given(
    content=strategies.text(alphabet="ab \n<", max_size=8),
    calls=strategies.lists(_CALLS, min_size=1, max_size=3),
)
def test_what_a_template_writes_is_read_back(content: str, calls: list[str]) -> None:
    text = "\n".join([content, *calls] if content else calls)
    read, found = folded(list(text))
    assert read == content
    assert [f"<tool_call>\n{body(*call)}\n</tool_call>" for call in found] == [
        f"<tool_call>\n{body(name, arguments)}\n</tool_call>"
        for name, arguments in (raw_call(call) for call in calls)
    ]


def body(name: str, arguments: str) -> str:
    return json.dumps({"name": name}) + arguments


def raw_call(text: str) -> tuple[str, str]:
    """Name and arguments of a call as `_CALLS` writes it, the latter to the letter."""
    payload = text.removeprefix("<tool_call>\n").removesuffix("\n</tool_call>")
    _, _, arguments = payload.partition('"arguments": ')
    return json.loads(payload)["name"], arguments.rstrip()[:-1].rstrip()
