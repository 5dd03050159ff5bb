"""Skill M6: every field is written in the note as it stands in the JSON."""

import json
import random

import pytest

from mame.corpus import fields, sample


def drawn(lang: str, n: int, new: bool = False) -> list[sample.Sample]:
    r = random.Random(3)
    return [fields.draw(r, lang, new) for _ in range(n)]


@pytest.mark.parametrize("lang", sample.LANGS)
@pytest.mark.parametrize("new", [False, True])
def test_every_field_is_a_piece_of_the_note(lang, new):
    for s in drawn(lang, 300, new):
        found = json.loads(s.answer)
        assert tuple(found) == fields.KEYS
        assert type(found["quantity"]) is int
        assert all(str(value) in s.question for value in found.values())


@pytest.mark.parametrize("lang", sample.LANGS)
def test_the_answer_is_one_line_with_standard_separators(lang):
    for s in drawn(lang, 100):
        assert s.answer == json.dumps(json.loads(s.answer), ensure_ascii=False)


def test_spacing_and_order_of_keys_do_not_count():
    s = sample.Sample("fields", "en", "?", fields.Order("Mio", "tea", 12, "Dec 3").to_json())
    assert fields.is_right(s, '{"date":"Dec 3","item":"tea",\n "name":"Mio","quantity":12}')


@pytest.mark.parametrize(
    "answer",
    [
        '{"name": "Mio", "item": "tea", "quantity": 21, "date": "Dec 3"}',
        '{"name": "Mio", "item": "tea", "quantity": "12", "date": "Dec 3"}',
        '{"name": "Mio", "item": "tea", "quantity": 12}',
        '{"name": "Mio", "item": "tea", "quantity": 12, "date": "Dec 3", "price": 3}',
        '{"name": "Mio", "item": "tea", "quantity": 12, "date": "Dec 3"',
        "Mio orders 12 bags of tea.",
        "[]",
    ],
)
def test_a_wrong_value_type_or_shape_is_a_wrong_answer(answer):
    s = sample.Sample("fields", "en", "?", fields.Order("Mio", "tea", 12, "Dec 3").to_json())
    assert not fields.is_right(s, answer)


@pytest.mark.parametrize("lang", sample.LANGS)
def test_held_out_notes_have_items_and_names_that_training_never_shows(lang):
    def names(samples: list[sample.Sample]) -> set[str]:
        return {json.loads(s.answer)["item"] for s in samples}

    assert not names(drawn(lang, 1000)) & names(drawn(lang, 300, new=True))
