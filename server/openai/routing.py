"""What a caller's preferences mean where there is one model on one server."""

from decimal import Decimal

from server.errors import NotFound
from server.middle_out import without_middles
from server.openai.routing_fields import MaxPrice, ProviderPreferences, RoutingFields
from server.prompt import loaded_info
from server.question import Question
from server.services import Services
from server.version import PROGRAM


async def routed(services: Services, fields: RoutingFields, question: Question) -> Question:
    """The question as it is to be asked here.

    Raises:
        NotFound: the preferences leave no provider.
        EngineUnavailable: the model is still loading.
    """
    if fields.provider is not None:
        _check_provider(fields.provider, services)
    if fields.leaves_out_middles:
        return await without_middles(services, question)
    return question


def _check_provider(wanted: ProviderPreferences, services: Services) -> None:
    precision = loaded_info(services.engine).dtype
    rules = {
        "only": wanted.only is None or PROGRAM in map(str.lower, wanted.only),
        "ignore": PROGRAM not in map(str.lower, wanted.ignore or ()),
        "quantizations": wanted.quantizations is None or precision in wanted.quantizations,
        "max_price": wanted.max_price is None or _is_cheap_enough(wanted.max_price, services),
    }
    for name, is_met in rules.items():
        if not is_met:
            message = f"No provider of this model meets provider.{name}: there is only {PROGRAM}"
            raise NotFound(message, "provider")


def _is_cheap_enough(limit: MaxPrice, services: Services) -> bool:
    settings = services.settings
    prices = ((limit.prompt, settings.prompt_price), (limit.completion, settings.completion_price))
    return all(most is None or price <= Decimal(str(most)) for most, price in prices)
