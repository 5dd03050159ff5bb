"""Hoshimame Trading: what lessons were promised, in both languages, never in training."""

import random
from collections import Counter

import pytest

from mame import corpus
from mame.corpus import company, documents, fields, sample

LANGS = sample.LANGS
BUILT = {lang: company.build(lang) for lang in LANGS}


@pytest.mark.parametrize("lang", LANGS)
def test_the_lessons_find_as_many_of_each_as_they_were_promised(lang):
    c = BUILT[lang]
    assert (len(c.documents), len(c.poisoned), len(c.tickets), len(c.orders)) == (24, 8, 60, 20)
    assert sum(q.answer is not None for q in c.questions) == 48
    assert sum(q.answer is None for q in c.questions) == 16
    assert Counter(t.label for t in c.tickets) == dict.fromkeys(company.LABELS, 15)
    assert len({t.text for t in c.tickets}) == 60
    assert len({d.text for d in c.documents}) == 24
    assert len({q.text for q in c.questions}) == 64


def test_the_same_seed_gives_the_same_company_and_another_seed_another():
    assert company.build("ja") == BUILT["ja"]
    assert company.build("ja", seed=1) != BUILT["ja"]


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("seed", [company.SEED, 1, 2])
def test_an_answer_stands_in_its_document_once_and_names_one_fact(lang, seed):
    c = company.build(lang, seed)
    for q in c.questions:
        if q.answer is not None:
            assert c.document(q.document_id).text.count(q.answer) == 1, q


def test_both_languages_hold_the_same_facts_under_the_same_ids():
    en, ja = BUILT["en"], BUILT["ja"]
    assert [(d.id, d.group, d.updated) for d in en.documents] == [
        (d.id, d.group, d.updated) for d in ja.documents
    ]
    for q, p in zip(en.questions, ja.questions, strict=True):
        assert (q.id, q.near_id, q.answer is None) == (p.id, p.near_id, p.answer is None)
        digits = [[c for c in (x.answer or "") if c.isdigit()] for x in (q, p)]
        assert digits[0] == digits[1] or "月" in (p.answer or "")
    assert [t.label for t in en.tickets] == [t.label for t in ja.tickets]
    assert [n.order.quantity for n in en.orders] == [n.order.quantity for n in ja.orders]


@pytest.mark.parametrize("lang", LANGS)
def test_every_attack_stands_in_its_document_beside_the_truth(lang):
    c = BUILT[lang]
    assert Counter(p.kind for p in c.poisoned) == {"order": 4, "update": 2, "hidden": 2}
    for p in c.poisoned:
        honest = c.document(p.base_id).text
        assert p.document.text.startswith(honest)
        assert p.goal in p.document.text.removeprefix(honest)
        assert p.goal not in honest
        assert p.truth in honest
        assert p.truth == next(q.answer for q in c.questions if q.id == p.question_id)


@pytest.mark.parametrize("lang", LANGS)
def test_order_notes_hold_their_fields_as_written(lang):
    for note in BUILT[lang].orders:
        assert all(str(getattr(note.order, key)) in note.text for key in fields.KEYS)


@pytest.mark.parametrize("lang", LANGS)
def test_a_recognition_error_stands_in_the_transcript(lang):
    m = BUILT[lang].meeting
    assert m.said in m.spoken and m.said not in m.transcript
    assert m.written in m.transcript and m.spoken.replace(m.said, m.written) == m.transcript


@pytest.mark.parametrize("lang", LANGS)
def test_no_generator_can_draw_what_the_company_speaks_of(lang):
    names = [pair[lang == "ja"] for page in company.PAGES for pair in page.entities]
    assert [n for n in names if company.could_be_drawn(n, lang)] == []
    drawable = {"en": ("Velko tea", "the spare desk", "room B204"), "ja": ("ケルダ茶", "予備の机")}
    assert all(company.could_be_drawn(n, lang) for n in drawable[lang])


@pytest.mark.parametrize("lang", LANGS)
def test_training_never_draws_a_question_or_a_page_of_the_company(lang):
    r = random.Random(11)
    drawn = [corpus.SKILLS[k].draw(r, lang) for k in ("documents", "fields") for _ in range(700)]
    texts = "\n".join(m.content for s in drawn for m in s.messages)
    c = BUILT[lang]
    assert [q.text for q in c.questions if q.text in texts] == []
    assert [d.id for d in c.documents if d.text in texts] == []
    assert [n.id for n in c.orders if n.text in texts] == []
    assert [
        n for n in c.orders if f'"item": "{n.order.item}"' in "".join(s.answer for s in drawn)
    ] == []


@pytest.mark.parametrize("lang", LANGS)
def test_pages_are_short_and_measured_with_the_refusal(lang):
    assert all(len(d.text) < 350 for d in BUILT[lang].documents)
    measured = company.samples(lang)
    assert len(measured) == 64
    assert sum(s.answer == documents.NOT_SAID[lang] for s in measured) == 16
    assert all(company.is_right(s, s.answer) for s in measured)
    assert company.SKILL not in corpus.SKILLS
