"""Every field of a job has one fate: it reaches the engine, is harmless, or is refused by name."""

from collections.abc import Callable
from typing import Any

import pytest
from starlette.testclient import TestClient

from engine.request import GenerationRequest
from server.runpod.job_input import JobInput
from server.runpod.job_request import JobRequest, Policy
from server.runpod.sampling_fields import SamplingFields
from tests.fakes import FakeEngine
from tests.server.runpod.conftest import Job

# Field of sampling_params -> a value, and what the engine is then asked.
REACHES_THE_ENGINE: dict[str, tuple[Any, Callable[[GenerationRequest], bool]]] = {
    "max_tokens": (11, lambda request: request.sampling.max_tokens == 11),
    "min_tokens": (2, lambda request: request.sampling.min_tokens == 2),
    "temperature": (0.25, lambda request: request.sampling.temperature == 0.25),
    "top_p": (0.5, lambda request: request.sampling.top_p == 0.5),
    "top_k": (7, lambda request: request.sampling.top_k == 7),
    "min_p": (0.1, lambda request: request.sampling.min_p == 0.1),
    "seed": (9, lambda request: request.sampling.seed == 9),
    "repetition_penalty": (1.5, lambda request: request.sampling.repetition_penalty == 1.5),
    "frequency_penalty": (-0.5, lambda request: request.sampling.frequency_penalty == -0.5),
    "presence_penalty": (0.5, lambda request: request.sampling.presence_penalty == 0.5),
    "logit_bias": ({"5": -100}, lambda request: request.sampling.logit_bias == ((5, -100.0),)),
    "stop_token_ids": ([9, 8], lambda request: request.sampling.stop_token_ids == (9, 8)),
    "ignore_eos": (True, lambda request: request.sampling.ignore_eos is True),
    "n": (3, lambda request: request.num_choices == 3),
    "best_of": (3, lambda request: request.num_choices == 3),
}
SHOWN_ELSEWHERE = {"stop", "model"}
FORMS: dict[str, Any] = {
    "response_format": {"type": "json_object"},
    "structured_outputs": {"choice": ["Hi"]},
    "guided_json": {"type": "object"},
    "guided_regex": "H.",
    "guided_choice": ["Hi"],
    "guided_grammar": 'start: "Hi"',
    "json_schema": {"type": "object"},
    "regex": "H.",
    "ebnf": 'root ::= "Hi"',
    "grammar": 'root ::= "Hi"',
}
INPUT_FIELDS = {
    *("prompt", "messages", "apply_chat_template", "stream", "max_batch_size", "sampling_params"),
    *("min_batch_size", "batch_size_growth_factor", "model"),
}


def test_every_field_of_the_models_is_accounted_for() -> None:
    proven = REACHES_THE_ENGINE.keys() | SHOWN_ELSEWHERE | FORMS.keys()
    assert proven == SamplingFields.model_fields.keys()
    assert JobInput.model_fields.keys() == INPUT_FIELDS
    assert JobRequest.model_fields.keys() == {"input", "policy", "model"}
    assert Policy.model_fields.keys() == {"executionTimeout", "ttl", "lowPriority"}


@pytest.mark.parametrize("field", REACHES_THE_ENGINE)
def test_an_honoured_field_reaches_the_engine(
    run: Callable[..., Job], engine: FakeEngine, field: str
) -> None:
    value, is_honoured = REACHES_THE_ENGINE[field]
    run(sampling_params={field: value})
    assert is_honoured(engine.requests[-1])
    run()
    assert not is_honoured(engine.requests[-1])


def test_the_defaults_are_those_of_the_hosted_endpoint(
    run: Callable[..., Job], engine: FakeEngine
) -> None:
    run()
    plain = engine.requests[-1].sampling
    assert (plain.max_tokens, plain.temperature, plain.top_p) == (512, 0.7, 1.0)
    run(sampling_params={"seed": -1, "top_k": -1, "top_p": 1, "max_tokens": 512})
    assert engine.requests[-1].sampling == plain
    run(sampling_params=dict.fromkeys(SamplingFields.model_fields))
    assert engine.requests[-1].sampling == plain


