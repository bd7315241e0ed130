"""A checkpoint's tokens as grammars see them: of the text side, all that the engine needs."""

from pathlib import Path

from model_loader.tokenizer import Tokenizer
from sampling.grammar import GrammarVocabulary


def load_vocabulary(directory: Path) -> GrammarVocabulary:
    """Raises CheckpointError: the tokenizer cannot be used."""
    tokenizer = Tokenizer.from_directory(directory)
    return GrammarVocabulary(
        [tokenizer.token_bytes(token_id) for token_id in range(tokenizer.vocab_size)],
        tokenizer.control_tokens.values(),
        tokenizer.eos_ids,
        lambda utf8: tokenizer.encode(utf8.decode()),
    )
