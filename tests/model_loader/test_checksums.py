"""Damage that leaves a well-formed weights file, found by the sums beside it."""

import hashlib
from pathlib import Path

import pytest
import torch

from model_loader.errors import CorruptWeights
from model_loader.load import load_model
from tests.tiny_checkpoint import write_checkpoint

WEIGHTS = "model.safetensors"


def write_sums(directory: Path, *names: str) -> None:
    lines = [f"{hashlib.sha256((directory / n).read_bytes()).hexdigest()}  {n}\n" for n in names]
    (directory / "SHA256SUMS").write_text("".join(lines))


def load(directory: Path) -> None:
    load_model(directory, torch.float32, torch.device("cpu"), lambda share: None)


def test_untouched_files_are_loaded(tmp_path: Path) -> None:
    write_checkpoint(tmp_path)
    write_sums(tmp_path, WEIGHTS, "config.json")

    load(tmp_path)


@pytest.mark.parametrize(
    "damage", ["flipped bit", "zeroed tail", "other weights of the same shape"]
)
def test_well_formed_damage_is_found(tmp_path: Path, damage: str) -> None:
    write_checkpoint(tmp_path)
    write_sums(tmp_path, WEIGHTS)
    content = bytearray((tmp_path / WEIGHTS).read_bytes())
    if damage == "flipped bit":
        content[-100] ^= 1
    elif damage == "zeroed tail":
        content[-1000:] = bytes(1000)
    (tmp_path / WEIGHTS).write_bytes(content)
    if damage.startswith("other weights"):
        write_checkpoint(tmp_path, seed=1)

    with pytest.raises(CorruptWeights, match=f"{WEIGHTS}: its sha256"):
        load(tmp_path)


def test_a_list_without_the_weights_is_refused(tmp_path: Path) -> None:
    write_checkpoint(tmp_path)
    write_sums(tmp_path, "config.json")

    with pytest.raises(CorruptWeights, match=f"does not list {WEIGHTS}"):
        load(tmp_path)


@pytest.mark.parametrize(
    "line",
    ["0" * 63 + "  a", "0" * 64 + "  ../a", "0" * 64 + "  /etc/passwd", "\xff" * 10, "no sum"],
)
def test_a_list_that_is_none_is_refused(tmp_path: Path, line: str) -> None:
    write_checkpoint(tmp_path)
    (tmp_path / "SHA256SUMS").write_bytes(line.encode("latin-1"))

    with pytest.raises(CorruptWeights, match="SHA256SUMS"):
        load(tmp_path)


def test_a_listed_file_that_is_missing_is_named(tmp_path: Path) -> None:
    write_checkpoint(tmp_path)
    write_sums(tmp_path, WEIGHTS, "generation_config.json")
    (tmp_path / "generation_config.json").unlink()

    with pytest.raises(CorruptWeights, match=r"generation_config\.json: No such file"):
        load(tmp_path)
