"""Figures of lesson 12: the roofline, memory by context length, and what tokens cost.

Each comes as a `Drawing`: the figure, its numbers as a table, and the sentence that says the
same. One palette that colour-blind readers can tell apart, always with a marker, a hatch or a
label beside it. Labels are in the reader's language where a font has its letters. Knows nothing
of servers.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

from jimoto.errors import language
from jimoto.hardware import catalog
from jimoto.hardware.catalog import GB, GIB
from jimoto.hardware.fit import fit
from jimoto.hardware.machine import Machine, from_row
from jimoto.hardware.memory import Use, estimate_memory
from jimoto.hardware.speed import Range, decode_seconds, stream_gb_s
from jimoto.hardware.subjects import find_subject

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Contrast on white: blue 5.2, black 21: text and thin lines; vermilion, green, purple: large marks;
# the light ones only as fills with a dark edge.
BLUE, BLACK, VERMILION, GREEN, PURPLE = "#0072B2", "#000000", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, YELLOW = "#E69F00", "#56B4E9", "#F0E442"
LINES = ((BLUE, "-", "o"), (VERMILION, "--", "s"), (GREEN, "-.", "^"), (PURPLE, ":", "D"))
MORE_LINES = (*LINES, (BLACK, (0, (5, 1, 1, 1)), "v"), (BLUE, (0, (1, 1)), "P"))
JAPANESE_FONTS = (
    "Noto Sans CJK JP", "Noto Sans JP", "Hiragino Sans", "Hiragino Kaku Gothic ProN", "Yu Gothic",
    "Meiryo", "BIZ UDGothic", "MS Gothic", "IPAexGothic", "IPAGothic", "TakaoGothic", "VL Gothic",
    "Noto Serif CJK JP", "Noto Sans CJK SC",
)  # fmt: skip
NO_FONT = (
    "日本語フォントが見つからないため、図の文字は英語です"
    "(Noto Sans CJK JPなどを入れると日本語になります)。"
)
HOURS_IN_MONTH = 730
ASSUMED_WATTS = 250.0  # of a machine whose power nobody measured
P = ParamSpec("P")

TEXT = {
    "en": {
        "roofline": "Writing speed by what one token reads",
        "bytes": "read for one token (GB)",
        "speed": "tokens per second",
        "this": "this machine",
        "published": "published measurements",
        "machine": "machine",
        "model": "model",
        "roofline_alt": "Log-log plot: tokens per second against gigabytes read for one token, "
        "one falling line for each machine ({machines}). On each line, twice the bytes is about "
        "half the speed.",
        "memory": "Memory of {name} ({quant}) by context length",
        "context": "context length (tokens)",
        "weights": "weights",
        "kv": "KV cache",
        "buffers": "buffers",
        "free": "free: {gib:.1f} GiB",
        "total": "total",
        "memory_alt": "Stacked bars: memory in GiB by context length for {name}. Weights stay at "
        "{weights:.1f} GiB; the KV cache grows from {first:.2f} to {last:.2f} GiB.",
        "cost": "What {name} costs in a month",
        "tokens": "tokens a month (millions)",
        "usd": "USD a month",
        "buy": "buy {name} ({price}, {date})",
        "rent": "rent {name} ({price}/h, {date})",
        "api": "API {name} ({date})",
        "break_even": "cheaper than {name} from",
        "never": "never within its capacity",
        "way": "way",
        "at": "at {m} M",
        "cost_alt": "Log-log plot: USD a month against tokens a month. Buying is flat and ends at "
        "the machine's capacity; renting and the API rise with use.",
    },
    "ja": {
        "roofline": "1トークンで読む量と書く速さ",
        "bytes": "1トークンで読む量(GB)",
        "speed": "毎秒トークン数",
        "this": "このマシン",
        "published": "公開されている実測値",
        "machine": "マシン",
        "model": "モデル",
        "roofline_alt": "両対数グラフ。横軸は1トークンで読む量(GB)、縦軸は毎秒トークン数。"
        "マシンごとに右下がりの線({machines})。どの線でも、読む量が2倍なら速さは約半分です。",
        "memory": "{name}({quant})のメモリとコンテキスト長",
        "context": "コンテキスト長(トークン)",
        "weights": "重み",
        "kv": "KVキャッシュ",
        "buffers": "バッファー",
        "free": "空き: {gib:.1f} GiB",
        "total": "合計",
        "memory_alt": "積み上げ棒グラフ。{name} のメモリ(GiB)をコンテキスト長ごとに示します。"
        "重みは{weights:.1f} GiBのまま、KVキャッシュは{first:.2f}から{last:.2f} GiBに増えます。",
        "cost": "{name} の1か月の費用",
        "tokens": "1か月のトークン数(百万)",
        "usd": "1か月の費用(USD)",
        "buy": "購入 {name}({price}、{date})",
        "rent": "レンタル {name}(1時間{price}、{date})",
        "api": "API {name}({date})",
        "break_even": "{name} より安くなる量",
        "never": "処理能力の範囲では安くならない",
        "way": "方法",
        "at": "{m}百万",
        "cost_alt": "両対数グラフ。横軸は1か月のトークン数、縦軸は1か月の費用(USD)。"
        "購入は水平で、処理能力の上限で終わります。レンタルとAPIは使用量とともに増えます。",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Drawing:
    """A figure with what it says: its numbers and one sentence. A notebook shows all three."""

    figure: Figure
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    alt: str
    notes: tuple[str, ...] = field(default=())

    def png(self) -> bytes:
        """The picture alone."""
        buffer = io.BytesIO()
        with _fonts():
            self.figure.savefig(buffer, format="png", dpi=100, bbox_inches="tight")
        return buffer.getvalue()

    def _repr_html_(self) -> str:
        picture = base64.b64encode(self.png()).decode("ascii")
        cells = ["".join(f"<th>{html.escape(head)}</th>" for head in self.heads)]
        cells += ["".join(f"<td>{html.escape(cell)}</td>" for cell in row) for row in self.rows]
        table = "".join(f"<tr>{row}</tr>" for row in cells)
        notes = "".join(f"<p>{html.escape(note)}</p>" for note in self.notes)
        source = f"data:image/png;base64,{picture}"
        return f'<img alt="{html.escape(self.alt)}" src="{source}"><table>{table}</table>{notes}'


# --- letters -------------------------------------------------------------------------------------


def find_font() -> str | None:
    """An installed font with Japanese letters, the best known first."""
    from matplotlib.font_manager import fontManager

    installed = {entry.name for entry in fontManager.ttflist}
    return next((name for name in JAPANESE_FONTS if name in installed), None)


def label_language(lang: str) -> tuple[str, tuple[str, ...]]:
    """The language of the labels, and a line that says so where it is not the one asked for."""
    if lang == "ja" and find_font() is None:
        return "en", (NO_FONT,)
    return lang, ()


def _fonts() -> Any:
    """The fonts for one drawing: Japanese letters from the font that has them."""
    import matplotlib

    font = find_font()
    return matplotlib.rc_context({"font.family": [*([font] if font else []), "DejaVu Sans"]})


def _with_fonts(draw: Callable[P, Drawing]) -> Callable[P, Drawing]:
    """A text takes its font when it is made, so all of a drawing is made under these."""

    @wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Drawing:
        with _fonts():
            return draw(*args, **kwargs)

    return drawn


def _axes(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    """An empty figure of its own: nothing is drawn into another one by accident."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 4.8), layout="constrained")
    axes = figure.add_subplot()
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.grid(visible=True, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    return figure, axes


# --- the roofline --------------------------------------------------------------------------------


@_with_fonts
def roofline(
    machine: Machine,
    others: Sequence[str] = ("8 GB laptop", "Apple M2 (10-core GPU)", "NVIDIA RTX 4090"),
    models: Sequence[str] = ("smollm2:135m", "llama3.2:1b", "llama3.2:3b", "llama3.1:8b"),
    lang: str = "",
) -> Drawing:
    """Tokens per second against bytes per token: this machine's line, and those of others."""
    lang, notes = label_language(lang or language())
    text = TEXT[lang]
    machines = [machine, *(from_row(catalog.find_machine(name)) for name in others)]
    subjects = [find_subject(name) for name in models]
    figure, axes = _axes(text["roofline"], text["bytes"], text["speed"])
    # 1) the measurements of others, as a grey cloud: the lines should run through it
    known = [row for row in catalog.speeds() if row.n_params_active is None]
    axes.scatter(
        [row.file_gib * GIB / GB for row in known],
        [row.decode_tokens_per_second for row in known],
        s=9, color="#999999", label=text["published"], zorder=1,
    )  # fmt: skip
    # 2) a line for each machine
    span = [0.05 * 1.25**i for i in range(35)]
    rows = []
    for i, (one, style) in enumerate(zip(machines, MORE_LINES, strict=False)):
        speeds = [speed for size in span if (speed := _line_speed(one, size)) is not None]
        name = f"{text['this']}: {one.name}" if one.is_this and i == 0 else one.name
        if not speeds:  # its bandwidth is unknown
            continue
        axes.plot(span, speeds, color=style[0], linestyle=style[1], linewidth=2, label=name)
        # 3) and on it the models
        for subject in subjects:
            size = subject.weights.active_bytes / GB
            speed = _line_speed(one, size) or 0.0
            axes.plot([size], [speed], marker=style[2], color=style[0], markersize=7)
            rows.append((name, subject.name, f"{size:.2f}", f"{speed:.3g}"))
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.legend(fontsize=8)
    heads = (text["machine"], text["model"], text["bytes"], text["speed"])
    names = ", ".join(one.name for one in machines)
    return Drawing(figure, heads, tuple(rows), text["roofline_alt"].format(machines=names), notes)


def _line_speed(machine: Machine, size_gb: float, n_layer: int = 28) -> float | None:
    """Where a machine's line runs, for a model of so many gigabytes a token."""
    stream = stream_gb_s(machine, machine.gpus[0] if machine.gpus else None)
    if stream is None:
        return None
    flow, per_block_seconds = stream
    return 1 / decode_seconds(size_gb * GB, n_layer, flow, 1.0, per_block_seconds)


# --- memory --------------------------------------------------------------------------------------


@_with_fonts
def memory_by_context(
    model: str,
    machine: Machine | None = None,
    contexts: Sequence[int] = (2048, 4096, 8192, 16384, 32768),
    quant: str | None = None,
    lang: str = "",
) -> Drawing:
    """Weights, KV cache and buffers as stacked bars, one for each context length."""
    lang, notes = label_language(lang or language())
    text = TEXT[lang]
    subject = find_subject(model, quant)
    sizes = [estimate_memory(subject, Use(context)) for context in contexts]
    parts = (
        ("weights", [size.weights_bytes / GIB for size in sizes], BLUE, ""),
        ("kv", [(size.kv_bytes or 0) / GIB for size in sizes], ORANGE, "//"),
        ("buffers", [(size.compute_bytes + size.runtime_bytes) / GIB for size in sizes], SKY, ".."),
    )
    title = text["memory"].format(name=subject.name, quant=subject.weights.quant)
    figure, axes = _axes(title, text["context"], "GiB")
    floor = [0.0] * len(sizes)
    places = range(len(sizes))
    for key, values, colour, hatch in parts:
        axes.bar(places, values, bottom=floor, color=colour, hatch=hatch, edgecolor=BLACK,
                 width=0.6, label=text[key])  # fmt: skip
        floor = [low + value for low, value in zip(floor, values, strict=True)]
    if machine:
        free = machine.free_bytes / GIB
        axes.axhline(free, color=BLACK, linestyle="--")
        axes.annotate(text["free"].format(gib=free), (len(sizes) - 0.6, free), xytext=(0, 4),
                      textcoords="offset points", ha="right", fontsize=9)  # fmt: skip
    axes.set_xticks(list(places), [f"{context}" for context in contexts])
    axes.legend(fontsize=9, loc="upper left")
    rows = tuple(
        (str(context), *(f"{values[i]:.2f}" for _, values, _, _ in parts), f"{floor[i]:.2f}")
        for i, context in enumerate(contexts)
    )
    heads = (text["context"], *(f"{text[key]} (GiB)" for key, *_ in parts), text["total"])
    alt = text["memory_alt"].format(
        name=subject.name, weights=parts[0][1][0], first=parts[1][1][0], last=parts[1][1][-1]
    )
    return Drawing(figure, heads, rows, alt, notes)


# --- cost ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Way:
    """One way to get tokens, and what it costs in a month."""

    label: str
    fixed_usd: float  # a month, used or not
    usd_per_million: float  # tokens
    capacity_millions: float = float("inf")  # tokens a month

    def monthly_usd(self, millions: float) -> float | None:
        """
        >>> Way("bought", 50, 0.1, capacity_millions=100).monthly_usd(10)
        51.0
        """
        if millions > self.capacity_millions:
            return None
        return self.fixed_usd + self.usd_per_million * millions


@_with_fonts
def cost_break_even(
    model: str = "llama3.1:8b",
    buy: Sequence[str] = ("Apple M4 (10-core GPU)", "NVIDIA RTX 4090"),
    rent: Sequence[str] = ("AWS g6.xlarge",),
    api: Sequence[str] = ("gpt-4o-mini", "claude-haiku-4-5", "gemini-2.5-flash-lite"),
    usd_per_kwh: float = 0.25,
    months: int = 36,
    input_share: float = 0.75,
    lang: str = "",
) -> Drawing:
    """USD a month against tokens a month: bought, rented, called. Prices carry their dates."""
    lang, notes = label_language(lang or language())
    text = TEXT[lang]
    bought = []
    for name in buy:
        row = catalog.find_machine(name)
        hours = hours_for_a_million(row, model, input_share)
        bought.append(buy_way(row, hours, usd_per_kwh, months, text["buy"]))
    rented = []
    for name in rent:
        row = catalog.find_machine(name)
        rented.append(rent_way(row, hours_for_a_million(row, model, input_share), text["rent"]))
    called = [api_way(name, input_share, text["api"]) for name in api]
    ways = [*bought, *rented, *called]
    figure, axes = _axes(text["cost"].format(name=model), text["tokens"], text["usd"])
    amounts = [0.1 * 1.25**i for i in range(45)]
    for way, style in zip(ways, MORE_LINES, strict=False):
        pairs = [(m, usd) for m in amounts if (usd := way.monthly_usd(m)) is not None]
        axes.plot(*zip(*pairs, strict=True), color=style[0], linestyle=style[1], linewidth=2,
                  marker=style[2], markevery=8, markersize=5, label=way.label)  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.legend(fontsize=7)
    # where each bought or rented machine begins to beat the dearest API
    dearest = max(called, key=lambda way: way.usd_per_million)
    shown = (1.0, 10.0, 100.0)
    rows = []
    for way in ways:
        costs = [way.monthly_usd(m) for m in shown]
        start = break_even_millions(way, dearest)
        begins = text["never"] if start is None else f"{start:.3g} M"
        cells = ["–" if usd is None else f"{usd:.2f}" for usd in costs]
        rows.append((way.label, *cells, "" if way in called else begins))
    heads = (text["way"], *(text["at"].format(m=f"{m:g}") for m in shown))
    heads = (*heads, text["break_even"].format(name=dearest.label))
    return Drawing(figure, heads, tuple(rows), text["cost_alt"], notes)


def buy_way(
    row: catalog.MachineRow, million_hours: float, usd_per_kwh: float, months: int, label: str
) -> Way:
    """Bought: the price over its months of use, and power for the hours in which it works."""
    watts = row.peak_watts or ASSUMED_WATTS
    price = f"{row.price_usd or 0:.0f} USD"
    return Way(
        label=label.format(name=_short(row.name), price=price, date=row.price_date or "?"),
        fixed_usd=(row.price_usd or 0.0) / months,
        usd_per_million=million_hours * watts / 1000 * usd_per_kwh,
        capacity_millions=HOURS_IN_MONTH / million_hours,
    )


def rent_way(row: catalog.MachineRow, million_hours: float, label: str) -> Way:
    """Rented by the hour, and only for the hours in which it works."""
    price = f"{row.price_usd or 0:.2f} USD"
    return Way(
        label=label.format(name=_short(row.name), price=price, date=row.price_date or "?"),
        fixed_usd=0.0,
        usd_per_million=million_hours * (row.price_usd or 0.0),
        capacity_millions=HOURS_IN_MONTH / million_hours,
    )


def api_way(name: str, input_share: float, label: str) -> Way:
    """An API: so much for tokens that go in, and more for those that come out."""
    row = next(row for row in catalog.prices() if row.model == name)
    usd = input_share * row.input_usd_per_mtok + (1 - input_share) * row.output_usd_per_mtok
    return Way(label.format(name=row.model, date=row.date), 0.0, usd)


def break_even_millions(way: Way, other: Way) -> float | None:
    """From how many million tokens a month the first way is the cheaper one.

    >>> break_even_millions(Way("bought", 30, 0.5), Way("API", 0, 2))
    20.0
    """
    saved = other.usd_per_million - way.usd_per_million
    if saved <= 0:
        return None
    start = max(0.0, (way.fixed_usd - other.fixed_usd) / saved)
    return start if start <= way.capacity_millions else None


def hours_for_a_million(row: catalog.MachineRow, model: str, input_share: float) -> float:
    """How long a machine works for a million tokens, one request after another."""
    answer = fit(find_subject(model), from_row(row), Use())
    if answer.decode is None:
        raise ValueError(f"the speed of {row.name!r} is unknown")
    read = answer.prefill or answer.decode  # unknown: as slow as writing, to be safe
    seconds = input_share / middle(read) + (1 - input_share) / middle(answer.decode)
    return 1e6 * seconds / 3600


def middle(span: Range) -> float:
    """
    >>> middle(Range(4, 9))
    6.0
    """
    return float((span.low * span.high) ** 0.5)


def _short(name: str) -> str:
    return name.split(" (")[0].removeprefix("NVIDIA ").removeprefix("Apple ")
