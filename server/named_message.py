"""The text of an error for dialects whose errors have no field for the name of a parameter."""

from server.errors import ErrorReply


def named_message(reply: ErrorReply) -> str:
    """It says which parameter is at fault, if one is."""
    told = reply.body["error"]
    message: str = told["message"]
    param = told["param"]
    return message if param is None or param in message else f"{param}: {message}"
