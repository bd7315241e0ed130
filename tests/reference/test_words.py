"""Values in words: what a reader of the documents sees of a JSON schema."""

from typing import Annotated, Any, Literal

import pytest
from pydantic import Field, StringConstraints, TypeAdapter

from reference.words import code, values_in_words

Short = Annotated[str, StringConstraints(max_length=8)]


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (bool | None, "boolean"),
        (str, "text"),
        (Short, "text (up to 8 characters)"),
        (Annotated[str, StringConstraints(min_length=1)], "text (1 or more characters)"),
        (Annotated[str, StringConstraints(pattern="^(a|b)$")], r"text like `^(a\|b)$`"),
        (Annotated[float, Field(ge=-2, le=2.5)], "number (-2 to 2.5)"),
        (Annotated[int | None, Field(ge=0, le=2**31 - 1)], "integer (0 or more)"),
        (Annotated[int, Field(ge=-(2**63), le=2**63 - 1)], "64-bit integer"),
        (Literal["a", "b"], '`"a"`, `"b"`'),
        (Literal[False] | None, "`false`"),
        (None, "`null`"),
        (Any, "any value"),
        (Annotated[list[Short], Field(min_length=1, max_length=3)] | str | None,)
        + ("list (1 to 3) of text (up to 8 characters) or text",),
        (dict[str, Any], "object"),
        (Annotated[dict[str, float], Field(max_length=9)], "object (up to 9 entries) of number"),
        (list[dict[str, Any]], "list of object"),
    ],
)
def test_the_words_for_a_type(kind: Any, words: str) -> None:
    assert values_in_words(TypeAdapter(kind).json_schema()) == words


def test_values_are_written_as_in_a_request() -> None:
    assert code(None) == "`null`"
    assert code(0.5) == "`0.5`"
    assert code({"a": ["<|b|>", "é"]}) == r'`{"a": ["<\|b\|>", "é"]}`'
