"""Keeps untrusted text apart from a template's own, through any work the template does on it.

Every character with which a control token may begin or end is exchanged for a stand-in that occurs
nowhere else. A stand-in is one ordinary character, so joining, cutting, comparing and JSON leave it
as it is; whatever still spells a control token afterwards was written by the template.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from model_loader.conversation import InvalidConversation
from model_loader.errors import InvalidTokenizer

MAX_DEPTH = 100
PRIVATE_USE = range(0xF0000, 0xFFFFE)
"""Unicode gives these 65,534 characters no meaning, no case and no width."""


def guarded_characters(control_tokens: Collection[str]) -> tuple[str, ...]:
    """First and last characters of all control tokens.

    Raises:
        InvalidTokenizer: there are none, or one is a letter, digit or space, with which a template
            may do more than copy.
    """
    if not control_tokens:
        raise InvalidTokenizer("there are no control tokens, so no turn could be marked")
    characters = sorted({token[0] for token in control_tokens} | {t[-1] for t in control_tokens})
    for character in characters:
        if character.isalnum() or character.isspace():
            raise InvalidTokenizer(f"a control token begins or ends with {character!r}")
    return tuple(characters)


class TextGuard:
    """Stand-ins for one rendering; none of them occurs in `values` or in `template`."""

    def __init__(self, characters: Collection[str], values: Any, template: str) -> None:
        present = set(template).union(*map(set, _strings(values, MAX_DEPTH)))
        unused = (chr(code) for code in PRIVATE_USE if chr(code) not in present)
        self._stand_ins: Mapping[str, str] = dict(zip(characters, unused, strict=False))
        self.mark = next(unused, "")
        """One more character that occurs nowhere else, for whoever has to find a place again."""
        if not self.mark:
            raise InvalidConversation("the text uses every private-use character of Unicode")

    def guard(self, value: Any) -> Any:
        """A copy of a JSON value with stand-ins in all strings and keys."""
        if isinstance(value, str):
            for character, stand_in in self._stand_ins.items():
                value = value.replace(character, stand_in)
            return value
        if isinstance(value, Mapping):
            return {self.guard(key): self.guard(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.guard(item) for item in value]
        return value

    def reveal(self, text: str) -> str:
        """The text with the characters that the stand-ins stand for."""
        for character, stand_in in self._stand_ins.items():
            text = text.replace(stand_in, character)
        return text


def _strings(value: Any, depth: int) -> Iterator[str]:
    """Every string and key; raises InvalidConversation below `depth` levels."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list | tuple):
        if depth == 0:
            raise InvalidConversation(f"nested more than {MAX_DEPTH} levels deep")
        items = [*value.keys(), *value.values()] if isinstance(value, Mapping) else value
        for item in items:
            yield from _strings(item, depth - 1)
