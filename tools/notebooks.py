"""Lessons and labs: written once in `notebooks/src` and `labs/src`, derived into `en/` and `ja/`.

    python -m tools.notebooks build [LESSON…]        write both editions, run, with outputs
    python -m tools.notebooks check [LESSON…]        report what is wrong, and what mends it
    python -m tools.notebooks stamp [LESSON…]        confirm Japanese halves that were edited
    python -m tools.notebooks stamp LESSON KEY…      confirm halves that still say the same
    python -m tools.notebooks solutions [LESSON…]    write the labs with solutions into build/labs

A name such as 02_first_run means the lesson and its lab; `tools.tasks` describes what labs add.

The notation is MyST Markdown as jupytext reads and writes it; JupyterLab opens it as a notebook:

    ---
    jupytext:
      notebook_metadata_filter: all          # or jupytext drops `jimoto` when it saves
      text_representation: {extension: .md, format_name: myst}
    kernelspec: {name: python3, display_name: Python 3 (ipykernel), language: python}
    jimoto:
      id: 02_first_run                       # the contract, LESSON-GUIDE section 2
    ---

    +++ {"key": "story", "lang": "en"}

    Aoi starts at the help desk today.

    +++ {"key": "story", "lang": "ja", "of": "1f2e3d4c", "is": "77aa0912"}

    葵さんは今日からヘルプデスクです。

    ```{code-cell}
    :key: first_answer
    :tags: [core]

    ask("What is a local LLM?")
    ```

- Every cell has a `key` (a-z, 0-9, _): its id in the notebook and its name on a slide.
- Prose comes in pairs, English first, the Japanese right after it. Code stands once; where it must
  differ, it is a pair as well, with `:lang: en` in one cell and `:lang: ja` in the next.
- `of` and `is` are written by `stamp`, never by hand: hashes of the English and of the Japanese
  at the moment they were confirmed to say the same.
- The card is generated in place of the empty cell +++ {"key": "card"}, else right after the title.
- `"numbers": "free"` on a half allows the pair to name different numbers. `module: share` in the
  contract changes the word beside the stars, which else follows the level: Start, Shape, Deep.
- Lines of a Japanese paragraph may be wrapped: they are joined without a space.
- A run that differs only where a cell is tagged nbval-ignore-output leaves the file untouched;
  delete the file to get fresh timings.
"""

from __future__ import annotations

import argparse
import difflib
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from nbformat import NotebookNode
from nbval.plugin import get_sanitize_patterns

from tools.check import check
from tools.clean_room import clean_environment, temporary_home
from tools.contract import contract_findings
from tools.edition import compose, read_edition, write_text
from tools.execute import RunError, execute, is_strict
from tools.lesson import (
    COMMAND,
    LANGS,
    Finding,
    Lesson,
    LessonError,
    Room,
    read_lesson,
    replace_file,
)
from tools.pairing import structure_findings
from tools.stamp import stamp
from tools.tasks import SOLUTION

MASKS = Path(__file__).with_name("nbval.cfg")


ROOMS = ("notebooks", "labs")
BUILD = "build"  # git ignores it: instructors make it, learners never see it


class UsageError(Exception):
    """Called wrongly."""


def build(room: Room, names: list[str], langs: Sequence[str] = LANGS) -> list[Finding]:
    """Write the editions of these lessons, with one data folder and one server for all of them."""
    with temporary_home() as home:
        env = clean_environment(os.environ, home)
        return [finding for name in names for finding in _build_lesson(room, name, langs, env)]


def _build_lesson(
    room: Room, name: str, langs: Sequence[str], env: dict[str, str]
) -> list[Finding]:
    try:
        lesson = read_lesson(room, name)
    except LessonError as error:
        return error.findings
    if found := contract_findings(lesson) + structure_findings(lesson):
        return found
    for lang in langs:
        path = room.edition(name, lang)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            built = execute(compose(lesson, lang), path.parent, env)
        except RunError as error:
            found.append(_run_finding(lesson, lang, error))
            continue
        changed = not (path.exists() and says_the_same(read_edition(path), built))
        if changed:
            replace_file(path, write_text(built))
        print(f"{room.shown(path)}: {'written' if changed else 'unchanged'}")
    return found


def solutions(room: Room, names: list[str]) -> list[Finding]:
    """The labs as an instructor wants them: with solutions, not run."""
    for name in names:
        lesson = read_lesson(room, name)
        if found := contract_findings(lesson) + structure_findings(lesson):
            return found
        for lang in LANGS:
            path = room.repo / BUILD / room.name / lang / f"{name}.ipynb"
            replace_file(path, write_text(compose(lesson, lang, SOLUTION)))
            print(f"{room.shown(path)}: written")
    return []


