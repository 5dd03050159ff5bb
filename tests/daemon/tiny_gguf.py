"""A llama GGUF of a few kilobytes: random weights, byte-level vocabulary; meaningless, but real."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "<|im_start|>assistant\n"
    "{% if enable_thinking %}<think>\n{% else %}<think>\n\n</think>\n\n{% endif %}"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>", "</think>")
N_EMBD, N_HEAD, N_LAYER, N_FF, CONTEXT = 32, 2, 2, 64, 512


def byte_symbols() -> list[str]:
    """GPT-2's printable stand-ins for the 256 bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    return [chr(b) if b in plain else chr(next(others)) for b in range(256)]


def write_tiny_gguf(
    path: Path,
    seed: int = 0,
    template: str | None = TEMPLATE,
    added: Mapping[str, np.ndarray] | None = None,
    pooling: int | None = None,
    file_type: int = 1,
) -> Path:
    """A model that babbles; the same seed gives the same bytes.

    `added` is added to the weights of that name; a `pooling` type makes it an embedding model.
    """
    rng = np.random.default_rng(seed)
    tokens = [*byte_symbols(), *SPECIAL]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_file_type(file_type)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(N_EMBD)
    writer.add_block_count(N_LAYER)
    writer.add_feed_forward_length(N_FF)
    writer.add_head_count(N_HEAD)
    writer.add_head_count_kv(N_HEAD)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(N_EMBD // N_HEAD)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([1] * 256 + [3] * len(SPECIAL))
    writer.add_token_merges(["Ġ t", "h e"])
    writer.add_bos_token_id(256)
    writer.add_eos_token_id(258)
    writer.add_add_bos_token(False)
    if pooling is not None:
        writer.add_uint32("llama.pooling_type", pooling)
    if template is not None:
        writer.add_chat_template(template)

    def add(name: str, *shape: int) -> None:
        values = rng.normal(0, 0.3, shape) + (added or {}).get(name, 0.0)
        writer.add_tensor(name, values.astype(np.float16))

    def add_norm(name: str) -> None:
        writer.add_tensor(name, np.ones(N_EMBD, dtype=np.float32))

    add("token_embd.weight", len(tokens), N_EMBD)
    add_norm("output_norm.weight")
    for i in range(N_LAYER):
        add_norm(f"blk.{i}.attn_norm.weight")
        add_norm(f"blk.{i}.ffn_norm.weight")
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add(f"blk.{i}.{name}.weight", N_EMBD, N_EMBD)
        add(f"blk.{i}.ffn_gate.weight", N_FF, N_EMBD)
        add(f"blk.{i}.ffn_up.weight", N_FF, N_EMBD)
        add(f"blk.{i}.ffn_down.weight", N_EMBD, N_FF)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
