"""A response as OpenRouter's clients see it: OpenAI's, with the cost, and two more wishes."""

from typing import Any

from server.events import Usage
from server.openai.responses.response_object import ResponseHead


class GenerationHead(ResponseHead):
    def usage(self, usage: Usage) -> dict[str, Any]:
        prompt, completion = self.prices.parts(usage)
        return {
            **super().usage(usage),
            "cost": float(prompt + completion),
            "is_byok": False,
            "cost_details": {
                "upstream_inference_cost": None,
                "upstream_inference_input_cost": float(prompt),
                "upstream_inference_output_cost": float(completion),
            },
        }

    def repeated(self) -> dict[str, Any]:
        wishes = self.asked.sampling_wishes()
        return {
            **super().repeated(),
            "frequency_penalty": wishes.frequency_penalty or 0,
            "presence_penalty": wishes.presence_penalty or 0,
        }
