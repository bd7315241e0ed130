"""The body of POST /responses as OpenRouter takes it: OpenAI's, routing, and more sampling."""

from dataclasses import replace
from typing import Annotated

from server.errors import UnsupportedParameter
from server.openai.generation_fields import ShortText, Watched
from server.openai.responses.create_request import CreateResponse
from server.openai.routing_fields import RoutingFields
from server.openai.sampling_types import FrequencyPenalty, PresencePenalty, Stops, TopK
from server.openrouter.request_models import Model
from server.question import SamplingWishes


class GenerationResponse(RoutingFields, CreateResponse):
    """Nothing is kept between requests, so what would need that is refused."""

    model: Model = ""
    top_k: TopK = None
    frequency_penalty: FrequencyPenalty = None
    presence_penalty: PresencePenalty = None
    stop: Stops = None

    session_id: Annotated[ShortText | None, Watched] = None

    @property
    def stops(self) -> list[str]:
        return [] if self.stop is None else self.stop

    def check_combinations(self) -> None:
        super().check_combinations()
        for field in ("store", "background", "previous_response_id"):
            if getattr(self, field):
                message = f"{field}: responses are not kept here; /v1/responses keeps them"
                raise UnsupportedParameter(field, message)

    def sampling_wishes(self) -> SamplingWishes:
        return replace(
            super().sampling_wishes(),
            top_k=self.top_k,
            frequency_penalty=self.frequency_penalty,
            presence_penalty=self.presence_penalty,
        )
