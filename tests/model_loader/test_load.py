"""From files to a network: every tensor arrives, in its own memory, and nothing damaged gets in."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from model_loader.errors import CorruptWeights, UnsupportedConfig
from model_loader.load import LoadedModel, load_model
from tests.tiny_checkpoint import TinyShape, random_weights, write_checkpoint

CPU = torch.device("cpu")
SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
SECOND_SHARD = "model-00002-of-00003.safetensors"
NORM = "model.layers.0.mamba.norm.weight"
FP32_NAMES = ("A_log", "D", "dt_bias")


def load(directory: Path, dtype: torch.dtype = torch.float32) -> LoadedModel:
    return load_model(directory, dtype, CPU, lambda share: None)


def change_weights(directory: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    weights = load_file(directory / SINGLE)
    change(weights)
    save_file(weights, directory / SINGLE)


def change_index(directory: Path, change: Callable[[dict[str, str]], object]) -> None:
    content = json.loads((directory / INDEX).read_text())
    change(content["weight_map"])
    (directory / INDEX).write_text(json.dumps(content))


@pytest.mark.parametrize("stored", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("loaded", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("num_shards", [1, 3])
def test_every_tensor_is_loaded_and_converted(
    tmp_path: Path, stored: torch.dtype, loaded: torch.dtype, num_shards: int
) -> None:
    model = load(write_checkpoint(tmp_path, dtype=stored, num_shards=num_shards), loaded)

    written = random_weights(TinyShape(), dtype=stored)
    parameters = dict(model.network.named_parameters())
    assert parameters.keys() == written.keys()
    for name, parameter in parameters.items():
        dtype = torch.float32 if name.endswith(FP32_NAMES) else loaded
        assert parameter.device == CPU
        assert parameter.dtype == dtype
        assert torch.equal(parameter, written[name].to(dtype))
    assert model.num_parameters == sum(tensor.numel() for tensor in written.values())
    assert model.weight_bytes == sum(p.numel() * p.element_size() for p in parameters.values())


def test_progress_rises_to_one(tmp_path: Path) -> None:
    shares: list[float] = []
    load_model(write_checkpoint(tmp_path), torch.float32, CPU, shares.append)

    assert len(shares) == len(random_weights(TinyShape()))
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_a_second_copy_of_the_tied_head_is_accepted(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, dtype=torch.bfloat16)
    change_weights(
        tmp_path, lambda w: w.update({"lm_head.weight": w["model.embed_tokens.weight"].clone()})
    )

    parameters = dict(load(tmp_path, torch.bfloat16).network.named_parameters())

    assert parameters.keys() == random_weights(TinyShape()).keys()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda w: w.pop(NORM), f"{NORM} is missing"),
        (lambda w: w.update({"model.extra": torch.ones(3)}), "model.extra is not known"),
        (lambda w: w.update({NORM: torch.ones(64)}), f"{NORM} has shape"),
        (lambda w: w.update({NORM: torch.ones(128, 1)}), f"{NORM} has shape"),
        (lambda w: w[NORM].__setitem__(100, torch.nan), f"{NORM} has numbers that are not"),
        (lambda w: w[NORM].__setitem__(0, torch.inf), f"{NORM} has numbers that are not"),
        (lambda w: w[NORM].__setitem__(0, -torch.inf), f"{NORM} has numbers that are not"),
        (lambda w: w.update({"lm_head.weight": torch.ones(352, 64)}), "lm_head.weight differs"),
        (lambda w: w.update({"lm_head.weight": torch.ones(64)}), "lm_head.weight has shape"),
    ],
    ids=["missing", "left over", "short", "rank", "nan", "inf", "-inf", "untied", "head shape"],
)
def test_wrong_tensors_are_refused_by_name(
    tmp_path: Path, change: Callable[[dict[str, Tensor]], object], reason: str
) -> None:
    write_checkpoint(tmp_path)
    change_weights(tmp_path, change)

    with pytest.raises(CorruptWeights, match=reason):
        load(tmp_path)


def test_a_number_that_overflows_the_wanted_precision_is_refused(tmp_path: Path) -> None:
    write_checkpoint(tmp_path)
    change_weights(tmp_path, lambda w: w[NORM].__setitem__(0, torch.finfo(torch.float32).max))

    load(tmp_path, torch.float32)
    with pytest.raises(CorruptWeights, match=NORM):
        load(tmp_path, torch.bfloat16)


def test_weights_of_another_shape_are_refused_before_any_is_read(tmp_path: Path) -> None:
    shares: list[float] = []
    write_checkpoint(tmp_path)
    config = TinyShape(vocab_size=400).published_config()
    (tmp_path / "config.json").write_text(json.dumps(config))

    with pytest.raises(CorruptWeights, match="embed_tokens"):
        load_model(tmp_path, torch.float32, CPU, shares.append)
    assert shares == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: m.update({NORM: "../model.safetensors"}), "not the name of a weights file"),
        (lambda m: m.update({NORM: "/etc/passwd"}), "not the name of a weights file"),
        (lambda m: m.update({NORM: "..\\a.safetensors"}), "not the name of a weights file"),
        (lambda m: m.update({NORM: "pytorch_model.bin"}), "not the name of a weights file"),
        (lambda m: m.update({NORM: 3}), "not the name of a weights file"),
        (lambda m: m.update({NORM: "other.safetensors"}), "other.safetensors: no such file"),
        (lambda m: m.update({"model.extra": SECOND_SHARD}), "model.extra is in none"),
        (lambda m: m.pop(NORM), f"{NORM} is not where the index says"),
        (lambda m: m.clear(), "no weight_map"),
    ],
)
def test_an_index_that_does_not_describe_its_files_is_refused(
    tmp_path: Path, change: Callable[[dict[str, str]], object], reason: str
) -> None:
    write_checkpoint(tmp_path, num_shards=3)
    change_index(tmp_path, change)

    with pytest.raises(CorruptWeights, match=reason):
        load(tmp_path)


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, num_shards=3)
    (tmp_path / SECOND_SHARD).unlink()

    with pytest.raises(CorruptWeights, match=f"{SECOND_SHARD}: no such file"):
        load(tmp_path)


def test_a_tensor_in_two_shards_is_refused(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, num_shards=3)
    shards = sorted(tmp_path.glob("model-*.safetensors"))
    first, second = (load_file(shard) for shard in shards[:2])
    name = min(first)
    save_file({**second, name: first[name]}, shards[1])

    with pytest.raises(CorruptWeights, match=f"{name} is in another file, too"):
        load(tmp_path)


def test_swapped_shards_are_refused(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, num_shards=3)
    first, second, _ = sorted(tmp_path.glob("model-*.safetensors"))
    first.rename(tmp_path / "aside")
    second.rename(first)
    (tmp_path / "aside").rename(second)

    with pytest.raises(CorruptWeights, match="is not where the index says"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pkl"])
def test_pickled_weights_are_never_opened(tmp_path: Path, name: str) -> None:
    write_checkpoint(tmp_path)
    (tmp_path / SINGLE).unlink()
    marker = tmp_path / "executed"
    (tmp_path / name).write_bytes(b"cposix\nsystem\n(S'touch " + bytes(marker) + b"'\ntR.")

    with pytest.raises(CorruptWeights, match=r"no model\.safetensors"):
        load(tmp_path)
    assert not marker.exists()


def test_code_beside_the_weights_is_not_run(tmp_path: Path) -> None:
    write_checkpoint(tmp_path)
    trap = f"import pathlib; pathlib.Path({str(tmp_path / 'executed')!r}).touch()"
    for name in ("modeling_granite.py", "configuration_granite.py", "__init__.py"):
        (tmp_path / name).write_text(trap)

    load(tmp_path)

    assert not (tmp_path / "executed").exists()


def test_an_unsupported_config_is_refused_before_the_weights_are_looked_at(tmp_path: Path) -> None:
    config = {**TinyShape().published_config(), "auto_map": {"AutoModel": "evil.Model"}}
    (tmp_path / "config.json").write_text(json.dumps(config))

    with pytest.raises(UnsupportedConfig, match="auto_map"):
        load(tmp_path)
