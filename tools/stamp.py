"""Record which English a Japanese half was written for, in the source itself.

A stamp is two hashes: `of`, the English text, and `is`, the Japanese text at that moment. Without a
key only halves whose Japanese changed are stamped, so an author who edits the English alone cannot
wave the Japanese through by running the command: they must name the half, and are shown both texts.
"""

from __future__ import annotations

import json
import re

from tools.lesson import COMMAND, Cell, Lesson, replace_file

OLD_STAMP = re.compile(r"^\s*:?\s*(of|is):\s")


def wants_stamp(en: Cell, ja: Cell) -> bool:
    """Was the Japanese written or edited since it was last stamped?"""
    return ja.of is None or ja.own != ja.hash


def stamp(lesson: Lesson, keys: list[str]) -> tuple[list[str], list[str]]:
    """Stamp and return two lists of lines: what was done, and what still waits for the author."""
    done, waiting = [], []
    lines = lesson.path.read_text(encoding="utf-8").splitlines()
    pairs = list(lesson.pairs())
    for unknown in sorted(set(keys) - {ja.key for _, ja in pairs}):
        waiting.append(f"{lesson.shown} has no pair with the key '{unknown}'.")
    for en, ja in reversed(pairs):  # from the end, because a stamp may add lines
        current = ja.of == en.hash and ja.own == ja.hash
        if ja.key in keys:
            done.append(f"[{ja.key}] confirmed as saying the same:\n{_excerpt(en)}\n{_excerpt(ja)}")
        elif current or keys:
            continue
        elif wants_stamp(en, ja):
            done.append(f"[{ja.key}] stamped")
        else:
            waiting.append(
                f"[{ja.key}] the English changed, the Japanese did not. Adapt it and stamp again; "
                f"if it still says the same: {COMMAND} stamp {lesson.name} {ja.key}"
            )
            continue
        _write_stamp(lines, en, ja)
    if done:
        replace_file(lesson.path, "\n".join(lines) + "\n")
    return done[::-1], waiting[::-1]


def _write_stamp(lines: list[str], en: Cell, ja: Cell) -> None:
    if ja.kind == "prose":
        metadata = {**ja.metadata, "of": en.hash, "is": ja.hash}
        lines[ja.start - 1] = "+++ " + json.dumps(metadata, ensure_ascii=False)
        return
    fenced = (
        lines[ja.start].strip() == "---"
    )  # options as a YAML block, or as lines with a leading colon
    first = end = ja.start + fenced
    while lines[end].strip() != "---" if fenced else lines[end].lstrip().startswith(":"):
        end += 1
    kept = [line for line in lines[first:end] if not OLD_STAMP.match(line)]
    colon = "" if fenced else ":"
    lines[first:end] = [*kept, f'{colon}of: "{en.hash}"', f'{colon}is: "{ja.hash}"']


def _excerpt(cell: Cell, width: int = 300) -> str:
    text = " ".join(cell.text.split())
    return f"    {cell.lang}: {text[:width]}{' …' if len(text) > width else ''}"
