"""The envelope of every answer of Cloudflare's API."""

from typing import Any


def succeeded(result: dict[str, Any]) -> dict[str, Any]:
    return {"result": result, "success": True, "errors": [], "messages": []}


def failed(errors: list[dict[str, Any]]) -> dict[str, Any]:
    return {"result": None, "success": False, "errors": errors, "messages": []}
