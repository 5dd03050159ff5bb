"""The run-time options: their names, kinds and Ollama's defaults, in one table.

Requests, models and Modelfiles all name these and no others. How a value is read from JSON is
`wire`'s business, from a Modelfile `modelfile`'s; what an option does, the worker knows.
"""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Options:
    """Run-time settings of one request, with Ollama's defaults (v0.33)."""

    # fixed when the model is loaded
    num_ctx: int = 0  # 0: the server's context length
    num_batch: int = 512
    num_gpu: int = -1
    main_gpu: int = 0
    use_mmap: bool = True
    num_thread: int = 0  # 0: chosen by the worker
    draft_num_predict: int = 0  # read and passed over: there are no draft models here
    # of one request
    num_keep: int = 4
    seed: int = -1  # -1: a new one for each request
    num_predict: int = -1  # -1: until the model stops
    top_k: int = 40
    top_p: float = 0.9
    min_p: float = 0.0
    typical_p: float = 1.0
    repeat_last_n: int = 64
    temperature: float = 0.8
    repeat_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    stop: tuple[str, ...] = ()


_KINDS = {"int": "int", "float": "float", "bool": "bool", "tuple[str, ...]": "string"}

# name → int, float, bool or string; `stop` alone may be given more than once
OPTION_KINDS = {field.name: _KINDS[str(field.type)] for field in fields(Options)}
