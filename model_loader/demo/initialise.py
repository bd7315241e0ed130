"""Starting weights: unit-size activations, time scales from short to long, related embeddings."""

import math

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from model_loader.demo.trainable import MambaMixer, TrainableHybrid

SHORTEST_STEP, LONGEST_STEP = 1e-3, 1e-1


def initialise(network: TrainableHybrid, tokenizer: Tokenizer, seed: int) -> None:
    """Fill every parameter of `network` in place."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=module.in_features**-0.5, generator=generator)
        elif isinstance(module, MambaMixer):
            _initialise_mamba(module, generator)
    embedding = network.model.embed_tokens.weight
    with torch.no_grad():
        embedding.copy_(_related_embeddings(tokenizer, embedding.shape, generator))
        embedding.div_(network.config.embedding_multiplier)


def _initialise_mamba(mixer: MambaMixer, generator: torch.Generator) -> None:
    heads = mixer.A_log.numel()
    with torch.no_grad():
        mixer.A_log.copy_(torch.linspace(1, 8, heads).log())
        spread = torch.linspace(math.log(SHORTEST_STEP), math.log(LONGEST_STEP), heads).exp()
        mixer.dt_bias.copy_(spread.expm1().log())  # inverse of softplus
        taps = mixer.conv1d.weight[:, 0]  # (channels, taps)
        nn.init.normal_(taps, std=0.05, generator=generator)
        taps[torch.arange(len(taps)), _first_taps(mixer)] += 1


def _first_taps(mixer: MambaMixer) -> Tensor:
    """The tap each channel starts with: scanned channels look 0 to 3 tokens back in turn.

    A clean view of earlier tokens is what attention needs to learn copying quickly.
    """
    scanned, now = mixer.config.mamba_intermediate_size, mixer.config.mamba_d_conv - 1
    channels = torch.arange(mixer.config.conv_dim)
    return torch.where(channels < scanned, channels % mixer.config.mamba_d_conv, now)


def _related_embeddings(
    tokenizer: Tokenizer, shape: torch.Size, generator: torch.Generator
) -> Tensor:
    """Unit-variance rows; a word after a space starts close to the same word without it."""
    rows = torch.randn(shape, generator=generator)
    vocabulary = tokenizer.get_vocab(with_added_tokens=False)
    after_space = torch.randn(shape[1], generator=generator) * 0.5
    for piece, token_id in vocabulary.items():
        bare = vocabulary.get(piece.removeprefix("Ġ"))
        if piece.startswith("Ġ") and bare is not None:
            rows[token_id] = 0.75 * rows[bare] + 0.45 * rows[token_id] + after_space
    return rows
