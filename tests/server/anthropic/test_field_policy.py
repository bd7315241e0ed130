"""Every field of the models and of Anthropic's client has one fate: honoured, harmless, refused."""

from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from anthropic import types
from anthropic.types import (
    beta,
    message_count_tokens_params,
    message_create_params,
    tool_result_block_param,
)
from anthropic.types.beta import message_count_tokens_params as beta_count_params
from anthropic.types.beta import message_create_params as beta_create_params
from pydantic import BaseModel
from starlette.testclient import TestClient

from engine.request import GenerationRequest
from server.anthropic import content_blocks as blocks
from server.anthropic import output_fields, prompt_request, tool_fields
from server.anthropic.create_message import CreateMessage, Diagnostics, Metadata
from server.anthropic.field_policy import REFUSED_FIELDS
from server.anthropic.prompt_request import CountTokens
from server.field_notes import harmless_fields
from server.openai.request_model import RequestModel
from tests.fakes import FakeEngine
from tests.server.anthropic.asking import COUNT, HELLO, MESSAGES, TOOLS, message, refused
from tests.server.openai.support import MODEL, says

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "anthropic.md"
SENT_AS_HEADERS = {"betas", "user_profile_id", "workspace_id"}

# Field -> a value, and what the engine is then asked. Those of prompts have tests of their own.
REACHES_THE_ENGINE: dict[str, tuple[Any, Any]] = {
    "max_tokens": (11, lambda request: request.sampling.max_tokens == 11),
    "temperature": (0.25, lambda request: request.sampling.temperature == 0.25),
    "top_k": (7, lambda request: request.sampling.top_k == 7),
    "top_p": (0.5, lambda request: request.sampling.top_p == 0.5),
    "output_config": (
        {"effort": "low", "format": {"type": "json_schema", "schema": {"const": "Hi"}}},
        lambda request: request.grammar is not None,
    ),
    "output_format": (
        {"type": "json_schema", "schema": {"const": "Hi"}},
        lambda request: request.grammar is not None,
    ),
}
SHOWN_ELSEWHERE = {
    *("model", "messages", "system", "stream", "stop_sequences", "tools", "tool_choice"),
    *("context_management", "metadata"),
}
HARMLESS: dict[str, Any] = {
    "cache_control": {"type": "ephemeral", "ttl": "5m"},
    "diagnostics": {"previous_message_id": "msg_1"},
    "service_tier": "standard_only",
    "thinking": {"type": "adaptive", "display": "omitted"},
}
# The client's type -> ours.
PARTS: dict[Any, type[RequestModel]] = {
    types.TextBlockParam: blocks.TextBlock,
    types.ThinkingBlockParam: blocks.ThinkingBlock,
    types.RedactedThinkingBlockParam: blocks.RedactedThinkingBlock,
    types.ToolUseBlockParam: blocks.ToolUseBlock,
    types.ToolResultBlockParam: blocks.ToolResultBlock,
    types.DocumentBlockParam: blocks.DocumentBlock,
    types.SearchResultBlockParam: blocks.SearchResultBlock,
    types.ToolReferenceBlockParam: blocks.ToolReferenceBlock,
    types.PlainTextSourceParam: blocks.TextSource,
    types.ContentBlockSourceParam: blocks.ContentSource,
    types.CitationsConfigParam: blocks.CitationsConfig,
    types.CacheControlEphemeralParam: blocks.CacheControl,
    types.ToolParam: tool_fields.CustomTool,
    types.ToolChoiceAutoParam: tool_fields.ToolChoiceField,
    types.ToolChoiceAnyParam: tool_fields.ToolChoiceField,
    types.ToolChoiceToolParam: tool_fields.ToolChoiceField,
    types.ToolChoiceNoneParam: tool_fields.ToolChoiceField,
    types.ThinkingConfigEnabledParam: prompt_request.ThinkingConfig,
    types.ThinkingConfigDisabledParam: prompt_request.ThinkingConfig,
    types.ThinkingConfigAdaptiveParam: prompt_request.ThinkingConfig,
    types.ThinkingConfigBetweenToolsParam: prompt_request.ThinkingConfig,
    types.JSONOutputFormatParam: output_fields.JsonFormat,
    types.MetadataParam: Metadata,
    types.DiagnosticsParam: Diagnostics,
    beta.BetaTextBlockParam: blocks.TextBlock,
    beta.BetaToolUseBlockParam: blocks.ToolUseBlock,
    beta.BetaToolResultBlockParam: blocks.ToolResultBlock,
    beta.BetaRequestDocumentBlockParam: blocks.DocumentBlock,
    beta.BetaToolParam: tool_fields.CustomTool,
    beta.BetaOutputConfigParam: output_fields.OutputConfig,
    beta.BetaContextManagementConfigParam: prompt_request.ContextManagement,
}
TAKEN_IN_MESSAGES = {
    *("text", "document", "search_result", "tool_use", "tool_result"),
    *("thinking", "redacted_thinking"),
}
TAKEN_IN_RESULTS = {"text", "document", "search_result", "tool_reference"}


def sent(model: type[RequestModel]) -> set[str]:
    return {field.alias or name for name, field in model.model_fields.items()}


def members(union: Any) -> Iterator[Any]:
    """The members of a union, and those of unions in it."""
    if get_origin(union) in (Union, UnionType):
        for member in get_args(union):
            yield from members(member)
    elif get_origin(union) is Annotated:
        yield from members(get_args(union)[0])
    else:
        yield union


