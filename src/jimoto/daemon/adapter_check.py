"""Does this LoRA adapter belong to that base model, and are its numbers sound?

Pure, but for reading the adapter's numbers: two `Gguf` descriptions in, None or a `WrongAdapter`
out. What llama.cpp would only discover when it loads them, or not at all, is said here, in one
clause and before a model of that name exists.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jimoto.daemon.gguf_check import Gguf, Tensor

PARTS = (".lora_a", ".lora_b")
# what numpy reads as it is, and the one block type that converters write
_NUMPY_TYPES = {"F32": "<f4", "F16": "<f2", "BF16": "<u2", "Q8_0": "u1"}
_CHUNK_BYTES = 34 * 2**20  # whole values and whole Q8_0 blocks


class WrongAdapter(ValueError):
    """The adapter cannot be applied to this base; the text is one clause without a path."""


def check_adapter(adapter: Gguf, base: Gguf, path: Path | None = None) -> None:
    """See that an adapter fits its base; with `path`, that each of its numbers is finite."""
    _check_kind(adapter, base)
    pairs = _pairs(adapter)
    if not pairs:
        raise WrongAdapter("it holds no LoRA tensors")
    shapes = {tensor.name: tensor.shape for tensor in base.tensors}
    for name, (a, b) in pairs.items():
        _check_pair(name, a, b, shapes.get(name))
    if path is not None:
        for tensor in adapter.tensors:
            if not all(_finite_chunks(path, tensor)):
                raise WrongAdapter(f"tensor {tensor.name[:80]!r} holds a number that is not finite")


def _check_kind(adapter: Gguf, base: Gguf) -> None:
    if adapter.text("general.type") != "adapter":
        raise WrongAdapter("it is a model, not an adapter (general.type)")
    kind = adapter.text("adapter.type")
    if kind != "lora":
        raise WrongAdapter(f"its kind is {kind[:40]!r}; only 'lora' can be applied")
    if adapter.architecture != base.architecture:
        raise WrongAdapter(
            f"it was trained for {adapter.architecture[:40]!r}, and the base is a "
            f"{base.architecture[:40]!r} model"
        )
    alpha = adapter.metadata.get("adapter.lora.alpha")
    if not isinstance(alpha, float) or not 0 <= alpha < 1e9:  # NaN compares as False
        raise WrongAdapter("its alpha is not a number")


def _pairs(adapter: Gguf) -> dict[str, tuple[Tensor, Tensor]]:
    """Base tensor's name → its A and B; each A has its B."""
    found: dict[str, dict[str, Tensor]] = {}
    for tensor in adapter.tensors:
        name, suffix = tensor.name[:-7], tensor.name[-7:]
        if suffix not in PARTS:
            raise WrongAdapter(f"tensor {tensor.name[:80]!r} is no part of a LoRA")
        found.setdefault(name, {})[suffix] = tensor
    for name, parts in found.items():
        if len(parts) != 2:
            raise WrongAdapter(f"one half of {name[:80]!r} is missing")
    return {name: (parts[PARTS[0]], parts[PARTS[1]]) for name, parts in found.items()}


def _check_pair(name: str, a: Tensor, b: Tensor, base: tuple[int, ...] | None) -> None:
    """Shapes as GGUF writes them, fastest first: base (in, out), A (in, r), B (r, out)."""
    if base is None:
        raise WrongAdapter(f"the base has no tensor {name[:80]!r}")
    if len(base) != 2 or len(a.shape) != 2 or len(b.shape) != 2:
        raise WrongAdapter(f"{name[:80]!r} is not a matrix")
    rank = b.shape[0]
    # A table that is looked up by row has its A stored the other way round: (r, rows).
    wanted = (rank, base[1]) if name == "token_embd.weight" else (base[0], rank)
    width = base[0] if name == "token_embd.weight" else base[1]
    if a.shape != wanted or b.shape[1] != width:
        found = f"A {a.shape[0]}x{a.shape[1]}, B {b.shape[0]}x{b.shape[1]}"
        base_text = f"{base[0]}x{base[1]}"
        raise WrongAdapter(f"{name[:80]!r} ({found}) does not fit the base's, which is {base_text}")
    if rank > min(base):
        raise WrongAdapter(f"the rank of {name[:80]!r} ({rank}) is larger than its matrix")
    for tensor in (a, b):
        if tensor.type not in _NUMPY_TYPES:
            kinds = ", ".join(_NUMPY_TYPES)
            raise WrongAdapter(f"its tensors are {tensor.type}; possible are {kinds}")


def _finite_chunks(path: Path, tensor: Tensor) -> Iterator[bool]:
    """Whether the numbers are finite, a piece of the file at a time."""
    import numpy as np

    with path.open("rb") as file:
        file.seek(tensor.start)
        left = tensor.n_bytes
        while left > 0:
            raw = file.read(min(left, _CHUNK_BYTES))
            left -= len(raw) or left
            values: Any = np.frombuffer(raw, dtype=_NUMPY_TYPES[tensor.type])
            if tensor.type == "BF16":  # the upper half of a 32-bit float
                values = (values.astype("<u4") << 16).view("<f4")
            elif tensor.type == "Q8_0":  # a 16-bit scale before each 32 whole numbers
                values = values.reshape(-1, 34)[:, :2].copy().view("<f2")
            yield bool(np.isfinite(values).all())
