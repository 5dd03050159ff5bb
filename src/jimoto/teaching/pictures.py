"""Still pictures of conversations and flows, as SVG: what paper and a page on the web show.

A picture is made of boxes with a heading and a text; beside each other or one after the other,
with arrows. Text is cut to a width that counts a Japanese letter twice. Knows no widget, no
server and no font but the reader's.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from jimoto.formats import text_width
from jimoto.teaching.figures import BLACK, BLUE

LETTER, LINE, PADDING, GAP = 7.6, 20, 12, 28  # px; LETTER is the width of half a kanji
MOST_LINES = 12


@dataclass(frozen=True)
class Box:
    """A heading (who speaks, which stage) and what is said."""

    head: str
    text: str


def wrap(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns; at spaces where there are any, else between letters."""
    lines: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for piece in _pieces(paragraph):
            for part in (piece,) if text_width(piece) <= width else tuple(piece):
                if text_width(line + part.rstrip()) > width:
                    lines.append(line.rstrip())
                    line = part.lstrip()
                else:
                    line += part
        lines.append(line.rstrip())
    return lines


def _pieces(paragraph: str) -> list[str]:
    """'to be 豆' → ['to ', 'be ', '豆']: a word with its space, or one wide letter."""
    pieces = [""]
    for letter in paragraph:
        wide = text_width(letter) == 2
        if wide or (pieces[-1] and (pieces[-1][-1] == " " or text_width(pieces[-1][-1]) == 2)):
            pieces.append("")
        pieces[-1] += letter
    return [piece for piece in pieces if piece]


def draw(boxes: Sequence[Box], alt: str, *, width: int = 88, beside: bool = False) -> str:
    """The boxes as one SVG; `width`: columns in all; `beside`: in a row, not a stack."""
    each = max(20, (width // len(boxes) - 4) if beside and boxes else width)
    texts = [wrap(box.text, each) for box in boxes]
    cut = [t if len(t) <= MOST_LINES else [*t[: MOST_LINES - 1], "…"] for t in texts]
    box_width = round(each * LETTER) + 2 * PADDING
    heights = [(len(lines) + 1) * LINE + 2 * PADDING for lines in cut]
    shapes: list[str] = []
    x = y = 1
    for number, (box, lines, height) in enumerate(zip(boxes, cut, heights, strict=True)):
        shapes.append(_box(x, y, box_width, max(heights) if beside else height, box.head, lines))
        if beside:
            x += box_width + GAP
            continue
        y += height
        if number < len(boxes) - 1:
            middle = x + box_width // 2
            shapes.append(f'<path d="M{middle} {y + 3} v{GAP - 10} m-5 -6 l5 6 l5 -6" {_LINE}/>')
            y += GAP
    total = (x - GAP + 1, max(heights, default=0) + 2) if beside else (box_width + 2, y + 1)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" width="{total[0]}" '
        f'height="{total[1]}" viewBox="0 0 {total[0]} {total[1]}" '
        f'font-family="sans-serif" font-size="14"><title>{html.escape(alt)}</title>'
        f'<rect width="100%" height="100%" fill="#FFFFFF"/>{"".join(shapes)}</svg>'
    )


_LINE = f'fill="none" stroke="{BLUE}" stroke-width="2"'


def _box(x: int, y: int, width: int, height: int, head: str, lines: list[str]) -> str:
    left, first = x + PADDING, y + PADDING + 14
    texts = [f'<text x="{left}" y="{first}" font-weight="bold" fill="{BLUE}">{html.escape(head)}']
    texts += [
        f'<text x="{left}" y="{first + LINE * (n + 1)}" fill="{BLACK}">{html.escape(line)}'
        for n, line in enumerate(lines)
    ]
    frame = f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="6" {_LINE}/>'
    return frame + "".join(f"{text}</text>" for text in texts)
