"""How compiling constraints can fail through no fault of a constraint."""

from kernels.errors import GraniteError


class CheckerGone(GraniteError):
    """The process that compiles constraints ended, took too long, or does not start."""
