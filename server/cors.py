"""Cross-origin access for browsers: only the configured origins, nobody by default."""

from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send


class Cors:
    """Starlette's CORS for allowed origins. Others get the plain reply, which a browser withholds.

    Never with credentials: an API key travels in a header that the page itself must know.
    """

    def __init__(self, app: ASGIApp, origins: Sequence[str]) -> None:
        self._app = app
        self._origins = frozenset(origins)
        self._allowing = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["x-request-id", "request-id", "x-ignored-fields", "retry-after"],
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_allowed = "*" in self._origins or (
            scope["type"] == "http" and Headers(scope=scope).get("origin") in self._origins
        )
        await (self._allowing if is_allowed else self._app)(scope, receive, send)
