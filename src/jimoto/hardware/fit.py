"""Does a model run on a machine: where it lies, the verdict, and what would fit instead.

Pure: facts in, frozen values out. The sums stand in `memory` and `speed`; here they are compared
with a machine. Knows no language but that of its one error, no printing and no process.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from jimoto.errors import MemoryShort
from jimoto.hardware.catalog import GIB, models
from jimoto.hardware.gguf_head import Head, read_head
from jimoto.hardware.machine import Machine
from jimoto.hardware.memory import CELL_PADDING, Memory, Use, estimate_memory
from jimoto.hardware.quants import LADDER, weigh_shape
from jimoto.hardware.shapes import is_known
from jimoto.hardware.speed import Range, estimate_decode, estimate_prefill
from jimoto.hardware.subjects import Subject, subject_of_head, subject_of_model

GPU_RUNTIME_BYTES = 450 * 2**20  # what a CUDA or ROCm context takes for itself
GPU_MARGIN_BYTES = GIB  # left free on a card, as llama.cpp's own fitting does
COMFORTABLE = 0.85  # of what is free; above it the desktop feels it
WORTHWHILE_CONTEXT = 1024  # below this another model is the better advice


@dataclass(frozen=True)
class Placement:
    """Which part of it lies where."""

    n_gpu_layer: int
    n_layer: int
    gpu_bytes: int
    cpu_bytes: int

    @property
    def on_gpu(self) -> float:
        return self.n_gpu_layer / self.n_layer if self.n_layer else 0.0


VERDICTS = ("comfortable", "tight", "will_swap", "impossible", "unknown")


@dataclass(frozen=True)
class Fit:
    """The answer for one model on one machine."""

    subject: Subject
    use: Use
    memory: Memory
    placement: Placement
    need_bytes: int  # where it is scarcest: on the card, or else in main memory
    free_bytes: int
    verdict: str  # one of VERDICTS
    decode: Range | None  # tokens/s; None where the bandwidth is unknown
    prefill: Range | None
    largest_context: int | None  # that still fits so, in this quantisation; 0: none
    best_quant: str | None  # that still fits at this context; empty: none

    @property
    def fits(self) -> bool:
        return self.verdict in ("comfortable", "tight")


def place(subject: Subject, memory: Memory, machine: Machine) -> Placement:
    """As many blocks as fit on the graphics cards, the rest in main memory."""
    n = subject.shape.n_layer if subject.shape else 1
    free = gpu_free_bytes(machine)
    if not free:
        return Placement(0, n, 0, memory.total_bytes)
    runtime = 0 if machine.kind in ("apple", "unified") else GPU_RUNTIME_BYTES * len(machine.gpus)
    whole = memory.total_bytes - memory.runtime_bytes + runtime
    if whole <= free:
        return Placement(n, n, whole, memory.runtime_bytes)
    per_block = (subject.weights_bytes + (memory.kv_bytes or 0)) / n
    room = free - runtime - memory.compute_bytes
    on_gpu = max(0, min(n - 1, int(room / per_block)))
    gpu_bytes = round(on_gpu * per_block) + (runtime + memory.compute_bytes if on_gpu else 0)
    return Placement(on_gpu, n, gpu_bytes, round(memory.total_bytes - on_gpu * per_block))


def gpu_free_bytes(machine: Machine, margin_bytes: int = GPU_MARGIN_BYTES) -> int:
    """What the cards offer, less the margin that llama.cpp leaves on each."""
    margin = 0 if machine.kind in ("apple", "unified") else margin_bytes
    sizes = [gpu.free_bytes or gpu.memory_bytes or 0 for gpu in machine.gpus]
    return sum(max(0, size - margin) for size in sizes)


def judge(memory: Memory, placement: Placement, machine: Machine) -> tuple[str, int, int]:
    """The verdict, what is needed where it is scarcest, and what is free there."""
    shares_memory = machine.kind in ("apple", "unified")
    if placement.n_gpu_layer == placement.n_layer and not shares_memory:
        need, free = placement.gpu_bytes, gpu_free_bytes(machine, margin_bytes=0)
        total = need
    else:
        need = memory.total_bytes if shares_memory else placement.cpu_bytes
        free, total = machine.free_bytes, machine.memory_bytes
    if memory.kv_bytes is None:  # a lower bound decides only against a model
        return ("impossible" if need > machine.memory_bytes else "unknown"), need, free
    if need <= COMFORTABLE * free:
        return "comfortable", need, free
    if need <= free:
        return "tight", need, free
    return ("will_swap" if need <= total else "impossible"), need, free


def fit(subject: Subject, machine: Machine, use: Use) -> Fit:
    """Does it fit, how fast will it be, and what would fit instead?"""
    use = limit_context(subject, use)
    memory = estimate_memory(subject, use)
    placement = place(subject, memory, machine)
    verdict, need, free = judge(memory, placement, machine)
    decode = None
    if not subject.is_encoder:  # it reads, and never writes
        decode = estimate_decode(subject, memory.kv_bytes, placement.on_gpu, machine)
    return Fit(
        subject=subject,
        use=use,
        memory=memory,
        placement=placement,
        need_bytes=need,
        free_bytes=free,
        verdict=verdict,
        decode=decode,
        prefill=estimate_prefill(subject, placement.on_gpu, machine),
        largest_context=largest_context(subject, machine, use),
        best_quant=best_quant(subject, machine, use),
    )


def limit_context(subject: Subject, use: Use) -> Use:
    """A model cannot use more than it was trained for."""
    if subject.max_context and subject.max_context < use.context_length:
        return replace(use, context_length=subject.max_context)
    return use


def fits_at(subject: Subject, machine: Machine, use: Use, whole: bool = False) -> bool:
    """Whether it fits; with `whole`, without a block left over for slower memory."""
    memory = estimate_memory(subject, use)
    placement = place(subject, memory, machine)
    if whole and placement.n_gpu_layer < placement.n_layer:
        return False
    return judge(memory, placement, machine)[0] in ("comfortable", "tight")


def is_whole_on_gpu(subject: Subject, machine: Machine, use: Use) -> bool:
    placement = place(subject, estimate_memory(subject, use), machine)
    return placement.n_gpu_layer == placement.n_layer


def largest_context(subject: Subject, machine: Machine, use: Use) -> int | None:
    """The largest context that still fits, in steps of 256; 0: none does, None: unknown.

    What lies whole on a graphics card now should still do so.
    """
    if subject.shape is None or not subject.max_context:
        return None
    whole = is_whole_on_gpu(subject, machine, use)
    low, high = 0, subject.max_context // CELL_PADDING
    while low < high:
        middle = (low + high + 1) // 2
        if fits_at(subject, machine, replace(use, context_length=middle * CELL_PADDING), whole):
            low = middle
        else:
            high = middle - 1
    return low * CELL_PADDING


def best_quant(subject: Subject, machine: Machine, use: Use) -> str | None:
    """The least lossy quantisation that still fits, whole on the graphics cards where one does."""
    shape = subject.shape
    if shape is None or not is_known(shape.architecture) or shape.architecture == "gpt-oss":
        return None  # gpt-oss exists in its own format only
    for whole in (True, False) if machine.gpus else (False,):
        for quant in LADDER:
            candidate = replace(subject, weights=weigh_shape(shape, quant))
            if fits_at(candidate, machine, use, whole):
                return quant
    return ""


def refusal(
    source: Path | Head,
    context_length: int,
    free_bytes: int,
    *,
    name: str = "",
    batch: int = 512,
    n_parallel: int = 1,
    full_window: bool = True,
    processor: str = "x86",
) -> MemoryShort | None:
    """None where a GGUF file fits into so much free memory; else the numbers, and what would fit.

    `source` is a path, or a head that was read already (anything with `metadata` and `tensors`).
    `full_window` is llama.cpp's default for contexts made through its library; `processor` is
    'x86' or 'arm' (`memory.processor_family(platform.machine())`).
    """
    head = read_head(source) if isinstance(source, Path) else source
    name = name or (source.name if isinstance(source, Path) else "model")
    subject = subject_of_head(head, name)
    use = Use(
        context_length,
        n_parallel=n_parallel,
        batch=batch,
        full_window=full_window,
        processor=processor,
    )
    machine = Machine(name, "cpu", memory_bytes=free_bytes, free_bytes=free_bytes)
    memory = estimate_memory(subject, use)
    if memory.total_bytes <= free_bytes:
        return None
    return shortage(subject, memory, machine, use)


def shortage(subject: Subject, memory: Memory, machine: Machine, use: Use) -> MemoryShort:
    """The error that names the parts, and the nearest thing that would fit."""
    context = min(largest_context(subject, machine, use) or 0, use.context_length)
    way: tuple[str, int, int] | None = None
    if context >= WORTHWHILE_CONTEXT:
        smaller = estimate_memory(subject, replace(use, context_length=context))
        way = (subject.name, context, smaller.total_bytes)
    else:
        near = smaller_model(subject, machine)
        if near:
            way = (near.subject.name, near.use.context_length, near.memory.total_bytes)
    if way:
        name, length, size_bytes = way
        size = gib_text(size_bytes)
        advice = f"Try '{name}' at {length} tokens (about {size} GiB)."
        advice_ja = f"'{name}' をコンテキスト長{length}で試してください(約{size} GiB)。"
    else:
        advice = "Close other programs, or choose a smaller model or quantisation."
        advice_ja = "ほかのプログラムを終了するか、小さいモデルや量子化を選んでください。"
    return MemoryShort(
        model=subject.name,
        need_gib=gib_text(memory.total_bytes, 1),
        free_gib=gib_text(machine.free_bytes, 1),
        weights_gib=gib_text(memory.weights_bytes, 2),
        kv_gib=gib_text(memory.kv_bytes or 0, 2),
        context_length=use.context_length,
        buffers_gib=gib_text(memory.compute_bytes + memory.runtime_bytes, 2),
        advice=advice,
        advice_ja=advice_ja,
    )


def smaller_model(subject: Subject, machine: Machine) -> Fit | None:
    """The largest model of the catalogue that fits, of the same family where one does."""
    family = subject.model.family.split(".")[0].rstrip("0123456789") if subject.model else ""
    use = Use()
    fitting = []
    for model in models():
        if model.missing() or model.is_encoder or not model.listed_gb:
            continue
        candidate = subject_of_model(model)
        if candidate.weights_bytes < subject.weights_bytes and fits_at(candidate, machine, use):
            fitting.append((bool(family) and model.family.startswith(family), candidate))
    if not fitting:
        return None
    best = max(fitting, key=lambda pair: (pair[0], pair[1].weights_bytes))[1]
    return fit(best, machine, use)


def gib_text(n_bytes: int, decimals: int = 1) -> str:
    """
    >>> gib_text(5 * 2**30 + 2**29), gib_text(100 * 2**20, 2)
    ('5.5', '0.10')
    """
    return f"{n_bytes / GIB:.{decimals}f}"
