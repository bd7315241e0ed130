"""The body of POST /v2/{endpoint}/run and /runsync: the job around the input of the model."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field

from server.field_notes import SchemaOf, does
from server.openai.request_model import RequestBody, RequestModel
from server.runpod.job_input import JobInput

MIN_EXECUTION_MS, MAX_POLICY_MS = 5_000, 7 * 24 * 3_600_000
MIN_TTL_MS = 10_000
DEFAULT_EXECUTION_MS = 600_000
DEFAULT_TTL_MS = 24 * 3_600_000


class Policy(RequestModel):
    """`lowPriority`: all others go first, as no further worker is started for such a job."""

    executionTimeout: Annotated[
        int | None,
        Field(ge=MIN_EXECUTION_MS, le=MAX_POLICY_MS),
        does("ms after which a running job is `TIMED_OUT`", default=DEFAULT_EXECUTION_MS),
    ] = None
    ttl: Annotated[
        int | None,
        Field(ge=MIN_TTL_MS, le=MAX_POLICY_MS),
        does("ms after which a job is forgotten, whatever its state", default=DEFAULT_TTL_MS),
    ] = None
    lowPriority: Annotated[bool | None, does("all other requests go first", default=False)] = None

    @property
    def execution_seconds(self) -> float:
        """The longest that a job may be worked on."""
        return (self.executionTimeout or DEFAULT_EXECUTION_MS) / 1000

    @property
    def total_seconds(self) -> float:
        """From its arrival until a job is forgotten, whatever has become of it."""
        return (self.ttl or DEFAULT_TTL_MS) / 1000


class JobRequest(RequestBody):
    """Nothing here calls out: neither webhooks nor buckets."""

    refused_fields: ClassVar[Mapping[str, tuple[object, ...]]] = {
        "s3Config": ({},),
        "webhook": ("",),
        "webhookV2": ("",),
    }

    input: Annotated[dict[str, Any], SchemaOf(JobInput), does("what the model is asked")]
    policy: Annotated[Policy | None, does("how long the job may take")] = None

    @property
    def limits(self) -> Policy:
        return self.policy or Policy()
