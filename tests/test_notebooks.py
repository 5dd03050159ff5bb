"""The real lessons: sources and editions agree, and nbval compares enough of what they print.

Running the cells is nbval's part; it collects notebooks/en and notebooks/ja in the same session.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from nbformat import NotebookNode

from tools.check import check
from tools.edition import read_edition
from tools.execute import is_strict
from tools.lesson import LANGS, Room, read_lesson

ROOM = Room(Path(__file__).parents[1])
LESSONS = ROOM.lesson_names()
STRICT_SHARE = 0.8


def code_cells(name: str, lang: str) -> dict[str, NotebookNode]:
    path = ROOM.edition(name, lang)
    assert path.exists(), f"{path} is not built: python -m tools.notebooks build {name}"
    edition = read_edition(path)
    return {cell.id: cell for cell in edition.cells if cell.cell_type == "code"}


def test_there_is_a_lesson() -> None:
    assert LESSONS, f"no lesson in {ROOM.src}"


def test_sources_and_editions_have_nothing_to_mend() -> None:
    found = check(ROOM, LESSONS)
    assert not found, "\n" + "\n".join(map(str, found))


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("name", LESSONS)
def test_four_of_five_outputs_are_compared_word_for_word(name: str, lang: str) -> None:
    shown = {
        key: cell.metadata.get("tags", [])
        for key, cell in code_cells(name, lang).items()
        if cell.outputs
    }
    loose = [
        key for key, tags in shown.items() if not is_strict(tags) or "raises-exception" in tags
    ]
    assert len(loose) <= (1 - STRICT_SHARE) * len(shown), (
        f"{len(loose)} of {len(shown)} cells with output are not compared: {', '.join(loose)}"
    )


@pytest.mark.parametrize("name", LESSONS)
def test_both_editions_have_the_same_code(name: str) -> None:
    en, ja = code_cells(name, "en"), code_cells(name, "ja")
    assert list(en) == list(ja)
    pairs = {
        cell.key for cell in read_lesson(ROOM, name).cells if cell.kind == "code" and cell.lang
    }
    different = {
        key
        for key in en
        if (en[key].source, en[key].metadata) != (ja[key].source, ja[key].metadata)
    }
    assert different <= pairs
