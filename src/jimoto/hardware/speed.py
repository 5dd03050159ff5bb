"""Tokens per second: writing is bounded by reading memory, reading by computing.

Pure formulas and the constants that published measurements give them. Knows nothing of what fits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jimoto.hardware.catalog import GB, Speed, find_model
from jimoto.hardware.machine import Gpu, Machine
from jimoto.hardware.subjects import Subject, subject_of_model

# Decoding: seconds = bytes / (share * bandwidth) + blocks * seconds_per_block. These come from
# `calibrate` on every second row of speeds.csv; `benchmarks/hardware.py` reports the other rows.
SHARES = {
    "metal": (0.90, 168e-6),
    "gpu": (0.80, 40e-6),
    "hbm": (0.56, 88e-6),
    "cpu": (0.58, 132e-6),
}
# Where the bandwidth was measured, not read off a data sheet: so much of it at best, and no more
# than the cores take in while they multiply, which is what binds where there are few of them. The
# second number comes from bare blocks without a vocabulary (`benchmarks/hardware.py --calibrate`).
MEASURED_SHARE = 0.90
CORE_SHARE = 0.43
MEASURED_BLOCK_SECONDS = 20e-6
DECODE_SPREAD = 0.20  # four in five of the held-out rows lie within this
PREFILL_SPREAD = 0.35
CORE_TFLOPS = 0.050  # of one core of a processor that was not measured (llama.cpp, 2 x i9, EPYC)
# Of the measured rate of a single-precision matrix product, what llama.cpp reaches.
PREFILL_SHARE = 0.9
FIXED_SHARE = 0.7  # the rule of thumb that the table in `benchmarks/` compares with


@dataclass(frozen=True)
class Range:
    low: float
    high: float


def decode_seconds(
    read_bytes: float, n_layer: float, bandwidth_gb_s: float, share: float, per_block_seconds: float
) -> float:
    """Seconds for one token: every active byte is read once, every block costs a little.

    >>> round(1 / decode_seconds(3_751_337_984, 32, 100, 0.9, 168e-6), 1)    # Llama 2 7B on an M2
    21.3
    """
    return read_bytes / (bandwidth_gb_s * GB * share) + n_layer * per_block_seconds


def stream_gb_s(
    machine: Machine, gpu: Gpu | None = None, core_work: float = 1.0
) -> tuple[float, float] | None:
    """How fast weights flow through, in GB/s, and the seconds that a block costs besides.

    None: nobody knows the bandwidth.
    """
    rates = machine.rates
    if gpu is None and rates:
        cores = (machine.n_core or 1) * rates.core_bandwidth_gb_s
        flow = min(MEASURED_SHARE * rates.bandwidth_gb_s, CORE_SHARE * cores / core_work)
        return flow, MEASURED_BLOCK_SECONDS
    bandwidth = gpu.bandwidth_gb_s if gpu else machine.bandwidth_gb_s
    if not bandwidth:
        return None
    share, per_block_seconds = SHARES[speed_kind(gpu)]
    return share * bandwidth, per_block_seconds


def speed_kind(gpu: Gpu | None) -> str:
    """Which line of SHARES applies."""
    if gpu is None:
        return "cpu"
    if gpu.kind == "apple":
        return "metal"
    words = ("a100", "h100", "h200", "b200", "b100", "mi300")
    return "hbm" if any(word in gpu.name.lower() for word in words) else "gpu"


def estimate_decode(
    subject: Subject, kv_bytes: int | None, on_gpu: float, machine: Machine
) -> Range | None:
    """Tokens per second while writing, from a full context to an empty one.

    `on_gpu` is the part of the blocks that lies on graphics cards. None: bandwidth unknown.
    """
    n_layer = subject.shape.n_layer if subject.shape else 32
    empty = full = 0.0
    for part, gpu in _parts(on_gpu, machine):
        stream = stream_gb_s(machine, gpu, subject.weights.core_work)
        if stream is None:
            return None
        flow, per_block = stream
        weights, cache = part * subject.weights.active_bytes, part * (kv_bytes or 0)
        empty += decode_seconds(weights, part * n_layer, flow, 1.0, per_block)
        full += decode_seconds(weights + cache, part * n_layer, flow, 1.0, per_block)
    return Range((1 - DECODE_SPREAD) / full, (1 + DECODE_SPREAD) / empty)


def estimate_prefill(subject: Subject, on_gpu: float, machine: Machine) -> Range | None:
    """Tokens per second while reading: two operations for each parameter that a token passes."""
    operations = 2 * subject.weights.n_block_params
    seconds = 0.0
    for part, gpu in _parts(on_gpu, machine):
        if gpu:
            tflops = gpu.tflops
        elif machine.rates:
            tflops = PREFILL_SHARE * machine.rates.gflops / 1000
        else:
            tflops = CORE_TFLOPS * machine.n_core if machine.n_core else None
        if not tflops:
            return None
        seconds += part * operations / (tflops * 1e12)
    return Range((1 - PREFILL_SPREAD) / seconds, (1 + PREFILL_SPREAD) / seconds)


def _parts(on_gpu: float, machine: Machine) -> list[tuple[float, Gpu | None]]:
    """The parts of the work and who does them; None is the processor. Cards take turns, as one."""
    card = machine.gpus[0] if machine.gpus else None
    parts = [(on_gpu, card), (1 - on_gpu, None)]
    return [(part, worker) for part, worker in parts if part > 0]


@dataclass(frozen=True)
class Point:
    """A published measurement with what the formula needs."""

    speed: Speed
    kind: str
    active_bytes: int
    n_layer: int
    n_block_params: int

    def predict(self, share: float, per_block_seconds: float) -> float:
        assert self.speed.bandwidth_gb_s is not None
        return 1 / decode_seconds(
            self.active_bytes, self.n_layer, self.speed.bandwidth_gb_s, share, per_block_seconds
        )


def calibration_points(rows: Iterable[Speed]) -> list[Point]:
    """The rows whose machine has a known bandwidth and whose model has a known shape."""
    found = []
    for row in rows:
        if not row.bandwidth_gb_s or not row.model_name or row.backend == "GPU/CPU":
            continue
        weights = subject_of_model(find_model(row.model_name), row.quant).weights
        shape = find_model(row.model_name).shape()
        name = row.machine.lower()
        chip = name.removeprefix("apple ")
        is_apple = "metal" in row.backend.lower() or (chip[0] == "m" and chip[1].isdigit())
        if row.backend.startswith("CPU"):
            kind = "cpu"
        else:
            kind = speed_kind(Gpu(row.machine, "apple" if is_apple else "nvidia"))
        found.append(Point(row, kind, weights.active_bytes, shape.n_layer, weights.n_block_params))
    return found


def calibrate(points: Sequence[Point]) -> tuple[float, float]:
    """The share of the bandwidth and the overhead of a block that explain these measurements best.

    The mean of the errors' logarithms is minimised over a grid: few points, some of them far out.
    """

    def mean_error(share: float, overhead: float) -> float:
        return sum(
            abs(math.log(p.predict(share, overhead) / p.speed.decode_tokens_per_second))
            for p in points
        ) / len(points)

    grid = [(s / 100, o * 1e-6) for s in range(40, 101, 2) for o in range(20, 401, 4)]
    return min(grid, key=lambda pair: mean_error(*pair))


def fixed_decode(active_bytes: int, bandwidth_gb_s: float) -> float:
    """The rule of thumb: seven tenths of the bandwidth, whatever the machine.

    >>> round(fixed_decode(3_826_781_184, 100), 1)
    18.3
    """
    return FIXED_SHARE * bandwidth_gb_s * GB / active_bytes
