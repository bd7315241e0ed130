"""One accepted request on its way out: engine events in, neutral events out. Knows no dialect.

A dialect has two endings for the same events: write them as they come, or fold them into one body.
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from itertools import count, islice

from engine.errors import EngineError, WorkerDied
from engine.interface import Engine, Generation
from engine.request import ChoiceEnded, GenerationRequest, PrefillProgress, PromptLogprobs
from server.choice_stream import ChoiceStream
from server.events import ChoiceFinished, EndReason, Event, Progress, PromptScored, Usage
from server.folding import FoldedChoice
from server.interleave import interleave
from server.prompt_echo import PromptEcho, after_prompts
from server.reply_meter import ReplyMeter
from server.text_stream import ChoiceText, Decoder
from server.tool_splitter import ToolSplitter
from server.tools import ToolChoice


class Reply:
    """The generations of one HTTP request: one per prompt, each with the same number of choices.

    Choices are numbered through: prompt 0 has the first `num_choices`, prompt 1 the next.
    """

    def __init__(
        self,
        requests: Sequence[GenerationRequest],
        generations: Sequence[Generation],
        new_decoder: Callable[[], Decoder],
        stops: Sequence[str],
        meter: ReplyMeter,
        echoes: Sequence[PromptEcho] = (),
        *,
        calls: ToolChoice | None = None,
    ) -> None:
        """With `echoes`, one for each request, the text of every choice begins with its prompt.

        With `calls`, tool calls are taken out of the text.
        """
        self._generations = generations
        self._meter = meter
        self.end_reasons: dict[int, EndReason] = {}
        """Why each choice ended that has ended by itself, by its number."""
        self.has_failed = False
        self.warnings: tuple[str, ...] = ()
        """What of the form that was asked for is not certain."""
        self._echoes = [echo for echo in echoes for _ in range(requests[0].num_choices)]
        self._prompt_tokens = sum(len(request.prompt_ids) for request in requests)
        numbers = count()
        self._choices = [
            [
                ChoiceStream(
                    number,
                    ChoiceText(new_decoder(), stops, request.sampling.min_tokens),
                    ToolSplitter(number, only_one=not calls.parallel) if calls else None,
                )
                for number in islice(numbers, request.num_choices)
            ]
            for request in requests
        ]

    @property
    def usage(self) -> Usage:
        """The counts so far: also right in the middle, after an error and after a cancellation."""
        completion = sum(choice.num_tokens for group in self._choices for choice in group)
        return Usage(self._prompt_tokens, completion)

    @property
    def num_unfinished(self) -> int:
        """Choices that have not ended by themselves."""
        choices = (choice for group in self._choices for choice in group)
        return sum(choice.finish_reason is None for choice in choices)

    def cancel(self) -> None:
        """Give back what the engine holds. May be called at any time and more than once."""
        for generation in self._generations:
            generation.cancel()
        self._meter.ended(self.usage, self.num_unfinished)

    async def events(self) -> AsyncGenerator[Event]:
        """Iterate once. Whatever ends the iteration, the engine is told.

        Raises:
            EngineError: the generation failed; what was yielded before stands.
        """
        try:
            parts = [self._events_of(index) for index in range(len(self._generations))]
            merged = parts[0] if len(parts) == 1 else interleave(parts)
            if self._echoes:
                merged = after_prompts(merged, self._echoes)
            async with aclosing(merged):
                async for event in merged:
                    if isinstance(event, ChoiceFinished):
                        self.end_reasons[event.choice] = event.reason
                    yield event
        except EngineError:
            self.has_failed = True
            raise
        finally:
            self.cancel()

    async def fold(self) -> list[FoldedChoice]:
        """The other ending of `events`: all choices, whole, by number.

        Raises:
            EngineError: the generation failed.
        """
        folded = [FoldedChoice() for group in self._choices for _ in group]
        async with aclosing(self.events()) as events:
            async for event in events:
                folded[event.choice].add(event)
        return folded

    async def _events_of(self, index: int) -> AsyncGenerator[Event]:
        choices = self._choices[index]
        offset = index * len(choices)
        num_running = len(choices)
        try:
            async for event in self._generations[index]:
                choice = offset + event.choice
                if isinstance(event, PrefillProgress):
                    yield Progress(choice, event.processed, event.total)
                    continue
                if isinstance(event, PromptLogprobs):
                    yield PromptScored(choice, event.tokens)
                    continue
                stream = choices[event.choice]
                if stream.finish_reason is not None:  # it has all it needs; its siblings go on
                    continue
                if isinstance(event, ChoiceEnded):
                    stream.end(event)
                else:
                    self._meter.token(choice)
                    for content in stream.feed(event):
                        yield content
                if stream.finish_reason is not None:
                    self._meter.choice_finished(stream.finish_reason)
                    yield stream.finished()
                    num_running -= 1
                    if num_running == 0:
                        return
            raise WorkerDied(
                "the engine ended a generation before all of its choices were finished"
            )
        finally:
            self._generations[index].cancel()


def submit(
    engine: Engine,
    requests: Sequence[GenerationRequest],
    new_decoder: Callable[[], Decoder],
    stops: Sequence[str],
    meter: ReplyMeter,
    echoes: Sequence[PromptEcho] = (),
    *,
    calls: ToolChoice | None = None,
) -> Reply:
    """Hand all prompts of one HTTP request to the engine: all of them, or none.

    Raises:
        EngineError: the engine refused one of them.
    """
    generations: list[Generation] = []
    try:
        for request in requests:
            generations.append(engine.submit(request))
    except BaseException:
        for generation in generations:
            generation.cancel()
        raise
    return Reply(requests, generations, new_decoder, stops, meter, echoes, calls=calls)
