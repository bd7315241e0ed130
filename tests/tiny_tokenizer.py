"""A tokenizer of one token a byte and Granite's 96 added tokens; fits `TinyShape`."""

import json
import shutil
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from benchmarks.granite_tokenizer import GRANITE_FILES
from model_loader.byte_alphabet import byte_letters
from tests.tiny_checkpoint import TinyShape, write_json


def write_tokenizer(directory: Path) -> Path:
    """Write the tokenizer files and Granite's template, and config.json if it is missing."""
    directory.mkdir(parents=True, exist_ok=True)
    if not (directory / "config.json").exists():
        write_json(directory / "config.json", TinyShape().published_config())
    build_tokenizer().save(str(directory / "tokenizer.json"))
    write_json(directory / "tokenizer_config.json", {"eos_token": "<|end_of_text|>"})
    shutil.copyfile(GRANITE_FILES / "chat_template.jinja", directory / "chat_template.jinja")
    return directory


def build_tokenizer() -> Tokenizer:
    """Ids 0 to 255 are the bytes; 256 to 351 the added tokens in Granite's order."""
    vocabulary = {letter: byte for byte, letter in enumerate(byte_letters())}
    tokenizer = Tokenizer(models.BPE(vocabulary, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    for token in json.loads((GRANITE_FILES / "added_tokens.json").read_text(encoding="utf-8")):
        added = AddedToken(token["content"], normalized=False, special=token["special"])
        (tokenizer.add_special_tokens if token["special"] else tokenizer.add_tokens)([added])
    return tokenizer
