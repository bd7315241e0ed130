"""Makes batches and reads what became of them."""

import json
import time
from typing import Any

from server.batches.record import BatchRecord
from server.storage.storage import Storage
from tests.server.batches.conftest import ENDPOINT
from tests.server.storage.samples import ALICE, batch, file, pieces, read


def line(number: int, **changes: Any) -> dict[str, Any]:
    body = {"model": "m", "number": number}
    return {"custom_id": f"c{number}", "method": "POST", "url": ENDPOINT, "body": body, **changes}


def jsonl(*lines: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


async def new_batch(
    storage: Storage, content: bytes, batch_id: str = "batch_1", owner: str = ALICE, **fields: Any
) -> BatchRecord:
    file_id = f"file-{batch_id}"
    await storage.files.create(file(file_id, owner), pieces(content))
    record = batch(batch_id, owner, input_file_id=file_id, **fields)
    await storage.batches.create(record, int(time.time()) + 3600)
    return record


async def found(storage: Storage, batch_id: str = "batch_1", owner: str = ALICE) -> BatchRecord:
    record = await storage.batches.find(owner, batch_id)
    assert record is not None
    return record


async def outputs(
    storage: Storage, file_id: str | None, owner: str = ALICE
) -> list[dict[str, Any]]:
    assert file_id is not None
    content = await read(storage.files.read(owner, file_id))
    return [json.loads(row) for row in content.splitlines()]
