"""Do the cells of a lesson fit together? Keys, halves, stamps.

Knows nothing about what the texts say.
"""

from __future__ import annotations

import difflib
import re

from tools.lesson import CARD_KEY, COMMAND, LANGS, Cell, Finding, Lesson

KEY = re.compile(r"[a-z][a-z0-9_]{0,63}")
# What a cell may say about itself; a misspelt word here would otherwise be ignored in silence.
WORDS = ("key", "lang", "of", "is", "tags", "numbers")


def structure_findings(lesson: Lesson) -> list[Finding]:
    """What makes it impossible to derive two editions; `build` stops at these."""
    found: list[Finding] = []
    for cell in lesson.cells:
        found += _cell_findings(lesson, cell)
    if found:  # halves cannot be matched before every cell has a proper name
        return found
    position: dict[str, int] = {}
    for index, cell in enumerate(lesson.cells):
        found += _place_findings(lesson, index, cell, position)
        position.setdefault(cell.key, index)
    return found


def _cell_findings(lesson: Lesson, cell: Cell) -> list[Finding]:
    found = []
    if not cell.key:
        found.append(
            lesson.finding(
                "This cell has no key.", 'begin it with +++ {"key": "…", "lang": "en"}', cell
            )
        )
    elif not KEY.fullmatch(cell.key):
        found.append(
            lesson.finding(
                f"'{cell.key}' is not a key.", "use a-z, 0-9 and _, beginning with a letter", cell
            )
        )
    if cell.lang is not None and cell.lang not in LANGS:
        found.append(
            lesson.finding(f"'{cell.lang}' is not a language of ours.", "write en or ja", cell)
        )
    if cell.lang is None and cell.kind == "prose" and cell.key != CARD_KEY:
        found.append(
            lesson.finding(
                "Prose has no language.", 'add "lang": "en" and write the Japanese half', cell
            )
        )
    for word in cell.metadata.keys() - set(WORDS):
        near = difflib.get_close_matches(word, WORDS, 1)
        mend = f"was '{near[0]}' meant?" if near else f"use one of {', '.join(WORDS)}"
        found.append(lesson.finding(f"A cell cannot say '{word}'.", mend, cell))
    return found


def _place_findings(
    lesson: Lesson, index: int, cell: Cell, position: dict[str, int]
) -> list[Finding]:
    """A Japanese half follows its English half at once; every other key is new."""
    first = lesson.cells[position[cell.key]] if cell.key in position else None
    if cell.lang == "ja":
        if first is None:
            return [_missing(lesson, cell, "en")]
        if first.lang == "en" and position[cell.key] == index - 1:
            return _half_findings(lesson, first, cell)
    if first is not None:
        return [
            lesson.finding(
                f"The key '{cell.key}' is already taken in line {first.line}.",
                "rename one, or put the Japanese half right after its English half",
                cell,
            )
        ]
    follower = lesson.cells[index + 1] if index + 1 < len(lesson.cells) else None
    if cell.lang == "en" and (
        follower is None or (follower.key, follower.lang) != (cell.key, "ja")
    ):
        return [_missing(lesson, cell, "ja")]
    return []


def _half_findings(lesson: Lesson, en: Cell, ja: Cell) -> list[Finding]:
    found = []
    if en.kind != ja.kind:
        found.append(
            lesson.finding(
                f"One half is {en.kind}, the other {ja.kind}.", "make them of one kind", ja
            )
        )
    if en.tags != ja.tags:
        found.append(
            lesson.finding("The halves have different tags.", "give both the same tags", ja)
        )
    return found


def _missing(lesson: Lesson, cell: Cell, lang: str) -> Finding:
    language = {"en": "English", "ja": "Japanese"}[lang]
    side = "before" if lang == "en" else "after"
    return lesson.finding(
        f"The {language} half is missing.",
        f"write it right {side} this cell, with the key '{cell.key}'",
        cell,
    )


def stamp_findings(lesson: Lesson) -> list[Finding]:
    """Is each half confirmed against the other as they stand now?"""
    found = []
    for en, ja in lesson.pairs():
        confirm = f"{COMMAND} stamp {lesson.name}"
        if ja.of is None or ja.own is None:
            found.append(lesson.finding("The Japanese half is not stamped yet.", confirm, ja))
        elif ja.of != en.hash and ja.own == ja.hash:
            mend = (
                f"adapt the Japanese, then {confirm}; if it still says the same: {confirm} {ja.key}"
            )
            found.append(
                lesson.finding("The English changed after the Japanese was confirmed.", mend, ja)
            )
        elif ja.of != en.hash or ja.own != ja.hash:
            found.append(lesson.finding("The Japanese changed after it was stamped.", confirm, ja))
    return found
