"""Tells a client what of a schema that is not strict its reply may not follow."""

from collections.abc import Sequence
from urllib.parse import quote

WARNINGS_HEADER = "x-schema-warnings"
MAX_WARNINGS_LENGTH = 500
PLAIN_IN_HEADERS = " !#$&'()*+,/:;=?@[]\""


def warning_headers(warnings: Sequence[str]) -> dict[str, str]:
    if not warnings:
        return {}
    text = quote("; ".join(warnings), safe=PLAIN_IN_HEADERS)
    return {WARNINGS_HEADER: text[:MAX_WARNINGS_LENGTH]}
