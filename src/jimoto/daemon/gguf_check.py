"""Is this file safe to hand to llama.cpp? And what does it say about itself?

Only the standard library reads here, with every length compared to the bytes that remain before it
is used: the file may be a stranger's, or cut short. Tensor data is not read; that each tensor lies
inside the file is. The answer is a `Gguf` or a `BrokenGguf`. Nothing here knows the store, HTTP or
llama.cpp.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

# Caps of Ollama v0.31.2, and of llama.cpp (names, dimensions).
MAX_STRING_BYTES = 16 * 2**20
MAX_ARRAY_ITEMS = 64 * 2**20
MAX_METADATA = 65_536
MAX_TENSORS = 65_536
MAX_NAME_BYTES = 65_535  # of a metadata key
MAX_DIMENSIONS = 4
MAX_ARRAY_DEPTH = 2
MAX_ALIGNMENT = 2**16
MAX_TOKEN_BYTES = 65_535  # llama.cpp counts a token's bytes in 32 bits; no vocabulary comes near

# value type → struct format; 8 is a string, 9 an array
_SCALARS = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"
}  # fmt: skip
_STRING, _ARRAY = 8, 9

# tensor type → (name, values in a block, bytes of a block); numbers that ggml has retired are
# absent
TENSOR_TYPES = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 9: ("Q8_1", 32, 40),
    10: ("Q2_K", 256, 84), 11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292), 16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136), 24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4),
    27: ("I64", 1, 8), 28: ("F64", 1, 8), 29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17),
}  # fmt: skip

# general.file_type → the name that Ollama prints
FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K",
    11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S",
    17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS",
    23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M",
    30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4",
}  # fmt: skip


class BrokenGguf(ValueError):
    """The file is not a whole, sound GGUF file; the text is one clause without a path."""


@dataclass(frozen=True)
class Tensor:
    name: str
    type: str  # `F16`
    shape: tuple[int, ...]  # fastest dimension first
    start: int = 0  # where its bytes begin in the file
    n_bytes: int = 0


@dataclass(frozen=True)
class Gguf:
    """What a sound file says about itself; arrays in the metadata are None unless asked for."""

    metadata: dict[str, Any]
    tensors: tuple[Tensor, ...]
    size_bytes: int

    @property
    def architecture(self) -> str:
        return self.text("general.architecture")

    @property
    def parameter_count(self) -> int:
        return sum(_product(tensor.shape) for tensor in self.tensors)

    @property
    def file_type(self) -> str:
        return FILE_TYPES.get(self.metadata.get("general.file_type", -1), "unknown")

    @property
    def context_length(self) -> int:
        return self.number("context_length")

    @property
    def embedding_length(self) -> int:
        return self.number("embedding_length")

    @property
    def chat_template(self) -> str:
        return self.text("tokenizer.chat_template")

    @property
    def is_embedding_model(self) -> bool:
        return f"{self.architecture}.pooling_type" in self.metadata

    def kv_cache_bytes(self, context_length: int) -> int:
        """Bytes of an F16 KV cache: keys and values, hence the 2."""
        heads = self.number("attention.head_count") or 1
        kv_heads = self.number("attention.head_count_kv") or heads
        head_dim = self.number("attention.key_length") or self.embedding_length // heads
        return 2 * self.number("block_count") * kv_heads * head_dim * context_length * 2

    def number(self, key: str) -> int:
        """A whole number of this architecture, `<arch>.<key>`; 0 where there is none."""
        value = self.metadata.get(f"{self.architecture}.{key}")
        return value if type(value) is int else 0

    def text(self, key: str) -> str:
        value = self.metadata.get(key)
        return value if isinstance(value, str) else ""


def check_gguf(path: Path, keep_arrays: bool = False) -> Gguf:
    """See that everything a file promises is there; raises `BrokenGguf` or OSError."""
    size_bytes = path.stat().st_size
    if size_bytes < 24:
        raise BrokenGguf("it is too short to be a GGUF file")
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return parse_gguf(data, keep_arrays)


def parse_gguf(data: bytes | mmap.mmap, keep_arrays: bool = False) -> Gguf:
    """The same over bytes."""
    reader = _Reader(data)
    # 1) the head
    version = reader.head()
    if version not in (2, 3):
        raise BrokenGguf(f"GGUF version {version} is not supported")
    n_tensors, n_metadata = reader.scalar("Q"), reader.scalar("Q")
    if n_tensors > MAX_TENSORS or n_metadata > MAX_METADATA:
        raise BrokenGguf("it claims more tensors or metadata than any model has")
    # 2) metadata
    metadata: dict[str, Any] = {}
    counts: dict[str, int] = {}  # items of each list
    for _ in range(n_metadata):
        key = reader.text(MAX_NAME_BYTES)
        if key in metadata:
            raise BrokenGguf(f"the key {key[:80]!r} stands twice")
        metadata[key] = reader.value(reader.scalar("I"), keep_arrays)
        counts[key] = reader.last_count
    architecture = metadata.get("general.architecture")
    if not isinstance(architecture, str) or not architecture:
        raise BrokenGguf("it names no architecture")
    _check_counts(metadata, architecture)
    _check_vocabulary(counts)
    # 3) tensors: each one's bytes must lie inside the file
    alignment = metadata.get("general.alignment", 32)
    power_of_two = type(alignment) is int and 0 < alignment <= MAX_ALIGNMENT
    if not power_of_two or alignment & (alignment - 1):
        raise BrokenGguf("its alignment is not a power of two")
    found = [reader.tensor() for _ in range(n_tensors)]
    if len({tensor.name for tensor, _, _ in found}) != len(found):
        raise BrokenGguf("two tensors have the same name")
    start = -(-reader.position // alignment) * alignment
    for tensor, offset, n_bytes in found:
        if offset % alignment:
            raise BrokenGguf(f"tensor {tensor.name[:80]!r} is not aligned")
        if start + offset + n_bytes > len(data):
            missing = start + offset + n_bytes - len(data)
            raise BrokenGguf(
                f"it is cut short: tensor {tensor.name[:80]!r} ends {missing} bytes after the file"
            )
    tensors = (replace(t, start=start + offset, n_bytes=n_bytes) for t, offset, n_bytes in found)
    return Gguf(metadata, tuple(tensors), len(data))


def _check_counts(metadata: dict[str, Any], architecture: str) -> None:
    """Numbers that llama.cpp divides by or allocates from must make sense."""
    counts = ("block_count", "context_length", "embedding_length", "attention.head_count")
    for key in counts:
        value = metadata.get(f"{architecture}.{key}", 1)
        is_list = value is None or isinstance(value, list)  # some models count heads layer by layer
        if not is_list and not (type(value) is int and 0 < value < 2**31):
            raise BrokenGguf(f"the value of {key!r} makes no sense")


def _check_vocabulary(counts: dict[str, int]) -> None:
    """Each token has its type and its score: llama.cpp reads them side by side, unchecked."""
    n_tokens = counts.get("tokenizer.ggml.tokens", 0)
    for key in ("token_type", "scores"):
        found = counts.get(f"tokenizer.ggml.{key}", n_tokens)
        if found < n_tokens:
            raise BrokenGguf(f"its vocabulary has {n_tokens} tokens and {found} of {key!r}")


def _product(shape: tuple[int, ...]) -> int:
    count = 1
    for dimension in shape:
        count *= dimension
    return count


class _Reader:
    """A position in the bytes that never runs past their end."""

    def __init__(self, data: bytes | mmap.mmap) -> None:
        self._data = data
        self._order = "<"
        self.position = 0
        self.last_count = 0  # items of the list that was read last

    def head(self) -> int:
        """Magic and version; a big-endian file shows itself by a version with its bytes swapped."""
        magic = self._take(4)
        if magic != b"GGUF":
            raise BrokenGguf(f"it starts with {magic.decode('latin-1')!r}, not with 'GGUF'")
        version: int = self.scalar("I")
        if version & 0xFFFF == 0 and version:
            self._order = ">"
            version = int.from_bytes(version.to_bytes(4, "little"), "big")
        return version

    def scalar(self, code: str) -> Any:
        raw = self._take(struct.calcsize("<" + code))
        return struct.unpack(self._order + code, raw)[0]

    def text(self, limit_bytes: int = MAX_STRING_BYTES) -> str:
        length = self.scalar("Q")
        if length > limit_bytes:
            raise BrokenGguf("a text in it is longer than any model needs")
        return self._take(length).decode("utf-8", errors="replace")

    def value(self, kind: int, keep_arrays: bool, depth: int = 0) -> Any:
        if kind == _STRING:
            return self.text()
        if kind == _ARRAY:
            return self._array(keep_arrays, depth + 1)
        if kind not in _SCALARS:
            raise BrokenGguf(f"it contains a value of unknown type {kind}")
        return self.scalar(_SCALARS[kind])

    def tensor(self) -> tuple[Tensor, int, int]:
        """A tensor's description, its offset and its length in bytes."""
        name = self.text(MAX_NAME_BYTES)
        n_dimensions = self.scalar("I")
        if not 1 <= n_dimensions <= MAX_DIMENSIONS:
            raise BrokenGguf(f"tensor {name[:80]!r} has {n_dimensions} dimensions")
        shape = tuple(self.scalar("Q") for _ in range(n_dimensions))
        kind, offset = self.scalar("I"), self.scalar("Q")
        if kind not in TENSOR_TYPES:
            raise BrokenGguf(f"tensor {name[:80]!r} has the unknown type {kind}")
        type_name, block_values, block_bytes = TENSOR_TYPES[kind]
        count = _product(shape)
        if not 0 < count < 2**62 or shape[0] % block_values:
            raise BrokenGguf(f"the shape of tensor {name[:80]!r} makes no sense")
        return Tensor(name, type_name, shape), offset, count // block_values * block_bytes

    def _array(self, keep: bool, depth: int) -> list[Any] | None:
        kind, count = self.scalar("I"), self.scalar("Q")
        if count > MAX_ARRAY_ITEMS or depth > MAX_ARRAY_DEPTH:
            raise BrokenGguf("a list in it is longer or deeper than any model needs")
        if kind in _SCALARS and not keep:
            self._skip(count * struct.calcsize("<" + _SCALARS[kind]))
            self.last_count = count
            return None
        # Each item takes at least a byte, so a false count ends at the end of the file, not of
        # the memory.
        items = list(self._items(kind, count, keep, depth))
        self.last_count = count
        return items if keep else None

    def _items(self, kind: int, count: int, keep: bool, depth: int) -> Iterator[Any]:
        for _ in range(count):
            if kind == _STRING:
                length = self.scalar("Q")
                if length > MAX_TOKEN_BYTES:
                    raise BrokenGguf("a text in one of its lists is longer than any token")
                raw = self._take(length)
                if keep:
                    yield raw.decode("utf-8", errors="replace")
            else:
                yield self.value(kind, keep, depth)

    def _take(self, length: int) -> bytes:
        start = self.position
        self._skip(length)
        return self._data[start : self.position]

    def _skip(self, length: int) -> None:
        if length > len(self._data) - self.position:
            raise BrokenGguf("it is cut short: its head ends in the middle")
        self.position += length
