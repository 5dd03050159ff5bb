"""The network: a small Llama, so that every tool loads it. It knows neither text nor training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Slow rotations leave most of a head nearly blind to distance: such a head can look for a word.
ROPE_THETA = 1e6


@dataclass(frozen=True)
class Shape:
    """Widths are multiples of 256, so that llama.cpp's K-quants need no fallback types."""

    n_embd: int = 256
    n_layer: int = 5
    n_ff: int = 768
    n_head: int = 4
    n_kv_head: int = 2  # two heads share one set of keys and values
    context_length: int = 2048


def build(shape: Shape, vocabulary_size: int, seed: int) -> Any:
    """A randomly initialised `LlamaForCausalLM`."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        hidden_size=shape.n_embd,
        num_hidden_layers=shape.n_layer,
        intermediate_size=shape.n_ff,
        num_attention_heads=shape.n_head,
        num_key_value_heads=shape.n_kv_head,
        vocab_size=vocabulary_size,
        max_position_embeddings=shape.context_length,
        tie_word_embeddings=True,  # one table for reading and writing: half the embedding bytes
        rope_parameters={"rope_type": "default", "rope_theta": ROPE_THETA},
        rms_norm_eps=1e-6,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=0,
    )
    model = LlamaForCausalLM(config)
    if shape.n_embd >= 4 * HEAD and shape.n_layer > max(COPYING_LAYERS):
        wire_copying(model, seed)
    return model


HEAD = 64  # width of a head that `wire_copying` knows
COPYING_LAYERS = (1, 2, 3)
FAST, SLOW = 8, 13  # rotary pairs below 8 turn fast enough to count tokens, from 13 hardly turn


def wire_copying(model: Any, seed: int) -> None:
    """Start with the circuit for copying in place, instead of waiting until training finds it.

    Layer 0, head 0 looks at the token before (fast rotary pairs whose phases agree at distance 1)
    and notes it in a part of the residual stream of its own; head 0 of three later layers looks
    for earlier places whose noted token is the present one, and brings the token that stood there
    (an induction head: Olsson et al. 2022). All other weights start random. On repeated random
    tokens such a model copies 64 % right before its first step.
    """
    import torch

    g = torch.Generator().manual_seed(seed)
    embedding, width = model.model.embed_tokens.weight, model.config.hidden_size
    inverse = ROPE_THETA ** (-torch.arange(HEAD // 2) * 2.0 / HEAD)

    def directions(n: int, inside: Any) -> Any:
        """(n, width) orthonormal rows inside the given ones."""
        return torch.linalg.qr(torch.randn(len(inside), n, generator=g))[0].T @ inside

    scale = 0.5  # of an embedding's entries; large beside one step of training
    with torch.no_grad():
        # 1) the residual stream: one constant direction, one part for notes, the rest for tokens
        basis = directions(width, torch.eye(width))
        constant, notes, tokens = basis[0], basis[1 : 1 + HEAD], basis[1 + HEAD :]
        identity = torch.randn(len(embedding), len(tokens), generator=g) @ tokens
        embedding.copy_(scale * (identity + 4 * constant))
        model.model.norm.weight.fill_(0.25)  # keeps the first logits small

        # 2) everything starts small and random
        for layer in model.model.layers:
            a, mlp = layer.self_attn, layer.mlp
            for weight, size in (
                (a.q_proj.weight, 0.02),
                (a.k_proj.weight, 0.02),
                (a.v_proj.weight, 0.02),
                (a.o_proj.weight, 0.006),
                (mlp.gate_proj.weight, 0.04),
                (mlp.up_proj.weight, 0.04),
                (mlp.down_proj.weight, 0.02),
            ):
                weight.normal_(0, size, generator=g)

        # 3) the head for the token before
        name = directions(HEAD, tokens)  # what of a token is noted
        a = model.model.layers[0].self_attn
        q, k = torch.zeros(HEAD, width), torch.zeros(HEAD, width)
        for i in range(FAST):
            q[i], k[i] = 5 * inverse[i].cos() * constant, 5 * constant
            q[i + HEAD // 2] = -5 * inverse[i].sin() * constant
        a.q_proj.weight[:HEAD], a.k_proj.weight[:HEAD], a.v_proj.weight[:HEAD] = q, k, name
        a.o_proj.weight[:, :HEAD] = 3 * scale * notes.T

        # 4) the heads that look for the note and bring what follows
        slow = [i + half for half in (0, HEAD // 2) for i in range(SLOW, HEAD // 2)]
        for number in COPYING_LAYERS:
            a = model.model.layers[number].self_attn
            mix = directions(len(slow), torch.eye(HEAD))
            q, k = torch.zeros(HEAD, width), torch.zeros(HEAD, width)
            q[slow], k[slow] = 2 * mix @ name, 2 * mix @ notes
            brought = directions(HEAD, tokens)
            a.q_proj.weight[:HEAD], a.k_proj.weight[:HEAD] = q, k
            a.v_proj.weight[:HEAD] = brought
            a.o_proj.weight[:, :HEAD] = 4 * scale * brought.T


def wired(model: Any) -> dict[str, Any]:
    """Name of a matrix → which of its entries belong to the wired-in circuit, as bools."""
    import torch

    masks = {}
    if model.config.hidden_size >= 4 * HEAD and model.config.num_hidden_layers > max(
        COPYING_LAYERS
    ):
        for number in (0, *COPYING_LAYERS):
            for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
                full = f"model.layers.{number}.self_attn.{name}.weight"
                mask = torch.zeros_like(model.get_parameter(full), dtype=torch.bool)
                mask[(slice(None), slice(HEAD)) if name == "o_proj" else slice(HEAD)] = True
                masks[full] = mask
    return masks


def load(folder: Path) -> Any:
    from transformers import LlamaForCausalLM

    return LlamaForCausalLM.from_pretrained(folder)


def n_params(model: Any) -> int:
    return sum(p.numel() for p in model.parameters())
