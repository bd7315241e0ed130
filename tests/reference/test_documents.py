"""The documents in docs/ say of every field of every request model what the model says."""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import BaseModel

from reference.__main__ import DOCUMENTS, stale_documents
from reference.discovery import request_models
from reference.fields import Field, fields_of, inner_fields
from reference.regions import UnknownTable, models_in, rewritten

TEXTS = [path.read_text(encoding="utf-8") for path in sorted(DOCUMENTS.glob("*.md"))]
MODELS = sorted(request_models(), key=lambda model: (model.__module__, model.__name__))


def bare(field: Field) -> Field:
    """Without the way to the object that it is in."""
    return replace(field, name=field.name.rpartition(".")[2])


@pytest.fixture(scope="module")
def documented() -> set[Field]:
    models = {model for text in TEXTS for model in models_in(text)}
    return {bare(each) for model in models for each in (*fields_of(model), *inner_fields(model))}


def test_no_document_is_stale() -> None:
    assert stale_documents(DOCUMENTS).keys() == set(), "run make docs"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: f"{model.__module__}.{model.__name__}")
def test_every_request_model_is_in_a_document(
    documented: set[Field], model: type[BaseModel]
) -> None:
    assert set(fields_of(model)) <= documented, "name the model, or one with it, in a document"


def test_a_stale_document_is_found_and_written_anew(tmp_path: Path) -> None:
    name = "api.md"
    shutil.copy(DOCUMENTS / name, tmp_path / name)
    fresh = (tmp_path / name).read_text(encoding="utf-8")
    (tmp_path / name).write_text(fresh.replace("number (0 to 2)", "number (0 to 3)"))
    assert stale_documents(tmp_path) == {tmp_path / name: fresh}


def test_text_around_the_generated_parts_stays() -> None:
    mark = "<!-- generated: fields of openai.token_routes.DetokenizeRequest -->"
    document = f"Before.\n\n{mark}\nanything\n<!-- end -->\n\nAfter.\n"
    written = rewritten(document)
    assert written.startswith(f"Before.\n\n{mark}\n\n| field | values | default | what it does |\n")
    assert "\n| `tokens` | list of integer | required | " in written
    assert written.endswith("|\n\n<!-- end -->\n\nAfter.\n")
    assert "anything" not in written
    assert rewritten(written) == written


@pytest.mark.parametrize(
    ("mark", "reason"),
    [
        ("stars of openai.chat_request.ChatRequest", "no table of stars"),
        ("fields of openai.chat_request.Nobody", "no model server.openai.chat_request.Nobody"),
        ("fields of nowhere.Nobody", "no model server.nowhere.Nobody"),
        ("fields of openai.tools.FunctionTool", "not the body of a request"),
    ],
)
def test_a_mark_of_what_there_is_not_is_an_error(mark: str, reason: str) -> None:
    with pytest.raises(UnknownTable, match=reason):
        rewritten(f"<!-- generated: {mark} -->\n<!-- end -->\n")


@pytest.mark.slow
def test_the_command_says_that_nothing_is_stale() -> None:
    command = [sys.executable, "-m", "reference", "--check"]
    result = subprocess.run(
        command, cwd=DOCUMENTS.parent, capture_output=True, text=True, check=False
    )
    assert (result.returncode, result.stdout) == (0, ""), result.stderr
