"""A model tried without its weights: a file of its shape is written, loaded, measured and removed.

The words would be noise and the speed is real. llama.cpp runs in a child process, `python -m
jimoto.hardware.trial`, which is ended before it can freeze the machine: the child limits its own
memory where the system knows how, and the parent watches it everywhere. A model too large for
this machine is measured by some of its blocks. Knows nothing of predictions: the caller compares.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import platform
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from jimoto.errors import DiskShort, QuantUnknown, ShapeUnknown, TrialFailed
from jimoto.hardware import WAITING
from jimoto.hardware.machine import Machine
from jimoto.hardware.memory import Memory, Use, estimate_memory, processor_family, resident_bytes
from jimoto.hardware.quants import FILE_TYPES, assign_types, weigh_shape
from jimoto.hardware.random_gguf import write_gguf
from jimoto.hardware.shapes import Shape, is_known, list_tensors
from jimoto.hardware.speed import Range, estimate_decode, estimate_prefill
from jimoto.hardware.subjects import Subject

GIB = 2**30
WATCH_SECONDS = 0.05
DISK_MARGIN_BYTES = GIB  # left free on the disk
KEPT_FREE_BYTES = 300 * 2**20  # the child is ended when the whole machine has less than this
N_PROMPT = 128  # tokens that are read
BLOCKS_SHARE = 0.5  # of the spare memory, for some blocks of a model that is too large
UBATCH = 512  # tokens that llama.cpp reads at once
KV_TYPES = {"F32": 0, "F16": 1, "Q8_0": 8, "Q4_0": 2, "Q4_1": 3, "Q5_0": 6, "Q5_1": 7}


@dataclass(frozen=True)
class Report:
    """What llama.cpp says that it has set aside, in bytes."""

    weights_bytes: int
    kv_bytes: int
    compute_bytes: int
    output_bytes: int

    @property
    def total_bytes(self) -> int:
        return self.weights_bytes + self.kv_bytes + self.compute_bytes + self.output_bytes


@dataclass(frozen=True)
class Trial:
    """What was measured."""

    quant: str
    context_length: int
    n_layer: int  # of the model
    n_layer_tried: int  # fewer where the model is too large: the rest is extrapolated
    file_bytes: int
    active_bytes: int  # read for one token
    write_seconds: float
    load_seconds: float
    resident_bytes: int  # of the child, less what it held before it loaded
    report: Report
    prefill_tokens_per_second: float
    decode_tokens_per_second: float
    n_thread: int
    core_seconds: float = 0.0  # of the calling thread for a token: without what others took

    @property
    def is_extrapolated(self) -> bool:
        return self.n_layer_tried < self.n_layer


@dataclass(frozen=True)
class Plan:
    """How a trial is run; everything that is decided before anything is written."""

    folder: Path
    n_thread: int
    context_length: int = 2048
    kv_type: str = "F16"
    n_prompt: int = N_PROMPT
    n_decode: int = 24
    limit_seconds: float = 120.0  # for each of: load, read, write
    memory_bytes: int = 2 * GIB  # the ceiling of the child


@dataclass(frozen=True)
class Prediction:
    """What is expected of a trial, in the trial's own terms."""

    memory: Memory
    resident_bytes: int
    decode: Range | None
    prefill: Range | None


