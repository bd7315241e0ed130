"""A database in a file of its own for each test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.storage.storage import Storage

MAX_BYTES = 8 * 2**20


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "storage.sqlite3"


@pytest.fixture
async def storage(path: Path) -> AsyncIterator[Storage]:
    storage = Storage(path, MAX_BYTES, keep_seconds=3600)
    yield storage
    await storage.close()
