"""The two endings of a reply: a stream of events, or one body. Both see the same events."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from pydantic_core import to_json

from kernels.errors import GraniteError
from server.events import ChoiceFinished, ContentEvent, Progress, PromptScored
from server.folding import FoldedChoice
from server.generation import Reply
from server.openai.choice_format import ChoiceFormat
from server.openai.envelope import Identity
from server.sse import data_frame

DONE_FRAME = b"data: [DONE]\n\n"


async def whole_body(
    reply: Reply,
    shape: ChoiceFormat,
    identity: Identity,
    shown: Callable[[list[FoldedChoice]], list[FoldedChoice]],
) -> bytes:
    """`shown` picks the choices to write. Raises EngineError if the generation failed."""
    choices = shown(await reply.fold())
    written = [shape.whole(index, choice) for index, choice in enumerate(choices)]
    body = identity.envelope(shape.body_object, written)
    return to_json({**body, **shape.beside(choices), "usage": identity.usage(reply.usage)})


class ChunkWriter:
    """Writes one reply as frames. With `usage_in_between`, each chunk has the counts so far."""

    def __init__(
        self,
        reply: Reply,
        shape: ChoiceFormat,
        identity: Identity,
        *,
        includes_usage: bool,
        usage_in_between: bool,
    ) -> None:
        self._reply = reply
        self._shape = shape
        self._identity = identity
        self._includes_usage = includes_usage
        self._usage_in_between = usage_in_between

    async def frames(self) -> AsyncGenerator[bytes]:
        """Raises EngineError if the generation failed; usage, if asked for, is out by then."""
        opened: set[int] = set()
        try:
            async with aclosing(self._reply.events()) as events:
                async for event in events:
                    if isinstance(event, Progress | PromptScored):
                        continue
                    is_first = event.choice not in opened
                    opened.add(event.choice)
                    for choice in self._choices_of(event, is_first=is_first):
                        yield self._chunk(choice)
        except GraniteError:
            if opened and self._includes_usage:
                yield self._usage_chunk()
            raise
        if self._includes_usage:
            yield self._usage_chunk()
        yield DONE_FRAME

    def _choices_of(
        self, event: ContentEvent | ChoiceFinished, *, is_first: bool
    ) -> list[dict[str, Any]]:
        shape = self._shape
        opening = shape.opening(event) if is_first else None
        written = shape.finish(event) if isinstance(event, ChoiceFinished) else shape.delta(event)
        return [choice for choice in (opening, written) if choice is not None]

    def _chunk(self, choice: dict[str, Any]) -> bytes:
        chunk = self._identity.envelope(self._shape.chunk_object, [choice])
        if self._includes_usage and self._usage_in_between:
            chunk["usage"] = self._identity.usage(self._reply.usage)
        elif self._includes_usage and self._identity.nulls_usage:
            chunk["usage"] = None
        return data_frame(chunk)

    def _usage_chunk(self) -> bytes:
        chunk = self._identity.envelope(self._shape.chunk_object, [])
        return data_frame({**chunk, "usage": self._identity.usage(self._reply.usage)})
