"""What a lesson costs while nbval runs it: peak memory and seconds, against its front matter.

Nothing runs twice: a thread looks at the kernel and at the embedded server a few times a second,
and after the last cell of a notebook stands one more test, which fails when a stated figure is off
by more than half. Memory is the sum of resident bytes. Seconds are those of the cells, measured
against a yardstick (a fixed program, twice at once), so that a faster machine is no failure; they
are not judged while other programs keep the machine busy. Knows nothing of what a lesson says.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

EVERY_SECONDS = 0.25
OFF_BY = 0.5
# Two interpreters at once, since lessons keep two cores busy, and virtual cores are often halves of
# one. Seconds on the machine on which the figures of the front matter were measured (2 virtual
# cores of an Intel Xeon, 2026-11-28).
YARDSTICK = "import ollama"
YARDSTICK_SECONDS = 0.66
BUSY_CORES = 0.25  # what others may use, on average, before seconds mean nothing


@dataclass
class Meter:
    """Watches one notebook's processes from a thread until `stop`."""

    kernel_pid: int
    home: Path
    peak_bytes: int = 0
    cell_seconds: float = 0.0
    cpu_by_process: dict[tuple[int, float], float] = field(default_factory=dict)
    others_cores: float = 0.0

    def __post_init__(self) -> None:
        self._over = threading.Event()
        self._started = time.perf_counter()
        self._busy_at_start = busy_cpu_seconds()
        self._own_at_start = time.process_time()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        if self._over.is_set():
            return
        self._over.set()
        self._thread.join()
        self.look()
        wall = time.perf_counter() - self._started
        ours = sum(self.cpu_by_process.values()) + time.process_time() - self._own_at_start
        self.others_cores = max(0.0, busy_cpu_seconds() - self._busy_at_start - ours) / wall

    def _watch(self) -> None:
        while not self._over.wait(EVERY_SECONDS):
            self.look()

    def look(self) -> None:
        """One sample: memory of all together, CPU time of each."""
        total = 0
        for process in family(self.kernel_pid, self.home):
            try:
                total += process.memory_info().rss
                cpu = process.cpu_times()
                key = (process.pid, process.create_time())
                self.cpu_by_process[key] = cpu.user + cpu.system
            except psutil.Error:
                continue
        self.peak_bytes = max(self.peak_bytes, total)


def family(kernel_pid: int, home: Path) -> Iterator[psutil.Process]:
    """The kernel, the embedded server that serves it, and what both have started."""
    tops = [kernel_pid]
    try:
        ready = json.loads((home / "server.json").read_text(encoding="utf-8"))
        tops.append(int(ready["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    for pid in tops:
        try:
            top = psutil.Process(pid)
            yield from [top, *top.children(recursive=True)]
        except psutil.Error:
            continue


def busy_cpu_seconds() -> float:
    """CPU time that this machine has spent on anything, all cores together."""
    times = psutil.cpu_times()
    idle = times.idle + getattr(times, "iowait", 0.0) + getattr(times, "steal", 0.0)
    guest = getattr(times, "guest", 0.0) + getattr(times, "guest_nice", 0.0)
    return float(sum(times) - idle - guest)


def yardstick_seconds(tries: int = 5) -> float:
    """Seconds that the yardstick takes here and now: the middle one of some tries."""
    found = []
    for _ in range(tries):
        began = time.perf_counter()
        both = [subprocess.Popen([sys.executable, "-c", YARDSTICK]) for _ in range(2)]
        for process in both:
            process.wait()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def is_off(stated: float, measured: float) -> bool:
    """Do they differ by more than half of what is stated?

    >>> [is_off(20, measured) for measured in (9, 11, 29, 31)]
    [True, False, False, True]
    """
    return abs(measured - stated) > OFF_BY * stated


def contract_remarks(contract: Mapping[str, Any], meter: Meter, yardstick: float) -> list[str]:
    """What the front matter states wrongly; `yardstick` is this machine's, in seconds."""
    remarks = []
    peak_mb = meter.peak_bytes / 1e6
    if "peak_ram_mb" in contract and is_off(contract["peak_ram_mb"], peak_mb):
        remarks.append(f"peak_ram_mb says {contract['peak_ram_mb']}, measured: {peak_mb:.0f}")
    if "run_seconds" in contract and meter.others_cores <= BUSY_CORES:
        expected = contract["run_seconds"] * yardstick / YARDSTICK_SECONDS
        if is_off(expected, meter.cell_seconds):
            remarks.append(
                f"run_seconds says {contract['run_seconds']}, which is {expected:.1f} on this "
                f"machine, measured: {meter.cell_seconds:.1f}"
            )
    return remarks


def summary(contract: Mapping[str, Any], meter: Meter, yardstick: float) -> str:
    """One line for the report of a run."""
    busy = ", not judged: others kept the machine busy" * (meter.others_cores > BUSY_CORES)
    return (
        f"{contract.get('id', '?')}: {meter.peak_bytes / 1e6:.0f} MB, {meter.cell_seconds:.1f} s "
        f"at a yardstick of {yardstick:.2f} s; others used {meter.others_cores:.2f} cores{busy}"
    )


def home_of_session() -> Path:
    """Where the embedded server of this clean room says who it is."""
    return Path(os.environ.get("JIMOTO_HOME", "."))
