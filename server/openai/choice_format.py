"""How a choice is written: whole or in chunks, in the shape of chat and in that of completions."""

from typing import Any, Protocol

from model_loader.tokenizer import Tokenizer
from server.events import ChoiceFinished, TextDelta
from server.folding import FoldedChoice
from server.openai.logprobs import chat_logprobs, completion_logprobs


class ChoiceFormat(Protocol):
    """All methods but `opening` return one element of `choices`."""

    body_object: str
    chunk_object: str
    id_prefix: str

    def opening(self, index: int) -> dict[str, Any] | None:
        """What a stream says of a choice before its text, if anything."""
        ...

    def delta(self, event: TextDelta) -> dict[str, Any]: ...

    def finish(self, event: ChoiceFinished) -> dict[str, Any]: ...

    def whole(self, index: int, choice: FoldedChoice) -> dict[str, Any]: ...


class ChatFormat:
    body_object = "chat.completion"
    chunk_object = "chat.completion.chunk"
    id_prefix = "chatcmpl"

    def __init__(self, tokenizer: Tokenizer, *, with_logprobs: bool) -> None:
        self._tokenizer = tokenizer
        self._with_logprobs = with_logprobs

    def opening(self, index: int) -> dict[str, Any] | None:
        return self._chunk(index, {"role": "assistant", "content": ""}, None, None)

    def delta(self, event: TextDelta) -> dict[str, Any]:
        logprobs = chat_logprobs(event.tokens, self._tokenizer) if self._with_logprobs else None
        return self._chunk(event.choice, {"content": event.text}, logprobs, None)

    def finish(self, event: ChoiceFinished) -> dict[str, Any]:
        return self._chunk(event.choice, {}, None, event.reason.value)

    def whole(self, index: int, choice: FoldedChoice) -> dict[str, Any]:
        logprobs = chat_logprobs(choice.tokens, self._tokenizer) if self._with_logprobs else None
        return {
            "index": index,
            "message": {"role": "assistant", "content": choice.text, "refusal": None},
            "logprobs": logprobs,
            "finish_reason": choice.reason,
        }

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


class CompletionFormat:
    """Bodies and chunks have the same shape."""

    body_object = "text_completion"
    chunk_object = "text_completion"
    id_prefix = "cmpl"

    def __init__(self, tokenizer: Tokenizer, *, with_logprobs: bool) -> None:
        self._tokenizer = tokenizer
        self._with_logprobs = with_logprobs

    def opening(self, index: int) -> None:
        """Completions begin with text."""

    def delta(self, event: TextDelta) -> dict[str, Any]:
        return self.whole(event.choice, FoldedChoice(text=event.text, tokens=list(event.tokens)))

    def finish(self, event: ChoiceFinished) -> dict[str, Any]:
        return {
            "index": event.choice,
            "text": "",
            "logprobs": None,
            "finish_reason": event.reason.value,
        }

    def whole(self, index: int, choice: FoldedChoice) -> dict[str, Any]:
        with_logprobs = self._with_logprobs
        return {
            "index": index,
            "text": choice.text,
            "logprobs": completion_logprobs(choice.tokens, self._tokenizer)
            if with_logprobs
            else None,
            "finish_reason": choice.reason,
        }
