"""A response as OpenRouter's clients see it: OpenAI's, with the cost, and two more wishes."""

from typing import Any

from server.events import Usage
from server.openai.cost_fields import cost_fields
from server.openai.responses.response_object import ResponseHead


class GenerationHead(ResponseHead):
    def usage(self, usage: Usage) -> dict[str, Any]:
        return {**super().usage(usage), **cost_fields(self.prices, usage, "input", "output")}

    def repeated(self) -> dict[str, Any]:
        wishes = self.asked.sampling_wishes()
        return {
            **super().repeated(),
            "frequency_penalty": wishes.frequency_penalty or 0,
            "presence_penalty": wishes.presence_penalty or 0,
        }
