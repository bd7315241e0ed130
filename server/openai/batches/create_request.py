"""The body of POST /v1/batches."""

from typing import Annotated, Literal

from pydantic import StringConstraints, WithJsonSchema

from server.field_notes import does
from server.json_shapes import whole_number
from server.openai.files.upload import MAX_EXPIRY_SECONDS, MIN_EXPIRY_SECONDS, check_expiry
from server.openai.metadata import Metadata
from server.openai.request_model import RequestBody, RequestModel

COMPLETION_WINDOW_SECONDS = 24 * 3600

FileId = Annotated[str, StringConstraints(min_length=1, max_length=128)]


class ExpiresAfter(RequestModel):
    anchor: Annotated[Literal["created_at"], does("from when on the seconds count")]
    seconds: Annotated[
        int,
        WithJsonSchema(whole_number(MIN_EXPIRY_SECONDS, MAX_EXPIRY_SECONDS, "how long after")),
        does("how long after"),
    ]


class CreateBatch(RequestBody):
    input_file_id: Annotated[FileId, does("an uploaded file with the purpose `batch`")]
    endpoint: Annotated[
        Literal["/v1/chat/completions", "/v1/completions", "/v1/responses"],
        does("what answers each line"),
    ]
    completion_window: Annotated[Literal["24h"], does("what is not done then is in the error file")]
    metadata: Annotated[Metadata | None, does("the client's own notes, kept with the batch")] = None
    output_expires_after: Annotated[
        ExpiresAfter | None,
        does("when the output files are deleted", otherwise="after `--storage-days`"),
    ] = None

    def check_combinations(self) -> None:
        if self.output_expires_after is not None:
            check_expiry(self.output_expires_after.seconds, "output_expires_after")

    @property
    def output_seconds(self) -> int | None:
        """How long the output files are to be kept, if the client cares."""
        return None if self.output_expires_after is None else self.output_expires_after.seconds
