"""Token ids to text, one id at a time. Knows no stop strings and no tags."""

import codecs

from model_loader.tokenizer import Tokenizer


class TextDecoder:
    """Feeds of one reply, joined and followed by `flush`, are `tokenizer.decode` of all its ids.

    The bytes of a character that is not yet complete are held back, never shown as U+FFFD.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def feed(self, token_id: int) -> str:
        """Text that is certain now; empty for special tokens and unfinished characters."""
        if self._tokenizer.is_special(token_id):
            return ""
        return self._utf8.decode(self._tokenizer.token_bytes(token_id))

    def flush(self) -> str:
        """What is left at the end: U+FFFD for an unfinished character, else nothing."""
        return self._utf8.decode(b"", final=True)
