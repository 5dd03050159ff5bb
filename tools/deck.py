"""A deck as values: its slides, and on each the id, the title, the blocks of code, the notes.

Knows Marp's Markdown as far as our decks use it. Does not know the rules a good deck keeps, nor
how a deck is turned into pages.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

FENCE = re.compile(r"^(`{3,})(.*)$")
COMMENT = re.compile(r"<!--(.*?)-->", re.S)
MINUTES = re.compile(r"^time: ([0-9]+(?:\.5)?) min$", re.M)
PICTURE = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block: ```python 02_first_run:curl"""

    kind: str  # python, bash, text; 'output' is what a cell printed
    name: str  # lesson:key, or ''
    text: str
    line: int  # of its first line of text in the deck's file, counted from 1


@dataclass(frozen=True)
class Slide:
    text: str  # with fences and comments
    line: int
    directives: dict[str, str] = field(default_factory=dict)
    notes: str = ""
    blocks: tuple[Block, ...] = ()

    @property
    def id(self) -> str:
        return self.directives.get("id", "")

    @property
    def title(self) -> str:
        found = re.findall(r"^# (.+)$", _without_fences(self.text), re.M)
        return str(found[0]) if len(found) == 1 else ""

    @property
    def body(self) -> str:
        """What the audience reads: no code, no comments, no titles of pictures; the footer last."""
        text = COMMENT.sub("", _without_fences(self.text))
        return text + "\n\n" + self.directives.get("_footer", "")

    @property
    def minutes(self) -> float | None:
        found = MINUTES.findall(self.notes)
        return float(found[0]) if len(found) == 1 else None

    @property
    def pictures(self) -> list[tuple[str, str]]:
        """(address, alt text)"""
        return [(src, alt) for alt, src in PICTURE.findall(_without_fences(self.text))]


@dataclass(frozen=True)
class Deck:
    path: Path
    front: dict[str, Any]
    slides: tuple[Slide, ...]

    @property
    def lang(self) -> str:
        return str(self.front["lang"])


def read_deck(path: Path) -> Deck:
    """The deck in a file; ValueError where it has no front matter."""
    text = path.read_text(encoding="utf-8")
    head = re.match(r"---\n(.*?)\n---\n", text, re.S)
    if head is None:
        raise ValueError(f"{path}: no front matter")
    pages = _split(text[head.end() :], head[0].count("\n") + 1)
    return Deck(path, yaml.safe_load(head[1]), tuple(_slide(lines, at) for lines, at in pages))


def _split(text: str, line: int) -> list[tuple[list[str], int]]:
    """Cut at `---`, but not within a fence or a comment."""
    pages: list[tuple[list[str], int]] = [([], line)]
    fence, comment = "", False
    for at, row in enumerate(text.split("\n"), line):
        mark = FENCE.match(row)
        if mark and not comment:
            fence = "" if fence and mark[1] == fence else fence or mark[1]
        if not fence:
            comment = (comment or "<!--" in row) and "-->" not in row
        if row == "---" and not fence and not comment:
            pages.append(([], at + 1))
        else:
            pages[-1][0].append(row)
    return pages


def _slide(lines: list[str], line: int) -> Slide:
    text = "\n".join(lines)
    directives: dict[str, str] = {}
    notes = ""
    for comment in COMMENT.findall(_without_fences(text)):
        words = comment.strip()
        if "\n" in words or words.startswith("time:"):
            notes += words + "\n"
        else:
            directives |= {str(k): str(v) for k, v in (yaml.safe_load(words) or {}).items()}
    return Slide(text, line, directives, notes, tuple(_blocks(lines, line)))


def _blocks(lines: list[str], line: int) -> list[Block]:
    found: list[Block] = []
    start: int | None = None
    for i, row in enumerate(lines):
        if not FENCE.match(row):
            continue
        if start is None:
            start = i
        else:
            kind, _, name = lines[start].lstrip("`").strip().partition(" ")
            text = "\n".join(lines[start + 1 : i])
            found.append(Block(kind, name.strip(), text, line + start + 1))
            start = None
    return found


def _without_fences(text: str) -> str:
    return re.sub(r"^(`{3,})[^\n]*\n.*?^\1$", "", text, flags=re.M | re.S)
