"""The body parser: what is accepted means one thing to every parser, and all else is a 400."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server.errors import InvalidJson
from server.json_body import MAX_DEPTH, parse_json_object

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**18), 10**18)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda child: st.lists(child) | st.dictionaries(st.text(st.characters(codec="utf-8")), child),
    max_leaves=20,
)


@settings(max_examples=50)
@given(st.dictionaries(st.text(st.characters(codec="utf-8")), JSON), st.booleans())
def test_every_ordinary_object_is_read_as_it_was_written(
    value: dict[str, Any], ensure_ascii: bool
) -> None:
    assert parse_json_object(json.dumps(value, ensure_ascii=ensure_ascii).encode()) == value


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-16")))
def test_no_bytes_raise_anything_but_invalid_json(body: bytes) -> None:
    try:
        assert isinstance(parse_json_object(body), dict)
    except InvalidJson:
        pass


@pytest.mark.parametrize(
    "body",
    [b"", b" ", b"null", b"[]", b'"x"', b"1", b"true", b"[{}]"],
)
def test_a_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidJson):
        parse_json_object(body)


@pytest.mark.parametrize(
    "body",
    [b'{"model":', b'{"n":1}x', b'{"n":1 /*c*/}', b"{'n':1}", b'{"n":1,}', b'{"n":01}', b"{}{}"],
)
def test_broken_json_is_refused_with_its_position(body: bytes) -> None:
    with pytest.raises(InvalidJson, match="at character"):
        parse_json_object(body)


@pytest.mark.parametrize(
    "body",
    [
        b"\xff{}",
        b'{"a":"\xed\xa0\x80"}',
        '{"a":1}'.encode("utf-16"),
        '{"a":1}'.encode("utf-16-le"),
        '{"a":1}'.encode("utf-32"),
        b"\xef\xbb\xbf{}",
    ],
    ids=["bytes", "encoded surrogate", "utf-16", "utf-16 without mark", "utf-32", "utf-8 mark"],
)
def test_only_utf_8_without_a_mark_is_json(body: bytes) -> None:
    with pytest.raises(InvalidJson):
        parse_json_object(body)


@pytest.mark.parametrize("number", [b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999"])
def test_numbers_that_are_not_finite_are_refused_anywhere(number: bytes) -> None:
    for body in (b'{"temperature":' + number + b"}", b'{"unknown":[{"deep":' + number + b"}]}"):
        with pytest.raises(InvalidJson):
            parse_json_object(body)


def test_integers_up_to_19_digits_are_read_and_longer_ones_refused() -> None:
    assert parse_json_object(b'{"seed":-9223372036854775808}') == {"seed": -(2**63)}
    with pytest.raises(InvalidJson, match="19 digits"):
        parse_json_object(b'{"seed":%d}' % 10**19)
    with pytest.raises(InvalidJson, match="19 digits"):
        parse_json_object(b'{"seed":' + b"9" * 5000 + b"}")


def test_a_float_keeps_its_value() -> None:
    assert math.isclose(parse_json_object(b'{"a":1e-40}')["a"], 1e-40)


@pytest.mark.parametrize("body", [b'{"n":1,"n":9}', b'{"a":{"n":1,"n":1}}', b'{"a":1,"\\u0061":2}'])
def test_duplicate_keys_are_refused(body: bytes) -> None:
    with pytest.raises(InvalidJson, match="duplicate"):
        parse_json_object(body)


@pytest.mark.parametrize("body", [b'{"a":"\\ud800"}', b'{"a":"x\\udc00"}', b'{"\\ud800":1}'])
def test_half_a_surrogate_pair_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidJson, match="surrogate"):
        parse_json_object(body)


def test_a_whole_surrogate_pair_and_an_escaped_backslash_are_text() -> None:
    body = b'{"a":"\\ud83d\\ude00","b":"\\\\ud800"}'
    assert parse_json_object(body) == {"a": "\N{GRINNING FACE}", "b": "\\ud800"}


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
@pytest.mark.parametrize("levels", [MAX_DEPTH, 500, 100_000])
def test_depth_is_bounded(opening: bytes, closing: bytes, levels: int) -> None:
    with pytest.raises(InvalidJson, match="deeper"):
        parse_json_object(b'{"v":' + opening * levels + b"1" + closing * levels + b"}")


def test_the_deepest_allowed_object_is_read() -> None:
    body = b'{"a":' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH
    assert parse_json_object(body)


def test_names_of_python_attributes_are_ordinary_keys() -> None:
    body = b'{"__proto__":1,"model_fields_set":2,"__class__":3}'
    assert parse_json_object(body) == {"__proto__": 1, "model_fields_set": 2, "__class__": 3}


def test_many_numeric_keys_are_read() -> None:
    body = b"{" + b",".join(b'"%d":%d' % (number, number) for number in range(100_000)) + b"}"
    assert len(parse_json_object(body)) == 100_000


def test_millions_of_tiny_values_are_refused_before_they_are_made() -> None:
    with pytest.raises(InvalidJson, match="commas and brackets"):
        parse_json_object(b'{"a":[' + b"[]," * 500_000 + b"1]}")
    assert len(parse_json_object(b'{"a":[' + b"1," * 200_000 + b"1]}")["a"]) == 200_001
