"""How good the predictions of `jimoto fit` are, measured here: `python benchmarks/hardware.py`.

Prints four tables, with machine and date: memory against llama.cpp's own report and the resident
size, writing speed on this machine, writing speed of published measurements of which half were
held out, and the time of `jimoto fit` itself. With `--threads 1` the core's own time counts, so
that a busy machine does no harm. Needs about 4 GB of memory and of disk, and a quiet machine.
Where a target is missed, the line says by how much. `--quick` takes the small shapes only.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from jimoto.errors import JimotoError
from jimoto.hardware import catalog, words
from jimoto.hardware.catalog import find_model
from jimoto.hardware.machine import Machine, Rates, find_machine, measure_rates
from jimoto.hardware.memory import Use
from jimoto.hardware.quants import Weights, weigh_shape
from jimoto.hardware.shapes import Shape
from jimoto.hardware.speed import (
    MEASURED_BLOCK_SECONDS,
    SHARES,
    calibrate,
    calibration_points,
    fixed_decode,
)
from jimoto.hardware.subjects import Subject
from jimoto.hardware.trial import (
    Plan,
    Prediction,
    Trial,
    machine_with,
    predict_trial,
    try_shape,
)

MIB = 2**20
GIB = 2**30


@dataclass(frozen=True)
class Case:
    """A shape in a quantisation; `n_layer` keeps only so many blocks of what is too large."""

    model: str
    quant: str
    context_length: int
    n_layer: int = 0
    kv_type: str = "F16"

    @property
    def shape(self) -> Shape:
        shape = find_model(self.model).shape()
        return replace(shape, n_layer=self.n_layer) if self.n_layer else shape

    @property
    def label(self) -> str:
        return self.model + (f" ({self.n_layer} blocks)" if self.n_layer else "")


CASES = (
    Case("smollm2:135m", "F16", 2048),
    Case("smollm2:135m", "Q8_0", 8192, kv_type="Q8_0"),
    Case("smollm2:360m", "Q8_0", 2048),
    Case("smollm2:360m", "Q4_0", 8192),
    Case("qwen2.5:0.5b", "Q4_K_M", 4096),
    Case("qwen2.5:0.5b", "Q8_0", 32768),
    Case("qwen3:0.6b", "Q4_K_M", 2048),
    Case("qwen3:0.6b", "Q8_0", 8192, kv_type="Q4_0"),
    Case("gemma3:1b", "Q4_K_M", 2048),
    Case("gemma3:1b", "Q8_0", 32768),
    Case("tinyllama:1.1b", "Q4_0", 2048),
    Case("tinyllama:1.1b", "Q5_K_M", 2048),
    Case("llama3.2:1b", "Q4_0", 2048),
    Case("llama3.2:1b", "Q8_0", 8192),
    Case("llama3.2:1b", "Q2_K", 32768),
    Case("qwen2.5:1.5b", "Q4_K_M", 4096),
    Case("smollm2:1.7b", "Q6_K", 2048),
    Case("gemma2:2b", "Q4_0", 4096),
    Case("llama3.2:3b", "Q4_K_M", 4096),
    Case("phi3.5:3.8b", "Q4_0", 2048),
    Case("qwen3:30b", "Q4_K_M", 4096, n_layer=3),
    Case("gpt-oss:20b", "MXFP4", 8192, n_layer=2),
    Case("glm-4.7-flash:q4_K_M", "Q4_K_M", 4096, n_layer=4),
    Case("deepseek-v3:671b", "Q4_K_M", 4096, n_layer=3),
    Case("llama3.1:70b", "Q3_K_M", 8192, n_layer=4),
)


@dataclass(frozen=True)
class Outcome:
    case: Case
    trial: Trial
    expected: Prediction
    rates: Rates

    @property
    def decode_tokens_per_second(self) -> float:
        """With one thread the time of its core counts, so that a busy neighbour does not."""
        if self.trial.n_thread == 1 and self.trial.core_seconds:
            return 1 / self.trial.core_seconds
        return self.trial.decode_tokens_per_second

    @property
    def weights(self) -> Weights:
        return weigh_shape(self.case.shape, self.case.quant)

    @property
    def reserved_bytes(self) -> int:
        return self.expected.memory.total_bytes - self.expected.memory.runtime_bytes


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="only shapes below 0.4 GB")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "jimoto-bench")
    parser.add_argument("--calibrate", action="store_true", help="print what would set SHARES")
    parser.add_argument("--threads", type=int, default=0, help="default: all cores")
    asked = parser.parse_args(arguments)
    machine = find_machine(asked.folder)
    threads = asked.threads or machine.n_core or 1
    print(f"# {datetime.now(UTC):%Y-%m-%d %H:%M} UTC · {words.machine_text(machine, 'en')}")
    if hasattr(os, "getloadavg"):
        print(f"# load average {os.getloadavg()[0]:.1f}, {threads} threads, {machine.rates}\n")
    outcomes = run_cases(asked.folder, machine, threads, asked.quick)
    print_memory(outcomes)
    print_decode(outcomes)
    if asked.calibrate:
        print_constants(asked.folder, machine)
    print_published()
    print_catalogue_time()


def run_cases(folder: Path, machine: Machine, threads: int, quick: bool) -> list[Outcome]:
    """Try each case; the rates are measured again before each, for a shared machine drifts."""
    outcomes = []
    for case in CASES:
        shape = case.shape
        weights = weigh_shape(shape, case.quant)
        if quick and weights.size_bytes > 400 * MIB:
            continue
        measured = measure_rates(machine.n_core or 1, machine.free_bytes, seconds=0.4)
        here = machine_with(replace(machine, rates=measured), threads)
        rates = here.rates or measured
        use = Use(case.context_length, kv_type=case.kv_type)
        subject = Subject(case.label, weights, shape)
        expected = predict_trial(subject, shape, use, here)
        ceiling = expected.memory.total_bytes + GIB
        plan = Plan(folder, threads, case.context_length, case.kv_type, memory_bytes=ceiling)
        try:
            trial = try_shape(case.label, shape, case.quant, plan)
        except JimotoError as error:
            print(f"! {case.label}: {error}")
            continue
        outcomes.append(Outcome(case, trial, expected, rates))
    return outcomes


def print_memory(outcomes: Sequence[Outcome]) -> None:
    """Table 1: what is reserved against llama.cpp's report, what is resident against the system."""
    rows, reserved, resident = [], [], []
    for item in outcomes:
        report, trial = item.trial.report, item.trial
        reserved.append(item.reserved_bytes / report.total_bytes - 1)
        resident.append(item.expected.resident_bytes / trial.resident_bytes - 1)
        rows.append(
            [
                item.case.label, item.case.quant, str(item.case.context_length), item.case.kv_type,
                mib(item.reserved_bytes), mib(report.total_bytes), percent(reserved[-1]),
                mib(item.expected.resident_bytes), mib(trial.resident_bytes), percent(resident[-1]),
            ]
        )  # fmt: skip
    heads = ["shape", "quant", "context", "KV", "reserved: predicted", "reported", "error",
             "resident: predicted", "measured", "error"]  # fmt: skip
    print(f"## Memory, {len(rows)} cases (MiB)\n")
    print(words.table_text(heads, rows), "\n")
    print_target("reserved, median", statistics.median(map(abs, reserved)), 0.03)
    print_target("reserved, worst", max(map(abs, reserved)), 0.08)
    print_target("resident, median", statistics.median(map(abs, resident)), 0.03)
    print_target("resident, worst", max(map(abs, resident)), 0.08)
    print()


