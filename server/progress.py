"""Shows how far a long step is, on stderr: a bar on a terminal, a line per tenth elsewhere."""

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)

ReportShare = Callable[[float], None]
"""Takes the share done so far, 0 to 1."""
TENTHS = 10


@contextmanager
def show_progress(what: str) -> Generator[ReportShare, None, None]:
    """Yields what to call with the share; nothing is shown before the first call."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield LineProgress(what)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console) as bar:
        tasks: list[TaskID] = []

        def report(share: float) -> None:
            if not tasks:
                tasks.append(bar.add_task(what, total=1.0))
            bar.update(tasks[0], completed=share)

        yield report


class LineProgress:
    """Writes 'what: 30 %' each time another tenth is done; made for logs."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._shown = -1

    def __call__(self, share: float) -> None:
        tenth = int(share * TENTHS)
        if tenth > self._shown:
            self._shown = tenth
            sys.stderr.write(f"{self._what}: {tenth * 100 // TENTHS} %\n")
            sys.stderr.flush()
