"""A small good lesson in a repository of its own, and ways to spoil it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tools.lesson import Lesson, Room, read_lesson
from tools.stamp import stamp

NAME = "02_first_run"
GOOD = """\
---
jupytext:
  notebook_metadata_filter: all
  text_representation: {extension: .md, format_name: myst}
kernelspec: {name: python3, display_name: Python 3 (ipykernel), language: python}
jimoto:
  id: 02_first_run
  level: 1
  title: {en: Get a first answer, ja: 最初の回答を得る}
  minutes: {core: 20, lesson: 30, lab: 15, basis: estimate}
  needs: {lessons: [], gpu: false, os: [linux, macos, windows], extras: []}
  downloads: {embedded: 0, real: {"llama3.2:3b": 2019377376}}
  peak_ram_mb: 700
  goals: {en: [Start a server], ja: [サーバーを起動する]}
  surprise: greet
---

+++ {"key": "title", "lang": "en"}

# Get a first answer

+++ {"key": "title", "lang": "ja"}

# 最初の回答を得る

+++ {"key": "story", "lang": "en"}

## Who needs this

Aoi has 30 questions, about five million parameters and two hours.

+++ {"key": "story", "lang": "ja"}

## 誰のために

葵さんの質問は30件、
パラメータは約500万、時間は2時間です。

```{code-cell}
:key: language
:lang: en
:tags: [setup]

LANG = "en"
```

```{code-cell}
:key: language
:lang: ja
:tags: [setup]

LANG = "ja"
```

```{code-cell}
:key: greet
:tags: [core]

print("hello", LANG)
```
"""


@pytest.fixture
def room(tmp_path: Path) -> Room:
    (tmp_path / "notebooks" / "src").mkdir(parents=True)
    return Room(tmp_path)


@pytest.fixture
def write(room: Room) -> Callable[..., Lesson]:
    """Write the good lesson, stamped, then with each (old, new) put in place."""

    def write(*changes: tuple[str, str], more: str = "") -> Lesson:
        path = room.src / f"{NAME}.md"
        path.write_text(GOOD + more, encoding="utf-8")
        stamp(read_lesson(room, NAME), [])
        stamped = path.read_text(encoding="utf-8")
        for old, new in changes:
            assert old in stamped, f"{old!r} is not in the lesson"
            stamped = stamped.replace(old, new)
        path.write_text(stamped, encoding="utf-8", newline="\n")
        return read_lesson(room, NAME)

    return write
