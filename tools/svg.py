"""A sheet on which figures of slides are drawn: shapes and letters in, SVG text out.

One unit is one pixel of a slide of 1280 x 720, so a size given here is the size in the room.
Letters stay letters: a reader can search them, a test can measure them. The same drawing gives the
same bytes everywhere. Knows no figure and no data.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

SANS = "'Noto Sans CJK JP', 'Noto Sans JP', 'Hiragino Sans', 'Yu Gothic', Meiryo, sans-serif"
MONO = "'Noto Sans Mono CJK JP', 'DejaVu Sans Mono', Menlo, Consolas, 'BIZ UDGothic', monospace"
INK, GREY, LINE = "#1a1a1a", "#595959", "#8c8c8c"  # GREY on white: 7.0 to 1
LEADING = 1.32


def number(value: float) -> str:
    """At most one digit after the point: a tenth of a pixel is enough.

    >>> number(12.0), number(1 / 3), number(-0.01)
    ('12', '0.3', '0')
    """
    return f"{round(value, 1) + 0.0:.1f}".removesuffix(".0")


class Sheet:
    """Shapes in the order in which they are drawn; later ones lie on top."""

    def __init__(self, width: float, height: float, lang: str) -> None:
        self.width, self.height, self.lang = width, height, lang
        self._parts: list[str] = []

    def _add(self, tag: str, text: str = "", **attributes: str | float | None) -> None:
        said = "".join(
            f" {name.replace('_', '-')}={quoteattr(number(v) if not isinstance(v, str) else v)}"
            for name, v in attributes.items()
            if v is not None
        )
        self._parts.append(f"<{tag}{said}>{text}</{tag}>" if text else f"<{tag}{said}/>")

    def text(
        self,
        x: float,
        y: float,
        words: str,
        size: float = 24,
        color: str = INK,
        anchor: str = "start",
        bold: bool = False,
        mono: bool = False,
    ) -> None:
        """One line for each line of `words`; `y` is the base of the first."""
        for i, line in enumerate(words.split("\n")):
            self._add(
                "text", escape(line), x=x, y=y + i * size * LEADING, font_size=size, fill=color,
                text_anchor=None if anchor == "start" else anchor,
                font_weight="700" if bold else None,
                font_family=MONO if mono else None,
            )  # fmt: skip

    def rect(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        fill: str = "none",
        stroke: str | None = None,
        stroke_width: float = 2,
        radius: float = 0,
        dash: str | None = None,
    ) -> None:
        self._add(
            "rect", x=x, y=y, width=width, height=height, rx=radius or None, fill=fill,
            stroke=stroke, stroke_width=stroke_width if stroke else None, stroke_dasharray=dash,
        )  # fmt: skip

    def circle(
        self, x: float, y: float, r: float, fill: str, stroke: str | None = None, width: float = 2
    ) -> None:
        self._add(
            "circle", cx=x, cy=y, r=r, fill=fill, stroke=stroke,
            stroke_width=width if stroke else None,
        )  # fmt: skip

    def line(
        self,
        points: Sequence[tuple[float, float]],
        color: str = INK,
        width: float = 3,
        dash: str | None = None,
    ) -> None:
        joined = " ".join(f"{number(x)},{number(y)}" for x, y in points)
        self._add(
            "polyline", points=joined, fill="none", stroke=color, stroke_width=width,
            stroke_dasharray=dash, stroke_linecap="butt", stroke_linejoin="round",
        )  # fmt: skip

    def shape(
        self, points: Sequence[tuple[float, float]], fill: str, stroke: str | None = None
    ) -> None:
        joined = " ".join(f"{number(x)},{number(y)}" for x, y in points)
        self._add("polygon", points=joined, fill=fill, stroke=stroke,
                  stroke_width=2 if stroke else None)  # fmt: skip

    def arrow(
        self,
        start: tuple[float, float],
        end: tuple[float, float],
        color: str = INK,
        width: float = 3,
        dash: str | None = None,
    ) -> None:
        """A straight line with a head at its end."""
        (x1, y1), (x2, y2) = start, end
        length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
        ux, uy = (x2 - x1) / length, (y2 - y1) / length
        head = 5 + 3 * width
        bx, by = x2 - ux * head, y2 - uy * head
        half = head * 0.55
        self.line([start, (bx, by)], color, width, dash)
        self.shape([(x2, y2), (bx - uy * half, by + ux * half), (bx + uy * half, by - ux * half)],
                   color)  # fmt: skip

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        words: str,
        fill: str = "#eaf3f8",
        stroke: str = INK,
        color: str = INK,
        size: float = 24,
        bold: bool = False,
        mono: bool = False,
    ) -> None:
        """A rounded box with its words in the middle."""
        self.rect(x, y, width, height, fill, stroke, radius=10)
        rows = words.count("\n") + 1
        top = y + height / 2 - (rows - 1) * size * LEADING / 2 + size * 0.36
        self.text(x + width / 2, top, words, size, color, "middle", bold, mono)

    def svg(self) -> str:
        """The whole drawing; ends with a line break."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{number(self.width)}" '
            f'height="{number(self.height)}" viewBox="0 0 {number(self.width)} '
            f'{number(self.height)}" lang="{self.lang}" font-family="{SANS}">'
        )
        return "\n".join([head, *self._parts, "</svg>"]) + "\n"
