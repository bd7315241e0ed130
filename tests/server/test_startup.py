"""Every "choose for me" has one answer, and what does not fit is refused with numbers."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from engine.options import EngineOptions
from model_loader.config import ModelConfig
from model_loader.errors import DoesNotFit
from model_loader.footprint import Precision, weight_bytes
from server.machine import Machine
from server.settings import InvalidSettings, Settings
from server.startup import StartupPlan, gibibytes, plan_startup

GIBIBYTE = 2**30
CHECKPOINT = Path("/models/checkpoint")
MICRO = ModelConfig(
    vocab_size=100_352,
    hidden_size=2048,
    layer_types=("mamba",) * 36 + ("attention",) * 4,
    num_attention_heads=32,
    num_key_value_heads=8,
    head_dim=64,
    shared_intermediate_size=8192,
    mamba_n_heads=64,
    mamba_d_head=64,
    mamba_d_state=128,
    mamba_n_groups=1,
    mamba_d_conv=4,
    embedding_multiplier=12.0,
    logits_scaling=8.0,
    residual_multiplier=0.22,
    attention_multiplier=0.015625,
    rms_norm_eps=1e-5,
    max_position_embeddings=131_072,
    eos_token_ids=(100_257,),
)
TINY = ModelConfig(
    vocab_size=2000,
    hidden_size=128,
    layer_types=("mamba", "attention"),
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=32,
    shared_intermediate_size=256,
    mamba_n_heads=8,
    mamba_d_head=32,
    mamba_d_state=64,
    mamba_n_groups=1,
    mamba_d_conv=4,
    embedding_multiplier=12.0,
    logits_scaling=8.0,
    residual_multiplier=0.22,
    attention_multiplier=0.015625,
    rms_norm_eps=1e-5,
    max_position_embeddings=8192,
    eos_token_ids=(1,),
)
LAPTOP = Machine(cores=8, free_bytes=12 * GIBIBYTE, has_fast_bf16=False)
SERVER = Machine(cores=64, free_bytes=256 * GIBIBYTE, has_fast_bf16=True)
NATIVE = Machine(
    cores=64,
    free_bytes=256 * GIBIBYTE,
    has_fast_bf16=True,
    has_native_kernels=True,
    has_avx2=True,
)
GPU = Machine(cores=16, free_bytes=64 * GIBIBYTE, has_fast_bf16=False, free_gpu_bytes=70 * GIBIBYTE)


def plan(machine: Machine, config: ModelConfig = MICRO, **settings: object) -> StartupPlan:
    return plan_startup(Settings.model_validate(settings), config, machine, CHECKPOINT)


def test_a_small_model_is_served_exactly_on_any_machine() -> None:
    assert plan(SERVER, TINY).options.dtype == "fp32"
    assert plan(GPU, TINY).options.dtype == "fp32"


@pytest.mark.parametrize(
    ("machine", "device", "dtype"),
    [(SERVER, "cpu", "bf16"), (GPU, "cuda", "bf16"), (LAPTOP, "cpu", "bf16")],
)
def test_device_and_precision_follow_the_machine(machine: Machine, device: str, dtype: str) -> None:
    options = plan(machine).options
    assert (options.device, options.dtype) == (device, dtype)


def test_a_cpu_without_bf16_computes_in_fp32_when_the_memory_is_there() -> None:
    roomy = Machine(cores=8, free_bytes=64 * GIBIBYTE, has_fast_bf16=False)
    assert plan(roomy).options.dtype == "fp32"


def test_without_native_kernels_weights_stay_plain_and_asking_for_less_is_refused() -> None:
    options = plan(SERVER).options
    assert (options.is_native, options.quantization) == (False, "none")
    with pytest.raises(InvalidSettings, match="--quantize.*not built"):
        plan(SERVER, quantize="int8")


def test_a_gpu_can_be_left_unused() -> None:
    options = plan(GPU, device="cpu").options
    assert (options.device, options.threads) == ("cpu", 16)


def test_a_large_model_is_quantised_only_where_the_kernels_can() -> None:
    options = plan(NATIVE).options
    assert (options.quantization, options.is_native) == ("int8", True)
    options = plan(SERVER).options
    assert (options.quantization, options.is_native) == ("none", False)


def test_a_small_model_and_a_chosen_precision_are_left_as_they_are() -> None:
    assert plan(NATIVE, TINY).options.quantization == "none"
    assert plan(NATIVE, dtype="bf16").options.quantization == "none"
    assert plan(NATIVE, dtype="bf16", quantize="int4").options.quantization == "int4"


def test_without_avx2_the_native_kernels_serve_only_who_asks_for_few_bits() -> None:
    older = Machine(cores=8, free_bytes=64 * GIBIBYTE, has_fast_bf16=False, has_native_kernels=True)
    options = plan(older).options
    assert (options.is_native, options.quantization, options.dtype) == (False, "none", "fp32")
    options = plan(older, quantize="int8").options
    assert (options.is_native, options.quantization) == (True, "int8")


def test_with_avx2_the_native_kernels_serve_without_instructions_for_bf16() -> None:
    desktop = Machine(
        cores=8,
        free_bytes=64 * GIBIBYTE,
        has_fast_bf16=False,
        has_native_kernels=True,
        has_avx2=True,
    )
    options = plan(desktop).options
    assert (options.is_native, options.quantization, options.dtype) == (True, "int8", "bf16")
    options = plan(desktop, quantize="none").options
    assert (options.is_native, options.dtype) == (True, "bf16")


def test_fp32_weights_go_through_torch_unless_one_thread_is_enough() -> None:
    assert plan(NATIVE, TINY).options.is_native
    assert not plan(NATIVE, TINY, threads=2).options.is_native
    assert not plan(NATIVE, dtype="fp32").options.is_native


def test_quantised_weights_take_less_memory() -> None:
    plain, eight, four = (plan(NATIVE, quantize=bits) for bits in ("none", "int8", "int4"))
    assert plain.weight_bytes > 1.8 * eight.weight_bytes
    assert eight.weight_bytes > 1.4 * four.weight_bytes


def test_quantisation_without_native_kernels_is_refused_by_its_flag() -> None:
    with pytest.raises(InvalidSettings, match="--quantize"):
        plan(SERVER, quantize="int8")


def test_a_large_model_gets_every_core_and_a_tiny_one_a_single_thread() -> None:
    assert plan(SERVER).options.threads == 64
    assert plan(SERVER, TINY).options.threads == 1
    assert plan(SERVER, TINY, threads=5).options.threads == 5


def test_asking_for_a_gpu_that_is_not_there_names_the_flag() -> None:
    with pytest.raises(InvalidSettings, match="--device"):
        plan(SERVER, device="cuda")


def test_the_whole_context_is_offered_where_it_fits_and_what_fits_elsewhere() -> None:
    assert plan(SERVER).options.context_length == 131_072
    small = plan(LAPTOP, memory_bytes=1 * GIBIBYTE).options
    assert 1024 <= small.context_length < 131_072
    assert small.num_pages * small.page_length >= small.context_length


def test_the_plan_stays_within_its_memory() -> None:
    for memory in (300 * 2**20, GIBIBYTE, 5 * GIBIBYTE):
        chosen = plan(SERVER, memory_bytes=memory)
        assert chosen.slot_bytes + chosen.page_bytes <= memory
        assert chosen.options.num_slots >= 1


def test_no_more_pages_are_taken_than_the_slots_can_use() -> None:
    options = plan(SERVER, TINY, max_sequences=3, context_length=100).options
    assert options.num_pages == 3 * 2


def test_little_memory_means_fewer_sequences_before_a_shorter_context() -> None:
    assert plan(SERVER).options.num_slots == 16
    assert plan(SERVER, memory_bytes=GIBIBYTE).options.num_slots == 6


def test_a_context_longer_than_the_model_can_read_is_refused_with_the_limit() -> None:
    with pytest.raises(InvalidSettings, match=r"--context-length.*131072"):
        plan(SERVER, context_length=131_073)


def test_a_context_longer_than_the_memory_is_refused_with_what_would_fit() -> None:
    with pytest.raises(DoesNotFit, match=r"at most \d+ do"):
        plan(SERVER, context_length=131_072, memory_bytes=GIBIBYTE)


def test_weights_larger_than_the_memory_are_refused_with_both_sizes() -> None:
    needed = gibibytes(weight_bytes(MICRO, Precision("bf16")))
    machine = Machine(cores=2, free_bytes=4 * GIBIBYTE, has_fast_bf16=True)
    with pytest.raises(DoesNotFit, match=f"{needed}.*4.0 GiB"):
        plan(machine)


def test_limits_and_deadlines_reach_the_engine() -> None:
    options = plan(
        SERVER,
        max_queued_requests=7,
        queue_timeout=1.5,
        step_rows=32,
        prompt_rows=40,
        threads=3,
        packed_cache=False,
        grammar_timeout=7.0,
        log_level="debug",
    ).options
    assert options == EngineOptions(
        checkpoint=str(CHECKPOINT),
        dtype="bf16",
        threads=3,
        num_slots=16,
        context_length=131_072,
        num_pages=options.num_pages,
        step_rows=32,
        rows_beside_decode=40,
        max_queued_requests=7,
        queue_timeout_seconds=1.5,
        grammar_seconds=7.0,
        log_level="debug",
    )


def test_the_model_is_known_by_its_directory_its_id_or_the_given_names(tmp_path: Path) -> None:
    hosted = "ibm-granite/granite-4.0-h-micro"
    assert plan(SERVER, model=str(tmp_path)).model_names == (tmp_path.name, hosted)
    assert plan(SERVER, model="org/some-model").model_names == ("org/some-model", hosted)
    assert plan(SERVER, model=hosted).model_names == (hosted,)
    assert plan(SERVER, served_model_name="a,b").model_names == ("a", "b")


def test_a_key_never_shows_in_the_settings_text() -> None:
    assert "hunter2" not in repr(Settings(api_key=[SecretStr("hunter2")]))
