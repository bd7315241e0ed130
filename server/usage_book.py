"""Who used how many tokens, day by day, since the server started. Knows no prices."""

from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from server.events import Usage

DAYS_KEPT = 32
"""Enough for the month so far; older days are kept as one sum."""


def utc_today() -> date:
    return datetime.now(UTC).date()


class UsageBook:
    """One page for each client (fairness key), so that its size is bounded by the keys."""

    def __init__(self, today: Callable[[], date] = utc_today) -> None:
        self._today = today
        self._pages: defaultdict[str, dict[date, Usage]] = defaultdict(dict)

    def add(self, client: str, usage: Usage) -> None:
        today = self._today()
        page = self._pages[client]
        page[today] = page.get(today, Usage(0, 0)) + usage
        oldest = today - timedelta(days=DAYS_KEPT)
        for day in [day for day in page if date.min < day < oldest]:
            page[date.min] = page.get(date.min, Usage(0, 0)) + page.pop(day)

    def total(self, client: str) -> Usage:
        return self.since(client, date.min)

    def since(self, client: str, first_day: date) -> Usage:
        """What was used from the beginning of that UTC day on; not more than a month back."""
        page = self._pages.get(client, {})
        return sum((used for day, used in page.items() if day >= first_day), Usage(0, 0))

    def today(self, client: str) -> Usage:
        return self.since(client, self._today())

    def this_week(self, client: str) -> Usage:
        """Since Monday."""
        today = self._today()
        return self.since(client, today - timedelta(days=today.weekday()))

    def this_month(self, client: str) -> Usage:
        return self.since(client, self._today().replace(day=1))
