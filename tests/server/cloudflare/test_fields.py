"""Every field of a request has one fate: it reaches the engine, or it is refused by name."""

from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

import pytest
from cloudflare.types.ai import ai_run_params
from starlette.testclient import TestClient

from engine.request import GenerationRequest
from server.cloudflare.batch_request import BatchRequest, MessagesItem, PromptItem
from server.cloudflare.generation_fields import GenerationFields
from server.cloudflare.messages_request import MessagesRequest
from server.cloudflare.prompt_request import PromptRequest
from tests.fakes import FakeEngine
from tests.server.cloudflare.conftest import HELLO, ONCE, RUN, Ask

FORMS: dict[str, Mapping[str, Any]] = {"prompt": ONCE, "messages": HELLO}

# Field -> a value, what the engine is then asked, and values beyond the documented range.
REACHES_THE_ENGINE: dict[str, tuple[Any, Callable[[GenerationRequest], bool], list[Any]]] = {
    "max_tokens": (11, lambda request: request.sampling.max_tokens == 11, [0]),
    "temperature": (5, lambda request: request.sampling.temperature == 5, [-0.1, 5.1]),
    "top_p": (0.001, lambda request: request.sampling.top_p == 0.001, [0, 1.1]),
    "top_k": (50, lambda request: request.sampling.top_k == 50, [0, 51]),
    "seed": (9999999999, lambda request: request.sampling.seed == 9999999999, [0, 10**10]),
    "repetition_penalty": (2, lambda request: request.sampling.repetition_penalty == 2, [-1, 2.1]),
    "frequency_penalty": (-2, lambda request: request.sampling.frequency_penalty == -2, [-3, 3]),
    "presence_penalty": (2, lambda request: request.sampling.presence_penalty == 2, [-3, 3]),
}
SHOWN_ELSEWHERE = {"model", "stream", "response_format"}  # in test_run
OF_MESSAGES = {
    *("messages", "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"),
}


def test_every_field_of_the_models_is_accounted_for() -> None:
    common = REACHES_THE_ENGINE.keys() | SHOWN_ELSEWHERE
    assert GenerationFields.model_fields.keys() == common
    assert PromptRequest.model_fields.keys() == common | {"prompt", "raw"}
    assert MessagesRequest.model_fields.keys() == common | OF_MESSAGES
    for item, alone in ((PromptItem, PromptRequest), (MessagesItem, MessagesRequest)):
        assert item.model_fields.keys() - alone.model_fields.keys() == {"external_reference"}
    assert BatchRequest.model_fields.keys() == {"model", "requests"}


@pytest.mark.parametrize(
    ("params", "model"),
    [(ai_run_params.Prompt, PromptRequest), (ai_run_params.Messages, MessagesRequest)],
)
def test_every_field_of_cloudflares_client_has_a_fate(
    params: type, model: type[GenerationFields]
) -> None:
    fields = get_type_hints(params).keys() - {"account_id"}
    assert fields <= model.model_fields.keys() | model.refused_fields.keys()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("field", REACHES_THE_ENGINE)
def test_an_honoured_field_reaches_the_engine_within_its_range(
    ask: Ask, client: TestClient, engine: FakeEngine, form: str, field: str
) -> None:
    value, is_honoured, wrong = REACHES_THE_ENGINE[field]
    ask({**FORMS[form], field: value})
    assert is_honoured(engine.requests[-1])
    ask({**FORMS[form], field: None})
    assert not is_honoured(engine.requests[-1])
    for beyond in wrong:
        response = client.post(RUN, json={**FORMS[form], field: beyond})
        assert response.status_code == 400, beyond
        assert response.json()["errors"][0]["message"].startswith(field)


@pytest.mark.parametrize("form", FORMS)
def test_the_defaults_are_those_of_workers_ai(ask: Ask, engine: FakeEngine, form: str) -> None:
    ask({**FORMS[form]})
    plain = engine.requests[-1].sampling
    assert (plain.max_tokens, plain.temperature) == (2000, 0.6)


@pytest.mark.parametrize("field", ["min_p", "logit_bias", "n", "best_of", "logprobs", "image"])
@pytest.mark.parametrize("form", FORMS)
def test_fields_of_other_services_are_refused_by_name(
    client: TestClient, form: str, field: str
) -> None:
    response = client.post(RUN, json={**FORMS[form], field: 0.5})
    assert response.status_code == 400
    assert response.json()["errors"][0]["message"].startswith(field)


def test_fields_that_nobody_knows_are_named_in_a_header(client: TestClient) -> None:
    response = client.post(RUN, json={**ONCE, "colour": 1})
    assert response.headers["x-ignored-fields"] == "colour"
    batch = {"requests": [{**ONCE, "colour": 1}, {**HELLO, "taste": 1}]}
    response = client.post(RUN, json=batch)
    assert response.headers["x-ignored-fields"] == "colour, taste"
