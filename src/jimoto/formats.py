"""Sizes, times and tables as `ollama` prints them, and the columns that a text takes.

Pure; knows nothing of servers or terminals.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from unicodedata import category, combining, east_asian_width

SECOND_NS = 1_000_000_000


def size_text(size_bytes: int) -> str:
    """Decimal units; one decimal below ten unless whole, cut off from ten on.

    >>> [size_text(n) for n in (999, 1_500_000, 2_000_000_000, 42_900_000_000)]
    ['999 B', '1.5 MB', '2 GB', '42 GB']
    """
    value, unit = float(size_bytes), "B"
    for bigger in ("KB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, bigger
    if value >= 10 or value == int(value):
        return f"{int(value)} {unit}"
    return f"{value:.1f} {unit}"


def span_text(span: timedelta) -> str:
    """How long, in the words of `ollama list`.

    >>> span_text(timedelta(seconds=0.4)), span_text(timedelta(minutes=61))
    ('Less than a second', 'About an hour')
    """
    seconds = int(span.total_seconds())
    minutes, hours = seconds // 60, round(seconds / 3600)
    days = seconds // 86400
    if seconds < 1:
        return "Less than a second"
    if seconds < 60:
        return f"{seconds} second{'s' * (seconds != 1)}"
    if minutes == 1:
        return "About a minute"
    if minutes < 60:
        return f"{minutes} minutes"
    if hours == 1:
        return "About an hour"
    if hours < 48:
        return f"{hours} hours"
    if days < 14:
        return f"{days} days"
    if days < 60:
        return f"{days // 7} weeks"
    if days < 730:
        return f"{days // 30} months"
    return f"{days // 365} years"


def since_text(then: datetime, now: datetime) -> str:
    """The MODIFIED column."""
    return f"{span_text(now - then)} ago"


def until_text(then: datetime, now: datetime) -> str:
    """The UNTIL column; what lies beyond 20 years was meant as forever."""
    if then - now > timedelta(days=20 * 365):
        return "Forever"
    return "Stopping..." if then <= now else f"{span_text(then - now)} from now"


def processor_text(size_bytes: int, on_gpu_bytes: int) -> str:
    """The PROCESSOR column.

    >>> processor_text(100, 0), processor_text(100, 52)
    ('100% CPU', '48%/52% CPU/GPU')
    """
    if not size_bytes:
        return "Unknown"
    gpu = round(100 * on_gpu_bytes / size_bytes)
    if gpu in (0, 100):
        return "100% GPU" if gpu else "100% CPU"
    return f"{100 - gpu}%/{gpu}% CPU/GPU"


def count_text(count: int) -> str:
    """A parameter count.

    >>> [count_text(n) for n in (5_115_136, 8_030_261_248, 135_000)]
    ['5.12M', '8.0B', '135K']
    """
    for size, unit, decimals in ((10**9, "B", 1), (10**6, "M", 2), (10**3, "K", 0)):
        if count >= size:
            value = count / size
            return f"{int(value)}{unit}" if value == int(value) else f"{value:.{decimals}f}{unit}"
    return str(count)


def duration_text(nanoseconds: int) -> str:
    """A duration as Go prints it.

    >>> [duration_text(n) for n in (1_500_000, 2_000_000_000, 62_500_000_000)]
    ['1.5ms', '2s', '1m2.5s']
    """
    if nanoseconds < SECOND_NS:
        for unit_ns, unit in ((10**6, "ms"), (10**3, "µs")):
            if nanoseconds >= unit_ns:
                return f"{nanoseconds / unit_ns:.9g}{unit}"
        return f"{nanoseconds}ns"
    minutes, rest_ns = divmod(nanoseconds, 60 * SECOND_NS)
    hours, minutes = divmod(minutes, 60)
    front = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{front}{rest_ns / SECOND_NS:.11g}s"


def duration_seconds(text: str) -> float:
    """A Go duration, as `--keepalive` takes it; ValueError names what cannot be read.

    >>> duration_seconds("1m30s"), duration_seconds("-1m"), duration_seconds("0")
    (90.0, -60.0, 0.0)
    """
    if text == "0":
        return 0.0
    units = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
    part = r"(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)"
    match = re.fullmatch(rf"([+-]?)((?:{part})+)", text)
    if not match:
        raise ValueError(f"time: invalid duration {text!r}")
    total = sum(float(number) * units[unit] for number, unit in re.findall(part, match[2]))
    return -total if match[1] == "-" else total


def text_width(text: str) -> int:
    """Columns of a text: 2 for kanji and kana, 0 for marks that join the character before.

    >>> [text_width(text) for text in ("mameまめ", "ﾏ", "\\u3099")]
    [8, 1, 0]
    """
    seen = [char for char in text if not (combining(char) or category(char) in ("Mn", "Me", "Cf"))]
    return len(seen) + sum(east_asian_width(char) in "WF" for char in seen)


def table_text(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Left-aligned columns, four spaces apart, without borders."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    return "\n".join(
        "    ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        for row in [header, *rows]
    )


def section_text(title: str, rows: Sequence[Sequence[str]]) -> str:
    """One heading of `ollama show` with its rows, indented by two and by four."""
    width = max((len(row[0]) for row in rows if len(row) > 1), default=0)
    body = ("    " + "    ".join([f"{row[0]:<{width}}", *row[1:]]).rstrip() for row in rows)
    return "\n".join([f"  {title}", *body, ""])
