"""Damaged weights files; each is refused by a line that names the file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from model_loader.errors import CorruptWeights
from model_loader.safetensors_file import read_header


def with_header(header: object, num_data_bytes: int) -> bytes:
    return with_encoded_header(json.dumps(header).encode(), num_data_bytes)


def with_encoded_header(header: bytes, num_data_bytes: int) -> bytes:
    return len(header).to_bytes(8, "little") + header + bytes(num_data_bytes)


def entry(begin: int, end: int, shape: list[Any], dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 6382792192\n"
NOT_SAFETENSORS = {
    "empty": b"",
    "four bytes": b"\x08\0\0\0",
    "huge header": (2**40).to_bytes(8, "little") + b"{}",
    "header beyond the end": (100).to_bytes(8, "little") + b"{}",
    "web page": b"<!doctype html><html><body>Sign in</body></html>",
    "large file pointer": LFS_POINTER,
    "garbage": bytes(range(256)) * 4,
    "header is no JSON": (8).to_bytes(8, "little") + b"{'a': 1}",
    "header is a list": with_header([], 0),
    "entry is a number": with_header({"a": 1}, 0),
    "overlap": with_header({"a": entry(0, 8, [2]), "b": entry(4, 12, [2])}, 12),
    "gap": with_header({"a": entry(0, 8, [2]), "b": entry(12, 20, [2])}, 20),
    "offsets beyond the end": with_header({"a": entry(0, 800, [200])}, 8),
    "offsets reversed": with_header({"a": entry(8, 0, [2])}, 8),
    "offset negative": with_header({"a": entry(-8, 0, [2])}, 8),
    "offset is text": with_header({"a": {**entry(0, 8, [2]), "data_offsets": ["0", "8"]}}, 8),
    "one offset": with_header({"a": {**entry(0, 8, [2]), "data_offsets": [0]}}, 8),
    "shape overflows": with_header({"a": entry(0, 8, [2**62, 2**62])}, 8),
    "shape negative": with_header({"a": entry(0, 8, [-2, -1])}, 8),
    "shape of another size": with_header({"a": entry(0, 8, [3])}, 8),
    "shape missing": with_header({"a": {"dtype": "F32", "data_offsets": [0, 8]}}, 8),
    "integers": with_header({"a": entry(0, 8, [1], "I64")}, 8),
    "unknown dtype": with_header({"a": entry(0, 8, [1], "F128")}, 8),
    "same name twice": with_encoded_header(
        b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
        b'"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        4,
    ),
}


@pytest.mark.parametrize("content", NOT_SAFETENSORS.values(), ids=NOT_SAFETENSORS.keys())
def test_what_is_no_whole_weights_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)

    with pytest.raises(CorruptWeights, match="model.safetensors"):
        read_header(path)


def test_the_reason_shows_what_the_file_is_instead(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(LFS_POINTER)

    with pytest.raises(CorruptWeights, match="version https://git-lfs"):
        read_header(path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: content + bytes(10),
    ],
    ids=["half", "one byte less", "ten bytes more"],
)
def test_a_file_of_another_size_is_refused(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.randn(50, 3), "b": torch.randn(7)}, path)
    path.write_bytes(damage(path.read_bytes()))

    with pytest.raises(CorruptWeights, match="model.safetensors"):
        read_header(path)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_tensors_written_by_the_library_are_read_back(tmp_path: Path, dtype: torch.dtype) -> None:
    written = {
        "matrix": torch.randn(5, 3).to(dtype),
        "vector": torch.randn(9).to(dtype),
        "number": torch.tensor(2.5, dtype=dtype),
    }
    save_file(written, tmp_path / "model.safetensors", metadata={"format": "pt"})

    read = {t.name: t.read() for t in read_header(tmp_path / "model.safetensors")}

    assert read.keys() == written.keys()
    assert all(torch.equal(read[name], written[name]) for name in written)
    assert all(read[name].dtype == dtype for name in written)


def test_a_file_that_shrinks_before_its_tensors_are_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.randn(4096)}, path)
    (stored,) = read_header(path)
    path.write_bytes(path.read_bytes()[:5000])

    with pytest.raises(CorruptWeights, match=r"tensor a: the file ends \d+ bytes too early"):
        stored.read()


def test_a_directory_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CorruptWeights, match="no such file"):
        read_header(tmp_path)
