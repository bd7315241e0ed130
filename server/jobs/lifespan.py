"""Ends all jobs with the application that holds them."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from server.jobs.store import JobStore


def closing_jobs(store: JobStore) -> Callable[[Any], AbstractAsyncContextManager[None]]:
    """The lifespan of a router whose jobs are in `store`."""

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await store.close()

    return lifespan
