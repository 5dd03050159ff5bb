"""What lesson 02 shows: three charts, the fields of a reply, marked text, the memory in use."""

from __future__ import annotations

import doctest
import json
import os
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import pytest

from jimoto.teaching import charts, memory, tables
from jimoto.teaching.charts import Chart, arrival_dots, disk_steps, load_bars
from jimoto.teaching.tables import field_table, mark

SVG = "{http://www.w3.org/2000/svg}"
ARRIVED_MS = [120.0, 140.0, 165.0, 180.0]


def reply(load_ms: float) -> SimpleNamespace:
    """30 ms of reading, 100 ms of writing."""
    parts = {"load_duration": load_ms, "prompt_eval_duration": 30, "eval_duration": 100}
    nanoseconds = {key: int(ms * 1e6) for key, ms in parts.items()}
    return SimpleNamespace(**nanoseconds, total_duration=sum(nanoseconds.values()))


def all_charts(lang: str) -> list[Chart]:
    return [
        arrival_dots(ARRIVED_MS, lang),
        load_bars(reply(500), reply(2), lang),
        disk_steps([10.6, 10.6, 10.6, 0.0, 10.6], lang),
    ]


def picture(chart: Chart) -> ElementTree.Element:
    return ElementTree.fromstring(chart.svg)


def words_in(chart: Chart) -> list[str]:
    return [text.text or "" for text in picture(chart).iter(f"{SVG}text")]


@pytest.mark.parametrize("module", [charts, tables])
def test_worked_examples_hold(module):
    failed, tried = doctest.testmod(module)
    assert tried and not failed


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_every_chart_says_itself_in_words_and_has_a_header_row(lang):
    for chart in all_charts(lang):
        assert picture(chart).find(f"{SVG}title").text == chart.alt == repr(chart)
        assert 'scope="col"' in chart.table._repr_html_()
        assert {len(row) for row in chart.table.rows} == {len(chart.table.heads)}


def test_both_languages_draw_the_same_shapes():
    def shapes(chart: Chart) -> list[dict[str, str]]:
        return [dict(item.attrib) for item in picture(chart).iter() if item.tag != f"{SVG}text"]

    for english, japanese in zip(all_charts("en"), all_charts("ja"), strict=True):
        assert shapes(english) == shapes(japanese)
    assert charts.TEXT["en"].keys() == charts.TEXT["ja"].keys()
    assert tables.FIELDS["en"].keys() == tables.FIELDS["ja"].keys()


def test_one_dot_stands_for_each_piece_and_the_first_is_labelled():
    chart = arrival_dots(ARRIVED_MS, "en")
    dots = [float(dot.attrib["cx"]) for dot in picture(chart).iter(f"{SVG}circle")]
    assert len(dots) == 4 and dots == sorted(dots)
    # A distance on the paper is a time: 0 lies at the left end of the axis.
    assert (dots[0] - charts.LEFT) / (dots[-1] - charts.LEFT) == pytest.approx(120 / 180, abs=1e-3)
    assert "first piece: 120 ms" in words_in(chart)
    assert chart.table.rows[-1][1] == "20 ms"


def test_a_label_stays_on_the_paper_when_all_pieces_come_late():
    label = next(t for t in picture(arrival_dots([990, 1000], "en")).iter(f"{SVG}text")
                 if "first" in (t.text or ""))  # fmt: skip
    assert label.attrib["text-anchor"] == "end"


def test_one_piece_is_drawn_and_none_is_refused():
    assert arrival_dots([5.0], "en").table.rows[-1][1] == "–"
    with pytest.raises(ValueError, match="no piece"):
        arrival_dots([], "en")


def test_bars_are_as_long_as_their_times():
    bars = [float(bar.attrib["width"]) for bar in picture(load_bars(reply(500), reply(2), "en"))
            if bar.tag == f"{SVG}rect" and bar.attrib.get("height") == "30"]  # fmt: skip
    assert len(bars) == 6
    assert bars[0] / bars[2] == pytest.approx(5, abs=0.05)
    assert bars[1] == bars[4] and bars[2] == bars[5]


def test_what_a_server_leaves_out_counts_as_nothing():
    bare = SimpleNamespace(load_duration=None, prompt_eval_duration=None, eval_duration=10_000_000)
    assert charts.parts_ms(bare) == (0.0, 0.0, 10.0)


def test_other_models_in_the_folder_do_not_change_the_picture():
    alone = disk_steps([10.6, 10.6, 10.6, 0.0, 10.6], "en")
    among = disk_steps([50010.6, 50010.6, 50010.6, 50000.0, 50010.6], "en")
    assert alone.svg == among.svg and alone.table == among.table
    assert [row[2] for row in alone.table.rows] == ["", "0.0", "0.0", "-10.6", "+10.6"]
    with pytest.raises(ValueError, match="2 sizes, not 5"):
        disk_steps([1.0, 2.0], "en")


def test_a_chart_in_a_notebook_leaves_a_picture_and_a_table(monkeypatch):
    shown: list[object] = []
    monkeypatch.setattr("IPython.display.display", lambda thing, raw=False: shown.append(thing))
    chart = all_charts("en")[0]
    chart._ipython_display_()
    assert shown == [{"image/svg+xml": chart.svg, "text/plain": chart.alt}, chart.table]


# --- fields and marks ----------------------------------------------------------------------------


def test_a_reply_of_the_client_is_read_like_a_dict():
    import ollama

    facts = {"model": "mame", "response": "x" * 99, "done": True, "eval_count": 3, "context": None}
    table = field_table(ollama.GenerateResponse(**facts), "en")
    by_name = {row[0]: row for row in table.rows}
    assert by_name["eval_count"][1:3] == ("3", "3 tokens")
    assert len(by_name["response"][1]) == 40 and "context" not in by_name


def test_a_field_that_nobody_explained_is_shown_all_the_same():
    assert field_table({"<new>": 1}, "ja").rows == (("<new>", "1", "", ""),)
    assert "&lt;new&gt;" in field_table({"<new>": 1}, "ja")._repr_html_()


def test_parts_are_numbered_in_the_order_of_the_text():
    marked = mark(["a <b>", "B"], {"B": "second", "b": "first", "absent": "never"})
    assert repr(marked) == "a <b[1]>\nB[2]\n\n[1] b: first\n[2] B: second"
    page = marked._repr_html_()
    assert "a &lt;<mark><b>b</b></mark>[1]&gt;" in page and "absent" not in page


# --- memory --------------------------------------------------------------------------------------


def test_the_embedded_server_is_counted_only_where_this_kernel_uses_it(tmp_path, monkeypatch):
    ready = {"pid": os.getpid(), "host": "127.0.0.1", "port": 4711}
    (tmp_path / "server.json").write_text(json.dumps(ready), encoding="utf-8")
    monkeypatch.setenv("JIMOTO_HOME", str(tmp_path))
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:4711")
    assert memory.embedded_pid() == os.getpid()
    assert memory.server_memory_mb() > 5
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:4712")
    assert memory.embedded_pid() is None


@pytest.mark.parametrize("said", ["", "{", "[]", '{"pid": "x", "port": 1}'])
def test_a_broken_note_of_the_server_is_no_server(tmp_path: Path, monkeypatch, said):
    (tmp_path / "server.json").write_text(said, encoding="utf-8")
    monkeypatch.setenv("JIMOTO_HOME", str(tmp_path))
    assert memory.embedded_pid() is None
