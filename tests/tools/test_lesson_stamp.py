"""A stamp must not let an unread Japanese half through."""

from __future__ import annotations

import re
from collections.abc import Callable

import jupytext
import pytest

from tools.lesson import Lesson, Room, read_lesson
from tools.pairing import stamp_findings
from tools.stamp import stamp

NAME = "02_first_run"
ENGLISH = ("two hours", "two long hours")
JAPANESE = ("時間は2時間", "時間は長い2時間")


def stale(room: Room) -> list[str]:
    return [finding.key for finding in stamp_findings(read_lesson(room, NAME))]


def test_a_fresh_stamp_is_current_and_stamping_again_changes_nothing(
    room: Room, write: Callable[..., Lesson]
) -> None:
    lesson = write()
    before = lesson.path.read_bytes()
    assert stale(room) == []
    assert stamp(lesson, []) == ([], [])
    assert lesson.path.read_bytes() == before


def test_english_alone_is_not_waved_through(room: Room, write: Callable[..., Lesson]) -> None:
    lesson = write(ENGLISH)
    before = lesson.path.read_bytes()
    done, waiting = stamp(lesson, [])
    assert done == [] and len(waiting) == 1
    assert waiting[0].endswith("python -m tools.notebooks stamp 02_first_run story")
    assert lesson.path.read_bytes() == before


def test_a_half_named_by_key_is_confirmed_and_shown(
    room: Room, write: Callable[..., Lesson]
) -> None:
    done, waiting = stamp(write(ENGLISH), ["story"])
    assert waiting == [] and stale(room) == []
    assert "two long hours" in done[0] and "葵さんの質問は30件" in done[0]


@pytest.mark.parametrize("changes", [(ENGLISH, JAPANESE), (JAPANESE,)])
def test_edited_japanese_is_stamped(
    room: Room, write: Callable[..., Lesson], changes: tuple[tuple[str, str], ...]
) -> None:
    lesson = write(*changes)
    assert stale(room) == ["story"]
    assert stamp(lesson, []) == (["[story] stamped"], [])
    assert stale(room) == []


def test_an_unknown_key_is_an_answer_not_a_silence(write: Callable[..., Lesson]) -> None:
    assert stamp(write(), ["stroy"])[1] == [
        "notebooks/src/02_first_run.md has no pair with the key 'stroy'."
    ]


def test_wrapping_english_in_another_way_is_no_change(
    room: Room, write: Callable[..., Lesson]
) -> None:
    write(("five million parameters and", "five million\nparameters and"))
    assert stale(room) == []


def test_options_written_as_a_yaml_block_are_stamped_too(
    room: Room, write: Callable[..., Lesson]
) -> None:
    lesson = write()
    text = lesson.path.read_text(encoding="utf-8")
    colons = re.search(r":key: language\n:lang: ja\n:tags: .*\n:of: .*\n:is: .*\n", text)
    assert colons
    options = re.sub("^:", "", colons[0], flags=re.M)
    options = re.sub("is: .*", 'is: "00000000"', options)
    lesson.path.write_text(text.replace(colons[0], f"---\n{options}---\n"), encoding="utf-8")
    assert stamp(read_lesson(room, NAME), []) == (["[language] stamped"], [])
    assert stale(room) == []


def test_jupytext_keeps_contract_keys_and_stamps(room: Room, write: Callable[..., Lesson]) -> None:
    """An author may edit the source as a notebook in JupyterLab."""
    lesson = write()
    notebook = jupytext.read(lesson.path)
    lesson.path.write_text(jupytext.writes(notebook, "md:myst"), encoding="utf-8")
    again = read_lesson(room, NAME)
    assert again.contract == lesson.contract
    assert [(c.key, c.lang, c.tags, c.of, c.own, c.text) for c in again.cells] == [
        (c.key, c.lang, c.tags, c.of, c.own, c.text) for c in lesson.cells
    ]
