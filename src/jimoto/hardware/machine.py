"""What this computer has: cores, memory, graphics cards, disk, and how fast it reads its memory.

Limits of a container count as the machine's own. What a system does not tell is None; what it
hides is said in `notes`. Works on Linux, macOS and Windows. Knows nothing of models.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import cycle
from pathlib import Path
from typing import Any

from jimoto.hardware.catalog import GB, MachineRow, machines

GIB = 2**30
PROBE_SECONDS = 5.0  # for a command of the system
SWEEP_SECONDS = 0.5  # of measuring, twice: all cores, one core
PIECE_BYTES = 8 * 2**20
SQUARE = 64  # side of matrices so small that the library multiplies them on one core
PRODUCTS = 100  # in one timing
DEFAULT_CACHE_BYTES = 32 * 2**20  # the last level, where the system does not say
LLAMA2_7B_BLOCK_PARAMS = 6_476_267_520  # without the embedding and the output matrix
_GRADES = {"ti", "super", "pro", "max", "ultra", "laptop", "mobile"}
MAX_AGE_SECONDS = 7 * 86400  # of a measurement that is kept


@dataclass(frozen=True)
class Gpu:
    name: str
    kind: str  # nvidia, amd, apple
    memory_bytes: int | None = None
    free_bytes: int | None = None
    bandwidth_gb_s: float | None = None
    tflops: float | None = None  # what llama.cpp reaches while it reads a prompt


@dataclass(frozen=True)
class Rates:
    """What was measured on the processor."""

    bandwidth_gb_s: float  # read by all cores
    core_bandwidth_gb_s: float  # read by one core
    gflops: float  # single-precision matrix product, one core times the cores


@dataclass(frozen=True)
class Machine:
    """A computer, measured or taken from the catalogue; None is unknown."""

    name: str
    kind: str  # cpu, apple, gpu, unified
    memory_bytes: int
    free_bytes: int
    n_core: int | None = None
    gpus: tuple[Gpu, ...] = ()
    disk_free_bytes: int | None = None
    rates: Rates | None = None  # measured here
    bandwidth_gb_s: float | None = None  # as its maker says
    is_this: bool = False  # this very computer, not a row of the catalogue
    notes: tuple[str, ...] = ()

    @property
    def gpu_memory_bytes(self) -> int:
        return sum(gpu.memory_bytes or 0 for gpu in self.gpus)


# --- this computer -------------------------------------------------------------------------------


def find_machine(folder: Path, kept_at: Path | None = None, measure: bool = True) -> Machine:
    """This computer. A measurement is kept in a file, so that only the first call takes seconds."""
    n_core = usable_cores()
    limits = own_limits()
    total_bytes, free_bytes = read_memory(limits)
    notes = ["container"] if limits and limits.memory_bytes == total_bytes else []
    if limits and limits.n_core:
        n_core = max(1, min(n_core, int(limits.n_core)))
    gpus, gpu_notes = find_gpus()
    rates = None
    if measure:
        rates = kept_rates(kept_at, processor_name(), n_core) if kept_at else None
        rates = rates or measure_rates(n_core, free_bytes)
        if kept_at:
            keep_rates(kept_at, processor_name(), n_core, rates)
    kind = "apple" if any(gpu.kind == "apple" for gpu in gpus) else "gpu" if gpus else "cpu"
    return Machine(
        name=processor_name(),
        kind=kind,
        memory_bytes=total_bytes,
        free_bytes=free_bytes,
        n_core=n_core,
        gpus=tuple(_complete(gpu, total_bytes, free_bytes) for gpu in gpus),
        disk_free_bytes=_disk_free(folder),
        rates=rates,
        is_this=True,
        notes=(*notes, *gpu_notes),
    )


def read_memory(limits: Limits | None) -> tuple[int, int]:
    """Bytes of memory in all and free, for this process: a container may allow it less."""
    import psutil

    memory = psutil.virtual_memory()
    total_bytes, free_bytes = int(memory.total), int(memory.available)
    if limits and limits.memory_bytes and limits.memory_bytes < total_bytes:
        total_bytes = limits.memory_bytes
        free_bytes = min(free_bytes, total_bytes - limits.used_bytes)
    return total_bytes, max(0, free_bytes)


def own_limits() -> Limits | None:
    """What the control group of this process allows, where there are such."""
    return read_limits(Path("/sys/fs/cgroup"), _own_group()) if sys.platform == "linux" else None


def usable_cores() -> int:
    """Physical cores, as far as this process may use them."""
    import psutil

    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        cores = min(cores, len(os.sched_getaffinity(0)))
    return max(1, int(cores))


@dataclass(frozen=True)
class Limits:
    """What a control group allows; None: no limit."""

    memory_bytes: int | None
    used_bytes: int
    n_core: float | None


def read_limits(root: Path, group: str) -> Limits:
    """The tightest limits of a control group and those above it, version 2 or 1.

    `group` is the content of /proc/self/cgroup.
    """
    paths = {}
    for line in group.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            paths[controller] = path
    found: list[tuple[int, int]] = []
    cores: list[float] = []
    for folder in _folders(root, paths.get("", "/")):  # version 2
        limit = _number(folder / "memory.max")
        if limit:
            used = _number(folder / "memory.current") or 0
            found.append((limit, used - _stat(folder, "inactive_file")))
        quota = _text(folder / "cpu.max").split()
        if len(quota) == 2 and quota[0].isdigit():
            cores.append(int(quota[0]) / int(quota[1]))
    for folder in _folders(root / "memory", paths.get("memory", "/")):  # version 1
        limit = _number(folder / "memory.limit_in_bytes")
        if limit and limit < 2**60:  # no limit is written as a huge one
            used = _number(folder / "memory.usage_in_bytes") or 0
            found.append((limit, used - _stat(folder, "total_inactive_file")))
    for name in ("cpu", "cpu,cpuacct"):
        for folder in _folders(root / name, paths.get("cpu", "/")):
            share, period = (_number(folder / f"cpu.cfs_{k}_us") for k in ("quota", "period"))
            if share and period:
                cores.append(share / period)
    tightest = min(found, key=lambda pair: pair[0] - pair[1], default=None)
    return Limits(
        memory_bytes=tightest[0] if tightest else None,
        used_bytes=max(0, tightest[1]) if tightest else 0,
        n_core=min(cores) if cores else None,
    )


def _folders(root: Path, path: str) -> list[Path]:
    """A group's folder and all above it, down to the root, which may be all that is seen."""
    folder = root / path.strip("/")
    chain = [folder, *folder.parents]
    return [p for p in chain[: chain.index(root) + 1] if p.is_dir()]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _number(path: Path) -> int | None:
    text = _text(path)
    return int(text) if text.isdigit() and int(text) > 0 else None


