"""What the scheduler has to tell those who submitted generations."""

from dataclasses import dataclass

from engine.errors import EngineError
from engine.request import GenerationEvent


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The generation has ended because it was cancelled; everything it held is free."""


@dataclass(frozen=True, slots=True)
class Output:
    """News for the submitter of a generation. An error or `Cancelled` ends all its choices."""

    generation: int
    event: GenerationEvent | EngineError | Cancelled
