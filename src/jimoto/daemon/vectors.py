"""The embed requests: which texts are asked for, and the vectors as the wire wants them.

Pure: JSON values and lists of numbers in, the same out. How a text becomes a vector is the worker's
business (`embedding.py`).
"""

from __future__ import annotations

import base64
import math
import struct
from typing import Any

from jimoto.daemon.wire import ApiError

EMBED_FIELDS = {
    "model": "string",
    "input": "any",
    "truncate": "bool",
    "dimensions": "int",
    "keep_alive": "any",
    "options": "map[string]interface {}",
}
EMBEDDINGS_FIELDS = {
    "model": "string",
    "prompt": "string",
    "keep_alive": "any",
    "options": "map[string]interface {}",
}

MAX_INPUTS = 2048  # texts in one request; every answer is held in memory until all are there


def read_inputs(value: Any) -> tuple[str, ...]:
    """The texts of `input`: none for nothing, `""` or `[]`; raises ApiError for anything else.

    >>> read_inputs("hello"), read_inputs(["a", "b"]), read_inputs(None)
    (('hello',), ('a', 'b'), ())
    """
    if value is None or value == "":
        return ()
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ApiError(400, "invalid input type")
    if len(texts) > MAX_INPUTS:
        raise ApiError(400, f"more than {MAX_INPUTS} inputs in one request")
    return tuple(texts)


def shape_vector(values: list[float], dimensions: int = 0) -> list[float]:
    """A vector of length 1 (L2), cut to `dimensions` numbers first if it has more than that.

    >>> shape_vector([3.0, 4.0]), shape_vector([3.0, 4.0], dimensions=1)
    ([0.6, 0.8], [1.0])
    """
    kept = values[:dimensions] if 0 < dimensions < len(values) else values
    length = math.hypot(*kept)
    # nine digits are all that a 32-bit float has; a vector of zeros stays one
    return [float(f"{value / length if length else 0.0:.9g}") for value in kept]


def to_base64(values: list[float]) -> str:
    """The numbers as little-endian 32-bit floats in base64, as OpenAI's clients ask for them.

    >>> to_base64([1.0])
    'AACAPw=='
    """
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode("ascii")
