"""Text to token ids and back, from `tokenizer.json`. Knows no conversations.

Two encoders over one vocabulary: the plain one has no added tokens, so no text can become a
control token. `tokenizer.json` is read directly; class names in other files would swap its rules.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

import tokenizers

from kernels.errors import GraniteError
from model_loader.byte_alphabet import unspell
from model_loader.config import ModelConfig, read_config
from model_loader.errors import InvalidTokenizer

FILE_NAME = "tokenizer.json"


class InvalidText(GraniteError):
    """Text that cannot be encoded: it has surrogates without a partner."""


class Tokenizer:
    """Immutable and safe to share between threads.

    `vocab_size` is the model's; ids of the model without a token decode to nothing.
    `control_tokens` maps the text of every added token, special or not, to its id.
    """

    def __init__(self, backend: tokenizers.Tokenizer, config: ModelConfig) -> None:
        backend.no_truncation()
        backend.no_padding()
        added = backend.get_added_tokens_decoder()
        self.vocab_size = config.vocab_size
        self.eos_ids = config.eos_token_ids
        self.control_tokens: Mapping[str, int] = MappingProxyType(
            {token.content: token_id for token_id, token in added.items()}
        )
        self._special_ids = frozenset(i for i, token in added.items() if token.special)
        self._with_control_tokens = backend
        self._plain = tokenizers.Tokenizer(backend.model)
        if backend.normalizer is not None:
            self._plain.normalizer = backend.normalizer
        self._plain.pre_tokenizer = backend.pre_tokenizer
        self._token_bytes = _table_of_bytes(backend, self.control_tokens, config.vocab_size)
        self._require_plain_text_to_stay_text()

    @classmethod
    def from_directory(cls, directory: Path) -> "Tokenizer":
        """Read `tokenizer.json`, and `config.json` for the vocabulary size and end-of-turn ids.

        Raises:
            InvalidTokenizer: missing, malformed, not byte-level, or larger than the vocabulary.
            UnsupportedConfig: `config.json` cannot be used.
        """
        config = read_config(directory)
        path = directory / FILE_NAME
        if not path.is_file():
            raise InvalidTokenizer(f"{path}: no such file")
        try:
            backend = tokenizers.Tokenizer.from_file(str(path))
        except Exception as failure:  # the library raises nothing more specific
            raise InvalidTokenizer(f"{path}: {failure}") from failure
        return cls(backend, config)

    def encode(self, text: str) -> list[int]:
        """Ids of `text` as plain text: what spells a control token stays text.

        Raises:
            InvalidText: a lone surrogate.
        """
        return _encode(self._plain, text)

    def encode_with_control_tokens(self, text: str) -> list[int]:
        """Ids of `text` with added tokens recognised; its writer gets control over turns.

        Raises:
            InvalidText: a lone surrogate.
        """
        return _encode(self._with_control_tokens, text)

    def decode(self, token_ids: Iterable[int], skip_special: bool = True) -> str:
        """The text of all ids at once; bytes that are not UTF-8 become U+FFFD."""
        kept = (i for i in token_ids if not (skip_special and self.is_special(i)))
        return b"".join(map(self.token_bytes, kept)).decode("utf-8", errors="replace")

    def token_bytes(self, token_id: int) -> bytes:
        """What the token stands for; alone it need not be valid UTF-8.

        Raises:
            IndexError: not an id of the model.
        """
        if token_id < 0:
            raise IndexError(token_id)
        return self._token_bytes[token_id]

    def is_special(self, token_id: int) -> bool:
        """Whether the token is left out of text: markers of turns and blocks, not `<tool_call>`."""
        return token_id in self._special_ids

    def _require_plain_text_to_stay_text(self) -> None:
        control_ids = set(self.control_tokens.values())
        for text in self.control_tokens:
            if not control_ids.isdisjoint(self.encode(text)):
                raise InvalidTokenizer(
                    f"{FILE_NAME}: plain text can form the control token {text!r}"
                )


def _encode(backend: tokenizers.Tokenizer, text: str) -> list[int]:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as failure:
        raise InvalidText(f"text has a lone surrogate at character {failure.start}") from failure
    # A batch of one: unlike `encode`, it does not compute the place of every token in the text.
    ids: list[int] = backend.encode_batch_fast([text], add_special_tokens=False)[0].ids
    return ids


def _table_of_bytes(
    backend: tokenizers.Tokenizer, control_tokens: Mapping[str, int], vocab_size: int
) -> list[bytes]:
    table = [b""] * vocab_size
    for spelling, token_id in backend.get_vocab(with_added_tokens=True).items():
        if token_id >= vocab_size:
            raise InvalidTokenizer(
                f"{FILE_NAME}: token {token_id} is not below vocab_size {vocab_size} of config.json"
            )
        is_control = spelling in control_tokens
        table[token_id] = spelling.encode("utf-8") if is_control else _unspell(spelling)
    return table


def _unspell(spelling: str) -> bytes:
    try:
        return unspell(spelling)
    except KeyError as failure:
        raise InvalidTokenizer(f"{FILE_NAME}: {spelling!r} is not a byte-level token") from failure
