"""The errors that a route may answer with, as its OpenAPI document tells them: status and shape."""

from collections.abc import Iterator
from typing import Any

from starlette.routing import BaseRoute

from kernels.errors import GraniteError
from server.error_responses import PLAIN_ERROR, ErrorNotes, ShapedRoute
from server.errors import ApiError, BadRequest, ErrorReply, InvalidApiKey, NotFound, shape_of
from server.json_shapes import Schema, either
from server.route_notes import BODY_ERRORS, FRAME_ERRORS, JSON, Errors, RouteNotes

_PLAIN = ErrorNotes(PLAIN_ERROR, lambda reply: reply.status)


def error_replies(route: BaseRoute, notes: RouteNotes, *, is_guarded: bool) -> dict[str, Any]:
    """By status: which codes it stands for, and the shapes of its body."""
    takes_body = bool(notes.body) or notes.form is not None
    own: Errors = (BadRequest, *notes.errors, GraniteError)
    own += BODY_ERRORS if takes_body else ()
    own += (InvalidApiKey,) if is_guarded else ()
    dialect = _notes(route)
    told = _Told()
    frame: Errors = (*FRAME_ERRORS, NotFound) if _has_parameters(route) else FRAME_ERRORS
    for status, code in _outlines(frame, _PLAIN):
        told.add(status, code, PLAIN_ERROR)
    for status, code in _outlines(own, dialect):
        told.add(status, code, dialect.schema)
    for status, other in notes.others.items():
        told.add(status, None, other)
    return told.replies()


def _notes(route: BaseRoute) -> ErrorNotes:
    return route.errors if isinstance(route, ShapedRoute) else _PLAIN


def _has_parameters(route: BaseRoute) -> bool:
    """Whether a path can look like the route's and still be none of its: a line break in it."""
    return "{" in getattr(route, "path", "")


def _outlines(kinds: Errors, notes: ErrorNotes) -> Iterator[tuple[int, str]]:
    for kind in kinds:
        outline = outline_of(kind)
        yield notes.status_of(outline), outline.code


def outline_of(kind: type[GraniteError]) -> ErrorReply:
    """What errors of a kind have in common as replies; of those without a shape, a bug's."""
    if issubclass(kind, ApiError):
        status, code = kind.status, kind.code
    else:
        known = shape_of(kind)
        status, code = known.status, known.code
    body = {"error": {"message": "", "type": "", "param": None, "code": code}}
    return ErrorReply(status, body, {})


class _Told:
    def __init__(self) -> None:
        self._codes: dict[int, dict[str, None]] = {}
        self._schemas: dict[int, list[Schema]] = {}

    def add(self, status: int, code: str | None, schema: Schema) -> None:
        codes = self._codes.setdefault(status, {})
        codes |= {} if code is None else {code: None}
        schemas = self._schemas.setdefault(status, [])
        if schema not in schemas:
            schemas.append(schema)

    def replies(self) -> dict[str, Any]:
        return {
            str(status): {
                "description": ", ".join(codes) or "see the body",
                "content": {JSON: {"schema": _any_of(self._schemas[status])}},
            }
            for status, codes in sorted(self._codes.items())
        }


def _any_of(schemas: list[Schema]) -> Schema:
    return schemas[0] if len(schemas) == 1 else either(*schemas)
