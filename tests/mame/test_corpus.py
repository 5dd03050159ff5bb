"""The skills: checkers take right answers and only those; what is held out is never trained on."""

import random

import pytest

from mame import corpus
from mame.corpus import fallback, faq, fortune, smalltalk, wording
from mame.corpus.facts import FACTS

LANGS = corpus.LANGS


def drawn(skill: str, lang: str, n: int, new: bool = False) -> list[corpus.Sample]:
    r = random.Random(7)
    return [corpus.SKILLS[skill].draw(r, lang, new=new) for _ in range(n)]


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("skill", corpus.SKILLS)
@pytest.mark.parametrize("new", [False, True])
def test_every_checker_accepts_the_answer_of_its_generator(skill, lang, new):
    assert all(corpus.is_right(s, f" {s.answer}\n") for s in drawn(skill, lang, 50, new))


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("skill", corpus.SKILLS)
@pytest.mark.parametrize("wrong", ["", "Yes.", "42000", "はい。"])
def test_every_checker_rejects_a_wrong_answer(skill, lang, wrong):
    assert not any(corpus.is_right(s, wrong) for s in drawn(skill, lang, 50))


def test_the_other_language_is_a_wrong_answer():
    for fact in FACTS:
        sample = corpus.Sample("faq", "en", "?", fact.answer_en)
        assert not corpus.is_right(sample, fact.answer_ja)
    assert not corpus.is_right(drawn("fortune", "ja", 1)[0], "Good luck")


def test_a_refusal_of_a_known_fact_is_a_wrong_answer():
    assert not any(corpus.is_right(s, fallback.ANSWER[s.lang]) for s in drawn("faq", "ja", 50))


def test_there_are_at_least_sixty_facts_with_one_answer_each():
    assert len(FACTS) >= 60
    for lang in LANGS:
        assert len({fact.answer(lang) for fact in FACTS}) == len(FACTS)


@pytest.mark.parametrize("lang", LANGS)
def test_every_fact_has_many_trained_and_some_new_wordings(lang):
    for fact in FACTS:
        assert len(faq.trained_questions(fact, lang)) >= 6, fact.key
        assert fact.held_out_questions(lang), fact.key


@pytest.mark.parametrize("lang", LANGS)
def test_no_wording_belongs_to_two_facts(lang):
    owner: dict[str, str] = {}
    for record in (*FACTS, *smalltalk.TALK):
        module = faq if record in FACTS else smalltalk
        for question in module.trained_questions(record, lang):
            assert owner.setdefault(faq.bare(question), record.key) == record.key, question


@pytest.mark.parametrize("lang", LANGS)
def test_held_out_questions_are_never_trained(lang):
    trained = {faq.bare(q) for f in FACTS for q in faq.trained_questions(f, lang)}
    trained |= {faq.bare(q) for t in smalltalk.TALK for q in smalltalk.trained_questions(t, lang)}
    trained |= {faq.bare(q) for q in fortune.ASK[lang]}
    new = [q for f in FACTS for q in faq.new_questions(f, lang)]
    new += [q for t in smalltalk.TALK for q in t.held_out_questions(lang)] + fortune.NEW[lang]
    assert [q for q in new if faq.bare(q) in trained] == []


def test_training_never_draws_a_held_out_question():
    held_out = {q for lang in LANGS for q in fallback.NEW[lang]}
    held_out |= {q for f in FACTS for lang in LANGS for q in f.held_out_questions(lang)}
    r = random.Random(3)
    messages = (m for _ in range(3000) for m in corpus.draw(r).messages)
    asked = {m.content.strip() for m in messages if m.role == "user"}
    assert not asked & held_out


def test_the_same_seed_gives_the_same_corpus():
    one, two = random.Random("x"), random.Random("x")
    assert [corpus.draw(one) for _ in range(200)] == [corpus.draw(two) for _ in range(200)]


def test_japanese_questions_about_facts_can_be_told_from_english_ones():
    for fact in FACTS:
        unclear = [q for q in faq.trained_questions(fact, "ja") if not wording.has_japanese(q)]
        assert unclear == []


def test_fortunes_follow_the_stated_odds():
    n = 6000
    counts = {label: 0 for label in fortune.labels("ja")}
    for sample in drawn("fortune", "ja", n):
        counts[sample.answer] += 1
    assert all(abs(counts[label] / n - p) < 0.02 for label, p in fortune.labels("ja").items())
    assert sum(fortune.PERCENT.values()) == 100


def test_every_fortune_starts_with_a_letter_of_its_own():
    for lang in LANGS:
        assert len({label[0] for label in fortune.labels(lang)}) == len(fortune.PERCENT)


def test_fallback_questions_are_not_known_facts():
    known = {faq.bare(q) for f in FACTS for lang in LANGS for q in faq.trained_questions(f, lang)}
    known |= {
        faq.bare(q)
        for t in smalltalk.TALK
        for lang in LANGS
        for q in smalltalk.trained_questions(t, lang)
    }
    unknown = [s.question for lang in LANGS for s in drawn("fallback", lang, 3000)]
    assert [q for q in unknown if faq.bare(q) in known] == []
