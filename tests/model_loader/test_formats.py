"""Which rows of which weight are stored in which format."""

import pytest

from kernels.packing import Format
from model_loader.config import ModelConfig
from model_loader.footprint import Quantization
from model_loader.formats import choose_layout
from model_loader.projection import RowPart
from tests.model_loader.test_footprint import CONFIG


def layout(
    name: str, out_features: int, quantization: Quantization, config: ModelConfig = CONFIG
) -> tuple[RowPart, ...]:
    return choose_layout(name, 64, out_features, config, quantization, packs_bf16=True)


def test_of_the_mamba_input_only_gate_and_x_are_stored_in_4_bits() -> None:
    width = CONFIG.mamba_intermediate_size
    outputs = width + CONFIG.conv_dim + CONFIG.mamba_n_heads
    assert layout("in_proj", outputs, "int4") == (
        RowPart(Format.INT4, 2 * width),
        RowPart(Format.INT8, outputs - 2 * width),
    )


def test_a_format_changes_between_panels_only() -> None:
    parts = choose_layout("in_proj", 64, 210, _of_width(100), "int4", packs_bf16=True)
    assert parts == (RowPart(Format.INT4, 192), RowPart(Format.INT8, 18))


@pytest.mark.parametrize("name", ["input_linear", "output_linear", "out_proj"])
def test_mlp_and_mamba_output_are_stored_in_4_bits(name: str) -> None:
    assert layout(name, 70, "int4") == (RowPart(Format.INT4, 70),)


@pytest.mark.parametrize("name", ["embed_tokens", "q_proj", "k_proj", "v_proj", "o_proj"])
def test_head_and_attention_stay_at_8_bits(name: str) -> None:
    assert layout(name, 70, "int4") == (RowPart(Format.INT8, 70),)


@pytest.mark.parametrize("name", ["in_proj", "embed_tokens", "input_linear"])
def test_other_forms_are_the_same_for_every_weight(name: str) -> None:
    assert layout(name, 70, "int8") == (RowPart(Format.INT8, 70),)
    assert layout(name, 70, "none") == (RowPart(Format.BF16, 70),)


def test_sizes_that_have_no_packed_form_stay_plain() -> None:
    assert choose_layout("out_proj", 48, 70, CONFIG, "int4", packs_bf16=True) == ()


def _of_width(width: int) -> ModelConfig:
    return ModelConfig(
        **{
            **{name: getattr(CONFIG, name) for name in ModelConfig.__dataclass_fields__},
            "mamba_n_heads": 1,
            "mamba_d_head": width,
        }
    )
