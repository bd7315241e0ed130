"""The network against the reference implementation in fp32, and against itself in any grouping."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import GraniteMoeHybridForCausalLM

from kernels.interface import Kernels
from kernels.library_path import library_path
from kernels.native_library import NativeKernels
from kernels.torch_kernels import TorchKernels
from model_loader.load import load_model
from model_loader.network import Network
from model_loader.rows import FlatBatch, Segment
from model_loader.state import HybridState
from tests.tiny_checkpoint import TinyShape, load_oracle, write_checkpoint

pytestmark = pytest.mark.slow  # the reference is slow

BLOCK, PAGE = 16, 32
SHAPES = {
    "mamba first": TinyShape(),
    "attention first, two groups": TinyShape(
        layers="AMMA", mamba_n_groups=2, mamba_n_heads=4, num_key_value_heads=4, mamba_d_state=24
    ),
    "odd sizes, short convolution": TinyShape(
        hidden_size=72,
        layers="MAMMMA",
        num_attention_heads=6,
        num_key_value_heads=3,
        mamba_n_heads=3,
        mamba_d_conv=2,
        shared_intermediate_size=50,
        vocab_size=263,
    ),
}
BOUNDARY_LENGTHS = [1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 255, 256, 257, 513]


@dataclass
class Model:
    network: Network
    oracle: GraniteMoeHybridForCausalLM
    vocab_size: int

    def new_state(self, slots: int = 4) -> HybridState:
        state = HybridState(
            self.network.config,
            num_slots=slots,
            num_pages=slots * 20,
            page_length=PAGE,
            block_length=BLOCK,
            dtype=torch.float32,
            device=torch.device("cpu"),
        )
        for slot in range(slots):
            state.reset(slot)
        return state

    def random_ids(self, length: int, seed: int) -> list[int]:
        generator = torch.Generator().manual_seed(seed)
        return torch.randint(self.vocab_size, (length,), generator=generator).tolist()

    @torch.inference_mode()
    def reference_logits(self, ids: list[int]) -> Tensor:
        logits: Tensor = self.oracle(torch.tensor([ids])).logits[0]
        return logits

    @torch.inference_mode()
    def reference_continuation(self, prompt: list[int], count: int) -> list[int]:
        """Greedy, with the reference's own cache."""
        answer = self.oracle(torch.tensor([prompt]), use_cache=True)
        tokens = [int(answer.logits[0, -1].argmax())]
        while len(tokens) < count:
            answer = self.oracle(
                torch.tensor([tokens[-1:]]), past_key_values=answer.past_key_values, use_cache=True
            )
            tokens.append(int(answer.logits[0, -1].argmax()))
        return tokens


@dataclass
class Sequence:
    """A sequence fed to the network in pieces; slot and pages are its own."""

    ids: list[int]
    slot: int
    done: int = 0
    logits: list[Tensor] = field(default_factory=list)

    def take(self, count: int) -> Segment:
        piece = self.ids[self.done : self.done + count]
        pages = range(self.slot * 20, (self.slot + 1) * 20)
        segment = Segment(
            slot=self.slot, start=self.done, token_ids=piece, pages=pages, num_logits=1
        )
        self.done += len(piece)
        return segment


def step(model: Model, state: HybridState, *work: tuple[Sequence, int]) -> None:
    segments = [sequence.take(count) for sequence, count in work]
    logits = model.network(FlatBatch.build(segments, state.layout, state.device), state)
    for (sequence, _), row in zip(work, logits, strict=True):
        sequence.logits.append(row)


def last_logits(model: Model, ids: list[int], chunks: list[int]) -> Tensor:
    state, sequence = model.new_state(), Sequence(ids, slot=1)
    for count in chunks:
        step(model, state, (sequence, count))
    return sequence.logits[-1]


@pytest.fixture(scope="module", params=["torch", "native"])
def kernels(request: pytest.FixtureRequest) -> Kernels:
    if request.param == "torch":
        return TorchKernels()
    if not library_path().exists():
        pytest.skip("installed without a C++ compiler")
    return NativeKernels(2)


