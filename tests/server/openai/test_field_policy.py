"""Every field of the models and of OpenAI's client has one fate: honoured, harmless or refused."""

from typing import Any

import pytest
from openai.types import completion_create_params as openai_completions
from openai.types.chat import completion_create_params as openai_chat
from starlette.testclient import TestClient

from engine.request import GenerationRequest
from server.field_notes import harmless_fields
from server.openai.chat_request import ChatRequest
from server.openai.completion_request import CompletionRequest
from server.openai.constraint_fields import ConstraintFields
from server.openai.field_policy import UNSUPPORTED_FIELDS
from server.openai.generation_fields import GenerationFields
from tests.fakes import FakeEngine
from tests.server.openai.support import HELLO, ONCE

ROUTES = {"/v1/chat/completions": HELLO, "/v1/completions": ONCE}
MODELS: dict[str, type[GenerationFields]] = {
    "/v1/chat/completions": ChatRequest,
    "/v1/completions": CompletionRequest,
}
OPENAI_FIELDS = {
    "/v1/chat/completions": openai_chat.CompletionCreateParamsStreaming.__annotations__,
    "/v1/completions": openai_completions.CompletionCreateParamsStreaming.__annotations__,
}


def bytes_of(request: GenerationRequest) -> bytes:
    return bytes(token_id for token_id in request.prompt_ids if token_id < 256)


# Field -> a value, and what the engine is then asked. Fields of replies have tests of their own.
REACHES_THE_ENGINE: dict[str, tuple[Any, Any]] = {
    "temperature": (0.25, lambda request: request.sampling.temperature == 0.25),
    "top_p": (0.5, lambda request: request.sampling.top_p == 0.5),
    "top_k": (7, lambda request: request.sampling.top_k == 7),
    "min_p": (0.1, lambda request: request.sampling.min_p == 0.1),
    "top_a": (0.2, lambda request: request.sampling.top_a == 0.2),
    "repetition_penalty": (1.5, lambda request: request.sampling.repetition_penalty == 1.5),
    "frequency_penalty": (-0.5, lambda request: request.sampling.frequency_penalty == -0.5),
    "presence_penalty": (0.5, lambda request: request.sampling.presence_penalty == 0.5),
    "logit_bias": ({"5": -100}, lambda request: request.sampling.logit_bias == ((5, -100.0),)),
    "stop_token_ids": ([9, 8, 9], lambda request: request.sampling.stop_token_ids == (9, 8)),
    "seed": (-3, lambda request: request.sampling.seed == -3),
    "max_tokens": (11, lambda request: request.sampling.max_tokens == 11),
    "min_tokens": (2, lambda request: request.sampling.min_tokens == 2),
    "ignore_eos": (True, lambda request: request.sampling.ignore_eos is True),
    "n": (3, lambda request: request.num_choices == 3),
    "prompt_logprobs": (2, lambda request: request.prompt_logprobs == 2),
}
CHAT_REACHES_THE_ENGINE: dict[str, tuple[Any, Any]] = {
    "max_completion_tokens": (11, lambda request: request.sampling.max_tokens == 11),
    "logprobs": (True, lambda request: request.sampling.logprobs == 0),
    "tools": (
        [{"type": "function", "function": {"name": "weather"}}],
        lambda request: b'"name": "weather"' in bytes_of(request),
    ),
    "functions": ([{"name": "clock"}], lambda request: b'"name": "clock"' in bytes_of(request)),
    "documents": ([{"text": "Facts"}], lambda request: b'{"text": "Facts"}' in bytes_of(request)),
    "add_generation_prompt": (False, lambda request: request.prompt_ids[-1] == NEW_LINE),
}
COMPLETION_REACHES_THE_ENGINE: dict[str, tuple[Any, Any]] = {
    "logprobs": (4, lambda request: request.sampling.logprobs == 4),
    "prompt": ("Twice", lambda request: request.prompt_ids == tuple(b"Twice")),
    "best_of": (3, lambda request: request.num_choices == 3),
    "suffix": ("end", lambda request: request.prompt_ids[-4:] == (*b"end", FIM_MIDDLE)),
}
SHOWS_IN_THE_REPLY = {"model", "stop", "stream", "stream_options"}
FORMS = ConstraintFields.model_fields.keys()  # in test_constraints
ROUTING = {"models", "provider", "transforms", "plugins", "usage"}  # in test_routing
SHOWN_ELSEWHERE = {
    "/v1/chat/completions": {
        *("messages", "top_logprobs", "continue_final_message", "chat_template_kwargs"),
        *("tool_choice", "parallel_tool_calls", "function_call"),
    },
    "/v1/completions": {"echo", "parse_special"},
}
FIM_MIDDLE = 259
NEW_LINE = 10
REFUSED = {route: UNSUPPORTED_FIELDS.keys() - MODELS[route].model_fields for route in ROUTES}
EFFECTS = {
    "/v1/chat/completions": REACHES_THE_ENGINE | CHAT_REACHES_THE_ENGINE,
    "/v1/completions": REACHES_THE_ENGINE | COMPLETION_REACHES_THE_ENGINE,
}


