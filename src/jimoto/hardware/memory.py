"""How much memory a loaded model takes: weights, the whole KV cache, scratch buffers.

What llama.cpp reserves, to the MiB where the shape is known. Knows shapes and settings; knows
nothing of the machine, of speed or of verdicts.
"""

from __future__ import annotations

from dataclasses import dataclass

from jimoto.errors import QuantUnknown
from jimoto.hardware.quants import Weights, size_bytes
from jimoto.hardware.shapes import Shape
from jimoto.hardware.subjects import Subject

COMMON_CONTEXT = 4096
KV_TYPES = ("F32", "F16", "BF16", "Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0", "IQ4_NL")
# Types that llama.cpp's processor code rearranges when it loads them, by family of processors.
REPACKED = {
    "x86": ("Q4_0", "Q4_K", "IQ4_NL", "MXFP4"),
    "arm": ("Q4_0", "Q4_K", "IQ4_NL", "MXFP4", "Q5_K", "Q6_K", "Q8_0"),
}
CELL_PADDING = 256  # llama.cpp rounds contexts up to this
RUNTIME_BYTES = 64 * 2**20  # Python, llama.cpp and its vocabulary in the child process
LOADED_RUNTIME_BYTES = 9 * 2**20  # graphs, page tables and work areas of a loaded model
VOCABULARY_ENTRY_BYTES = 48  # of llama.cpp's list of tokens, without their text
UNKNOWN_COMPUTE_BYTES = 128 * 2**20  # where the shape is not known


@dataclass(frozen=True)
class Use:
    """How a model is to be used."""

    context_length: int = COMMON_CONTEXT
    kv_type: str = "F16"
    n_parallel: int = 1
    batch: int = 512  # tokens read at once
    flash_attention: bool = True
    full_window: bool = False  # keep the whole context even for windowed attention
    processor: str = "x86"  # a key of REPACKED


def check_kv_type(text: str) -> str:
    """The name of a type that llama.cpp takes for its cache; `QuantUnknown` for another."""
    name = text.strip().upper()
    if name not in KV_TYPES:
        raise QuantUnknown(text, "", ", ".join(KV_TYPES))
    return name


@dataclass(frozen=True)
class Memory:
    """What a loaded model reserves, in bytes. `kv_bytes` None: the shape is not known."""

    weights_bytes: int
    kv_bytes: int | None
    compute_bytes: int
    runtime_bytes: int

    @property
    def total_bytes(self) -> int:
        return self.weights_bytes + (self.kv_bytes or 0) + self.compute_bytes + self.runtime_bytes


def estimate_memory(subject: Subject, use: Use) -> Memory:
    """What llama.cpp reserves for a model in main memory."""
    shape = subject.shape
    if shape is None or subject.is_encoder:
        known_kv = 0 if subject.is_encoder else None
        return Memory(subject.weights_bytes, known_kv, UNKNOWN_COMPUTE_BYTES, RUNTIME_BYTES)
    return Memory(
        weights_bytes=subject.weights_bytes + copied_bytes(subject.weights, use),
        kv_bytes=kv_cache_bytes(shape, use),
        compute_bytes=compute_bytes(shape, use) + 4 * shape.n_vocab * use.n_parallel,
        runtime_bytes=RUNTIME_BYTES,
    )


def copied_bytes(weights: Weights, use: Use) -> int:
    """A tied table is looked up as it is and multiplied rearranged: then it is held twice."""
    return weights.table_bytes if weights.table_type in REPACKED[use.processor] else 0


def processor_family(name: str) -> str:
    """
    >>> [processor_family(name) for name in ("AMD64", "x86_64", "arm64", "aarch64")]
    ['x86', 'x86', 'arm', 'arm']
    """
    return "arm" if name.lower().startswith(("arm", "aarch")) else "x86"


