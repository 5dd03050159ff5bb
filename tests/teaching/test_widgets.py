"""The widgets: they ask a real server, show failures in words, and leave a picture for paper."""

import builtins
import os
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import nbformat
import pytest

from jimoto import connection, lab
from jimoto.formats import text_width
from jimoto.teaching import widgets
from jimoto.teaching.pictures import Box, draw, wrap
from tools import browser
from tools.clean_room import clean_environment, temporary_home

VIEW = "application/vnd.jupyter.widget-view+json"
QUESTION = "What is Ollama?"


@pytest.fixture(scope="module")
def server():
    """The embedded server and the stand-in command, for this file only."""
    before = dict(os.environ)
    with temporary_home() as home:
        os.environ.clear()
        os.environ.update(clean_environment(before, home), JIMOTO_LANG="en")
        try:
            connection.connect()
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def texts(svg):
    root = ElementTree.fromstring(svg)
    return [t.text for t in root.iter("{http://www.w3.org/2000/svg}text")]


def find(widget, description):
    """The control with this visible label."""
    children = getattr(widget, "children", ())
    if getattr(widget, "description", None) == description:
        return widget
    return next((found for child in children if (found := find(child, description))), None)


def press_enter(field):
    field._handle_custom_msg({"event": "submit"}, [])


def test_a_chat_box_answers_and_leaves_a_picture(server):
    box = widgets.ChatBox("mame", [QUESTION], think=False, options={"temperature": 0})
    assert "program" in box.messages[1]["content"]
    shown = box._repr_mimebundle_()
    assert {VIEW, "image/svg+xml", "text/plain"} <= set(shown)
    assert QUESTION in " ".join(texts(shown["image/svg+xml"]))
    assert box.messages[1]["content"] in shown["text/plain"]


def test_enter_sends_and_the_history_goes_along(server):
    box = widgets.ChatBox("mame", think=False, options={"temperature": 0})
    field, page = find(box.view, "Question"), box.view.children[0]
    for question in ("Hello", "<b>What is GGUF?</b>"):
        field.value = question
        press_enter(field)
        box.wait()
    assert [m["role"] for m in box.messages] == ["user", "assistant"] * 2
    assert field.value == "" and "&lt;b&gt;What" in page.value and "aria-live" in page.value
    press_enter(field)  # nothing was typed
    box.wait()
    assert len(box.messages) == 4


def test_the_answer_comes_in_pieces_and_can_be_stopped(server):
    box, seen = widgets.ChatBox("mame", think=False, options={"temperature": 0}), []

    def show():
        seen.append(box.messages[-1]["content"])
        if len(seen) == 3:
            find(box.view, "Stop").click()

    box.answer(QUESTION, show)
    assert len(seen) == 4 and seen[0] and seen[0] in seen[2]
    assert seen[3].endswith(widgets.TEXT["en"]["stopped"])


def test_a_failure_is_said_in_the_answers_place(server):
    box = widgets.ChatBox("no_such", [QUESTION])
    assert "no_such" in box.messages[-1]["content"] and "not found" in box.messages[-1]["content"]


def test_the_workbench_creates_a_model_and_compares(server):
    bench = widgets.Workbench("FROM mame\nPARAMETER temperature 0\n", "twin", QUESTION, "mame")
    assert bench.answers["twin"] == bench.answers["mame"] != ""
    assert bench.status == "twin was created."
    find(bench.view, "Question").value = "What is GGUF?"
    find(bench.view, "Ask both").click()
    bench.wait()
    assert bench.answers["twin"] == bench.answers["mame"]
    assert "GGUF" in bench.view.children[-1].value


@pytest.mark.parametrize(
    "modelfile, name, said",
    [
        ("FROM mame\nPARAMETER temperature=0.7\n", "broken", "2"),
        ("SYSTEM hi\n", "broken", "FROM"),
        ("FROM mame\n", "  ", "name"),
    ],
)
def test_a_broken_modelfile_is_explained(server, modelfile, name, said):
    bench = widgets.Workbench(modelfile, name, QUESTION, "mame")
    assert said in bench.status and not any(bench.answers.values())


def test_a_pipe_shows_what_flows_and_where_it_breaks(server):
    pipe = widgets.PipeBuilder(QUESTION, ["mame", "mame"], lang="ja")
    assert [box.head for box in pipe.flow] == ["入力", "mame", "mame"]
    assert all(box.text for box in pipe.flow)
    broken = widgets.PipeBuilder(QUESTION, ["no_such", "mame"])
    assert [box.head for box in broken.flow] == ["Input", "no_such"]
    assert "not found" in broken.flow[-1].text


