"""How a generation can fail, as its submitter sees it. The HTTP layer maps these to statuses."""

from kernels.errors import GraniteError


class EngineError(GraniteError):
    """A generation could not be started or finished."""


class QueueFull(EngineError):
    """The waiting room is full; `retry_after` seconds is a fair guess of when to come back."""

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class EngineUnavailable(EngineError):
    """The worker is loading, restarting, draining or has failed for good."""

    def __init__(self, message: str, retry_after: int = 5) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class QueueTimeout(EngineUnavailable):
    """The request waited longer than the queue deadline without being started."""


class DeadlineExceeded(EngineError):
    """The request ran longer than its total deadline."""


class WorkerDied(EngineError):
    """The worker process ended while this generation was in flight."""


class InvalidRequest(EngineError):
    """The prompt is empty, holds ids outside the vocabulary, or leaves no room in the context."""


class NumericError(EngineError):
    """The network produced non-finite logits for this request; other requests are not affected."""


class GrammarFailed(EngineError):
    """The request's grammar allows nothing that could be generated next, or became too complex."""


class OutOfMemory(EngineError):
    """The machine lacks the memory for this request, or gave it to older requests too often."""


class SlowReader(EngineError):
    """The consumer did not take its tokens; the generation was cancelled to protect the others."""
