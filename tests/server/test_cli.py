"""The command as a user types it: exit codes, one-line errors, piped text."""

import sys
from io import StringIO

import pytest

from server.cli import main
from server.progress import LineProgress, show_progress
from server.version import VERSION


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str, stdin: str = "") -> int | str | None:
    """The exit code of `granite-server ARGUMENTS`."""
    monkeypatch.setattr(sys, "argv", ["granite-server", *arguments])
    monkeypatch.setattr(sys, "stdin", StringIO(stdin))
    with pytest.raises(SystemExit) as exit_info:
        main()
    return exit_info.value.code


def test_the_version_is_the_packages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "version") == 0
    assert capsys.readouterr().out == f"granite-server {VERSION}\n"


def test_the_help_of_serve_lists_the_settings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "serve", "--help") == 0
    assert "--context-length N" in capsys.readouterr().out


def test_a_wrong_setting_ends_with_2_and_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "serve", "--port", "70000") == 2
    error = capsys.readouterr().err
    assert error.startswith("granite-server: --port: ")
    assert error.count("\n") == 1


def test_no_server_to_chat_with_ends_with_1_and_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "chat", "Hi", "--url", "http://127.0.0.1:1") == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_away_from_a_terminal_progress_is_a_line_per_tenth(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with show_progress("loading") as report:
        assert isinstance(report, LineProgress)
        for thousandth in range(1001):
            report(thousandth / 1000)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"loading: {percent} %" for percent in range(0, 101, 10)]
