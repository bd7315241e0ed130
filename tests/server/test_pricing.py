from decimal import Decimal

import pytest

from server.command_line import parse_settings
from server.events import Usage
from server.pricing import Prices
from server.settings import InvalidSettings, Settings


def test_the_default_prices_are_those_of_the_hosted_model() -> None:
    cost = Prices.of(Settings()).cost(Usage(prompt_tokens=1_000_000, completion_tokens=1_000_000))
    assert cost == Decimal("0.129")


def test_prices_are_read_as_written() -> None:
    settings = parse_settings(["--prompt-price", "0.1", "--completion-price", "1e-3"])
    assert (settings.prompt_price, settings.completion_price) == (Decimal("0.1"), Decimal("0.001"))


@pytest.mark.parametrize("price", ["-1", "nan", "inf", "cheap"])
def test_a_price_is_a_number_and_not_negative(price: str) -> None:
    with pytest.raises(InvalidSettings, match="--prompt-price"):
        parse_settings(["--prompt-price", price])


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        (Usage(0, 0), "0"),
        (Usage(1, 0), "0.0000003"),
        (Usage(0, 1), "0.00000125"),
        (Usage(31, 8), "0.0000193"),
        (Usage(31, 8, cached_tokens=31), "0.0000193"),
    ],
)
def test_a_cost_is_exact_to_the_last_token(usage: Usage, cost: str) -> None:
    settings = Settings(prompt_price=Decimal("0.3"), completion_price=Decimal("1.25"))
    assert Prices.of(settings).cost(usage) == Decimal(cost)
