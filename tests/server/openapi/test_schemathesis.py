"""Requests made from our own OpenAPI document: whatever comes, nothing breaks, and it is true."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.stateful import run_state_machine_as_test
from schemathesis import Case, GenerationMode, Response, openapi
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.server.openai.support import MODEL
from tests.server.openapi.conftest import BATCH, Api

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
Operation = APIOperation[Any, Any, Any, Any]
AnyCase = Case[Any]
Seen = set[tuple[GenerationMode, str]]

MANY, FEW = 6, 1
"""Examples of each operation; few where another one has taken the same body or query."""
PLACES = ["/v1/", "/(tokenize|detokenize|apply-template|health|metrics|openapi)", "/api/v1/"]
PLACES += ["/(ai|client)/", "/v2/"]


def calm(num_examples: int, **options: Any) -> settings:
    """The same examples every time."""
    return settings(
        max_examples=num_examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        **options,
    )


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.fixture(scope="module")
def seen() -> Seen:
    """The bodies and queries that were tried."""
    return set()


def operations_at(api: Api, place: str) -> Iterator[Operation]:
    schema = openapi.from_dict(api.document)
    schema.config.update(base_url=api.url)
    for result in schema.include(path_regex=f"^{place}").get_all_operations():
        assert isinstance(result, Ok)
        yield result.ok()


def with_our_model(case: AnyCase) -> None:
    """Other names are refused before anything else is looked at."""
    if isinstance(case.body, dict) and "model" in case.body:
        case.body["model"] = MODEL


def test_every_operation_is_at_one_of_the_places(api: Api) -> None:
    found = [operation.label for place in PLACES for operation in operations_at(api, place)]
    told = [
        f"{method.upper()} {path}"
        for path, methods in api.document["paths"].items()
        for method in methods
    ]
    assert sorted(found) == sorted(told)


@pytest.mark.parametrize("place", PLACES)
def test_what_the_document_allows_is_answered_as_it_says(
    api: Api, session: requests.Session, seen: Seen, place: str
) -> None:
    for operation in operations_at(api, place):
        taken = GenerationMode.POSITIVE, what_it_takes(operation)
        num_examples = FEW if taken in seen else MANY
        seen.add(taken)
        known = {name: api.known[name] for name in path_parameters(operation)}
        for path in [known, {}] if known else [{}]:

            @calm(num_examples)
            @given(case=operation.as_strategy(path_parameters=path))
            def holds(case: AnyCase) -> None:
                with_our_model(case)
                case.validate_response(case.call(session=session), checks=CHECKS)

            holds()


@pytest.mark.parametrize("place", PLACES)
def test_what_the_document_forbids_is_refused(
    api: Api, session: requests.Session, seen: Seen, place: str
) -> None:
    for operation in operations_at(api, place):
        taken = GenerationMode.NEGATIVE, what_it_takes(operation)
        if not taken[1] or taken in seen:
            continue
        seen.add(taken)
        known = {name: api.known[name] for name in path_parameters(operation)}
        strategy = operation.as_strategy(GenerationMode.NEGATIVE, path_parameters=known)

        @calm(MANY // 2)
        @given(case=strategy)
        def holds(case: AnyCase) -> None:
            case.validate_response(case.call(session=session), checks=CHECKS)

        holds()


@pytest.mark.parametrize(
    "place", ["/v1/(files|batches|responses)", "/v2/.*/(run|status|stream|cancel|retry)"]
)
def test_what_is_made_can_be_followed_by_its_links(api: Api, place: str) -> None:
    schema = openapi.from_dict(api.document)
    schema.config.update(base_url=api.url)
    sound = sound_bodies(api)
    answered: set[tuple[str, int]] = set()

    class Machine(schema.include(path_regex=f"^{place}").as_state_machine()):  # type: ignore[misc]
        def before_call(self, case: AnyCase) -> None:
            with_our_model(case)
            if isinstance(case.body, dict):
                case.body |= sound.get(case.operation.label, {})

        def validate_response(self, response: Response, case: AnyCase, **_: Any) -> None:
            answered.add((case.operation.label, response.status_code))
            case.validate_response(response, checks=CHECKS[:-1])  # we changed what was drawn

    run_state_machine_as_test(Machine, settings=calm(12, stateful_step_count=8))
    succeeded = {label for label, status in answered if status == 200}
    assert succeeded & sound.keys()
    assert [label for label in succeeded if "_id}" in label]


def sound_bodies(api: Api) -> dict[str, dict[str, Any]]:
    """What of a body must be right for anything to be made."""
    job = {"input": {"prompt": "Hi"}}
    return {
        "POST /v1/batches": BATCH | {"input_file_id": api.known["file_id"]},
        "POST /v1/responses": {"input": "Hi", "tools": [], "tool_choice": "auto", "store": True},
        "POST /v2/{endpoint}/run": job,
        "POST /v2/{endpoint}/runsync": job,
    }


def path_parameters(operation: Operation) -> list[str]:
    told = operation.definition.raw.get("parameters", ())
    return [each["name"] for each in told if each["in"] == "path"]


def what_it_takes(operation: Operation) -> str:
    """Its body and query, if it has any that can be wrong."""
    told = operation.definition.raw
    query = [each for each in told.get("parameters", ()) if each["in"] == "query"]
    return f"{told.get('requestBody')}{query}" if "requestBody" in told or query else ""
