"""A lesson's source as values: a room of lessons, one lesson, its cells, and what is wrong with it.

Knows the file format (MyST Markdown, read by jupytext; described in `tools.notebooks`).
Does not know the rules a good lesson keeps, nor notebooks with outputs.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupytext.myst import MystMetadataParsingError, myst_to_notebook

LANGS = ("en", "ja")
COMMAND = "python -m tools.notebooks"
CARD_KEY = "card"
# jupytext drops cells without text, and an author leaves the card's place empty.
EMPTY_CARD = re.compile(r'^(\+\+\+ .*"key": *"card".*)\n[ \t]*\n(?=\s*(?:\+\+\+|```|\Z))', re.M)
CODE_OPTION = re.compile(r"^\s*:")


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: where, what, and the command or the edit that mends it."""

    path: str
    what: str
    mend: str
    line: int = 0
    key: str = ""
    column: int = 0

    def __str__(self) -> str:
        place = (
            self.path
            + (f":{self.line}" if self.line else "")
            + (f":{self.column}" if self.column else "")
        )
        return f"{place}{f' [{self.key}]' if self.key else ''} {self.what}\n    mend: {self.mend}"


class LessonError(Exception):
    """A lesson cannot be used as it stands; carries the findings."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("\n".join(map(str, findings)))
        self.findings = findings


@dataclass(frozen=True)
class Room:
    """A folder of lessons: people write `src/`, and `en/` and `ja/` are derived from it."""

    repo: Path
    name: str = "notebooks"

    @property
    def src(self) -> Path:
        return self.repo / self.name / "src"

    def edition(self, lesson_name: str, lang: str) -> Path:
        return self.repo / self.name / lang / f"{lesson_name}.ipynb"

    def lesson_names(self) -> list[str]:
        return sorted(
            path.stem for path in self.src.glob("[0-9][0-9]_*.md") if "." not in path.stem
        )

    def shown(self, path: Path) -> str:
        return path.relative_to(self.repo).as_posix()


@dataclass(frozen=True)
class Cell:
    kind: str  # "prose" or "code"
    key: str
    lang: str | None  # None: stands once, for both editions
    text: str
    start: int  # index of the line after `+++`, or after the opening fence
    line: int  # of the first line of text, counted from 1 as editors do
    tags: tuple[str, ...] = ()
    of: str | None = None  # hash of the English that this Japanese half was written for
    own: str | None = None  # hash of this Japanese half when it was stamped (`is` in the source)
    metadata: dict[str, Any] = field(default_factory=dict, compare=False)

    @property
    def hash(self) -> str:
        """8 hex digits of the text; in prose, wrapping lines in another way changes nothing.

        >>> prose = Cell("prose", "k", "en", "one  two", 0, 1)
        >>> prose.hash == Cell("prose", "k", "en", "one\\ntwo", 0, 1).hash
        True
        """
        text = unicodedata.normalize("NFC", self.text)
        lines = [line.rstrip() for line in text.strip().splitlines()]
        normal = " ".join(text.split()) if self.kind == "prose" else "\n".join(lines)
        return hashlib.sha256(normal.encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Lesson:
    path: Path
    shown: str  # the path as messages show it
    contract: dict[str, Any]  # the front matter's `jimoto`
    cells: tuple[Cell, ...]

    @property
    def name(self) -> str:
        return self.path.stem

    def edition(self, lang: str) -> list[Cell]:
        return [cell for cell in self.cells if cell.lang in (None, lang)]

    def pairs(self) -> Iterator[tuple[Cell, Cell]]:
        """English and Japanese halves that stand under one key."""
        english = {cell.key: cell for cell in self.cells if cell.lang == "en"}
        for cell in self.cells:
            if cell.lang == "ja" and cell.key in english:
                yield english[cell.key], cell

    def finding(
        self, what: str, mend: str, cell: Cell | None = None, line: int = 0, column: int = 0
    ) -> Finding:
        at = line or (cell.line if cell else 1)
        return Finding(self.shown, what, mend, at, cell.key if cell else "", column)


def read_lesson(room: Room, name: str) -> Lesson:
    path = room.src / f"{name}.md"
    shown = room.shown(path)
    text = path.read_text(encoding="utf-8")
    try:
        notebook = myst_to_notebook(EMPTY_CARD.sub(r"\1\n(card)\n", text), add_source_map=True)
    except MystMetadataParsingError as error:
        raise LessonError(
            [
                Finding(
                    shown, f"The notation cannot be read: {error}", "put that cell's options right"
                )
            ]
        ) from error
    contract = notebook.metadata.get("jimoto")
    if not isinstance(contract, dict):
        raise LessonError(
            [
                Finding(
                    shown,
                    "The front matter has no `jimoto`.",
                    "write the lesson's contract there",
                    1,
                )
            ]
        )
    lines = text.splitlines()
    cells = tuple(
        _cell(node, start, lines)
        for node, start in zip(notebook.cells, notebook.metadata["source_map"], strict=True)
    )
    return Lesson(path, shown, dict(contract), cells)


def _cell(node: Any, start: int, lines: list[str]) -> Cell:
    metadata = dict(node.metadata)
    first = node.source.splitlines()[0].strip() if node.source else ""
    after_options = (
        i
        for i in range(start, len(lines))
        if node.cell_type != "code" or not CODE_OPTION.match(lines[i])
    )
    line = next((i for i in after_options if lines[i].strip() == first), start) + 1
    own, of, tags = metadata.get("is"), metadata.get("of"), metadata.get("tags", [])
    return Cell(
        kind="code" if node.cell_type == "code" else "prose",
        key=str(metadata.get("key", "")),
        lang=metadata.get("lang"),
        text=node.source,
        start=start,
        line=line,
        tags=tuple(tags) if isinstance(tags, list) else (str(tags),),
        of=None if of is None else str(of),
        own=None if own is None else str(own),
        metadata=metadata,
    )


def replace_file(path: Path, text: str) -> None:
    """Write all or nothing: a reader, or a crash, never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.chmod(temporary, 0o644)  # mkstemp's 0600 would reach git and the learner
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