@pytest.mark.parametrize("field", FORMS)
def test_a_form_of_the_output_reaches_the_engine(
    run: Callable[..., Job], engine: FakeEngine, field: str
) -> None:
    run(sampling_params={field: FORMS[field]})
    assert engine.requests[-1].grammar is not None


def test_a_job_of_low_priority_gives_way_to_others(client: TestClient, engine: FakeEngine) -> None:
    for is_low in (True, False):
        body = {"input": {"prompt": "Once"}, "policy": {"lowPriority": is_low}}
        client.post("/v2/granite/runsync", json=body)
        assert engine.requests[-1].is_background is is_low


def test_a_stop_string_ends_the_text(run: Callable[..., Job]) -> None:
    (output,) = run(sampling_params={"stop": "i"})["output"]
    assert output["choices"] == [{"tokens": ["H"]}]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"input": {"prompt": "x", "sampling_params": {"logprobs": 1}}}, "logprobs"),
        ({"input": {"prompt": "x", "sampling_params": {"temperature": 2.5}}}, "temperature"),
        ({"input": {"prompt": "x", "sampling_params": {"use_beam_search": True}}}, "beam"),
        ({"input": {"prompt": "x", "sampling_params": {"guided_decoding": {}}}}, "guided"),
        ({"input": {"prompt": "x", "sampling_params": {"regex": "a", "ebnf": "b"}}}, "ebnf"),
        ({"input": {"prompt": "x", "sampling_params": {"n": 2, "best_of": 1}}}, "best_of"),
        (
            {"input": {"prompt": "x", "stream": True, "sampling_params": {"best_of": 2}}},
            "best_of",
        ),
        ({"input": {"prompt": "x", "sampling_params": {"logit_bias": {"x": 1}}}}, "logit_bias"),
        ({"input": {"prompt": "x", "openai_route": "/v1/models"}}, "openai_route"),
        ({"input": {"prompt": "x", "max_batch_size": 0}}, "max_batch_size"),
        ({"input": {"prompt": ""}}, "prompt"),
        ({"input": {}}, "messages or a prompt"),
        ({"input": {"messages": [{"role": "tool", "content": "x"}]}}, "tool_call_id"),
        ({"input": "x"}, "input"),
        ({}, "input is required"),
        ({"input": {"prompt": "x"}, "webhook": "http://localhost/"}, "webhook"),
        ({"input": {"prompt": "x"}, "s3Config": {"bucketName": "x"}}, "s3Config"),
        (
            {"input": {"prompt": "x"}, "policy": {"executionTimeout": 4999}},
            "policy.executionTimeout",
        ),
        ({"input": {"prompt": "x"}, "policy": {"ttl": 9999}}, "policy.ttl"),
        ({"input": {"prompt": "x" * 5000}}, "maximum context length"),
    ],
)
def test_what_is_wrong_is_a_job_that_failed_at_once(
    client: TestClient, body: dict[str, Any], named: str
) -> None:
    for path in ("run", "runsync"):
        response = client.post(f"/v2/granite/{path}", json=body)
        assert response.status_code == 400, response.text
        job = response.json()
        assert (job["status"], job.keys()) == ("FAILED", {"id", "status", "error"})
        assert named in job["error"]
        assert client.get(f"/v2/granite/status/{job['id']}").status_code == 404


@pytest.mark.parametrize("wait", ["", "x", "999", "300001", "-1"])
def test_the_time_to_wait_has_its_range(client: TestClient, wait: str) -> None:
    body = {"input": {"prompt": "x"}}
    response = client.post(f"/v2/granite/runsync?wait={wait}", json=body)
    assert response.status_code == 400
    assert "wait must be between 1000 and 300000" in response.json()["error"]


def test_fields_that_nobody_knows_are_named_in_a_header(client: TestClient) -> None:
    body = {
        "input": {"prompt": "x", "colour": 1, "sampling_params": {"taste": 2}},
        "policy": {"lowPriority": True, "smell": 3},
        "sound": 4,
    }
    response = client.post("/v2/granite/runsync", json=body)
    assert response.status_code == 200
    assert response.headers["x-ignored-fields"] == "sound, policy.smell, colour, taste"
