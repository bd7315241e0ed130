"""/v1/files as OpenAI's clients use it, and what of it is refused."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import OpenAI
from openai.types import FileObject
from pydantic import SecretStr
from starlette.testclient import TestClient

from tests.server.openai.support import Bench, fake_engine, says

FILES = "/v1/files"
LINES = b'{"custom_id": "a"}\n' * 1000


@pytest.fixture(scope="module")
def client(bench: Bench, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    app = bench.app(
        fake_engine(says("Hi")),
        storage=str(tmp_path_factory.mktemp("files") / "storage.sqlite3"),
        max_file_bytes=2**20,
        cors_origin=["https://app.example"],
    )
    with TestClient(app, base_url="http://localhost") as client:
        yield client


def upload(
    client: httpx2.Client, content: bytes = LINES, fields: dict[str, str] | None = None
) -> httpx2.Response:
    form = {"purpose": "batch", **(fields or {})}
    return client.post(FILES, data=form, files={"file": ("in.jsonl", content)})


def refusal(response: httpx2.Response) -> tuple[int, str, str | None]:
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"]


def test_a_file_is_described_kept_and_given_back(client: TestClient) -> None:
    response = upload(client)
    assert response.status_code == 200, response.text
    file = FileObject.model_validate_json(response.content, strict=True)
    assert (file.bytes, file.filename, file.purpose) == (len(LINES), "in.jsonl", "batch")
    assert re.fullmatch("file-[0-9a-f]{24}", file.id)
    assert abs(file.created_at - time.time()) < 10
    assert file.expires_at is not None
    assert abs(file.expires_at - file.created_at - 30 * 24 * 3600) <= 1
    assert client.get(f"{FILES}/{file.id}").json() == response.json()
    content = client.get(f"{FILES}/{file.id}/content")
    assert content.content == LINES
    assert content.headers["content-type"] == "application/octet-stream"
    assert content.headers["content-length"] == str(len(LINES))
    gone = client.delete(f"{FILES}/{file.id}")
    assert gone.json() == {"id": file.id, "object": "file", "deleted": True}
    for path in (f"{FILES}/{file.id}", f"{FILES}/{file.id}/content"):
        assert refusal(client.get(path)) == (404, "not_found", "file_id")
    assert refusal(client.delete(f"{FILES}/{file.id}")) == (404, "not_found", "file_id")


def test_files_for_the_user_stay_until_they_are_deleted(client: TestClient) -> None:
    assert upload(client, fields={"purpose": "user_data"}).json()["expires_at"] is None
    asked = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "7200"}
    file = upload(client, fields={"purpose": "user_data", **asked}).json()
    assert abs(file["expires_at"] - file["created_at"] - 7200) <= 1


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"purpose": "fine-tune"}, "purpose"),
        ({"purpose": ""}, "purpose"),
        ({"expires_after[anchor]": "now", "expires_after[seconds]": "7200"}, "expires_after"),
        ({"expires_after[anchor]": "created_at"}, "expires_after"),
        ({"expires_after[anchor]": "created_at", "expires_after[seconds]": "1"}, "expires_after"),
        ({"expires_after[anchor]": "created_at", "expires_after[seconds]": "²"}, "expires_after"),
    ],
)
def test_fields_of_the_form_are_checked(
    client: TestClient, fields: dict[str, str], param: str
) -> None:
    assert refusal(upload(client, fields=fields)) == (400, "invalid_value", param)


def test_fields_of_the_form_that_nobody_knows_are_named(client: TestClient, bench: Bench) -> None:
    fields = {"purpose": "batch", "colour": "red"}
    assert upload(client, fields=fields).headers["x-ignored-fields"] == "colour"
    app = bench.app(fake_engine(says("Hi")), strict_fields=True, storage="none")
    with TestClient(app, base_url="http://localhost") as strict:
        assert refusal(upload(strict, fields=fields)) == (400, "invalid_value", "colour")


def test_a_form_without_a_file_or_a_purpose_is_refused(client: TestClient) -> None:
    plain = client.post(FILES, files={"purpose": (None, "batch"), "file": (None, "text")})
    assert refusal(plain) == (400, "invalid_value", "file")
    assert refusal(client.post(FILES, files={"file": ("a", b"x")})) == (
        400,
        "invalid_value",
        "purpose",
    )


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data", 400),
        ("multipart/form-data; boundary=x", 400),
    ],
)
def test_anything_but_a_form_is_refused(client: TestClient, content_type: str, status: int) -> None:
    response = client.post(FILES, content=b"{}", headers={"content-type": content_type})
    assert response.status_code == status


def test_a_file_that_is_too_large_is_refused_as_soon_as_that_is_known(client: TestClient) -> None:
    assert refusal(upload(client, b"x" * (2**20 + 1))) == (413, "request_too_large", None)
    assert upload(client, b"x" * 2**20).status_code == 200
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
        while sent < 2**24:
            sent += 2**16
            yield b"x" * 2**16

    form = {"content-type": "multipart/form-data; boundary=b"}
    response = client.post(FILES, content=endless(), headers=form)
    assert refusal(response) == (413, "request_too_large", None)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\in.jsonl", "in.jsonl"),
        ("漢字.jsonl", "漢字.jsonl"),
        ("..", ".."),
        ("x" * 300, "x" * 254 + "…"),
    ],
)
def test_of_a_filename_the_last_part_is_kept(client: TestClient, sent: str, kept: str) -> None:
    response = client.post(FILES, data={"purpose": "batch"}, files={"file": (sent, b"x")})
    assert response.json()["filename"] == kept


def test_a_page_of_another_origin_cannot_upload(client: TestClient) -> None:
    for origin, status in (
        ("https://evil.example", 403),
        ("null", 403),
        ("https://app.example", 200),
        ("http://localhost", 200),
    ):
        response = client.post(
            FILES,
            data={"purpose": "batch"},
            files={"file": ("f", b"x")},
            headers={"origin": origin},
        )
        assert response.status_code == status


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=10001", "limit"),
        ("limit=x", "limit"),
        ("limit=-1", "limit"),
        ("limit=" + "9" * 5000, "limit"),
        ("order=up", "order"),
        ("after=file-unknown", "after"),
        ("after=", "after"),
        ("after=" + "x" * 200, "after"),
    ],
)
def test_parameters_of_a_list_are_checked(client: TestClient, query: str, param: str) -> None:
    assert refusal(client.get(f"{FILES}?{query}")) == (400, "invalid_value", param)


def test_lists_are_walked_by_openais_client(bench: Bench, tmp_path: Path) -> None:
    app = bench.app(fake_engine(says("Hi")), storage=str(tmp_path / "storage.sqlite3"))
    with TestClient(app, base_url="http://localhost") as http:
        empty = http.get(FILES).json()
        nothing: dict[str, Any] = {"first_id": None, "last_id": None, "has_more": False}
        assert empty == {"object": "list", "data": [], **nothing}
        sdk = OpenAI(api_key="none", base_url="http://localhost/v1", http_client=http)
        ids = []
        for number in range(5):
            file = sdk.files.create(
                file=(f"{number}.jsonl", b"x" * number),
                purpose="batch" if number else "user_data",
                expires_after={"anchor": "created_at", "seconds": 3600},
            )
            ids.append(file.id)
        assert [file.id for file in sdk.files.list(limit=2)] == ids[::-1]
        assert [file.id for file in sdk.files.list(limit=2, order="asc")] == ids
        assert [file.id for file in sdk.files.list(purpose="user_data")] == ids[:1]
        assert sdk.files.content(ids[3]).content == b"xxx"
        assert sdk.files.wait_for_processing(ids[3]).status == "processed"
        assert sdk.files.delete(ids[3]).deleted
        with pytest.raises(Exception, match="no file"):
            sdk.files.retrieve(ids[3])


def test_each_key_sees_its_own_files_only(bench: Bench, tmp_path: Path) -> None:
    keys = [SecretStr("alice"), SecretStr("bob")]
    storage = str(tmp_path / "storage.sqlite3")
    app = bench.app(fake_engine(says("Hi")), storage=storage, api_key=keys)
    with TestClient(app, base_url="http://localhost") as client:
        client.headers["authorization"] = "Bearer alice"
        file_id = upload(client).json()["id"]
        client.headers["authorization"] = "Bearer bob"
        assert client.get(FILES).json()["data"] == []
        unknown = client.get(f"{FILES}/file-unknown").text
        for path in (f"{FILES}/{file_id}", f"{FILES}/{file_id}/content"):
            response = client.get(path)
            assert response.status_code == 404
            assert response.text == unknown.replace("file-unknown", file_id)
        assert client.delete(f"{FILES}/{file_id}").status_code == 404
        client.headers["authorization"] = "Bearer alice"
        assert client.get(f"{FILES}/{file_id}/content").content == LINES


def test_without_a_storage_there_are_no_files_and_chat_goes_on(bench: Bench) -> None:
    app = bench.app(fake_engine(says("Hi")), storage="none")
    with TestClient(app, base_url="http://localhost") as client:
        assert refusal(upload(client)) == (404, "storage_off", None)
        assert refusal(client.get(FILES)) == (404, "storage_off", None)


def test_a_storage_that_cannot_be_used_is_503_and_chat_goes_on(
    bench: Bench, tmp_path: Path
) -> None:
    broken = tmp_path / "storage.sqlite3"
    broken.write_bytes(b"not a database " * 1000)
    app = bench.app(fake_engine(says("Hi")), storage=str(broken))
    with TestClient(app, base_url="http://localhost") as client:
        response = upload(client)
        assert refusal(response) == (503, "storage_unavailable", None)
        assert response.headers["retry-after"] == "10"
        assert str(tmp_path) not in response.text
        body = {"model": "granite-test", "messages": [{"role": "user", "content": "Hi"}]}
        assert client.post("/v1/chat/completions", json=body).status_code == 200


def test_a_full_storage_is_507(bench: Bench, tmp_path: Path) -> None:
    storage = str(tmp_path / "storage.sqlite3")
    app = bench.app(fake_engine(says("Hi")), storage=storage, storage_bytes=2**20)
    with TestClient(app, base_url="http://localhost") as client:
        assert refusal(upload(client, b"x" * 2**21)) == (507, "storage_full", None)
        assert upload(client).status_code == 200
