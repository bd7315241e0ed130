"""What becomes of one line of a batch: an answer, and the line of the output that tells it."""

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from pydantic_core import to_json

from server.batches.input_file import BatchLine
from server.batches.record import BatchRecord, LineResult, TokenCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class LineAnswer:
    """What the endpoint would have replied over HTTP."""

    status: int
    request_id: str
    body: dict[str, Any]
    tokens: TokenCounts = field(default_factory=TokenCounts)


Execute = Callable[[str, dict[str, Any], str], Awaitable[LineAnswer]]
"""Takes an endpoint, the body for it and the fairness key of the batch's owner. Raises nothing."""


def answered(line: BatchLine, answer: LineAnswer) -> LineResult:
    response = {
        "status_code": answer.status,
        "request_id": answer.request_id,
        "body": answer.body,
    }
    is_success = answer.status == HTTPStatus.OK
    return _result(line, response, None, is_success=is_success, tokens=answer.tokens)


def not_executed(line: BatchLine, *, is_late: bool) -> LineResult:
    """The line of a batch that ended before its turn: by the clock, or by its owner."""
    if is_late:
        code, message = "batch_expired", "The completion window ended before this request's turn"
    else:
        code, message = "batch_cancelled", "The batch was cancelled before this request's turn"
    return _result(line, None, {"code": code, "message": message}, is_success=False)


def _result(
    line: BatchLine,
    response: dict[str, Any] | None,
    error: dict[str, Any] | None,
    *,
    is_success: bool,
    tokens: TokenCounts | None = None,
) -> LineResult:
    output = {
        "id": f"batch_req_{secrets.token_hex(12)}",
        "custom_id": line.custom_id,
        "response": response,
        "error": error,
    }
    return LineResult(
        line=line.number,
        is_success=is_success,
        output=to_json(output) + b"\n",
        tokens=tokens or TokenCounts(),
    )


def output_file_id(record: BatchRecord, *, successes: bool) -> str:
    """The same whenever it is asked for, so that a file begun before a restart is found again."""
    kind = "output" if successes else "errors"
    return f"file-{hashlib.sha256(f'{record.id} {kind}'.encode()).hexdigest()[:24]}"
