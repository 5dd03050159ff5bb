"""Checks between two stages of a pipe: is this a plan, which language is it, is it what was wanted?

Each looks at a text and at nothing else: no model, no server. None of them can tell whether what a
text says is true.
"""

from __future__ import annotations

import re

NUMBERED = re.compile(r"\s*(\d+)\s*[.)．）、]\s*\S")
JAPANESE = re.compile(r"[\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
LATIN_WORD = re.compile(r"[A-Za-z]+")


def is_plan(text: str, lines: int = 0) -> bool:
    """Is every line numbered, 1, 2, 3 …? `lines`: how many there must be; 0: two or more.

    >>> is_plan("1. Get a box\\n2. Write a label"), is_plan("1. Get a box\\nThen write a label")
    (True, False)
    """
    found = [line for line in text.splitlines() if line.strip()]
    numbers = [int(m[1]) for line in found if (m := NUMBERED.match(line))]
    enough = len(found) == lines if lines else len(found) > 1
    return enough and numbers == list(range(1, len(found) + 1))


def language_of(text: str) -> str:
    """'ja', 'en' or '', by what there is more of: Japanese letters, or Latin words.

    >>> language_of("倉庫を掃除しました。"), language_of("I cleaned the 倉庫."), language_of("12")
    ('ja', 'en', '')
    """
    japanese, words = len(JAPANESE.findall(text)), len(LATIN_WORD.findall(text))
    if not japanese and not words:
        return ""
    return "ja" if japanese > words else "en"


def same_text(said: str, wanted: str) -> bool:
    """The same words in the same lines; blanks do not count.

    >>> same_text("1. Get a box \\n\\n2. Write  a label\\n", "1. Get a box\\n2. Write a label")
    True
    """

    def lines(text: str) -> list[str]:
        return [" ".join(line.split()) for line in text.splitlines() if line.strip()]

    return lines(said) == lines(wanted)


def holds(said: str, wanted: str) -> bool:
    """Does `wanted` stand in the answer, and not as a piece of a longer number?

    >>> holds("It is 340 yen.", "340 yen"), holds("127", "12"), holds("", "12")
    (True, False, False)
    """
    return bool(re.search(rf"(?<!\d){re.escape(wanted.strip())}(?!\d)", said))
