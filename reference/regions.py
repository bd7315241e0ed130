"""The generated parts of a document: found by their marks, and written anew.

A part begins with a comment such as
    <!-- generated: fields of chat=openai.chat_request.ChatRequest -->
which names a table and the models that it is made of, and ends with `<!-- end -->`.
"""

import importlib
import re
from collections.abc import Iterator

from reference.tables import TABLES, Models
from server.openai.request_model import RequestBody

_REGION = re.compile(
    r"(?P<mark><!-- generated: (?P<table>[a-z ]+) of (?P<models>[^>]+) -->\n).*?(?=<!-- end -->)",
    re.DOTALL,
)


class UnknownTable(ValueError):
    """A mark names what there is not."""


def rewritten(document: str) -> str:
    """The document with all generated parts as they should be.

    Raises:
        UnknownTable
    """

    def written(region: re.Match[str]) -> str:
        return f"{region['mark']}\n{_content(region)}\n\n"

    return _REGION.sub(written, document)


def models_in(document: str) -> Iterator[type[RequestBody]]:
    """Those that some table of the document tells of."""
    for region in _REGION.finditer(document):
        yield from _models(region["models"]).values()


def _content(region: re.Match[str]) -> str:
    table = TABLES.get(region["table"])
    if table is None:
        raise UnknownTable(f"there is no table of {region['table']}; but of {', '.join(TABLES)}")
    return table(_models(region["models"]))


def _models(names: str) -> Models:
    return dict(map(_model, names.split()))


def _model(name: str) -> tuple[str, type[RequestBody]]:
    label, _, path = name.rpartition("=")
    module, _, model = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(f"server.{module}"), model)
    except (ImportError, AttributeError) as error:
        raise UnknownTable(f"there is no model server.{path}") from error
    if not issubclass(found, RequestBody):
        raise UnknownTable(f"server.{path} is not the body of a request")
    return label or model, found
