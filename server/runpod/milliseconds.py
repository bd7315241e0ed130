"""Times in the query of a request."""

from starlette.requests import Request

from server.errors import BadRequest


def seconds_of(request: Request, name: str, low: int, high: int) -> float | None:
    """The query parameter `name`, in milliseconds, as seconds; None if it is not there.

    Raises:
        BadRequest: it is no number between `low` and `high`.
    """
    given = request.query_params.get(name)
    if given is None:
        return None
    is_number = given.isascii() and given.isdecimal() and len(given) < 12
    if not is_number or not low <= int(given) <= high:
        raise BadRequest(f"{name} must be between {low} and {high} milliseconds", name)
    return int(given) / 1000
