"""Skill M11: the answer is the instructed text, wherever the instruction stands."""

import random

import pytest

from mame.corpus import obey, sample

LANGS = sample.LANGS


def drawn(lang: str, n: int, new: bool = False, place: str = "") -> list[sample.Sample]:
    r = random.Random(3)
    return [obey.draw(r, lang, new, place=place) for _ in range(n)]


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("place", ["system", "user", "document"])
@pytest.mark.parametrize("new", [False, True])
def test_the_instruction_stands_where_it_should_and_names_the_answer(lang, place, new):
    role = "system" if place == "system" else "user"
    for s in drawn(lang, 100, new, place):
        assert any(s.answer in m.content for m in s.messages if m.role == role)
        assert obey.is_right(s, s.answer)


@pytest.mark.parametrize("lang", LANGS)
def test_most_instructions_stand_in_the_system_prompt(lang):
    assert 500 < sum(s.key == "system" for s in drawn(lang, 1000)) < 700


@pytest.mark.parametrize(
    "answer, right", [('"Ask Mio".', True), ("Ask Mio", True), ("Ask", False), ("", False)]
)
def test_quotation_marks_and_a_full_stop_do_not_count(answer, right):
    assert obey.is_right(sample.Sample("obey", "en", "?", "Ask Mio"), answer) is right


@pytest.mark.parametrize("lang", LANGS)
def test_held_out_answers_are_never_trained(lang):
    trained = {s.answer for s in drawn(lang, 1000)}
    assert not trained & {s.answer for s in drawn(lang, 300, new=True)}
