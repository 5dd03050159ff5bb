"""The README in both languages: what it links to is there, what it tells to type is the same."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAIR = [(ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.ja.md")]


@pytest.mark.parametrize("text", PAIR, ids=["en", "ja"])
def test_every_link_into_the_repository_leads_somewhere(text):
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert targets and [t for t in targets if not (ROOT / t).exists()] == []


def test_both_languages_give_the_same_commands_and_pictures():
    english, japanese = (
        re.findall(r"```sh\n(.*?)```", text, re.DOTALL) + re.findall(r"`(make [^`]+)`", text)
        for text in PAIR
    )
    assert sorted(set(english)) == sorted(set(japanese))


def test_both_languages_give_the_same_figures():
    def measured(text):
        rows = re.findall(r"^\|(?! ---)[^|]*\|(.*)\|$", text[text.index("### ") :], re.MULTILINE)
        return [re.findall(r"\d[\d.,]*", columns) for columns in rows[:6]]

    assert measured(PAIR[0]) == measured(PAIR[1])
    assert sum(map(len, measured(PAIR[0]))) >= 10  # five rows of time and size


@pytest.mark.parametrize("target", re.findall(r"`make ([a-z-]+)", PAIR[0]))
def test_every_make_target_that_is_named_exists(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
