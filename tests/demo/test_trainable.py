"""The trainable twin computes what the reference implementation computes."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from model_loader.demo.architecture import demo_config, published_keys
from model_loader.demo.trainable import BLOCK_LENGTH, TrainableHybrid, blocked_scan


@pytest.fixture
def twin() -> TrainableHybrid:
    """A tiny network with random values in every parameter."""
    torch.manual_seed(0)
    small = dataclasses.replace(
        demo_config(vocab_size=64, eos_id=1, pad_id=0),
        hidden_size=32,
        layer_types=("mamba", "attention", "mamba"),
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        shared_intermediate_size=48,
        mamba_n_heads=4,
        mamba_d_head=16,
        mamba_d_state=8,
    )
    network = TrainableHybrid(small)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=0.3)
    return network


def test_logits_equal_those_of_transformers(twin: TrainableHybrid, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    (tmp_path / "config.json").write_text(json.dumps(published_keys(twin.config)))
    config = transformers.AutoConfig.from_pretrained(tmp_path)
    reference = transformers.AutoModelForCausalLM.from_config(config).float().eval()
    missing, unexpected = reference.load_state_dict(twin.state_dict(), strict=False)
    assert (missing, unexpected) == (["lm_head.weight"], [])
    token_ids = torch.randint(64, (2, 3 * BLOCK_LENGTH))
    with torch.inference_mode():
        expected = reference(token_ids).logits
        actual = twin.logits(twin(token_ids))
    assert (actual - expected).abs().max() <= 1e-4


def test_blocked_scan_equals_the_recurrence_one_token_at_a_time() -> None:
    torch.manual_seed(0)
    tokens, heads, width, states = 2 * BLOCK_LENGTH, 3, 4, 5
    inputs = torch.randn(1, tokens, heads, width, dtype=torch.float64)
    step = torch.rand(1, tokens, heads, dtype=torch.float64)
    decay = -torch.rand(heads, dtype=torch.float64)
    write, read = torch.randn(2, 1, tokens, states, dtype=torch.float64)
    state = torch.zeros(heads, width, states, dtype=torch.float64)
    expected = []
    for t in range(tokens):
        kept = (step[0, t] * decay).exp().view(-1, 1, 1) * state
        state = kept + (step[0, t].unsqueeze(-1) * inputs[0, t]).unsqueeze(-1) * write[0, t]
        expected.append(state @ read[0, t])
    actual = blocked_scan(inputs, step, decay, write, read)
    torch.testing.assert_close(actual[0], torch.stack(expected))
