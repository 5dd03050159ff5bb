"""Tables and marked text: rows with a header, the fields of a reply, and notes to parts of a text.

Each is HTML that a screen reader can announce, and plain text where there is none. The texts that
explain a reply's fields stand here in both languages. Knows no server.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jimoto.errors import language
from jimoto.formats import text_width

SHOWN = 40  # columns of a long value
LEFT = 'style="text-align:left"'  # Jupyter sets tables to the right, which no sentence survives

# What the fields of /api/generate and /api/chat mean; a field that is not here has no note.
FIELDS: dict[str, dict[str, str]] = {
    "en": {
        "model": "who answered",
        "created_at": "when the server made this reply (UTC)",
        "response": "the answer",
        "message": "the answer, with its role",
        "done": "is this the last line?",
        "done_reason": "why it ended: stop, length, load",
        "context": "the conversation as token numbers (an old field)",
        "total_duration": "everything below, and a little more",
        "load_duration": "until the model was in memory",
        "prompt_eval_count": "tokens that were read",
        "prompt_eval_duration": "time to read them",
        "eval_count": "tokens that were written",
        "eval_duration": "time to write them",
    },
    "ja": {
        "model": "回答したモデル",
        "created_at": "応答を作った時刻(UTC)",
        "response": "回答",
        "message": "回答とロール",
        "done": "最後の行かどうか",
        "done_reason": "終わった理由(stop、length、load)",
        "context": "会話をトークン番号で表したもの(古いフィールド)",
        "total_duration": "以下の合計に少し足したもの",
        "load_duration": "モデルがメモリに入るまで",
        "prompt_eval_count": "読んだトークンの数",
        "prompt_eval_duration": "読むのにかかった時間",
        "eval_count": "書いたトークンの数",
        "eval_duration": "書くのにかかった時間",
    },
}
HEADS = {
    "en": ("field", "value", "in words", "what it is"),
    "ja": ("フィールド", "値", "言い換え", "意味"),
}
WORDS = {"en": {"tokens": "tokens"}, "ja": {"tokens": "トークン"}}


@dataclass(frozen=True)
class Table:
    """Rows under a header."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def __repr__(self) -> str:
        lines = (self.heads, *self.rows)
        widths = [max(text_width(line[i]) for line in lines) for i in range(len(self.heads))]
        return "\n".join(
            "  ".join(
                cell + " " * (width - text_width(cell))
                for cell, width in zip(line, widths, strict=True)
            ).rstrip()
            for line in lines
        )

    def _repr_html_(self) -> str:
        head = "".join(f'<th scope="col" {LEFT}>{html.escape(cell)}</th>' for cell in self.heads)
        rows = "".join(
            "<tr>" + "".join(f"<td {LEFT}>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in self.rows
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def field_table(reply: Any, lang: str = "") -> Table:
    """The fields of a reply (a dict, or what the client returns): value, unit and meaning.

    >>> field_table({"eval_count": 34, "eval_duration": 755_974_108}, "en")
    field          value        in words   what it is
    eval_count     34           34 tokens  tokens that were written
    eval_duration  755,974,108  756 ms     time to write them
    """
    lang = lang or language()
    facts: Mapping[str, Any] = reply if isinstance(reply, Mapping) else dict(reply)
    notes = FIELDS[lang]
    rows = tuple(
        (name, _shown(value), _in_words(name, value, lang), notes.get(name, ""))
        for name, value in facts.items()
        if value is not None
    )
    return Table(HEADS[lang], rows)


def _shown(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    text = str(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def _in_words(name: str, value: Any, lang: str) -> str:
    if name.endswith("_duration"):
        return f"{value / 1e6:,.0f} ms"
    if name.endswith("_count"):
        return f"{value:,} {WORDS[lang]['tokens']}"
    return ""


@dataclass(frozen=True)
class Marked:
    """A text, and notes to parts of it in the order in which they stand there."""

    text: str
    places: tuple[tuple[int, str, str], ...]  # where, part, note

    def __repr__(self) -> str:
        notes = [f"[{n}] {part}: {note}" for n, (_, part, note) in enumerate(self.places, 1)]
        return "\n".join([self._with("{part}[{n}]"), "", *notes])

    def _repr_html_(self) -> str:
        marked = self._with("<mark><b>{part}</b></mark>[{n}]", html.escape)
        notes = "".join(
            f"<li><code>{html.escape(part)}</code>: {html.escape(note)}</li>"
            for _, part, note in self.places
        )
        return f"<pre>{marked}</pre><ol>{notes}</ol>"

    def _with(self, shape: str, made: Any = str) -> str:
        pieces, end = [], 0
        for n, (at, part, _) in enumerate(self.places, 1):
            pieces += [made(self.text[end:at]), shape.format(part=made(part), n=n)]
            end = at + len(part)
        return "".join([*pieces, made(self.text[end:])])


def mark(text: str | Sequence[str], notes: Mapping[str, str]) -> Marked:
    """Mark the first place of each part and number its note; a part that is not there is left out.

    >>> mark("docker run -it ollama", {"-it": "a terminal"})
    docker run -it[1] ollama
    <BLANKLINE>
    [1] -it: a terminal
    """
    whole = (text if isinstance(text, str) else "\n".join(text)).rstrip()
    found = sorted((whole.find(part), part, note) for part, note in notes.items())
    return Marked(whole, tuple(place for place in found if place[0] >= 0))
