"""POST /run and POST /runsync: from the body of a request to a job at work."""

from collections.abc import Mapping

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse

from server.errors import BadRequest
from server.jobs.job import Job, Lifetime
from server.jobs.store import JobStore
from server.json_body import read_json_object
from server.openai.request_body import IGNORED_FIELDS_HEADER, check_body
from server.question import Question
from server.route_notes import JSON, MODEL_ERRORS, RouteNotes, noted
from server.runpod.errors import new_job_id
from server.runpod.job_input import JobInput
from server.runpod.job_request import JobRequest
from server.runpod.job_routes import JOB_LINKS, WAIT, JobRoutes, wait_seconds
from server.runpod.job_view import brief
from server.runpod.launcher import Assignment, Launcher
from server.runpod.reply_shapes import BRIEF, WHOLE
from server.runpod.sampling_fields import DEFAULT_MAX_TOKENS, SamplingFields
from server.security import client_of
from server.services import Services
from server.template_view import num_characters

KEPT_SECONDS = 30 * 60.0
SYNC_KEPT_SECONDS = 60.0


class SubmitRoutes:
    def __init__(
        self, services: Services, store: JobStore, launcher: Launcher, jobs: JobRoutes
    ) -> None:
        self._services = services
        self._store = store
        self._launcher = launcher
        self._jobs = jobs

    @noted(
        RouteNotes(body=(JobRequest,), replies={JSON: BRIEF}, errors=MODEL_ERRORS, links=JOB_LINKS)
    )
    async def run(self, request: Request, endpoint: str) -> JSONResponse:
        job, headers = await self._submit(request, endpoint, new_job_id(), KEPT_SECONDS)
        return JSONResponse(brief(job), headers=headers)

    @noted(
        RouteNotes(
            body=(JobRequest,),
            query=WAIT,
            replies={JSON: WHOLE},
            errors=MODEL_ERRORS,
            links=JOB_LINKS,
        )
    )
    async def run_sync(self, request: Request, endpoint: str) -> JSONResponse:
        """Whoever goes away has not learnt the id, so the job ends too."""
        wait_seconds(request)
        job, headers = await self._submit(request, endpoint, new_job_id("sync-"), SYNC_KEPT_SECONDS)
        try:
            told = await self._jobs.told_when_ended(request, job)
        except ClientDisconnect:
            self._store.remove(job)
            raise
        told.headers.update(headers)
        return told

    async def _submit(
        self, request: Request, endpoint: str, job_id: str, kept: float
    ) -> tuple[Job, dict[str, str]]:
        body = await read_json_object(request, self._services.settings.max_body_bytes)
        parsed = check_body(JobRequest, body, self._services)
        assignment, headers = self._assignment(parsed.request)
        job = Job(
            job_id=job_id,
            owner=client_of(request),
            place=endpoint,
            input_bytes=2 * num_characters(body["input"]),
            lifetime=Lifetime(kept=kept, total=parsed.request.limits.total_seconds),
        )
        self._store.add(job)
        try:
            await self._launcher.launch(job, assignment)
        except Exception:
            self._store.remove(job)
            raise
        return job, _joined(parsed.headers, headers)

    def _assignment(self, wanted: JobRequest) -> tuple[Assignment, dict[str, str]]:
        """Raises BadRequest for a field of the input that is wrong."""
        asked = check_body(JobInput, wanted.input, self._services)
        given = asked.request
        sampled = check_body(SamplingFields, given.sampling_params or {}, self._services)
        sampling = sampled.request
        if given.stream and sampling.num_candidates > sampling.num_shown:
            raise BadRequest("best_of more than n is not available in a stream", "best_of")
        form, form_field = sampling.form
        question = Question(
            prompts=[given.neutral_prompt()],
            prompt_field=given.prompt_field,
            wanted_tokens=sampling.max_tokens,
            default_tokens=DEFAULT_MAX_TOKENS,
            sampling=sampling.wishes(),
            stops=sampling.stop or (),
            num_choices=sampling.num_candidates,
            form=form,
            form_field=form_field,
            is_background=bool(wanted.limits.lowPriority),
        )
        assignment = Assignment(
            question=question,
            num_shown=sampling.num_shown,
            batching=given.batching,
            execution_seconds=wanted.limits.execution_seconds,
        )
        return assignment, _joined(asked.headers, sampled.headers)


def _joined(*headers: Mapping[str, str]) -> dict[str, str]:
    """Names of ignored fields of all parts."""
    names = [each[IGNORED_FIELDS_HEADER] for each in headers if each]
    return {IGNORED_FIELDS_HEADER: ", ".join(names)} if names else {}
