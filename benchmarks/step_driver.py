"""Runs steps of a network the way the engine's runner does, without scheduler and processes."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from benchmarks.operation_clock import BATCH_LAYOUT, BETWEEN, SAMPLING, OperationClock
from model_loader.config import ModelConfig
from model_loader.rows import FlatBatch, Segment
from model_loader.state import HybridState
from sampling.history import TokenHistory
from sampling.params import SamplingParams
from sampling.sampler import SampledToken, Sampler, SamplerRow

Network = Callable[[FlatBatch, HybridState], Tensor]
BLOCK_LENGTH = 16
PAGE_LENGTH = 64


class StepDriver:
    """One sequence per slot, each with pages for `max_tokens` tokens of its own.

    Tokens are drawn at temperature 1 from the whole vocabulary, the default of the API.
    """

    def __init__(
        self,
        network: Network,
        config: ModelConfig,
        *,
        num_slots: int,
        max_tokens: int,
        dtype: torch.dtype,
    ) -> None:
        self._network = network
        self._vocab_size = config.vocab_size
        self._pages_per_slot = -(-max_tokens // PAGE_LENGTH)
        self.state = HybridState(
            config,
            num_slots=num_slots,
            num_pages=num_slots * self._pages_per_slot,
            page_length=PAGE_LENGTH,
            block_length=BLOCK_LENGTH,
            dtype=dtype,
            device=torch.device("cpu"),
        )
        self._sampler = Sampler()
        self._lengths = [0] * num_slots
        self._next_tokens = [0] * num_slots
        self._histories = [TokenHistory(()) for _ in range(num_slots)]

    def prefill(self, slot: int, num_rows: int, clock: OperationClock) -> None:
        """Start the slot's sequence anew with a prompt of `num_rows` tokens, in one step."""
        self.state.reset(slot)
        self._lengths[slot] = 0
        prompt = [1 + token % (self._vocab_size - 1) for token in range(num_rows)]
        self._histories[slot] = TokenHistory(prompt)
        self._step({slot: prompt}, clock)

    def decode(self, num_sequences: int, clock: OperationClock) -> None:
        """One token for each of the first slots."""
        self._step({slot: [self._next_tokens[slot]] for slot in range(num_sequences)}, clock)

    def forward_only(self, num_sequences: int) -> None:
        """The network's part of a decode step, without drawing: the same tokens once more."""
        tokens = {slot: [self._next_tokens[slot]] for slot in range(num_sequences)}
        self._network(self._layout(tokens), self.state)
        self._advance(tokens)

    def _step(self, tokens: Mapping[int, Sequence[int]], clock: OperationClock) -> None:
        with clock.measure(BETWEEN):
            with clock.measure(BATCH_LAYOUT):
                batch = self._layout(tokens)
            logits = self._network(batch, self.state)
            with clock.measure(SAMPLING):
                drawn = self._sampler.sample(logits, [self._sampler_row(slot) for slot in tokens])
        self._advance(tokens)
        for slot, token in zip(tokens, drawn, strict=True):
            if not isinstance(token, SampledToken):
                raise ArithmeticError(f"no token could be drawn: {token}")
            self._next_tokens[slot] = token.token_id
            self._histories[slot].append(token.token_id)

    def _layout(self, tokens: Mapping[int, Sequence[int]]) -> FlatBatch:
        per_slot = self._pages_per_slot
        segments = [
            Segment(
                slot=slot,
                start=self._lengths[slot],
                token_ids=token_ids,
                pages=range(slot * per_slot, (slot + 1) * per_slot),
                num_logits=1,
            )
            for slot, token_ids in tokens.items()
        ]
        return FlatBatch.build(segments, self.state.layout, self.state.device)

    def _advance(self, tokens: Mapping[int, Sequence[int]]) -> None:
        for slot, token_ids in tokens.items():
            self._lengths[slot] += len(token_ids)

    def _sampler_row(self, slot: int) -> SamplerRow:
        return SamplerRow(
            params=SamplingParams(max_tokens=1),
            seed=slot,
            choice=0,
            position=self._lengths[slot],
            history=self._histories[slot],
        )
