"""How compiling constraints can fail through no fault of a constraint."""

from kernels.errors import GraniteError


class CheckerGone(GraniteError):
    """No process that compiles constraints can be had."""