def run_trial(
    subject: Subject,
    machine: Machine,
    folder: Path,
    context_length: int = 2048,
    n_decode: int = 24,
    n_thread: int = 0,
) -> tuple[Trial, Prediction]:
    """Predict, then try: whole where memory and disk suffice, else by some of the blocks."""
    shape, quant = subject.shape, subject.weights.quant
    if shape is None or subject.is_encoder or not is_known(shape.architecture):
        missing = ", ".join(subject.missing) or "the list of its tensors"
        raise ShapeUnknown(subject.name, missing)
    if quant not in FILE_TYPES:
        raise QuantUnknown(quant, "", ", ".join(FILE_TYPES))
    # 1) what the file of its shape comes to, without what a library adds to it
    context_length = min(context_length, subject.max_context or context_length)
    weights = weigh_shape(shape, quant)
    bare = Subject(subject.name, weights, shape)
    use = Use(context_length, processor=processor_family(platform.machine()))
    threads = n_thread or machine.n_core or 1
    expected = predict_trial(bare, shape, use, machine_with(machine, threads))
    # 2) how much of it this machine can take
    spare_bytes = max(0, machine.free_bytes - 2 * KEPT_FREE_BYTES)
    ceiling = min(round(1.3 * expected.memory.total_bytes) + GIB // 2, spare_bytes)
    plan = Plan(folder, threads, context_length, n_decode=n_decode, memory_bytes=ceiling)
    disk_bytes = (machine.disk_free_bytes or 0) - DISK_MARGIN_BYTES
    fits = expected.resident_bytes <= spare_bytes and weights.size_bytes <= disk_bytes
    if fits:
        return try_shape(subject.name, shape, quant, plan), expected
    budget_bytes = min(round(BLOCKS_SHARE * spare_bytes), max(0, disk_bytes))
    return try_blocks(subject.name, shape, quant, plan, budget_bytes), expected


def predict_trial(subject: Subject, shape: Shape, use: Use, machine: Machine) -> Prediction:
    """What this processor should show, near the beginning of a context."""
    memory = estimate_memory(subject, use)
    cached = (memory.kv_bytes or 0) * N_PROMPT // use.context_length
    return Prediction(
        memory=memory,
        resident_bytes=resident_bytes(shape, subject.weights, use, N_PROMPT),
        decode=estimate_decode(subject, cached, 0.0, machine),
        prefill=estimate_prefill(subject, 0.0, machine),
    )


def machine_with(machine: Machine, n_thread: int) -> Machine:
    """The same machine, of which only some cores work."""
    rates, cores = machine.rates, machine.n_core or 1
    if rates is None or n_thread >= cores:
        return machine
    slower = min(rates.bandwidth_gb_s, n_thread * rates.core_bandwidth_gb_s)
    rates = replace(rates, bandwidth_gb_s=slower, gflops=rates.gflops * n_thread / cores)
    return replace(machine, n_core=n_thread, rates=rates)


def try_shape(name: str, shape: Shape, quant: str, plan: Plan, seed: int = 0) -> Trial:
    """Try a shape whole; `DiskShort` and `TrialFailed` say why it did not work."""
    weights = weigh_shape(shape, quant)
    check_disk(name, plan.folder, weights.size_bytes)
    path = plan.folder / f"jimoto-trial-{os.getpid()}.gguf"
    started = time.monotonic()
    try:
        tensors = assign_types(shape, list_tensors(shape), quant)
        file_bytes = write_gguf(path, shape, tensors, seed)
        write_seconds = time.monotonic() - started
        said = run_child(name, path, plan)
    except OSError as error:
        raise TrialFailed(name, "disk", error.strerror or str(error)) from None
    finally:
        path.unlink(missing_ok=True)
    return Trial(
        quant=quant,
        context_length=plan.context_length,
        n_layer=shape.n_layer,
        n_layer_tried=shape.n_layer,
        file_bytes=file_bytes,
        active_bytes=weights.active_bytes,
        write_seconds=round(write_seconds, 2),
        load_seconds=said["load_seconds"],
        resident_bytes=said["resident_bytes"],
        report=Report(**said["report"]),
        prefill_tokens_per_second=said["prefill_tokens_per_second"],
        decode_tokens_per_second=said["decode_tokens_per_second"],
        n_thread=plan.n_thread,
        core_seconds=said["core_seconds"],
    )


def try_blocks(name: str, shape: Shape, quant: str, plan: Plan, budget_bytes: int) -> Trial:
    """Try one block, then as many as the budget holds, and draw the line through both."""
    whole = weigh_shape(shape, quant)
    dense = shape.n_layer_dense
    fewest = min(shape.n_layer, dense + 1)
    fitting = [
        n
        for n in range(fewest + 1, shape.n_layer + 1)
        if weigh_shape(replace(shape, n_layer=n), quant).size_bytes <= budget_bytes
    ]
    if not fitting:
        need = weigh_shape(replace(shape, n_layer=fewest + 1), quant).size_bytes
        raise TrialFailed(name, "memory", f"two blocks alone are {need / GIB:.1f} GiB")
    more = min(max(fitting), fewest + 4)
    if max(fitting) == shape.n_layer:
        return try_shape(name, shape, quant, plan)
    small = try_shape(name, replace(shape, n_layer=fewest), quant, plan)
    large = try_shape(name, replace(shape, n_layer=more), quant, plan)
    return extrapolate(small, large, shape.n_layer, whole.size_bytes, whole.active_bytes)


def extrapolate(
    small: Trial, large: Trial, n_layer: int, size_bytes: int, active_bytes: int
) -> Trial:
    """The whole from two trials with some of its blocks: time and memory grow by the block."""

    def line(a: float, b: float, at: float = n_layer) -> float:
        first, last = small.n_layer_tried, large.n_layer_tried
        return a + (b - a) * (at - first) / (last - first)

    def rate(a: float, b: float) -> float:
        return round(1 / max(line(1 / a, 1 / b), 1e-9), 3)

    a, b = asdict(small.report), asdict(large.report)
    report = {key: round(line(a[key], b[key])) for key in a}
    report["compute_bytes"] = large.report.compute_bytes  # shared by all blocks, not one for each
    report["weights_bytes"] = large.report.weights_bytes + size_bytes - large.file_bytes
    kept = large.report.total_bytes - large.resident_bytes
    total = sum(report.values())
    return replace(
        large,
        n_layer=n_layer,
        file_bytes=size_bytes,
        active_bytes=active_bytes,
        resident_bytes=total - kept,
        report=Report(**report),
        prefill_tokens_per_second=rate(
            small.prefill_tokens_per_second, large.prefill_tokens_per_second
        ),
        decode_tokens_per_second=rate(
            small.decode_tokens_per_second, large.decode_tokens_per_second
        ),
    )


def check_disk(name: str, folder: Path, need_bytes: int) -> None:
    """`DiskShort` where the file would not fit with a margin; a missing folder is made."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        free_bytes = shutil.disk_usage(folder).free
    except OSError as error:
        raise TrialFailed(name, "disk", error.strerror or str(error)) from None
    remove_stale(folder)
    if need_bytes + DISK_MARGIN_BYTES > free_bytes:
        text = [f"{size / GIB:.1f}" for size in (need_bytes, free_bytes)]
        raise DiskShort(name, str(folder), *text)


def remove_stale(folder: Path) -> None:
    """Remove what a trial that was killed has left."""
    import psutil

    for path in folder.glob("jimoto-trial-*.gguf"):
        number = path.stem.rsplit("-", 1)[-1]
        if number.isdigit() and not psutil.pid_exists(int(number)):
            path.unlink(missing_ok=True)


# --- the parent's side of the child --------------------------------------------------------------


def run_child(name: str, path: Path, plan: Plan) -> dict[str, Any]:
    """Measure a file in a child process; end it when it asks for too much memory or time."""
    asked = {**asdict(plan), "path": str(path), "folder": None}
    child = subprocess.Popen(
        [sys.executable, "-m", "jimoto.hardware.trial"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=child_environment(os.environ),
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    ended_for: list[str] = []
    stop = threading.Event()
    watch = threading.Thread(target=_watch, args=(child, plan, ended_for, stop), daemon=True)
    watch.start()
    try:
        output, _ = child.communicate(json.dumps(asked).encode())
    finally:
        stop.set()
        child.kill()
        child.wait()
        watch.join()
    if ended_for:
        raise TrialFailed(name, ended_for[0], "")
    try:
        said: dict[str, Any] = json.loads(output)
    except ValueError:  # it died without a word: the system's own guard against full memory
        cause = "memory" if child.returncode in (-9, 137) else "engine"
        raise TrialFailed(name, cause, f"exit code {child.returncode}") from None
    if "cause" in said:
        raise TrialFailed(name, said["cause"], said["detail"])
    return said


def child_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Waiting threads must sleep: spinning ones make a busy machine a hundred times slower."""
    return {**env, **WAITING, "PYTHONUTF8": "1"}


def _watch(
    child: subprocess.Popen[bytes], plan: Plan, ended_for: list[str], stop: threading.Event
) -> None:
    import psutil

    deadline = time.monotonic() + 3 * plan.limit_seconds + 60
    try:
        process = psutil.Process(child.pid)
        while not stop.wait(WATCH_SECONDS):
            too_large = process.memory_info().rss > plan.memory_bytes
            if too_large or psutil.virtual_memory().available < KEPT_FREE_BYTES:
                ended_for.append("memory")
            elif time.monotonic() > deadline:
                ended_for.append("time")
            if ended_for:
                child.kill()
                return
    except psutil.Error:  # it has ended by itself
        return


# --- the child -----------------------------------------------------------------------------------


def child_main() -> None:
    """Read what is asked from standard input, print what was measured as one line of JSON."""
    asked = json.loads(sys.stdin.read())
    limit_memory(asked["memory_bytes"])
    try:
        said = measure(asked)
    except MemoryError:
        said = {"cause": "memory", "detail": ""}
    print(json.dumps(said), flush=True)
    os._exit(0)  # freeing gigabytes takes time, and the system does it anyway


def limit_memory(memory_bytes: int) -> None:
    """Let an allocation above the ceiling fail, where the system has such a limit (Linux)."""
    try:
        import resource
    except ImportError:  # Windows: the parent watches
        return
    if sys.platform == "linux":
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        ceiling = memory_bytes + GIB  # room for what is reserved but never touched
        limit = ceiling if hard == resource.RLIM_INFINITY else min(ceiling, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


def measure(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Load a file with llama.cpp, let it read and write tokens, and say what that took."""
    import llama_cpp
    import numpy as np
    import psutil

    lines: list[str] = []

    @llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
    def keep(_level: int, text: bytes, _data: Any) -> None:
        lines.append(text.decode("utf-8", "replace"))

    llama_cpp.llama_log_set(keep, ctypes.c_void_p(0))
    llama_cpp.llama_backend_init()
    process = psutil.Process()
    before_bytes = process.memory_info().rss
    # 1) load
    started = time.perf_counter()
    model_params = llama_cpp.llama_model_default_params()
    model_params.load_mode = llama_cpp.LLAMA_LOAD_MODE_NONE  # not mapped: it counts
    model_params.n_gpu_layers = 0
    model = llama_cpp.llama_model_load_from_file(os.fsencode(asked["path"]), model_params)
    if not model:
        return _failure(lines)
    params = llama_cpp.llama_context_default_params()
    params.n_ctx = asked["context_length"]
    params.n_batch = params.n_ubatch = min(UBATCH, asked["context_length"])
    params.n_threads = params.n_threads_batch = asked["n_thread"]
    params.type_k = params.type_v = KV_TYPES[asked["kv_type"]]
    params.swa_full = False
    context = llama_cpp.llama_init_from_model(model, params)
    if not context:
        return _failure(lines)
    load_seconds = time.perf_counter() - started
    n_vocab = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(model))
    rng = np.random.default_rng(1)

    def run(count: int) -> float:
        tokens = (llama_cpp.llama_token * count)(*map(int, rng.integers(0, n_vocab, count)))
        begun = time.perf_counter()
        code = llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(tokens, count))
        if code:
            raise RuntimeError(f"llama_decode: {code}")
        llama_cpp.llama_synchronize(context)
        return time.perf_counter() - begun

    # 2) read a prompt: a few tokens to warm up, then all of it
    try:
        run(8)
        n_prompt = min(asked["n_prompt"], asked["context_length"] - 16 - asked["n_decode"])
        prefill_seconds = run(n_prompt)
        # 3) write: the median of single tokens, so that a pause elsewhere does not count
        run(1)
        spent: list[float] = []
        worked: list[float] = []
        while len(spent) < asked["n_decode"] and sum(spent) < asked["limit_seconds"]:
            before = time.thread_time()
            spent.append(run(1))
            worked.append(time.thread_time() - before)
    except RuntimeError as error:
        return {"cause": "engine", "detail": str(error)}
    logits = np.ctypeslib.as_array(llama_cpp.llama_get_logits(context), (n_vocab,))
    if not np.isfinite(logits).all():
        return {"cause": "engine", "detail": "the logits are not numbers"}
    return {
        "load_seconds": round(load_seconds, 3),
        "resident_bytes": process.memory_info().rss - before_bytes,
        "report": asdict(parse_report(lines)),
        "prefill_tokens_per_second": round(n_prompt / prefill_seconds, 2),
        "decode_tokens_per_second": round(1 / float(np.median(spent)), 3),
        "core_seconds": round(float(np.median(worked)), 6),
    }


def parse_report(lines: list[str]) -> Report:
    """Add up the buffers in llama.cpp's log.

    >>> parse_report(["a: CPU KV buffer size =  64.00 MiB", "b: CPU compute buffer size = 2.5 MiB"])
    Report(weights_bytes=0, kv_bytes=67108864, compute_bytes=2621440, output_bytes=0)
    """
    found = dict.fromkeys(("model", "KV", "RS", "compute", "output"), 0.0)
    pattern = r"(model|KV|RS|compute|output) +buffer size += +([\d.]+) MiB"
    for kind, mib in re.findall(pattern, "".join(f"{line}\n" for line in lines)):
        found[kind] += float(mib)
    sizes = {kind: math.ceil(mib * 2**20) for kind, mib in found.items()}
    return Report(sizes["model"], sizes["KV"] + sizes["RS"], sizes["compute"], sizes["output"])


def _failure(lines: list[str]) -> dict[str, Any]:
    text = "".join(lines)
    if re.search(r"failed to allocate|unable to allocate|alloc.*fail|bad_alloc", text):
        return {"cause": "memory", "detail": ""}
    told = [line.strip() for line in text.splitlines() if "error" in line.lower()]
    return {"cause": "engine", "detail": told[0][:160] if told else ""}


if __name__ == "__main__":
    child_main()
