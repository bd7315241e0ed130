"""What the replies of RunPod's dialect look like, for the OpenAPI document."""

from server.json_shapes import (
    INTEGER,
    NUMBER,
    STRING,
    always,
    list_of,
    one_of,
    record,
)

ERROR = record("RunPodError", error=STRING)
_STATUS = one_of("IN_QUEUE", "IN_PROGRESS", "COMPLETED", "FAILED", "CANCELLED", "TIMED_OUT")
_OUTPUT = record(
    choices=list_of(record(tokens=list_of(STRING))),
    cost=NUMBER,
    usage=record(input=INTEGER, output=INTEGER),
)
BRIEF = record("Job", id=STRING, status=_STATUS)
WHOLE = {
    **BRIEF,
    "title": "WholeJob",
    "properties": {
        **BRIEF["properties"],
        "delayTime": INTEGER,
        "executionTime": INTEGER,
        "workerId": STRING,
        "output": list_of(_OUTPUT),
        "error": STRING,
    },
}
NEWS = record(id=STRING, status=_STATUS, stream=list_of(record(output=_OUTPUT)))
PURGED = record(removed=INTEGER, status=always("completed"))
HEALTH = record(
    jobs=record(
        completed=INTEGER, failed=INTEGER, inProgress=INTEGER, inQueue=INTEGER, retried=INTEGER
    ),
    workers=record(idle=INTEGER, initializing=INTEGER, ready=INTEGER, running=INTEGER),
)
