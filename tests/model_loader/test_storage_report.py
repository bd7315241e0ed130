"""At debug level, loading tells how every weight is stored."""

import logging
import re
from pathlib import Path

import pytest
import torch

from kernels.torch_kernels import TorchKernels
from model_loader.load import load_model
from tests.tiny_checkpoint import TinyShape, write_checkpoint

SHAPE = TinyShape(hidden_size=64, layers="MA", shared_intermediate_size=64)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "checkpoint", SHAPE)


def report(checkpoint: Path, caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    caplog.clear()
    with caplog.at_level(level):
        load_model(
            checkpoint,
            torch.bfloat16,
            torch.device("cpu"),
            lambda _: None,
            kernels=TorchKernels(),
            quantization="int4",
            keeps_packed=True,
        )
    return [line for line in caplog.messages if "bits a weight" in line]


def test_each_weight_is_reported_with_its_formats_bits_and_error(
    checkpoint: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lines = report(checkpoint, caplog, logging.DEBUG)
    assert len(lines) == len({line.split()[0] for line in lines}) == 11
    (in_proj,) = (line for line in lines if "in_proj" in line)
    assert re.search(r"int4 \(\d+ rows\) \+ int8 \(\d+ rows\), [45]\.\d\d bits", in_proj)
    errors = {line.split()[0]: float(line.split()[-1]) for line in lines}
    assert 0.05 < errors["model.layers.0.shared_mlp.input_linear.weight"] < 0.1
    assert errors["model.embed_tokens.weight"] < 0.01


def test_from_the_cache_the_error_is_not_known(
    checkpoint: Path, caplog: pytest.LogCaptureFixture
) -> None:
    report(checkpoint, caplog, logging.DEBUG)
    lines = report(checkpoint, caplog, logging.DEBUG)
    assert len(lines) == 11
    assert all(line.endswith("unknown (from the packed cache)") for line in lines)


def test_at_other_levels_nothing_is_reported(
    checkpoint: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert report(checkpoint, caplog, logging.INFO) == []
