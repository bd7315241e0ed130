"""The body of POST /v1/completions."""

from typing import Annotated

from pydantic import Field, PlainValidator
from pydantic_core import PydanticCustomError

from server.errors import BadRequest
from server.field_notes import does
from server.openai.generation_fields import GenerationFields
from server.openai.sampling_types import MAX_COUNT, BestOf
from server.question import InfillPrompt, Question, TextPrompt, TokenPrompt
from server.question import Prompt as NeutralPrompt

DEFAULT_MAX_TOKENS = 16
MAX_PROMPTS = 16
MAX_TOTAL_CHOICES = 64

Prompt = str | list[int]
_TokenIds = Annotated[list[int], Field(min_length=1)]
_PromptInput = (
    str
    | _TokenIds
    | Annotated[list[str], Field(min_length=1, max_length=MAX_PROMPTS)]
    | Annotated[list[_TokenIds], Field(min_length=1, max_length=MAX_PROMPTS)]
)
ParseSpecial = Annotated[
    bool | None,
    does("text such as `<|start_of_role|>` in a prompt is a control token", default=False),
]

PROMPT_SHAPE = (
    "must be a string, a list of token ids, or a list of up to "
    f"{MAX_PROMPTS} strings or lists of token ids; none of them empty"
)


def as_prompts(value: object) -> list[Prompt]:
    """One prompt or several, as text or as token ids: always a list of prompts of one kind.

    Raises:
        PydanticCustomError: anything else. Empty text passes, as there may be a suffix.
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
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(type(item) is int for item in value):
        return value
    return None


class CompletionRequest(GenerationFields):
    prompt: Annotated[
        list[Prompt],
        PlainValidator(as_prompts, json_schema_input_type=_PromptInput),
        does("one or several, as text or as token ids; prompts times `n` at most 64"),
    ]
    max_tokens: Annotated[
        int | None,
        Field(ge=0, le=MAX_COUNT),
        does(
            "the most tokens of the reply; with the prompt at most the context; "
            "0 with `echo` or `prompt_logprobs` only",
            default=DEFAULT_MAX_TOKENS,
        ),
    ] = None
    logprobs: Annotated[
        int | None,
        Field(ge=0, le=5),
        does("each token of the reply has its log-probability, and those of so many alternatives"),
    ] = None
    parse_special: ParseSpecial = None
    best_of: BestOf = None
    echo: Annotated[
        bool | None,
        does(
            "the text begins with the prompt, and `logprobs` with those of its tokens, the first "
            "`null`",
            default=False,
        ),
    ] = None
    suffix: Annotated[
        str | None,
        does(
            "text after a gap that the model fills, by the checkpoint's FIM tokens; the prompt "
            "may then be empty; not with `echo`; 400 if the tokenizer has no such tokens"
        ),
    ] = None

    @property
    def num_candidates(self) -> int:
        """How many choices are generated for each prompt; the best `num_choices` are shown."""
        return self.num_choices if self.best_of is None else self.best_of

    def check_combinations(self) -> None:
        super().check_combinations()
        if "" in self.prompt and not self.suffix:
            raise BadRequest(f"prompt: {PROMPT_SHAPE}", "prompt")
        if len(self.prompt) * self.num_candidates > MAX_TOTAL_CHOICES:
            field = "n" if self.best_of is None else "best_of"
            message = f"the number of prompts times {field} must not be more than"
            raise BadRequest(f"{message} {MAX_TOTAL_CHOICES}", field)
        if self.num_candidates < self.num_choices:
            raise BadRequest("best_of must not be less than n", "best_of")
        if self.num_candidates > self.num_choices and self.stream:
            raise BadRequest("best_of more than n is not available in a stream", "best_of")
        if self.echo and self.suffix:
            raise BadRequest("echo is not available together with suffix", "echo")
        if self.max_tokens == 0 and not self.echo and self.prompt_logprobs is None:
            raise BadRequest("max_tokens: 0 needs echo or prompt_logprobs", "max_tokens")

    def question(self) -> Question:
        """Raises BadRequest as `sampling_wishes` and `form`."""
        ranks = self.num_candidates > self.num_choices
        form, form_field = self.form
        return Question(
            prompts=[self._neutral(prompt) for prompt in self.prompt],
            prompt_field="prompt",
            wanted_tokens=self.max_tokens,
            default_tokens=DEFAULT_MAX_TOKENS,
            sampling=self.sampling_wishes((self.logprobs or 0) if ranks else self.logprobs),
            stops=self.stops,
            num_choices=self.num_candidates,
            prompt_logprobs=self._num_prompt_logprobs(),
            echoes_prompt=bool(self.echo),
            form=form,
            form_field=form_field,
        )

    def _num_prompt_logprobs(self) -> int | None:
        """The most alternatives of a prompt token that the reply shows in any place."""
        asked = [self.prompt_logprobs, self.logprobs if self.echo else None]
        return max((number for number in asked if number is not None), default=None)

    def _neutral(self, prompt: Prompt) -> NeutralPrompt:
        given: TextPrompt | TokenPrompt
        if isinstance(prompt, str):
            given = TextPrompt(prompt, bool(self.parse_special))
        else:
            given = TokenPrompt(tuple(prompt))
        return InfillPrompt(given, self.suffix) if self.suffix else given
