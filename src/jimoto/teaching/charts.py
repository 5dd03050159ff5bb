"""Figures of lesson 02, as SVG: when the pieces of a stream arrive, what a reply's time went into,
and how a folder grows and shrinks.

Each comes as a `Chart`: the picture, its numbers as a table, and the sentence that says the same.
Written by hand rather than with matplotlib: the first lesson needs no second of import, no font
cache and no font of its own. Knows no server.
"""

from __future__ import annotations

import html
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

from jimoto.errors import language
from jimoto.teaching.figures import BLACK, BLUE, ORANGE, SKY
from jimoto.teaching.tables import Table

WIDTH = 640
LEFT, RIGHT = 60, 600  # px between which data are drawn
GREY = "#595959"

TEXT = {
    "en": {
        "arrivals": "When the pieces of the answer arrive",
        "after": "ms after the question",
        "first": "first piece",
        "last": "last piece",
        "count": "pieces",
        "gap": "from piece to piece (median)",
        "what": "what",
        "value": "value",
        "arrivals_alt": "Dot timeline, in ms after the question: {n} pieces. The first arrives "
        "after {first} ms, the last after {last} ms.",
        "load": "Where the time of a reply goes",
        "load_part": "load",
        "read_part": "read",
        "write_part": "write",
        "reply": "reply",
        "total": "total",
        "load_alt": "Two stacked bars, in ms. The first reply took {first} ms, of which {load} ms "
        "were the load; the second took {second} ms, with {again} ms of load.",
        "disk": "Folder of the models (MB above its smallest)",
        "moments": ("start", "cp", "rm copy", "rm mame", "put back"),
        "moment": "moment",
        "change": "change (MB)",
        "disk_alt": "Five bars: what the folder holds at the start and after four steps. The "
        "changes are {changes} MB.",
    },
    "ja": {
        "arrivals": "回答の断片が届いた時刻",
        "after": "質問からの時間(ms)",
        "first": "最初の断片",
        "last": "最後の断片",
        "count": "断片の数",
        "gap": "次の断片までの間隔(中央値)",
        "what": "項目",
        "value": "値",
        "arrivals_alt": "点で示した時系列。横軸は質問からの時間(ms)。断片は{n}個で、"
        "最初は{first} ms後、最後は{last} ms後に届きました。",
        "load": "応答にかかった時間の内訳",
        "load_part": "読み込み",
        "read_part": "読む",
        "write_part": "書く",
        "reply": "応答",
        "total": "合計",
        "load_alt": "積み上げ棒グラフ2本(ms)。1回目は{first} msで、そのうち読み込みが{load} ms。"
        "2回目は{second} msで、読み込みは{again} msです。",
        "disk": "モデルのフォルダー(最小時からのMB)",
        "moments": ("最初", "コピー", "コピーを削除", "mameを削除", "入れ直し"),
        "moment": "時点",
        "change": "増減(MB)",
        "disk_alt": "棒グラフ5本。最初と、四つの操作の後のフォルダーの大きさです。"
        "増減は{changes} MB。",
    },
}  # fmt: skip


class Reply(Protocol):
    """What a chart needs of a reply; durations in nanoseconds, as the wire has them."""

    total_duration: int | None
    load_duration: int | None
    prompt_eval_duration: int | None
    eval_duration: int | None


@dataclass(frozen=True)
class Chart:
    """A picture with what it says: its numbers and one sentence. A notebook shows all of it."""

    svg: str
    table: Table
    alt: str

    def __repr__(self) -> str:
        return self.alt

    def _ipython_display_(self) -> None:
        """Two outputs, because a page shows only one form of each: the picture, then the table."""
        from IPython.display import display

        display({"image/svg+xml": self.svg, "text/plain": self.alt}, raw=True)  # type: ignore[no-untyped-call]
        display(self.table)  # type: ignore[no-untyped-call]


# --- the three charts ------------------------------------------------------------------------


