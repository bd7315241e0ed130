"""Names of models to directories. The hub is a small server on loopback."""

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import huggingface_hub.constants
import pytest

from model_loader.errors import CheckpointNotFound
from model_loader.resolve import resolve_checkpoint
from tests.tiny_checkpoint import write_checkpoint

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MODEL = "ibm-granite/tiny"
FILES = {
    "config.json": b"{}",
    "chat_template.jinja": b"{{ messages }}",
    "model.safetensors": bytes(range(256)) * 4000,
    "modeling.py": b"raise SystemExit('must not be fetched')",
    "pytorch_model.bin": b"cposix\nsystem\n",
}


class HubHandler(BaseHTTPRequestHandler):
    """The four requests that fetching a snapshot makes."""

    requested: list[str]

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == f"/api/models/{MODEL}/revision/main":
            self._answer(json.dumps({"id": MODEL, "sha": COMMIT}).encode())
        elif path == f"/api/models/{MODEL}/tree/{COMMIT}":
            self._answer(json.dumps([self._entry(name) for name in FILES]).encode())
        elif match := re.fullmatch(f"/{MODEL}/resolve/{COMMIT}/(.+)", path):
            self.requested.append(match[1])
            self._answer(FILES[match[1]])
        else:
            code = "RevisionNotFound" if f"/{MODEL}/" in path else "RepoNotFound"
            self._answer(b"{}", 404, code)

    do_HEAD = do_GET

    def log_message(self, *args: object) -> None:
        """Nothing on stderr."""

    def _entry(self, name: str) -> dict[str, object]:
        oid = hashlib.sha1(FILES[name], usedforsecurity=False).hexdigest()
        return {"type": "file", "path": name, "size": len(FILES[name]), "oid": oid}

    def _answer(self, body: bytes, status: int = 200, code: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        if code:
            self.send_header("X-Error-Code", code)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


@pytest.fixture
def requested(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """A hub on loopback with an empty cache; yields the files that were asked for."""
    monkeypatch.setattr(HubHandler, "requested", [], raising=False)
    with ThreadingHTTPServer(("127.0.0.1", 0), HubHandler) as server:
        use_hub(monkeypatch, tmp_path / "cache", f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield HubHandler.requested
        server.shutdown()
        thread.join()


def use_hub(monkeypatch: pytest.MonkeyPatch, cache: Path, endpoint: str) -> None:
    template = endpoint + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(huggingface_hub.constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))


def resolve(model: str, revision: str | None = None) -> Path:
    return resolve_checkpoint(model, revision, lambda share: None)


def test_a_directory_is_itself(tmp_path: Path) -> None:
    assert resolve(str(write_checkpoint(tmp_path))) == tmp_path


def test_a_directory_without_a_checkpoint_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointNotFound, match=str(tmp_path)):
        resolve(str(tmp_path))


@pytest.mark.parametrize(
    "model",
    ["granite", "/no/such/directory", "../a", "a/../b", "a/..", "a/b/c", "a\\b", "-a/b"],
)
def test_what_is_no_directory_and_no_model_id_is_refused_without_a_request(
    requested: list[str], model: str
) -> None:
    with pytest.raises(CheckpointNotFound, match="neither a directory nor a model id"):
        resolve(model)
    assert requested == []


def test_a_hub_model_is_fetched_without_code_and_pickles(requested: list[str]) -> None:
    shares: list[float] = []

    directory = resolve_checkpoint(MODEL, None, shares.append)

    wanted = {"config.json", "chat_template.jinja", "model.safetensors"}
    assert {path.name for path in directory.iterdir()} == wanted
    assert {name: (directory / name).read_bytes() for name in wanted} == {
        name: FILES[name] for name in wanted
    }
    assert set(requested) == wanted
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_a_fetched_model_is_found_again_without_the_hub(
    requested: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = resolve(MODEL)
    use_hub(monkeypatch, tmp_path / "cache", "http://127.0.0.1:9")

    assert requested
    assert resolve(MODEL) == directory


def test_an_unknown_model_and_an_unknown_revision_are_named(requested: list[str]) -> None:
    with pytest.raises(CheckpointNotFound, match="no model ibm-granite/other"):
        resolve("ibm-granite/other")
    with pytest.raises(CheckpointNotFound, match="no revision 'v9'"):
        resolve(MODEL, "v9")
    assert requested == []


def test_a_hub_out_of_reach_is_told_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_hub(monkeypatch, tmp_path / "cache", "http://127.0.0.1:9")

    with pytest.raises(CheckpointNotFound, match="could not fetch .* pass a checkpoint directory"):
        resolve(MODEL)
