"""What any dialect asks of the model, in one neutral form. Knows no HTTP and no JSON.

Whoever parses a request checks the shapes of its fields; what depends on the model (token ids, the
length of the context) is checked when the question is asked.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from server.constraints import TextForm
from server.tools import Toolbox

Role = Literal["system", "user", "assistant", "tool"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PastCall:
    """A tool call of an earlier turn. `arguments` is JSON as text."""

    name: str
    arguments: str
    id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatMessage:
    """One turn. `content` is text, or parts of text that stay apart.

    Only assistants have `tool_calls`; `tool_call_id` says which call a `tool` message answers.
    """

    role: Role
    content: str | tuple[str, ...] = ""
    tool_calls: tuple[PastCall, ...] = ()
    tool_call_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatPrompt:
    """A conversation, to be rendered with the checkpoint's chat template.

    The reply is a turn of its own, or with `continues_final_message` the rest of the last one;
    without `adds_generation_prompt` the model decides whose turn it is. `template_options` are
    further variables of the template.
    """

    messages: Sequence[ChatMessage]
    toolbox: Toolbox = field(default_factory=Toolbox)
    documents: Sequence[Mapping[str, Any]] = ()
    continues_final_message: bool = False
    adds_generation_prompt: bool = True
    template_options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TextPrompt:
    """Raw text. With `parse_special` it may spell control tokens."""

    text: str
    parse_special: bool = False


@dataclass(frozen=True, slots=True)
class TokenPrompt:
    token_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class InfillPrompt:
    """Text before and after a gap that the model is to fill."""

    before: TextPrompt | TokenPrompt
    after: str


Prompt = ChatPrompt | TextPrompt | TokenPrompt | InfillPrompt


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingWishes:
    """How to choose tokens, as far as the caller said: None is the sampler's default.

    `logprobs` is the number of alternatives to report with each token; None: no log-probabilities.
    """

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    min_p: float | None = None
    top_a: float | None = None
    repetition_penalty: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    logit_bias: Mapping[int, float] = field(default_factory=dict)
    stop_token_ids: Sequence[int] = ()
    min_tokens: int = 0
    ignore_eos: bool = False
    seed: int | None = None
    logprobs: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One or more prompts, each to be continued `num_choices` times in the same way.

    `wanted_tokens` is the explicit limit of each reply, and `default_tokens` the limit without one;
    with neither, the context is the limit. `stops` are literal stop strings. `prompt_logprobs` is
    the number of alternatives to report with each prompt token; None: no log-probabilities of
    prompts. With `echoes_prompt` the text of every choice begins with its prompt. `form` is what
    every reply has to be, and `form_field` where that was said. `prompt_field` and `form_field`
    are for errors. `is_background`: nobody waits for the replies, so others go first.
    """

    prompts: Sequence[Prompt]
    prompt_field: str
    wanted_tokens: int | None = None
    default_tokens: int | None = None
    sampling: SamplingWishes = field(default_factory=SamplingWishes)
    stops: Sequence[str] = ()
    num_choices: int = 1
    prompt_logprobs: int | None = None
    echoes_prompt: bool = False
    form: TextForm | None = None
    form_field: str = "response_format"
    is_background: bool = False

    @property
    def toolbox(self) -> Toolbox:
        """The tools of its conversation; those of several would have to be the same."""
        chats = (prompt for prompt in self.prompts if isinstance(prompt, ChatPrompt))
        return next((chat.toolbox for chat in chats), Toolbox())
