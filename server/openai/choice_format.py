"""How a choice is written, whole or in chunks, and the shape that it has in chat."""

from collections.abc import Sequence
from typing import Any, Protocol

from model_loader.tokenizer import Tokenizer
from server.events import (
    ChoiceFinished,
    ContentEvent,
    TextDelta,
    ToolCallArguments,
    ToolCallBroken,
    ToolCallStarted,
)
from server.folding import FoldedChoice
from server.openai.call_format import CallFormat
from server.openai.logprobs import chat_logprobs, prompt_logprobs


class ChoiceFormat(Protocol):
    """All methods but `opening` and `beside` return one element of `choices`."""

    body_object: str
    chunk_object: str
    id_prefix: str

    def opening(self, event: ContentEvent | ChoiceFinished) -> dict[str, Any] | None:
        """What a stream says of a choice before its first event, if anything."""
        ...

    def delta(self, event: ContentEvent) -> dict[str, Any] | None:
        """None if there is nothing that this reply would say."""
        ...

    def finish(self, event: ChoiceFinished) -> dict[str, Any]: ...

    def whole(self, index: int, choice: FoldedChoice) -> dict[str, Any]: ...

    def beside(self, choices: Sequence[FoldedChoice]) -> dict[str, Any]:
        """What a whole body says beside its choices."""
        ...


class ChatFormat:
    body_object = "chat.completion"
    chunk_object = "chat.completion.chunk"
    id_prefix = "chatcmpl"

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        with_logprobs: bool,
        calls: CallFormat,
        num_prompt_logprobs: int | None = None,
    ) -> None:
        """`num_prompt_logprobs` is None, or the number of alternatives with each prompt token."""
        self._tokenizer = tokenizer
        self._with_logprobs = with_logprobs
        self._calls = calls
        self._num_prompt_logprobs = num_prompt_logprobs

    def opening(self, event: ContentEvent | ChoiceFinished) -> dict[str, Any] | None:
        content = None if isinstance(event, ToolCallStarted) else ""
        return self._chunk(event.choice, {"role": "assistant", "content": content}, None, None)

    def delta(self, event: ContentEvent) -> dict[str, Any] | None:
        """A call that broke becomes content, as in a whole reply; its pieces are out already."""
        if not (isinstance(event, ToolCallStarted) or event.text or self._with_logprobs):
            return None
        match event:
            case ToolCallStarted():
                delta = self._calls.started(event)
            case ToolCallArguments():
                delta = self._calls.arguments(event)
            case TextDelta() | ToolCallBroken():
                delta = {"content": event.text}
        logprobs = chat_logprobs(event.tokens, self._tokenizer) if self._with_logprobs else None
        return self._chunk(event.choice, delta, logprobs, None)

    def finish(self, event: ChoiceFinished) -> dict[str, Any]:
        return self._chunk(event.choice, {}, None, self._calls.finish_reason(event.reason))

    def whole(self, index: int, choice: FoldedChoice) -> dict[str, Any]:
        logprobs = chat_logprobs(choice.tokens, self._tokenizer) if self._with_logprobs else None
        calls = self._calls.whole(choice)
        content = choice.text or None if calls else choice.text
        return {
            "index": index,
            "message": {"role": "assistant", "content": content, "refusal": None, **calls},
            "logprobs": logprobs,
            "finish_reason": choice.reason and self._calls.finish_reason(choice.reason),
        }

    def beside(self, choices: Sequence[FoldedChoice]) -> dict[str, Any]:
        """The choices share one prompt, so its log-probabilities are not repeated in each."""
        if self._num_prompt_logprobs is None:
            return {}
        scores = choices[0].prompt_scores
        told = prompt_logprobs(scores, self._tokenizer, self._num_prompt_logprobs)
        return {"prompt_logprobs": told}

    @staticmethod
    def _chunk(
        index: int,
        delta: dict[str, Any],
        logprobs: dict[str, Any] | None,
        finish_reason: str | None,
    ) -> dict[str, Any]:
        return {
            "index": index,
            "delta": delta,
            "logprobs": logprobs,
            "finish_reason": finish_reason,
        }
