"""From engine options to a runner: loads the checkpoint and allocates the state, in the worker."""

from collections.abc import Callable
from pathlib import Path

import torch

from engine.grammars.nursery import nursery_command
from engine.grammars.processes import GrammarProcesses
from engine.interface import EngineInfo
from engine.options import EngineOptions
from engine.runner import Runner
from engine.warm_up import Loaded
from kernels.interface import Kernels
from kernels.native_library import NativeKernels
from kernels.torch_kernels import TorchKernels
from model_loader.load import load_model
from model_loader.state import HybridState
from sampling.sampler import Sampler

DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}


def load(options: EngineOptions, progress: Callable[[float], None]) -> Loaded:
    """Load what `options` name.

    Raises:
        CheckpointError: the checkpoint cannot be served.
    """
    device = torch.device(options.device)
    model = load_model(
        Path(options.checkpoint),
        DTYPES[options.dtype],
        device,
        progress,
        kernels=_kernels(options),
        quantization=options.quantization,
        keeps_packed=options.keeps_packed,
    )
    state = HybridState(
        model.config,
        num_slots=options.num_slots,
        num_pages=options.num_pages,
        page_length=options.page_length,
        block_length=options.block_length,
        dtype=model.activation_dtype,
        device=device,
    )
    eos_token_ids = frozenset(model.config.eos_token_ids)
    info = EngineInfo(
        dtype=options.dtype,
        device=options.device,
        num_parameters=model.num_parameters,
        weight_bytes=model.weight_bytes,
        state_bytes=state.num_bytes,
        context_length=min(options.context_length, options.num_pages * options.page_length),
        vocab_size=model.config.vocab_size,
        num_slots=options.num_slots,
    )
    runner = Runner(model.network, state, Sampler(), eos_token_ids)
    grammars = GrammarProcesses(nursery_command(options.checkpoint, options.grammar_seconds))
    return Loaded(runner, info, eos_token_ids, grammars)


def _kernels(options: EngineOptions) -> Kernels:
    """Native kernels bring their own threads: with torch's both would compete for the cores."""
    if not options.is_native:
        torch.set_num_threads(options.threads)
        return TorchKernels()
    torch.set_num_threads(1)
    return NativeKernels(options.threads)
