"""Small spoilt sources, and what the author reads about each."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tools.check import check, check_lesson
from tools.edition import compose, write_text
from tools.lesson import LANGS, Lesson, Room, replace_file

NAME = "02_first_run"
JA_STORY = "葵さんの質問は30件"
STORY = '{"key": "story", "lang": "en"}'
GREET = 'print("hello", LANG)'


def messages(room: Room) -> list[str]:
    """Of the source alone; editions have their own tests below."""
    return [str(f) for f in check_lesson(room, NAME) if f.path.endswith(".md")]


def test_a_good_lesson_has_nothing_to_mend(room: Room, write: Callable[..., Lesson]) -> None:
    write()
    assert messages(room) == []


# (what stands in the source, what it becomes, where, what the message says)
SPOILT = [
    # front matter
    ("id: 02_first_run", "id: 02_first", "", "the id is '02_first', the file '02_first_run'"),
    ("level: 1", "level: 4", "", "level is 4"),
    ("peak_ram_mb: 700", "ram: 700", "", "peak_ram_mb missing"),
    ("surprise: greet", "surprise: gret", "", "'gret' is no cell's key"),
    ("ja: 最初の回答を得る}", "jp: 最初の回答を得る}", "", "title is not in both languages"),
    ("ja: [サーバーを起動する]", "ja: [起動する, 止める]", "", "different numbers of goals"),
    ("core: 20", "core: 20 min", "", "minutes needs whole numbers"),
    ("en: [Start a server]", "en: [Just start it]", "", "'Just' belittles"),
    # keys and halves
    (":key: greet", ":key: Greet!", "Greet!", "'Greet!' is not a key"),
    (":key: greet\n", "", "", "has no key"),
    (":key: greet", ":key: story", "story", "The key 'story' is already taken in line"),
    (":key: greet", ":kay: greet", "", "cannot say 'kay'.\n    mend: was 'key' meant?"),
    (":tags: [core]", ":numbers: free\n:langs: ja", "greet", "cannot say 'langs'"),
    (":lang: ja", ":lang: jp", "language", "'jp' is not a language of ours"),
    (STORY, '{"key": "story"}', "story", "Prose has no language"),
    (STORY, '{"key": "tale", "lang": "en"}', "tale", "Japanese half is missing"),
    (STORY, '{"key": "tale", "lang": "en"}', "story", "English half is missing"),
    (':lang: ja\n:tags: [setup]', ":lang: ja", "language", "The halves have different tags"),
    # stamps
    ("two hours", "two long hours", "story", "English changed after the Japanese was confirmed"),
    ('LANG = "en"', 'LANG = "EN"', "language", "English changed after the Japanese was confirmed"),
    ("時間は2時間です", "時間は2時間", "story", "The Japanese changed after it was stamped"),
    # numbers, in digits and in words
    ("約500万", "約50万", "story", "Only the Japanese half names 500000"),
    ("30 questions", "31 questions", "story", "Only the English half names 31"),
    # headings and pictures
    ("## 誰のために", "### 誰のために", "story", "(ja) A heading of level 3 follows level 1"),
    ("## Who needs this", "# Who needs this", "story", "(en) A second title"),
    ("# Get a first answer\n", "## Get a first answer\n", "title", "(en) No title stands above"),
    ("## Who needs this", "![](fig/a.svg)", "story", "The picture 'fig/a.svg' has no alt text"),
    ("## Who needs this", '<img src="a.png">', "story", "The picture 'a.png' has no alt text"),
    ("## Who needs this", "![Line chart](fig/a.svg)", "story", "halves show different pictures"),
    # code
    (GREET, "x = " + "1" * 70, "greet", "The line is 74 columns wide"),
    (GREET, "x = '" + "地" * 34 + "'", "greet", "The line is 74 columns wide"),
    (GREET, "\n".join(f"x{n} = 1" for n in range(13)), "greet", "The cell has 13 lines"),
    (GREET, "LANG;", "greet", "nbval prints what a semicolon hides"),
    (GREET, "LANG  # just look", "greet", "'just' belittles"),
    # wording
    ("Aoi has", "Aoi simply has", "story", "'simply' belittles"),
    (JA_STORY, "簡単に" + JA_STORY, "story", "'簡単に' belittles"),
    (JA_STORY, "ただ待つだけ、" + JA_STORY, "story", "'ただ待つだけ' belittles"),
    # notation
    ('"lang": "ja", "of"', '"lang" "ja", "of"', "", "The notation cannot be read"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "key", "said"), SPOILT)
def test_a_spoilt_lesson_is_told_what_is_wrong(
    room: Room, write: Callable[..., Lesson], old: str, new: str, key: str, said: str
) -> None:
    try:
        write((old, new))
    except Exception as error:  # what cannot even be read says so as it is read
        assert said in str(error)
    found = messages(room)
    place = f" [{key}] " if key else " "
    assert any(said in message and place in message for message in found), found
    assert all("\n    mend: " in message for message in found)


def test_setup_cells_may_be_long_and_wide(room: Room, write: Callable[..., Lesson]) -> None:
    long = "\n".join(f"x{n} = '{'1' * 80}'" for n in range(20))
    write((":tags: [core]", ":tags: [setup]"), (GREET, long))
    assert messages(room) == []


@pytest.mark.parametrize(("empty", "place"), [("", 1), ('+++ {"key": "card"}\n\n', 2)])
def test_the_card_stands_where_its_empty_cell_asks_for_it(
    room: Room, write: Callable[..., Lesson], empty: str, place: int
) -> None:
    code = "```{code-cell}\n:key: language\n:lang: en"
    lesson = write((code, empty + code))
    assert messages(room) == []
    assert [cell.id for cell in compose(lesson, "ja").cells].index("card") == place


def test_free_numbers_may_differ(room: Room, write: Callable[..., Lesson]) -> None:
    write(('"lang": "ja",', '"lang": "ja", "numbers": "free",'), ("30 questions", "31 questions"))
    assert [m for m in messages(room) if "half names" in m] == []


def test_a_message_points_at_line_and_column(room: Room, write: Callable[..., Lesson]) -> None:
    lesson = write((JA_STORY, "葵さん は Aoi です"))
    line = lesson.path.read_text(encoding="utf-8").split("葵さん は")[0].count("\n") + 1
    assert f"notebooks/src/02_first_run.md:{line}:5 [story] A space between" in "".join(
        messages(room)
    )


@pytest.fixture
def built(room: Room, write: Callable[..., Lesson]) -> Room:
    """Both editions as a build would leave them; what a run adds is pretended."""
    lesson = write()
    for lang in LANGS:
        edition = compose(lesson, lang)
        for count, cell in enumerate(c for c in edition.cells if c.cell_type == "code"):
            cell.execution_count = count + 1
        replace_file(room.edition(NAME, lang), write_text(edition))
    return room


def test_editions_that_follow_their_source_are_in_order(built: Room) -> None:
    assert check(built, [NAME]) == []


EDITION_CHANGES = [
    ('print(\\"hello\\"', 'print(\\"hi\\"', "greet", "The cell's source differs from the source"),
    ('"core"', '"more"', "greet", "The cell's metadata differs"),
    ('"id": "greet"', '"id": "greeting"', "greet", "This cell is missing"),
    ('"id": "greet"', '"id": "greeting"', "greeting", "The source has no such cell"),
    ('"execution_count": 2', '"execution_count": null', "greet", "The cell has not been run"),
    ('"name": "python3"', '"name": "conda"', "", "metadata differ from the source (kernelspec)"),
    ("estimated", "measured", "card", "The cell's source differs from the source"),
    ('"cells": [', '"cells": ', "", "This is no readable notebook"),
]


@pytest.mark.parametrize(("old", "new", "key", "said"), EDITION_CHANGES)
def test_an_edition_changed_by_hand_is_found(
    built: Room, old: str, new: str, key: str, said: str
) -> None:
    path = built.edition(NAME, "en")
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    found = [f for f in check(built, [NAME]) if f.key == key and said in f.what]
    assert found, check(built, [NAME])
    assert found[0].path == "notebooks/en/02_first_run.ipynb"
    assert "python -m tools.notebooks build 02_first_run" in found[0].mend


def test_an_edited_source_makes_its_editions_differ(built: Room) -> None:
    path = built.src / f"{NAME}.md"
    path.write_text(path.read_text(encoding="utf-8").replace("hello", "hallo"), encoding="utf-8")
    found = [(f.path.split("/")[1], f.key) for f in check(built, [NAME])]
    assert ("en", "greet") in found and ("ja", "greet") in found


def test_stamping_alone_leaves_editions_in_order(built: Room) -> None:
    path = built.src / f"{NAME}.md"
    text = path.read_text(encoding="utf-8")
    path.write_text(re.sub(r'"?(of|is)"?: "[0-9a-f]{8}"', r'"\1": "0"', text), encoding="utf-8")
    assert {f.path for f in check(built, [NAME])} == {"notebooks/src/02_first_run.md"}


def test_missing_editions_and_orphans_are_named(built: Room) -> None:
    built.edition(NAME, "ja").rename(built.edition("01_gone", "ja"))
    found = [str(f) for f in check(built, [NAME])]
    assert found == [
        "notebooks/ja/02_first_run.ipynb This edition has not been built.\n"
        "    mend: python -m tools.notebooks build 02_first_run",
        "notebooks/ja/01_gone.ipynb No lesson in src stands behind this file.\n"
        "    mend: git rm notebooks/ja/01_gone.ipynb",
    ]
