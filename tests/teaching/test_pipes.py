"""Pipes, checks between stages, the wiretap and the puzzles of lessons 04 and 05."""

import doctest
import importlib
import os
import sys
from types import SimpleNamespace

import httpx
import ollama
import pytest

from jimoto.teaching.pipes import ask_checked, count_noise, pipe_bytes, run_stages
from jimoto.teaching.prompts import render_prompt
from jimoto.teaching.puzzles import modelfile_puzzle, pipe_puzzle
from jimoto.teaching.validators import is_plan, language_of
from jimoto.teaching.wiretap import listening
from tests.fake_ollama import fake_ollama

PLAN = "1. 倉庫の鍵を借りる\n2．床を掃く\n3、報告する"


@pytest.fixture
def said(monkeypatch):
    """What `ollama.generate` answers, by stage; and the requests it got."""
    answers, asked = {}, []

    def generate(model, prompt, **request):
        asked.append((model, prompt, request))
        answer = answers[model]
        text = answer(prompt, request) if callable(answer) else answer
        return SimpleNamespace(response=text, load_duration=None, eval_count=len(text))

    monkeypatch.setattr(ollama, "generate", generate)
    return SimpleNamespace(answers=answers, asked=asked)


@pytest.mark.parametrize("name", ["pipes", "prompts", "validators"])
def test_worked_examples_hold(name):
    failed, tried = doctest.testmod(importlib.import_module(f"jimoto.teaching.{name}"))
    assert failed == 0 < tried


# --- stages --------------------------------------------------------------------------------------


def test_each_stage_gets_what_the_one_before_said(said):
    said.answers |= {"a": lambda text, _: text + "1", "b": lambda text, _: text + "2"}
    steps = run_stages(["a", "b"], "x", options={"temperature": 0})
    assert [(s.stage, s.sent, s.said, s.tokens) for s in steps] == [
        ("a", "x", "x1", 2),
        ("b", "x1", "x12", 3),
    ]
    assert steps[0].start_seconds + steps[0].seconds <= steps[1].start_seconds
    assert all(request == {"think": False, "options": {"temperature": 0}}
               for _, _, request in said.asked)  # fmt: skip


def test_a_silent_stage_is_named_and_nothing_runs_after_it(said):
    said.answers |= {"a": "x", "silent": " \n", "c": "y"}
    with pytest.raises(ValueError, match="'silent'"):
        run_stages(["a", "silent", "c"], "x")
    assert [model for model, _, _ in said.asked] == ["a", "silent"]


def test_a_rejected_answer_is_asked_for_once_more_and_differently(said):
    said.answers["planner"] = lambda _, request: (
        PLAN if "temperature" in request["options"] else "?"
    )
    checked = ask_checked("planner", "task", is_plan)
    assert (checked.said, checked.passed, checked.tries) == (PLAN, True, 2)
    first, second = (request["options"] for _, _, request in said.asked)
    assert "temperature" not in first and second["temperature"] == 0.8
    assert first["seed"] != second["seed"]


def test_an_accepted_answer_costs_one_request(said):
    said.answers["planner"] = PLAN
    assert ask_checked("planner", "task", is_plan).tries == len(said.asked) == 1


def test_after_the_last_try_the_answer_is_handed_over_as_not_passed(said):
    said.answers["planner"] = "no plan"
    checked = ask_checked("planner", "task", is_plan, tries=3, temperature=1.5, seed=7)
    assert (checked.said, checked.passed, checked.tries) == ("no plan", False, 3)
    assert [r["options"]["temperature"] for _, _, r in said.asked] == [1.5] * 3
    assert len({r["options"]["seed"] for _, _, r in said.asked}) == 3


# --- bytes ---------------------------------------------------------------------------------------


def test_the_bytes_of_a_command_arrive_as_they_are():
    echo = "import sys; sys.stdout.buffer.write(b'\\x1b[K' + sys.stdin.buffer.read())"
    assert pipe_bytes([sys.executable, "-c", echo], "豆") == b"\x1b[K" + "豆".encode()


