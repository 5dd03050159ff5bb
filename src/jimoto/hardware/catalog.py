"""What is known about models, quantisations, machines, measured speeds and prices.

CSV files in `jimoto/data/`, read as typed rows. Each row has a source and the date on which it
was read there. What the source does not say is empty in the file and None here: unknown, never
zero; a value that the source gives with doubt is named in the row's `unconfirmed`. Nothing is
computed here.
"""

from __future__ import annotations

import csv
import difflib
import io
import re
import typing
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from functools import cache
from importlib import resources
from typing import Any

from jimoto.errors import NotInCatalogue, QuantUnknown, ShapeUnknown
from jimoto.hardware.shapes import Shape

GB = 10**9
GIB = 2**30

# The dimensions without which nothing can be computed.
_NEEDED = ("architecture", "n_layer", "n_embd", "n_head", "n_kv_head", "head_dim", "n_vocab")


@dataclass(frozen=True)
class Model:
    """A model as a library offers it: one tag, or a repository where no library has it."""

    name: str
    hf_repo: str | None
    family: str
    developer: str
    licence: str
    release: str | None
    architecture: str | None
    n_params: int | None
    n_params_active: int | None
    n_layer: int | None
    n_embd: int | None
    n_head: int | None
    n_kv_head: int | None
    head_dim: int | None
    n_ff: int | None
    n_vocab: int | None
    max_context: int | None
    is_tied: bool | None
    window: int | None
    window_period: int | None
    full_n_kv_head: int | None
    full_head_dim: int | None
    n_layer_kv: int | None
    n_expert: int | None
    n_expert_used: int | None
    n_expert_shared: int | None
    n_ff_expert: int | None
    n_layer_dense: int | None
    kv_lora_rank: int | None
    q_lora_rank: int | None
    rope_dim: int | None
    nope_dim: int | None
    value_dim: int | None
    default_quant: str | None  # of the library's file
    size_bytes: int | None  # of the library's file
    listed_gb: float | None  # as the library prints it, rounded
    size_note: str | None  # why the file is not what its shape implies
    note: str | None
    japanese: str | None
    unconfirmed: str | None
    source: str
    date: str

    @property
    def is_encoder(self) -> bool:
        """A model for embeddings: it reads once and keeps no cache."""
        return self.architecture in ("bert", "nomic-bert", "gemma-embedding")

    def missing(self) -> tuple[str, ...]:
        """The dimensions that the source does not give."""
        return tuple(name for name in _NEEDED if getattr(self, name) is None)

    def shape(self) -> Shape:
        """Its dimensions; `ShapeUnknown` where the source leaves some out."""
        if self.missing():
            raise ShapeUnknown(self.name, ", ".join(self.missing()))
        known = {f.name: getattr(self, f.name, None) for f in fields(Shape)}
        values = {name: value for name, value in known.items() if value is not None}
        values |= {"n_ctx_train": self.max_context or 0, "is_tied": bool(self.is_tied)}
        return Shape(**{"n_ff": 0, **values})


@dataclass(frozen=True)
class Quantisation:
    name: str
    kind: str  # 'block': how some numbers are packed; 'mix': a file of several block types
    block_values: int | None
    block_bytes: int | None
    bits_per_weight: float | None  # of the block
    file_bits_per_weight: float | None  # measured on a file of Llama 3.1 8B
    perplexity_change_percent: float | None  # Llama 3 8B
    note: str | None
    source: str
    date: str


@dataclass(frozen=True)
class MachineRow:
    """A machine or card as its maker describes it, with what others measured on it."""

    name: str
    kind: str  # cpu, apple, gpu, unified, cloud
    memory_type: str | None
    bandwidth_gb_s: float | None
    measured_bandwidth_gb_s: float | None
    memory_gb: tuple[int, ...]  # the sizes it is sold with, ascending
    n_gpu: int | None
    n_core: int | None
    fp16_tflops: float | None  # dense
    price_usd: float | None
    price_unit: str | None  # 'once' or 'hour'
    price_kind: str | None
    price_date: str | None
    llama2_7b_q4_0_prefill: float | None  # tokens/s
    llama2_7b_q4_0_decode: float | None  # tokens/s
    peak_watts: float | None
    unconfirmed: str | None
    note: str | None
    source: str
    date: str


@dataclass(frozen=True)
class Speed:
    """One published measurement."""

    model: str  # in the source's words
    model_name: str | None  # the catalogue's row of the same shape
    quant: str
    file_gib: float
    n_params_active: int | None
    machine: str
    bandwidth_gb_s: float | None
    backend: str
    prefill_test: str | None
    prefill_tokens_per_second: float | None
    decode_test: str
    decode_tokens_per_second: float
    note: str | None
    source: str
    date: str


