"""The reports of a room's computers in one table: an HTML page in both languages.

One file, no script, nothing loaded from anywhere. A verdict is a word and a sign, never a colour
alone. A computer is known by the name of its file, which the instructor chose, and by its code.
"""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from jimoto.checkup.facts import Facts, NotFacts, clean, parse_facts
from jimoto.checkup.verdict import judge, notes
from jimoto.checkup.words import (
    KINDS,
    LABELS,
    disk_text,
    gpu_text,
    memory_text,
    models_text,
    note_text,
    server_text,
    verdict_text,
)
from jimoto.errors import FileIsThere, FileNotWritten, ReportBroken

REPORT_LIMIT_BYTES = 1_000_000
MARK = "<!-- jimoto doctor --merge -->"  # on the first line: such a page may be written again
SIGNS = {"ready": "✓", "mame": "◐", "not": "✗"}
ORDER = ("not", "mame", "ready")  # who needs help stands on top
LANGS = ("en", "ja")

_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, "Hiragino Sans", "Yu Gothic UI", "Noto Sans CJK JP", sans-serif;
  margin: 1.5rem; color: #1b1b1b; background: #fff; }
h1 { font-size: 1.4rem; margin: 0 0 .5rem; }
[lang=ja] { display: block; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; }
caption { text-align: left; padding: .5rem 0; }
td { min-width: 6rem; }
th, td { border: 1px solid #767676; padding: .35rem .6rem; text-align: left; vertical-align: top; }
thead th { background: #ececec; }
.not { border-left: .5rem solid #b00020; }
.mame { border-left: .5rem solid #8a6100; }
.ready { border-left: .5rem solid #1a6b2c; }
td.verdict { font-weight: 600; min-width: 14rem; }
code { font-family: ui-monospace, monospace; font-weight: 400; }
ul { margin: 0; padding-left: 1.1rem; }
@media (prefers-color-scheme: dark) {
  body { color: #f0f0f0; background: #161616; }
  thead th { background: #2c2c2c; }
}
"""

_WORDS = {
    "title": ("Is this room ready?", "教室の準備状況"),
    "caption": (
        "One row for each report; machines that need help come first.",
        "1行が1台です。手助けが必要なコンピューターから並んでいます。",
    ),
    "machine": ("Machine (code)", "コンピューター(コード)"),
    "verdict": ("Verdict, and what to do", "判定と、すること"),
    "versions": ("Jimoto, Python", "Jimoto、Python"),
    "notes": ("Notes", "補足"),
    "broken": ("Files that are no reports", "診断結果として読めないファイル"),
    "none": ("No reports yet.", "診断結果はまだありません。"),
}


@dataclass(frozen=True)
class Seat:
    """One computer of the room."""

    label: str
    facts: Facts


def find_files(patterns: Sequence[str]) -> list[Path]:
    """Files and patterns, as a shell would expand them: the one of Windows does not."""
    found: dict[Path, None] = {}
    for text in patterns:
        path = Path(text)
        matches = [] if path.exists() else sorted(glob.glob(text))
        found |= dict.fromkeys(Path(match) for match in matches or [text])
    return list(found)


def read_seats(paths: Sequence[Path]) -> tuple[list[Seat], list[ReportBroken]]:
    """The reports that can be read, and an error for each file that is none."""
    seats, broken = [], []
    for path in paths:
        try:
            with path.open("rb") as file:
                raw = file.read(REPORT_LIMIT_BYTES + 1)
            if len(raw) > REPORT_LIMIT_BYTES:
                raise NotFacts("other")
            seats.append(Seat(clean(path.stem), parse_facts(raw)))
        except OSError:
            broken.append(ReportBroken(str(path), "absent"))
        except NotFacts as error:
            broken.append(ReportBroken(str(path), str(error)))
    return seats, broken


def room_page(seats: Sequence[Seat], broken: Sequence[ReportBroken] = ()) -> str:
    """The whole page as HTML text."""
    ordered = sorted(seats, key=lambda seat: (ORDER.index(judge(seat.facts).kind), seat.label))
    counts = Counter(judge(seat.facts).kind for seat in seats)
    english, japanese = (
        " · ".join(f"{SIGNS[kind]} {KINDS[lang][kind]}: {counts[kind]}" for kind in ORDER[::-1])
        for lang in LANGS
    )
    heads = [
        "machine", "verdict", "system", "processor", "memory", "disk", "gpu", "ollama", "models",
        "versions", "notes",
    ]  # fmt: skip
    head = "".join(f'<th scope="col">{_both(*_label(key))}</th>' for key in heads)
    rows = "\n".join(_row(seat) for seat in ordered)
    table = f"""<div class="wide" role="region" tabindex="0" aria-labelledby="caption">
<table>
<caption id="caption">{_both(*_WORDS["caption"])}</caption>
<thead><tr>{head}</tr></thead>
<tbody>
{rows}
</tbody>
</table>
</div>"""
    return f"""<!DOCTYPE html>{MARK}
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(" / ".join(_WORDS["title"]))}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{_both(*_WORDS["title"])}</h1>
<p>{_both(english, japanese)}</p>
{table if seats else f"<p>{_both(*_WORDS['none'])}</p>"}
{_broken_list(broken)}</main>
</body>
</html>
"""


def write_room(page: str, target: Path) -> None:
    """Write the page; an older one may be replaced, any other file not.

    Errors: FileIsThere, FileNotWritten.
    """
    try:
        if target.exists() and MARK not in target.read_text("utf-8", errors="replace")[:200]:
            raise FileIsThere(str(target), "jimoto doctor --merge … --out NAME.html")
        part = target.with_name(f".{target.name}.part")
        try:
            part.write_text(page, encoding="utf-8", newline="\n")
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        cause = "space" if error.errno == 28 else "refused"
        raise FileNotWritten(str(target), cause) from None


def _row(seat: Seat) -> str:
    facts = seat.facts
    kind = judge(facts).kind
    english, japanese = (_code(f"{SIGNS[kind]} {verdict_text(facts, lang)}") for lang in LANGS)
    cells = [
        escape(f"{facts.system} {facts.arch}".strip()),
        escape(f"{facts.processor} × {facts.n_core}" if facts.n_core else "?"),
        *(_texts(text, facts) for text in (memory_text, disk_text, gpu_text)),
        _texts(server_text, facts),
        _texts(models_text, facts),
        escape(f"{facts.jimoto}, {facts.python}"),
        _notes(facts),
    ]
    return (
        f'<tr><th scope="row" class="{kind}">{escape(seat.label)} '
        f"<code>{escape(facts.code)}</code></th>"
        f'<td class="verdict">{_pair(english, japanese)}</td>'
        + "".join(f"<td>{cell}</td>" for cell in cells)
        + "</tr>"
    )


def _texts(text: Callable[[Facts, str], str], facts: Facts) -> str:
    return _both(text(facts, "en"), text(facts, "ja"))


def _notes(facts: Facts) -> str:
    items = (
        f"<li>{_pair(_code(note_text(key, facts, 'en')), _code(note_text(key, facts, 'ja')))}</li>"
        for key in notes(facts)
    )
    return f"<ul>{''.join(items)}</ul>"


def _broken_list(broken: Sequence[ReportBroken]) -> str:
    if not broken:
        return ""
    said = [[error.text(lang).splitlines()[0] for lang in LANGS] for error in broken]
    items = "\n".join(f"<li>{_both(english, japanese)}</li>" for english, japanese in said)
    return f"<h2>{_both(*_WORDS['broken'])}</h2>\n<ul>\n{items}\n</ul>\n"


def _label(key: str) -> tuple[str, str]:
    return _WORDS[key] if key in _WORDS else (LABELS["en"][key], LABELS["ja"][key])


def _both(english: str, japanese: str) -> str:
    """Text in two languages, each marked as what it is; once where it is the same."""
    return _pair(escape(english), escape(japanese))


def _pair(english: str, japanese: str) -> str:
    if not japanese or english == japanese:
        return english
    return f'{english} <span lang="ja">{japanese}</span>'


def _code(text: str) -> str:
    """Escaped, with what stands between backticks as code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))