def _stat(folder: Path, key: str) -> int:
    match = re.search(rf"^{key} (\d+)$", _text(folder / "memory.stat"), re.MULTILINE)
    return int(match[1]) if match else 0


def _own_group() -> str:
    return _text(Path("/proc/self/cgroup"))


def processor_name() -> str:
    """The name of the processor in its maker's words."""
    if sys.platform == "darwin":
        return _run("sysctl", "-n", "machdep.cpu.brand_string") or platform.machine()
    match = re.search(r"^model name\s*: (.+)$", _text(Path("/proc/cpuinfo")), re.MULTILINE)
    return match[1] if match else platform.processor() or platform.machine()


def _disk_free(folder: Path) -> int | None:
    for place in (folder, *folder.absolute().parents):
        try:
            return shutil.disk_usage(place).free
        except OSError:
            continue
    return None


# --- graphics cards ------------------------------------------------------------------------------


def find_gpus(run: Any = None, drm: Path = Path("/sys/class/drm")) -> tuple[list[Gpu], list[str]]:
    """The graphics cards that a model can use, and what is there but cannot be asked."""
    run = run or _run
    if sys.platform == "darwin" and platform.machine() == "arm64":
        return [Gpu(processor_name(), "apple")], []
    notes = []
    gpus = parse_nvidia(run("nvidia-smi", "--query-gpu=name,memory.total,memory.free",
                            "--format=csv,noheader,nounits"))  # fmt: skip
    vendors = {_text(card / "device" / "vendor") for card in drm.glob("card*")}
    if not gpus and ("0x10de" in vendors or Path("/proc/driver/nvidia/gpus").is_dir()):
        notes.append("hidden_gpu")
    for card in sorted(drm.glob("card?")):
        total = _number(card / "device" / "mem_info_vram_total")
        if total and _text(card / "device" / "vendor") == "0x1002" and total >= GIB:
            used = _number(card / "device" / "mem_info_vram_used") or 0
            name = _text(card / "device" / "product_name") or "AMD GPU"
            gpus.append(Gpu(name, "amd", total, total - used))
    if os.name == "nt":
        gpus += _windows_amd()
    return gpus, notes


