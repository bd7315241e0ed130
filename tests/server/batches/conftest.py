"""A workshop over a storage of its own, whose lines are executed by a script."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from server.batches.job import Workshop
from server.batches.output import LineAnswer
from server.batches.record import TokenCounts
from server.storage.storage import Storage

ENDPOINT = "/v1/chat/completions"


class Executor:
    """Echoes each body with status 200 and records it; `script` may answer instead, or wait."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.num_running = 0
        self.most_running = 0
        self.script: Callable[[dict[str, Any]], Awaitable[int]] | None = None

    async def execute(self, endpoint: str, body: dict[str, Any], client: str) -> LineAnswer:
        self.bodies.append(body)
        self.num_running += 1
        self.most_running = max(self.most_running, self.num_running)
        try:
            await asyncio.sleep(0)
            status = 200 if self.script is None else await self.script(body)
        finally:
            self.num_running -= 1
        return LineAnswer(
            status=status,
            request_id="req_1",
            body={"echo": body, "endpoint": endpoint, "client": client},
            tokens=TokenCounts(input_tokens=5, output_tokens=2),
        )

    @property
    def numbers(self) -> list[int]:
        return [body["number"] for body in self.bodies]


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncIterator[Storage]:
    storage = Storage(tmp_path / "storage.sqlite3", 64 * 2**20, keep_seconds=3600)
    yield storage
    await storage.close()


@pytest.fixture
def executor() -> Executor:
    return Executor()


@pytest.fixture
def workshop(storage: Storage, executor: Executor) -> Workshop:
    return Workshop(
        files=storage.files,
        batches=storage.batches,
        execute=executor.execute,
        slots=asyncio.Semaphore(3),
        model_names=("m",),
        max_line_bytes=4096,
        keep_seconds=3600,
    )
