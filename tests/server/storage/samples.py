"""Objects to keep, and what it takes to keep them."""

import time
from collections.abc import AsyncIterator
from typing import Any

from server.batches.record import BatchRecord, LineResult, TokenCounts
from server.storage.files import NewFile
from server.storage.responses import StoredResponse

NOW = int(time.time())
ALICE, BOB = "alice", "bob"


def file(file_id: str, owner: str = ALICE, **fields: Any) -> NewFile:
    values = {"filename": "f.jsonl", "purpose": "batch", "expires_at": NOW + 3600, **fields}
    return NewFile(id=file_id, owner=owner, **values)


async def pieces(*texts: bytes) -> AsyncIterator[bytes]:
    for text in texts:
        yield text


async def read(content: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in content])


def batch(batch_id: str, owner: str = ALICE, **fields: Any) -> BatchRecord:
    values: dict[str, Any] = {
        "endpoint": "/v1/chat/completions",
        "input_file_id": "file-1",
        "completion_window": "24h",
        "created_at": NOW,
        "expires_at": NOW + 3600,
        **fields,
    }
    return BatchRecord(id=batch_id, owner=owner, **values)


def result(line: int, *, is_success: bool = True) -> LineResult:
    tokens = TokenCounts(input_tokens=3, output_tokens=2)
    output = f"line {line}\n".encode()
    return LineResult(line=line, is_success=is_success, output=output, tokens=tokens)


def response(response_id: str, owner: str = ALICE, **fields: Any) -> StoredResponse:
    values: dict[str, Any] = {
        "previous": None,
        "is_open": False,
        "input_items": [{"type": "message", "role": "user", "content": "hi"}],
        "document": {"id": response_id, "status": "completed"},
        **fields,
    }
    return StoredResponse(id=response_id, owner=owner, **values)
