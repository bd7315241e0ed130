"""Health and metrics: what a supervisor and a dashboard are told."""

from fastapi.testclient import TestClient

from engine.errors import QueueFull
from engine.interface import EngineState
from server.settings import Settings
from tests.fakes import FakeEngine
from tests.server.live import running
from tests.server.probe import probe_app
from tests.server.wire import exchange, get, post


def test_a_loading_server_is_alive_but_not_ready_and_tells_its_progress() -> None:
    engine = FakeEngine(load_seconds=60)
    engine.load_progress = 0.4321
    with TestClient(probe_app(engine, Settings()), base_url="http://localhost") as client:
        assert client.get("/health/live").status_code == 200
        for path in ("/health", "/health/ready"):
            reply = client.get(path)
            assert reply.status_code == 503
            assert reply.headers["retry-after"] == "5"
            assert reply.json() == {"status": "loading", "progress": 0.43}


def test_an_engine_that_has_loaded_is_ready() -> None:
    engine = FakeEngine(load_seconds=0.01)
    settings = Settings(port=0)
    with running(probe_app(engine, settings), settings) as port:
        statuses = [exchange(port, get("/health/ready")).json["status"] for _ in range(100)]
    assert statuses[-1] == "ready"


def test_every_other_state_is_not_ready() -> None:
    engine = FakeEngine()
    with TestClient(probe_app(engine, Settings()), base_url="http://localhost") as client:
        for state in set(EngineState) - {EngineState.READY}:
            engine.state = state
            reply = client.get("/health/ready")
            assert (reply.status_code, reply.json()["status"]) == (503, state.value)


def test_the_application_stops_the_engine_that_it_started() -> None:
    engine = FakeEngine(load_seconds=0)
    with TestClient(probe_app(engine, Settings()), base_url="http://localhost"):
        pass
    assert engine.state is EngineState.STOPPED


def test_a_draining_server_refuses_work_but_answers_health() -> None:
    app = probe_app(FakeEngine(), Settings())
    with TestClient(app, base_url="http://localhost") as client:
        app.state.lifecycle.is_draining = True
        assert client.get("/health/live").status_code == 200
        assert client.get("/health/ready").json() == {"status": "draining"}
        refused = client.post("/v1/echo", json={})
    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "shutting_down"
    assert refused.headers["retry-after"] == "5"
    assert refused.headers["connection"] == "close"


def test_metrics_show_the_engine_as_it_is_now_and_count_errors_by_code() -> None:
    engine = FakeEngine(submit_error=QueueFull("full", retry_after=9))
    settings = Settings(port=0)
    with running(probe_app(engine, settings), settings) as port:
        refused = exchange(port, post("/v1/whole", b"{}"))
        assert (refused.status, refused.code) == (503, "overloaded")
        assert refused.headers["retry-after"] == "9"
        exchange(port, get("/nothing"))
        engine.active.add("somebody")
        text = exchange(port, get("/metrics")).body.decode()
    assert 'granite_request_errors_total{code="overloaded"} 1.0' in text
    assert 'granite_request_errors_total{code="not_found"} 1.0' in text
    assert "granite_num_requests_running 1.0" in text
    assert "granite_free_slots 3.0" in text


def test_two_applications_in_one_process_count_for_themselves() -> None:
    first, second = (probe_app(FakeEngine(), Settings()) for _ in range(2))
    with TestClient(first, base_url="http://localhost") as client:
        client.get("/nothing")
    with TestClient(second, base_url="http://localhost") as client:
        assert "not_found" not in client.get("/metrics").text
