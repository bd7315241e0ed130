"""A setting comes from its flag, else its variable, else the file; mistakes are named."""

from pathlib import Path

import pytest

from server.command_line import SECTION_STARTS, flag_of, parse_settings, settings_help
from server.settings import InvalidSettings, Settings


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"GRANITE_{name.upper()}", raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "granite.toml"
    path.write_text('port = 7001\nmodel = "from-file"\napi_key = ["k1", "k2"]\n')
    return path


def test_without_anything_the_demo_is_served_on_loopback() -> None:
    settings = parse_settings([])
    assert (settings.model, settings.host, settings.port) == ("demo", "127.0.0.1", 8000)


def test_a_flag_wins_over_a_variable_and_that_over_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRANITE_CONFIG", str(file))
    assert parse_settings([]).port == 7001
    monkeypatch.setenv("GRANITE_PORT", "7002")
    assert parse_settings([]).port == 7002
    settings = parse_settings(["--port", "7003"])
    assert (settings.port, settings.model) == (7003, "from-file")


@pytest.mark.parametrize("arguments", [["--api-key", "a", "--api-key", "b"], ["--api-key=a,b"]])
def test_lists_are_repeated_flags_or_commas(arguments: list[str]) -> None:
    assert [key.get_secret_value() for key in parse_settings(arguments).api_key] == ["a", "b"]


def test_a_list_variable_is_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRANITE_API_KEY", "secret")
    monkeypatch.setenv("GRANITE_CORS_ORIGIN", "http://a,http://b")
    settings = parse_settings([])
    assert [key.get_secret_value() for key in settings.api_key] == ["secret"]
    assert settings.cors_origin == ["http://a", "http://b"]


def test_the_file_may_hold_lists_as_toml_has_them(file: Path) -> None:
    keys = parse_settings(["--config", str(file)]).api_key
    assert [key.get_secret_value() for key in keys] == ["k1", "k2"]


def test_switches_need_no_value() -> None:
    assert parse_settings(["--insecure"]).insecure is True
    assert parse_settings(["--no-insecure"]).insecure is False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "99999"], "--port: .*65535, got '99999'"),
        (["--port", "eighty"], "--port: .*integer.*'eighty'"),
        (["--dtype", "fp8"], "--dtype: .*'bf16'.*'fp8'"),
        (["--prot", "1"], "--prot 1; did you mean --port"),
        (["--port"], "--port: expected one argument"),
        (["surplus"], "surplus"),
        (["--config", "/no/such/file"], "--config /no/such/file: No such file"),
    ],
)
def test_a_wrong_flag_is_named_with_its_value(arguments: list[str], message: str) -> None:
    with pytest.raises(InvalidSettings, match=message) as caught:
        parse_settings(arguments)
    assert "\n" not in str(caught.value)


def test_every_mistake_gets_its_own_line() -> None:
    with pytest.raises(InvalidSettings) as caught:
        parse_settings(["--port", "-1", "--threads", "0"])
    assert [line.split(":")[0] for line in str(caught.value).splitlines()] == [
        "--port",
        "--threads",
    ]


def test_a_wrong_variable_is_named_beside_the_flag(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRANITE_THREADS", "many")
    with pytest.raises(InvalidSettings, match="--threads: .*'many' from GRANITE_THREADS"):
        parse_settings([])


def test_an_unknown_key_in_the_file_is_refused_with_a_guess(file: Path) -> None:
    file.write_text("prot = 1\n")
    with pytest.raises(InvalidSettings, match="'prot'.*did you mean 'port'"):
        parse_settings(["--config", str(file)])


def test_a_file_that_is_no_toml_is_refused_with_the_place(file: Path) -> None:
    file.write_text("port 1\n")
    with pytest.raises(InvalidSettings, match="line 1"):
        parse_settings(["--config", str(file)])


def test_a_wrong_key_is_not_repeated_in_the_error(file: Path) -> None:
    file.write_text('api_key = {secret = "hunter2"}\n')
    with pytest.raises(InvalidSettings) as caught:
        parse_settings(["--config", str(file)])
    assert "hunter2" not in str(caught.value)


def test_settings_cannot_change_after_start() -> None:
    with pytest.raises(ValueError, match="frozen"):
        parse_settings([]).port = 1  # type: ignore[misc]  # frozen is what is tested


def test_the_help_shows_every_setting_with_its_meaning() -> None:
    text = settings_help()
    for name, field in Settings.model_fields.items():
        assert f"{flag_of(name)} " in text
        assert field.description
        assert field.description in text
    assert all(title in text for title in SECTION_STARTS.values())
    assert set(SECTION_STARTS) <= set(Settings.model_fields)
