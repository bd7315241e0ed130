"""Every field of every request model of every dialect has one fate, whoever wrote the model.

The models are found, not listed. What a field does is tested with its dialect; here, that no field
is without a fate, that what is refused is refused by name, and that no effect is only claimed.
"""

import ast
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, BeforeValidator

import server
from reference.discovery import request_bodies, request_models
from reference.fields import fields_of, inner_fields
from reference.tables import refused_by
from server.errors import BadRequest, UnsupportedParameter
from server.field_notes import harmless_fields
from server.openai.request_body import parse_body
from server.openai.request_model import RequestBody, RequestModel


def name_of(model: type[BaseModel]) -> str:
    return f"{model.__module__}.{model.__name__}"


MODELS = sorted(request_models(), key=name_of)
BODIES = sorted(request_bodies(), key=name_of)
ASKS = {"anything": "else"}


def attributes_read() -> set[str]:
    """Names of the attributes that some line of the server reads."""
    trees = (ast.parse(path.read_text("utf-8")) for path in Path(*server.__path__).rglob("*.py"))
    return {
        node.attr
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load)
    }


@pytest.mark.parametrize("model", MODELS, ids=name_of)
def test_every_field_says_what_it_does_or_why_it_is_harmless(model: type[BaseModel]) -> None:
    told = [*fields_of(model), *inner_fields(model)]
    assert [field.name for field in told if not field.meaning] == []


@pytest.mark.parametrize("model", MODELS, ids=name_of)
def test_every_model_is_strict_and_keeps_what_it_does_not_know(model: type[BaseModel]) -> None:
    assert issubclass(model, RequestModel)
    assert model.model_config["strict"]


def test_every_field_that_claims_an_effect_is_read_somewhere() -> None:
    read = attributes_read()
    unread = {
        f"{name_of(model)}.{name}"
        for model in MODELS
        for name, field in model.model_fields.items()
        if name not in read | harmless_fields(model)
        if not any(isinstance(note, BeforeValidator) for note in field.metadata)  # it may refuse
        if not is_the_only_value(model, name)
    }
    assert unread == set()


def is_the_only_value(model: type[BaseModel], name: str) -> bool:
    """Whether all that a client can do is to agree."""
    field = model.model_fields[name]
    (told,) = [each for each in fields_of(model) if each.name == (field.alias or name)]
    return told.values.count("`") == 2 and " " not in told.values


@pytest.mark.parametrize("model", BODIES, ids=name_of)
def test_what_a_body_may_not_ask_is_refused_by_name(model: type[RequestBody]) -> None:
    for name in refused_by(model):
        with pytest.raises(UnsupportedParameter) as raised:
            parse_body(model, {name: ASKS}, strict_fields=False)
        assert raised.value.param == name


@pytest.mark.parametrize("model", BODIES, ids=name_of)
def test_null_is_the_default_of_every_field_that_may_be_left_out(model: type[RequestBody]) -> None:
    optional = [field for field in fields_of(model) if not field.is_required]
    required = {field.name for field in fields_of(model) if field.is_required}
    for field in optional:
        try:
            parse_body(model, {field.name: None}, strict_fields=True)
        except BadRequest as error:
            assert error.param in required, field.name


@pytest.mark.parametrize("model", BODIES, ids=name_of)
def test_no_body_refuses_what_it_has(model: type[RequestBody]) -> None:
    """Whoever declares a field has taken it off the table of what is refused."""
    example: dict[str, Any] = dict.fromkeys(model.model_fields)
    assert not refused_by(model).keys() & example.keys()
