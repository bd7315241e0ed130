"""Reads a JSON object from a checkpoint directory; whatever is wrong with it names the file."""

import json
from pathlib import Path
from typing import Any

from model_loader.errors import CheckpointError

MAX_JSON_BYTES = 64 * 2**20


def read_json_object(path: Path, error: type[CheckpointError]) -> dict[str, Any]:
    """The object in `path`.

    Raises:
        error: the file is missing, larger than 64 MiB, or not one JSON object with unique keys.
    """
    try:
        if not path.is_file():
            raise error(f"{path}: no such file")
        if path.stat().st_size > MAX_JSON_BYTES:
            raise error(f"{path}: larger than {MAX_JSON_BYTES} bytes")
        return parse_json_object(path.read_bytes())
    except OSError as failure:
        raise error(f"{path}: cannot be read: {failure.strerror}") from failure
    except ValueError as failure:
        raise error(f"{path}: {failure}") from failure


def parse_json_object(encoded: bytes) -> dict[str, Any]:
    """Raises ValueError with a short reason: not UTF-8, JSON or an object, or a key twice."""
    try:
        value = json.loads(encoded.decode("utf-8"), object_pairs_hook=_unique_keys)
    except RecursionError as failure:
        raise ValueError("nested too deeply") from failure
    except UnicodeDecodeError as failure:
        raise ValueError("not UTF-8 text") from failure
    except json.JSONDecodeError as failure:
        raise ValueError(f"not JSON ({failure}), starts with {encoded[:40]!r}") from failure
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"key {repeated!r} appears twice")
    return value
