"""The body of POST /v1/batches."""

from typing import Annotated, Literal

from pydantic import StringConstraints

from server.openai.files.upload import check_expiry
from server.openai.metadata import Metadata
from server.openai.request_model import RequestBody, RequestModel

COMPLETION_WINDOW_SECONDS = 24 * 3600

FileId = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class ExpiresAfter(RequestModel):
    anchor: Literal["created_at"]
    seconds: int


class CreateBatch(RequestBody):
    input_file_id: FileId
    endpoint: Literal["/v1/chat/completions", "/v1/completions", "/v1/responses"]
    completion_window: Literal["24h"]
    metadata: Metadata | None = None
    output_expires_after: ExpiresAfter | None = None

    def check_combinations(self) -> None:
        if self.output_expires_after is not None:
            check_expiry(self.output_expires_after.seconds, "output_expires_after")

    @property
    def output_seconds(self) -> int | None:
        """How long the output files are to be kept, if the client cares."""
        return None if self.output_expires_after is None else self.output_expires_after.seconds