def print_decode(outcomes: Sequence[Outcome]) -> None:
    """Table 2: writing speed on this machine, from its measured bandwidth."""
    rows, ours, fixed, read = [], [], [], []
    for item in outcomes:
        span, measured = item.expected.decode, item.decode_tokens_per_second
        reading = item.expected.prefill
        if span is None or reading is None:
            continue
        middle = (span.low * span.high) ** 0.5
        rule = fixed_decode(item.trial.active_bytes, item.rates.bandwidth_gb_s)
        cores = item.trial.n_thread * item.rates.core_bandwidth_gb_s
        share = item.trial.active_bytes * measured / cores / 1e9
        ours.append(middle / measured - 1)
        fixed.append(rule / measured - 1)
        read.append((reading.low * reading.high) ** 0.5 / item.trial.prefill_tokens_per_second - 1)
        rows.append(
            [
                item.case.label, item.case.quant,
                f"{item.trial.active_bytes / 1e9:.2f}", f"{item.rates.bandwidth_gb_s:.1f}",
                words.range_text(span), f"{measured:.1f}", percent(middle / measured - 1),
                percent(rule / measured - 1), f"{share:.2f}",
                words.range_text(reading), f"{item.trial.prefill_tokens_per_second:.0f}",
            ]
        )  # fmt: skip
    heads = ["shape", "quant", "GB/token", "GB/s", "writes: predicted", "measured", "error",
             "fixed 0.7", "share", "reads: predicted", "measured"]  # fmt: skip
    shapes = len({item.case.model for item in outcomes})
    print(f"## Writing speed here, {len(ours)} cases of {shapes} shapes (tokens/s)\n")
    print(words.table_text(heads, rows), "\n")
    print_target("writing, median", statistics.median(map(abs, ours)), 0.20)
    print(f"  fixed share of 0.7, median: {100 * statistics.median(map(abs, fixed)):.1f} %")
    print(f"  reading, median: {100 * statistics.median(map(abs, read)):.1f} % (no target)\n")


