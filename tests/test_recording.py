"""The terminal session in the README: its commands are real, and the picture shows them."""

import html
import re
import shutil

import pytest
from test_command_lines import Line, complaint

from tools import record

LANGS = sorted(record.SESSION)


def lines_of(svg):
    """The lines of text in a picture, top to bottom."""
    rows = {}
    text = r'<text class="session-r\d+" x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)</text>'
    for x, y, piece in re.findall(text, svg):
        rows.setdefault(float(y), []).append((float(x), html.unescape(piece).replace("\xa0", " ")))
    return ["".join(piece for _, piece in sorted(rows[y])).rstrip() for y in sorted(rows)]


@pytest.mark.parametrize("lang", LANGS)
def test_the_picture_shows_exactly_the_commands_of_the_session(lang):
    shown = lines_of(record.picture(lang).read_text(encoding="utf-8"))
    typed = [line[2:].rstrip() for line in shown if line.startswith("$ ")]
    assert typed == record.SESSION[lang]


@pytest.mark.parametrize("lang", LANGS)
def test_the_parser_knows_each_command_but_the_misspelt_one(lang):
    said = [complaint(Line("x", text, whole=True)) for text in record.SESSION[lang]]
    assert [bool(line) for line in said] == ["rnu" in text for text in record.SESSION[lang]]


@pytest.mark.parametrize("lang", LANGS)
def test_the_readme_shows_the_picture_and_the_picture_needs_no_network(lang):
    name = {"en": "README.md", "ja": "README.ja.md"}[lang]
    assert f"(docs/terminal_{lang}.svg)" in (record.ROOT / name).read_text(encoding="utf-8")
    assert "@font-face" not in record.picture(lang).read_text(encoding="utf-8")


@pytest.mark.parametrize("lang", LANGS)
def test_a_picture_of_lines_gives_the_lines_back(lang):
    lines = [f"@@ {record.SESSION[lang][1]}", "豆 <b> & 'bean'", "", "  two  columns"]
    said = [line for line in lines_of(record.draw(lines, lang)) if line]
    assert said == [f"$ {record.SESSION[lang][1]}", lines[1], lines[3]]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_recording_again_shows_the_same_session():
    lines = record.record("en")
    typed = [line.removeprefix("@@ ") for line in lines if line.startswith("@@ ")]
    assert typed == record.SESSION["en"]
    assert any(line.startswith("mame:latest") for line in lines)