def test_stages_are_added_and_removed(server):
    pipe = widgets.PipeBuilder(QUESTION, ["mame"])
    fields = pipe.view.children[1]
    for _ in range(8):
        find(pipe.view, "Add a stage").click()
    assert len(fields.children) == pipe.MOST
    for _ in range(8):
        find(pipe.view, "Remove the last stage").click()
    assert [f.description for f in fields.children] == ["Stage 1"]
    find(pipe.view, "Run the pipe").click()
    pipe.wait()
    assert len(pipe.flow) == 2


def test_every_control_has_a_label_in_both_languages(server):
    for lang in ("en", "ja"):
        faces = (
            widgets.ChatBox("mame", lang=lang),
            widgets.Workbench("FROM mame", "twin", QUESTION, "mame", lang=lang),
            widgets.PipeBuilder(QUESTION, ["mame"], lang=lang),
        )
        for face in faces:
            stack = [face.view]
            while stack:
                widget = stack.pop()
                stack += getattr(widget, "children", ())
                if hasattr(widget, "on_click") or hasattr(widget, "disabled"):
                    assert widget.description in widgets.TEXT[lang].values() or (
                        widget.description[:-1] in widgets.TEXT[lang]["stage"]
                    )
    assert widgets.TEXT["en"].keys() == widgets.TEXT["ja"].keys()


def test_without_ipywidgets_the_picture_remains(server, monkeypatch):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == "ipywidgets":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    shown = widgets.ChatBox("mame", [QUESTION])._repr_mimebundle_()
    assert set(shown) == {"image/svg+xml", "text/plain"}


@pytest.mark.parametrize(
    "text, width, lines",
    [
        ("to be or not", 6, ["to be", "or not"]),
        ("豆を焙煎する", 6, ["豆を焙", "煎する"]),
        ("abcdefgh", 3, ["abc", "def", "gh"]),
        ("a\n\nb", 5, ["a", "", "b"]),
        ("", 5, [""]),
    ],
)
def test_text_is_wrapped_by_columns(text, width, lines):
    assert wrap(text, width) == lines
    assert all(text_width(line) <= width for line in lines)


def test_a_picture_is_well_formed_whatever_is_said():
    svg = draw([Box("<a>", "x & y\n" * 40), Box("b", "豆" * 500)], alt='"<&>"', beside=True)
    assert texts(svg)[0] == "<a>" and "…" in texts(svg)
    assert ElementTree.fromstring(svg)[0].text == '"<&>"'


CELLS = """import jimoto; jimoto.connect()
from jimoto.teaching import widgets
---
widgets.ChatBox("mame", think=False, options={"temperature": 0})
---
widgets.Workbench("FROM mame\\n", "twin", "What is GGUF?", "mame")
---
widgets.PipeBuilder("What is Ollama?", ["mame", "mame"])"""


def put_widgets(folder: Path) -> None:
    """A notebook with the three widgets in the first lesson's place."""
    for lang in ("en", "ja"):
        place = folder / "notebooks" / lang
        place.mkdir(parents=True)
        cells = [nbformat.v4.new_code_cell(text) for text in CELLS.split("\n---\n")]
        kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
        notebook = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})
        nbformat.write(notebook, place / f"{lab.FIRST_LESSON}.ipynb")


@pytest.mark.browser
def test_the_widgets_work_in_a_browser(tmp_path):
    with (
        browser.running_lab(tmp_path, "en", put_widgets) as address,
        browser.open_page(address) as page,
    ):
        browser.run_all(page)
        browser.wait_until_done(page)
        chat = page.locator(".jp-OutputArea-output .widget-vbox").first
        question = chat.get_by_label("Question")
        question.focus()
        page.keyboard.type(QUESTION)
        page.keyboard.press("Enter")
        lengths = []
        for _ in range(200):
            lengths.append(len(chat.locator("[role=log]").inner_text()))
            if lengths[-1] > 60 and lengths[-1] == lengths[max(0, len(lengths) - 8)]:
                break
            time.sleep(0.05)
        assert "program" in chat.locator("[role=log]").inner_text()
        bench = page.locator(".jp-OutputArea-output .widget-vbox").nth(1)
        bench.get_by_role("button", name="Ask both").press("Enter")
        page.wait_for_function(
            "document.querySelectorAll('[role=log]')[1].innerText.split('GGUF').length > 2"
        )
        page.get_by_role("button", name="Add a stage").press("Enter")
        page.get_by_label("Stage 3").wait_for()
        page.screenshot(path=tmp_path / "widgets.png", full_page=True)
