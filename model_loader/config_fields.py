"""Typed, range-checked access to the keys of `config.json`. Knows no architecture."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from model_loader.errors import UnsupportedConfig

LARGEST_SIZE = 2**24
"""Every size of a real model is far below; a larger one would only exhaust memory or time."""

INFINITY_MARK = {"__float__": "Infinity"}
"""How transformers 5 writes infinity, which JSON has no number for."""


@dataclass(frozen=True, slots=True)
class ConfigFields:
    """Every method raises UnsupportedConfig naming the key if its value is missing or unusable."""

    values: Mapping[str, Any]

    def size(self, key: str, default: int | None = None, *, most: int = LARGEST_SIZE) -> int:
        """An integer from 1 to `most`; a missing or null key is `default` if there is one."""
        value = self.values.get(key)
        if value is None and default is not None:
            return default
        if not _is_integer(value) or not 1 <= value <= most:
            raise UnsupportedConfig(
                f"config.json: {key} must be an integer from 1 to {most}, is {value!r}"
            )
        return value

    def positive(self, key: str) -> float:
        """A finite number above 0."""
        value = self.values.get(key)
        if not _is_number(value) or not 0 < value < math.inf:
            raise UnsupportedConfig(f"config.json: {key} must be a number above 0, is {value!r}")
        return float(value)

    def token_id(self, key: str, vocab_size: int) -> int | None:
        """An id below `vocab_size`; None if the key is missing or null."""
        ids = self.token_ids(key, vocab_size)
        if len(ids) > 1:
            raise UnsupportedConfig(f"config.json: {key} must be one token id, is {list(ids)}")
        return ids[0] if ids else None

    def token_ids(self, key: str, vocab_size: int) -> tuple[int, ...]:
        """One id or a list of ids below `vocab_size`; none if the key is missing or null."""
        value = self.values.get(key)
        if value is None:
            return ()
        ids = value if isinstance(value, list) else [value]
        for token_id in ids:
            if not _is_integer(token_id) or not 0 <= token_id < vocab_size:
                raise UnsupportedConfig(
                    f"{key} must hold token ids below vocab_size {vocab_size}, has {token_id!r}"
                )
        return tuple(ids)

    def interval(self, key: str) -> tuple[float, float]:
        """Two numbers 0 <= low <= high, where high may be infinite; missing or null is no limit."""
        value = self.values.get(key)
        if value is None:
            return (0.0, math.inf)
        if isinstance(value, list) and len(value) == 2:
            low, high = (math.inf if bound == INFINITY_MARK else bound for bound in value)
            if _is_number(low) and _is_number(high) and 0 <= low <= high and low < math.inf:
                return (float(low), float(high))
        raise UnsupportedConfig(f"config.json: {key} must be two numbers [low, high], is {value!r}")


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
