from datetime import date, timedelta

import pytest

from server.events import Usage
from server.usage_book import UsageBook

MONDAY = date(2026, 11, 30)


class Calendar:
    def __init__(self, today: date) -> None:
        self.today = today

    def __call__(self) -> date:
        return self.today


def test_every_client_has_a_page_of_its_own() -> None:
    book = UsageBook()
    book.add("a", Usage(1, 2, 1))
    book.add("a", Usage(10, 20))
    book.add("b", Usage(5, 5))
    assert book.total("a") == Usage(11, 22, 1)
    assert book.total("b") == Usage(5, 5)
    assert book.total("c") == Usage(0, 0)


def test_days_weeks_from_monday_and_months_are_counted_apart() -> None:
    calendar = Calendar(MONDAY - timedelta(days=1))
    book = UsageBook(calendar)
    book.add("a", Usage(1, 0))
    calendar.today = MONDAY
    book.add("a", Usage(10, 0))
    assert book.today("a") == book.this_week("a") == Usage(10, 0)
    assert book.this_month("a") == Usage(11, 0)
    calendar.today = MONDAY + timedelta(days=1)  # the first of December
    book.add("a", Usage(100, 0))
    assert book.today("a") == book.this_month("a") == Usage(100, 0)
    assert book.this_week("a") == Usage(110, 0)


@pytest.mark.parametrize("days", [31, 32, 33, 100, 400])
def test_nothing_is_lost_however_old_it_is(days: int) -> None:
    calendar = Calendar(MONDAY)
    book = UsageBook(calendar)
    for _ in range(days):
        book.add("a", Usage(1, 1))
        calendar.today += timedelta(days=1)
    assert book.total("a") == Usage(days, days)


def test_the_first_of_a_long_month_still_counts_on_its_last_day() -> None:
    calendar = Calendar(date(2026, 12, 1))
    book = UsageBook(calendar)
    book.add("a", Usage(1, 1))
    calendar.today = date(2026, 12, 31)
    book.add("a", Usage(1, 1))
    assert book.this_month("a") == Usage(2, 2)
