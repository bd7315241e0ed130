"""What the second start reads is what the first one packed, or it packs again."""

import logging
from pathlib import Path

import pytest
import torch

from kernels.packing import Format, PackedWeight
from kernels.torch_kernels import TorchKernels
from model_loader.footprint import Quantization
from model_loader.load import LoadedModel, load_model
from model_loader.projection import Projection
from tests.tiny_checkpoint import TinyShape, write_checkpoint

SHAPE = TinyShape(hidden_size=64, layers="MA")
CACHE = "packed-int8.granite"


class CountingKernels(TorchKernels):
    """Counts how many weights are packed."""

    def __init__(self) -> None:
        self.num_packed = 0

    def pack(self, weight: torch.Tensor, format: Format) -> PackedWeight:
        self.num_packed += 1
        return super().pack(weight, format)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "checkpoint", SHAPE)


def load(checkpoint: Path, form: Quantization = "int8") -> tuple[LoadedModel, int]:
    kernels = CountingKernels()
    model = load_model(
        checkpoint,
        torch.bfloat16,
        torch.device("cpu"),
        lambda share: None,
        kernels=kernels,
        quantization=form,
        keeps_packed=True,
    )
    return model, kernels.num_packed


def packed_bytes(model: LoadedModel) -> dict[str, torch.Tensor]:
    return {
        name: module.packed_data()
        for name, module in model.network.named_modules()
        if isinstance(module, Projection) and module.parts
    }


def assert_same_weights(left: LoadedModel, right: LoadedModel) -> None:
    first, second = packed_bytes(left), packed_bytes(right)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_second_start_packs_nothing_and_has_the_same_weights(checkpoint: Path) -> None:
    first, num_packed = load(checkpoint)
    assert num_packed == len(packed_bytes(first)) > 0
    second, num_packed_again = load(checkpoint)
    assert num_packed_again == 0
    assert_same_weights(first, second)
    assert [path.name for path in checkpoint.glob("*granite*")] == [CACHE]


def test_each_form_has_a_cache_of_its_own(checkpoint: Path) -> None:
    load(checkpoint, "int8")
    assert load(checkpoint, "int4")[1] > 0
    assert load(checkpoint, "int8")[1] == 0


def test_other_weights_make_the_cache_a_miss(checkpoint: Path) -> None:
    load(checkpoint)
    write_checkpoint(checkpoint, SHAPE, seed=9)
    changed, num_packed = load(checkpoint)
    assert num_packed > 0
    again, num_packed_again = load(checkpoint)
    assert num_packed_again == 0
    assert_same_weights(changed, again)


@pytest.mark.parametrize("place", [0, 40, -1, -5000])
def test_a_damaged_cache_is_never_served(checkpoint: Path, place: int) -> None:
    first, _ = load(checkpoint)
    content = bytearray((checkpoint / CACHE).read_bytes())
    content[place] ^= 0xFF
    (checkpoint / CACHE).write_bytes(content)
    second, num_packed = load(checkpoint)
    assert num_packed > 0
    assert_same_weights(first, second)
    third, _ = load(checkpoint)
    assert_same_weights(first, third)
    assert load(checkpoint)[1] == 0


@pytest.mark.parametrize("length", [0, 7, 100, -1])
def test_a_truncated_cache_is_a_miss(checkpoint: Path, length: int) -> None:
    first, _ = load(checkpoint)
    content = (checkpoint / CACHE).read_bytes()
    (checkpoint / CACHE).write_bytes(content[:length])
    second, num_packed = load(checkpoint)
    assert num_packed > 0
    assert_same_weights(first, second)


def test_a_start_that_fails_leaves_no_cache(checkpoint: Path) -> None:
    weights = checkpoint / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-4:] = b"\xff\xff\xff\xff"  # NaN in the last tensor
    weights.write_bytes(content)
    with pytest.raises(Exception, match="not finite"):
        load(checkpoint)
    assert not list(checkpoint.glob("*granite*"))


def test_a_checkpoint_that_cannot_be_written_to_is_served_all_the_same(
    checkpoint: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, *_: object) -> None:
        raise OSError(30, "Read-only file system", str(path))

    with monkeypatch.context() as patched, caplog.at_level(logging.WARNING):
        patched.setattr("model_loader.packed_cache.PackedCache._begin", refuse)
        model, num_packed = load(checkpoint)
    assert num_packed == len(packed_bytes(model))
    assert "Read-only file system" in caplog.text
    assert not list(checkpoint.glob("*granite*"))
