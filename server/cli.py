"""The command `granite-server`: serve, chat, pull, version. Heavy modules load when needed."""

import sys
from typing import Annotated, Any

import typer

from kernels.errors import GraniteError
from server.command_line import parse_settings, settings_help
from server.settings import InvalidSettings
from server.version import VERSION

USAGE_EXIT_CODE = 2
INTERRUPTED_EXIT_CODE = 130

app = typer.Typer(
    name="granite-server",
    help="Serve IBM Granite 4.0 H models to any OpenAI-compatible client.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def serve(context: typer.Context) -> None:
    """Load a model and serve it; `serve --help` lists every setting."""
    if {"--help", "-h"} & set(context.args):
        print(settings_help())
        return
    settings = parse_settings(context.args)
    from server.launch import serve_model

    raise typer.Exit(serve_model(settings))


@app.command()
def chat(
    question: Annotated[
        str | None, typer.Argument(help="ask this and end; without it, a conversation")
    ] = None,
    url: Annotated[str, typer.Option(help="where the server is")] = "http://127.0.0.1:8000",
    api_key: Annotated[
        str | None, typer.Option(envvar="GRANITE_API_KEY", help="the server's key, if it has one")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="model name; default: the first that the server lists")
    ] = None,
    system: Annotated[str | None, typer.Option(help="system prompt")] = None,
    temperature: Annotated[
        float | None, typer.Option(min=0, max=2, help="0 always takes the likeliest token")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="longest reply")] = None,
) -> None:
    """Talk to a running server. Text on stdin is added to the question."""
    from server.chat_client import ChatClient
    from server.chat_session import ChatSession

    piped = "" if sys.stdin.isatty() else sys.stdin.read().strip()
    asked = "\n\n".join(part for part in (question, piped) if part)
    chosen: dict[str, Any] = {"temperature": temperature, "max_tokens": max_tokens}
    sampling = {name: value for name, value in chosen.items() if value is not None}
    with ChatClient(url, api_key) as client:
        session = ChatSession(client, model or client.first_model(), system, sampling)
        if not asked:
            session.run()
        elif not session.ask(asked):
            raise typer.Exit(INTERRUPTED_EXIT_CODE)


@app.command()
def pull(
    model: Annotated[str, typer.Argument(help="model id on the hub")],
    revision: Annotated[str | None, typer.Option(help="branch, tag or commit")] = None,
) -> None:
    """Download a checkpoint into the hub cache and print its directory."""
    from model_loader.resolve import resolve_checkpoint
    from server.progress import show_progress

    with show_progress(f"downloading {model}") as report:
        directory = resolve_checkpoint(model, revision, report)
    print(directory)


@app.command()
def version() -> None:
    """Print the version."""
    print(f"granite-server {VERSION}")


def main() -> None:
    """Run the command; a known error is one line on stderr, never a traceback."""
    try:
        app()
    except InvalidSettings as error:
        _fail(error, USAGE_EXIT_CODE)
    except GraniteError as error:
        _fail(error, 1)


def _fail(error: GraniteError, exit_code: int) -> None:
    for line in str(error).splitlines():
        sys.stderr.write(f"granite-server: {line}\n")
    sys.exit(exit_code)
