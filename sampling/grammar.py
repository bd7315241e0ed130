"""Grammars over token ids: what a vocabulary can spell, and a source compiled for it.

Imports neither numpy nor torch, so that a process that only checks grammars stays small.
"""

from collections.abc import Callable, Collection, Sequence

import llguidance

from kernels.errors import GraniteError

MAX_ITEMS_IN_ROW = 20_000
"""Ten times the library's default: an object with 1,000 optional properties needs 4,000."""
MAX_ITEMS_IN_STEP = 200_000

Encode = Callable[[bytes], list[int]]


class InvalidGrammar(GraniteError):
    """A grammar that cannot be compiled; the text is the compiler's and may quote its source."""


class GrammarVocabulary:
    """The tokens of one model. Immutable; safe to share between threads.

    `token_bytes` has what each id stands for, empty for ids without a token. `control_ids` stand
    for no text: a grammar has to name them. `encode` gives the ids that the model's own tokenizer
    makes of UTF-8, so that text without an alternative is spelt as the model was taught.
    """

    def __init__(
        self,
        token_bytes: Sequence[bytes],
        control_ids: Collection[int],
        eos_ids: Sequence[int],
        encode: Encode,
    ) -> None:
        self.size = len(token_bytes)
        self.eos_ids = tuple(eos_ids)
        source = _TokenSource(token_bytes, control_ids, eos_ids[0], encode)
        self.tokenizer = llguidance.LLTokenizer(
            llguidance.TokenizerWrapper(source), n_vocab=self.size, eos_token=list(eos_ids)
        )


class _TokenSource:
    """What llguidance reads a vocabulary from; the names are its own."""

    bos_token_id = None

    def __init__(
        self, tokens: Sequence[bytes], special_ids: Collection[int], eos_id: int, encode: Encode
    ) -> None:
        self.tokens = list(tokens)
        self.special_token_ids = sorted(special_ids)
        self.eos_token_id = eos_id
        self._encode = encode

    def __call__(self, text: bytes) -> list[int]:
        return self._encode(text)


def compile_grammar(source: str, vocabulary: GrammarVocabulary) -> llguidance.LLMatcher:
    """A matcher in its first state. `source` is Lark, or llguidance's own JSON form.

    Takes milliseconds for honest sources and seconds for hostile ones, needs stack in proportion to
    the nesting, and lets other threads run meanwhile.

    Raises:
        InvalidGrammar: not a grammar, too large, or nothing can match it.
    """
    limits = llguidance.LLParserLimits(
        max_items_in_row=MAX_ITEMS_IN_ROW, step_max_items=MAX_ITEMS_IN_STEP, verbose_errors=False
    )
    state = llguidance.LLMatcher(vocabulary.tokenizer, source, log_level=0, limits=limits)
    if state.is_error():
        raise InvalidGrammar(state.get_error())
    return state
