"""The body of POST /v2/{endpoint}/run and /runsync: the job around the input of the model."""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from server.openai.request_model import RequestBody, RequestModel

MIN_EXECUTION_MS, MAX_POLICY_MS = 5_000, 7 * 24 * 3_600_000
MIN_TTL_MS = 10_000
DEFAULT_EXECUTION_MS = 600_000
DEFAULT_TTL_MS = 24 * 3_600_000


class Policy(RequestModel):
    """`lowPriority`: all others go first, as no further worker is started for such a job."""

    executionTimeout: int | None = Field(None, ge=MIN_EXECUTION_MS, le=MAX_POLICY_MS)
    ttl: int | None = Field(None, ge=MIN_TTL_MS, le=MAX_POLICY_MS)
    lowPriority: bool | None = None

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

    input: dict[str, Any]
    policy: Policy = Policy()

    def unknown_fields(self) -> list[str]:
        in_policy = [f"policy.{name}" for name in self.policy.unknown_fields()]
        return [*super().unknown_fields(), *in_policy]
