"""Prompts with the real vocabulary and template of Granite 4.0, against ids recorded before.

`tests/golden/granite_prompts.json` was written by `transformers` (`apply_chat_template`); write it
again with `python -m tests.model_loader.test_granite_prompts` and review the difference like code.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from transformers import PreTrainedTokenizerFast

from benchmarks.granite_tokenizer import write_granite_tokenizer
from model_loader.chat_template import ChatTemplate
from model_loader.conversation import Conversation
from model_loader.tokenizer import Tokenizer

REPOSITORY = Path(__file__).parents[2]
GOLDEN = REPOSITORY / "tests" / "golden" / "granite_prompts.json"
FURTHER_GOLDEN = Path(
    os.environ.get(
        "GRANITE_GOLDEN_RENDERS", REPOSITORY.parent / "shared" / "model" / "golden_renders.json"
    )
)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def granite(tmp_path_factory: pytest.TempPathFactory) -> tuple[Tokenizer, ChatTemplate]:
    directory = tmp_path_factory.mktemp("granite")
    write_granite_tokenizer(directory)
    tokenizer = Tokenizer.from_directory(directory)
    return tokenizer, ChatTemplate.from_directory(directory, tokenizer)


def require_golden_prompts(path: Path, granite: tuple[Tokenizer, ChatTemplate]) -> None:
    tokenizer, template = granite
    for case in json.loads(path.read_text(encoding="utf-8")):
        ids = template.render(
            Conversation(
                messages=case["messages"],
                tools=case.get("tools"),
                documents=case.get("documents"),
            )
        )

        assert tokenizer.decode(ids, skip_special=False) == case["text"], case["name"]
        assert ids == case["ids"], case["name"]


def test_own_golden_prompts_are_reproduced(granite: tuple[Tokenizer, ChatTemplate]) -> None:
    require_golden_prompts(GOLDEN, granite)


@pytest.mark.skipif(
    not FURTHER_GOLDEN.exists(),
    reason="set GRANITE_GOLDEN_RENDERS to a file of further recorded prompts",
)
def test_further_golden_prompts_are_reproduced(granite: tuple[Tokenizer, ChatTemplate]) -> None:
    require_golden_prompts(FURTHER_GOLDEN, granite)


@pytest.mark.parametrize(
    ("text", "ids"), [("2023", [2366, 18]), ("650841823", [13655, 25496, 23848])]
)
def test_numbers_are_split_by_granites_rule(
    granite: tuple[Tokenizer, ChatTemplate], text: str, ids: list[int]
) -> None:
    assert granite[0].encode(text) == ids


def test_no_text_of_any_added_token_becomes_its_id(
    granite: tuple[Tokenizer, ChatTemplate],
) -> None:
    tokenizer = granite[0]
    everything = " ".join(tokenizer.control_tokens) + "".join(tokenizer.control_tokens)

    ids = tokenizer.encode(everything)

    assert len(tokenizer.control_tokens) == 96
    assert max(ids) < min(tokenizer.control_tokens.values()) == 100256
    assert tokenizer.decode(ids) == everything


@pytest.mark.parametrize(
    "unit", ["a", " ", "\n", "-", "_", "7", "漢", "😀", "\u200d", "\t ", "a ", "^", "Zm9v", "é\x00"]
)
def test_long_runs_are_encoded_without_quadratic_work(
    granite: tuple[Tokenizer, ChatTemplate], unit: str
) -> None:
    # Quadratic work on 400,000 characters would take hours and meet the suite's time limit.
    tokenizer = granite[0]
    text = (unit * 400_000)[:400_000]

    assert tokenizer.decode(tokenizer.encode(text)) == text


def recorded_cases() -> list[dict[str, Any]]:
    """Conversations chosen for what the template does with them; names say what."""
    question = {"role": "user", "content": "Wie spät ist es in São Paulo? 🕰️\n\n\t2023-10-07 ≈ π"}
    tool = {
        "type": "function",
        "function": {
            "name": "get_time",
            "description": 'Time in a "zone" <b>&</b> \\ backslash',
            "parameters": {
                "type": "object",
                "properties": {"zone": {"type": "string", "enum": ["UTC", "Brasília"]}},
                "required": ["zone"],
            },
        },
    }
    call = {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {
                "id": "1",
                "type": "function",
                "function": {"name": "get_time", "arguments": '{"zone": "UTC"}'},
            },
            {
                "id": "2",
                "type": "function",
                "function": {"name": "get_time", "arguments": {"zone": "Brasília", "n": [1, None]}},
            },
        ],
    }
    results = [
        {"role": "tool", "tool_call_id": "1", "content": "12:00"},
        {"role": "tool", "tool_call_id": "2", "content": [{"type": "text", "text": "09:00"}]},
    ]
    document = {"doc_id": 1, "title": "T", "text": "Line 1\nLine 2 <tag>", "source": ""}
    parts = [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]
    return [
        {"name": "default system", "messages": [question]},
        {"name": "empty system", "messages": [{"role": "system", "content": ""}, question]},
        {"name": "parts", "messages": [{"role": "user", "content": parts}]},
        {"name": "tools", "messages": [question], "tools": [tool, tool]},
        {"name": "tool turns", "messages": [question, call, *results], "tools": [tool]},
        {"name": "documents", "messages": [question], "documents": [document, document]},
        {
            "name": "system, tools and documents",
            "messages": [{"role": "system", "content": parts}, question],
            "tools": [tool],
            "documents": [document],
        },
        {
            "name": "prefilled reply",
            "messages": [question, {"role": "assistant", "content": "Es ist "}],
        },
    ]


def write_golden_prompts(directory: Path) -> None:
    write_granite_tokenizer(directory)
    load: Any = PreTrainedTokenizerFast
    reference = load(
        tokenizer_file=str(directory / "tokenizer.json"),
        chat_template=(directory / "chat_template.jinja").read_text(encoding="utf-8"),
    )
    cases = recorded_cases()
    for case in cases:
        given = {key: case.get(key) for key in ("tools", "documents")}
        options = {"add_generation_prompt": True, **given}
        case["text"] = reference.apply_chat_template(case["messages"], tokenize=False, **options)
        case["ids"] = reference.apply_chat_template(case["messages"], return_dict=False, **options)
    lines = ",\n".join(json.dumps(case, ensure_ascii=False) for case in cases)
    GOLDEN.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as scratch:
        write_golden_prompts(Path(scratch))
