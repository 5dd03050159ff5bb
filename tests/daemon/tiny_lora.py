"""A LoRA adapter of a few kilobytes for the tiny GGUF: random numbers, but real ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np
from tiny_gguf import N_EMBD, N_FF

# base tensor → (in, out)
SHAPES = {
    "blk.0.attn_q.weight": (N_EMBD, N_EMBD),
    "blk.1.attn_v.weight": (N_EMBD, N_EMBD),
    "blk.1.ffn_down.weight": (N_FF, N_EMBD),
}


def write_tiny_lora(
    path: Path,
    *,
    seed: int = 0,
    rank: int = 4,
    size: float = 1.0,
    kind: str = "adapter",
    adapter_type: str = "lora",
    architecture: str = "llama",
    alpha: float = 8.0,
    shapes: Mapping[str, tuple[int, int]] = SHAPES,
    dtype: type = np.float32,
    changed: Mapping[str, np.ndarray] | None = None,
    without: str = "",
) -> Path:
    """An adapter whose every promise can be broken by one argument; `changed` replaces tensors."""
    rng = np.random.default_rng(seed)
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_type(kind)
    writer.add_string("adapter.type", adapter_type)
    writer.add_float32("adapter.lora.alpha", alpha)
    tensors: dict[str, np.ndarray] = {}
    for name, (n_in, n_out) in shapes.items():
        tensors[f"{name}.lora_a"] = rng.normal(0, size, (rank, n_in)).astype(dtype)
        tensors[f"{name}.lora_b"] = rng.normal(0, size, (n_out, rank)).astype(dtype)
    for name, values in (tensors | dict(changed or {})).items():
        if name != without:
            writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