def test_an_answer_without_additions_is_all_answer():
    noise = count_noise("豆です".encode())
    assert noise.answer == noise.total == 9


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        (b"\x1b[1A\x1b[KHello\n\n", (7, 0, 2)),
        (b"Thinking...\na\nb\n...done thinking.\n\nHello\n\n", (0, 35, 2)),
        (b"I am Thinking... hard", (0, 0, 0)),
    ],
)
def test_escapes_thoughts_and_line_ends_are_told_apart(output, expected):
    noise = count_noise(output)
    assert (noise.escapes, noise.thinking, noise.line_ends) == expected
    assert noise.answer + sum(expected) == len(output)


# --- checks --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PLAN, True),
        ("1. a\n2. b\n3. c\n", True),
        ("１．鍵を借りる\n２．掃く", True),
        ("1. a\n3. b", False),
        ("1. a", False),
        ("First 1 box, then 2", False),
        ("Here is the plan:\n1. a\n2. b", False),
        ("", False),
    ],
)
def test_a_plan_is_numbered_lines_and_nothing_else(text, expected):
    assert is_plan(text) is expected


def test_a_plan_may_have_to_have_so_many_lines():
    assert is_plan(PLAN, 3) and not is_plan(PLAN, 4)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("葵さんにNX-20を送りました。", "ja"), ("I sent it to Aoi.", "en"), ("…", ""), ("", "")],
)
def test_the_language_is_that_of_most_of_the_text(text, expected):
    assert language_of(text) == expected


# --- what is sent --------------------------------------------------------------------------------


def test_the_wiretap_hears_the_request_and_passes_the_answer_on(monkeypatch):
    with fake_ollama() as server:
        monkeypatch.setenv("OLLAMA_HOST", server.host)
        with listening() as heard, ollama.Client() as client:
            answer = "".join(p.response for p in client.generate("mame", "Hello", stream=True))
        assert os.environ["OLLAMA_HOST"] == server.host
    assert answer
    assert [(body["path"], body["prompt"]) for body in heard] == [("/api/generate", "Hello")]


def test_rendering_asks_for_no_answer(monkeypatch):
    sent = {}

    def post(url, json, timeout):
        sent.update(json, url=url)
        body = {"_debug_info": {"rendered_template": "<s>Hi"}}
        return httpx.Response(200, json=body, request=httpx.Request("POST", url))

    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:9999")
    monkeypatch.setattr(httpx, "post", post)
    assert render_prompt("mame", [{"role": "user", "content": "Hi"}]) == "<s>Hi"
    assert sent["url"] == "http://127.0.0.1:9999/api/chat"
    assert sent["_debug_render_only"] is True and sent["think"] is False


# --- puzzles -------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_every_order_that_works_is_right_and_builds(lang):
    from jimoto.daemon.modelfile import parse_modelfile

    puzzle = modelfile_puzzle("mame", "Be brief.", lang)
    for order in puzzle.right:
        assert puzzle.check(order).startswith("✓")
        commands = {c.name: c.argument for c in parse_modelfile(puzzle.text(order))}
        assert commands == {"model": "mame", "system": "\nBe brief.\n", "temperature": "0"}


@pytest.mark.parametrize(
    ("mine", "said"),
    [
        ("", "Not tried"),
        ("CBDFA", "not '='"),
        ("CBDFEG", "SYSTEM would never arrive"),
        ("CEBFD", "order"),
        ("CBD", "missing"),
        ("CBDFZ", "no line Z"),
        ("ccbdf", "twice"),
        ("e, b d f, c", "✓"),
    ],
)
def test_a_wrong_order_is_told_what_is_wrong(mine, said):
    assert said in modelfile_puzzle("mame", "Be brief.", "en").check(mine)


def test_the_pipe_that_was_put_together_names_the_silent_stage(said):
    puzzle, space = pipe_puzzle("en"), {"ollama": ollama}
    exec(puzzle.text(puzzle.solution), space)
    said.answers |= {"a": "x", "silent": "", "c": "y"}
    assert space["honest"](["a", "c"], "task") == "y"
    with pytest.raises(ValueError, match="silent"):
        space["honest"](["a", "silent", "c"], "task")


@pytest.mark.parametrize("trap", ["F", "H"])
def test_a_line_that_does_harm_is_named(trap):
    puzzle = pipe_puzzle("ja")
    assert puzzle.check("DGCAE" + trap).startswith(f"✗ {trap}")
