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
    is_wide = shape.n_embd >= 4 * HEAD and shape.n_layer > max(COPYING_LAYERS)
    model.circuit = Circuit(model, seed) if is_wide else None
    return model


HEAD = 64  # width of a head that the circuit knows
COPYING_LAYERS = (1, 2, 3)
FAST, SLOW = 4, 13  # rotary pairs below 4 turn fast enough to count tokens, from 13 hardly turn
SCALE = 0.5  # of an embedding's entries; large beside one step of training
CONSTANT = 6  # what all embeddings share, in units of SCALE


class Circuit:
    """The circuit for copying, wired into a new model instead of waiting until training finds it.

    Layer 0, head 0 looks at the token before (fast rotary pairs whose phases agree at distance 1)
    and notes it in a part of the residual stream of its own; head 0 of three later layers looks
    for earlier places whose noted token is the present one, and brings the token that stood there
    (an induction head: Olsson et al. 2022). All other weights start random. On repeated random
    tokens such a model copies two thirds right before its first step.
    """

    def __init__(self, model: Any, seed: int) -> None:
        import torch

        self.model, self.random = model, torch.Generator().manual_seed(seed)
        self.wired: list[tuple[Any, tuple[slice, slice], Any]] = []  # matrix, where, values
        width, embedding = model.config.hidden_size, model.model.embed_tokens.weight
        with torch.no_grad():
            # 1) the residual stream: a constant direction, a part for notes, the rest for tokens
            basis = self.directions(width, torch.eye(width))
            self.kept, tokens = basis[: 1 + HEAD], basis[1 + HEAD :]
            constant, notes = basis[0], basis[1 : 1 + HEAD]
            identity = torch.randn(len(embedding), len(tokens), generator=self.random) @ tokens
            embedding.copy_(SCALE * (identity + CONSTANT * constant))
            model.model.norm.weight.fill_(0.25)  # keeps the first logits small
            self.start_random()

            # 2) the head for the token before, and what of that token is noted
            name = self.directions(HEAD, tokens)
            inverse = ROPE_THETA ** (-torch.arange(HEAD // 2) * 2.0 / HEAD)
            q, k = torch.zeros(HEAD, width), torch.zeros(HEAD, width)
            for i in range(FAST):
                q[i], k[i] = 3 * inverse[i].cos() * constant, 3 * constant
                q[i + HEAD // 2] = -3 * inverse[i].sin() * constant
            self.wire(0, q, k, name, 3 * SCALE * notes.T)

            # 3) the heads that look for the note and bring what follows
            slow = [i + half for half in (0, HEAD // 2) for i in range(SLOW, HEAD // 2)]
            for number in COPYING_LAYERS:
                mix = self.directions(len(slow), torch.eye(HEAD))
                q, k = torch.zeros(HEAD, width), torch.zeros(HEAD, width)
                q[slow], k[slow] = 2 * mix @ name, 2 * mix @ notes
                brought = self.directions(HEAD, tokens)
                self.wire(number, q, k, brought, 4 * SCALE * brought.T)

    def directions(self, n: int, inside: Any) -> Any:
        """(n, width) orthonormal rows inside the given ones."""
        import torch

        return torch.linalg.qr(torch.randn(len(inside), n, generator=self.random))[0].T @ inside

    def start_random(self) -> None:
        """Everything else starts small and random."""
        for layer in self.model.model.layers:
            a, mlp = layer.self_attn, layer.mlp
            for part, size in (
                (a.q_proj, 0.02),
                (a.k_proj, 0.02),
                (a.v_proj, 0.02),
                (a.o_proj, 0.006),
                (mlp.gate_proj, 0.04),
                (mlp.up_proj, 0.04),
                (mlp.down_proj, 0.02),
            ):
                part.weight.normal_(0, size, generator=self.random)

    def wire(self, number: int, q: Any, k: Any, v: Any, o: Any) -> None:
        """Head 0 of a layer."""
        a = self.model.model.layers[number].self_attn
        rows, columns = (slice(HEAD), slice(None)), (slice(None), slice(HEAD))
        for part, where, values in (
            (a.q_proj, rows, q),
            (a.k_proj, rows, k),
            (a.v_proj, rows, v),
            (a.o_proj, columns, o),
        ):
            part.weight[where] = values
            self.wired.append((part.weight, where, values))

    def keep_present(self) -> None:
        """From now on `restore` brings back what the weights hold at this moment."""
        self.wired = [
            (matrix, where, matrix[where].detach().clone()) for matrix, where, _ in self.wired
        ]

    def restore(self) -> None:
        """Undo what a step of training did to the circuit.

        Steps of full size would wear it down long before the first skill has use for it: without
        this, copying of random repeats fell from two thirds to none within 200 steps.
        """
        import torch

        layers, embedding = self.model.model.layers, self.model.model.embed_tokens.weight
        self.kept = self.kept.to(embedding.device)
        with torch.no_grad():
            embedding -= embedding @ self.kept.T @ self.kept
            embedding += SCALE * CONSTANT * self.kept[0]
            for number in (0, *COPYING_LAYERS):
                layers[number].input_layernorm.weight.fill_(1)
            for layer in layers[: max(COPYING_LAYERS)]:  # who writes before the last of them reads
                for matrix in (layer.self_attn.o_proj.weight, layer.mlp.down_proj.weight):
                    matrix -= self.kept.T @ (self.kept @ matrix)
            for matrix, where, values in self.wired:
                matrix[where] = values.to(matrix.device)


def load(folder: Path) -> Any:
    from transformers import LlamaForCausalLM

    return LlamaForCausalLM.from_pretrained(folder)


def n_params(model: Any) -> int:
    return sum(p.numel() for p in model.parameters())
