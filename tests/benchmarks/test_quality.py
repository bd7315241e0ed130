"""The measure of quality measures, and the demo model keeps within its limits."""

import json
import re

import pytest
import torch

from benchmarks.divergence import Divergence, divergences_from
from benchmarks.quality import compare_forms, held_out_rows, main, measuring_kernels
from benchmarks.teacher_forcing import PIECE_ROWS, log_probabilities
from kernels.torch_kernels import TorchKernels
from model_loader.load import load_model
from model_loader.resolve import DEMO_DIRECTORY


def test_divergence_of_known_distributions() -> None:
    reference = [torch.tensor([[0.5, 0.5], [0.9, 0.1]]).log(), torch.tensor([[0.2, 0.8]]).log()]
    other = [torch.tensor([[0.25, 0.75], [0.9, 0.1]]).log(), torch.tensor([[0.8, 0.2]]).log()]
    divergences, same_top = divergences_from(reference, other)
    assert divergences.tolist() == pytest.approx([0.143841, 0.0, 0.831777], abs=1e-5)
    assert same_top.tolist() == [False, True, False]
    summary = Divergence.summarise(divergences, same_top)
    assert summary.positions == 3
    assert summary.mean == pytest.approx(0.325206, abs=1e-5)
    assert summary.largest == pytest.approx(0.831777, abs=1e-5)
    assert summary.same_top == pytest.approx(1 / 3)


def test_a_text_longer_than_one_piece_is_expected_as_by_a_single_step() -> None:
    model = load_model(
        DEMO_DIRECTORY,
        torch.float32,
        torch.device("cpu"),
        lambda _: None,
        kernels=TorchKernels(),
    )
    ids = [(5 * i + i * i) % 3000 for i in range(PIECE_ROWS + 3)]
    whole, beginning = log_probabilities(model, [ids, ids[:10]])
    assert whole.shape == (len(ids), model.config.vocab_size)
    assert torch.equal(whole[:10], beginning)
    assert whole.exp().sum(-1).tolist() == pytest.approx([1.0] * len(ids), abs=1e-3)


def test_held_out_dialogues_are_the_same_each_time_and_enough() -> None:
    rows = held_out_rows(DEMO_DIRECTORY, reply_tokens=300)
    assert sum(sum(row.answers) for row in rows) >= 300
    assert rows == held_out_rows(DEMO_DIRECTORY, reply_tokens=300)


@pytest.mark.slow
@pytest.mark.parametrize(("form", "limit"), [("int8", 1e-3), ("int4", 2e-2)])
def test_quantised_replies_of_the_demo_model_diverge_less_than_is_allowed(
    form: str, limit: float
) -> None:
    rows = held_out_rows(DEMO_DIRECTORY, reply_tokens=2500)
    (comparison,) = compare_forms(DEMO_DIRECTORY, rows, ["bf16", form], measuring_kernels(1))
    assert comparison.replies.positions >= 2500
    assert 0 < comparison.replies.mean <= limit
    assert comparison.replies.same_top > 0.99


@pytest.mark.slow
def test_the_command_prints_a_table_and_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    main(forms="bf16,int4", reply_tokens=50, threads=1)
    printed = capsys.readouterr().out
    assert re.search(r"int4 of bf16, replies .* \d\.\de-\d\d", printed)
    document = json.loads(printed.splitlines()[-1])
    assert document["benchmark"] == "quality"
    assert {c["form"] for c in document["comparisons"]} == {"int4"}
