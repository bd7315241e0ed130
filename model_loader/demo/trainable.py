"""A trainable twin of the hybrid network, written for short steps on one CPU core.

Parameters carry the checkpoint's names. Whole sequences only: no cache, no padding logic
(rows are causal and padded on the right, where the loss is masked). Shape letters: B rows,
T tokens, H Mamba heads, P head width, N state size, C blocks, Q block length.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from model_loader.config import ModelConfig

BLOCK_LENGTH = 32


class RMSNorm(nn.Module):
    """Root-mean-square norm with a learned gain."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, hidden: Tensor) -> Tensor:
        return functional.rms_norm(hidden, (hidden.shape[-1],), self.weight, self.eps)


def blocked_scan(
    inputs: Tensor, step: Tensor, decay: Tensor, write: Tensor, read: Tensor
) -> Tensor:
    """Selective state-space scan from a zero state, in blocks (the SSD form of Mamba-2).

    inputs (B, T, H, P), step (B, T, H) > 0, decay (H,) < 0, write and read (B, T, N), T a
    multiple of the block length. Returns (B, T, H, P): y_t = read_t . s_t with
    s_t = exp(step_t * decay) s_{t-1} + write_t (step_t * inputs_t).
    """
    rows, tokens, heads, width = inputs.shape
    blocks, block = tokens // BLOCK_LENGTH, BLOCK_LENGTH
    log_decay = (step * decay).view(rows, blocks, block, heads).permute(0, 1, 3, 2)  # (B, C, H, Q)
    passed = log_decay.cumsum(-1)
    scaled = (inputs * step.unsqueeze(-1)).view(rows, blocks, block, heads, width)
    write = write.view(rows, blocks, block, -1)
    read = read.view(rows, blocks, block, -1)

    # inside a block: one (Q, Q) product of read and write serves every head
    future = torch.ones(block, block, dtype=torch.bool, device=inputs.device).triu(1)
    between = (passed.unsqueeze(-1) - passed.unsqueeze(-2)).masked_fill(future, float("-inf"))
    weights = between.exp() * (read @ write.transpose(-1, -2)).unsqueeze(2)  # (B, C, H, Q, Q)
    inside = weights @ scaled.transpose(2, 3)  # (B, C, H, Q, P)

    # what each block leaves behind, then what each block finds on entry
    to_end = (passed[..., -1:] - passed).exp().transpose(-1, -2).unsqueeze(-1)  # (B, C, Q, H, 1)
    left = write.transpose(-1, -2) @ (scaled * to_end).flatten(-2)  # (B, C, N, H*P)
    found = _entry_states(left, passed[..., -1], width)
    across = (read @ found).view(rows, blocks, block, heads, width)
    across = across * passed.exp().transpose(-1, -2).unsqueeze(-1)
    return (inside.transpose(2, 3) + across).reshape(rows, tokens, heads, width)


def _entry_states(left: Tensor, block_decay: Tensor, width: int) -> Tensor:
    """left (B, C, N, H*P), block_decay (B, C, H) -> states on entry (B, C, N, H*P)."""
    rows, blocks, states, channels = left.shape
    kept = block_decay.exp().repeat_interleave(width, dim=-1).unsqueeze(2)  # (B, C, 1, H*P)
    state = left.new_zeros(rows, states, channels)
    entries = []
    for index in range(blocks):
        entries.append(state)
        state = state * kept[:, index] + left[:, index]
    return torch.stack(entries, dim=1)


class DepthwiseFilter(nn.Module):
    """Taps and bias of the causal convolution, one filter a channel."""

    def __init__(self, channels: int, taps: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(channels, 1, taps))
        self.bias = nn.Parameter(torch.zeros(channels))


