"""What the replies of Workers AI's dialect look like, for the OpenAPI document."""

from server.json_shapes import (
    INTEGER,
    NULL,
    OBJECT,
    STRING,
    Schema,
    always,
    either,
    list_of,
    one_of,
    record,
)

_NOTES = list_of(record(code=INTEGER, message=STRING))
_COUNTS = record(prompt_tokens=INTEGER, completion_tokens=INTEGER, total_tokens=INTEGER)

ERROR = record("WorkersError", result=NULL, success=always(False), errors=_NOTES, messages=_NOTES)
_TEXT = record(
    id=STRING,
    object=one_of("chat.completion", "text_completion"),
    created=INTEGER,
    model=STRING,
    choices=list_of(OBJECT),
    usage=_COUNTS,
    response={},
)
_DONE = record(responses=list_of(record(id=INTEGER, result={}, success={})), usage=_COUNTS)
_QUEUED = record(status=one_of("queued", "running", "failed"), request_id=STRING, model=STRING)


def _envelope(result: Schema) -> Schema:
    return record(
        "WorkersResult", result=result, success=always(True), errors=_NOTES, messages=_NOTES
    )


RESULT = _envelope(either(_TEXT, _DONE, _QUEUED))
