"""What training shows to two heads: tokens of entities and values, and how far off they look."""

import random

import pytest

pytest.importorskip("torch", reason="needs the extra 'train'")

import torch

from mame import chat, pointers, tokenizer
from mame.corpus import documents, fields, recall, roles, sums, tools
from mame.corpus.sample import LANGS, Sample


@pytest.fixture(scope="module")
def pieces():
    return tokenizer.build(samples=1500)


def begins(at, token, word):
    """In this very token; it may also hold a space, or the end of a particle ("は葵")."""
    start, end = at.starts[token], at.ends[token]
    return any(at.text.startswith(word, place) for place in range(start, end))


def drawn(lang, n=60, **more):
    r = random.Random(f"pointers/{lang}")
    return [documents.draw(r, lang, earlier=2, **more) for _ in range(n)]


@pytest.mark.parametrize("thinking", [True, False])
@pytest.mark.parametrize("lang", LANGS)
def test_every_look_goes_from_a_value_or_an_answer_to_what_it_is_about(pieces, lang, thinking):
    n_taken = 0
    for sample in drawn(lang):
        at = chat.Encoded(pieces, sample, thinking)
        facts = sample.facts
        names = {f.entity.lower() for f in facts} | {e.lower() for e, _ in sample.asked}
        for head, looking, seen in pointers.looks(at, sample, thinking):
            assert seen < looking < len(at.ids)
            if head == pointers.FIND:
                read = pieces.decode(at.ids[: seen + 1]).lower()
                assert any(name in read[-len(name) - 2 :] for name in names)
            else:
                n_taken += 1
                assert any(begins(at, seen, fact.value) for fact in facts)
    assert n_taken > 60


@pytest.mark.parametrize("thinking", [True, False])
def test_the_tokens_of_a_sample_cover_its_text(pieces, thinking):
    for sample in drawn("ja", n=20):
        at = chat.Encoded(pieces, sample, thinking)
        assert len(at.ids) == len(at.weights) == len(at.starts) == len(at.ends)
        assert (at.starts[0], at.ends[-1]) == (0, len(at.text))


def test_an_answer_that_the_document_does_not_hold_takes_nothing(pieces):
    for sample in drawn("en", answerable=False):
        found = pointers.looks(chat.Encoded(pieces, sample, False), sample, False)
        last = max(looking for _, looking, _ in found)
        assert (pointers.TAKE, last) not in {look[:2] for look in found}


@pytest.mark.parametrize("lang", LANGS)
def test_the_last_answer_takes_its_own_value(pieces, lang):
    n_taken = 0
    for sample in drawn(lang, answerable=True):
        at = chat.Encoded(pieces, sample, False)
        found = pointers.looks(at, sample, False)
        last = max(looking for _, looking, _ in found)
        for head, looking, seen in found:
            if (head, looking) == (pointers.TAKE, last):
                n_taken += 1
                assert begins(at, seen, sample.answer)
    assert n_taken > 40


@pytest.mark.parametrize("thinking", [True, False])
@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("skill", [fields, recall, roles, tools])
def test_a_copied_word_in_an_answer_looks_at_the_same_word(pieces, skill, lang, thinking):
    r = random.Random(f"copies/{skill.SKILL}/{lang}")
    n_found = 0
    for sample in (skill.draw(r, lang) for _ in range(150)):
        at = chat.Encoded(pieces, sample, thinking)
        for head, looking, seen in pointers.looks(at, sample, thinking):
            n_found += 1
            assert head == pointers.TAKE and seen < looking
            assert any(
                begins(at, looking + 1, word) and begins(at, seen, word) for word in sample.copied
            )
    assert n_found > 40


@pytest.mark.parametrize("lang", LANGS)
def test_the_numbers_of_a_thought_look_at_those_of_the_question(pieces, lang):
    r = random.Random(f"numbers/{lang}")
    n_found = 0
    for sample in (sums.draw(r, lang) for _ in range(100)):
        assert pointers.looks(chat.Encoded(pieces, sample, False), sample, False) == ()
        at = chat.Encoded(pieces, sample, True)
        for _, looking, seen in pointers.looks(at, sample, True):
            n_found += 1
            assert any(begins(at, looking + 1, n) and begins(at, seen, n) for n in sample.copied)
    assert n_found > 100


def test_a_number_that_stands_twice_is_left_out(pieces):
    order = fields.Order("Mio Velko", "red beans", 2, "Dec 2")
    note = "Mio Velko wants 2 bags of red beans by Dec 2."
    copied = ("Mio Velko", "red beans", "2", "Dec 2")
    sample = Sample("fields", "en", note, order.to_json(), copied=copied)
    assert len(pointers.looks(chat.Encoded(pieces, sample, False), sample, False)) == 3


def test_a_head_that_looks_there_is_not_astray():
    keys = torch.eye(6).view(1, 1, 6, 6) * 20
    where = torch.tensor([[0, 4, 2]])
    right = pointers.astray(keys[:, :, [0, 1, 2, 3, 2, 5]], keys, 0, where)
    wrong = pointers.astray(keys, keys, 0, where)
    assert right < 1e-3 < 1 < wrong
