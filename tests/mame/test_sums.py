"""Sums: the written method is right, a false line is noticed, held-out expressions stay out."""

import random
import re

import pytest

from mame.corpus import LANGS, sums

ALL = [(lang, band, form) for lang in LANGS for band in sums.BANDS for form in sums.FORMS]


def drawn(lang, n=60, **options):
    r = random.Random(f"{lang}{options}")
    return [sums.draw(r, lang, **options) for _ in range(n)]


@pytest.mark.parametrize("lang, band, form", ALL)
@pytest.mark.parametrize("new", [False, True])
def test_every_thought_is_sound_and_ends_in_the_answer(lang, band, form, new):
    for sample in drawn(lang, band=band, form=form, new=new):
        lines = sample.thought.split("\n")
        assert sums.is_sound(sample.thought)
        assert lines[-1] == sample.answer
        assert all(len(line) <= 11 for line in lines)


@pytest.mark.parametrize("lang, band, form", ALL)
def test_the_expression_says_what_python_says(lang, band, form):
    for sample in drawn(lang, band=band, form=form):
        named, expression = sample.key.split(":")
        assert named == str(band)
        assert int(sample.answer) == eval(expression) >= 0  # our own digits and + - *


@pytest.mark.parametrize("lang, band, form", ALL)
@pytest.mark.parametrize("new", [False, True])
def test_every_number_of_the_expression_stands_in_the_question(lang, band, form, new):
    for sample in drawn(lang, band=band, form=form, new=new):
        for number in sums.split_expression(sample.key.split(":")[1])[0]:
            assert str(number) in sample.question


def test_each_column_line_is_a_true_equation():
    for sample in drawn("en", n=300):
        for line in sample.thought.split("\n"):
            left, equals, right = line.partition("=")
            if equals:
                x, *others = (int(d) for d in re.findall(r"\d+", left))
                for op, y in zip(re.findall(r"[-+*]", left), others, strict=True):
                    x = sums.value(x, y, op)
                assert x == int(right)


@pytest.mark.parametrize(
    "thought, line",
    [
        ("", 0),
        ("so it is 42", 0),
        ("7+5\n7+5+0=13\n13", 1),
        ("7+5\n7+5+0=12\n13", 2),
        ("7+5\n7+5+0=12", 2),
        ("7+5\n7+5+0=12\n12\n12", 3),
        ("47*6\n7*6+0=42\n4*6+3=27\n272", 2),
        ("43-17\n3-7-0+10=06\n4-1-0+00=03\n36", 2),
        ("43-17+5\n43-17\n3-7-0+10=06\n4-1-1+00=02\n36+05\n6+5+0=11\n3+0+1=04\n41", 4),
        ("7-9\n-2", 1),
    ],
)
def test_the_first_false_line_is_found(thought, line):
    assert sums.first_error(thought) == line
    assert not sums.is_sound(thought)


@pytest.mark.parametrize("answer", ["", "7", "so 12", "12 or 13", "１２", "012"])
def test_only_the_number_is_right(answer):
    assert not sums.is_right(sums.Sample("sums", "en", "5+7", "12"), answer)
    assert sums.is_right(sums.Sample("sums", "en", "5+7", "12"), " 12\n")


@pytest.mark.parametrize("lang, band", [(lang, b) for lang in LANGS for b in (2, 3, 4)])
def test_held_out_expressions_are_never_trained(lang, band):
    trained = {s.key for s in drawn(lang, 1500, band=band)}
    new = {s.key for s in drawn(lang, 300, band=band, new=True)}
    assert not trained & new
    assert len(new) > 60


def test_all_one_digit_sums_are_trained():
    trained = {s.key for s in drawn("en", 4000, band=1, form="plain")}
    assert len(trained) == 100 + 55 + 100  # sums, differences from 0 on, products


@pytest.mark.parametrize("lang", LANGS)
def test_new_word_problems_have_new_nouns_and_where_asked_a_new_sentence(lang):
    last = [re.sub(r"\\{\w\\}", ".+", re.escape(t[-1])) for t in sums.WORD[lang].values()]
    nouns = [n.split(" ")[0] if lang == "ja" else n for n in sums.NEW_NOUNS[lang]]

    def is_new(sample):
        return any(n in sample.question for n in nouns)

    def has_new_sentence(sample):
        return any(re.fullmatch(pattern, sample.question) for pattern in last)

    for samples, new, unseen in (
        (drawn(lang, 200, form="word"), False, False),
        (drawn(lang, 200, form="word", new=True), True, False),
        (drawn(lang, 200, new=True, unseen_sentence=True), True, True),
    ):
        assert {is_new(s) for s in samples} == {new}
        assert {has_new_sentence(s) for s in samples} == {unseen}


@pytest.mark.parametrize("lang", LANGS)
def test_there_are_thirty_templates_of_word_problems(lang):
    assert sum(len(t) for t in sums.WORD[lang].values()) >= 30
    assert {len(t) for t in sums.WORD["en"].values()} == {len(t) for t in sums.WORD["ja"].values()}
