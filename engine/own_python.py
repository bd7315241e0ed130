"""Starts modules of this very program in processes of their own, wherever the user stands."""

import os
import sys
from pathlib import Path

BOOTSTRAP = """
import sys
from importlib import import_module
root, module = sys.argv[1:3]
if root not in sys.path:
    sys.path.insert(0, root)
sys.exit(import_module(module).main())
"""


def own_python(module: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs `main` of a module; the arguments are the last in its `sys.argv`."""
    root = str(Path(__file__).parent.parent)
    return (sys.executable, "-P", "-c", BOOTSTRAP, root, module, *arguments)


def single_threaded() -> dict[str, str]:
    """An environment in which libraries start no threads of their own, which would take memory."""
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    return threads | {"TOKENIZERS_PARALLELISM": "false"} | os.environ
