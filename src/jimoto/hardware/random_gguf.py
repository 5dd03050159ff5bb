"""Writes a GGUF file of a given shape and quantisation whose weights are random numbers.

The file is as large and as much work as the real one, and says nothing: its words would be noise.
The blocks are random bits with small random scales, never zeros, so that no page can be shared or
compressed and no number is a NaN. Knows nothing of loading or measuring.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jimoto.hardware.quants import BLOCKS, TypedTensor
from jimoto.hardware.shapes import Shape

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CHUNK_BYTES = 8 * 2**20
# type → where its half-precision scales stand in the block; all other bytes may be any
_SCALES = {
    "Q4_0": (0,), "Q4_1": (0, 2), "Q5_0": (0,), "Q5_1": (0, 2), "Q8_0": (0,),
    "Q2_K": (80, 82), "Q3_K": (108,), "Q4_K": (0, 2), "Q5_K": (0, 2), "Q6_K": (208,),
    "IQ4_NL": (0,), "IQ4_XS": (0,),
}  # fmt: skip
# How large a scale makes the numbers about 0.02, the spread of a trained network.
_SCALE = {
    "Q8_0": 2.7e-4, "Q4_0": 4e-3, "Q4_1": 4e-3, "Q5_0": 2e-3, "Q5_1": 2e-3,
    "Q2_K": 1.2e-3, "Q3_K": 5e-4, "Q4_K": 7e-5, "Q5_K": 3.5e-5, "Q6_K": 1.5e-5,
    "IQ4_NL": 2.5e-4, "IQ4_XS": 1e-5,
}  # fmt: skip


def write_gguf(
    path: Path,
    shape: Shape,
    tensors: Sequence[TypedTensor],
    seed: int = 0,
    sparse: bool = False,
    tokens: Sequence[str] = (),
) -> int:
    """Write the file and return its size in bytes.

    It has no vocabulary, unless `tokens` (at least two) are one, as a server needs.
    A `sparse` file has the head of the real one and a hole in place of its weights: enough where
    llama.cpp is only asked what it would allocate.
    """
    import gguf
    import numpy as np

    writer = gguf.GGUFWriter(path, shape.architecture, use_temp_file=False)
    for key, value in metadata(shape).items():
        _add(writer, f"{shape.architecture}.{key}", value)
    writer.add_tokenizer_model("gpt2" if tokens else "none")
    if tokens:
        writer.add_tokenizer_pre("qwen2")
        writer.add_token_list(list(tokens))
        writer.add_token_types([gguf.TokenType.NORMAL] * len(tokens))
        writer.add_token_merges([f"{tokens[0]} {tokens[1]}"])  # llama.cpp insists on one
    for typed in tensors:
        kind = gguf.GGMLQuantizationType[typed.type]
        dims = tuple(reversed(typed.tensor.dims))
        writer.add_tensor_info(
            typed.tensor.name, dims, np.dtype(np.float16), typed.size_bytes, raw_dtype=kind
        )
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        assert writer.fout is not None
        file = writer.fout[0]
        writer.write_padding(file, file.tell())
        rng = np.random.default_rng(seed)
        for typed in tensors:
            padding = -typed.size_bytes % writer.data_alignment
            if sparse:
                file.seek(typed.size_bytes + padding, 1)
                continue
            for chunk in random_blocks(typed, rng):
                file.write(chunk.data)
            file.write(b"\0" * padding)
        file.truncate()
        return file.tell()
    finally:
        writer.close()


def metadata(shape: Shape) -> dict[str, Any]:
    """What llama.cpp must be told about a shape, keys without the architecture's prefix."""
    said: dict[str, Any] = {
        "context_length": shape.n_ctx_train or 4096,
        "embedding_length": shape.n_embd,
        "block_count": shape.n_layer,
        "feed_forward_length": shape.n_ff or shape.n_ff_expert,
        "attention.head_count": shape.n_head,
        "attention.head_count_kv": shape.n_kv_head,
        "attention.key_length": shape.head_dim,
        "attention.value_length": shape.head_dim,
        "attention.layer_norm_rms_epsilon": 1e-5,
        "rope.dimension_count": shape.head_dim,
        "rope.freq_base": 500000.0,
        "vocab_size": shape.n_vocab,
    }
    if shape.window:
        said["attention.sliding_window"] = shape.window
    if shape.architecture == "gemma2":
        said |= {"attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0}
    if shape.n_expert:
        said |= {
            "expert_count": shape.n_expert,
            "expert_used_count": shape.n_expert_used,
            "expert_feed_forward_length": shape.n_ff_expert,
        }
    if shape.is_mla:
        said |= {
            "attention.kv_lora_rank": shape.kv_lora_rank,
            "attention.q_lora_rank": shape.q_lora_rank,
            "attention.key_length": shape.kv_lora_rank + shape.rope_dim,
            "attention.value_length": shape.kv_lora_rank,
            "attention.key_length_mla": shape.nope_dim + shape.rope_dim,
            "attention.value_length_mla": shape.value_dim,
            "rope.dimension_count": shape.rope_dim,
            "leading_dense_block_count": shape.n_layer_dense,
            "expert_shared_count": shape.n_expert_shared,
            "expert_weights_scale": 1.0,
        }
    return said


def random_blocks(
    typed: TypedTensor, rng: np.random.Generator, chunk_bytes: int = CHUNK_BYTES
) -> Iterator[NDArray[Any]]:
    """A tensor's bytes, a chunk at a time; every scale is finite and not zero."""
    import numpy as np

    values, block_bytes = BLOCKS[typed.type]
    left = typed.tensor.n_params // values
    is_norm = "norm" in typed.tensor.name
    while left:
        count = min(left, max(1, chunk_bytes // block_bytes))
        left -= count
        if typed.type == "MXFP4":
            blocks = _bits(rng, count, block_bytes)
            blocks[:, 0] = rng.integers(118, 122, count, dtype=np.uint8)  # 2^(e-127)
            yield blocks
        elif typed.type in _SCALES:
            blocks = _bits(rng, count, block_bytes)
            for place in _SCALES[typed.type]:
                scale = _SCALE[typed.type] * (0.5 + rng.random(count, dtype=np.float32))
                halves = scale.astype(np.float16).view(np.uint8)
                blocks[:, place : place + 2] = halves.reshape(-1, 2)
            yield blocks
        elif typed.type == "F32":
            mean = 1.0 if is_norm else 0.0
            yield (mean + 0.02 * rng.standard_normal(count, dtype=np.float32)).astype(np.float32)
        else:
            yield _halves(rng, count, typed.type)


def _bits(rng: np.random.Generator, count: int, width: int) -> NDArray[np.uint8]:
    import numpy as np

    return np.frombuffer(bytearray(rng.bytes(count * width)), np.uint8).reshape(count, width)


def _halves(rng: np.random.Generator, count: int, kind: str) -> NDArray[np.uint16]:
    """Sixteen-bit floats: any sign and mantissa, and an exponent of about 0.01 to 0.03."""
    import numpy as np

    # F16: 1 bit of sign, 5 of exponent, 10 of mantissa; BF16: 1, 8, 7
    kept, exponent = (0x87FF, 8 << 10) if kind == "F16" else (0x80FF, 120 << 7)
    bits = np.frombuffer(bytearray(rng.bytes(2 * count)), np.uint16)
    bits &= np.uint16(kept)
    bits |= np.uint16(exponent)
    return bits


def _add(writer: Any, key: str, value: Any) -> None:
    if isinstance(value, float):
        writer.add_float32(key, value)
    else:
        writer.add_uint32(key, value)
