"""The root of the one error tree: every error raised on purpose derives from it.

It lives in the lowest layer so that each layer can grow its own branch; `server/errors.py` draws
the whole tree.
"""


class GraniteError(Exception):
    """An error this program raises on purpose; its text is safe to show to the operator."""
