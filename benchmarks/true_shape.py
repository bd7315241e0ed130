"""A checkpoint of Granite 4.0 H Micro's exact shape with random weights, for measuring speed.

`python -m benchmarks.true_shape --out checkpoints/granite-h-micro-random` writes 6.4 GB: published
configuration, tokenizer and chat template, 466 random tensors in shards with an index. What it says
is noise; how long it takes is not.
"""

import json
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import torch
import typer
from transformers import GraniteMoeHybridConfig, GraniteMoeHybridForCausalLM

from benchmarks.granite_tokenizer import GRANITE_FILES, write_granite_tokenizer
from benchmarks.random_tensors import write_shard

SHARD_BYTES = 2**30
INDEX_FILE = "model.safetensors.index.json"


class Precision(StrEnum):
    BF16 = "bf16"
    FP32 = "fp32"

    @property
    def dtype(self) -> torch.dtype:
        return torch.bfloat16 if self is Precision.BF16 else torch.float32


def tensor_shapes(config_file: Path) -> dict[str, torch.Size]:
    """Names and shapes of a checkpoint's tensors by the reference implementation, head tied."""
    config = GraniteMoeHybridConfig.from_json_file(config_file)
    with torch.device("meta"):
        skeleton = GraniteMoeHybridForCausalLM(config)
    return {name: parameter.shape for name, parameter in skeleton.named_parameters()}


def write_random_weights(
    directory: Path, *, dtype: torch.dtype, seed: int, shard_bytes: int = SHARD_BYTES
) -> int:
    """Write the weights that `directory`/config.json describes; returns their bytes.

    Every shard has a generator of its own, so that a shard's values depend on the seed and its
    number alone.
    """
    shards = list(_shards(tensor_shapes(directory / "config.json"), dtype, shard_bytes))
    weight_map: dict[str, str] = {}
    total = 0
    for number, shapes in enumerate(shards, start=1):
        file_name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        generator = torch.Generator().manual_seed(seed * 1000 + number)
        total += write_shard(directory / file_name, shapes, dtype, generator)
        weight_map |= dict.fromkeys(shapes, file_name)
        print(f"{file_name}: {len(shapes)} tensors")
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (directory / INDEX_FILE).write_text(json.dumps(index, indent=2), encoding="utf-8")
    return total


def _shards(
    shapes: Mapping[str, torch.Size], dtype: torch.dtype, shard_bytes: int
) -> Iterator[dict[str, torch.Size]]:
    """The tensors in their order, cut into shards of at most `shard_bytes` or of one tensor."""
    shard: dict[str, torch.Size] = {}
    size = 0
    for name, shape in shapes.items():
        num_bytes = shape.numel() * dtype.itemsize
        if shard and size + num_bytes > shard_bytes:
            yield shard
            shard, size = {}, 0
        shard[name] = shape
        size += num_bytes
    if shard:
        yield shard


def main(
    out: Annotated[Path, typer.Option(help="directory to write")],
    seed: int = 0,
    dtype: Precision = Precision.BF16,
    config: Annotated[
        Path, typer.Option(help="another configuration of the same family, e.g. a smaller one")
    ] = GRANITE_FILES / "config.json",
) -> None:
    """Write the checkpoint. The same seed gives the same bytes with the same torch."""
    write_granite_tokenizer(out)
    (out / "config.json").write_bytes(config.read_bytes())
    total = write_random_weights(out, dtype=dtype.dtype, seed=seed)
    print(f"{out}: {total / 1e9:.2f} GB of weights")


if __name__ == "__main__":
    typer.run(main)
