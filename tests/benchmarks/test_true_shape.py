import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from benchmarks.granite_tokenizer import GRANITE_FILES
from benchmarks.random_tensors import SLICE_ELEMENTS, write_shard
from benchmarks.true_shape import tensor_shapes, write_random_weights
from kernels.torch_kernels import TorchKernels
from model_loader.config import read_config
from model_loader.network import Network
from tests.tiny_checkpoint import TinyShape, load_oracle, write_json

SHARD_BYTES = 200_000


def write_shrunken(directory: Path, seed: int = 0) -> dict[str, torch.Tensor]:
    """Published names and layout at a small size, in several shards: all tensors by name."""
    write_json(directory / "config.json", TinyShape(layers="MMAMM").published_config())
    write_random_weights(directory, dtype=torch.bfloat16, seed=seed, shard_bytes=SHARD_BYTES)
    index = json.loads((directory / "model.safetensors.index.json").read_text(encoding="utf-8"))
    weights: dict[str, torch.Tensor] = {}
    for file_name in sorted(set(index["weight_map"].values())):
        shard = load_file(directory / file_name)
        assert all(index["weight_map"][name] == file_name for name in shard)
        weights |= shard
    assert index["metadata"]["total_size"] == sum(tensor.nbytes for tensor in weights.values())
    return weights


def test_the_published_shape_has_466_tensors_and_3191396096_parameters() -> None:
    shapes = tensor_shapes(GRANITE_FILES / "config.json")
    assert len(shapes) == 466
    assert sum(shape.numel() for shape in shapes.values()) == 3_191_396_096
    assert shapes["model.layers.0.mamba.in_proj.weight"] == (8512, 2048)
    assert shapes["model.layers.5.self_attn.k_proj.weight"] == (512, 2048)
    assert "lm_head.weight" not in shapes


def test_weights_in_shards_fill_the_network_exactly(tmp_path: Path) -> None:
    weights = write_shrunken(tmp_path)
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    Network(read_config(tmp_path), TorchKernels()).load_state_dict(weights, strict=True)


def test_the_reference_loads_them_and_its_logits_are_finite_and_moderate(tmp_path: Path) -> None:
    write_shrunken(tmp_path)
    oracle = load_oracle(tmp_path)
    with torch.inference_mode():
        logits = oracle(torch.arange(300)[None] % 250).logits
    assert 0.05 < logits.std() < 50


def test_the_seed_decides_every_value(tmp_path: Path) -> None:
    first, again, other = (tmp_path / name for name in ("first", "again", "other"))
    for directory in (first, again, other):
        directory.mkdir()
    weights, repeated = write_shrunken(first, seed=1), write_shrunken(again, seed=1)
    different = write_shrunken(other, seed=2)
    assert all(torch.equal(weights[name], repeated[name]) for name in weights)
    assert not any(torch.equal(weights[name], different[name]) for name in weights)


def test_a_tensor_larger_than_a_slice_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "large.safetensors"
    shape = torch.Size([5, SLICE_ELEMENTS // 2])
    generator = torch.Generator().manual_seed(0)
    num_bytes = write_shard(path, {"large.weight": shape}, torch.bfloat16, generator)
    with safe_open(path, framework="pt") as file:
        tensor = file.get_tensor("large.weight")
    assert (tensor.shape, tensor.nbytes) == (shape, num_bytes)
    rows = tensor[:, :64].float()
    assert torch.isfinite(tensor[-1].float()).all()
    assert not any(torch.equal(rows[i], rows[j]) for i in range(5) for j in range(i))
    assert tensor[-1].float().std().item() == pytest.approx(shape[-1] ** -0.5, rel=0.05)
