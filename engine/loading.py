"""From engine options to a runner: loads the checkpoint and allocates the state, in the worker."""

from collections.abc import Callable
from pathlib import Path

import torch

from engine.interface import EngineInfo
from engine.options import EngineOptions
from engine.runner import Runner
from engine.worker import Loaded
from model_loader.config import ModelConfig
from model_loader.load import load_model
from model_loader.state import HybridState, page_bytes, state_bytes_per_slot
from sampling.sampler import Sampler

DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}


def load(options: EngineOptions, progress: Callable[[float], None]) -> Loaded:
    """Load what `options` name.

    Raises:
        CheckpointError: the checkpoint cannot be served.
    """
    torch.set_num_threads(options.threads)
    dtype, device = DTYPES[options.dtype], torch.device(options.device)
    model = load_model(Path(options.checkpoint), dtype, device, progress)
    state = HybridState(
        model.config,
        num_slots=options.num_slots,
        num_pages=options.num_pages,
        page_length=options.page_length,
        block_length=options.block_length,
        dtype=dtype,
        device=device,
    )
    eos_token_ids = frozenset(model.config.eos_token_ids)
    info = EngineInfo(
        dtype=options.dtype,
        device=options.device,
        num_parameters=model.num_parameters,
        weight_bytes=model.weight_bytes,
        state_bytes=_state_bytes(model.config, options, dtype),
        context_length=options.longest_sequence,
        vocab_size=model.config.vocab_size,
        num_slots=options.num_slots,
    )
    return Loaded(Runner(model.network, state, Sampler(), eos_token_ids), info, eos_token_ids)


def _state_bytes(config: ModelConfig, options: EngineOptions, dtype: torch.dtype) -> int:
    slots = options.num_slots * state_bytes_per_slot(config, options.block_length, dtype)
    return slots + options.num_pages * page_bytes(config, options.page_length, dtype)
