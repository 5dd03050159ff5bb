"""Which type each tensor has in a file of a given quantisation, and how many bytes that is.

The rules are those of llama.cpp's quantiser (`src/llama-quant.cpp` at 0c1e57098), without an
importance matrix. Knows shapes, not memory: what is loaded on top of a file stands in `fit`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from jimoto.hardware.shapes import Shape, Tensor, list_tensors, read_share

# type → (values in a block, bytes of a block); `quantisations.csv` says the same (tested)
BLOCKS = {
    "F32": (1, 4), "F16": (1, 2), "BF16": (1, 2),
    "Q4_0": (32, 18), "Q4_1": (32, 20), "Q5_0": (32, 22), "Q5_1": (32, 24), "Q8_0": (32, 34),
    "Q2_K": (256, 84), "Q3_K": (256, 110), "Q4_K": (256, 144), "Q5_K": (256, 176),
    "Q6_K": (256, 210), "IQ4_NL": (32, 18), "IQ4_XS": (256, 136), "MXFP4": (32, 17),
    "IQ1_S": (256, 50), "IQ1_M": (256, 56), "IQ2_XXS": (256, 66), "IQ2_XS": (256, 74),
    "IQ2_S": (256, 82), "IQ3_XXS": (256, 98), "IQ3_S": (256, 110), "NVFP4": (64, 36),
    "TQ1_0": (256, 54), "TQ2_0": (256, 66), "I8": (1, 1), "I16": (1, 2), "I32": (1, 4),
    "I64": (1, 8), "F64": (1, 8), "Q8_1": (32, 36), "Q8_K": (256, 292),
}  # fmt: skip

# the quantisation of a file → the type of most of its tensors
FILE_TYPES = {
    "F32": "F32", "F16": "F16", "BF16": "BF16", "Q8_0": "Q8_0", "Q6_K": "Q6_K",
    "Q5_K_M": "Q5_K", "Q5_K_S": "Q5_K", "Q5_1": "Q5_1", "Q5_0": "Q5_0",
    "Q4_K_M": "Q4_K", "Q4_K_S": "Q4_K", "Q4_1": "Q4_1", "Q4_0": "Q4_0",
    "IQ4_NL": "IQ4_NL", "IQ4_XS": "IQ4_XS",
    # experts in MXFP4, all else in Q8_0 (llama.cpp's gpt-oss) or in BF16 (the library's)
    "MXFP4": "MXFP4", "MXFP4+BF16": "MXFP4",
    "Q3_K_L": "Q3_K", "Q3_K_M": "Q3_K", "Q3_K_S": "Q3_K", "Q2_K": "Q2_K", "Q2_K_S": "Q2_K",
}  # fmt: skip
# What is offered where something smaller must be found, best first.
LADDER = ("F16", "Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q3_K_M", "Q2_K")
# What the K-types become in a row whose length is not a multiple of 256.
_FALLBACK = {"Q2_K": "Q4_0", "Q3_K": "Q4_0", "Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"}
_FALLBACK |= {"IQ4_XS": "IQ4_NL"}


# Time of a core for a byte of each type, Q8_0 being 1: measured with llama.cpp on one AVX2 core on
# two blocks of Llama 3.2 1B (2026-11-22). It matters where the cores are slower than the memory.
CORE_WORK = {
    "F32": 0.8, "F16": 0.82, "BF16": 0.82, "Q8_0": 1.0, "Q4_0": 1.2, "Q4_K": 1.2, "Q6_K": 1.07,
    "Q5_0": 1.53, "Q5_1": 1.69, "Q5_K": 1.42, "Q3_K": 1.75, "Q2_K": 1.5, "IQ4_NL": 1.42,
}  # fmt: skip
OTHER_WORK = 1.4  # of a type that was not measured


@dataclass(frozen=True)
class TypedTensor:
    tensor: Tensor
    type: str

    @property
    def size_bytes(self) -> int:
        return size_bytes(self.type, self.tensor.n_params)


@dataclass(frozen=True)
class Weights:
    """What a file of weights comes to. Not `is_exact`: no list of tensors stands behind it."""

    quant: str
    n_params: int
    size_bytes: int  # in memory, of the whole network
    active_bytes: int  # read to make one token
    n_block_params: int  # that one token passes through, without the output matrix
    largest_bytes: int  # the largest single tensor
    table_bytes: int  # the token embedding
    table_type: str  # its type where it is also the output matrix, else empty
    is_exact: bool = True
    core_work: float = 1.2  # time of a core for an active byte, Q8_0 being 1


def size_bytes(type_name: str, n_values: int) -> int:
    """Bytes of so many values in whole blocks of a type.

    >>> size_bytes("Q4_0", 4096), size_bytes("F16", 4096)
    (2304, 8192)
    """
    values, block_bytes = BLOCKS[type_name]
    return n_values // values * block_bytes


def bits_per_weight(type_name: str) -> float:
    """
    >>> bits_per_weight("Q4_0"), bits_per_weight("Q6_K")
    (4.5, 6.5625)
    """
    values, block_bytes = BLOCKS[type_name]
    return 8 * block_bytes / values


def assign_types(shape: Shape, tensors: Iterable[Tensor], quant: str) -> tuple[TypedTensor, ...]:
    """The type of each tensor in a file that llama.cpp's quantiser writes."""
    return tuple(TypedTensor(tensor, choose_type(shape, tensor, quant)) for tensor in tensors)


