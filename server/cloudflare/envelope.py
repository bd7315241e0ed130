"""The envelope of every answer of Cloudflare's API."""

from collections.abc import Sequence
from typing import Any

WARNING = 1000


def succeeded(result: dict[str, Any], warnings: Sequence[str] = ()) -> dict[str, Any]:
    messages = [{"code": WARNING, "message": text} for text in warnings]
    return {"result": result, "success": True, "errors": [], "messages": messages}


def failed(errors: list[dict[str, Any]]) -> dict[str, Any]:
    return {"result": None, "success": False, "errors": errors, "messages": []}
