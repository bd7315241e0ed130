import asyncio
import json
import random
from collections.abc import Callable

import pytest
import typer

from benchmarks.load import Target, Workload, main, measure_server, parse_streams
from benchmarks.prompts import WORDS, random_prompt
from benchmarks.streaming_client import LengthControl, StreamFailed
from tests.benchmarks.fake_server import FIRST_TOKEN_SECONDS, TOKEN_SECONDS, FakeServer

StartFake = Callable[[FakeServer], FakeServer]
SMALL = Workload(streams=(1, 3), prompt_tokens=20, output_tokens=6, repeats=2, timeout=10)


def test_every_level_reports_what_the_server_did(start_fake: StartFake) -> None:
    server = start_fake(FakeServer())
    levels = asyncio.run(measure_server(Target(url=server.url, model="fake"), SMALL))
    assert [level.streams for level in levels] == [1, 3]
    for level in levels:
        assert (level.prompt_tokens, level.output_tokens) == (20, 6)
        assert level.time_to_first_token.median >= FIRST_TOKEN_SECONDS
        assert level.time_per_output_token is not None
        assert level.time_per_output_token.median >= TOKEN_SECONDS
        assert level.share_outside_forward_and_sampling == pytest.approx(0.1)


def test_no_prompt_is_sent_twice_and_the_seed_repeats_them_all(start_fake: StartFake) -> None:
    first, second = start_fake(FakeServer()), start_fake(FakeServer())
    for server in (first, second):
        asyncio.run(measure_server(Target(url=server.url, model="fake"), SMALL))
    prompts = [body["prompt"] for body in first.bodies]
    assert len(set(prompts)) == len(prompts) == 3 + 2 * (1 + 3)
    assert sorted(prompts) == sorted(body["prompt"] for body in second.bodies)


def test_tokens_are_counted_by_chunk_where_a_server_reports_no_usage(start_fake: StartFake) -> None:
    server = start_fake(FakeServer(reports_usage=False))
    level = asyncio.run(measure_server(Target(url=server.url, model="fake"), SMALL))[0]
    assert level.output_tokens == 6
    assert level.prefill_rate is None


@pytest.mark.parametrize("length_control", list(LengthControl))
def test_length_is_forced_in_the_words_of_each_server(
    start_fake: StartFake, length_control: LengthControl
) -> None:
    server = start_fake(FakeServer())
    target = Target(url=server.url, model="fake", length_control=length_control)
    asyncio.run(measure_server(target, Workload(streams=(1,), output_tokens=3, repeats=1)))
    body = server.bodies[-1]
    assert body["max_tokens"] == 3
    assert body.get("ignore_eos") == (True if length_control == "ignore-eos" else None)
    if length_control is LengthControl.GENERATION_CONFIG:
        assert json.loads(body["generation_config"])["min_new_tokens"] == 3
    else:
        assert "generation_config" not in body


def test_a_refused_request_ends_the_run_with_the_servers_words(start_fake: StartFake) -> None:
    server = start_fake(FakeServer(fails=True))
    with pytest.raises(StreamFailed, match="422.*no such field"):
        asyncio.run(measure_server(Target(url=server.url, model="fake"), SMALL))


def test_the_last_line_of_the_command_is_one_json_document(
    start_fake: StartFake, capsys: pytest.CaptureFixture[str]
) -> None:
    server = start_fake(FakeServer())
    main(url=server.url, model="fake", streams="2", output_tokens=3, repeats=1)
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert document["levels"][0]["streams"] == 2
    assert document["levels"][0]["output_tokens"] == 3
    assert document["machine"]["cores"] >= 1


def test_prompts_of_two_keys_differ_and_of_one_key_agree() -> None:
    assert random_prompt(50, "a") == random_prompt(50, "a")
    assert random_prompt(50, "a") != random_prompt(50, "b")
    assert len(random_prompt(50, "a").split()) == 50
    random.seed(1)
    before = random.random()
    random.seed(1)
    random_prompt(5, "a")
    assert random.random() == before


def test_every_word_is_one_token_of_granites_vocabulary() -> None:
    granite = pytest.importorskip("benchmarks.granite_tokenizer")
    ranks = granite.read_ranks()
    assert [word for word in WORDS if f" {word}".encode() not in ranks] == []
    assert [word for word in WORDS if word.encode() not in ranks] == []


def test_streams_must_be_numbers_above_zero() -> None:
    assert parse_streams("1, 4,8") == (1, 4, 8)
    for text in ("", "0", "1,,2", "-1", "x"):
        with pytest.raises(typer.BadParameter):
            parse_streams(text)
