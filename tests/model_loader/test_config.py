import json
import math
from pathlib import Path
from typing import Any

import pytest

from kernels.native_structures import MAX_TAPS
from model_loader.config import ModelConfig, read_config
from model_loader.errors import UnsupportedConfig
from tests.tiny_checkpoint import TinyShape, load_oracle, write_checkpoint, write_json

MISSING = object()


def read_with(directory: Path, **changes: Any) -> ModelConfig:
    values = {**TinyShape().published_config(), **changes}
    kept = {key: value for key, value in values.items() if value is not MISSING}
    write_json(directory / "config.json", kept)
    return read_config(directory)


def refusal(directory: Path, **changes: Any) -> str:
    with pytest.raises(UnsupportedConfig) as refused:
        read_with(directory, **changes)
    return str(refused.value)


def test_published_keys_are_read_with_derived_and_default_values(tmp_path: Path) -> None:
    config = read_with(tmp_path)

    assert config.layer_types == ("mamba", "mamba", "attention", "mamba")
    assert (config.hidden_size, config.head_dim, config.mamba_d_head) == (64, 16, 16)
    assert config.time_step_limit == (0.0, math.inf)
    assert (config.embedding_multiplier, config.residual_multiplier) == (12.0, 0.22)
    assert config.eos_token_ids == (257,)


def test_a_config_saved_again_by_transformers_means_the_same(tmp_path: Path) -> None:
    published = write_checkpoint(tmp_path / "published")
    load_oracle(published).save_pretrained(tmp_path / "again")

    assert read_config(tmp_path / "again") == read_config(published)


@pytest.mark.parametrize("names", [("mamba", "attention"), ("linear_attention", "full_attention")])
@pytest.mark.parametrize("key", ["layer_types", "layers_block_type"])
def test_layers_have_old_and_new_names(tmp_path: Path, key: str, names: tuple[str, str]) -> None:
    layers = {"layer_types": MISSING, key: [names[0], names[0], names[1], names[0]]}

    assert read_with(tmp_path, **layers).layer_types == ("mamba", "mamba", "attention", "mamba")


def test_every_end_of_turn_id_of_both_files_counts_once(tmp_path: Path) -> None:
    write_json(tmp_path / "generation_config.json", {"eos_token_id": [256, 257, 3]})

    assert read_with(tmp_path, eos_token_id=[257, 4]).eos_token_ids == (257, 4, 256, 3)


def test_a_time_step_limit_is_kept(tmp_path: Path) -> None:
    assert read_with(tmp_path, time_step_limit=[0.001, 100.0]).time_step_limit == (0.001, 100.0)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model_type", "llama"),
        ("model_type", MISSING),
        ("num_local_experts", 64),
        ("num_local_experts", MISSING),
        ("position_embedding_type", "rope"),
        ("attention_bias", True),
        ("mamba_proj_bias", True),
        ("mamba_conv_bias", False),
        ("tie_word_embeddings", False),
        ("tie_word_embeddings", MISSING),
        ("hidden_act", "gelu"),
        ("normalization_function", "layernorm"),
        ("architectures", ["GraniteMoeHybridForSequenceClassification"]),
        ("quantization_config", {"quant_method": "fp8"}),
        ("auto_map", {"AutoConfig": "evil.Config"}),
        ("_attn_implementation_internal", "hub/kernel"),
        ("trust_remote_code", True),
        ("query_multiplier", 2.0),
        ("sliding_window", 128),
    ],
)
def test_other_mathematics_is_refused_by_name(tmp_path: Path, key: str, value: Any) -> None:
    assert key in refusal(tmp_path, **{key: value})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hidden_size", -64),
        ("hidden_size", 0),
        ("hidden_size", 64.0),
        ("hidden_size", True),
        ("hidden_size", MISSING),
        ("vocab_size", 10**12),
        ("num_hidden_layers", 10**9),
        ("num_hidden_layers", 3),
        ("layer_types", ["mamba", "mamba", "mamba", "conv"]),
        ("layer_types", "mamba"),
        ("mamba_d_state", "16"),
        ("rms_norm_eps", math.nan),
        ("rms_norm_eps", 0.0),
        ("logits_scaling", 0),
        ("embedding_multiplier", math.inf),
        ("attention_multiplier", -0.25),
        ("residual_multiplier", MISSING),
        ("time_step_limit", [1.0, 0.5]),
        ("time_step_limit", [math.nan, 1.0]),
        ("time_step_limit", [0.0]),
        ("eos_token_id", 352),
        ("eos_token_id", -1),
        ("eos_token_id", MISSING),
        ("bos_token_id", "1"),
        ("bos_token_id", [1, 2]),
    ],
)
def test_an_unusable_value_is_refused_by_name(tmp_path: Path, key: str, value: Any) -> None:
    assert key in refusal(tmp_path, **{key: value})


def test_a_convolution_may_have_as_many_taps_as_the_native_kernels_take(tmp_path: Path) -> None:
    assert read_with(tmp_path, mamba_d_conv=MAX_TAPS).mamba_d_conv == MAX_TAPS
    assert f"mamba_d_conv must be an integer from 1 to {MAX_TAPS}" in refusal(
        tmp_path, mamba_d_conv=MAX_TAPS + 1
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"num_attention_heads": 5},
        {"num_key_value_heads": 3},
        {"mamba_n_heads": 4},
        {"mamba_d_head": 8},
        {"mamba_expand": 4},
        {"mamba_n_groups": 3},
    ],
    ids=str,
)
def test_sizes_that_contradict_each_other_are_refused(
    tmp_path: Path, changes: dict[str, int]
) -> None:
    assert next(iter(changes)) in refusal(tmp_path, **changes)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "not JSON"),
        (b"<!doctype html><title>404</title>", "not JSON"),
        (b"\xff\xfe{}", "not UTF-8"),
        (b"[]", "not a JSON object"),
        (b'{"hidden_size": 64, "hidden_size": 128}', "'hidden_size' appears twice"),
        (b"[" * 100_000, "nested too deeply"),
    ],
    ids=["empty", "html", "utf-16", "list", "repeated key", "deep"],
)
def test_a_file_that_is_no_json_object_is_named(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "config.json").write_bytes(content)

    with pytest.raises(UnsupportedConfig, match="config.json") as refused:
        read_config(tmp_path)
    assert reason in str(refused.value)


def test_a_missing_config_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedConfig, match="config.json: no such file"):
        read_config(tmp_path)


def test_a_published_config_has_no_unknown_key(tmp_path: Path) -> None:
    reference = Path(__file__).parents[2] / "benchmarks" / "granite" / "config.json"
    (tmp_path / "config.json").write_bytes(reference.read_bytes())

    config = read_config(tmp_path)

    assert config.num_mamba_layers == 36
    assert config.layer_types.index("attention") == 5
    assert json.loads(reference.read_text())["vocab_size"] == config.vocab_size
