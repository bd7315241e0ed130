"""Writes a trained network as a checkpoint folder.

`python -m model_loader.demo.export --run DIR --out DIR`

Knows the file formats; the chat template and the model card are kept in the folder by hand.
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor

from model_loader.config import ModelConfig
from model_loader.demo.architecture import demo_config, published_keys

TEMPLATE_NAME = "chat_template.jinja"


def export(run: Path, out: Path) -> None:
    """Weights rounded to bfloat16, configuration and tokenizer files of the run in `run`."""
    tokenizer = Tokenizer.from_file(str(run / "tokenizer.json"))
    config = config_for(tokenizer)
    weights: dict[str, Tensor] = torch.load(run / "training.pt", weights_only=True)["network"]
    rounded = {name: value.to(torch.bfloat16).contiguous() for name, value in weights.items()}
    out.mkdir(parents=True, exist_ok=True)
    save_file(rounded, out / "model.safetensors", metadata={"format": "pt"})
    (out / "model.safetensors").chmod(0o644)  # the writer makes it private
    _write_json(out / "config.json", published_keys(config))
    _write_json(out / "generation_config.json", _generation_keys(config))
    _write_json(out / "tokenizer_config.json", tokenizer_keys(tokenizer))
    shutil.copyfile(run / "tokenizer.json", out / "tokenizer.json")


def config_for(tokenizer: Tokenizer) -> ModelConfig:
    """The demo configuration with the ids of this tokenizer."""
    return demo_config(
        tokenizer.get_vocab_size(),
        eos_id=tokenizer.encode("<|end_of_text|>").ids[0],
        pad_id=tokenizer.encode("<|pad|>").ids[0],
    )


def _generation_keys(config: ModelConfig) -> dict[str, object]:
    return {
        "_from_model_config": True,
        "bos_token_id": config.bos_token_id,
        "eos_token_id": config.eos_token_ids[0],
        "pad_token_id": config.pad_token_id,
        "transformers_version": "4.56.0",
    }


def tokenizer_keys(tokenizer: Tokenizer) -> dict[str, object]:
    """tokenizer_config.json with the published fields; the chat template has its own file."""
    added = {
        str(token_id): {
            "content": token.content,
            "lstrip": token.lstrip,
            "normalized": token.normalized,
            "rstrip": token.rstrip,
            "single_word": token.single_word,
            "special": token.special,
        }
        for token_id, token in sorted(tokenizer.get_added_tokens_decoder().items())
    }
    return {
        "add_bos_token": False,
        "add_prefix_space": False,
        "added_tokens_decoder": added,
        "bos_token": "<|end_of_text|>",
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|end_of_text|>",
        "errors": "replace",
        "extra_special_tokens": {},
        "model_max_length": 1000000000000000019884624838656,
        "pad_token": "<|pad|>",
        "padding_side": "left",
        "tokenizer_class": "GPT2Tokenizer",
        "unk_token": "<|unk|>",
    }


def _write_json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Parse the command line and export."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    export(arguments.run, arguments.out)


if __name__ == "__main__":
    main()
