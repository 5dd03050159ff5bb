"""Reads `.safetensors` files: names, shapes and numbers, mapped from disk and never executed.

It exists because NumPy has no BF16, the type of most published checkpoints, and because a
stranger's file is checked before it is believed. It knows no model and no adapter.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# name in the file → how the bytes are read; BF16 is the upper half of an F32
TYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
MAX_HEADER_BYTES = 100 * 2**20  # the format's own limit


class BrokenTensors(ValueError):
    """The file is not whole; the text is one clause without a path."""


@dataclass(frozen=True)
class Place:
    """Where one tensor lies."""

    path: Path
    dtype: str
    shape: tuple[int, ...]
    start: int  # bytes from the beginning of the file

    def read(self) -> Array:
        """The numbers, as F32 for BF16 and in their own type else."""
        count = prod(self.shape)
        raw = np.fromfile(self.path, TYPES[self.dtype], count, offset=self.start)
        if self.dtype == "BF16":
            raw = (raw.astype("<u4") << 16).view("<f4")
        return raw.reshape(self.shape)


class Tensors(Mapping[str, Array]):
    """Name → array, read when asked for: a checkpoint need not fit into memory."""

    def __init__(self, places: dict[str, Place]) -> None:
        self.places = places

    def __getitem__(self, name: str) -> Array:
        return self.places[name].read()

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


def open_safetensors(*paths: Path) -> Tensors:
    """The tensors of one file, or of all parts of a checkpoint. Errors: BrokenTensors, OSError."""
    places: dict[str, Place] = {}
    for path in paths:
        for name, place in read_places(path):
            places[name] = place
    return Tensors(places)


def read_places(path: Path) -> Iterator[tuple[str, Place]]:
    """The table at the head of a file, each entry compared with the bytes that are there."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(size - 8, MAX_HEADER_BYTES):
            raise BrokenTensors("its head is cut short")
        try:
            table = json.loads(file.read(length).decode("utf-8"))
            entries = [(str(name), *fields(entry)) for name, entry in table.items()
                       if name != "__metadata__"]  # fmt: skip
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise BrokenTensors("its head is not what the format asks for") from None
    for name, dtype, shape, first, last in entries:
        if dtype not in TYPES:
            raise BrokenTensors(f"{name!r} has the type {dtype!r}")
        item = np.dtype(TYPES[dtype]).itemsize
        if not 0 <= first <= last or last - first != prod(shape) * item:
            raise BrokenTensors(f"{name!r} does not have the size of its shape")
        if 8 + length + last > size:
            raise BrokenTensors(f"{name!r} ends after the file")
        yield name, Place(path, dtype, shape, 8 + length + first)


def fields(entry: Any) -> tuple[str, tuple[int, ...], int, int]:
    shape = tuple(int(n) for n in entry["shape"])
    first, last = (int(n) for n in entry["data_offsets"])
    if any(n < 0 for n in shape):
        raise ValueError("a negative shape")
    return str(entry["dtype"]), shape, first, last
