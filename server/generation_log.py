"""What is remembered of replies after their end, for lookups by id. Nothing of their text."""

from collections import OrderedDict
from dataclasses import dataclass

from server.events import EndReason, Usage

MAX_RECORDS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a caller said of itself, in headers or fields meant for that."""

    referer: str | None = None
    user_agent: str | None = None
    user: str | None = None
    session_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationRecord:
    """`created` is in seconds since 1970. `reason` is that of the first choice: None if it was
    cut off, by a failure or (`is_cancelled`) by the client.
    """

    id: str
    client: str
    created: int
    model: str
    usage: Usage
    seconds: float
    seconds_to_first_token: float | None
    is_streamed: bool
    is_cancelled: bool
    reason: EndReason | None
    origin: Origin


class GenerationLog:
    """The newest records; the oldest are forgotten."""

    def __init__(self, max_records: int = MAX_RECORDS) -> None:
        self._max_records = max_records
        self._records: OrderedDict[str, GenerationRecord] = OrderedDict()

    def add(self, record: GenerationRecord) -> None:
        self._records[record.id] = record
        while len(self._records) > self._max_records:
            self._records.popitem(last=False)

    def find(self, generation_id: str, client: str) -> GenerationRecord | None:
        """Only a client's own: to others its generations do not exist."""
        record = self._records.get(generation_id)
        return record if record is not None and record.client == client else None
