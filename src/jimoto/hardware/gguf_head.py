"""The head of a GGUF file: its metadata and its list of tensors, without reading a weight.

Every length is compared with the bytes that remain before it is used, so a file that is cut short
ends in one sentence. Long lists (the vocabulary) are skipped. Knows the container, not what the
keys mean.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from jimoto.errors import ShapeFileBroken
from jimoto.hardware.quants import BLOCKS, TypedTensor, size_bytes
from jimoto.hardware.shapes import Tensor

KEPT_ITEMS = 1024  # a longer list is skipped: no list per block is as long
_SCALARS = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"
}  # fmt: skip
_STRING, _ARRAY = 8, 9
_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 9: "Q8_1",
    10: "Q2_K", 11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K", 16: "IQ2_XXS",
    17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S",
    23: "IQ4_XS", 24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 30: "BF16",
    34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4", 40: "NVFP4",
}  # fmt: skip


class HeadTensor(Protocol):
    """A tensor in a list: the daemon's own reader has such ones too."""

    @property
    def name(self) -> str: ...
    @property
    def type(self) -> str: ...
    @property
    def shape(self) -> Sequence[int]: ...


class Head(Protocol):
    """What is needed of a GGUF file, whoever has read it."""

    @property
    def metadata(self) -> Mapping[str, Any]: ...
    @property
    def tensors(self) -> Sequence[HeadTensor]: ...


@dataclass(frozen=True)
class ReadTensor:
    name: str
    type: str
    shape: tuple[int, ...]  # a row first


@dataclass(frozen=True)
class ReadHead:
    metadata: dict[str, Any]
    tensors: tuple[ReadTensor, ...]


class _Broken(ValueError):
    pass


def read_head(path: Path) -> ReadHead:
    """Read the head of a file; `ShapeFileBroken` says what is wrong with it."""
    try:
        if path.stat().st_size < 24:
            raise _Broken("it is too short to be a GGUF file")
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return _Reader(data).head()
    except OSError as error:
        raise ShapeFileBroken(str(path), error.strerror or str(error)) from None
    except (_Broken, struct.error, RecursionError) as error:
        raise ShapeFileBroken(str(path), str(error)) from None


def typed_tensors(head: Head) -> tuple[TypedTensor, ...]:
    """Its tensors as values of this room; a type without known size is left out by an error."""
    unknown = sorted({tensor.type for tensor in head.tensors} - BLOCKS.keys())
    if unknown:
        raise ShapeFileBroken("GGUF", f"unknown tensor type {', '.join(unknown)}")
    return tuple(TypedTensor(Tensor(t.name, tuple(t.shape)), t.type) for t in head.tensors)


class _Reader:
    """A position in the bytes that never runs past their end."""

    def __init__(self, data: mmap.mmap) -> None:
        self._data = data
        self._at = 0

    def head(self) -> ReadHead:
        magic = self._take(4)
        if magic != b"GGUF":
            raise _Broken(f"it starts with {magic.decode('latin-1')!r}, not with 'GGUF'")
        version = self._scalar("I")
        if version not in (2, 3):
            raise _Broken(f"GGUF version {version} is not supported")
        n_tensors, n_keys = self._scalar("Q"), self._scalar("Q")
        metadata = {}
        for _ in range(n_keys):
            key = self._string()
            metadata[key] = self._value(self._scalar("I"))
        tensors, end = [], 0
        for _ in range(n_tensors):
            tensor, offset = self._tensor()
            tensors.append(tensor)
            count = 1
            for dimension in tensor.shape:
                count *= dimension
            end = max(end, offset + size_bytes(tensor.type, count))
        alignment = metadata.get("general.alignment", 32)
        start = -(-self._at // alignment) * alignment
        if start + end > len(self._data):
            raise _Broken(f"it is cut short: {start + end - len(self._data)} bytes are missing")
        return ReadHead(metadata, tuple(tensors))

    def _tensor(self) -> tuple[ReadTensor, int]:
        name = self._string()
        n_dims = self._scalar("I")
        if not 1 <= n_dims <= 4:
            raise _Broken(f"tensor {name[:60]!r} has {n_dims} dimensions")
        shape = tuple(self._scalar("Q") for _ in range(n_dims))
        kind, offset = self._scalar("I"), self._scalar("Q")
        if kind not in _TYPES:
            raise _Broken(f"tensor {name[:60]!r} has the unknown type {kind}")
        return ReadTensor(name, _TYPES[kind], shape), offset

    def _value(self, kind: int, depth: int = 0) -> Any:
        if kind == _STRING:
            return self._string()
        if kind == _ARRAY and depth < 2:
            return self._array(depth)
        if kind not in _SCALARS:
            raise _Broken(f"it contains a value of unknown type {kind}")
        return self._scalar(_SCALARS[kind])

    def _array(self, depth: int) -> list[Any] | None:
        kind, count = self._scalar("I"), self._scalar("Q")
        if count <= KEPT_ITEMS:
            return [self._value(kind, depth + 1) for _ in range(count)]
        if kind in _SCALARS:
            self._skip(count * struct.calcsize("<" + _SCALARS[kind]))
        else:  # each item takes at least eight bytes: a false count ends at the end of the file
            for _ in range(count):
                if kind == _STRING:
                    self._skip(self._scalar("Q"))
                else:
                    self._value(kind, depth + 1)
        return None

    def _scalar(self, code: str) -> Any:
        return struct.unpack("<" + code, self._take(struct.calcsize("<" + code)))[0]

    def _string(self) -> str:
        return self._take(self._scalar("Q")).decode("utf-8", "replace")

    def _take(self, length: int) -> bytes:
        start = self._at
        self._skip(length)
        return self._data[start : self._at]

    def _skip(self, length: int) -> None:
        if length > len(self._data) - self._at:
            raise _Broken("it is cut short: its head ends in the middle")
        self._at += length
