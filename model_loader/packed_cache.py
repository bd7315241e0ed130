"""Packed weights beside their checkpoint, so that only the first start packs them.

A safetensors file of bytes whose metadata names what it was made from. A cache that does not fit,
is damaged or cannot be written is a miss, never an error.
"""

import hashlib
import json
import logging
import os
import zlib
from collections.abc import Iterable, Mapping
from io import BufferedWriter
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from model_loader.errors import CorruptWeights
from model_loader.safetensors_file import LENGTH_BYTES, StoredTensor, read_header, read_metadata

FORMAT_VERSION = 3
"""Part of the name of every source: a change of the packed layout makes old caches misses."""
NO_CHECKSUM = "00000000"

logger = logging.getLogger(__name__)


def source_of(form: str, files: Iterable[Path]) -> str:
    """A name for what a cache was made from: the form of packing, and the files as they are now."""
    described = [f"{FORMAT_VERSION} {form}"]
    for path in sorted(files):
        state = path.stat()
        described.append(f"{path.name} {state.st_size} {state.st_mtime_ns}")
    return hashlib.sha256("\n".join(described).encode()).hexdigest()


class PackedCache:
    """Gives back what was packed before, or takes in what is packed now; a context manager.

    `sizes` are the bytes of all packed tensors, in the order in which they are kept. The file
    appears under its name only when it is whole.
    """

    def __init__(self, path: Path, source: str, sizes: Mapping[str, int]) -> None:
        self._path = path
        self._source = source
        self._sizes = sizes
        self._checksums = dict.fromkeys(sizes, NO_CHECKSUM)
        self._unfinished = path.with_name(f"{path.name}.{os.getpid()}.part")
        self._stored = self._open()
        self._file = None if self._stored else self._create()

    def take(self, name: str) -> Tensor | None:
        """The packed bytes of a tensor; None if they are not there or not what was written."""
        stored = self._stored.get(name)
        if stored is None:
            return None
        try:
            data = stored.read()
        except CorruptWeights:
            return None
        if _checksum(data) == self._checksums[name]:
            return data
        logger.warning("the packed cache is damaged at %s and is removed", name)
        self._path.unlink(missing_ok=True)
        return None

    def keep(self, name: str, data: Tensor) -> None:
        """Take in the next tensor, (bytes,) uint8."""
        if self._file is None:
            return
        self._checksums[name] = _checksum(data)
        try:
            self._file.write(data.numpy().data)
        except OSError as failure:
            self._give_up(failure)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._file is None:
            return
        is_whole = kind is None and NO_CHECKSUM not in self._checksums.values()
        try:
            if is_whole:
                self._file.seek(0)
                self._file.write(self._header())
                self._file.flush()
                os.fsync(self._file.fileno())
                self._unfinished.replace(self._path)
        except OSError as failure:
            self._give_up(failure)
        else:
            self._file.close()
            self._unfinished.unlink(missing_ok=True)

    def _open(self) -> dict[str, StoredTensor]:
        """Everything in a cache of this very source; nothing where there is none."""
        try:
            metadata = read_metadata(self._path)
            stored = {t.name: t for t in read_header(self._path, {"U8": torch.uint8})}
        except CorruptWeights:
            return {}
        expected = {"source": self._source, **dict.fromkeys(self._sizes)}
        if metadata.get("source") != self._source or metadata.keys() != expected.keys():
            return {}
        if {name: tensor.shape for name, tensor in stored.items()} != {
            name: (size,) for name, size in self._sizes.items()
        }:
            return {}
        self._checksums = {name: metadata[name] for name in self._sizes}
        return stored

    def _create(self) -> BufferedWriter | None:
        try:
            return self._begin()
        except OSError as failure:
            logger.warning("no packed cache beside the checkpoint: %s", failure.strerror)
            return None

    def _begin(self) -> BufferedWriter:
        file = self._unfinished.open("wb")
        file.write(self._header())
        return file

    def _give_up(self, failure: OSError) -> None:
        logger.warning("the packed cache could not be written: %s", failure.strerror)
        if self._file is not None:
            self._file.close()
            self._file = None
        self._unfinished.unlink(missing_ok=True)

    def _header(self) -> bytes:
        """Of the same length whatever the checksums are."""
        entries: dict[str, object] = {"__metadata__": {"source": self._source} | self._checksums}
        end = 0
        for name, size in self._sizes.items():
            start, end = end, end + size
            entries[name] = {"dtype": "U8", "shape": [size], "data_offsets": [start, end]}
        text = json.dumps(entries).encode()
        return len(text).to_bytes(LENGTH_BYTES, "little") + text


def _checksum(data: Tensor) -> str:
    return f"{zlib.crc32(data.numpy().data) or 1:08x}"
