"""OpenRouter's fields: which model and provider may answer, and what becomes of long prompts."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from server.errors import UnsupportedParameter, shown
from server.field_notes import does, harmless
from server.openai.request_model import RequestBody, RequestModel

MAX_NAMES = 16
MAX_PLUGINS = 16
MIDDLE_OUT = "middle-out"
COMPRESSION_PLUGIN = "context-compression"
HARMLESS_PLUGINS = frozenset({"response-healing"})
"""What it repairs does not happen here: grammars leave no malformed JSON."""

NotCharged = harmless("nothing is charged for it")
OneProvider = harmless("it orders providers, and there is one")

Name = Annotated[str, StringConstraints(max_length=256)]
Names = Annotated[list[Name], Field(max_length=MAX_NAMES)]
Dollars = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,9}(\.[0-9]{1,12})?$")] | float


class MaxPrice(RequestModel):
    """Dollars for a million tokens."""

    prompt: Annotated[Dollars | None, does("404 if the prompt costs more here")] = None
    completion: Annotated[Dollars | None, does("404 if the reply costs more here")] = None
    request: Annotated[Dollars | None, NotCharged] = None
    image: Annotated[Dollars | None, NotCharged] = None
    audio: Annotated[Dollars | None, NotCharged] = None


class ProviderPreferences(RequestModel):
    """There is one provider, this server. What only orders several has no effect."""

    only: Annotated[Names | None, does("404 if this server's name is not among them")] = None
    ignore: Annotated[Names | None, does("404 if this server's name is among them")] = None
    quantizations: Annotated[
        Names | None, does("404 if the precision of the weights is not among them")
    ] = None
    max_price: Annotated[MaxPrice | None, does("in dollars for a million tokens")] = None
    require_parameters: Annotated[
        bool | None, does("refuse fields that nobody knows", default=False)
    ] = None

    order: Annotated[Names | None, OneProvider] = None
    sort: Annotated[Name | dict[Name, Any] | None, OneProvider] = None
    allow_fallbacks: Annotated[bool | None, OneProvider] = None
    data_collection: Annotated[
        Literal["allow", "deny"] | None, harmless("this server gives nothing to others")
    ] = None
    zdr: Annotated[bool | None, harmless("nothing is kept but what is asked to be stored")] = None
    enforce_distillable_text: Annotated[bool | None, harmless("Granite's license allows it")] = None
    preferred_min_throughput: Annotated[float | dict[Name, float] | None, OneProvider] = None
    preferred_max_latency: Annotated[float | dict[Name, float] | None, OneProvider] = None


class Plugin(RequestModel):
    id: Annotated[
        Name, does("`context-compression`, or `response-healing`, which finds nothing to heal")
    ]
    enabled: Annotated[bool | None, does("whether it is asked for", default=True)] = None
    engine: Annotated[Literal["middle-out"] | None, harmless("there is one way to compress")] = None


class UsageOptions(RequestModel):
    include: Annotated[
        bool | None, does("usage has the cost in dollars, and ends a stream", default=False)
    ] = None


class RoutingFields(RequestBody):
    models: Annotated[
        Names | None, does("further names; refused only if none of all is served")
    ] = None
    provider: Annotated[ProviderPreferences | None, does("what this server must be to answer")] = (
        None
    )
    transforms: Annotated[
        list[Literal["middle-out"]] | None,
        Field(max_length=1),
        does("a prompt that does not fit loses messages, or text, from its middle"),
    ] = None
    plugins: Annotated[
        list[Plugin] | None,
        Field(max_length=MAX_PLUGINS),
        does("`context-compression` does what `transforms` does; most others are refused"),
    ] = None
    usage: Annotated[UsageOptions | None, does("what usage tells")] = None

    route: Annotated[Literal["fallback"] | None, harmless("there is one model to fall back on")] = (
        None
    )
    trace: Annotated[dict[Name, Any] | None, harmless("this server sends no traces")] = None

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
