"""One weights file: its header, checked against the file's size, and its tensors' bytes.

Files are read, never mapped: a file that is truncated or overwritten while it is served can neither
kill the process nor change its weights. Knows no network.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, TypeGuard

import torch
from torch import Tensor

from model_loader.errors import CorruptWeights
from model_loader.json_file import parse_json_object

LENGTH_BYTES = 8
MAX_HEADER_BYTES = 100 * 10**6
MAX_ELEMENTS = 2**48
METADATA = "__metadata__"
DTYPES: Mapping[str, torch.dtype] = {
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
}


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor in a file; `offset` counts from the beginning of the file, in bytes."""

    name: str
    path: Path
    dtype: torch.dtype
    shape: tuple[int, ...]
    offset: int

    @property
    def num_bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    def read(self) -> Tensor:
        """The tensor in memory of its own, on the CPU.

        Raises:
            CorruptWeights: the file has become shorter or unreadable.
        """
        tensor = torch.empty(self.shape, dtype=self.dtype)
        buffer = tensor.reshape(-1).view(torch.uint8).numpy().data
        try:
            with FileIO(self.path) as file:
                file.seek(self.offset)
                _read_all(file, buffer)
        except (OSError, EOFError) as failure:
            raise CorruptWeights(f"{self.path}: tensor {self.name}: {failure}") from failure
        return tensor


def read_header(path: Path, dtypes: Mapping[str, torch.dtype] = DTYPES) -> tuple[StoredTensor, ...]:
    """The tensors of a safetensors file in the order of their bytes.

    Raises:
        CorruptWeights: not such a file, truncated, or its tensors overlap or leave gaps.
    """
    entries, data_start = _read_entries(path)
    entries.pop(METADATA, None)
    try:
        return _in_order(path, entries, data_start, dtypes)
    except ValueError as failure:
        raise CorruptWeights(f"{path}: {failure}") from failure


def read_metadata(path: Path) -> dict[str, str]:
    """What the writer of a file noted in it.

    Raises:
        CorruptWeights: not such a file, or its notes are not texts by name.
    """
    entries, _ = _read_entries(path)
    notes = entries.get(METADATA, {})
    if not isinstance(notes, dict) or not all(isinstance(note, str) for note in notes.values()):
        raise CorruptWeights(f"{path}: its metadata are not texts by name")
    return notes


def _read_entries(path: Path) -> tuple[dict[str, Any], int]:
    """The header, and where the data begin."""
    try:
        if not path.is_file():
            raise CorruptWeights(f"{path}: no such file")
        size = path.stat().st_size
        with path.open("rb") as file:
            header_length = int.from_bytes(file.read(LENGTH_BYTES), "little")
            data_start = LENGTH_BYTES + header_length
            if header_length > MAX_HEADER_BYTES or data_start > size:
                file.seek(0)
                raise ValueError(f"not a whole safetensors file, starts with {file.read(24)!r}")
            return parse_json_object(file.read(header_length)), data_start
    except OSError as failure:
        raise CorruptWeights(f"{path}: cannot be read: {failure.strerror}") from failure
    except ValueError as failure:
        raise CorruptWeights(f"{path}: {failure}") from failure


def _in_order(
    path: Path, entries: dict[str, Any], data_start: int, dtypes: Mapping[str, torch.dtype]
) -> tuple[StoredTensor, ...]:
    size = path.stat().st_size
    placed = [_placed(path, name, entry, data_start, dtypes) for name, entry in entries.items()]
    placed.sort(key=lambda pair: (pair[0].offset, pair[1]))
    end = data_start
    for tensor, tensor_end in placed:
        if tensor.offset != end or tensor_end != end + tensor.num_bytes:
            raise ValueError(f"tensor {tensor.name} does not begin and end where its shape says")
        end = tensor_end
    if end != size:
        raise ValueError(f"has {size} bytes, its header describes {end}")
    return tuple(tensor for tensor, _ in placed)


def _placed(
    path: Path, name: str, entry: Any, data_start: int, dtypes: Mapping[str, torch.dtype]
) -> tuple[StoredTensor, int]:
    """The tensor of a header entry, and where it ends in the file."""
    fields = entry if isinstance(entry, dict) else {}
    dtype_name, shape = fields.get("dtype"), fields.get("shape")
    offsets = fields.get("data_offsets")
    if not isinstance(dtype_name, str) or dtype_name not in dtypes:
        raise ValueError(f"tensor {name} has dtype {dtype_name!r}, supported are {list(dtypes)}")
    if not _are_sizes(shape) or math.prod(shape) > MAX_ELEMENTS:
        raise ValueError(f"tensor {name} has the impossible shape {shape!r}")
    if not _are_sizes(offsets) or len(offsets) != 2:
        raise ValueError(f"tensor {name} has the impossible offsets {offsets!r}")
    tensor = StoredTensor(name, path, dtypes[dtype_name], tuple(shape), data_start + offsets[0])
    return tensor, data_start + offsets[1]


def _are_sizes(values: Any) -> TypeGuard[list[int]]:
    return isinstance(values, list) and all(
        isinstance(value, int) and not isinstance(value, bool) and value >= 0 for value in values
    )


def _read_all(file: FileIO, buffer: memoryview) -> None:
    while buffer:
        count = file.readinto(buffer)  # at most 2 GiB at once on Linux
        if not count:
            raise EOFError(f"the file ends {len(buffer)} bytes too early")
        buffer = buffer[count:]
