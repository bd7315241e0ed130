"""The runner on a real random network: right tokens, and faults that stay with their request."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from engine.errors import EngineError, NumericError, OutOfMemory
from engine.request import TokenEvent
from engine.sequence import Sequence
from engine.step import Chunk, StepFailed, StepPlan
from model_loader.load import LoadedModel
from model_loader.rows import FlatBatch
from model_loader.state import HybridState
from tests.engine.fakes import error_of, make_request, scores_of, tokens_of
from tests.engine.machine import drawing, make, reply_of
from tests.tiny_checkpoint import load_oracle

PROMPTS = [tuple(range(n, n + length)) for n, length in ((1, 1), (40, 7), (90, 16), (130, 37))]


def test_probabilities_are_those_of_the_reference_implementation(
    model: LoadedModel, directory: Path
) -> None:
    requests = {n: drawing(prompt, seed=n) for n, prompt in enumerate(PROMPTS)}
    outputs = make(model, step_rows=16).run(requests)
    oracle = load_oracle(directory)
    for generation, request in requests.items():
        reply = reply_of(outputs, generation)
        generated = [token_id for token_id, _ in reply]
        with torch.inference_mode():
            logits = oracle(torch.tensor([[*request.prompt_ids, *generated]])).logits[0]
        rows = logits.log_softmax(-1)[len(request.prompt_ids) - 1 : -1]
        expected = rows.gather(1, torch.tensor(generated)[:, None])[:, 0]
        assert len(set(generated)) > 1
        torch.testing.assert_close(
            torch.tensor([logprob for _, logprob in reply]), expected, rtol=1e-4, atol=1e-4
        )


def test_prompt_tokens_are_as_probable_as_the_reference_implementation_finds_them(
    model: LoadedModel, directory: Path
) -> None:
    requests = {
        n: drawing(prompt, 2, prompt_logprobs=3, num_choices=2) for n, prompt in enumerate(PROMPTS)
    }
    outputs = make(model, step_rows=16).run(requests)
    oracle = load_oracle(directory)
    for generation, prompt in enumerate(PROMPTS):
        with torch.inference_mode():
            rows = oracle(torch.tensor([prompt])).logits[0].log_softmax(-1)
        scores = scores_of(outputs, generation)
        assert scores == scores_of(outputs, generation, choice=1)
        assert [score.token_id for score in scores] == list(prompt[1:])
        for row, score in zip(rows, scores, strict=False):
            assert score.logprob == pytest.approx(float(row[score.token_id]), abs=1e-4)
            assert score.rank == pytest.approx(1 + int((row > row[score.token_id]).sum()), abs=1)
            best = row.topk(3)
            assert [top.token_id for top in score.top_logprobs] == best.indices.tolist()
            for top, expected in zip(score.top_logprobs, best.values.tolist(), strict=True):
                assert top.logprob == pytest.approx(expected, abs=1e-4)


def test_scoring_the_prompt_changes_nothing_and_no_neighbour_changes_the_scores(
    model: LoadedModel,
) -> None:
    asked = {n: drawing(p, prompt_logprobs=2, seed=n) for n, p in enumerate(PROMPTS)}
    plain = {n: drawing(p, seed=n) for n, p in enumerate(PROMPTS)}
    together = make(model, step_rows=16).run(asked)
    for generation, request in plain.items():
        alone = make(model, step_rows=256).run({generation: asked[generation]})
        assert scores_of(together, generation) == scores_of(alone, generation)
        without = make(model).run({generation: request})
        assert reply_of(together, generation) == reply_of(without, generation)
        assert scores_of(without, generation) == []


def test_a_prompt_whose_logits_are_not_finite_fails_alone(model: LoadedModel) -> None:
    def network(batch: FlatBatch, state: HybridState) -> Tensor:
        logits: Tensor = model.network(batch, state)
        rows = batch.token_ids[batch.logit_rows]
        return logits.masked_fill((rows == 91)[:, None], torch.nan)

    requests = {1: drawing((90, 91, 92), prompt_logprobs=0), 2: drawing((1, 2), prompt_logprobs=0)}
    outputs = make(model, network).run(requests)
    assert isinstance(error_of(outputs, 1), NumericError)
    assert error_of(outputs, 2) is None
    assert len(scores_of(outputs, 2)) == 1


def test_replies_do_not_depend_on_the_batch_or_on_how_the_prompt_is_cut(
    model: LoadedModel,
) -> None:
    requests = {n: drawing(prompt, num_choices=2, seed=n) for n, prompt in enumerate(PROMPTS)}
    together = make(model, step_rows=16).run(requests)
    for generation, request in requests.items():
        alone = make(model, step_rows=256).run({generation: request})
        for choice in range(2):
            reply = reply_of(alone, generation, choice)
            assert reply_of(together, generation, choice) == reply


def test_a_preempted_request_repeats_itself_exactly(model: LoadedModel) -> None:
    requests = {n: drawing((n, n + 1), 40, seed=n, ignore_eos=True) for n in range(1, 5)}
    tight = make(model, num_pages=7)
    outputs = tight.run(requests)
    assert tight.scheduler.num_preemptions > 0
    for generation, request in requests.items():
        alone = make(model).run({generation: request})
        assert reply_of(outputs, generation) == reply_of(alone, generation)


def test_poisoned_freed_memory_is_never_seen_by_the_next_request(model: LoadedModel) -> None:
    requests = {n: drawing(prompt) for n, prompt in enumerate(PROMPTS)}
    expected = make(model).run(requests)
    machine = make(model)
    machine.run({9: drawing(PROMPTS[2])})
    machine.poison()
    outputs = machine.run(requests)
    for generation in requests:
        assert error_of(outputs, generation) is None
        assert reply_of(outputs, generation) == reply_of(expected, generation)


@pytest.mark.parametrize("part", ["boundary", "ring_x", "windows", "keys", "values"])
def test_a_state_gone_bad_fails_its_request_and_harms_no_later_one(
    model: LoadedModel, part: str
) -> None:
    requests = {1: drawing((1, 2, 3), 20), 2: drawing((7, 8), 20)}
    expected = make(model).run(requests)
    machine = make(model)
    for generation, request in requests.items():
        machine.scheduler.submit(generation, request, 0.0)
    for _ in range(3):
        plan = machine.scheduler.next(0.0)
        machine.scheduler.commit(plan, machine.runner.run(plan))
    victim = machine.scheduler.running[0]
    if part in ("keys", "values"):
        getattr(machine.state, part)[:, victim.pages[0]] = torch.nan
    else:
        getattr(machine.state, part)[victim.slot] = torch.nan
    outputs = machine.run({})
    assert isinstance(error_of(outputs, 1), NumericError)
    assert reply_of(outputs, 2) == reply_of(expected, 2)
    outputs = machine.run(requests)
    for generation in requests:
        assert reply_of(outputs, generation) == reply_of(expected, generation)


class Faulty:
    """A network that misbehaves for one slot's sequence, or at one call."""

    def __init__(self, model: LoadedModel) -> None:
        self._model = model
        self.raise_for_token = -1
        self.nan_for_token = -1
        self.fail_at_call = -1
        self.error: Exception = RuntimeError("boom")
        self.num_calls = 0

    def __call__(self, batch: FlatBatch, state: HybridState) -> Tensor:
        self.num_calls += 1
        logits: Tensor = self._model.network(batch, state)
        if self.num_calls == self.fail_at_call or self.raise_for_token in batch.token_ids.tolist():
            raise self.error
        newest = batch.token_ids[batch.logit_rows]
        return logits.masked_fill((newest == self.nan_for_token)[:, None], torch.nan)


