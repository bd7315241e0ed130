"""The prompt as the beginning of its reply, each token in its place. Knows no dialect."""

import codecs
from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from itertools import zip_longest

from engine.request import ScoredToken, TokenEvent
from model_loader.tokenizer import Tokenizer
from server.events import Event, Progress, PromptScored, TextDelta
from server.text_stream import PlacedToken


@dataclass(frozen=True, slots=True)
class PromptEcho:
    """`starts` is where the text of each token begins, in characters.

    Tokens are told with at most `num_alternatives` others, if the prompt is scored.
    """

    token_ids: tuple[int, ...]
    starts: tuple[int, ...]
    text: str
    num_alternatives: int

    @classmethod
    def of(
        cls, token_ids: tuple[int, ...], tokenizer: Tokenizer, num_alternatives: int
    ) -> "PromptEcho":
        """The exact text of the ids: control tokens are spelt out."""
        utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")
        pieces, starts, length = [], [], 0
        for token_id in token_ids:
            starts.append(length)
            pieces.append(utf8.decode(tokenizer.token_bytes(token_id)))
            length += len(pieces[-1])
        pieces.append(utf8.decode(b"", final=True))
        return cls(token_ids, tuple(starts), "".join(pieces), num_alternatives)

    def delta(self, choice: int, scores: Sequence[ScoredToken]) -> TextDelta:
        """What a choice begins with; `scores` are those from the second token on, or none."""
        tokens = tuple(
            PlacedToken(self._event(choice, token_id, score), start)
            for token_id, start, score in zip_longest(self.token_ids, self.starts, [None, *scores])
        )
        return TextDelta(choice, self.text, tokens)

    def _event(self, choice: int, token_id: int, score: ScoredToken | None) -> TokenEvent:
        if score is None:
            return TokenEvent(choice=choice, token_id=token_id)
        return TokenEvent(
            choice=choice,
            token_id=token_id,
            logprob=score.logprob,
            top_logprobs=score.top_logprobs[: self.num_alternatives],
        )

    def before(self, delta: TextDelta) -> TextDelta:
        """The same text, with its tokens placed after those of the prompt."""
        shift = len(self.text)
        tokens = (replace(token, start=token.start + shift) for token in delta.tokens)
        return replace(delta, tokens=tuple(tokens))


async def after_prompts(
    events: AsyncGenerator[Event], echoes: Sequence[PromptEcho]
) -> AsyncGenerator[Event]:
    """Let every choice begin with its prompt, as soon as there is anything to say of the choice.

    `echoes` has one entry for each choice; closing this generator closes `events`.
    """
    scores: dict[int, list[ScoredToken]] = defaultdict(list)
    begun: set[int] = set()
    async with aclosing(events):
        async for event in events:
            if isinstance(event, PromptScored):
                scores[event.choice] += event.tokens
            elif not isinstance(event, Progress) and event.choice not in begun:
                begun.add(event.choice)
                yield echoes[event.choice].delta(event.choice, scores.pop(event.choice, ()))
            if isinstance(event, TextDelta):
                event = echoes[event.choice].before(event)
            yield event
