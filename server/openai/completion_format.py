"""How a choice of a completion is written. Bodies and chunks have the same shape."""

from collections.abc import Sequence
from typing import Any

from model_loader.tokenizer import Tokenizer
from server.events import ChoiceFinished, ContentEvent, TextDelta
from server.folding import FoldedChoice
from server.openai.logprobs import completion_logprobs, prompt_logprobs


class CompletionFormat:
    """`num_prompt_logprobs` is None, or the number of alternatives with each prompt token."""

    body_object = "text_completion"
    chunk_object = "text_completion"
    id_prefix = "cmpl"

    def __init__(
        self,
        tokenizer: Tokenizer,
        *,
        with_logprobs: bool,
        num_prompt_logprobs: int | None = None,
    ) -> None:
        self._tokenizer = tokenizer
        self._with_logprobs = with_logprobs
        self._num_prompt_logprobs = num_prompt_logprobs

    def opening(self, event: ContentEvent | ChoiceFinished) -> None:
        """Completions begin with text."""

    def delta(self, event: ContentEvent) -> dict[str, Any] | None:
        """There are no tools here, so there are no calls either."""
        if not isinstance(event, TextDelta):
            return None
        return self.whole(event.choice, FoldedChoice(text=event.text, tokens=list(event.tokens)))

    def finish(self, event: ChoiceFinished) -> dict[str, Any]:
        return {
            "index": event.choice,
            "text": "",
            "logprobs": None,
            "finish_reason": event.reason.value,
        }

    def whole(self, index: int, choice: FoldedChoice) -> dict[str, Any]:
        written: dict[str, Any] = {
            "index": index,
            "text": choice.text,
            "logprobs": completion_logprobs(choice.tokens, self._tokenizer)
            if self._with_logprobs
            else None,
            "finish_reason": choice.reason,
        }
        if self._num_prompt_logprobs is not None:
            written["prompt_logprobs"] = prompt_logprobs(
                choice.prompt_scores, self._tokenizer, self._num_prompt_logprobs
            )
        return written

    def beside(self, choices: Sequence[FoldedChoice]) -> dict[str, Any]:
        """All is said in the choices."""
        return {}
