"""What is wrong with an input file is said with its line, however the file comes in pieces."""

import json
from typing import Any

import pytest

from server.batches.input_file import MAX_ERRORS, MAX_LINES, InputCheck, check_input, raw_lines
from tests.server.batches.batches import jsonl, line
from tests.server.batches.conftest import ENDPOINT
from tests.server.storage.samples import pieces


async def check(content: bytes, step: int = 2**20) -> InputCheck:
    parts = [content[start : start + step] for start in range(0, len(content), step)]
    return await check_input(pieces(*parts), ENDPOINT, 4096, ("m",))


@pytest.mark.parametrize("step", [1, 7, 64, 10_000])
async def test_lines_are_the_same_in_any_pieces(step: int) -> None:
    content = b"one\r\n\n  \ntwo\nthree"
    parts = [content[start : start + step] for start in range(0, len(content), step)]
    lines = [row async for rows in raw_lines(pieces(*parts), 100) for row in rows]
    assert [(row.number, row.content.strip()) for row in lines] == [
        (1, b"one"),
        (4, b"two"),
        (5, b"three"),
    ]


async def test_a_file_in_order_has_its_count_and_model() -> None:
    checked = await check(jsonl(*map(line, range(5))), step=10)
    assert (checked.total, checked.model, checked.errors) == (5, "m", [])


@pytest.mark.parametrize(
    ("row", "code", "param"),
    [
        ("nonsense", "invalid_json_line", None),
        ("[1]", "invalid_json_line", None),
        ('{"custom_id": "a", "custom_id": "b"}', "invalid_json_line", None),
        (line(1, custom_id=None), "missing_required_parameter", "custom_id"),
        (line(1, custom_id=7), "missing_required_parameter", "custom_id"),
        (line(1, custom_id=""), "invalid_custom_id", "custom_id"),
        (line(1, custom_id="x" * 513), "invalid_custom_id", "custom_id"),
        (line(1, body=[]), "missing_required_parameter", "body"),
        (line(1, method="GET"), "invalid_method", "method"),
        (line(1, url="/v1/completions"), "invalid_url", "url"),
        (line(1, body={"model": "other"}), "model_not_found", "body.model"),
        (line(1, body={}), "model_not_found", "body.model"),
        (line(0), "duplicate_custom_id", "custom_id"),
        (line(1, body={"model": "m", "text": "x" * 5000}), "line_too_long", None),
    ],
)
async def test_each_mistake_is_named_with_its_line(
    row: str | dict[str, Any], code: str, param: str | None
) -> None:
    text = row if isinstance(row, str) else json.dumps(row)
    checked = await check(jsonl(line(0)) + b"\n" + text.encode() + b"\n" + jsonl(line(9)))
    (error,) = checked.errors
    assert (error.code, error.param, error.line) == (code, param, 3)
    assert checked.total == 3


async def test_a_line_without_end_takes_bounded_memory() -> None:
    rows = [row async for row in raw_lines(pieces(*[b"x" * 10_000] * 50), 4096)]
    assert max(len(part.content) for row in rows for part in row) == 4097


@pytest.mark.parametrize("content", [b"", b"\n \n\r\n"])
async def test_an_empty_file_is_refused(content: bytes) -> None:
    assert [error.code for error in (await check(content)).errors] == ["empty_file"]


async def test_too_many_requests_are_refused_without_reading_all_of_them() -> None:
    async def endless() -> Any:
        while True:
            yield b"{}\n" * 10_000

    checked = await check_input(endless(), ENDPOINT, 4096, ("m",))
    assert len(checked.errors) == MAX_ERRORS
    row = jsonl(line(0))[:-1]
    ids = (row.replace(b"c0", b"c%d" % number) for number in range(MAX_LINES + 1))
    checked = await check(b"\n".join(ids))
    assert [error.code for error in checked.errors] == ["too_many_tasks"]
