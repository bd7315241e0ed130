"""The body of POST /v1/completions."""

from typing import Annotated

from pydantic import Field, PlainValidator
from pydantic_core import PydanticCustomError

from server.errors import BadRequest
from server.openai.generation_fields import GenerationFields
from server.question import Question, TextPrompt, TokenPrompt

DEFAULT_MAX_TOKENS = 16
MAX_PROMPTS = 16
MAX_TOTAL_CHOICES = 64

Prompt = str | list[int]


PROMPT_SHAPE = (
    "must be a string, a list of token ids, or a list of up to "
    f"{MAX_PROMPTS} strings or lists of token ids; none of them empty"
)


def as_prompts(value: object) -> list[Prompt]:
    """One prompt or several, as text or as token ids: always a list of prompts of one kind.

    Raises:
        PydanticCustomError: anything else, an empty prompt among them.
    """
    single = _as_prompt(value)
    if single is not None:
        return [single]
    if isinstance(value, list) and 1 <= len(value) <= MAX_PROMPTS:
        prompts = [prompt for prompt in map(_as_prompt, value) if prompt is not None]
        if len(prompts) == len(value) and len({type(prompt) for prompt in prompts}) == 1:
            return prompts
    raise PydanticCustomError("prompt", PROMPT_SHAPE)


def _as_prompt(value: object) -> Prompt | None:
    if isinstance(value, str) and value:
        return value
    if isinstance(value, list) and value and all(type(item) is int for item in value):
        return value
    return None


class CompletionRequest(GenerationFields):
    prompt: Annotated[list[Prompt], PlainValidator(as_prompts)]
    logprobs: int | None = Field(None, ge=0, le=5)
    parse_special: bool | None = None

    def check_combinations(self) -> None:
        super().check_combinations()
        if len(self.prompt) * self.num_choices > MAX_TOTAL_CHOICES:
            message = f"the number of prompts times n must not be more than {MAX_TOTAL_CHOICES}"
            raise BadRequest(message, "n")

    def question(self) -> Question:
        """Raises BadRequest for a bias of what cannot be a token id."""
        parse_special = bool(self.parse_special)
        return Question(
            prompts=[
                TextPrompt(prompt, parse_special)
                if isinstance(prompt, str)
                else TokenPrompt(tuple(prompt))
                for prompt in self.prompt
            ],
            prompt_field="prompt",
            wanted_tokens=self.max_tokens,
            default_tokens=DEFAULT_MAX_TOKENS,
            sampling=self.sampling_wishes(self.logprobs),
            stops=self.stops,
            num_choices=self.num_choices,
        )
