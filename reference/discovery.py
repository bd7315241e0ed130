"""Finds every request model there is, so that nobody has to keep a list of them."""

import importlib
import pkgutil
from collections.abc import Iterator

from pydantic import BaseModel
from pydantic_settings import BaseSettings

import server
from server.openai.request_model import RequestBody

ENTRY_POINTS = ("server.__main__",)
"""They run the program when they are imported."""


def request_models() -> set[type[BaseModel]]:
    """All pydantic models of `server` but its settings. Only what clients send is one."""
    for module in pkgutil.walk_packages(server.__path__, "server."):
        if module.name not in ENTRY_POINTS:
            importlib.import_module(module.name)
    return {
        model
        for model in _descendants(BaseModel)
        if model.__module__.startswith("server.") and not issubclass(model, BaseSettings)
    }


def request_bodies() -> set[type[RequestBody]]:
    """Those of them that are checked as a whole: they have a table of what they refuse."""
    return {model for model in request_models() if issubclass(model, RequestBody)}


def _descendants(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for child in model.__subclasses__():
        yield child
        yield from _descendants(child)
