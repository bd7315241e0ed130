"""Settings, model and machine to the engine's options: every "choose for me" is decided here, once.

Pure functions; nothing is allocated or measured.
"""

from dataclasses import dataclass
from pathlib import Path

from engine.options import EngineOptions
from model_loader.config import ModelConfig
from model_loader.errors import DoesNotFit
from model_loader.footprint import (
    DtypeName,
    Precision,
    Quantization,
    page_bytes,
    slot_bytes,
    weight_bytes,
)
from server.machine import Machine
from server.settings import InvalidSettings, Settings

BLOCK_LENGTH = 16
PAGE_LENGTH = 64
HOSTED_MODEL = "ibm-granite/granite-4.0-h-micro"
SMALL_MODEL_BYTES = 512 * 2**20
"""fp32 weights up to this size are served in fp32: exact, and fast enough anywhere."""
BYTES_PER_THREAD = 32 * 2**20
"""Weights that keep one CPU thread busy; with less, threads mostly wait for each other."""
STATE_SHARE = 0.5
"""Of the memory left beside the weights; the rest is for activations and everybody else."""
SLOT_SHARE = 0.5
"""The most that recurrent state may take of the memory for state; the rest is for K/V pages."""
USEFUL_CONTEXT = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class StartupPlan:
    """What will be served, and the bytes it will take."""

    model_names: tuple[str, ...]
    options: EngineOptions
    weight_bytes: int
    slot_bytes: int
    page_bytes: int


@dataclass(frozen=True, slots=True)
class _Sizes:
    """Bytes of one sequence's recurrent state and of one K/V page, and the budget for both."""

    slot: int
    page: int
    budget: int


def plan_startup(
    settings: Settings, config: ModelConfig, machine: Machine, checkpoint: Path
) -> StartupPlan:
    """Decide precision, device, threads, context length and the numbers of slots and pages.

    Raises:
        InvalidSettings: a setting asks for what the model or the machine does not have.
        DoesNotFit: weights or the smallest useful state exceed the free memory.
    """
    device = _device(settings, machine)
    free = machine.free_bytes if device == "cpu" else machine.free_gpu_bytes or 0
    precision = _precision(settings, config, machine, device, free)
    weights = weight_bytes(config, precision)
    sizes = _sizes(config, precision, _state_budget(settings, weights, free))
    num_slots = _num_slots(settings, sizes)
    context_length = _context_length(settings, config, sizes, num_slots)
    num_pages = _num_pages(sizes, num_slots, context_length)
    options = EngineOptions(
        checkpoint=str(checkpoint),
        dtype=precision.dtype,
        quantization=precision.quantization,
        is_native=precision.is_native,
        keeps_packed=settings.packed_cache,
        device=device,
        threads=settings.threads or _threads(machine, weights),
        block_length=BLOCK_LENGTH,
        page_length=PAGE_LENGTH,
        num_slots=num_slots,
        context_length=context_length,
        num_pages=num_pages,
        step_rows=settings.step_rows,
        rows_beside_decode=settings.prompt_rows,
        max_queued_requests=settings.max_queued_requests,
        max_queued_tokens=settings.max_queued_tokens,
        queue_timeout_seconds=settings.queue_timeout,
        request_timeout_seconds=settings.request_timeout,
        step_timeout_seconds=settings.step_timeout,
        grammar_seconds=settings.grammar_timeout,
        log_level=settings.log_level,
    )
    return StartupPlan(
        model_names=_model_names(settings),
        options=options,
        weight_bytes=weights,
        slot_bytes=num_slots * sizes.slot,
        page_bytes=num_pages * sizes.page,
    )


def _model_names(settings: Settings) -> tuple[str, ...]:
    """A hub id is its own name; a directory is known by its last part.

    Unless names are set, clients made for the hosted model need no change: its name is one too.
    """
    if settings.served_model_name:
        return tuple(settings.served_model_name)
    path = Path(settings.model)
    own_name = path.resolve().name if path.is_dir() else settings.model
    return tuple(dict.fromkeys((own_name, HOSTED_MODEL)))


