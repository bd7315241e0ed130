"""What the replies of OpenRouter's dialect look like, for the OpenAPI document."""

from server.json_shapes import (
    BOOLEAN,
    INTEGER,
    NUMBER,
    OBJECT,
    STRING,
    either,
    list_of,
    or_null,
    record,
)
from server.openai.reply_shapes import CHAT_COMPLETION, COMPLETION

ERROR = record(
    "OpenRouterError",
    error=record(code=INTEGER, message=STRING, metadata=record(error_type=STRING)),
)
GENERATED = either(CHAT_COMPLETION, COMPLETION)
_CARD = record(
    "OpenRouterModel",
    id=STRING,
    canonical_slug=STRING,
    name=STRING,
    created=INTEGER,
    description=STRING,
    context_length=INTEGER,
    architecture=OBJECT,
    pricing=OBJECT,
    top_provider=OBJECT,
    supported_parameters=list_of(STRING),
)
MODELS = record(data=list_of(_CARD), links=record(next=or_null(STRING)), total_count=INTEGER)
COUNT = record(data=record(count=INTEGER))
MODEL = record(data=_CARD)
ENDPOINTS = record(data=record(id=STRING, name=STRING, created=INTEGER, architecture=OBJECT))
KEY = record(
    data=record(
        label=STRING,
        usage=NUMBER,
        usage_daily=NUMBER,
        usage_weekly=NUMBER,
        usage_monthly=NUMBER,
        limit=or_null(NUMBER),
        limit_remaining=or_null(NUMBER),
        is_free_tier=BOOLEAN,
        rate_limit=OBJECT,
    )
)
CREDITS = record(data=record(total_credits=NUMBER, total_usage=NUMBER))
GENERATION = record(
    data=record(
        id=STRING,
        created_at=STRING,
        model=STRING,
        provider_name=STRING,
        streamed=BOOLEAN,
        cancelled=BOOLEAN,
        finish_reason=or_null(STRING),
        latency=INTEGER,
        generation_time=INTEGER,
        tokens_prompt=INTEGER,
        tokens_completion=INTEGER,
        total_cost=NUMBER,
        usage=NUMBER,
    )
)
