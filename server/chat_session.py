"""`granite-server chat` at the terminal: turns in, streamed replies out, Ctrl-C between the two."""

import sys
import unicodedata
from collections.abc import Mapping
from contextlib import closing, suppress
from importlib import import_module

from rich.console import Console

from server.chat_client import ChatClient, ChatError, Message, ReplyStats

PROMPT = "> "


class ChatSession:
    """One conversation. Replies go to stdout, everything about them to stderr."""

    def __init__(
        self, client: ChatClient, model: str, system: str | None, sampling: Mapping[str, float]
    ) -> None:
        self._client = client
        self._model = model
        self._sampling = sampling
        self._messages: list[Message] = []
        if system:
            self._messages.append(Message(role="system", content=system))
        self._notes = Console(stderr=True, highlight=False)

    def ask(self, question: str) -> bool:
        """Stream one reply. Ctrl-C ends it early and keeps what was said; then False is returned.

        Raises:
            ChatError: the server refused or broke off; the question is then forgotten.
        """
        self._messages.append(Message(role="user", content=question))
        stats, pieces, is_whole = ReplyStats(), list[str](), True
        reply = self._client.stream_reply(self._model, self._messages, self._sampling, stats)
        try:
            with closing(reply):
                for piece in reply:
                    pieces.append(piece)
                    sys.stdout.write(printable(piece))
                    sys.stdout.flush()
        except KeyboardInterrupt:
            is_whole = False
        except BaseException:
            self._messages.pop()
            raise
        finally:
            sys.stdout.write("\n")
        self._messages.append(Message(role="assistant", content="".join(pieces)))
        note = str(stats) if is_whole else "interrupted"
        self._notes.print(f"[{note}]", style="dim", markup=False)
        return is_whole

    def run(self) -> None:
        """Ask for turns until the input ends, or Ctrl-C comes when there is no reply to end."""
        with suppress(ImportError):  # where it exists, it gives `input` arrow keys and history
            import_module("readline")
        self._notes.print(
            f"Talking to {self._model}. Ctrl-C interrupts a reply, Ctrl-D ends.", style="dim"
        )
        while True:
            try:
                question = input(PROMPT).strip()
            except (EOFError, KeyboardInterrupt):
                sys.stdout.write("\n")
                return
            if not question:
                continue
            try:
                self.ask(question)
            except ChatError as error:
                self._notes.print(f"[{error}]", style="red", markup=False)


def printable(text: str) -> str:
    """Text without control characters: a model must not be able to drive the terminal."""
    return "".join(
        character
        for character in text
        if character in "\n\t" or unicodedata.category(character) != "Cc"
    )
