"""Finds the weights files of a checkpoint and puts their tensors into a network, one at a time."""

import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch
from accelerate.utils import (  # type: ignore[import-untyped]  # the library has no types
    set_module_tensor_to_device,
)
from torch import Tensor, nn

from model_loader.checksums import verify_checksums
from model_loader.errors import CorruptWeights
from model_loader.json_file import read_json_object
from model_loader.packed_cache import PackedCache, source_of
from model_loader.projection import Projection
from model_loader.safetensors_file import StoredTensor, read_header
from model_loader.storage_report import report_storage

SINGLE_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
SHARD_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\.safetensors")
EMBEDDING = "model.embed_tokens.weight"
HEAD = "lm_head.weight"
"""The head is tied to the embedding; some writers store it a second time all the same."""

FP32_PARAMETERS = ("A_log", "D", "dt_bias")
"""Exponentials and sums over time start from these few numbers, so they keep all their digits."""

Progress = Callable[[float], None]


def load_weights(
    network: nn.Module,
    directory: Path,
    *,
    dtype: torch.dtype,
    activation_dtype: torch.dtype,
    device: torch.device,
    progress: Progress,
    cache_form: str | None = None,
) -> None:
    """Replace every parameter of `network` (on the meta device) by the checkpoint's, on `device`.

    All names and shapes are checked before the first tensor is read. `progress` gets the share of
    bytes read so far, rising to 1.

    Raises:
        CorruptWeights: a file or tensor is missing, left over, doubled, damaged or not finite, or a
            file is not the one in `SHA256SUMS`.
    """
    stored = find_tensors(directory)
    shapes = {name: tuple(value.shape) for name, value in network.named_parameters()}
    _require_same_tensors(stored, shapes)
    verify_checksums(directory, {tensor.path.name for tensor in stored.values()})
    total_bytes = sum(tensor.num_bytes for tensor in stored.values())
    read_bytes = 0
    # The head last, when the embedding is there to compare it with.
    ordered = sorted(stored.values(), key=lambda tensor: tensor.name == HEAD)
    with _packed_cache(network, directory, ordered, cache_form) as cache:
        for tensor in ordered:
            name = EMBEDDING if tensor.name == HEAD else tensor.name
            owner = network.get_submodule(name.rpartition(".")[0])
            if isinstance(owner, Projection):
                # A layer that no packed form fits multiplies as it is, by rows in that dtype.
                stored_dtype = dtype if owner.layout else activation_dtype
                _store(tensor, owner, stored_dtype, device, cache)
            else:
                value = _read_as(tensor, _dtype_in_memory(name, activation_dtype))
                set_module_tensor_to_device(
                    network, name, device, value, dtype=value.dtype, clear_cache=False
                )
            read_bytes += tensor.num_bytes
            progress(read_bytes / total_bytes)


def _store(
    tensor: StoredTensor,
    owner: Projection,
    dtype: torch.dtype,
    device: torch.device,
    cache: PackedCache | None,
) -> None:
    if tensor.name == HEAD:
        if not owner.holds(_read_as(tensor, dtype)):
            raise CorruptWeights(f"tensor {HEAD} differs from {EMBEDDING}, but it is tied to it")
        return
    packed = cache.take(tensor.name) if cache else None
    if packed is not None:
        owner.store_packed(packed)
        report_storage(tensor.name, owner)
        return
    weight = _read_as(tensor, dtype).to(device)
    owner.store(weight)
    report_storage(tensor.name, owner, weight)
    if cache and owner.parts:
        cache.keep(tensor.name, owner.packed_data())


def _packed_cache(
    network: nn.Module, directory: Path, ordered: Sequence[StoredTensor], form: str | None
) -> AbstractContextManager[PackedCache | None]:
    """The cache of this checkpoint in this form, if one is wanted and anything is packed."""
    projections = {
        f"{name}.weight": module.packed_bytes
        for name, module in network.named_modules()
        if isinstance(module, Projection)
    }
    sizes = {t.name: size for t in ordered if (size := projections.get(t.name)) is not None}
    if form is None or not sizes:
        return nullcontext()
    files = {directory / "config.json", *(tensor.path for tensor in ordered)}
    return PackedCache(directory / f"packed-{form}.granite", source_of(form, files), sizes)


def find_tensors(directory: Path) -> dict[str, StoredTensor]:
    """Every tensor of the checkpoint by name, from `model.safetensors` or the files of its index.

    Raises:
        CorruptWeights: no such files, a bad header, or an index that does not describe its files.
    """
    single, index = directory / SINGLE_FILE, directory / INDEX_FILE
    if single.exists():
        return {tensor.name: tensor for tensor in read_header(single)}
    if not index.exists():
        raise CorruptWeights(
            f"{directory}: no {SINGLE_FILE} and no {INDEX_FILE}; other formats are never loaded"
        )
    weight_map = read_json_object(index, CorruptWeights).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CorruptWeights(f"{index}: no weight_map")
    shards = [read_header(directory / name) for name in _shard_names(index, weight_map)]
    tensors: dict[str, StoredTensor] = {}
    for tensor in (tensor for shard in shards for tensor in shard):
        if tensor.name in tensors:
            raise CorruptWeights(f"{tensor.path}: tensor {tensor.name} is in another file, too")
        if weight_map.get(tensor.name) != tensor.path.name:
            raise CorruptWeights(f"{index}: tensor {tensor.name} is not where the index says")
        tensors[tensor.name] = tensor
    if missing := weight_map.keys() - tensors.keys():
        raise CorruptWeights(f"{index}: tensor {min(missing)} is in none of the files")
    return tensors


def _shard_names(index: Path, weight_map: Mapping[str, object]) -> list[str]:
    """File names without any path, so that an index cannot point outside its directory."""
    names: set[str] = set()
    for name in weight_map.values():
        if not isinstance(name, str) or not SHARD_NAME.fullmatch(name):
            raise CorruptWeights(f"{index}: {name!r} is not the name of a weights file")
        names.add(name)
    return sorted(names)


def _require_same_tensors(
    stored: Mapping[str, StoredTensor], shapes: Mapping[str, tuple[int, ...]]
) -> None:
    if missing := shapes.keys() - stored.keys():
        raise CorruptWeights(f"tensor {min(missing)} is missing ({len(missing)} in all)")
    if left_over := stored.keys() - shapes.keys() - {HEAD}:
        raise CorruptWeights(f"tensor {min(left_over)} is not known ({len(left_over)} in all)")
    for name, tensor in stored.items():
        expected = shapes[EMBEDDING if name == HEAD else name]
        if tensor.shape != expected:
            raise CorruptWeights(
                f"{tensor.path}: tensor {name} has shape {list(tensor.shape)}, "
                f"config.json asks for {list(expected)}"
            )


def _dtype_in_memory(name: str, dtype: torch.dtype) -> torch.dtype:
    return torch.float32 if name.rpartition(".")[2] in FP32_PARAMETERS else dtype


def _read_as(stored: StoredTensor, dtype: torch.dtype) -> Tensor:
    tensor = stored.read().to(dtype)
    lowest_and_highest = torch.stack(tensor.aminmax())  # NaN if any element is
    if not lowest_and_highest.isfinite().all():
        raise CorruptWeights(f"{stored.path}: tensor {stored.name} has numbers that are not finite")
    return tensor
