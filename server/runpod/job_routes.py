"""POST /run, /runsync, /retry, /cancel, /purge-queue and GET /status, /stream, /health of a job."""

import secrets
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import JSONResponse

from engine.interface import EngineState
from server.disconnect import while_connected
from server.errors import BadRequest, NotFound, shown
from server.jobs.job import Job, JobState
from server.jobs.store import JobStore
from server.json_shapes import whole_number
from server.route_notes import JSON, LOOKUP_ERRORS, MODEL_ERRORS, Link, RouteNotes, noted
from server.runpod import reply_shapes
from server.runpod.job_view import brief, news, whole
from server.runpod.milliseconds import seconds_of
from server.security import client_of
from server.services import Services

DEFAULT_WAIT_MS = 90_000
MIN_WAIT_MS, MAX_WAIT_MS = 1_000, 300_000
MAX_TTL_MS = 7 * 24 * 3_600_000
STREAM_WAIT_SECONDS = 1.0
"""How long an answer to /stream waits for news, so that clients without a pause do not spin."""


WAIT = {"wait": whole_number(MIN_WAIT_MS, MAX_WAIT_MS, "ms to wait for the end", DEFAULT_WAIT_MS)}
_TTL = {"ttl": whole_number(1, MAX_TTL_MS, "ms after which the job is forgotten")}
JOB_LINKS = {
    name: Link(f"/v2/{{endpoint}}/{path}/{{job_id}}", method, "job_id", same=("endpoint",))
    for name, path, method in (
        ("status", "status", "get"),
        ("end", "status-sync", "get"),
        ("news", "stream", "get"),
        ("cancellation", "cancel", "post"),
        ("retry", "retry", "post"),
    )
}
_WHOLE = RouteNotes(replies={JSON: reply_shapes.WHOLE}, errors=LOOKUP_ERRORS)


class JobRoutes:
    """Jobs are their owner's, at the endpoint at which they were made. Any endpoint is this one."""

    def __init__(self, services: Services, store: JobStore) -> None:
        self._engine = services.engine
        self._store = store
        self.worker_id = secrets.token_hex(7)

    @noted(replace(_WHOLE, query=_TTL))
    async def status(self, request: Request, endpoint: str, job_id: str) -> JSONResponse:
        job = self._job(request, endpoint, job_id)
        ttl = seconds_of(request, "ttl", 1, MAX_TTL_MS)
        if ttl is not None:
            job.keep_for(ttl)
        return JSONResponse(whole(job, self.worker_id))

    @noted(replace(_WHOLE, query=WAIT))
    async def status_sync(self, request: Request, endpoint: str, job_id: str) -> JSONResponse:
        """As `status`, but waits for the end."""
        job = self._job(request, endpoint, job_id)
        return await self.told_when_ended(request, job)

    async def told_when_ended(self, request: Request, job: Job) -> JSONResponse:
        """The job as it is at its end, or when the time that the caller would wait is over.

        Raises:
            BadRequest: `wait` is out of its range.
            ClientDisconnect: nobody waits any more.
        """
        wait = wait_seconds(request)
        await while_connected(request.receive, job.wait_until(lambda job: job.has_ended, wait))
        return JSONResponse(whole(job, self.worker_id))

    @noted(RouteNotes(replies={JSON: reply_shapes.NEWS}, errors=LOOKUP_ERRORS))
    async def stream(self, request: Request, endpoint: str, job_id: str) -> JSONResponse:
        job = self._job(request, endpoint, job_id)
        await job.wait_until(lambda job: job.has_news or job.has_ended, STREAM_WAIT_SECONDS)
        return JSONResponse(news(job))

    @noted(RouteNotes(replies={JSON: reply_shapes.BRIEF}, errors=LOOKUP_ERRORS))
    async def cancel(self, request: Request, endpoint: str, job_id: str) -> JSONResponse:
        """A job that has ended stays as it is."""
        job = self._job(request, endpoint, job_id)
        job.cancel()
        return JSONResponse(brief(job))

    @noted(RouteNotes(replies={JSON: reply_shapes.BRIEF}, errors=(*LOOKUP_ERRORS, *MODEL_ERRORS)))
    async def retry(self, request: Request, endpoint: str, job_id: str) -> JSONResponse:
        job = self._job(request, endpoint, job_id)
        if job.repeat is None or not job.has_ended:
            raise BadRequest("only a job that has failed or timed out can be retried")
        await job.repeat()
        return JSONResponse(brief(job))

    @noted(RouteNotes(replies={JSON: reply_shapes.PURGED}))
    async def purge_queue(self, request: Request, endpoint: str) -> JSONResponse:
        """Jobs that have begun go on."""
        jobs = self._store.jobs(client_of(request), endpoint)
        waiting = [job for job in jobs if job.state is JobState.QUEUED]
        for job in waiting:
            self._store.remove(job)
        return JSONResponse({"removed": len(waiting), "status": "completed"})

    @noted(RouteNotes(replies={JSON: reply_shapes.HEALTH}))
    async def health(self, request: Request, endpoint: str) -> JSONResponse:
        """Counts the caller's jobs as far as they are kept."""
        jobs = self._store.jobs(client_of(request), endpoint)
        states = [job.state for job in jobs]
        told = {
            "completed": states.count(JobState.COMPLETED),
            "failed": states.count(JobState.FAILED) + states.count(JobState.TIMED_OUT),
            "inProgress": states.count(JobState.RUNNING),
            "inQueue": states.count(JobState.QUEUED),
            "retried": sum(max(0, job.num_attempts - 1) for job in jobs),
        }
        return JSONResponse({"jobs": told, "workers": self._workers()})

    def _workers(self) -> dict[str, int]:
        """There is one, in one of these states."""
        is_ready = self._engine.state is EngineState.READY
        is_busy = is_ready and self._engine.stats.running > 0
        is_loading = self._engine.state is EngineState.LOADING
        states: dict[str, bool] = {
            "idle": is_ready and not is_busy,
            "initializing": is_loading,
            "ready": is_ready,
            "running": is_busy,
            "throttled": False,
            "unhealthy": not (is_ready or is_loading),
        }
        return {name: int(is_so) for name, is_so in states.items()}

    def _job(self, request: Request, endpoint: str, job_id: str) -> Job:
        job = self._store.find(job_id, client_of(request), endpoint)
        if job is None:
            raise NotFound(f"There is no job {shown(job_id)}, or its result has expired")
        return job


def wait_seconds(request: Request) -> float:
    """Raises BadRequest if `wait` is no number of milliseconds in its range."""
    wait = seconds_of(request, "wait", MIN_WAIT_MS, MAX_WAIT_MS)
    return DEFAULT_WAIT_MS / 1000 if wait is None else wait
