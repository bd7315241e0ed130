"""What the replies of the OpenAI dialect look like, for the OpenAPI document."""

from server.json_shapes import (
    BOOLEAN,
    INTEGER,
    NUMBER,
    OBJECT,
    STRING,
    Schema,
    always,
    list_of,
    one_of,
    or_null,
    record,
    told,
)

TIME = told(INTEGER, "seconds since 1970")
LATER = or_null(TIME)
_COUNTS = record(prompt_tokens=INTEGER, completion_tokens=INTEGER, total_tokens=INTEGER)
_LOGPROBS = or_null(OBJECT)


def _reply(title: str, kind: str, choice: Schema) -> Schema:
    return record(
        title,
        id=STRING,
        object=always(kind),
        created=TIME,
        model=STRING,
        system_fingerprint=STRING,
        choices=list_of(choice),
        usage=_COUNTS,
    )


_MESSAGE = record(role=always("assistant"), content=or_null(STRING), refusal=or_null(STRING))
CHAT_COMPLETION = _reply(
    "ChatCompletion",
    "chat.completion",
    record(
        index=INTEGER,
        message=_MESSAGE,
        logprobs=_LOGPROBS,
        finish_reason=one_of("stop", "length", "tool_calls", "function_call"),
    ),
)
COMPLETION = _reply(
    "Completion",
    "text_completion",
    record(index=INTEGER, text=STRING, logprobs=_LOGPROBS, finish_reason=one_of("stop", "length")),
)
MODEL = record(
    "Model",
    id=STRING,
    object=always("model"),
    created=TIME,
    owned_by=STRING,
    max_model_len=or_null(INTEGER),
    context_length=or_null(INTEGER),
    pricing=OBJECT,
    supported_parameters=list_of(STRING),
)
MODELS = record("Models", object=always("list"), data=list_of(MODEL))
TOKENS = record("Tokens", count=INTEGER, max_model_len=INTEGER, tokens=list_of(INTEGER))
PROMPT = record("Prompt", prompt=STRING)
FILE = record(
    "File",
    id=STRING,
    object=always("file"),
    bytes=INTEGER,
    created_at=TIME,
    expires_at=LATER,
    filename=STRING,
    purpose=STRING,
    status=always("processed"),
)
BATCH = record(
    "Batch",
    id=STRING,
    object=always("batch"),
    endpoint=STRING,
    errors=or_null(OBJECT),
    input_file_id=STRING,
    completion_window=STRING,
    status=one_of(
        *("validating", "failed", "in_progress", "finalizing", "completed", "expired"),
        *("cancelling", "cancelled"),
    ),
    output_file_id=or_null(STRING),
    error_file_id=or_null(STRING),
    created_at=TIME,
    expires_at=TIME,
    request_counts=record(total=INTEGER, completed=INTEGER, failed=INTEGER),
    metadata=or_null(OBJECT),
)
RESPONSE = record(
    "Response",
    id=STRING,
    object=always("response"),
    created_at=TIME,
    status=one_of("queued", "in_progress", "completed", "incomplete", "failed", "cancelled"),
    error=or_null(OBJECT),
    incomplete_details=or_null(OBJECT),
    model=STRING,
    output=list_of(record(id=STRING, type=STRING, status=STRING)),
    usage=or_null(record(input_tokens=INTEGER, output_tokens=INTEGER, total_tokens=INTEGER)),
    previous_response_id=or_null(STRING),
    store=BOOLEAN,
    temperature=NUMBER,
    top_p=NUMBER,
)
INPUT_TOKENS = record("InputTokens", object=always("response.input_tokens"), input_tokens=INTEGER)
ITEM = record(id=STRING, type=STRING)


def page_of(title: str, item: Schema) -> Schema:
    return record(
        title,
        object=always("list"),
        data=list_of(item),
        first_id=or_null(STRING),
        last_id=or_null(STRING),
        has_more=BOOLEAN,
    )


def deleted(title: str, kind: str) -> Schema:
    return record(title, id=STRING, object=always(kind), deleted=always(True))


EVENT: Schema = {
    **record(data=told(STRING, "JSON, or `[DONE]` at the end")),
    "description": "each event of the stream",
}
BYTES: Schema = {"type": "string", "format": "binary"}
