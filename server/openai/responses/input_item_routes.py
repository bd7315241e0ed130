"""GET /v1/responses/{id}/input_items: all that a response answered, from the beginning."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from server.openai.listing import list_body, page_parameters, page_query, unknown_cursor
from server.openai.reply_shapes import ITEM, page_of
from server.openai.responses.routes import no_such_response
from server.route_notes import JSON, LOOKUP_ERRORS, STORAGE_ERRORS, RouteNotes, noted
from server.security import client_of
from server.services import Services

MAX_PAGE = 100
DEFAULT_PAGE = 20


class InputItemRoutes:
    def __init__(self, services: Services) -> None:
        self._store = services.storage.responses

    @noted(
        RouteNotes(
            query=page_parameters(default_limit=DEFAULT_PAGE, max_limit=MAX_PAGE),
            replies={JSON: page_of("Items", ITEM)},
            errors=(*LOOKUP_ERRORS, *STORAGE_ERRORS),
        )
    )
    async def list_items(self, request: Request, response_id: str) -> JSONResponse:
        """Also what came before the request itself, if it continued a response."""
        query = page_query(request, default_limit=DEFAULT_PAGE, max_limit=MAX_PAGE)
        chain = await self._store.chain(client_of(request), response_id)
        if chain is None:
            raise no_such_response(response_id)
        items: list[dict[str, Any]] = []
        for link in chain[:-1]:
            items += (*link.input_items, *link.document["output"])
        items += chain[-1].input_items
        if query.newest_first:
            items.reverse()
        start = 0
        if query.after is not None:
            ids = [item["id"] for item in items]
            if query.after not in ids:
                raise unknown_cursor()
            start = ids.index(query.after) + 1
        page = items[start : start + query.limit]
        return JSONResponse(list_body(page, has_more=len(items) > start + query.limit))