def _device(settings: Settings, machine: Machine) -> str:
    if settings.device == "cuda" and machine.free_gpu_bytes is None:
        raise InvalidSettings("--device: no GPU answers, or the installed torch cannot use one")
    if settings.device == "auto":
        return "cpu" if machine.free_gpu_bytes is None else "cuda"
    return settings.device


def _precision(
    settings: Settings, config: ModelConfig, machine: Machine, device: str, free: int
) -> Precision:
    can_be_native = device == "cpu" and machine.has_native_kernels
    # In plain C++ they lose to torch's products wherever there is more than one row.
    is_fast = can_be_native and machine.has_avx2
    is_bf16_fast = device == "cuda" or machine.has_fast_bf16 or is_fast
    dtype = _dtype(settings, config, is_bf16_fast, free)
    quantization = _quantization(settings, dtype, can_be_native, is_fast)
    if quantization != "none" or dtype == "bf16":
        return Precision(dtype, quantization, is_fast or quantization != "none")
    # Native or not, torch multiplies by fp32 weights; beside native kernels it has one thread.
    exact = Precision(dtype)
    is_one_thread = (settings.threads or _threads(machine, weight_bytes(config, exact))) == 1
    return Precision(dtype, is_native=is_fast and is_one_thread)


def _quantization(
    settings: Settings, dtype: DtypeName, can_be_native: bool, is_fast: bool
) -> Quantization:
    """8 bits lose next to nothing and halve what a step reads, unless fp32 is wanted or small."""
    if settings.quantize == "auto":
        return "int8" if is_fast and dtype == "bf16" and settings.dtype == "auto" else "none"
    if settings.quantize != "none" and not can_be_native:
        raise InvalidSettings(
            "--quantize: needs the native CPU kernels, which were not built at installation"
        )
    return settings.quantize


def _dtype(settings: Settings, config: ModelConfig, is_bf16_fast: bool, free: int) -> DtypeName:
    if settings.dtype != "auto":
        return settings.dtype
    exact_bytes = weight_bytes(config, Precision("fp32"))
    if exact_bytes <= SMALL_MODEL_BYTES:
        return "fp32"
    return "bf16" if is_bf16_fast or exact_bytes > free * STATE_SHARE else "fp32"


def _threads(machine: Machine, weights: int) -> int:
    return min(machine.cores, max(1, weights // BYTES_PER_THREAD))


def _sizes(config: ModelConfig, precision: Precision, budget: int) -> _Sizes:
    dtype = precision.activations
    slot, page = slot_bytes(config, BLOCK_LENGTH, dtype), page_bytes(config, PAGE_LENGTH, dtype)
    return _Sizes(slot, page, budget)


def _state_budget(settings: Settings, weights: int, free: int) -> int:
    if weights > free:
        raise DoesNotFit(
            f"the weights take {gibibytes(weights)}, but only {gibibytes(free)} of memory are free"
        )
    return settings.memory_bytes or int((free - weights) * STATE_SHARE)


def _num_slots(settings: Settings, sizes: _Sizes) -> int:
    return max(1, min(settings.max_sequences, int(sizes.budget * SLOT_SHARE) // sizes.slot))


def _context_length(settings: Settings, config: ModelConfig, sizes: _Sizes, num_slots: int) -> int:
    """The wanted length, or the longest that one sequence can have in the memory for pages."""
    limit = config.max_position_embeddings
    possible = max(0, sizes.budget - num_slots * sizes.slot) // sizes.page * PAGE_LENGTH
    wanted = settings.context_length or min(limit, max(possible, min(limit, USEFUL_CONTEXT)))
    if wanted > limit:
        raise InvalidSettings(f"--context-length: the model reads at most {limit}, got {wanted}")
    if wanted > possible:
        raise DoesNotFit(
            f"a context of {wanted} tokens does not fit the {gibibytes(sizes.budget)} for state: "
            f"at most {possible} do; set --context-length or --memory-bytes"
        )
    return wanted


def _num_pages(sizes: _Sizes, num_slots: int, context_length: int) -> int:
    """As many as the memory holds, but no more than all slots could use."""
    useful = num_slots * -(-context_length // PAGE_LENGTH)
    return min(useful, (sizes.budget - num_slots * sizes.slot) // sizes.page)


def gibibytes(count: int) -> str:
    """A size for people: '6.0 GiB', or '12 MiB' below a gibibyte."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
