"""Whatever is drawn from the grammar of a schema, compiled as for clients, is an instance of it."""

import json
import random
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sampling.grammar import GrammarVocabulary, compile_grammar
from sampling.grammar_matcher import GrammarMatcher
from tests.server.grammars.support import END, TAGS, VOCABULARY, accepted, schema

TOKENS = GrammarVocabulary(VOCABULARY.token_bytes, TAGS.values(), [END], list)
MAX_LENGTH = 4000

NAMES = st.text(alphabet='ab_é"\\ \n', min_size=1, max_size=4)
LEAVES = st.one_of(
    st.just({"type": "boolean"}),
    st.just({"type": "null"}),
    st.builds(
        lambda low, span: {"type": "integer", "minimum": low, "maximum": low + span},
        st.integers(-1000, 1000),
        st.integers(0, 300),
    ),
    st.builds(
        lambda low, span: {"type": "string", "minLength": low, "maxLength": low + span},
        st.integers(0, 3),
        st.integers(0, 4),
    ),
    st.builds(
        lambda values: {"enum": values},
        st.lists(st.one_of(NAMES, st.integers(0, 9), st.none()), min_size=1, max_size=4),
    ),
)


def _containers(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    arrays = st.builds(
        lambda items, low, span: {
            "type": "array",
            "items": items,
            "minItems": low,
            "maxItems": low + span,
        },
        inner,
        st.integers(0, 2),
        st.integers(0, 2),
    )
    objects = st.builds(
        lambda members, num_required: {
            "type": "object",
            "properties": members,
            "required": list(members)[:num_required],
            "additionalProperties": False,
        },
        st.dictionaries(NAMES, inner, min_size=1, max_size=4),
        st.integers(0, 4),
    )
    either = st.builds(lambda options: {"anyOf": options}, st.lists(inner, min_size=1, max_size=3))
    return st.one_of(arrays, objects, either)


def is_instance(value: Any, asked: dict[str, Any]) -> bool:
    """By the letter of the standard, for the keywords used here."""
    if "anyOf" in asked:
        return any(is_instance(value, option) for option in asked["anyOf"])
    if "enum" in asked:
        return value in asked["enum"]
    match asked["type"]:
        case "boolean":
            return isinstance(value, bool)
        case "null":
            return value is None
        case "integer":
            return type(value) is int and asked["minimum"] <= value <= asked["maximum"]
        case "string":
            is_text = isinstance(value, str)
            return is_text and asked["minLength"] <= len(value) <= asked["maxLength"]
        case "array":
            if not isinstance(value, list):
                return False
            fits = asked["minItems"] <= len(value) <= asked["maxItems"]
            return fits and all(is_instance(item, asked["items"]) for item in value)
        case _:
            members = asked["properties"]
            if not isinstance(value, dict):
                return False
            has_required = set(asked["required"]) <= value.keys() <= members.keys()
            return has_required and all(is_instance(v, members[k]) for k, v in value.items())


def draw(source: str, seed: int) -> bytes:
    """Ids drawn at random where there is a choice."""
    matcher = GrammarMatcher(compile_grammar(source, TOKENS), TOKENS)
    choose = random.Random(seed)
    drawn = bytearray()
    while len(drawn) < MAX_LENGTH:
        ids = matcher.next_ids
        token_id = ids if isinstance(ids, int) else choose.choice(np.flatnonzero(ids).tolist())
        if token_id == END:
            break
        drawn.append(token_id)
        matcher.accept(token_id)
    return bytes(drawn)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(
    asked=st.recursive(LEAVES, _containers, max_leaves=8),
    is_compact=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_any_drawing_is_an_instance_without_needless_white_space(
    asked: dict[str, Any], is_compact: bool, seed: int
) -> None:
    text = draw(accepted(schema(asked, is_compact=is_compact)).source, seed).decode()
    value = json.loads(text)
    assert is_instance(value, asked)
    separators = (",", ":") if is_compact else (", ", ": ")
    layout = json.dumps(value, separators=separators)
    assert num_spaces_outside_strings(text) == num_spaces_outside_strings(layout)


def num_spaces_outside_strings(text: str) -> int:
    count, is_inside, is_escaped = 0, False, False
    for character in text:
        if is_inside:
            is_inside = character != '"' or is_escaped
            is_escaped = character == "\\" and not is_escaped
        else:
            is_inside = character == '"'
            count += character.isspace()
    return count
