"""OpenRouter's fields: which model and provider may answer, and what becomes of long prompts."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from server.errors import UnsupportedParameter, shown
from server.openai.request_model import RequestBody, RequestModel

MAX_NAMES = 16
MAX_PLUGINS = 16
MIDDLE_OUT = "middle-out"
COMPRESSION_PLUGIN = "context-compression"
HARMLESS_PLUGINS = frozenset({"response-healing"})
"""What it repairs does not happen here: grammars leave no malformed JSON."""

Name = Annotated[str, StringConstraints(max_length=256)]
Names = Annotated[list[Name], Field(max_length=MAX_NAMES)]
Dollars = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}(\.[0-9]{1,12})?$")] | float


class MaxPrice(RequestModel):
    """Dollars for a million tokens."""

    prompt: Dollars | None = None
    completion: Dollars | None = None


class ProviderPreferences(RequestModel):
    """There is one provider, this server. What only orders several has no effect."""

    only: Names | None = None
    ignore: Names | None = None
    quantizations: Names | None = None
    max_price: MaxPrice | None = None
    require_parameters: bool | None = None

    # Checked, then without effect.
    order: Names | None = None
    sort: Name | dict[Name, Any] | None = None
    allow_fallbacks: bool | None = None
    data_collection: Literal["allow", "deny"] | None = None
    zdr: bool | None = None
    enforce_distillable_text: bool | None = None
    preferred_min_throughput: float | dict[Name, float] | None = None
    preferred_max_latency: float | dict[Name, float] | None = None


class Plugin(RequestModel):
    id: Name
    enabled: bool | None = None
    engine: Literal["middle-out"] | None = None


class UsageOptions(RequestModel):
    include: bool | None = None


class RoutingFields(RequestBody):
    models: Names | None = None
    provider: ProviderPreferences | None = None
    transforms: Annotated[list[Literal["middle-out"]] | None, Field(max_length=1)] = None
    plugins: Annotated[list[Plugin] | None, Field(max_length=MAX_PLUGINS)] = None
    usage: UsageOptions | None = None

    # Checked, then without effect: see field_policy.HARMLESS_FIELDS.
    route: Literal["fallback"] | None = None
    trace: dict[Name, Any] | None = None

    @property
    def wanted_models(self) -> list[str]:
        return [*super().wanted_models, *(self.models or ())]

    @property
    def leaves_out_middles(self) -> bool:
        """Whether a prompt that does not fit is to be shortened instead of refused."""
        wants_plugin = any(plugin.id == COMPRESSION_PLUGIN for plugin in self._enabled_plugins())
        return wants_plugin or bool(self.transforms)

    @property
    def wants_cost(self) -> bool:
        return self.usage is not None and bool(self.usage.include)

    def unknown_fields(self) -> list[str]:
        in_provider = self.provider.unknown_fields() if self.provider else ()
        return [*super().unknown_fields(), *(f"provider.{name}" for name in in_provider)]

    def check_combinations(self) -> None:
        super().check_combinations()
        for plugin in self._enabled_plugins():
            if plugin.id not in HARMLESS_PLUGINS | {COMPRESSION_PLUGIN}:
                message = f"the plugin {shown(plugin.id)} is not supported by this server"
                raise UnsupportedParameter("plugins", message)
        unknown = self.unknown_fields()
        if unknown and self.provider is not None and self.provider.require_parameters:
            raise UnsupportedParameter(unknown[0])

    def _enabled_plugins(self) -> list[Plugin]:
        return [plugin for plugin in self.plugins or () if plugin.enabled is not False]