@pytest.mark.parametrize("fault", ["raises", "not finite"])
def test_a_fault_of_one_request_fails_only_that_request(model: LoadedModel, fault: str) -> None:
    requests = {1: drawing((1, 2, 3)), 2: drawing((300, 301)), 3: drawing((7, 8))}
    expected = make(model).run(requests)
    network = Faulty(model)
    if fault == "raises":
        network.raise_for_token = 301
    else:
        network.nan_for_token = 301
    outputs = make(model, network).run(requests)
    error = error_of(outputs, 2)
    assert type(error) is (EngineError if fault == "raises" else NumericError)
    for generation in (1, 3):
        assert error_of(outputs, generation) is None
        assert reply_of(outputs, generation) == reply_of(expected, generation)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("can't allocate memory"),
    ],
    ids=["Python", "device", "torch on the CPU"],
)
def test_an_allocation_failure_at_any_call_costs_at_most_one_request(
    model: LoadedModel, error: Exception
) -> None:
    requests = {1: drawing((1, 2, 3), 4), 2: drawing((7, 8), 4)}
    expected = make(model).run(requests)
    for call in range(1, 6):
        network = Faulty(model)
        network.error, network.fail_at_call = error, call
        outputs = make(model, network).run(requests)
        failed = [n for n in requests if isinstance(error_of(outputs, n), OutOfMemory)]
        assert len(failed) <= 1
        for generation in requests.keys() - failed:
            assert reply_of(outputs, generation) == reply_of(expected, generation)


def test_a_broken_device_is_left_to_the_process_to_die_of(model: LoadedModel) -> None:
    network = Faulty(model)
    network.error, network.fail_at_call = torch.AcceleratorError("device-side assert"), 1
    with pytest.raises(torch.AcceleratorError):
        make(model, network).run({1: drawing((1, 2))})


def test_end_tokens_are_not_drawn_before_min_tokens(model: LoadedModel) -> None:
    biased = ((257, 100.0),)
    early = make(model).run({1: make_request((1, 2), 12, logit_bias=biased)})
    late = make(model).run({1: make_request((1, 2), 12, logit_bias=biased, min_tokens=5)})
    never = make(model).run({1: make_request((1, 2), 12, logit_bias=biased, ignore_eos=True)})
    assert tokens_of(early, 1) == [257]
    assert len(tokens_of(late, 1)) == 6
    assert tokens_of(late, 1)[-1] == 257
    assert len(tokens_of(never, 1)) == 12
    assert 257 not in tokens_of(never, 1)


def test_logprobs_come_with_their_tokens(model: LoadedModel) -> None:
    outputs = make(model).run({1: make_request((1, 2), 3, temperature=0.0, logprobs=4)})
    events = [o.event for o in outputs if isinstance(o.event, TokenEvent)]
    assert len(events) == 3
    for event in events:
        assert event.logprob is not None
        assert event.top_logprobs[0].token_id == event.token_id
        assert event.top_logprobs[0].logprob == pytest.approx(event.logprob)
        assert len(event.top_logprobs) == 4


def test_the_time_of_network_and_sampler_is_counted_apart(model: LoadedModel) -> None:
    machine = make(model)
    machine.run({1: drawing((1, 2))})
    assert machine.runner.forward_seconds > 0
    assert machine.runner.sampling_seconds > 0


def test_a_request_without_a_seed_is_a_failure_not_a_guess(model: LoadedModel) -> None:
    machine = make(model)
    request = make_request((1, 2), seed=None)
    sequence = Sequence(generation=1, choice=0, arrival=0, request=request)
    machine.scheduler.memory.start(sequence)
    machine.scheduler.memory.grow(sequence, 2)
    results = machine.runner.run(StepPlan((Chunk(sequence, 0, 2),), (sequence.slot,)))
    assert isinstance(results, StepFailed)
