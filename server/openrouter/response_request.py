"""The body of POST /responses as OpenRouter takes it: OpenAI's, routing, and more sampling."""

from dataclasses import replace

from pydantic import Field

from server.errors import UnsupportedParameter
from server.openai.generation_fields import MAX_STOPS, ShortText, Stops
from server.openai.responses.create_request import CreateResponse
from server.openai.routing_fields import RoutingFields
from server.question import SamplingWishes


class GenerationResponse(RoutingFields, CreateResponse):
    """Nothing is kept between requests, so what would need that is refused."""

    model: str
    top_k: int | None = Field(None, ge=-1, le=2**31 - 1)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    presence_penalty: float | None = Field(None, ge=-2, le=2)
    stop: Stops = Field(None, max_length=MAX_STOPS)

    # Checked, then without effect.
    session_id: ShortText | None = None

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