def _run_finding(lesson: Lesson, lang: str, error: RunError) -> Finding:
    cell = next((cell for cell in lesson.edition(lang) if cell.key == error.key), None)
    mend = f"put the cell right, then {COMMAND} build {lesson.name}"
    return lesson.finding(f"({lang}) {error.what}", mend, cell)


def says_the_same(old: NotebookNode, new: NotebookNode) -> bool:
    """Equal but for what cannot be stable, such as timings: tagged cells, and masked numbers."""
    masks = get_sanitize_patterns(MASKS.read_text(encoding="utf-8"))

    def stable_part(notebook: NotebookNode) -> str:
        copy = notebook.copy()
        copy.cells = [
            cell if cell.cell_type != "code" or is_strict(cell.metadata.get("tags", []))
            else NotebookNode({**cell, "outputs": []})
            for cell in notebook.cells
        ]  # fmt: skip
        text = write_text(copy)
        for pattern, replacement in masks:
            text = re.sub(pattern, replacement, text)
        return text

    return stable_part(old) == stable_part(new)


def _stamp(room: Room, names: list[str], keys: list[str]) -> int:
    waiting = 0
    for name in names:
        lesson = read_lesson(room, name)
        if found := structure_findings(lesson):
            raise LessonError(found)
        done, left = stamp(lesson, keys)
        for line in done + left:
            print(f"{lesson.shown} {line}" if line.startswith("[") else line)
        waiting += len(left)
    return 1 if waiting else 0


def _lessons_and_keys(rooms: list[Room], words: list[str]) -> tuple[list[str], list[str]]:
    """Lesson names begin with two digits, keys with a letter; no lesson named means all of them."""
    known = sorted({name for room in rooms for name in room.lesson_names()})
    names = [Path(word).stem for word in words if re.match(r"(.*/)?\d\d_", word)]
    keys = [word for word in words if not re.match(r"(.*/)?\d\d_", word)]
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise UsageError(
                f"There is no lesson '{name}'. " + (f"Was '{near[0]}' meant?" if near else "")
            )
    if not known:
        raise UsageError(
            f"There is no lesson in {rooms[0].shown(rooms[0].src)}. "
            "Run this in the repository's root."
        )
    return names or known, keys


def _holders(rooms: list[Room], name: str, keys: list[str]) -> list[Room]:
    """Of lesson and lab, those that have one of these keys; both where neither has."""
    there = [room for room in rooms if name in room.lesson_names()]
    own = {room: {cell.key for cell in read_lesson(room, name).cells} for room in there}
    return [room for room in there if own[room] & set(keys)] or there[:1]


def _act(verb: str, rooms: list[Room], names: list[str]) -> list[Finding]:
    """One verb over the rooms; `check` also finds editions in a room that has no lesson."""
    found = []
    for room in rooms:
        here = [name for name in names if name in room.lesson_names()]
        if verb == "check":
            found += check(room, here)
        elif verb == "solutions":
            found += solutions(room, here) if room.name == "labs" else []
        elif here:
            found += build(room, here)
    return found


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog=COMMAND, description="Build, check and stamp the lessons and labs."
    )
    parser.add_argument("verb", choices=["build", "check", "stamp", "solutions"])
    parser.add_argument(
        "words", nargs="*", metavar="LESSON", help="such as 02_first_run; after stamp also keys"
    )
    chosen = parser.parse_args(arguments)
    rooms = [Room(Path.cwd(), name) for name in ROOMS]
    try:
        names, keys = _lessons_and_keys(rooms, chosen.words)
        if keys and (chosen.verb != "stamp" or len(names) != 1 or len(chosen.words) == len(keys)):
            raise UsageError(
                f"'{keys[0]}' is no lesson. Keys follow one lesson: {COMMAND} stamp LESSON KEY"
            )
        if chosen.verb == "stamp":
            if keys:
                return max(_stamp(room, names, keys) for room in _holders(rooms, names[0], keys))
            here = [(room, [n for n in names if n in room.lesson_names()]) for room in rooms]
            return max(_stamp(room, own, keys) for room, own in here)
        found = _act(chosen.verb, rooms, names)
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    except LessonError as error:
        found = error.findings
    for finding in found:
        print(finding, file=sys.stderr)
    if chosen.verb == "check" and not found:
        print(f"{len(names)} lesson{'s'[: len(names) != 1]}, nothing to mend")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
