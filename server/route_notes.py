"""What a route takes and gives beyond its signature, noted at its handler.

Handlers read their bodies and queries themselves; the OpenAPI document is made of these notes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel

from engine import errors as engine_errors
from kernels.errors import GraniteError
from server.errors import (
    BadRequest,
    BodyTooLarge,
    HeadersTooLarge,
    HostNotAllowed,
    ModelNotFound,
    NotFound,
    ShuttingDown,
    UnsupportedMediaType,
    UriTooLong,
)
from server.grammars.errors import CheckerGone
from server.json_shapes import ANYTHING, Schema
from server.storage.errors import StorageFull, StorageOff, StorageUnavailable

Errors = tuple[type[GraniteError], ...]

FRAME_ERRORS: Errors = (BadRequest, HostNotAllowed, UriTooLong, HeadersTooLarge, ShuttingDown)
"""What server.gate refuses before any route is asked."""
BODY_ERRORS: Errors = (BodyTooLarge, UnsupportedMediaType)
LOOKUP_ERRORS: Errors = (NotFound,)
LOADING_ERRORS: Errors = (engine_errors.EngineUnavailable,)
MODEL_ERRORS: Errors = (
    ModelNotFound,
    engine_errors.GrammarFailed,
    engine_errors.SlowReader,
    engine_errors.WorkerDied,
    engine_errors.NumericError,
    engine_errors.QueueFull,
    engine_errors.EngineUnavailable,
    engine_errors.QueueTimeout,
    engine_errors.OutOfMemory,
    engine_errors.DeadlineExceeded,
    CheckerGone,
)
STORAGE_ERRORS: Errors = (StorageOff, StorageUnavailable, StorageFull)

JSON = "application/json"
EVENTS = "text/event-stream"
FORM = "multipart/form-data"

_ATTRIBUTE = "route_notes"
Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Link:
    """A route that goes on with what was made: `parameter` is the id in the reply.

    `same` are parameters that it has in common with the route that made it.
    """

    path: str
    method: str
    parameter: str
    same: tuple[str, ...] = ()

    @property
    def parameters(self) -> dict[str, str]:
        same = {name: f"$request.path.{name}" for name in self.same}
        return {self.parameter: "$response.body#/id", **same}


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteNotes:
    """`body` is JSON that follows one of the models; `form` a schema, with binary files.

    `replies` has the schema of a success by its content type; that of EVENTS is of each event.
    `errors` are those of the route itself; those of the frame and of the key check need no note.
    `others` are bodies with further statuses. `needs` are parts of the query that must be there.
    """

    body: tuple[type[BaseModel], ...] = ()
    form: Schema | None = None
    query: Mapping[str, Schema] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    replies: Mapping[str, Schema] = field(default_factory=lambda: {JSON: ANYTHING})
    errors: Errors = ()
    others: Mapping[int, Schema] = field(default_factory=dict)
    links: Mapping[str, Link] = field(default_factory=dict)


def noted(notes: RouteNotes) -> Callable[[Handler], Handler]:
    """Puts the notes on a handler, where they follow it to every path that it serves."""

    def put(handler: Handler) -> Handler:
        setattr(handler, _ATTRIBUTE, notes)
        return handler

    return put


def notes_of(handler: Callable[..., Any]) -> RouteNotes | None:
    notes = getattr(handler, _ATTRIBUTE, None)
    return notes if isinstance(notes, RouteNotes) else None