@dataclass(frozen=True)
class Price:
    """What an API costs, in USD per million tokens."""

    provider: str
    model: str
    input_usd_per_mtok: float
    cached_input_usd_per_mtok: float | None
    output_usd_per_mtok: float
    max_input_tokens: int | None
    note: str | None
    source: str
    date: str


@cache
def models() -> tuple[Model, ...]:
    return read_rows(Model, "models.csv")


@cache
def quantisations() -> tuple[Quantisation, ...]:
    return read_rows(Quantisation, "quantisations.csv")


@cache
def machines() -> tuple[MachineRow, ...]:
    return read_rows(MachineRow, "machines.csv")


@cache
def speeds() -> tuple[Speed, ...]:
    return read_rows(Speed, "speeds.csv")


@cache
def prices() -> tuple[Price, ...]:
    return read_rows(Price, "prices.csv")


def find_model(name: str) -> Model:
    """A model by its name, its repository, or its name without a tag where that is unambiguous.

    >>> find_model("LLAMA3.1:8b").n_params, find_model("smollm2").name
    (8030261248, 'smollm2:135m')
    """
    wanted = name.strip().lower()
    rows = models()
    for row in rows:
        if wanted in (row.name.lower(), (row.hf_repo or "").lower()):
            return row
    plain = wanted.removesuffix(":latest")
    family = [row for row in rows if row.name.lower().split(":")[0] == plain]
    if family:
        return min(family, key=lambda row: row.n_params or row.size_bytes or 10**15)
    raise NotInCatalogue("model", name, near_names(wanted, (row.name for row in rows)))


def find_quantisation(name: str) -> Quantisation:
    """A quantisation by its name, in either case.

    >>> find_quantisation("q4_k_m").name
    'Q4_K_M'
    """
    rows = {row.name.upper(): row for row in quantisations()}
    wanted = name.strip().upper().replace("-", "_")
    if wanted in rows:
        return rows[wanted]
    near = near_names(wanted, rows)
    raise QuantUnknown(name, f"'{near[0]}'? " if near else "", ", ".join(rows))


def find_machine(text: str) -> MachineRow:
    """A machine by name, or by memory and a part of its name; it then has that one size.

    >>> find_machine("8 GB laptop").memory_gb, find_machine("16GB apple m2").name
    ((8,), 'Apple M2 (10-core GPU)')
    """
    wanted = " ".join(text.lower().split())
    rows = machines()
    for row in rows:
        if row.name.lower() == wanted:
            return replace(row, memory_gb=row.memory_gb[-1:])
    size = re.match(r"(\d+) ?g(?:i?b)\b ?(.*)", wanted)
    memory_gb, part = (int(size[1]), size[2]) if size else (0, wanted)
    words = part.split()
    fitting = [row for row in rows if words and all(word in row.name.lower() for word in words)]
    if fitting:
        # 'apple m2' means the M2 itself, not the first of its larger sisters
        whole = [row for row in fitting if _plain_words(row.name)[-len(words) :] == words]
        fitting = whole or fitting
        row = next((row for row in fitting if memory_gb in row.memory_gb), fitting[0])
        return replace(row, memory_gb=(memory_gb,) if memory_gb else row.memory_gb[-1:])
    plain = {" ".join(_plain_words(row.name)): row.name for row in rows}
    near = near_names(part, [*plain, *(row.name for row in rows)])
    names = dict.fromkeys(plain.get(name, name) for name in near)
    raise NotInCatalogue("machine", text, tuple(names))


def _plain_words(name: str) -> list[str]:
    return name.lower().split(" (")[0].split()


def near_names(wanted: str, names: Iterable[str], count: int = 3) -> tuple[str, ...]:
    """The names that look most like the wanted one.

    >>> near_names("lama3.1:8b", ["llama3.1:8b", "phi4:14b"])
    ('llama3.1:8b',)
    """
    by_lower = {name.lower(): name for name in names}
    found = difflib.get_close_matches(wanted.lower(), by_lower, count, cutoff=0.5)
    return tuple(by_lower[name] for name in found)


Row = typing.TypeVar("Row")


def read_rows(kind: type[Row], file: str) -> tuple[Row, ...]:
    """The rows of one of the package's CSV files, their columns typed as the fields of `kind`."""
    text = (resources.files("jimoto") / "data" / file).read_text(encoding="utf-8")
    types = typing.get_type_hints(kind)
    reader = csv.DictReader(io.StringIO(text))
    return tuple(
        kind(**{name: _typed(row[name], types[name], file, name) for name in types})
        for row in reader
    )


def _typed(text: str, kind: Any, file: str, column: str) -> Any:
    """One cell as the type of its field; an empty one is None, where the field allows that."""
    options = typing.get_args(kind) or (kind,)
    if kind == tuple[int, ...]:
        return tuple(int(part) for part in text.split())
    if text == "":
        assert type(None) in options, f"{file}: {column} is empty"
        return None
    if bool in options:
        return text == "y"
    if int in options:
        return int(text)
    return float(text) if float in options else text
