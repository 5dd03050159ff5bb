"""Skill M7: a call names a listed tool, its argument is copied, nothing is called otherwise."""

import random
import re

import pytest

from mame import chat
from mame.corpus import sample, tools

LANGS = sample.LANGS


def drawn(lang: str, n: int, new: bool = False, kind: str = "") -> list[sample.Sample]:
    r = random.Random(3)
    return [tools.draw(r, lang, new, kind=kind) for _ in range(n)]


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("kind", ["calc", "ticket", "other"])
@pytest.mark.parametrize("new", [False, True])
def test_the_tool_is_listed_and_its_argument_is_copied(lang, kind, new):
    for s in drawn(lang, 150, new, kind):
        call = tools.parse_call(s.answer)
        assert call is not None
        name, arguments = call
        ((argument, value),) = arguments.items()
        assert any(t.startswith(f"{name}({argument}): ") for t in s.tools)
        asked = re.findall(r"\d+", s.question)
        numbers = re.findall(r"\d+", str(value))
        assert (
            [n for n in asked if n in numbers] == numbers if kind == "calc" else value in s.question
        )


@pytest.mark.parametrize("lang", LANGS)
def test_calc_gets_the_sum_that_was_asked(lang):
    for s in drawn(lang, 150, kind="calc"):
        expression = str(tools.parse_call(s.answer)[1]["expression"])
        assert max(len(n) for n in expression.replace("-", "*").replace("+", "*").split("*")) > 2
        assert set(expression) <= set("0123456789+-*")


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("kind", ["none", "result"])
def test_nothing_is_called_without_need(lang, kind):
    assert all(s.tools and "<tool_call>" not in s.answer for s in drawn(lang, 200, kind=kind))


@pytest.mark.parametrize("lang", LANGS)
def test_after_a_tool_no_user_speaks_and_its_result_is_repeated(lang):
    for s in drawn(lang, 100, kind="result"):
        assert [m.role for m in s.messages][-3:] == ["user", "assistant", "tool"]
        assert s.messages[-1].content in s.answer or s.messages[-1].content.startswith("error")
        assert "<|im_start|>tool\n" in chat.render_prompt(s.messages, False, s.tools)


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("new", [False, True])
def test_every_checker_accepts_the_answer_of_its_generator(lang, new):
    assert all(tools.is_right(s, f"{s.answer}\n") for s in drawn(lang, 200, new))


CALL = tools.write_call("calc", "expression", "347*28")


@pytest.mark.parametrize(
    "answer, right",
    [
        (CALL, True),
        (CALL.replace("347*28", "347 * 28"), True),
        (CALL.replace("347", "348"), False),
        (CALL.replace("calc", "ticket"), False),
        (CALL.replace("expression", "sum"), False),
        (CALL + "\n" + CALL, False),
        ("9716", False),
        ("", False),
    ],
)
def test_a_call_is_right_by_name_and_argument(answer, right):
    assert tools.is_right(sample.Sample("tools", "en", "?", CALL), answer) is right


@pytest.mark.parametrize("lang", LANGS)
def test_held_out_sums_and_titles_are_never_trained(lang):
    for kind in ("calc", "ticket"):
        trained = {s.answer for s in drawn(lang, 800, kind=kind)}
        assert not trained & {s.answer for s in drawn(lang, 300, new=True, kind=kind)}