def arrival_dots(arrived_ms: Sequence[float], lang: str = "") -> Chart:
    """One dot for each piece of a stream, on an axis of ms. Errors: ValueError without a piece."""
    if not arrived_ms:
        raise ValueError("no piece has arrived")
    words = _words(lang)
    first, last = arrived_ms[0], arrived_ms[-1]
    scale = (RIGHT - LEFT) / (last or 1.0)
    radius = 5 if len(arrived_ms) <= 60 else 3
    shapes = [
        _text(LEFT, 24, words["arrivals"], bold=True),
        f'<path d="M{LEFT} 80 H{RIGHT}" stroke="{GREY}"/>',
    ]
    shapes += [
        f'<circle cx="{LEFT + at * scale:.1f}" cy="80" r="{radius}" fill="{BLUE}"/>'
        for at in arrived_ms
    ]
    x = LEFT + first * scale
    shapes.append(f'<path d="M{x:.1f} 72 V58" stroke="{BLACK}"/>')
    # Near the right edge the label ends at its dot, else it begins there.
    anchor = "end" if x > (LEFT + RIGHT) / 2 else "start"
    shapes.append(_text(x, 52, f"{words['first']}: {first:.0f} ms", anchor))
    for tick in ticks(last):
        at = LEFT + tick * scale
        shapes.append(f'<path d="M{at:.1f} 92 v6" stroke="{GREY}"/>')
        shapes.append(_text(at, 114, f"{tick:g}", "middle"))
    shapes.append(_text((LEFT + RIGHT) / 2, 136, words["after"], "middle"))
    gaps = [b - a for a, b in pairwise(arrived_ms)]
    rows = (
        (words["count"], f"{len(arrived_ms)}"),
        (words["first"], f"{first:.0f} ms"),
        (words["last"], f"{last:.0f} ms"),
        (words["gap"], f"{statistics.median(gaps):.0f} ms" if gaps else "–"),
    )
    alt = words["arrivals_alt"].format(n=len(arrived_ms), first=f"{first:.0f}", last=f"{last:.0f}")
    return Chart(_svg(shapes, 148, alt), Table((words["what"], words["value"]), rows), alt)


def load_bars(first: Reply, second: Reply, lang: str = "") -> Chart:
    """Two replies as stacked bars: loading, reading the prompt, writing; in ms."""
    words = _words(lang)
    names = [words[key] for key in ("load_part", "read_part", "write_part")]
    times = [parts_ms(reply) for reply in (first, second)]
    scale = (RIGHT - LEFT - 70) / (max(map(sum, times)) or 1.0)
    looks = ("url(#lines)", SKY, BLUE)
    shapes = [_HATCH, _text(LEFT, 24, words["load"], bold=True)]
    for number, parts in enumerate(times):
        x, y = float(LEFT), 44 + 46 * number
        shapes.append(_text(LEFT - 12, y + 20, f"{number + 1}", "end"))
        for part, fill in zip(parts, looks, strict=True):
            width = part * scale
            shapes.append(
                f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="30" fill="{fill}" '
                f'stroke="{BLACK}"/>'
            )
            x += width
        shapes.append(_text(x + 8, y + 20, f"{sum(parts):.0f} ms"))
    x = float(LEFT)
    for name, fill in zip(names, looks, strict=True):
        shapes.append(
            f'<rect x="{x}" y="142" width="16" height="16" fill="{fill}" stroke="{BLACK}"/>'
        )
        shapes.append(_text(x + 24, 155, name))
        x += 110
    rows = tuple(
        (f"{n}", *(f"{part:.1f} ms" for part in parts), f"{sum(parts):.1f} ms")
        for n, parts in enumerate(times, 1)
    )
    alt = words["load_alt"].format(
        first=f"{sum(times[0]):.0f}", load=f"{times[0][0]:.0f}",
        second=f"{sum(times[1]):.0f}", again=f"{times[1][0]:.1f}",
    )  # fmt: skip
    heads = (words["reply"], *names, words["total"])
    return Chart(_svg(shapes, 168, alt), Table(heads, rows), alt)


