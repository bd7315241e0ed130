"""Every dialect that a server speaks, to be asked for one model."""

from openrouter.components import ChatResult, ChatStreamChunk, OpenResponsesResult, StreamEvents
from pydantic import TypeAdapter

from tests.server.dialects.anthropic_dialect import Messages
from tests.server.dialects.hosted_dialects import RunPod, WorkersAI
from tests.server.dialects.openai_dialects import Chat, Completions, Responses
from tests.server.dialects.told import Dialect

ACCOUNT = "/client/v4/accounts/account/ai"


def dialects(model: str) -> list[Dialect]:
    """`model` has an author before its name, as the catalogue of Workers AI wants it."""
    hosted = f"@cf/{model}"
    return [
        Chat("/v1/chat/completions", model),
        Completions("/v1/completions", model),
        Responses("/v1/responses", model),
        Messages("/v1/messages", model),
        Chat("/api/v1/chat/completions", model, (ChatResult, ChatStreamChunk)),
        Completions("/api/v1/completions", model),
        Responses(
            "/api/v1/responses",
            model,
            (TypeAdapter(OpenResponsesResult), TypeAdapter(StreamEvents)),
        ),
        WorkersAI(f"{ACCOUNT}/run/{hosted}", "messages"),
        WorkersAI(f"{ACCOUNT}/run/{hosted}", "prompt"),
        Chat(f"{ACCOUNT}/v1/chat/completions", hosted),
        RunPod("/v2/granite"),
        Chat("/v2/granite/openai/v1/chat/completions", model),
    ]
