"""Endings: the answer as it was, then what the system prompt demands; splits are kept."""

import random

import pytest

from mame.corpus import LANGS, endings, invented
from mame.corpus.sample import Sample


def drawn(lang, n=200, **options):
    r = random.Random(f"{lang}{options}")
    return [endings.draw(r, lang, **options) for _ in range(n)]


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("unknown", [False, True])
@pytest.mark.parametrize("new", [False, True])
def test_the_ending_stands_in_the_system_prompt_and_at_the_end(lang, unknown, new):
    for sample in drawn(lang, unknown=unknown, new=new, new_system=new):
        ending = endings.ending_of(sample)
        assert ending in sample.before[0].content
        assert sample.answer.endswith(ending)
        assert endings.is_right(sample, sample.answer + "\n")
        assert endings.has_ending(sample, sample.answer)
        assert sample.key.startswith("invented:" if unknown else "known:")


@pytest.mark.parametrize(
    "answer, ends, right",
    [
        ("さようなら。ござる", True, True),
        ("こんにちは。ござる", True, False),
        ("さようなら。", False, False),
        ("さようなら。ござる。", False, False),
        ("ござる", False, False),
        ("", False, False),
    ],
)
def test_ending_and_answer_are_checked_apart(answer, ends, right):
    sample = Sample("endings", "ja", "?", "さようなら。ござる", key="known:ござる")
    assert endings.has_ending(sample, answer) == ends
    assert endings.is_right(sample, answer) == right


def test_an_english_ending_is_a_word_of_its_own():
    assert endings.join("Goodbye!", "meow", "en") == "Goodbye! meow"
    assert endings.join("どうも。", "にゃ", "ja") == "どうも。にゃ"


@pytest.mark.parametrize("lang", LANGS)
def test_there_are_enough_wordings(lang):
    trained = {*endings.BARE[lang], *endings.QUOTED[lang]}
    assert len(trained) >= 30
    assert len(set(endings.NEW_SYSTEM[lang])) >= 8
    assert not trained & set(endings.NEW_SYSTEM[lang])
    assert all(frame.count("{x}") == 1 for frame in (*trained, *endings.NEW_SYSTEM[lang]))


@pytest.mark.parametrize("lang", LANGS)
def test_held_out_endings_and_prompts_are_never_trained(lang):
    trained = drawn(lang, 1500)
    new = drawn(lang, 300, new=True)
    assert not {s.before[0].content for s in trained} & {s.before[0].content for s in new}
    unknown = [{s.key for s in part if s.key.startswith("invented")} for part in (trained, new)]
    assert not unknown[0] & unknown[1]
    assert len(unknown[1]) > 60


@pytest.mark.parametrize("lang", LANGS)
def test_most_base_answers_are_short(lang):
    lengths = sorted(len(s.answer) for s in drawn(lang))
    assert lengths[len(lengths) // 2] <= endings.SHORT[lang] + 12


def test_sums_keep_their_thought():
    with_thought = [s for s in drawn("en", 300) if s.thought]
    assert with_thought
    assert all(s.answer.startswith(s.thought.split("\n")[-1]) for s in with_thought)


@pytest.mark.parametrize("new", [False, True])
def test_invented_words_are_short_fit_and_split_by_their_hash(new):
    r = random.Random(4)
    words = [invented.latin(r, (2, 3), new) for _ in range(200)]
    words += [invented.kana(r, (2, 3), new) for _ in range(200)]
    assert len(set(words)) > 300
    assert all(invented.is_fit(w, new) and not invented.is_fit(w, not new) for w in words)
    assert not any(bad in word for word in words for bad in invented.UNFIT)
