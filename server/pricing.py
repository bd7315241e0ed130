"""What a reply costs, for dialects whose replies say so. Nothing is charged by this program."""

from dataclasses import dataclass
from decimal import Decimal

from server.events import Usage
from server.settings import Settings

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Prices:
    """Dollars per token. Cached prompt tokens cost as much as others."""

    prompt: Decimal
    completion: Decimal

    @classmethod
    def of(cls, settings: Settings) -> "Prices":
        return cls(settings.prompt_price / _MILLION, settings.completion_price / _MILLION)

    def written(self) -> dict[str, str]:
        """As decimal text, so that nothing is lost to binary fractions."""
        return {"prompt": format(self.prompt, "f"), "completion": format(self.completion, "f")}

    def cost(self, usage: Usage) -> Decimal:
        """Dollars, exact."""
        return sum(self.parts(usage), Decimal(0))

    def parts(self, usage: Usage) -> tuple[Decimal, Decimal]:
        """Of the prompt, and of what was generated."""
        return self.prompt * usage.prompt_tokens, self.completion * usage.completion_tokens
