"""Everything that can be said about a lesson without running it.

Reads sources and editions, changes nothing. Does not know how texts are searched: `prose` does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import nbformat

from jimoto.formats import text_width
from tools.contract import contract_findings
from tools.edition import compose, differences, read_edition
from tools.execute import is_strict
from tools.lesson import COMMAND, LANGS, Cell, Finding, Lesson, LessonError, Room, read_lesson
from tools.numbers import unmatched
from tools.pairing import stamp_findings, structure_findings
from tools.prose import (
    Remark,
    heading_levels,
    patronising,
    patronising_comments,
    pictures,
    typography,
)
from tools.tasks import LEARNER, SOLUTION, cut, task_findings

MAX_COLUMNS = 72  # a projector shows 60 to 70
MAX_LINES = 12


def check(room: Room, names: list[str]) -> list[Finding]:
    """What is wrong with these lessons, and with editions that no lesson stands behind."""
    found = [finding for name in names for finding in check_lesson(room, name)]
    return found + _orphans(room)


def check_lesson(room: Room, name: str) -> list[Finding]:
    try:
        lesson = read_lesson(room, name)
    except LessonError as error:
        return error.findings
    found = contract_findings(lesson) + structure_findings(lesson)
    if found:  # the rest would only repeat it in other words
        return found
    rules: list[Callable[[Lesson], Iterator[Finding] | list[Finding]]] = [
        stamp_findings,
        _text_findings,
        _pair_findings,
        _heading_findings,
        _code_findings,
        _contract_texts,
        task_findings,
    ]
    found = [finding for rule in rules for finding in rule(lesson)]
    found.sort(key=lambda finding: (finding.line, finding.column))
    return found + [finding for lang in LANGS for finding in _edition_findings(room, lesson, lang)]


def _text_findings(lesson: Lesson) -> Iterator[Finding]:
    for cell in lesson.cells:
        if cell.kind == "code":
            remarks = patronising_comments(cell.text)
        elif cell.lang:
            remarks = _remarks(cell.text, cell.lang)
            for address, alt in pictures(cell.text):
                if not alt.strip():
                    mend = "say its kind, its axes and its message: ![…](…)"
                    yield lesson.finding(f"The picture '{address}' has no alt text.", mend, cell)
        else:
            continue
        for remark in remarks:
            line = cell.line + remark.line
            yield lesson.finding(remark.what, "write it in another way", cell, line, remark.column)


def _remarks(text: str, lang: str) -> list[Remark]:
    return patronising(text, lang) + (typography(text) if lang == "ja" else [])


def _pair_findings(lesson: Lesson) -> Iterator[Finding]:
    for en, ja in lesson.pairs():
        if en.kind == "code":
            continue
        if "free" not in (en.metadata.get("numbers"), ja.metadata.get("numbers")):
            yield from _number_findings(lesson, en.text, ja.text, ja)
        shown_en, shown_ja = ([_neutral(a) for a, _ in pictures(cell.text)] for cell in (en, ja))
        if shown_en != shown_ja:
            yield lesson.finding("The halves show different pictures.", "show the same in both", ja)


def _neutral(address: str) -> str:
    """fig/pipe.en.svg and fig/pipe.ja.svg are one picture."""
    return re.sub(r"(?<=[/._-])(en|ja)(?=[/.])", "*", address)


def _number_findings(
    lesson: Lesson, en: str, ja: str, cell: Cell | None = None
) -> Iterator[Finding]:
    for numbers, language in zip(unmatched(en, ja), ("English", "Japanese"), strict=True):
        if numbers:
            named = ", ".join(f"{number:f}" for number in numbers)
            mend = 'name the same in both; where they must differ, add "numbers": "free"'
            yield lesson.finding(f"Only the {language} half names {named}.", mend, cell)


def _heading_findings(lesson: Lesson) -> Iterator[Finding]:
    for lang in LANGS:
        above, titles = 0, 0
        for cell in lesson.edition(lang):
            for level in heading_levels(cell.text) if cell.kind == "prose" else []:
                if level > above + 1:
                    what = (
                        f"A heading of level {level} follows level {above}."
                        if above
                        else "No title stands above."
                    )
                    yield lesson.finding(f"({lang}) {what}", f"write {'#' * (above + 1)}", cell)
                titles += level == 1
                if titles == 2 and level == 1:
                    yield lesson.finding(
                        f"({lang}) A second title.", "write ## and deeper after it", cell
                    )
                above = level
        if not titles:
            yield lesson.finding(
                f"({lang}) The lesson has no title.", "begin the first cell with # and a verb"
            )


def _code_findings(lesson: Lesson) -> Iterator[Finding]:
    for cell in lesson.cells:
        if cell.kind != "code":
            continue
        versions = [cut(cell.text, version).splitlines() for version in (LEARNER, SOLUTION)]
        lines = max(versions, key=len)
        if lines and lines[-1].rstrip().endswith(";") and is_strict(list(cell.tags)):
            what = "nbval prints what a semicolon hides, so its output would differ."
            yield lesson.finding(what, "write `_ = …` instead", cell, cell.line + len(lines) - 1)
        if "setup" in cell.tags:
            continue
        for index, line in enumerate(lines):
            if text_width(line) > MAX_COLUMNS:
                what = (
                    f"The line is {text_width(line)} columns wide; a projector shows {MAX_COLUMNS}."
                )
                yield lesson.finding(what, "break the line", cell, cell.line + index)
        if len(lines) > MAX_LINES:
            what = f"The cell has {len(lines)} lines; {MAX_LINES} are the most."
            yield lesson.finding(what, "make two cells of it, or a helper in the package", cell)


def _contract_texts(lesson: Lesson) -> Iterator[Finding]:
    """Titles and goals are read by learners too."""
    texts: Any = lesson.contract
    goals = texts.get("goals", {"en": [], "ja": []})  # labs have none of their own
    for lang in LANGS:
        for text in (texts["title"][lang], *goals[lang]):
            for remark in _remarks(text, lang):
                yield lesson.finding(
                    f"Front matter, '{text}': {remark.what}", "write it in another way"
                )
    for en, ja in zip(goals["en"], goals["ja"], strict=True):
        yield from _number_findings(lesson, en, ja)


def _edition_findings(room: Room, lesson: Lesson, lang: str) -> list[Finding]:
    path = room.edition(lesson.name, lang)
    shown, mend = room.shown(path), f"{COMMAND} build {lesson.name}"
    if not path.exists():
        return [Finding(shown, "This edition has not been built.", mend)]
    try:
        edition = read_edition(path)
        nbformat.validate(edition)
    except (ValueError, KeyError, nbformat.ValidationError) as error:
        first = str(error).partition("\n")[0]
        return [
            Finding(shown, f"This is no readable notebook ({first}).", f"delete it, then {mend}")
        ]
    found = [
        Finding(
            shown, what, f"{mend} (an edition is derived: edit {lesson.shown} instead)", key=key
        )
        for key, what in differences(edition, compose(lesson, lang))
    ]
    return found + [
        Finding(shown, "The cell has not been run.", mend, key=cell.get("id", ""))
        for cell in edition.cells
        if cell.cell_type == "code" and cell.source and cell.execution_count is None
    ]


def _orphans(room: Room) -> list[Finding]:
    names = set(room.lesson_names())
    return [
        Finding(
            room.shown(path),
            "No lesson in src stands behind this file.",
            f"git rm {room.shown(path)}",
        )
        for lang in LANGS
        for path in sorted((room.repo / room.name / lang).glob("*.ipynb"))
        if path.stem not in names
    ]