def parse_nvidia(text: str) -> list[Gpu]:
    """The table of `nvidia-smi`; a card whose memory it does not tell has None.

    >>> parse_nvidia("NVIDIA GeForce RTX 3060, 12288, 11000")[0].free_bytes // 2**20
    11000
    """
    found = []
    for line in text.splitlines():
        name, *sizes = (part.strip() for part in line.split(","))
        if len(sizes) == 2:
            total, free = (int(size) * 2**20 if size.isdigit() else None for size in sizes)
            found.append(Gpu(name, "nvidia", total, free))
    return found


def _windows_amd() -> list[Gpu]:
    """From the registry: the usual query reports at most 4 GB."""
    if sys.platform != "win32":
        return []
    import winreg

    root = r"SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}"
    found = []
    for i in range(8):
        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, rf"{root}\{i:04}") as key:
                name = str(winreg.QueryValueEx(key, "DriverDesc")[0])
                size = winreg.QueryValueEx(key, "HardwareInformation.qwMemorySize")[0]
        except OSError:
            continue
        if "amd" in name.lower() or "radeon" in name.lower():
            found.append(Gpu(name, "amd", int(size), None))
    return found


def _complete(gpu: Gpu, memory_bytes: int, free_bytes: int) -> Gpu:
    """Add what the catalogue knows of a card; Apple's shares the machine's memory."""
    row = match_row(gpu.name)
    gpu = replace(
        gpu,
        bandwidth_gb_s=row.bandwidth_gb_s if row else None,
        tflops=reached_tflops(row) if row else None,
    )
    if gpu.kind == "apple":
        share = apple_share(memory_bytes)
        return replace(gpu, memory_bytes=int(share * memory_bytes),
                       free_bytes=int(min(share * memory_bytes, free_bytes)))  # fmt: skip
    return gpu


def reached_tflops(row: MachineRow) -> float | None:
    """What llama.cpp computes while it reads: measured on Llama 2 7B, else half of what is claimed.

    >>> from jimoto.hardware import catalog
    >>> round(reached_tflops(catalog.find_machine("NVIDIA RTX 4090")))
    155
    """
    if row.llama2_7b_q4_0_prefill:
        return row.llama2_7b_q4_0_prefill * 2 * LLAMA2_7B_BLOCK_PARAMS / 1e12
    return row.fp16_tflops / 2 if row.fp16_tflops else None


def apple_share(memory_bytes: int) -> float:
    """The part of its memory that macOS lets the GPU use: 70 % measured at 32 GB, 78 % above."""
    return 0.70 if memory_bytes <= 40 * GB else 0.78


def match_row(name: str) -> MachineRow | None:
    """The row of the catalogue that a card's or chip's own name means.

    >>> match_row("NVIDIA GeForce RTX 3060").bandwidth_gb_s, match_row("Apple M4 Pro").name
    (360.0, 'Apple M4 Pro (16-core GPU)')
    >>> match_row("NVIDIA GeForce RTX 4090 Laptop GPU") is None
    True
    """
    words = name.lower().replace("-", " ").split()
    number = next((word for word in words if any(char.isdigit() for char in word)), None)
    best: tuple[int, int] | None = None
    found = None
    for row in machines():
        parts = row.name.lower().split(" (")[0].split()
        same_grade = _GRADES & set(words) == _GRADES & set(parts)  # a mobile card is another one
        if row.kind == "cloud" or number not in parts or not same_grade:
            continue
        score = (len(set(parts) & set(words)), -len(parts))
        if best is None or score > best:
            best, found = score, row
    return found


