"""Skill M5: the answer stands in the document; what is held out is not trained."""

import random
import re

import pytest

from mame.corpus import documents, sample, wording

LANGS = sample.LANGS


def drawn(lang: str, n: int, seed: int = 3, **how: object) -> list[sample.Sample]:
    r = random.Random(seed)
    return [documents.draw(r, lang, **how) for _ in range(n)]


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("how", [{}, {"new": True}, {"unseen": True}, {"earlier": 2}])
def test_the_answer_is_a_piece_of_the_text_or_the_fixed_refusal(lang, how):
    for s in drawn(lang, 200, **how):
        text = "\n".join(m.content for m in s.messages if m.role == "user")
        assert (s.answer in text) == (s.key == "said")
        assert s.key == "said" or s.answer == documents.NOT_SAID[lang]
        assert documents.is_right(s, s.answer)


@pytest.mark.parametrize("lang", LANGS)
def test_about_a_quarter_is_not_answered_by_the_document(lang):
    refusals = sum(s.key == "not said" for s in drawn(lang, 800))
    assert 150 < refusals < 250


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_facts_are_unique_and_what_is_left_out_is_not_said(lang, size):
    r = random.Random(4)
    for _ in range(100):
        facts, left_out = documents.draw_facts(r, lang, size, unseen=False)
        subjects = {f.subject for f in facts}
        assert len(subjects) == len(facts)
        assert left_out
        assert not subjects & {(e, a.en) for e, a in left_out}


@pytest.mark.parametrize("lang", LANGS)
def test_most_refusals_are_near_misses(lang):
    """The thing asked about, or what is asked of it, does stand in the document."""
    r, near = random.Random(5), 0
    for _ in range(200):
        facts, left_out = documents.draw_facts(r, lang, 3, unseen=False)
        known = {f.entity for f in facts} | {f.attribute.en for f in facts}
        near += any(e in known or a.en in known for e, a in left_out)
    assert near == 200


@pytest.mark.parametrize("lang", LANGS)
def test_a_page_beside_the_right_one_speaks_of_other_things(lang):
    r = random.Random(6)
    for _ in range(200):
        facts, _ = documents.draw_facts(r, lang, 4, unseen=False)
        page, names = documents.write(r, lang, facts), {f.entity for f in facts}
        both = documents.beside_another(r, lang, page, names, unseen=False)
        other = both.replace(page, "").lower()
        assert page in both
        assert not any(re.search(rf"(^|\W){re.escape(n.lower())}(\W|$)", other) for n in names)


def test_words_that_are_held_out_never_occur_in_training():
    r = random.Random(7)
    trained = {documents.made_up(r, lang) for lang in LANGS for _ in range(1500)}
    unseen = {documents.made_up(r, lang, unseen=True) for lang in LANGS for _ in range(500)}
    assert not trained & unseen
    codes = {documents.code(r) for _ in range(1500)}
    assert not codes & {documents.code(r, unseen=True) for _ in range(500)}


@pytest.mark.parametrize("lang", LANGS)
def test_what_is_held_out_stays_held_out_for_ever(lang):
    """A change of the hash would move the test set into the training set of a model that exists."""
    words = {"en": ("Velko", "Rino", "Kelda"), "ja": ("ケルダ", "森田", "石橋")}
    known = {"en": (False, False, False), "ja": (False, True, True)}
    assert tuple(wording.is_held_out("word", w) for w in words[lang]) == known[lang]


@pytest.mark.parametrize("lang", LANGS)
def test_held_out_wordings_are_drawn_only_on_request(lang):
    forms = [f.split("{")[0] for f in documents.NEW_FORMS[lang]]
    systems = documents.NEW_SYSTEM[lang]

    def count(samples: list[sample.Sample]) -> int:
        return sum(
            m.content.startswith(tuple(forms) + systems) for s in samples for m in s.messages
        )

    assert count(drawn(lang, 600)) == 0
    assert count(drawn(lang, 200, new=True)) > 20


@pytest.mark.parametrize("answer", ["340 yen", " 340 yen.\n", "340  yen"])
def test_a_full_stop_and_spaces_do_not_make_an_answer_wrong(answer):
    assert documents.is_right(sample.Sample("documents", "en", "?", "340 yen"), answer)


@pytest.mark.parametrize("answer", ["340", "34 yen", "340 yen or 350 yen", "yen", ""])
def test_a_part_of_the_value_is_a_wrong_answer(answer):
    assert not documents.is_right(sample.Sample("documents", "en", "?", "340 yen"), answer)


@pytest.mark.parametrize("lang", LANGS)
def test_a_model_that_always_refuses_is_wrong_wherever_the_document_answers(lang):
    said = [s for s in drawn(lang, 300) if s.key == "said"]
    assert not any(documents.is_right(s, documents.NOT_SAID[lang]) for s in said)
