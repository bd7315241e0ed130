"""Rows, batches and optimisers: the loss sees answers only, and training learns."""

import dataclasses
import random
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer

from model_loader.demo.batches import FIRST, TOOLS, Batch, BatchKind, choose_kind, make_batch
from model_loader.demo.dialogue import Dialogue, ask
from model_loader.demo.export import TEMPLATE_NAME, config_for, export
from model_loader.demo.initialise import initialise
from model_loader.demo.muon import orthogonal
from model_loader.demo.optimisers import Optimisers
from model_loader.demo.rendering import RowEncoder, load_template
from model_loader.demo.train import answer_loss
from model_loader.demo.trainable import BLOCK_LENGTH, TrainableHybrid

CHECKPOINT = Path(__file__).parents[2] / "model_loader" / "demo" / "checkpoint"


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(CHECKPOINT / "tokenizer.json"))


@pytest.fixture(scope="module")
def encoder(tokenizer: Tokenizer) -> RowEncoder:
    return RowEncoder(load_template(CHECKPOINT / TEMPLATE_NAME), tokenizer)


def test_answers_are_marked_up_to_their_end(tokenizer: Tokenizer, encoder: RowEncoder) -> None:
    messages = ask("", "Say: river", "river").messages + ask("", "What is 1 + 1?", "2").messages
    row = encoder.encode(Dialogue("", messages))
    marked = [token for token, answer in zip(row.ids, row.answers, strict=True) if answer]
    text = tokenizer.decode(marked, skip_special_tokens=False)
    assert text == "river<|end_of_text|>2<|end_of_text|>"


@pytest.mark.parametrize("kind", [FIRST, TOOLS])
def test_scored_targets_are_the_next_tokens(kind: BatchKind, encoder: RowEncoder) -> None:
    batch = make_batch(random.Random(1), kind, encoder, pad_id=0)
    assert batch.inputs.shape == (kind.rows, kind.mix.tokens)
    assert kind.mix.tokens % BLOCK_LENGTH == 0
    assert torch.equal(batch.inputs[:, 1:], batch.targets[:, :-1])
    assert 0.05 < (batch.weights > 0).float().mean() < 0.8


def test_the_curriculum_goes_from_short_rows_to_long_ones() -> None:
    rng = random.Random(1)
    lengths = [
        max(choose_kind(rng, progress).mix.tokens for _ in range(50))
        for progress in (0.0, 0.1, 0.3, 0.9)
    ]
    assert lengths == [64, 128, 512, 1536]


def test_orthogonal_makes_singular_values_nearly_one() -> None:
    torch.manual_seed(0)
    for shape in ((24, 8), (8, 24)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
        assert values.min() > 0.5
        assert values.max() < 1.5


def test_a_few_steps_lower_the_loss_and_the_state_restores(tokenizer: Tokenizer) -> None:
    torch.manual_seed(0)
    config = dataclasses.replace(
        config_for(tokenizer),
        hidden_size=64,
        layer_types=("mamba", "attention"),
        num_attention_heads=2,
        num_key_value_heads=1,
        mamba_n_heads=4,
        shared_intermediate_size=64,
    )
    network = TrainableHybrid(config)
    initialise(network, tokenizer, seed=0)
    optimisers = Optimisers(network)
    ids = torch.randint(100, (2, BLOCK_LENGTH + 1))
    batch = Batch(ids[:, :-1], ids[:, 1:], torch.ones(2, BLOCK_LENGTH))
    losses = []
    for step in range(30):
        loss = answer_loss(network, network(batch.inputs), batch)
        torch.autograd.backward(loss)
        optimisers.step(0.0, step)
        losses.append(loss.item())
    assert losses[-1] < losses[0] - 0.5
    restored = Optimisers(network)
    restored.load_state(optimisers.state())
    assert all(map(torch.equal, restored.state()["momenta"], optimisers.state()["momenta"]))


def test_an_exported_run_loads_in_transformers(tokenizer: Tokenizer, tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    network = TrainableHybrid(config_for(tokenizer))
    initialise(network, tokenizer, seed=0)
    run, out = tmp_path / "run", tmp_path / "out"
    run.mkdir()
    tokenizer.save(str(run / "tokenizer.json"))
    torch.save({"network": network.state_dict()}, run / "training.pt")
    export(run, out)
    loaded = transformers.AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32)
    exported = loaded.get_parameter("model.layers.0.mamba.in_proj.weight")
    wanted = network.model.layers[0].get_parameter("mamba.in_proj.weight")
    assert torch.equal(exported, wanted.to(torch.bfloat16).float())
    reloaded = transformers.AutoTokenizer.from_pretrained(out)
    assert (
        reloaded.encode("Count to 2026, naïve café")
        == tokenizer.encode("Count to 2026, naïve café").ids
    )
