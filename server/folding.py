"""The other ending of a stream of events: whole choices. Knows no dialect."""

from dataclasses import dataclass, field

from engine.request import ScoredToken
from server.events import (
    ChoiceFinished,
    ContentEvent,
    EndReason,
    Event,
    PromptScored,
    TextDelta,
    ToolCallArguments,
    ToolCallBroken,
    ToolCallStarted,
)
from server.text_stream import PlacedToken


@dataclass(slots=True)
class FoldedCall:
    """A whole tool call. `arguments` is a JSON object as text."""

    id: str
    name: str
    arguments: str = ""


@dataclass(slots=True)
class FoldedChoice:
    """A whole choice: what its events add up to. Broken calls are text."""

    text: str = ""
    calls: dict[int, FoldedCall] = field(default_factory=dict)
    tokens: list[PlacedToken] = field(default_factory=list)
    prompt_scores: list[ScoredToken] = field(default_factory=list)
    reason: EndReason | None = None
    stop_string: str | None = None
    mean_logprob: float | None = None

    @property
    def tool_calls(self) -> list[FoldedCall]:
        return list(self.calls.values())

    def add(self, event: Event) -> None:
        """Take the next event of this choice."""
        match event:
            case TextDelta():
                self.text += event.text
            case ToolCallStarted():
                self.calls[event.index] = FoldedCall(event.id, event.name)
            case ToolCallArguments():
                self.calls[event.index].arguments += event.text
            case ToolCallBroken():
                del self.calls[event.index]
                self.text += event.text
            case PromptScored():
                self.prompt_scores += event.tokens
            case ChoiceFinished():
                self.reason, self.stop_string = event.reason, event.stop_string
                self.mean_logprob = event.mean_logprob
        if isinstance(event, ContentEvent):
            self.tokens += event.tokens
