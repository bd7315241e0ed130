"""The program's version, in one place: the package, the command and the HTTP API read it here."""

VERSION = "0.1.0"
PROGRAM = "granite-server"
"""What it calls itself to clients."""