class MambaMixer(nn.Module):
    """Mamba-2 mixer: projection, causal depthwise convolution, scan, gated norm, projection."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        width, states = config.mamba_intermediate_size, config.mamba_d_state
        convolved = width + 2 * states
        self.in_proj = nn.Linear(
            config.hidden_size, width + convolved + config.mamba_n_heads, bias=False
        )
        self.conv1d = DepthwiseFilter(convolved, config.mamba_d_conv)
        self.A_log = nn.Parameter(torch.zeros(config.mamba_n_heads))
        self.D = nn.Parameter(torch.ones(config.mamba_n_heads))
        self.dt_bias = nn.Parameter(torch.zeros(config.mamba_n_heads))
        self.norm = RMSNorm(width, config.rms_norm_eps)
        self.out_proj = nn.Linear(width, config.hidden_size, bias=False)

    def forward(self, hidden: Tensor) -> Tensor:
        config, (rows, tokens, _) = self.config, hidden.shape
        width, states = config.mamba_intermediate_size, config.mamba_d_state
        widths = [width, width + 2 * states, config.mamba_n_heads]
        gate, mixed, step = torch.split(self.in_proj(hidden), widths, dim=-1)
        inputs, write, read = torch.split(self._convolve(mixed), [width, states, states], dim=-1)
        inputs = inputs.reshape(rows, tokens, -1, config.mamba_d_head)
        step = functional.softplus(step + self.dt_bias)
        scanned = blocked_scan(inputs, step, -self.A_log.exp(), write, read)
        scanned = scanned + inputs * self.D.unsqueeze(-1)
        normed: Tensor = self.norm(scanned.flatten(-2) * functional.silu(gate))
        return functional.linear(normed, self.out_proj.weight)

    def _convolve(self, mixed: Tensor) -> Tensor:
        """mixed (B, T, channels) -> SiLU of the causal depthwise convolution, same shape."""
        taps, tokens = self.config.mamba_d_conv, mixed.shape[1]
        padded = functional.pad(mixed, (0, 0, taps - 1, 0))
        weight = self.conv1d.weight[:, 0]  # (channels, taps)
        summed = self.conv1d.bias + padded[:, :tokens] * weight[:, 0]
        for tap in range(1, taps):
            summed = summed + padded[:, tap : tap + tokens] * weight[:, tap]
        return functional.silu(summed)


class Attention(nn.Module):
    """Causal grouped-query attention without positions."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        shared = config.num_key_value_heads * config.head_dim
        self.q_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, shared, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, shared, bias=False)
        self.o_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=False)

    def forward(self, hidden: Tensor) -> Tensor:
        rows, tokens, _ = hidden.shape
        query, key, value = (
            projection(hidden).view(rows, tokens, -1, self.config.head_dim).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        mixed = functional.scaled_dot_product_attention(
            query,
            key,
            value,
            is_causal=True,
            scale=self.config.attention_multiplier,
            enable_gqa=True,
        )
        return functional.linear(mixed.transpose(1, 2).flatten(-2), self.o_proj.weight)


class SharedMLP(nn.Module):
    """SwiGLU: the first half of the input projection is the gate."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        inner = config.shared_intermediate_size
        self.input_linear = nn.Linear(config.hidden_size, 2 * inner, bias=False)
        self.output_linear = nn.Linear(inner, config.hidden_size, bias=False)

    def forward(self, hidden: Tensor) -> Tensor:
        gate, value = self.input_linear(hidden).chunk(2, dim=-1)
        return functional.linear(functional.silu(gate) * value, self.output_linear.weight)


class Layer(nn.Module):
    """Mixer and MLP, each behind a norm and added with the residual multiplier."""

    def __init__(self, config: ModelConfig, layer_type: str) -> None:
        super().__init__()
        self.residual_multiplier = config.residual_multiplier
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.shared_mlp = SharedMLP(config)
        self.is_mamba = layer_type == "mamba"
        if self.is_mamba:
            self.mamba = MambaMixer(config)
        else:
            self.self_attn = Attention(config)

    def forward(self, hidden: Tensor) -> Tensor:
        mixer: nn.Module = self.mamba if self.is_mamba else self.self_attn
        mixed: Tensor = mixer(self.input_layernorm(hidden))
        hidden = hidden + self.residual_multiplier * mixed
        update: Tensor = self.shared_mlp(self.post_attention_layernorm(hidden))
        return hidden + self.residual_multiplier * update


class Backbone(nn.Module):
    """Embedding, layers and the last norm."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.embedding_multiplier = config.embedding_multiplier
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList(Layer(config, kind) for kind in config.layer_types)
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(self, token_ids: Tensor) -> Tensor:
        hidden: Tensor = self.embed_tokens(token_ids) * self.embedding_multiplier
        for layer in self.layers:
            hidden = layer(hidden)
        hidden = self.norm(hidden)
        return hidden


class TrainableHybrid(nn.Module):
    """The language model; the head shares the embedding matrix."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.model = Backbone(config)

    def forward(self, token_ids: Tensor) -> Tensor:
        """token_ids (B, T), T a multiple of the block length -> hidden states (B, T, hidden)."""
        hidden: Tensor = self.model(token_ids)
        return hidden

    def logits(self, hidden: Tensor) -> Tensor:
        """hidden (..., hidden) -> logits (..., vocab)."""
        return (
            functional.linear(hidden, self.model.embed_tokens.weight) / self.config.logits_scaling
        )
