"""Figures of lessons 04 and 05: they say what they show, in both languages, and never by colour."""

import doctest
import xml.etree.ElementTree as ElementTree

import pytest

from jimoto.teaching import lesson_figures
from jimoto.teaching.lesson_figures import (
    TEXT,
    flow_picture,
    fortune_panels,
    gantt,
    prompt_xray,
    rate_bars,
)
from jimoto.teaching.pipes import Step
from jimoto.teaching.rates import rate

SVG = "{http://www.w3.org/2000/svg}"
PROMPT = "<|im_start|>system\nBe <b>rief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
ODDS = {"吉": 0.6, "凶": 0.4}
DRAWN = {0.0: {"吉": 200}, 1.0: {"吉": 118, "凶": 80, "豆": 2}}
RUNS = [
    [Step("planner", "t", "p", 0.0, 0.2, 0.1, 9), Step("solver", "p", "s", 0.2, 0.5, 0.0, 20)],
    [Step("planner", "t", "p", 0.0, 0.1, 0.0, 9), Step("solver", "p", "s", 0.1, 0.4, 0.0, 21)],
]
RATES = {"right": rate(18, 20), "none": rate(1, 20)}
CHARTS = {
    "xray": lambda lang: prompt_xray(PROMPT, {"SYSTEM": "Be <b>rief.", "user": "Hi"}, lang),
    "fortunes": lambda lang: fortune_panels(DRAWN, ODDS, lang),
    "rates": lambda lang: rate_bars(RATES, {"none": 0.5}, lang),
    "flow": lambda lang: flow_picture({"planner": "1. 床を掃く"}, "Clean the 倉庫", lang),
    "gantt": lambda lang: gantt(RUNS, lang),
}  # fmt: skip


def texts(chart):
    return [t.text or "" for t in ElementTree.fromstring(chart.svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize("kind", CHARTS)
def test_a_chart_is_a_picture_with_its_sentence_and_its_numbers(kind, lang):
    chart = CHARTS[kind](lang)
    root = ElementTree.fromstring(chart.svg)
    assert root.find(f"{SVG}title").text == chart.alt and "{" not in chart.alt
    assert chart.table.rows and all(len(row) == len(chart.table.heads) for row in chart.table.rows)
    japanese = any(ord(letter) > 0x3000 for letter in "".join(chart.table.heads))
    assert japanese == (lang == "ja")


@pytest.mark.parametrize("kind", CHARTS)
def test_nothing_is_drawn_outside_the_picture(kind):
    root = ElementTree.fromstring(CHARTS[kind]("ja").svg)
    width, height = float(root.get("width")), float(root.get("height"))
    for shape in root.iter():
        if shape.get("x") is not None:
            assert 0 <= float(shape.get("x")) <= width
            assert 0 <= float(shape.get("y")) <= height
        if shape.tag == f"{SVG}rect" and "%" not in shape.get("width"):
            assert float(shape.get("x", 0)) + float(shape.get("width")) <= width + 1


def test_both_languages_have_the_same_words():
    assert set(TEXT["en"]) == set(TEXT["ja"])


def test_an_x_ray_names_the_author_of_every_piece_and_loses_no_letter():
    chart = prompt_xray(PROMPT, {"SYSTEM": "Be <b>rief.", "user": "Hi"}, "en")
    assert [row[1] for row in chart.table.rows] == [
        "template", "SYSTEM", "template", "user", "template",
    ]  # fmt: skip
    assert "".join(row[2] for row in chart.table.rows).replace("↵", "\n") == PROMPT
    assert "SYSTEM" in texts(chart) and "Be <b>rief." in texts(chart)


def test_a_part_that_did_not_arrive_is_not_named():
    chart = prompt_xray("Hi", {"SYSTEM": "Be brief.", "user": "Hi"}, "en")
    assert [row[1] for row in chart.table.rows] == ["user"]


def test_fortunes_stand_beside_their_odds_and_strangers_are_counted_together():
    rows = {row[0]: row[1:] for row in fortune_panels(DRAWN, ODDS, "en").table.rows}
    assert rows["吉"] == ("60 %", "100.0 %", "59.0 %")
    assert rows["anything else"] == ("–", "0.0 %", "1.0 %")
    assert rows["entropy (bits)"][:2] == ("0.97", "0.00")


def test_a_prediction_is_in_the_picture_the_table_and_the_sentence():
    with_it, without = CHARTS["rates"]("en"), rate_bars({"none": rate(1, 20)}, lang="en")
    assert with_it.svg.count(' z"') == 1 and without.svg.count(' z"') == 0
    assert with_it.table.rows[1][-1] == "50 %" and with_it.table.rows[0][-1] == "–"
    assert len(without.table.heads) == len(with_it.table.heads) - 1
    assert "diamond" in with_it.alt and "diamond" not in without.alt


def test_a_gantt_chart_adds_up_each_stage():
    chart = gantt(RUNS, "en")
    assert chart.table.rows == (("planner", "0.30", "0.10", "18"), ("solver", "0.90", "0.00", "41"))
    assert "Slowest in all: solver" in chart.alt
    bars = [
        r for r in ElementTree.fromstring(chart.svg).iter(f"{SVG}rect") if "%" not in r.get("width")
    ]
    assert len(bars) == 2 * 4  # the whole, and what was spent on loading


def test_a_flow_names_language_and_length_of_each_text():
    assert CHARTS["flow"]("en").table.rows == (("input", "en", "12"), ("planner", "ja", "7"))


@pytest.mark.parametrize("nothing", [{}, {1.0: {}}])
def test_no_draw_is_no_picture(nothing):
    with pytest.raises(ValueError, match="drawn"):
        fortune_panels(nothing, ODDS, "en")


def test_worked_examples_hold():
    assert doctest.testmod(lesson_figures).failed == 0 < doctest.testmod(lesson_figures).attempted
