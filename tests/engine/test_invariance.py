"""A reply through scheduler, native network and sampler is the same in any company, to the bit."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from engine.request import GenerationRequest, TokenEvent
from kernels.library_path import library_path
from kernels.native_library import NativeKernels
from kernels.native_structures import InstructionSet
from model_loader.footprint import Quantization
from model_loader.load import LoadedModel, load_model
from tests.engine.fakes import make_request
from tests.engine.machine import make

pytestmark = pytest.mark.skipif(
    not library_path().exists(), reason="installed without a C++ compiler"
)
FORMS: list[Quantization] = ["none", "int8", "int4"]
NUM_TOKENS = 32
PROMPT = tuple((31 * n + n * n) % 250 for n in range(40))
SUBJECTS = {
    "greedy": {"temperature": 0.0},
    "seeded": {"temperature": 1.0, "seed": 5},
    "filtered": {"temperature": 0.7, "top_p": 0.9, "repetition_penalty": 1.2, "seed": 6},
}


def asking(prompt: tuple[int, ...], max_tokens: int, **sampling: object) -> GenerationRequest:
    return make_request(prompt, max_tokens, ignore_eos=True, logprobs=3, **sampling)  # type: ignore[arg-type]  # real names


@pytest.fixture(params=SUBJECTS)
def subject(request: pytest.FixtureRequest) -> GenerationRequest:
    return asking(PROMPT, NUM_TOKENS, **SUBJECTS[request.param])


def load(
    directory: Path,
    form: Quantization,
    threads: int,
    instruction_set: InstructionSet = InstructionSet.BEST,
) -> tuple[LoadedModel, NativeKernels]:
    kernels = NativeKernels(threads, instruction_set)
    cpu = torch.device("cpu")
    model = load_model(
        directory, torch.bfloat16, cpu, lambda _: None, kernels=kernels, quantization=form
    )
    return model, kernels


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(InstructionSet.BEST, id="best"),
        pytest.param(InstructionSet.AVX2, id="avx2", marks=pytest.mark.slow),
        pytest.param(InstructionSet.GENERIC, id="generic", marks=pytest.mark.slow),
    ],
)
def instruction_set(request: pytest.FixtureRequest) -> InstructionSet:
    choice: InstructionSet = request.param
    return choice


@pytest.fixture(scope="module", params=FORMS)
def native(
    request: pytest.FixtureRequest, instruction_set: InstructionSet, directory: Path
) -> Iterator[LoadedModel]:
    model, kernels = load(directory, request.param, 2, instruction_set)
    yield model
    kernels.close()


def reply(
    model: LoadedModel,
    subject: GenerationRequest,
    others: dict[int, GenerationRequest] | None = None,
    **changes: object,
) -> list[TokenEvent]:
    """The subject's tokens, their log-probabilities and runners-up; it comes after the others."""
    options = {"num_slots": 16, "num_pages": 128, "step_rows": 256, **changes}
    machine = make(model, **options)  # type: ignore[arg-type]  # option names
    outputs = machine.run({**(others or {}), 0: subject})
    if "num_pages" in changes:
        assert machine.scheduler.num_preemptions > 0
    events = [output.event for output in outputs if output.generation == 0]
    tokens = [event for event in events if isinstance(event, TokenEvent)]
    assert len(tokens) == NUM_TOKENS
    return tokens


def test_a_reply_is_the_same_alone_and_among_fifteen_others(
    native: LoadedModel, subject: GenerationRequest
) -> None:
    others = {
        n: asking(PROMPT[n : 2 * n + 1], 5 + 2 * n, temperature=n % 3 / 2, seed=n)
        for n in range(1, 16)
    }
    alone = reply(native, subject)
    assert len({event.logprob for event in alone}) == NUM_TOKENS
    assert reply(native, subject, others) == alone
    assert reply(native, subject, others, step_rows=24) == alone


def test_a_reply_is_the_same_with_its_prompt_read_at_once_and_in_pieces(
    native: LoadedModel, subject: GenerationRequest
) -> None:
    at_once = reply(native, subject)
    for step_rows in (1, 7, 16, 39):
        assert reply(native, subject, step_rows=step_rows) == at_once


def test_a_reply_is_the_same_after_its_memory_was_taken_and_recomputed(
    native: LoadedModel, subject: GenerationRequest
) -> None:
    """Of two requests the younger makes room: here the subject, in the middle of its reply."""
    older = {1: asking((1, 2), 60)}
    assert reply(native, subject, older, num_pages=6) == reply(native, subject)


@pytest.mark.parametrize("form", FORMS)
def test_a_reply_is_the_same_with_one_thread_and_with_more(
    directory: Path, form: Quantization, subject: GenerationRequest
) -> None:
    replies = []
    for threads in (1, 2, 3):
        model, kernels = load(directory, form, threads)
        replies.append(reply(model, subject))
        kernels.close()
    assert replies[1] == replies[0]
    assert replies[2] == replies[0]
