"""Skill M8: what was told is repeated, up to eight turns later; what was not told is not known."""

import random

import pytest

from mame.corpus import recall, sample

LANGS = sample.LANGS


def drawn(lang: str, n: int, new: bool = False, **how: object) -> list[sample.Sample]:
    r = random.Random(3)
    return [recall.draw(r, lang, new, **how) for _ in range(n)]


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("distance", [1, 4, 8])
@pytest.mark.parametrize("new", [False, True])
def test_the_value_was_told_so_many_turns_earlier(lang, distance, new):
    for s in drawn(lang, 100, new, kind="told", distance=distance):
        told = s.before[-2 * distance].content
        frames = [t.answer(lang, "\0").split("\0") for t in recall.TOPICS]
        values = [
            s.answer.removeprefix(a).removesuffix(b)
            for a, b in frames
            if s.answer.startswith(a) and s.answer.endswith(b)
        ]
        assert any(v in told for v in values)


@pytest.mark.parametrize("lang", LANGS)
def test_without_the_telling_it_says_that_it_does_not_know(lang):
    for s in drawn(lang, 200, kind="not told"):
        assert s.answer == recall.NOT_TOLD[lang]
        assert len(s.before) < 2 * recall.MOST_TURNS


@pytest.mark.parametrize("lang", LANGS)
def test_the_same_thing_is_never_told_twice_before_the_question(lang):
    topic = recall.NAME
    r = random.Random(4)
    fixed = topic.reply(lang, "\0").split("\0")
    for _ in range(50):
        turns = recall.turns_in_between(r, lang, 7, topic, new=False)
        replies = [m.content for m in turns if m.role == "assistant"]
        assert not any(a.startswith(fixed[0]) and a.endswith(fixed[1]) for a in replies)


@pytest.mark.parametrize("lang", LANGS)
def test_the_reply_to_a_telling_repeats_the_value(lang):
    for s in drawn(lang, 200, kind="telling"):
        assert recall.is_right(s, s.answer)
        assert any(
            s.answer.startswith(t.reply(lang, "\0").split("\0")[0])
            and s.answer.endswith(t.reply(lang, "\0").split("\0")[1])
            for t in recall.TOPICS
        )


@pytest.mark.parametrize("lang", LANGS)
def test_not_knowing_is_wrong_where_it_was_told(lang):
    told = drawn(lang, 100, kind="told")
    assert not any(recall.is_right(s, recall.NOT_TOLD[lang]) for s in told)
