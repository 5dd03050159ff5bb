"""Slides in a browser, all below one another: measure what an audience would not see or not read.

    python -m tools.stage FOLDER       photographs every slide of every deck into FOLDER

Figures are put into the page as SVG, so that their letters are measured like all others. Does not
know what a slide says.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.browser import FLAGS, find_chromium
from tools.slides import NO_MARP, NO_NODE, SLIDES, NoMarpError, deck_paths

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SMALLEST = 18  # pixels at 1280 x 720, anywhere
SMALLEST_BODY = 24  # outside header, footer, page number and figures
CONTRAST = 4.5
LINES = 6  # of running text
PICTURE = re.compile(r'<img src="([^"]+)" alt="([^"]*)" />')

MEASURE = Path(__file__).with_name("stage.js")


def render(paths: list[Path]) -> dict[Path, str]:
    """Decks as HTML pages; every figure stands in the page as SVG, named by its alt text."""
    node = shutil.which("node")
    if node is None:
        raise NoMarpError(NO_NODE)
    command = [node, "pages.mjs", *map(str, paths)]
    done = subprocess.run(command, cwd=SLIDES, capture_output=True, text=True, check=False)
    if "ERR_MODULE_NOT_FOUND" in done.stderr:
        raise NoMarpError(NO_MARP)
    done.check_returncode()
    pages: dict[str, Any] = json.loads(done.stdout)
    return {path: _one_page(path, **pages[str(path)]) for path in paths}


def _one_page(deck: Path, html: str, css: str, notes: list[list[str]]) -> str:
    head = f'<!doctype html><meta charset="utf-8"><style>{css} body {{margin: 0}}</style>'
    return head + PICTURE.sub(lambda match: _inline(match, deck), html)


def _inline(picture: re.Match[str], deck: Path) -> str:
    svg = (deck.parent / unescape(picture[1])).resolve().read_text(encoding="utf-8")
    return svg.replace("<svg ", f'<svg role="img" aria-label="{picture[2]}" ', 1)


@contextmanager
def chromium() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        yield browser
        browser.close()


def open_deck(browser: Browser, page_html: str) -> Page:
    """One page with all slides of a deck; one pixel there is one pixel of a slide."""
    page = browser.new_page(viewport={"width": 1280, "height": 720})
    page.set_content(page_html)
    page.evaluate("document.fonts.ready")
    return page


def measure(page: Page) -> list[str]:
    """What is wrong, a line each: the slide's number, what, and where."""
    script = MEASURE.read_text(encoding="utf-8")
    limits = [SMALLEST, SMALLEST_BODY, CONTRAST, LINES]
    return [f"slide {n}: {what}: {detail}" for n, what, detail in page.evaluate(script, limits)]


def main() -> None:
    """Photograph every slide, for the eyes of whoever wrote it."""
    folder = Path(sys.argv[1])
    with chromium() as browser:
        for path, text in render(deck_paths()).items():
            page = open_deck(browser, text)
            target = folder / f"{path.parent.name}_{path.stem}"
            target.mkdir(parents=True, exist_ok=True)
            for i, section in enumerate(page.query_selector_all("div.marpit > section"), 1):
                section.screenshot(path=target / f"{i:02}.png")
            print(target, *measure(page), sep="\n  ")


if __name__ == "__main__":
    main()
