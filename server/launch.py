"""The composition root: settings to a running server, and the words that say what is served."""

import sys
import threading
from pathlib import Path

from engine.client import EngineClient
from engine.interface import Engine, EngineState
from engine.options import EngineOptions
from model_loader.chat_template import ChatTemplate
from model_loader.config import read_config
from model_loader.resolve import resolve_checkpoint
from model_loader.tokenizer import Tokenizer
from server.app import create_app
from server.log_output import configure_logging
from server.machine import probe_machine
from server.progress import show_progress
from server.run import bind_socket, serve
from server.security import check_bind
from server.settings import Settings
from server.startup import StartupPlan, gibibytes, plan_startup

POLL_SECONDS = 0.1
UNREACHABLE_HOSTS = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}  # noqa: S104 - told apart, not bound
"""Addresses that mean "all of this machine's", and one a client on this machine can use."""


def serve_model(settings: Settings) -> int:
    """Load the model and serve it until a signal. Returns the exit code of the process.

    Raises:
        GraniteError: the settings, the checkpoint or the machine do not allow it.
    """
    configure_logging(settings, sys.stderr)
    check_bind(settings)
    listener = bind_socket(settings)
    checkpoint = _resolve(settings)
    config = read_config(checkpoint)
    plan = plan_startup(settings, config, probe_machine(), checkpoint)
    engine = EngineClient(plan.options)
    tokenizer = Tokenizer.from_directory(checkpoint)
    template = ChatTemplate.from_directory(checkpoint, tokenizer)
    app = create_app(engine, tokenizer, template, settings, plan.model_names)
    url = address(settings.host, listener.getsockname()[1])
    _say(describe(plan))
    watcher = threading.Thread(target=_announce, args=(engine, plan, url, settings), daemon=True)
    watcher.start()
    return serve(app, settings, listener)


def _resolve(settings: Settings) -> Path:
    with show_progress(f"downloading {settings.model}") as report:
        return resolve_checkpoint(settings.model, settings.revision, report)


def address(host: str, port: int) -> str:
    """The URL under which a client on this machine reaches a server bound to `host`."""
    reachable = UNREACHABLE_HOSTS.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{reachable}:{port}"


def describe(plan: StartupPlan) -> str:
    """What will be loaded and the memory it will take, one fact a line."""
    options = plan.options
    kept = f"{gibibytes(plan.slot_bytes)} state of {options.num_slots} sequences"
    pages = f"{gibibytes(plan.page_bytes)} K/V of {options.num_pages * options.page_length} tokens"
    return "\n".join(
        [
            f"model      {plan.model_names[0]} ({options.checkpoint})",
            f"precision  {_precision(options)}",
            f"memory     {gibibytes(plan.weight_bytes)} weights, {kept}, {pages}",
            f"context    {options.context_length} tokens for prompt and reply",
        ]
    )


def _precision(options: EngineOptions) -> str:
    """Of the weights, and what computes on them."""
    weights = options.dtype if options.quantization == "none" else options.quantization
    threads = "1 thread" if options.threads == 1 else f"{options.threads} threads"
    place = f"{weights} on {options.device}, {threads}"
    if options.is_native or options.device != "cpu":
        return place
    return f"{place}, plain torch (slow: no native kernels for this machine or precision)"


def curl_example(url: str, model: str, *, needs_key: bool) -> str:
    """A first request to copy into another terminal."""
    key = ' -H "Authorization: Bearer $GRANITE_API_KEY"' if needs_key else ""
    body = f'{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello!"}}]}}'
    return f"curl {url}/v1/chat/completions{key} -H 'Content-Type: application/json' -d '{body}'"


def _announce(engine: Engine, plan: StartupPlan, url: str, settings: Settings) -> None:
    """Show the loading, then how to use the server. Runs beside the event loop and only reads."""
    pause = threading.Event()
    with show_progress("loading") as report:
        while engine.state is EngineState.LOADING:
            report(engine.load_progress)
            pause.wait(POLL_SECONDS)
        if engine.state is not EngineState.READY:
            return
        report(1.0)
    example = curl_example(url, plan.model_names[0], needs_key=bool(settings.api_key))
    _say(f"\nReady at {url} (base URL for OpenAI clients: {url}/v1). Try:\n\n  {example}\n")


def _say(text: str) -> None:
    """To stdout; logs and progress go to stderr."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
