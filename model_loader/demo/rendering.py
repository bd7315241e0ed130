"""Dialogue -> text through the published chat template, and text -> ids with the answers marked."""

import json
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Template
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from model_loader.demo.dialogue import Dialogue

ROLE_START, ROLE_END, TURN_END = "<|start_of_role|>", "<|end_of_role|>", "<|end_of_text|>"


def load_template(path: Path) -> Template:
    """The chat template with `tojson` as chat templates expect it (plain JSON, no HTML escapes)."""
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
    return environment.from_string(path.read_text(encoding="utf-8"))


def render(template: Template, dialogue: Dialogue, with_prompt: bool = False) -> str:
    """The dialogue as the model sees it; `with_prompt` opens the next answer."""
    return template.render(
        messages=dialogue.messages, tools=dialogue.tools, add_generation_prompt=with_prompt
    )


@dataclass(frozen=True, slots=True)
class Row:
    """Token ids and, for each, whether it belongs to an answer (its end mark included)."""

    ids: list[int]
    answers: list[bool]


class RowEncoder:
    """Turns dialogues into rows."""

    def __init__(self, template: Template, tokenizer: Tokenizer) -> None:
        self._template = template
        self._tokenizer = tokenizer
        self._answer_start = tokenizer.encode(f"{ROLE_START}assistant{ROLE_END}").ids
        self._turn_end = tokenizer.encode(TURN_END).ids[0]

    def length(self, dialogue: Dialogue) -> int:
        """Tokens of the rendered dialogue."""
        return len(self._tokenizer.encode(render(self._template, dialogue)).ids)

    def encode(self, dialogue: Dialogue) -> Row:
        """The rendered dialogue with its answers marked."""
        ids = self._tokenizer.encode(render(self._template, dialogue)).ids
        answers, inside, size = [False] * len(ids), False, len(self._answer_start)
        for position, token in enumerate(ids):
            answers[position] = inside
            if token == self._turn_end:
                inside = False
            elif ids[max(0, position + 1 - size) : position + 1] == self._answer_start:
                inside = True
        return Row(ids, answers)
