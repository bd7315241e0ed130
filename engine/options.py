"""What the engine is told once, at start. Plain values only: they cross the process boundary."""

from dataclasses import dataclass

from model_loader.footprint import Quantization


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """Resolved settings of the worker; nothing here means "choose for me".

    Sizes are in tokens unless named otherwise. `block_length` is the distance Q between kept
    recurrent states; `page_length` is the number of tokens in one K/V page. `dtype` is that
    of plain weights; `is_native` picks the C++ kernels, whose activations and state are fp32;
    `rows_beside_decode` are the prompt rows that a step of replies may have, or None to measure;
    `keeps_packed` leaves packed weights beside the checkpoint; `log_level` is for what the worker
    and the loader log; `grammar_seconds` of processor time may be taken to say what follows in a
    grammar.
    """

    checkpoint: str
    dtype: str = "bf16"
    quantization: Quantization = "none"
    is_native: bool = False
    keeps_packed: bool = False
    device: str = "cpu"
    threads: int = 1
    block_length: int = 16
    page_length: int = 64
    num_slots: int = 16
    context_length: int = 4096
    num_pages: int = 1024
    step_rows: int = 256
    rows_beside_decode: int | None = None
    max_queued_requests: int = 64
    max_queued_tokens: int = 262_144
    queue_timeout_seconds: float = 60.0
    request_timeout_seconds: float = 3600.0
    step_timeout_seconds: float = 300.0
    grammar_seconds: float = 2.0
    max_preemptions: int = 8
    output_queue_events: int = 8192
    log_level: str = "warning"

    @property
    def longest_sequence(self) -> int:
        """Prompt and reply of one sequence: the context, or what all pages together can hold."""
        return min(self.context_length, self.num_pages * self.page_length)