def weigh(
    shape: Shape, tensors: Sequence[TypedTensor], quant: str, times: Sequence[int] | None = None
) -> Weights:
    """Add up a list of tensors, each one so many times as `times` says."""
    n_params = total = active = work = block_params = largest = 0.0
    table: TypedTensor | None = None
    for count, typed in zip(times or [1] * len(tensors), tensors, strict=True):
        name, n_values = typed.tensor.name, typed.tensor.n_params
        size, share = size_bytes(typed.type, n_values), read_share(shape, typed.tensor)
        n_params += count * n_values
        total += count * size
        active += count * size * share
        work += count * size * share * CORE_WORK.get(typed.type, OTHER_WORK)
        largest = max(largest, size)
        if name.startswith("blk."):
            block_params += count * n_values * share
        elif name == "token_embd.weight":
            table = typed
    return Weights(
        quant=quant,
        n_params=int(n_params),
        size_bytes=int(total),
        active_bytes=round(active),
        n_block_params=round(block_params),
        largest_bytes=int(largest),
        table_bytes=table.size_bytes if table else 0,
        table_type=table.type if table and shape.is_tied else "",
        core_work=work / active if active else 1.0,
    )


@lru_cache(maxsize=2048)
def weigh_shape(shape: Shape, quant: str) -> Weights:
    """The weights of a file that the quantiser writes; `weigh` of all its tensors, faster.

    >>> from jimoto.hardware.catalog import find_model
    >>> round(weigh_shape(find_model("llama3.1:8b").shape(), "Q4_K_M").size_bytes / 2**30, 2)
    4.58
    """
    # Blocks whose number meets the same rules are alike: one of each kind is enough.
    n = shape.n_layer
    alike: dict[tuple[bool, ...], list[int]] = {}
    for i in range(n):
        rules = (i < shape.n_layer_dense, i < 2, i < 4, i < n // 16, i < n // 8)
        alike.setdefault((*rules, _is_favoured(i, n)), []).append(i)
    counts = {blocks[0]: len(blocks) for blocks in alike.values()}
    typed = assign_types(shape, list_tensors(shape, tuple(counts)), quant)
    times = [1 if t.tensor.block is None else counts[t.tensor.block] for t in typed]
    return weigh(shape, typed, quant, times)


def choose_type(shape: Shape, tensor: Tensor, quant: str) -> str:
    """The type of one tensor, from its name, its block and the length of its rows."""
    name, row = tensor.name, tensor.dims[0]
    # 1) vectors, norms and the router stay as they are
    if len(tensor.dims) < 2 or "_norm." in name or "ffn_gate_inp." in name or ".bias" in name:
        return "F32"
    kind = FILE_TYPES[quant]
    if kind in ("F32", "F16", "BF16"):
        return kind
    if quant == "MXFP4+BF16" and "_exps." not in name:
        return "BF16"
    # 2) mixes give some tensors more bits
    chosen = _mixed(shape, tensor, quant, kind)
    # 3) a row that the block does not divide falls back to a block of 32, or to F16
    if row % BLOCKS[chosen][0]:
        chosen = _FALLBACK.get(chosen, chosen)
    return "F16" if row % BLOCKS[chosen][0] else chosen


def _mixed(shape: Shape, tensor: Tensor, quant: str, kind: str) -> str:
    name, row = tensor.name, tensor.dims[0]
    is_output = name == "output.weight" or (name == "token_embd.weight" and shape.is_tied)
    if is_output:
        if kind == "MXFP4" or row % BLOCKS[kind][0]:
            return "Q8_0"
        return kind if kind == "Q8_0" else "Q6_K"
    if kind == "MXFP4":
        return "MXFP4" if "_exps." in name else "Q8_0"
    i = tensor.block or 0
    eight = shape.n_expert == 8
    if "attn_v." in name or "attn_qkv." in name:
        return "Q8_0" if eight else _value_type(shape, i, quant, kind)
    if "attn_k." in name and eight:
        return "Q8_0"
    if "ffn_down" in name:
        return _down_type(i, shape.n_layer, quant, kind)
    if "attn_output." in name:
        small = ("Q2_K", "Q3_K_S", "Q3_K_M", "Q4_K_S", "Q4_K_M", "IQ4_NL", "IQ4_XS")
        if eight:
            return "Q5_K" if quant in small else kind
        return {"Q2_K": "Q3_K", "Q3_K_M": "Q4_K", "Q3_K_L": "Q5_K"}.get(quant, kind)
    return kind


def _value_type(shape: Shape, i: int, quant: str, kind: str) -> str:
    grouped = shape.n_kv_head > 0 and shape.n_head // shape.n_kv_head >= 4
    if quant == "Q2_K":
        chosen = "Q4_K" if grouped else "Q3_K"
    elif quant == "Q2_K_S" and grouped:
        chosen = "Q4_K"
    elif quant == "Q3_K_M":
        chosen = "Q5_K" if i < 2 else "Q4_K"
    elif quant == "Q3_K_L" or (quant in ("IQ4_NL", "IQ4_XS") and grouped):
        chosen = "Q5_K"
    elif quant in ("Q4_K_M", "Q5_K_M") and _is_favoured(i, shape.n_layer):
        chosen = "Q6_K"
    elif quant == "Q4_K_S" and i < 4:
        chosen = "Q5_K"
    else:
        chosen = kind
    is_70b = shape.n_layer == 80 and shape.n_head != shape.n_kv_head
    if is_70b and shape.architecture in ("llama", "qwen2") and chosen in ("Q3_K", "Q4_K"):
        return "Q5_K"
    return chosen


def _down_type(i: int, n_layer: int, quant: str, kind: str) -> str:
    first_eighth = i < n_layer // 8
    if quant == "Q2_K":
        return "Q3_K"
    if quant == "Q2_K_S":
        return "Q4_K" if first_eighth else kind
    if quant == "Q3_K_M":
        return "Q5_K" if i < n_layer // 16 else "Q4_K"
    if quant == "Q3_K_L":
        return "Q5_K"
    if quant in ("Q4_K_M", "Q5_K_M"):
        return "Q6_K" if _is_favoured(i, n_layer) else kind
    if quant in ("Q4_K_S", "IQ4_NL", "IQ4_XS") and first_eighth:
        return "Q5_K"
    return kind


def _is_favoured(i: int, n_layer: int) -> bool:
    """The first and last eighth of the blocks, and every third between."""
    eighth = n_layer // 8
    return i < eighth or i >= 7 * n_layer // 8 or (i - eighth) % 3 == 2
