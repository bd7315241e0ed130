import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks import masks
from benchmarks.ceilings import (
    int8_operations_per_second,
    matmul_flop_per_second,
    read_bytes_per_second,
)
from benchmarks.operation_clock import (
    BATCH_LAYOUT,
    BETWEEN,
    KERNELS,
    SAMPLING,
    OperationClock,
    share_outside_operators,
)
from benchmarks.step_costs import decode_bytes, prefill_operations
from benchmarks.step_driver import StepDriver
from benchmarks.step_profile import (
    profile_decode,
    profile_prefill,
    profile_table,
    with_masks,
)
from kernels.torch_kernels import TorchKernels
from model_loader.config import read_config
from model_loader.load import LoadedModel, load_model
from tests.tiny_checkpoint import TinyShape, write_checkpoint, write_json
from tests.tiny_tokenizer import write_tokenizer

GRANITE_CONFIG = Path(__file__).parent.parent.parent / "benchmarks" / "granite"
CATEGORIES = set(KERNELS.values()) | {BATCH_LAYOUT, SAMPLING, BETWEEN}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LoadedModel:
    directory = write_checkpoint(tmp_path_factory.mktemp("tiny"))
    return load_model(directory, torch.float32, torch.device("cpu"), lambda _: None)


def test_a_blocks_own_time_excludes_the_blocks_inside_it() -> None:
    clock = OperationClock()
    with clock.measure("outer"):
        with clock.measure("inner"):
            time.sleep(0.05)
        with clock.measure("inner"):
            time.sleep(0.05)
        time.sleep(0.02)
    assert clock.seconds["inner"] >= 0.1
    assert 0.02 <= clock.seconds["outer"] < clock.seconds["inner"]
    assert sum(clock.shares().values()) == pytest.approx(1)


def test_kernels_are_wrapped_only_while_asked_for() -> None:
    kernels = TorchKernels()
    clock = OperationClock()
    with clock.wrapping(kernels):
        kernels.silu_and_multiply(torch.ones(1, 4))
    seconds = dict(clock.seconds)
    assert seconds.keys() == {"norms and activations"}
    kernels.silu_and_multiply(torch.ones(1, 4))
    assert dict(clock.seconds) == seconds


def test_work_without_operators_is_all_outside_and_a_long_operator_is_not() -> None:
    left = torch.ones(1000, 1000)
    assert share_outside_operators(lambda: time.sleep(0.05)) > 0.95
    assert share_outside_operators(lambda: [left @ left for _ in range(10)].clear()) < 0.5


def test_profiles_account_for_the_whole_step(model: LoadedModel) -> None:
    profiles = [
        profile_decode(model, batch=2, context=20),
        profile_prefill(model, num_rows=40),
    ]
    for profile in profiles:
        assert set(profile.shares) == CATEGORIES
        assert sum(profile.shares.values()) == pytest.approx(1)
        assert profile.seconds > 0
    decode, prefill = profiles
    assert decode.bytes_per_second is not None and decode.bytes_per_second > 0
    assert decode.share_outside_operators is not None and 0 < decode.share_outside_operators < 1
    assert prefill.operations_per_second is not None
    table = profile_table(profiles, bandwidth=1e9, matmul_rate=1e9)
    assert table.row_count == 2 + len(CATEGORIES) + 4


@pytest.mark.slow
def test_a_decode_step_tells_what_masks_would_add(
    model: LoadedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(masks, "NUM_STEPS", 4)
    monkeypatch.setattr(masks, "NUM_WARM_UP_STEPS", 1)
    decode = profile_decode(model, batch=2, context=20)
    (profile,) = with_masks([decode], write_tokenizer(tmp_path))
    assert profile.mask_seconds is not None and profile.mask_seconds > 0
    assert replace(profile, mask_seconds=None) == decode


def test_decoding_continues_the_prompt_and_survives_a_new_start(model: LoadedModel) -> None:
    driver = StepDriver(
        model.network, model.config, num_slots=2, max_tokens=64, dtype=torch.float32
    )
    clock = OperationClock()
    boundaries = []
    for _ in range(2):
        for slot in range(2):
            driver.prefill(slot, 10, clock)
        for _ in range(8):
            driver.decode(2, clock)
        boundaries.append(driver.state.boundary.clone())
    assert boundaries[0].abs().sum() > 0
    assert torch.equal(boundaries[0], boundaries[1])


def test_a_decode_step_of_the_published_shape_moves_its_weights_and_states() -> None:
    config = read_config(GRANITE_CONFIG)
    weights = 6_382_792_192
    alone = decode_bytes(config, weights, 1, 0, "bf16")
    state = 36 * 64 * 64 * 128 * 4  # the boundary states, fp32
    assert alone - weights == pytest.approx(state * (1 + 2 / 16), rel=0.1)
    assert decode_bytes(config, weights, 1, 1000, "bf16") - alone == 1000 * 8192
    sixteen = decode_bytes(config, weights, 16, 0, "bf16")
    assert sixteen - weights == pytest.approx(16 * (alone - weights))


@pytest.mark.parametrize(("layers", "mixed"), [("AM", 128), ("MA", 64)])
def test_prefill_computes_the_head_and_the_end_of_the_last_layer_for_one_row_only(
    tmp_path: Path, layers: str, mixed: int
) -> None:
    shape = TinyShape(layers=layers, hidden_size=64, shared_intermediate_size=96, vocab_size=350)
    write_json(tmp_path / "config.json", shape.published_config())
    config = read_config(tmp_path)
    once = 64 * (350 + mixed + 3 * 96)
    assert prefill_operations(config, once + 1000, 1) == 2 * (1000 + once)
    assert prefill_operations(config, once + 1000, 256) == 2 * (256 * 1000 + once)


def test_ceilings_are_rates_above_zero() -> None:
    assert read_bytes_per_second(2**20) > 0
    assert matmul_flop_per_second(torch.float32, size=64) > 0
    assert int8_operations_per_second(size=64) > 0
