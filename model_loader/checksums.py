"""Checks a checkpoint's files against its `SHA256SUMS`, where it has one. Knows no file formats."""

import hashlib
import re
from collections.abc import Collection
from pathlib import Path

from model_loader.errors import CorruptWeights

FILE_NAME = "SHA256SUMS"
MAX_BYTES = 2**20
LINE = re.compile(r"([0-9a-f]{64}) [ *]([A-Za-z0-9][A-Za-z0-9._-]*)")


def verify_checksums(directory: Path, required: Collection[str]) -> None:
    """Compare every listed file with its sum; without the list there is nothing to compare.

    The list has the format of `sha256sum`, and every name in `required` must be on it.

    Raises:
        CorruptWeights: a file differs, is missing or is not listed, or the list cannot be read.
    """
    path = directory / FILE_NAME
    if not path.exists():
        return
    sums = _read_sums(path)
    if unlisted := sorted(set(required) - sums.keys()):
        raise CorruptWeights(f"{path}: does not list {unlisted[0]}")
    for name, expected in sums.items():
        try:
            with (directory / name).open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as failure:
            raise CorruptWeights(f"{directory / name}: {failure.strerror}") from failure
        if found != expected:
            raise CorruptWeights(f"{directory / name}: its sha256 is not the one in {FILE_NAME}")


def _read_sums(path: Path) -> dict[str, str]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise CorruptWeights(f"{path}: larger than {MAX_BYTES} bytes")
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as failure:
        raise CorruptWeights(f"{path}: cannot be read: {failure.strerror}") from failure
    except UnicodeDecodeError as failure:
        raise CorruptWeights(f"{path}: not UTF-8 text") from failure
    sums: dict[str, str] = {}
    for line in lines:
        match = LINE.fullmatch(line)
        if match is None:
            raise CorruptWeights(f"{path}: not a line of sha256sum: {line[:80]!r}")
        sums[match[2]] = match[1]
    return sums