def kv_cache_bytes(shape: Shape, use: Use) -> int:
    """Bytes of the KV cache: keys and values of every token that the context can hold.

    llama.cpp reserves the whole context when it loads, not as it fills.

    >>> from jimoto.hardware.catalog import find_model
    >>> kv_cache_bytes(find_model("llama3.1:8b").shape(), Use(4096)) / 2**20      # MiB
    512.0
    >>> kv_cache_bytes(find_model("deepseek-r1:671b").shape(), Use(256)) // 256   # latent attention
    70272
    """
    n_full, n_windowed = _cached_blocks(shape)
    cells = _padded(use.context_length) * use.n_parallel
    windowed_cells = cells
    if shape.window and not use.full_window:
        held = _padded(min(_padded(use.context_length), shape.window + use.batch))
        windowed_cells = held * use.n_parallel
    if shape.is_mla:  # one narrow vector a token, no values
        return cells * n_full * size_bytes(use.kv_type, shape.kv_lora_rank + shape.rope_dim)
    full_heads = shape.full_n_kv_head or shape.n_kv_head
    full = 2 * size_bytes(use.kv_type, full_heads * (shape.full_head_dim or shape.head_dim))
    windowed = 2 * size_bytes(use.kv_type, shape.n_kv_head * shape.head_dim)
    if not n_windowed and not shape.full_head_dim:
        full = windowed
    return cells * n_full * full + windowed_cells * n_windowed * windowed


def _cached_blocks(shape: Shape) -> tuple[int, int]:
    """How many blocks cache everything, and how many only a window."""
    n = shape.n_layer_kv or shape.n_layer
    n_full = n // shape.window_period if shape.window_period else n
    return n_full, n - n_full


def _padded(context_length: int) -> int:
    return -(-max(1, context_length) // CELL_PADDING) * CELL_PADDING


def compute_bytes(shape: Shape, use: Use) -> int:
    """Bytes of scratch for the largest step of reading a batch; all steps share them.

    That step is the output (a score for each word of the vocabulary and token) or a block.

    >>> from jimoto.hardware.catalog import find_model
    >>> compute_bytes(find_model("llama3.2:1b").shape(), Use(2048)) / 2**20       # MiB
    258.5
    """
    context = _padded(use.context_length)
    tokens = min(use.batch, context)
    output = 4 * tokens * (shape.n_vocab + 2 * shape.n_embd)
    return max(output, block_scratch_bytes(shape, use, tokens))


def block_scratch_bytes(shape: Shape, use: Use, tokens: int) -> int:
    """Bytes of scratch for one block reading so many tokens."""
    context = _padded(use.context_length)
    width = 4 * shape.n_embd
    # gate, up and their product; in one matrix, gate and up are held together and apart
    copies = 4 if shape.architecture == "phi3" else 3
    hidden = copies * max(shape.n_ff, shape.n_ff_expert * max(1, shape.n_expert_used))
    attention = 0
    if shape.is_mla:  # queries and results in the width of the latent vector, for every head
        attention = shape.n_head * 2 * (shape.kv_lora_rank + shape.rope_dim + shape.nope_dim)
    scratch = 4 * tokens * (width + max(hidden, attention)) + 2 * tokens * context  # and the mask
    if not use.flash_attention:  # a score for each head, token and cell
        scratch += 4 * tokens * context * shape.n_head
    return scratch


def resident_bytes(shape: Shape, weights: Weights, use: Use, n_prompt: int) -> int:
    """What stays in memory of what is reserved, after a prompt whose last token alone was scored.

    The scores of the other tokens are reserved and never touched, so the system never gives them.
    """
    tokens = min(n_prompt, use.batch)
    touched = block_scratch_bytes(shape, use, tokens)
    touched += (4 + VOCABULARY_ENTRY_BYTES) * shape.n_vocab  # one row of scores, the list of tokens
    held = weights.size_bytes + copied_bytes(weights, use)
    return held + kv_cache_bytes(shape, use) + touched + LOADED_RUNTIME_BYTES
