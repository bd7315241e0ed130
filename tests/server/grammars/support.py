"""A vocabulary of single bytes and Granite's tags, and what a compiled constraint lets through."""

import json

from sampling.grammar import GrammarVocabulary, compile_grammar
from server.constraints import CallableFunction, Constraint, JsonSchema, ToolCalls
from server.grammars.checker import GrammarChecker
from server.grammars.messages import Accepted, Refused, Vocabulary

CALL, END_CALL, END = 256, 257, 258
TAGS = {"<tool_call>": CALL, "</tool_call>": END_CALL, "<|end_of_text|>": END}
VOCABULARY = Vocabulary(
    token_bytes=[*(bytes([byte]) for byte in range(256)), *(tag.encode() for tag in TAGS)],
    control_tokens=TAGS,
    eos_ids=[END],
)


def checker() -> GrammarChecker:
    return GrammarChecker(VOCABULARY)


def schema(value: object, *, is_strict: bool = True, is_compact: bool = False) -> JsonSchema:
    return JsonSchema(json.dumps(value), is_strict, is_compact)


def function(name: str, parameters: object, *, is_strict: bool = True) -> CallableFunction:
    return CallableFunction(name, json.dumps(parameters), is_strict)


def calls(*functions: CallableFunction, **fields: object) -> ToolCalls:
    values = {"is_required": True, "may_repeat": False, **fields}
    return ToolCalls(functions=functions, **values)  # type: ignore[arg-type]  # the tests name real fields


def accepted(constraint: Constraint) -> Accepted:
    answer = checker().check(constraint)
    assert isinstance(answer, Accepted), answer
    return answer


def refused(constraint: Constraint) -> str:
    answer = checker().check(constraint)
    assert isinstance(answer, Refused)
    return answer.reason


class Grammar:
    """A constraint that was accepted; texts are tried on it. Tags in texts are control tokens."""

    def __init__(self, constraint: Constraint | str) -> None:
        """A text is the source of one that was accepted."""
        source = constraint if isinstance(constraint, str) else accepted(constraint).source
        tokens = VOCABULARY.token_bytes
        vocabulary = GrammarVocabulary(tokens, TAGS.values(), [END], list)
        self.state = compile_grammar(source, vocabulary)

    def allows(self, text: str) -> bool:
        """As a whole reply."""
        ids = token_ids(text)
        state = self.state.deep_copy()
        return (
            state.validate_tokens(ids) == len(ids)
            and state.consume_tokens(ids)
            and (state.is_accepting())
        )

    def allows_beginning(self, text: str) -> bool:
        ids = token_ids(text)
        return self.state.deep_copy().validate_tokens(ids) == len(ids)


def token_ids(text: str) -> list[int]:
    for tag in ("<tool_call>", "</tool_call>"):
        head, found, tail = text.partition(tag)
        if found:
            return [*token_ids(head), TAGS[tag], *token_ids(tail)]
    return list(text.encode())