def hints(part: Any) -> dict[str, Any]:
    if issubclass(part, BaseModel):
        return {name: field.annotation for name, field in part.model_fields.items()}
    return get_type_hints(part)


def kinds(union: Any) -> set[str]:
    """The values of `type` by which the members of a union are told apart."""
    return {
        kind
        for member in members(union)
        for hint in members(hints(member).get("type"))
        if get_origin(hint) is Literal
        for kind in get_args(hint)
    }


def test_every_field_of_the_model_is_proven_honoured_or_listed_as_harmless() -> None:
    proven = REACHES_THE_ENGINE.keys() | SHOWN_ELSEWHERE
    assert proven | HARMLESS.keys() == CreateMessage.model_fields.keys()
    assert proven.isdisjoint(HARMLESS)
    assert CreateMessage.model_fields.keys().isdisjoint(REFUSED_FIELDS)
    assert HARMLESS.keys() == harmless_fields(CreateMessage)


@pytest.mark.parametrize(
    ("params", "model"),
    [
        (message_create_params.MessageCreateParamsStreaming, CreateMessage),
        (beta_create_params.MessageCreateParamsStreaming, CreateMessage),
        (message_count_tokens_params.MessageCountTokensParams, CountTokens),
        (beta_count_params.MessageCountTokensParams, CountTokens),
    ],
)
def test_every_field_of_anthropics_client_has_a_fate(params: Any, model: type[CountTokens]) -> None:
    fields = get_type_hints(params).keys() - SENT_AS_HEADERS
    assert fields <= model.model_fields.keys() | REFUSED_FIELDS.keys()


@pytest.mark.parametrize("params", PARTS, ids=lambda params: params.__name__)
def test_every_field_of_the_parts_of_a_request_has_a_fate(params: Any) -> None:
    assert get_type_hints(params).keys() <= sent(PARTS[params])


@pytest.mark.parametrize(
    "kind",
    sorted(
        (kinds(types.ContentBlockParam) | kinds(beta.BetaContentBlockParam)) - TAKEN_IN_MESSAGES
    ),
)
def test_blocks_of_all_other_types_are_refused_by_name(client: TestClient, kind: str) -> None:
    for role in ("user", "assistant"):
        content = [{"type": kind}]
        words = refused(client, 400, messages=[{"role": role, "content": content}])
        assert words.startswith(f"messages[0].content[0]: blocks of type '{kind}'")


@pytest.mark.parametrize("kind", ["image", "browser_state"])
def test_what_a_result_cannot_have_is_refused_by_name(client: TestClient, kind: str) -> None:
    assert kinds(tool_result_block_param.Content) == TAKEN_IN_RESULTS | {"image", "browser_state"}
    result = {"type": "tool_result", "tool_use_id": "1", "content": [{"type": kind}]}
    words = refused(client, 400, messages=[{"role": "user", "content": [result]}])
    assert words.startswith(f"messages[0].content[0].content[0]: blocks of type '{kind}'")


@pytest.mark.parametrize("kind", sorted(kinds(beta.BetaToolUnionParam) - {"custom"}))
def test_tools_that_the_model_does_not_know_are_refused_by_name(
    client: TestClient, kind: str
) -> None:
    words = refused(client, 400, tools=[TOOLS[0], {"type": kind, "name": "x"}])
    assert words.startswith(f"tools[1]: tools of type '{kind}' are not supported")


@pytest.mark.parametrize("field", REACHES_THE_ENGINE)
def test_an_honoured_field_reaches_the_engine(
    client: TestClient, engine: FakeEngine, field: str
) -> None:
    value, is_honoured = REACHES_THE_ENGINE[field]
    message(client, **{field: value})
    assert is_honoured(engine.requests[-1])
    message(client)
    assert not is_honoured(engine.requests[-1])


def compared(request: GenerationRequest) -> tuple[Any, ...]:
    return request.prompt_ids, request.sampling, request.grammar


def test_harmless_fields_are_accepted_and_change_nothing(
    client: TestClient, engine: FakeEngine
) -> None:
    response = client.post(MESSAGES, json=HELLO | HARMLESS)
    assert response.status_code == 200, response.text
    assert "x-ignored-fields" not in response.headers
    with_fields = engine.requests[-1]
    message(client)
    assert compared(with_fields) == compared(engine.requests[-1])


def test_null_stands_for_the_default_of_every_optional_field(
    client: TestClient, engine: FakeEngine
) -> None:
    fields = CreateMessage.model_fields.items()
    message(client, **{name: None for name, field in fields if not field.is_required()})
    with_nulls = engine.requests[-1]
    message(client)
    assert compared(with_nulls) == compared(engine.requests[-1])


@pytest.mark.parametrize("field", sorted(REFUSED_FIELDS))
def test_an_unsupported_field_is_refused_by_name(client: TestClient, field: str) -> None:
    for route in (MESSAGES, COUNT):
        words = refused(client, 400, route, **{field: {"anything": "else"}})
        assert words.startswith(field)
    for nothing in (None, *REFUSED_FIELDS[field]):
        assert client.post(MESSAGES, json=HELLO | {field: nothing}).status_code == 200


def test_who_an_answer_was_for_is_kept_with_it(client: TestClient, engine: FakeEngine) -> None:
    engine.script = says("Hi")
    name = message(client, metadata={"user_id": "somebody"}).id
    stats = client.get("/v1/generation", params={"id": name}).json()["data"]
    assert (stats["external_user"], stats["model"]) == ("somebody", MODEL)
