"""The network: a small Llama, so that every tool loads it. It knows neither text nor training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Shape:
    """Widths are multiples of 256, so that llama.cpp's K-quants need no fallback types."""

    n_embd: int = 256
    n_layer: int = 6
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
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        rms_norm_eps=1e-6,
        bos_token_id=0,
        eos_token_id=2,
        pad_token_id=0,
    )
    return LlamaForCausalLM(config)


def load(folder: Path) -> Any:
    from transformers import LlamaForCausalLM

    return LlamaForCausalLM.from_pretrained(folder)


def n_params(model: Any) -> int:
    return sum(p.numel() for p in model.parameters())