def print_constants(folder: Path, machine: Machine) -> None:
    """What bare blocks on one core say: the constants of `speed`; none of them is a case above."""
    wide = replace(find_model("llama3.2:1b").shape(), n_layer=2, n_vocab=256)
    narrow = replace(wide, n_layer=8, n_embd=1024, n_ff=2048, n_head=8, n_kv_head=4, head_dim=128)
    rows = []
    for name, shape in (("2 blocks of llama3.2:1b", wide), ("8 blocks, 1024 wide", narrow)):
        for quant in ("F16", "Q8_0", "Q4_0", "Q4_K_M", "Q6_K"):
            weights = weigh_shape(shape, quant)
            rates = measure_rates(machine.n_core or 1, machine.free_bytes, seconds=0.4)
            trial = try_shape(name, shape, quant, Plan(folder, 1, 512))
            seconds = trial.core_seconds - shape.n_layer * MEASURED_BLOCK_SECONDS
            share = weights.active_bytes * weights.core_work / seconds / 1e9
            share /= rates.core_bandwidth_gb_s
            read = 2 * weights.n_block_params * trial.prefill_tokens_per_second / 1e9
            read /= rates.gflops / (machine.n_core or 1)
            rows.append([name, quant, f"{share:.2f}", f"{read:.2f}"])
    print("## What the constants come from\n")
    print(words.table_text(["shape", "quant", "CORE_SHARE", "PREFILL_SHARE"], rows))
    print(f"\n  medians: {statistics.median(float(row[2]) for row in rows):.2f}, "
          f"{statistics.median(float(row[3]) for row in rows):.2f}\n")  # fmt: skip


def print_published() -> None:
    """Table 3: the constants come from every other row, the errors from the rows between."""
    points = calibration_points(catalog.speeds())
    rows, all_ours, all_fixed, outliers = [], [], [], []
    for kind in ("metal", "gpu", "hbm", "cpu"):
        chosen = [point for point in points if point.kind == kind]
        line = calibrate(chosen[0::2])
        held_out = chosen[1::2]
        ours, fixed = [], []
        for point in held_out:
            measured = point.speed.decode_tokens_per_second
            ours.append(point.predict(*line) / measured - 1)
            fixed.append(
                fixed_decode(point.active_bytes, point.speed.bandwidth_gb_s or 0) / measured - 1
            )
            if abs(ours[-1]) > 0.25:
                outliers.append((ours[-1], point.speed))
        is_shipped = all(abs(a - b) < 1e-9 for a, b in zip(line, SHARES[kind], strict=True))
        shipped = "" if is_shipped else " (not shipped)"
        rows.append(
            [
                kind, str(len(chosen[0::2])), str(len(held_out)),
                f"{line[0]:.2f}, {line[1] * 1e6:.0f} µs{shipped}",
                f"{100 * statistics.median(map(abs, ours)):.1f} %",
                f"{100 * max(map(abs, ours)):.0f} %",
                f"{100 * statistics.median(map(abs, fixed)):.1f} %",
            ]
        )  # fmt: skip
        all_ours += ours
        all_fixed += fixed
    print(f"## Published measurements, {len(points)} of {len(catalog.speeds())} rows usable\n")
    heads = ["kind", "fitted on", "held out", "share, per block", "median", "worst", "fixed 0.7"]
    print(words.table_text(heads, rows), "\n")
    print_target("held out, median", statistics.median(map(abs, all_ours)), 0.25)
    print(f"  fixed share of 0.7, median: {100 * statistics.median(map(abs, all_fixed)):.1f} %")
    for error, speed in sorted(outliers, key=lambda pair: -abs(pair[0])):
        print(
            f"  outlier {percent(error)}: {speed.model} {speed.quant} on {speed.machine}, "
            f"{speed.decode_tokens_per_second} tokens/s"
        )
    print()


def print_catalogue_time() -> None:
    """Table 4: the whole command, from start to end of its process; the best of three."""
    code = (
        "from jimoto.hardware.command import fit_catalogue, choose_machine\n"
        "from jimoto.hardware.memory import Use\nfrom jimoto.hardware import words\n"
        "machine = choose_machine('', False)\n"
        "print(len(words.fits_table(fit_catalogue(machine, Use(), None), 'en').splitlines()) - 1)"
    )

    def run() -> str:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        return done.stdout.decode()

    count = run()  # the first run measures the memory and keeps that
    seconds = min(timed(run) for _ in range(3))
    print(f"## `jimoto fit` of the whole catalogue ({count.strip()} models)\n")
    verdict = "reached" if seconds <= 1 else f"missed by {seconds - 1:.2f} s"
    print(f"  {seconds:.2f} s (at most 1 s): {verdict}")


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def print_target(name: str, value: float, target: float) -> None:
    verdict = "reached" if value <= target else f"missed by {100 * (value - target):.1f} points"
    print(f"  {name}: {100 * value:.1f} % (at most {100 * target:.0f} %): {verdict}")


def mib(n_bytes: int) -> str:
    return f"{n_bytes / MIB:.0f}"


def percent(part: float) -> str:
    return f"{100 * part:+.1f} %"


if __name__ == "__main__":
    main()
