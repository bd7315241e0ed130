"""A batch as clients see it: OpenAI's `Batch`."""

from typing import Any

from server.batches.record import BatchRecord, LineError, Status


def batch_object(record: BatchRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "object": "batch",
        "endpoint": record.endpoint,
        "model": record.model,
        "errors": _errors(record.errors),
        "input_file_id": record.input_file_id,
        "completion_window": record.completion_window,
        "status": record.status.value,
        "output_file_id": record.output_file_id,
        "error_file_id": record.error_file_id,
        "created_at": record.created_at,
        "expires_at": record.expires_at,
        **{
            f"{status.value}_at": record.entered.get(status)
            for status in Status
            if status is not Status.VALIDATING
        },
        "request_counts": {
            "total": record.total,
            "completed": record.completed,
            "failed": record.failed,
        },
        "usage": _usage(record),
        "metadata": record.metadata,
    }


def _errors(errors: tuple[LineError, ...]) -> dict[str, Any] | None:
    if not errors:
        return None
    data = [
        {"code": error.code, "line": error.line, "message": error.message, "param": error.param}
        for error in errors
    ]
    return {"object": "list", "data": data}


def _usage(record: BatchRecord) -> dict[str, Any]:
    """OpenAI's `BatchUsage`, of the lines that succeeded so far."""
    tokens = record.tokens
    return {
        "input_tokens": tokens.input_tokens,
        "input_tokens_details": {"cached_tokens": tokens.cached_tokens},
        "output_tokens": tokens.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": tokens.input_tokens + tokens.output_tokens,
    }