@pytest.mark.parametrize("route", ROUTES)
def test_every_field_of_the_model_is_proven_honoured_or_listed_as_harmless(route: str) -> None:
    proven = EFFECTS[route].keys() | SHOWS_IN_THE_REPLY | SHOWN_ELSEWHERE[route] | ROUTING | FORMS
    harmless = harmless_fields(MODELS[route])
    assert proven | harmless == MODELS[route].model_fields.keys()
    assert proven.isdisjoint(harmless)


@pytest.mark.parametrize("route", ROUTES)
def test_every_field_of_openais_client_has_a_fate(route: str) -> None:
    known = MODELS[route].model_fields.keys() | UNSUPPORTED_FIELDS.keys()
    assert OPENAI_FIELDS[route].keys() <= known


def test_every_field_that_is_refused_is_refused_by_some_route() -> None:
    assert set().union(*REFUSED.values()) == UNSUPPORTED_FIELDS.keys()


@pytest.mark.parametrize(
    ("route", "field"), [(route, field) for route in ROUTES for field in EFFECTS[route]]
)
def test_an_honoured_field_reaches_the_engine(
    client: TestClient, engine: FakeEngine, route: str, field: str
) -> None:
    value, is_honoured = EFFECTS[route][field]
    response = client.post(route, json={**ROUTES[route], field: value})
    assert response.status_code == 200, response.text
    request: GenerationRequest = engine.requests[-1]
    assert is_honoured(request)
    assert not is_honoured(_plain_request(client, engine, route))


def _plain_request(client: TestClient, engine: FakeEngine, route: str) -> GenerationRequest:
    assert client.post(route, json=ROUTES[route]).status_code == 200
    return engine.requests[-1]


@pytest.mark.parametrize(
    ("route", "field"), [(route, field) for route in ROUTES for field in sorted(REFUSED[route])]
)
def test_an_unsupported_field_is_refused_by_name(
    client: TestClient, route: str, field: str
) -> None:
    response = client.post(route, json={**ROUTES[route], field: {"anything": "else"}})
    assert response.status_code == 400
    assert response.json()["error"]["param"] == field
    assert response.json()["error"]["code"] == "unsupported_parameter"


@pytest.mark.parametrize("route", ROUTES)
def test_values_that_ask_for_nothing_are_accepted(client: TestClient, route: str) -> None:
    nothing = {name: values[0] for name, values in UNSUPPORTED_FIELDS.items() if values}
    absent = dict.fromkeys(UNSUPPORTED_FIELDS)
    for fields in (nothing, absent):
        response = client.post(route, json={**ROUTES[route], **fields})
        assert response.status_code == 200, response.text
        assert "x-ignored-fields" not in response.headers


@pytest.mark.parametrize("route", ROUTES)
def test_harmless_fields_are_accepted_and_change_nothing(
    client: TestClient, engine: FakeEngine, route: str
) -> None:
    harmless = {
        "add_special_tokens": False,
        "cache_prompt": True,
        "cache_salt": "salt",
        "metadata": {"run": "7"},
        "prompt_cache_key": "key",
        "prompt_cache_retention": "24h",
        "route": "fallback",
        "safety_identifier": "person",
        "service_tier": "auto",
        "session_id": "session",
        "trace": {"trace_id": "7"},
        "user": "somebody\r\nelse",
    }
    assert harmless.keys() == harmless_fields(MODELS[route])
    response = client.post(route, json={**ROUTES[route], **harmless})
    assert response.status_code == 200, response.text
    assert "x-ignored-fields" not in response.headers
    with_fields = engine.requests[-1]
    plain = _plain_request(client, engine, route)
    assert (with_fields.prompt_ids, with_fields.sampling) == (plain.prompt_ids, plain.sampling)


@pytest.mark.parametrize("route", ROUTES)
def test_null_stands_for_the_default_of_every_optional_field(
    client: TestClient, engine: FakeEngine, route: str
) -> None:
    optional = dict.fromkeys(
        name for name, field in MODELS[route].model_fields.items() if not field.is_required()
    )
    response = client.post(route, json={**optional, **ROUTES[route]})
    assert response.status_code == 200, response.text
    with_nulls = engine.requests[-1]
    plain = _plain_request(client, engine, route)
    assert (with_nulls.prompt_ids, with_nulls.sampling) == (plain.prompt_ids, plain.sampling)
    assert with_nulls.num_choices == plain.num_choices == 1
