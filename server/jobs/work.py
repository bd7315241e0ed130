"""Lets a job's work go on beside the requests, and notes how it ended. Knows no dialect."""

import asyncio
from collections.abc import Awaitable, Callable

from engine.errors import DeadlineExceeded
from server.error_responses import failure
from server.jobs.job import Job, JobState
from server.metrics import Metrics


def begin(
    job: Job, work: Callable[[], Awaitable[None]], release: Callable[[], None], metrics: Metrics
) -> None:
    """Start `work`. `release` gives back what it holds, even if it never came to its first line."""
    job.begin(_carry_out(job, work, metrics), release)


async def _carry_out(job: Job, work: Callable[[], Awaitable[None]], metrics: Metrics) -> None:
    try:
        await work()
    except asyncio.CancelledError:
        job.end(JobState.CANCELLED)
        raise
    except (TimeoutError, DeadlineExceeded) as error:
        late = error if isinstance(error, DeadlineExceeded) else DeadlineExceeded("job timed out")
        job.end(JobState.TIMED_OUT, failure(late, metrics))
    except Exception as error:  # whoever asks for the job is told, in words fit for clients
        job.end(JobState.FAILED, failure(error, metrics))
    else:
        job.end(JobState.COMPLETED)