@pytest.fixture(scope="module", params=SHAPES)
def model(
    request: pytest.FixtureRequest, kernels: Kernels, tmp_path_factory: pytest.TempPathFactory
) -> Model:
    shape = SHAPES[request.param]
    directory: Path = write_checkpoint(tmp_path_factory.mktemp("checkpoint"), shape)
    network = load_model(
        directory, torch.float32, torch.device("cpu"), lambda share: None, kernels=kernels
    ).network
    return Model(network, load_oracle(directory), shape.vocab_size)


@pytest.mark.parametrize("length", BOUNDARY_LENGTHS)
def test_prefill_logits_are_the_references(model: Model, length: int) -> None:
    ids = model.random_ids(length, seed=length)
    difference = last_logits(model, ids, [length]) - model.reference_logits(ids)[-1]
    assert difference.abs().max() <= 1e-4


@pytest.mark.parametrize("length", [17, 257])
def test_logits_after_every_token_are_the_references(model: Model, length: int) -> None:
    ids = model.random_ids(length, seed=length)
    state, sequence = model.new_state(), Sequence(ids, slot=0)
    for _ in range(length):
        step(model, state, (sequence, 1))
    difference = torch.stack(sequence.logits) - model.reference_logits(ids)
    assert difference.abs().max() <= 1e-4


@pytest.mark.parametrize("length", [1, BLOCK, 255, 257])
def test_greedy_continuation_is_the_references(model: Model, length: int) -> None:
    prompt = model.random_ids(length, seed=length)
    state, sequence = model.new_state(), Sequence(list(prompt), slot=2)
    step(model, state, (sequence, length))
    for _ in range(64):
        sequence.ids.append(int(sequence.logits[-1].argmax()))
        step(model, state, (sequence, 1))
    assert sequence.ids == prompt + model.reference_continuation(prompt, 64)


@pytest.mark.parametrize(
    "chunks", [[1] * 257, [1, 256], [15, 1, 1, 240], [100, 100, 57], [16] * 16 + [1], [255, 2]]
)
def test_any_chunking_gives_the_same_bits(model: Model, chunks: list[int]) -> None:
    ids = model.random_ids(257, seed=5)
    assert torch.equal(last_logits(model, ids, chunks), last_logits(model, ids, [257]))


def test_mixed_prefill_and_decode_give_each_sequence_the_bits_it_has_alone(model: Model) -> None:
    lengths = [40, 90, 3, 70]
    alone = [
        last_logits(model, model.random_ids(length, seed=length), [length]) for length in lengths
    ]
    state = model.new_state()
    first, second, third, fourth = (
        Sequence(model.random_ids(length, seed=length), slot) for slot, length in enumerate(lengths)
    )
    step(model, state, (first, 39), (third, 2))
    step(model, state, (second, 50), (first, 1), (fourth, 17))
    step(model, state, (third, 1), (fourth, 52), (second, 39))
    step(model, state, (fourth, 1), (second, 1))
    for sequence, expected in zip((first, second, third, fourth), alone, strict=True):
        assert sequence.done == len(sequence.ids)
        assert torch.equal(sequence.logits[-1], expected)


def test_a_reset_slot_forgets_a_poisoned_predecessor(model: Model) -> None:
    ids = model.random_ids(50, seed=1)
    clean = last_logits(model, ids, [50])
    state = model.new_state()
    for tensor in (state.boundary, state.ring_x, state.ring_b, state.ring_dt, state.windows):
        tensor.fill_(torch.nan)
    state.keys.fill_(torch.nan)
    state.values.fill_(torch.nan)
    state.reset(1)
    sequence = Sequence(ids, slot=1)
    step(model, state, (sequence, 50))
    assert torch.equal(sequence.logits[-1], clean)


def test_segments_that_cannot_be_laid_out_are_refused(model: Model) -> None:
    layout, device = model.new_state().layout, torch.device("cpu")

    def segment(slot: int, tokens: int, pages: int) -> Segment:
        return Segment(slot=slot, start=0, token_ids=[1] * tokens, pages=range(pages), num_logits=0)

    for segments in ([segment(0, 0, 1)], [segment(0, 33, 1)], [segment(0, 1, 1)] * 2):
        with pytest.raises(ValueError, match="slot"):
            FlatBatch.build(segments, layout, device)
