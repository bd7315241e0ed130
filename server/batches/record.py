"""What is known of a batch, and how it gets from one state to the next. Pure: no clock, no I/O.

validating -> in_progress -> finalizing -> completed, or expired
    |              '-> cancelling -> cancelled
    '-> failed, or cancelling, or finalizing
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import msgspec

from kernels.errors import GraniteError


class InvalidTransition(GraniteError):
    """The batch is in a state from which the wanted one cannot be reached."""


class Status(StrEnum):
    VALIDATING = "validating"
    FAILED = "failed"
    IN_PROGRESS = "in_progress"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    EXPIRED = "expired"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"


OPEN = frozenset({Status.VALIDATING, Status.IN_PROGRESS, Status.FINALIZING, Status.CANCELLING})
_FROM: dict[Status, set[Status]] = {
    Status.VALIDATING: set(),
    Status.IN_PROGRESS: {Status.VALIDATING},
    Status.FAILED: {Status.VALIDATING},
    Status.FINALIZING: {Status.VALIDATING, Status.IN_PROGRESS},
    Status.CANCELLING: {Status.VALIDATING, Status.IN_PROGRESS},
    Status.COMPLETED: {Status.FINALIZING},
    Status.EXPIRED: {Status.FINALIZING},
    Status.CANCELLED: {Status.CANCELLING},
}


class LineError(msgspec.Struct, frozen=True, kw_only=True):
    """Why the input file cannot be processed. `line` counts from 1."""

    code: str
    message: str
    line: int | None = None
    param: str | None = None


class TokenCounts(msgspec.Struct, frozen=True, kw_only=True):
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: "TokenCounts") -> "TokenCounts":
        return TokenCounts(
            input_tokens=self.input_tokens + other.input_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
        )


class LineResult(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one line. `line` counts from 1; `output` is the line of the output file."""

    line: int
    is_success: bool
    output: bytes
    tokens: TokenCounts = TokenCounts()


class BatchRecord(msgspec.Struct, frozen=True, kw_only=True):
    """Times are in whole seconds since 1970; `entered` has one for each state but the first.

    `output_seconds` is how long the output files are to be kept; None: as long as any batch.
    `is_late`: the completion window ended before all lines were done.
    """

    id: str
    owner: str
    endpoint: str
    input_file_id: str
    completion_window: str
    created_at: int
    expires_at: int
    metadata: dict[str, str] | None = None
    output_seconds: int | None = None
    status: Status = Status.VALIDATING
    entered: dict[Status, int] = {}
    model: str | None = None
    is_late: bool = False
    total: int = 0
    completed: int = 0
    failed: int = 0
    tokens: TokenCounts = TokenCounts()
    errors: tuple[LineError, ...] = ()
    output_file_id: str | None = None
    error_file_id: str | None = None

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    def counting(self, results: Sequence[LineResult]) -> "BatchRecord":
        successes = sum(result.is_success for result in results)
        return msgspec.structs.replace(
            self,
            completed=self.completed + successes,
            failed=self.failed + len(results) - successes,
            tokens=sum((result.tokens for result in results), self.tokens),
        )

    def entering(self, status: Status, now: int, **changes: Any) -> "BatchRecord":
        """The batch in another state, with those fields changed too.

        Raises:
            InvalidTransition
        """
        if self.status not in _FROM[status]:
            raise InvalidTransition(f"a batch that is {self.status} cannot become {status}")
        entered = {**self.entered, status: now}
        return msgspec.structs.replace(self, status=status, entered=entered, **changes)
