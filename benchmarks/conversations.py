"""Conversations about real text, as chat clients send them: a role, two earlier turns, a question.

The text is this project's own documents: English with names, numbers, tables and code.
"""

import random
from pathlib import Path

DOCUMENTS = Path(__file__).parent.parent / "docs"
SYSTEM = (
    "You are the assistant of a small engineering team. Answer from the document you are given, "
    "briefly, and say so when it does not hold the answer."
)


def conversation(num_words: int, key: str) -> list[dict[str, str]]:
    """The same messages for the same `key`; `num_words` is the length of the quoted passage."""
    lines = _lines()
    start = random.Random(key).randrange(len(lines) // 2)
    passage: list[str] = []
    for line in lines[start:]:
        passage.append(line)
        if sum(len(text.split()) for text in passage) >= num_words:
            break
    return [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": "I will quote a passage. Can you explain it to me?"},
        {"role": "assistant", "content": "Of course. Which passage is it, and what is unclear?"},
        {"role": "user", "content": "This one:\n\n" + "\n".join(passage) + "\n\nWhat does it say?"},
    ]


def _lines() -> list[str]:
    paths = [DOCUMENTS / name for name in ("decisions.md", "architecture.md", "kernels.md")]
    return [line for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
