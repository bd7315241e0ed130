"""The cost of a reply as OpenRouter tells it, beside the counts of any of OpenAI's APIs."""

from typing import Any

from server.events import Usage
from server.pricing import Prices


def cost_fields(prices: Prices, usage: Usage, read: str, written: str) -> dict[str, Any]:
    """In dollars. `read` and `written` are what the API calls the two kinds of tokens."""
    prompt, completion = prices.parts(usage)
    return {
        "cost": float(prompt + completion),
        "is_byok": False,
        "cost_details": {
            "upstream_inference_cost": None,
            f"upstream_inference_{read}_cost": float(prompt),
            f"upstream_inference_{written}_cost": float(completion),
        },
    }