def _run(*command: str) -> str:
    """What a command prints; nothing where it is missing, fails or hangs."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_SECONDS,
                              creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0))  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


# --- speed ---------------------------------------------------------------------------------------


def measure_rates(n_core: int, free_bytes: int = GIB, seconds: float = SWEEP_SECONDS) -> Rates:
    """How fast the memory is read, by all cores and by one; how fast matrices are multiplied."""
    import numpy as np

    # More than the last cache can hold, or the cache would be measured; not more than is to spare.
    size = max(64 * 2**20, min(max(4 * last_cache_bytes(), 256 * 2**20), free_bytes // 8))
    data = np.full(size, 1, np.uint8)
    parts = np.array_split(data, n_core)
    with ThreadPoolExecutor(n_core) as pool:
        # The largest byte: a reduction without the interpreter's lock, faster than memory can feed.
        all_cores = _best_seconds(lambda: list(pool.map(np.max, parts)), seconds)
    # In short pieces, so that some are read while nothing else runs; each is cold by its turn.
    pieces = cycle(np.array_split(data, max(1, size // PIECE_BYTES)))
    one_core = _best_seconds(lambda: np.max(next(pieces)), seconds)
    square = np.ones((SQUARE, SQUARE), np.float32)
    out = np.empty_like(square)

    def multiply() -> None:
        for _ in range(PRODUCTS):
            np.matmul(square, square, out)

    product = _best_seconds(multiply, seconds / 4) / PRODUCTS
    one_core_gb_s = PIECE_BYTES / one_core / GB
    return Rates(
        bandwidth_gb_s=round(max(data.nbytes / all_cores / GB, one_core_gb_s), 2),
        core_bandwidth_gb_s=round(one_core_gb_s, 2),
        gflops=round(n_core * 2 * SQUARE**3 / product / 1e9, 1),
    )


def _best_seconds(work: Any, seconds: float) -> float:
    """The shortest run: whatever disturbs a measurement makes it longer."""
    best, until = float("inf"), time.perf_counter() + seconds
    while True:
        started = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - started)
        if time.perf_counter() >= until:
            return best


def last_cache_bytes() -> int:
    """The size of the last-level cache that one core sees."""
    sizes = []
    for path in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*/size"):
        match = re.fullmatch(r"(\d+)([KM]?)", _text(path))
        if match:
            sizes.append(int(match[1]) * {"": 1, "K": 2**10, "M": 2**20}[match[2]])
    if sys.platform == "darwin":
        for key in ("hw.l3cachesize", "hw.perflevel0.l2cachesize", "hw.l2cachesize"):
            text = _run("sysctl", "-n", key)
            sizes += [int(text)] if text.isdigit() else []
    return min(max(sizes, default=DEFAULT_CACHE_BYTES), 256 * 2**20)


def kept_rates(path: Path, processor: str, n_core: int, now: float | None = None) -> Rates | None:
    """A measurement of this processor that is not too old."""
    try:
        kept: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        age = (time.time() if now is None else now) - float(kept["at"])
        same = (kept["processor"], kept["n_core"]) == (processor, n_core)
        if same and 0 <= age < MAX_AGE_SECONDS:
            return Rates(**kept["rates"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def keep_rates(path: Path, processor: str, n_core: int, rates: Rates) -> None:
    """Write a measurement down, unless a good one is there; a refusal is no reason to stop."""
    if kept_rates(path, processor, n_core):
        return
    kept = {"processor": processor, "n_core": n_core, "rates": asdict(rates), "at": time.time()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(kept), encoding="utf-8", newline="\n")
    except OSError:
        pass


# --- a machine of the catalogue ------------------------------------------------------------------


def from_row(row: MachineRow) -> Machine:
    """A machine of the catalogue, with its largest memory, and what a desktop leaves free."""
    memory_bytes = max(row.memory_gb, default=8) * GIB  # memory is sold in GB and built in GiB
    gpus: tuple[Gpu, ...] = ()
    if row.kind in ("gpu", "cloud"):
        count = row.n_gpu or 1
        one = Gpu(row.name, "nvidia" if "AMD" not in row.name else "amd", memory_bytes,
                  memory_bytes - GIB // 2, row.bandwidth_gb_s, reached_tflops(row))  # fmt: skip
        gpus, memory_bytes = (one,) * count, max(16 * GIB, memory_bytes)  # main memory: assumed
    elif row.kind in ("apple", "unified"):
        share = apple_share(memory_bytes) if row.kind == "apple" else 0.9
        gpus = (
            Gpu(row.name, "apple" if row.kind == "apple" else "nvidia", int(share * memory_bytes),
                int(share * memory_bytes), row.bandwidth_gb_s, reached_tflops(row)),
        )  # fmt: skip
    return Machine(
        name=row.name,
        kind="gpu" if row.kind == "cloud" else row.kind,
        memory_bytes=memory_bytes,
        free_bytes=memory_bytes - reserved_bytes(memory_bytes),
        n_core=row.n_core,
        gpus=gpus,
        # what feeds a card says nothing about the main memory beside it
        bandwidth_gb_s=None if row.kind in ("gpu", "cloud") else row.bandwidth_gb_s,
    )


def reserved_bytes(memory_bytes: int) -> int:
    """What the system, a browser and a notebook hold while a model runs: assumed 2.5 to 4 GB.

    >>> reserved_bytes(8 * 10**9) / 10**9, reserved_bytes(64 * 10**9) / 10**9
    (2.5, 4.0)
    """
    return int(min(4.0, max(2.5, memory_bytes / GB / 8)) * GB)
