"""The settings as a command line: flags to `Settings`, one line per mistake, and the help text."""

import difflib
import os
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import CliApp, SettingsError

from server.settings import InvalidSettings, Settings

SECTION_STARTS = {
    "model": "What is served, and where",
    "dtype": "The model on this machine",
    "max_queued_requests": "Limits",
    "api_key": "Access",
    "storage": "What is kept",
    "prompt_price": "Prices",
    "log_level": "Logs and configuration",
}
"""The first field of each section of the help, and the section's title."""

INTRODUCTION = """\
Usage: granite-server serve [FLAGS]

Load a model and serve it over HTTP. Each setting is a flag (--port 8001), an environment
variable (GRANITE_PORT=8001) or a line of the TOML file that --config names (port = 8001).
A flag wins over a variable, a variable over the file. Lists: repeat the flag, or use commas.
"""


def parse_settings(arguments: Sequence[str]) -> Settings:
    """Settings from flags, then GRANITE_* variables, then the TOML file, then defaults.

    Raises:
        InvalidSettings: anything unknown, malformed or out of range.
    """
    try:
        return CliApp.run(Settings, cli_args=list(arguments))
    except SettingsError as error:
        message = str(error).removeprefix("error parsing CLI: ")
        raise InvalidSettings(message + _guess_flag(message)) from error
    except ValidationError as error:
        lines = [_explain(detail, arguments, os.environ) for detail in error.errors()]
        raise InvalidSettings("\n".join(lines)) from error


def flag_of(field_name: str) -> str:
    return "--" + field_name.replace("_", "-")


def variable_of(field_name: str) -> str:
    return f"GRANITE_{field_name.upper()}"


def _guess_flag(message: str) -> str:
    unknown = message.partition("unrecognized arguments: ")[2].partition(" ")[0]
    close = difflib.get_close_matches(unknown, map(flag_of, Settings.model_fields), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _explain(detail: ErrorDetails, arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    name = str(detail["loc"][0])
    if name not in Settings.model_fields:
        close = difflib.get_close_matches(name, Settings.model_fields, n=1)
        guess = f"; did you mean '{close[0]}'?" if close else ""
        return f"unknown setting '{name}' in the configuration file{guess}"
    flag = flag_of(name)
    message = detail["msg"][0].lower() + detail["msg"][1:]
    got = "" if name == "api_key" else f", got {detail['input']!r}"
    if any(argument.split("=")[0] == flag for argument in arguments):
        origin = ""
    elif variable_of(name) in environment:
        origin = f" from {variable_of(name)}"
    else:
        origin = " from the configuration file"
    return f"{flag}: {message}{got}{origin}"


def settings_help() -> str:
    """The text of `granite-server serve --help`, made from the declaration of `Settings`."""
    lines = [INTRODUCTION.rstrip()]
    for name, field in Settings.model_fields.items():
        if name in SECTION_STARTS:
            lines += ["", f"{SECTION_STARTS[name]}:"]
        usage = f"  {flag_of(name)} {_placeholder(field)}".rstrip()
        lines.append(f"{usage:34} {field.description}{_default(field)}")
    return "\n".join(lines)


def _placeholder(field: FieldInfo) -> str:
    """What stands for the value in the help: the choices, or what kind of value it is."""
    annotation = field.annotation
    if annotation is bool:
        return ""
    kinds = [kind for kind in get_args(annotation) if kind is not type(None)] or [annotation]
    if all(isinstance(kind, str) for kind in kinds):
        return "|".join(kinds)
    names: dict[Any, str] = {int: "N", float: "SECONDS"}
    return names.get(kinds[0], "TEXT")


def _default(field: FieldInfo) -> str:
    default = field.get_default(call_default_factory=True, validated_data={})
    return "" if default in (None, False, []) else f" [{default}]"