def disk_steps(sizes_mb: Sequence[float], lang: str = "") -> Chart:
    """Five sizes of a folder: at the start, and after cp, rm, rm and putting back.

    Bars stand on the smallest of them, or a folder full of other models would hide the changes.
    Errors: ValueError for any other number of sizes.
    """
    words = _words(lang)
    moments = words["moments"]
    if len(sizes_mb) != len(moments):
        raise ValueError(f"{len(sizes_mb)} sizes, not {len(moments)}")
    above = [size - min(sizes_mb) for size in sizes_mb]
    changes = [_signed(b - a) for a, b in pairwise(sizes_mb)]
    scale, each = 110 / (max(above) or 1.0), (RIGHT - LEFT) / len(moments)
    shapes = [_text(LEFT, 24, words["disk"], bold=True)]
    for number, (moment, size) in enumerate(zip(moments, above, strict=True)):
        middle, height = LEFT + each * (number + 0.5), size * scale
        shapes.append(
            f'<rect x="{middle - 34:.0f}" y="{170 - height:.1f}" width="68" '
            f'height="{height:.1f}" fill="{SKY}" stroke="{BLACK}"/>'
        )
        shapes.append(_text(middle, 162 - height, f"{size:.1f}", "middle"))
        shapes.append(_text(middle, 190, moment, "middle"))
        if number:
            shapes.append(_text(middle, 210, changes[number - 1], "middle", bold=True))
    shapes.append(f'<path d="M{LEFT} 170 H{RIGHT}" stroke="{GREY}"/>')
    rows = tuple(
        (moment, f"{size:.1f}", change)
        for moment, size, change in zip(moments, above, ("", *changes), strict=True)
    )
    alt = words["disk_alt"].format(changes=", ".join(changes))
    heads = (words["moment"], "MB", words["change"])
    return Chart(_svg(shapes, 222, alt), Table(heads, rows), alt)


# --- numbers ----------------------------------------------------------------------------------


def parts_ms(reply: Reply) -> tuple[float, float, float]:
    """Loading, reading the prompt and writing, in ms; what a server leaves out counts as 0."""
    parts = (reply.load_duration, reply.prompt_eval_duration, reply.eval_duration)
    return tuple((part or 0) / 1e6 for part in parts)  # type: ignore[return-value]


def ticks(most: float) -> list[float]:
    """From 0 up to `most`, in at most five steps of 1, 2 or 5 times a power of ten.

    >>> ticks(964)
    [0.0, 200.0, 400.0, 600.0, 800.0]
    """
    if most <= 0:
        return [0.0]
    powers = (10.0**n for n in range(-3, 12))
    steps = (power * factor for power in powers for factor in (1, 2, 5))
    step = next(step for step in steps if most / step <= 5)
    return [step * n for n in range(int(most / step) + 1)]


def _signed(mb: float) -> str:
    return f"{mb + 0.0:+.1f}" if abs(mb) >= 0.05 else "0.0"


# --- shapes -----------------------------------------------------------------------------------

# The load is hatched: two bars must be told apart on grey paper too.
_HATCH = (
    '<defs><pattern id="lines" width="8" height="8" patternUnits="userSpaceOnUse">'
    f'<rect width="8" height="8" fill="{ORANGE}"/>'
    f'<path d="M-2 10 L10 -2 M-2 2 L2 -2 M6 10 L10 6" stroke="{BLACK}"/></pattern></defs>'
)


def _words(lang: str) -> dict[str, str]:
    return TEXT[lang or language()]  # type: ignore[return-value]


def _text(x: float, y: float, words: str, anchor: str = "start", bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{weight} fill="{BLACK}">'
        f"{html.escape(words)}</text>"
    )


def _svg(shapes: Sequence[str], height: int, alt: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="14">'
        f'<title>{html.escape(alt)}</title><rect width="100%" height="100%" fill="#FFFFFF"/>'
        f"{''.join(shapes)}</svg>"
    )
