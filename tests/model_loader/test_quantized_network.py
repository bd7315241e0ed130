"""The network on packed weights: near the plain one, and the same bits in any grouping of rows."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from kernels.library_path import library_path
from kernels.native_library import NativeKernels
from kernels.torch_kernels import TorchKernels
from model_loader.footprint import Precision, Quantization, weight_bytes
from model_loader.load import LoadedModel, load_model
from model_loader.rows import FlatBatch, Segment
from model_loader.state import HybridState
from tests.tiny_checkpoint import TinyShape, write_checkpoint

pytestmark = pytest.mark.skipif(
    not library_path().exists(), reason="installed without a C++ compiler"
)
SHAPE = TinyShape(
    hidden_size=128, layers="MMAMMA", mamba_d_state=32, shared_intermediate_size=192, vocab_size=350
)
CPU = torch.device("cpu")
IDS = [(7 * position + position**2) % 350 for position in range(137)]
FORMS: list[Quantization] = ["none", "int8", "int4"]
PAGES = range(4, 14)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("checkpoint"), SHAPE)


def load(checkpoint: Path, form: Quantization, threads: int = 2) -> LoadedModel:
    return load_model(
        checkpoint,
        torch.bfloat16,
        CPU,
        lambda share: None,
        kernels=NativeKernels(threads),
        quantization=form,
    )


def logits(model: LoadedModel, chunks: list[int], neighbours: int = 0) -> Tensor:
    """Of the last position, the prompt read in pieces beside other sequences."""
    return all_logits(model, chunks, neighbours)[-1]


def all_logits(model: LoadedModel, chunks: list[int], neighbours: int = 0) -> Tensor:
    """Of the last step: those of every second neighbour come before the prompt's."""
    state = HybridState(
        model.config,
        num_slots=8,
        num_pages=60,
        page_length=32,
        block_length=16,
        dtype=model.activation_dtype,
        device=CPU,
    )
    for slot in (*range(neighbours), 7):
        state.reset(slot)
    done = 0
    last = torch.empty(0)
    for number, count in enumerate(chunks):
        segments = [
            Segment(
                slot=other,
                start=number,
                token_ids=[other * 11],
                pages=[20 + other],
                num_logits=other % 2,
            )
            for other in range(neighbours)
        ]
        piece = IDS[done : done + count]
        segments.append(Segment(slot=7, start=done, token_ids=piece, pages=PAGES, num_logits=1))
        last = model.network(FlatBatch.build(segments, state.layout, CPU), state)
        done += count
    return last


@pytest.mark.parametrize("form", FORMS)
def test_chunks_neighbours_and_threads_never_change_a_bit(
    checkpoint: Path, form: Quantization
) -> None:
    model = load(checkpoint, form)
    whole = logits(model, [137])
    assert torch.equal(whole, logits(model, [1, 1, 1, 60, 1, 31, 42]))
    assert torch.equal(whole, logits(model, [64, 73], neighbours=5))
    assert torch.equal(whole, logits(load(checkpoint, form, threads=1), [100, 37]))


@pytest.mark.parametrize(("form", "limit"), [("none", 1e-4), ("int8", 2e-4), ("int4", 2e-3)])
def test_the_distribution_stays_near_that_of_plain_fp32(
    checkpoint: Path, form: Quantization, limit: float
) -> None:
    plain = load_model(checkpoint, torch.float32, CPU, lambda share: None, kernels=TorchKernels())
    expected = logits(plain, [137]).log_softmax(0)
    actual = logits(load(checkpoint, form), [137]).log_softmax(0)
    divergence = (expected.exp() * (expected - actual)).sum()
    assert 0 <= divergence < limit


@pytest.mark.parametrize("form", ["int8", "int4"])
def test_the_twin_of_the_packed_network_agrees(checkpoint: Path, form: Quantization) -> None:
    twin = load_model(
        checkpoint,
        torch.bfloat16,
        CPU,
        lambda share: None,
        kernels=TorchKernels(),
        quantization=form,
    )
    assert (logits(twin, [137]) - logits(load(checkpoint, form), [137])).abs().max() < 0.05


@pytest.mark.parametrize("form", FORMS)
def test_the_announced_bytes_are_about_those_in_memory(
    checkpoint: Path, form: Quantization
) -> None:
    model = load(checkpoint, form)
    announced = weight_bytes(model.config, Precision("bf16", form, is_native=True))
    assert model.weight_bytes == pytest.approx(announced, rel=0.05)
    assert model.num_parameters == 1_024_992 - 2 * 128


@pytest.mark.parametrize("layers", ["MMAMMA", "MAM"])
@pytest.mark.parametrize("form", FORMS)
def test_one_native_call_gives_the_bits_of_the_operations_one_by_one(
    tmp_path: Path, form: Quantization, layers: str
) -> None:
    checkpoint = write_checkpoint(tmp_path, replace(SHAPE, layers=layers))
    at_once, one_by_one = load(checkpoint, form), load(checkpoint, form)
    vars(one_by_one.network)["native_layers"] = None
    assert at_once.network.native_layers is not None
    for chunks, neighbours in (([137], 0), ([40, 33, 64], 3), ([1] * 30, 5)):
        expected = all_logits(one_by_one, chunks, neighbours)
        assert torch.equal(all_logits(at_once, chunks, neighbours), expected)


def test_layers_that_do_not_fill_panels_go_one_by_one(tmp_path: Path) -> None:
    shape = TinyShape(hidden_size=128, layers="MA", shared_intermediate_size=72, vocab_size=350)
    model = load(write_checkpoint(tmp_path, shape), "int8")
    assert model.network.native_layers is None
    assert torch.isfinite(logits(model, [137])).all()
