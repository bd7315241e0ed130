"""GET /key and GET /credits: what the caller's key has used, in dollars. Nothing is charged."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse

from server.events import Usage
from server.openrouter import reply_shapes
from server.pricing import Prices
from server.route_notes import JSON, RouteNotes, noted
from server.security import ANONYMOUS, client_of
from server.services import Services

_SHOWN_OF_DIGEST = 8


class AccountRoutes:
    """Counted since the server started. There are no limits: every one of them is null."""

    def __init__(self, services: Services) -> None:
        self._usage = services.usage
        self._prices = Prices.of(services.settings)

    @noted(RouteNotes(replies={JSON: reply_shapes.KEY}))
    async def key(self, request: Request) -> JSONResponse:
        client = client_of(request)
        used = {
            "usage": self._usage.total(client),
            "usage_daily": self._usage.today(client),
            "usage_weekly": self._usage.this_week(client),
            "usage_monthly": self._usage.this_month(client),
        }
        costs = {name: self._dollars(usage) for name, usage in used.items()}
        return JSONResponse({"data": {"label": _label(client), **costs, **_unlimited(costs)}})

    @noted(RouteNotes(replies={JSON: reply_shapes.CREDITS}))
    async def credits(self, request: Request) -> JSONResponse:
        """Nothing is sold in advance, so what was used is what counts as bought."""
        used = self._dollars(self._usage.total(client_of(request)))
        return JSONResponse({"data": {"total_credits": used, "total_usage": used}})

    def _dollars(self, usage: Usage) -> float:
        return float(self._prices.cost(usage))


def _label(client: str) -> str:
    """Enough of the key's digest to tell keys apart, and nothing of the key."""
    return client if client == ANONYMOUS else f"key-{client[:_SHOWN_OF_DIGEST]}"


def _unlimited(costs: dict[str, float]) -> dict[str, Any]:
    """The keys of the reference service that have the same answer for every key of this one."""
    return {
        **{f"byok_{name}": 0.0 for name in costs},
        "limit": None,
        "limit_remaining": None,
        "limit_reset": None,
        "budgets": [],
        "effective_budget": None,
        "include_byok_in_limit": False,
        "is_free_tier": False,
        "is_management_key": False,
        "is_provisioning_key": False,
        "free_model_daily_requests": {"limit": 0, "remaining": 0, "used": 0},
        "rate_limit": {"requests": -1, "interval": "10s", "note": "There is no rate limit."},
        "allowed_data_regions": ["global"],
        "creator_user_id": None,
        "organization_id": None,
        "workspace_id": None,
        "expires_at": None,
    }
