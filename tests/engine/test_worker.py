"""The worker as it is shipped, `python -m engine`, on a small random checkpoint."""

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.client import EngineClient
from engine.interface import EngineState
from engine.options import EngineOptions
from model_loader.config import read_config
from tests.engine.asynchronous import is_idle, read, until
from tests.engine.fakes import make_request, small_options
from tests.tiny_checkpoint import write_checkpoint


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> EngineOptions:
    directory = write_checkpoint(tmp_path_factory.mktemp("tiny"))
    return small_options(checkpoint=str(directory), dtype="fp32", page_length=16)


@pytest.fixture
async def engine(options: EngineOptions) -> AsyncIterator[EngineClient]:
    client = EngineClient(options)
    await client.start()
    yield client
    await client.stop()


@pytest.mark.slow
async def test_the_shipped_worker_loads_a_checkpoint_and_generates(
    engine: EngineClient, options: EngineOptions
) -> None:
    await until(lambda: engine.state is EngineState.READY, seconds=60)
    assert engine.info is not None
    assert engine.info.num_parameters > 0
    assert engine.info.weight_bytes == 4 * engine.info.num_parameters
    assert engine.info.vocab_size == read_config(Path(options.checkpoint)).vocab_size
    request = make_request(max_tokens=8, ignore_eos=True)
    first, second = [await read(engine.submit(request)) for _ in range(2)]
    assert first.error is None
    assert first.num_finished == 1
    assert len(first.tokens[0]) == 8
    assert first.tokens == second.tokens
    assert is_idle(engine)
    stats = engine.stats
    assert 0 < stats.forward_seconds + stats.sampling_seconds < stats.step_seconds


@pytest.mark.slow
async def test_a_checkpoint_that_cannot_be_read_fails_the_engine_with_its_reason(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = EngineClient(small_options(checkpoint=str(tmp_path)))
    await client.start()
    await until(lambda: client.state is EngineState.FAILED, seconds=60)
    await client.stop()
    assert "config.json" in caplog.text


@pytest.mark.slow
@pytest.mark.parametrize(("level", "num_reports"), [("info", 0), ("debug", 19)])
async def test_at_debug_level_the_worker_tells_how_each_weight_is_stored(
    options: EngineOptions, level: str, num_reports: int, capfd: pytest.CaptureFixture[str]
) -> None:
    client = EngineClient(dataclasses.replace(options, log_level=level))
    await client.start()
    await until(lambda: client.state is EngineState.READY, seconds=60)
    await client.stop()
    assert capfd.readouterr().err.count("bits a weight") == num_reports


@pytest.mark.slow
async def test_a_folder_named_engine_where_the_user_stands_is_not_run(
    options: EngineOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "engine").mkdir()
    (tmp_path / "engine" / "__init__.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    client = EngineClient(options)
    await client.start()
    await until(lambda: client.state is not EngineState.LOADING, seconds=60)
    assert client.state is EngineState.READY
    await client.stop()
