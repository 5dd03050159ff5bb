"""Decks: written by people in slides/en and slides/ja, turned into pages by Marp.

    python -m tools.slides build       HTML, PDF and PPTX of every deck, into build/slides
    python -m tools.slides sync        copy code and outputs from the lessons into the decks
    python -m tools.slides figures     draw slides/images again

A block of code on a slide is a cell of a lesson and carries its name, ```python 02_first_run:curl;
a block ```output 02_first_run:curl is what that cell printed in the committed edition. So nothing
on a slide is untested. Marp is pinned in slides/package-lock.json and needs Node 18 or newer.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

from tools import slide_figures
from tools.browser import find_chromium
from tools.deck import Block, read_deck
from tools.edition import read_edition
from tools.lesson import LANGS, Room, read_lesson, replace_file

ROOT = Path(__file__).parents[1]
SLIDES = ROOT / "slides"
OUT = ROOT / "build" / "slides"
MARP = SLIDES / "node_modules" / "@marp-team" / "marp-cli" / "marp-cli.js"
ROOM = Room(ROOT)
FORMATS: dict[str, tuple[str, ...]] = {
    "html": (),
    "pdf": ("--pdf", "--pdf-outlines"),
    "pptx": ("--pptx",),
}


NO_NODE = "no Node.js found: install version 18 or newer (Debian: nodejs npm)"
NO_MARP = "Marp is not installed: `npm ci --prefix slides`"


class NoMarpError(RuntimeError):
    """Node or Marp is missing, with the command that mends it."""


def deck_paths(slides: Path = SLIDES) -> list[Path]:
    return sorted(path for lang in LANGS for path in (slides / lang).glob("*.md"))


# --- what blocks hold ----------------------------------------------------------------------------


def refused_equals(lang: str) -> str:
    """What the kit says to `PARAMETER temperature=0.7` in the second line of a Modelfile."""
    from jimoto.daemon.modelfile import parse_modelfile
    from jimoto.errors import ModelfileError

    try:
        parse_modelfile("FROM mame\nPARAMETER temperature=0.7\n")
    except ModelfileError as error:
        return error.text(lang)
    raise AssertionError("the line with '=' was taken")


EXHIBITS: dict[str, Callable[[str], str]] = {"error:equals": refused_equals}


def expected_text(block: Block, lang: str, room: Room = ROOM) -> str | None:
    """What a block must hold; None while its lesson is not written yet.

    KeyError: the lesson is there, but has no such cell, or that cell prints nothing.
    """
    if block.name in EXHIBITS:
        return EXHIBITS[block.name](lang)
    lesson, _, key = block.name.partition(":")
    if lesson not in room.lesson_names():
        return None
    if block.kind == "output":
        return _printed(room, lesson, key, lang)
    code = _code(room, lesson, lang)
    if key not in code:
        raise KeyError(f"{lesson} has no code cell '{key}'")
    return code[key]


@cache  # reading a lesson takes most of a second, and a deck has many blocks
def _code(room: Room, lesson: str, lang: str) -> dict[str, str]:
    cells = read_lesson(room, lesson).edition(lang)
    return {cell.key: cell.text.strip("\n") for cell in cells if cell.kind == "code"}


def _printed(room: Room, lesson: str, key: str, lang: str) -> str:
    """The text that a cell left in the committed edition, as one reads it there."""
    for cell in read_edition(room.edition(lesson, lang)).cells:
        if cell.id == key:
            streams = [output.text for output in cell.get("outputs", []) if "text" in output]
            if streams:
                return "\n".join("".join(streams).replace("\r\n", "\n").strip().split("\n"))
    raise KeyError(f"{lesson} has no cell '{key}' that prints something")


def sync(path: Path, room: Room = ROOM) -> int:
    """Write what blocks must hold into a deck; returns how many changed."""
    deck = read_deck(path)
    lines = path.read_text(encoding="utf-8").split("\n")
    changed = 0
    blocks = [block for slide in deck.slides for block in slide.blocks]
    for block in reversed(blocks):  # from the end, so that the line numbers before stay true
        text = expected_text(block, deck.lang, room) if block.name else None
        if text is not None and text != block.text:
            start = block.line - 1
            height = block.text.count("\n") + 1 if lines[start] != "```" else 0
            lines[start : start + height] = text.split("\n")
            changed += 1
    if changed:
        replace_file(path, "\n".join(lines))
    return changed


# --- pages ---------------------------------------------------------------------------------------


def marp(*arguments: str) -> None:
    """Run Marp in `slides/`; NoMarpError where it is not there."""
    node = shutil.which("node")
    if node is None:
        raise NoMarpError(NO_NODE)
    if not MARP.exists():
        raise NoMarpError(NO_MARP)
    env = {**os.environ, "CHROME_PATH": find_chromium()}
    if hasattr(os, "geteuid") and os.geteuid() == 0:  # Chromium refuses its sandbox to root
        env["CHROME_NO_SANDBOX"] = "1"
    command = [node, str(MARP), "--config", str(SLIDES / "marp.config.mjs"), *arguments]
    done = subprocess.run(command, cwd=SLIDES, env=env, capture_output=True, text=True, check=False)
    if done.returncode or "[ ERROR ]" in done.stderr:
        raise RuntimeError(done.stderr)


def install_marp() -> None:
    """`npm ci`, unless what is there is what the lock file asks for."""
    stamp = SLIDES / "node_modules" / ".package-lock.json"
    lock = SLIDES / "package-lock.json"
    if MARP.exists() and stamp.exists() and stamp.stat().st_mtime >= lock.stat().st_mtime:
        return
    npm = shutil.which("npm")
    if npm is None:
        raise NoMarpError(NO_NODE)
    print("installing Marp from slides/package-lock.json …", flush=True)
    subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=SLIDES, check=True)


def build(out: Path = OUT) -> None:
    """HTML, PDF and PPTX of every deck; the pages find their figures beside them."""
    install_marp()
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(slide_figures.IMAGES, out / "images")
    for path in deck_paths():
        for ending, options in FORMATS.items():
            target = out / path.parent.name / f"{path.stem}.{ending}"
            marp(str(path), *options, "--output", str(target))
            print(f"{target.relative_to(ROOT)}  {target.stat().st_size / 1e6:.1f} MB", flush=True)


def main() -> None:
    match sys.argv[1:]:
        case ["build"]:
            build()
        case ["sync"]:
            for path in deck_paths():
                print(f"{path.relative_to(ROOT)}: {sync(path)} blocks changed")
        case ["figures"]:
            slide_figures.main()
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main()
