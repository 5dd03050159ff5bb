"""JupyterLab on copies of the lessons, in the system's Chromium: for the test, and for the README.

    python -m tools.browser      takes docs/lesson_02_en.png and docs/lesson_02_ja.png again

Knows nothing of what a lesson says.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import psutil

if TYPE_CHECKING:
    from playwright.sync_api import Page

ROOT = Path(__file__).parents[1]
# As root, without a GPU, and without asking Google's hosts anything.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
IDLE = "text=/Python 3.* [|] Idle/"  # in the status bar: the kernel is there and has nothing to do


class NoBrowserError(RuntimeError):
    """No Chromium on this machine."""


def find_chromium() -> str:
    """The system's Chromium or Chrome."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            return found
    raise NoBrowserError("no Chromium found: `sudo apt install chromium fonts-noto-cjk`")


def copy_lessons(folder: Path) -> None:
    """The lessons as a learner first sees them, but without outputs."""
    for edition in ("en", "ja"):
        target = folder / "notebooks" / edition
        target.mkdir(parents=True)
        for path in (ROOT / "notebooks" / edition).glob("*.ipynb"):
            notebook = nbformat.read(path, as_version=4)
            for cell in notebook.cells:
                if cell.cell_type == "code":
                    cell.outputs, cell.execution_count = [], None
            nbformat.write(notebook, target / path.name)


def start_lab(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """`jimoto lab` below this folder, in English unless --lang says otherwise."""
    command = [sys.executable, "-m", "jimoto.cli", "lab", "--no-browser", *arguments]
    env = {**os.environ, "PYTHONUNBUFFERED": "1", "JIMOTO_LANG": "en"}
    env["JUPYTER_CONFIG_DIR"] = str(folder / "jupyter")  # no tabs and settings of the author's
    env["JIMOTO_WORK"] = str(folder / "work")
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=folder, env=env, stdout=pipe, stderr=pipe, text=True)


@contextmanager
def running_lab(
    folder: Path, lang: str, prepare: Callable[[Path], None] = copy_lessons
) -> Iterator[str]:
    """JupyterLab on what `prepare` puts into `folder`, at the first lesson; its address."""
    prepare(folder)
    process = start_lab(folder, "--lang", lang)
    assert process.stdout and process.stderr
    said: list[str] = []
    try:
        for line in process.stdout:
            said.append(line)
            found = re.search(r"http://127\.0\.0\.1:\d+/lab\S+", line)
            if found:
                yield found[0]
                return
        raise RuntimeError(f"no address was printed: {said} {process.stderr.read()}")
    finally:
        family = psutil.Process(process.pid).children(recursive=True)
        for member in [*family, psutil.Process(process.pid)]:
            member.terminate()
        process.communicate(timeout=30)


@contextmanager
def open_page(address: str, height: int = 1000) -> Iterator[Page]:
    """The notebook in Chromium, with its kernel ready."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        page = browser.new_page(viewport={"width": 1366, "height": height})
        page.goto(address)
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        page.wait_for_selector(IDLE, timeout=60_000)
        yield page
        browser.close()


def run_all(page: Page) -> None:
    """Choose "Run All Cells" from the menu, as a learner would."""
    page.click(".lm-MenuBar-itemLabel:text-is('Run')")
    page.click(".lm-Menu-itemLabel:text-is('Run All Cells')")


def wait_until_done(page: Page) -> None:
    """No cell is waiting or running any more; such a cell shows a star."""
    stars = (
        "[...document.querySelectorAll('.jp-InputPrompt')].filter(p => p.innerText.includes('*'))"
    )
    page.wait_for_function(f"{stars}.length > 0", timeout=30_000)
    page.wait_for_function(f"{stars}.length === 0", timeout=120_000)


def main() -> None:
    """Take the README's pictures."""
    pictures = ROOT / "docs"
    pictures.mkdir(exist_ok=True)
    for edition in ("en", "ja"):
        with (
            tempfile.TemporaryDirectory() as folder,
            running_lab(Path(folder), edition) as address,
            open_page(address, height=900) as page,
        ):
            run_all(page)
            wait_until_done(page)
            heading = page.locator(".jp-Notebook h2").first
            heading.evaluate("heading => heading.scrollIntoView()")
            page.wait_for_timeout(1_000)
            path = pictures / f"lesson_02_{edition}.png"
            page.screenshot(path=path)
            print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
