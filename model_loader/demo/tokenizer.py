"""Trains the demo tokenizer: byte-level BPE with the published splitting rule and added tokens.

Digits are never merged, so numbers are written digit by digit; every byte has a token.
"""

import random
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    pre_tokenizers,
    processors,
    trainers,
)

from model_loader.demo.corpus import Mix, training_dialogue
from model_loader.demo.rendering import load_template, render
from model_loader.demo.words import CITIES, NAMES, WORDS

BASE_VOCABULARY = 2976  # with the 96 added tokens: 3,072
SPLIT_RULE = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
NAMED_TOKENS = (
    "<|pad|>",
    "<|end_of_text|>",
    "<|fim_prefix|>",
    "<|fim_middle|>",
    "<|fim_suffix|>",
    "<|fim_pad|>",
    "<|filename|>",
    "<|reponame|>",
    "<|start_of_role|>",
    "<|end_of_role|>",
    "<|unused_1|>",
    "<|start_of_plugin|>",
    "<|end_of_plugin|>",
    "<|unk|>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
    "<think>",
    "</think>",
    "<think_on>",
    "<think_off>",
    "<schema>",
    "</schema>",
    "<tools>",
    "</tools>",
    "<documents>",
    "</documents>",
)
ADDED_TOKENS = NAMED_TOKENS + tuple(f"<|unused_{number}|>" for number in range(15, 83))
PLAIN_TOKENS = frozenset(
    (
        "<|fim_prefix|>",
        "<|fim_middle|>",
        "<|fim_suffix|>",
        "<|fim_pad|>",
        "<|filename|>",
        "<|reponame|>",
        "<tool_call>",
        "</tool_call>",
        "<tool_response>",
        "</tool_response>",
        "<think>",
        "</think>",
    )
)


def train_tokenizer(texts: Iterable[str], words: Iterable[str]) -> Tokenizer:
    """Byte-level BPE over `texts`; every one of `words` becomes a token, alone and after a space.

    Raises ValueError when the texts do not fill the vocabulary.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT_RULE), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=BASE_VOCABULARY,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_without_digits(texts, words), trainer)
    if tokenizer.get_vocab_size() != BASE_VOCABULARY:
        raise ValueError(
            f"only {tokenizer.get_vocab_size()} of {BASE_VOCABULARY} tokens were found"
        )
    for token in ADDED_TOKENS:
        _add(tokenizer, token)
    return tokenizer


def _without_digits(texts: Iterable[str], words: Iterable[str]) -> Iterator[str]:
    often = 40  # enough to win against fragments of rare words
    for word in words:
        yield "\n".join((word, f" {word}") * often)
    table = {ord(digit): "\n" for digit in "0123456789"}
    for text in texts:
        yield text.translate(table)


def _add(tokenizer: Tokenizer, token: str) -> None:
    added = AddedToken(token, normalized=False, special=token not in PLAIN_TOKENS)
    if token in PLAIN_TOKENS:
        tokenizer.add_tokens([added])
    else:
        tokenizer.add_special_tokens([added])


def demo_tokenizer(path: Path, template_path: Path) -> Tokenizer:
    """The tokenizer at `path`; trained from the corpus and saved there first if it is not there."""
    if not path.exists():
        rng = random.Random(0)  # noqa: S311 - not for secrets
        template = load_template(template_path)
        dialogues = (
            training_dialogue(rng, Mix(2500), lambda dialogue: len(render(template, dialogue)))
            for _ in range(3000)
        )
        texts = (render(template, dialogue) for dialogue in dialogues)
        pieces = (piece for text in texts for piece in _between_added(text))
        train_tokenizer(pieces, WORDS + NAMES + CITIES).save(str(path))
    return Tokenizer.from_file(str(path))


def _between_added(text: str) -> list[str]:
    """The text without the added tokens."""
    return re.split("|".join(re.escape(token) for token in ADDED_TOKENS), text)
