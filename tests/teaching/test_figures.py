"""Figures are drawn in both languages without a missing letter, and say their numbers."""

import warnings
from dataclasses import replace
from functools import cache

import pytest

from jimoto.hardware.catalog import find_machine
from jimoto.hardware.machine import from_row
from jimoto.teaching import figures
from jimoto.teaching.figures import Drawing, cost_break_even, find_font, memory_by_context, roofline

LAPTOP = from_row(find_machine("16 GB laptop"))
DRAWINGS = {
    "roofline": lambda lang: roofline(LAPTOP, lang=lang),
    "memory": lambda lang: memory_by_context("llama3.1:8b", LAPTOP, lang=lang),
    "cost": lambda lang: cost_break_even(lang=lang),
}


@cache
def drawing_of(kind, lang):
    return DRAWINGS[kind](lang)


def texts(drawing):
    axes = drawing.figure.axes[0]
    legend = [entry.get_text() for entry in axes.get_legend().get_texts()]
    return [axes.get_title(), axes.get_xlabel(), axes.get_ylabel(), *legend]


@pytest.mark.parametrize("kind", DRAWINGS)
@pytest.mark.parametrize("lang", ["en", "ja"])
def test_no_letter_is_missing_from_the_picture(kind, lang):
    if lang == "ja" and find_font() is None:
        pytest.skip("no Japanese font is installed here")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        drawing_of(kind, lang).figure.draw_without_rendering()
    assert [str(w.message) for w in seen if "lyph" in str(w.message)] == []


def test_a_missing_letter_would_be_noticed():
    from matplotlib.figure import Figure

    figure = Figure()
    figure.text(0, 0, "漢字", family="DejaVu Sans")
    with pytest.warns(UserWarning, match="missing from font"):
        figure.draw_without_rendering()


def test_a_drawing_is_a_picture():
    assert drawing_of("memory", "en").png().startswith(b"\x89PNG")


@pytest.mark.parametrize("kind", DRAWINGS)
def test_without_a_japanese_font_labels_are_english_and_a_line_says_so(kind, monkeypatch):
    monkeypatch.setattr(figures, "find_font", lambda: None)
    drawing = DRAWINGS[kind]("ja")
    assert all(text.isascii() for text in texts(drawing)) and len(drawing.notes) == 1


@pytest.mark.parametrize("kind", DRAWINGS)
def test_a_notebook_shows_the_alternative_text_the_numbers_and_the_notes(kind, monkeypatch):
    drawing = replace(drawing_of(kind, "en"), notes=("a < b",))
    monkeypatch.setattr(Drawing, "png", lambda _: b"picture")
    html = drawing._repr_html_()
    assert 'alt="' in html and html.count("<tr>") == len(drawing.rows) + 1 > 3
    assert "<p>a &lt; b</p>" in html
    assert all(len(row) == len(drawing.heads) for row in drawing.rows)


def test_japanese_labels_are_japanese():
    if find_font() is None:
        pytest.skip("no Japanese font is installed here")
    assert any("コンテキスト長" in text for text in texts(drawing_of("memory", "ja")))


def test_lines_differ_by_more_than_their_colour():
    lines = drawing_of("roofline", "en").figure.axes[0].lines
    styles = {line.get_linestyle() for line in lines if line.get_label()[0] != "_"}
    assert len(styles) == 4


def test_the_memory_bars_add_up():
    for row in drawing_of("memory", "en").rows:
        *parts, total = (float(cell) for cell in row[1:])
        assert sum(parts) == pytest.approx(total, abs=0.02)


def test_every_price_carries_its_date():
    labels = [row[0] for row in drawing_of("cost", "en").rows]
    assert len(labels) == 6 and all("20" in label.split("(")[-1] for label in labels)


def test_buying_ends_at_the_capacity_of_the_machine():
    way = figures.Way("bought", 50.0, 0.1, capacity_millions=100.0)
    assert way.monthly_usd(100.0) == 60.0 and way.monthly_usd(101.0) is None


def test_a_machine_that_cannot_make_enough_never_pays():
    api = figures.Way("API", 0.0, 1.0)
    assert figures.break_even_millions(figures.Way("small", 50.0, 0.1, 20.0), api) is None
    assert figures.break_even_millions(figures.Way("dear", 50.0, 2.0), api) is None
