"""What the replies of Anthropic's dialect look like, for the OpenAPI document."""

from server.json_shapes import (
    INTEGER,
    STRING,
    Schema,
    always,
    list_of,
    one_of,
    or_null,
    record,
    told,
)

ERROR = record(
    "AnthropicError",
    type=always("error"),
    error=record(type=STRING, message=STRING),
    request_id=STRING,
)
MESSAGE = record(
    "AnthropicMessage",
    id=STRING,
    type=always("message"),
    role=always("assistant"),
    model=STRING,
    content=list_of(record(type=one_of("text", "tool_use"))),
    stop_reason=STRING,
    stop_sequence=or_null(STRING),
    usage=record(input_tokens=INTEGER, output_tokens=INTEGER),
)
INPUT_TOKENS = record("AnthropicInputTokens", input_tokens=INTEGER)
EVENT: Schema = {
    **record(event=STRING, data=told(STRING, "JSON, of which `type` is the name of the event")),
    "description": "each event of the stream",
}
