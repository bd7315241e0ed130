"""Every route of the server as one OpenAPI document, made of signatures, models and notes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from server.json_shapes import INTEGER, STRING, Schema, either
from server.openapi_errors import error_replies
from server.route_notes import EVENTS, FORM, JSON, Link, RouteNotes, notes_of
from server.security import KeyCheck
from server.version import PROGRAM, VERSION

Json = dict[str, Any]
REFERENCE = "#/components/schemas/"
KEY = "ApiKey"
_IGNORED = {"description": "fields of the body that nobody knows", "schema": STRING}
_LATER = {"description": "seconds after which to ask again", "schema": INTEGER}


@dataclass(frozen=True, slots=True)
class _Route:
    path: str
    methods: frozenset[str]
    notes: RouteNotes
    original: APIRoute
    is_guarded: bool


def openapi_document(app: FastAPI, *, needs_key: bool) -> Json:
    """What FastAPI knows of the routes, and what their notes say of bodies, queries and replies."""
    document = get_openapi(title=PROGRAM, version=VERSION, routes=app.routes)
    routes = list(_routes_of(app))
    models = _Models(model for route in routes for model in route.notes.body)
    paths: Json = document["paths"]
    for route in routes:
        for method in route.methods:
            operation = paths[route.path][method]
            _tell(operation, route, models)
            if route.is_guarded and needs_key:
                operation["security"] = [{KEY: []}]
    shapes = _Shapes()
    document["paths"] = shapes.named(paths)
    document["components"] = {"schemas": {**models.definitions, **shapes.definitions}}
    if needs_key:
        document["components"]["securitySchemes"] = {KEY: {"type": "http", "scheme": "bearer"}}
    return document


def _routes_of(app: FastAPI) -> Iterator[_Route]:
    for context in iter_route_contexts(app.routes):
        original, path, handler = context.original_route, context.path_format, context.endpoint
        if not context.include_in_schema:
            continue
        if isinstance(original, APIRoute) and path is not None and handler is not None:
            yield _Route(
                path=path,
                methods=frozenset(method.lower() for method in context.methods or ()),
                notes=notes_of(handler) or RouteNotes(),
                original=original,
                is_guarded=any(
                    isinstance(each.dependency, KeyCheck) for each in context.dependencies
                ),
            )


def _tell(operation: Json, route: _Route, models: "_Models") -> None:
    notes = route.notes
    taken = {JSON: models.any_of(notes.body)} if notes.body else {}
    taken |= {FORM: notes.form} if notes.form is not None else {}
    if taken:
        operation["requestBody"] = {"required": True, "content": _content(taken)}
    if notes.query:
        operation["parameters"] = [*operation.get("parameters", ()), *_query(notes)]
    failures = error_replies(route.original, notes, is_guarded=route.is_guarded)
    for status in failures.keys() & {"429", "503"}:
        failures[status]["headers"] = {"Retry-After": _LATER}
    operation["responses"] = {"200": _success(notes), **failures}


def _success(notes: RouteNotes) -> Json:
    told: Json = {"description": "Success", "content": _content(notes.replies)}
    if notes.body:
        told["headers"] = {"x-ignored-fields": _IGNORED}
    if notes.links:
        told["links"] = {name: _link(link) for name, link in notes.links.items()}
    return told


def _link(link: Link) -> Json:
    pointer = link.path.replace("/", "~1")
    return {
        "operationRef": f"#/paths/{pointer}/{link.method}",
        "parameters": link.parameters,
    }


def _query(notes: RouteNotes) -> Iterator[Json]:
    for name, schema in notes.query.items():
        described = {"description": schema["description"]} if "description" in schema else {}
        is_needed = name in notes.needs
        yield {"name": name, "in": "query", "required": is_needed, "schema": schema, **described}


def _content(schemas: Mapping[str, Schema]) -> Json:
    return {
        media_type: {"itemSchema" if media_type == EVENTS else "schema": schema}
        for media_type, schema in schemas.items()
    }


class _Models:
    """The request models by reference, with names that are unique among them."""

    def __init__(self, models: Iterable[type[BaseModel]]) -> None:
        asked: list[tuple[type[BaseModel], Literal["validation"]]] = [
            (model, "validation") for model in dict.fromkeys(models)
        ]
        references, whole = models_json_schema(asked, ref_template=REFERENCE + "{model}")
        self._references = {model: reference for (model, _), reference in references.items()}
        self.definitions: Json = whole.get("$defs", {})

    def any_of(self, models: Iterable[type[BaseModel]]) -> Schema:
        references = [self._references[model] for model in models]
        return references[0] if len(references) == 1 else either(*references)


class _Shapes:
    """The shapes of replies: each that has a title is told of once, by that name."""

    def __init__(self) -> None:
        self.definitions: Json = {}

    def named(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.named(each) for each in value]
        if not isinstance(value, Mapping):
            return value
        named = {key: self.named(each) for key, each in value.items()}
        if "title" not in named or "properties" not in named:
            return named
        self.definitions[named["title"]] = named
        return {"$ref": REFERENCE + named["title"]}
