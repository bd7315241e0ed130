"""Lists over several pages: the query parameters that all of them take, and the body they give."""

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request

from server.errors import BadRequest
from server.json_shapes import STRING, Schema, one_of, told, whole_number
from server.storage.page import PageQuery

MAX_CURSOR_LENGTH = 128


def page_parameters(*, default_limit: int, max_limit: int) -> dict[str, Schema]:
    """What `page_query` reads, as the OpenAPI document tells it."""
    after = {**STRING, "minLength": 1, "maxLength": MAX_CURSOR_LENGTH}
    return {
        "limit": whole_number(1, max_limit, "the most objects of a page", default_limit),
        "after": told(after, "the id of the last object of the page before"),
        "order": told(one_of("asc", "desc"), "by age; newest first unless asked otherwise"),
    }


def page_query(request: Request, *, default_limit: int, max_limit: int) -> PageQuery:
    """`after`, `limit` and `order` of a list request; newest first unless asked otherwise.

    Raises:
        BadRequest: one of them is out of range.
    """
    parameters = request.query_params
    limit, after = parameters.get("limit"), parameters.get("after")
    order = parameters.get("order", "desc")
    if limit is not None and not (limit.isdecimal() and len(limit) < 10):
        raise BadRequest("limit must be a whole number", "limit")
    num = default_limit if limit is None else int(limit)
    if not 1 <= num <= max_limit:
        raise BadRequest(f"limit must be between 1 and {max_limit}", "limit")
    if order not in ("asc", "desc"):
        raise BadRequest("order must be 'asc' or 'desc'", "order")
    if after is not None and not 0 < len(after) <= MAX_CURSOR_LENGTH:
        raise BadRequest("after must be the id of an object of the list", "after")
    return PageQuery(limit=num, after=after, newest_first=order == "desc")


def unknown_cursor() -> BadRequest:
    return BadRequest("after is not the id of an object of this list", "after")


def list_body(data: Sequence[dict[str, Any]], *, has_more: bool) -> dict[str, Any]:
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
        "has_more": has_more,
    }
