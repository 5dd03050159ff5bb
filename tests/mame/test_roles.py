"""Roles: only the system prompt tells which; phrases agree in both languages; splits are kept."""

# ruff: noqa: E501  a table of phrases

import random
import re

import pytest

from mame.corpus import LANGS, roles
from mame.corpus.sample import Sample, normalise

TARGETS = (("planner", ""), ("solver", ""), ("translator", "en"), ("translator", "ja"))


def drawn(lang, n=150, **options):
    r = random.Random(f"{lang}{options}")
    return [roles.draw(r, lang, **options) for _ in range(n)]


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("role", roles.ROLES)
@pytest.mark.parametrize("new", [False, True])
def test_every_sample_has_one_system_prompt_and_passes_its_own_check(lang, role, new):
    for sample in drawn(lang, role=role, new=new, new_system=new):
        assert [m.role for m in sample.messages] == ["system", "user"]
        assert roles.is_right(sample, f" {sample.answer}\n")
        assert sample.thought == ""


@pytest.mark.parametrize("lang", LANGS)
def test_a_plan_is_three_numbered_lines_and_holds_the_task(lang):
    r = random.Random(3)
    for _ in range(100):
        task, (plan, _, _) = roles.pipe_task(r, lang)
        assert roles.is_plan(plan)
        assert f"2. {task}\n" in plan


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1. A\n2. B",
        "1. A\n2. B\n3. C\n4. D",
        "A\nB\nC",
        "Plan:\n1. A\n2. B\n3. C",
        "1. A 2. B 3. C",
    ],
)
def test_what_is_no_plan(text):
    assert not roles.is_plan(text)
    assert not roles.is_right(Sample("roles", "en", "?", "1. A\n2. B\n3. C"), text)


@pytest.mark.parametrize("lang, noun", [("en", "zelko"), ("ja", "ゼルコ")])
def test_unseen_nouns_pass_through_the_whole_pipe(lang, noun, monkeypatch):
    monkeypatch.setattr(roles, "unknown_noun", lambda r, lang, new: noun)
    r = random.Random(5)
    for _ in range(100):
        task, texts = roles.pipe_task(r, lang, unseen=True)
        assert all(text.count(noun) == 1 for text in (task, *texts))


def test_an_unseen_noun_stands_in_the_translation_as_it_was():
    for sample in drawn("en", role="translator", unseen=True, new=True):
        latin = set(re.findall(r"[a-z]{4,}", sample.answer))
        assert all(word in sample.question for word in latin)
    for sample in drawn("ja", role="translator", unseen=True, new=True):
        for word in re.findall(r"[ァ-ヶー]{2,}", sample.answer):
            assert word in sample.question


@pytest.mark.parametrize("lang", LANGS)
def test_a_task_asks_different_things_of_different_roles(lang):
    job = roles.draw_job(random.Random(1), lang, False, False)
    answers = {
        roles.draw_turn(random.Random(seed), job, role, lang)[1]
        for role in roles.ROLES
        for seed in range(40)
        if roles.draw_turn(random.Random(seed), job, role, lang)[0] == job.task(lang)
    }
    assert answers == {job.plan(lang), job.main.report(lang), job.task(roles.OTHER[lang])}


def test_known_nouns_are_translated():
    english = {s.answer for s in drawn("ja", 300, role="translator", unseen=False)}
    assert not any(roles.wording.has_japanese(text) for text in english)


@pytest.mark.parametrize("lang", LANGS)
def test_no_phrase_has_two_translations(lang):
    """Otherwise no translator could know which is meant."""
    other: dict[str, str] = {}
    phrases = [roles.Phrase(*p) for p in roles.STEPS.values()]
    phrases += [roles.Phrase(t[1], t[2]) for t in roles.TASKS.values()]
    for phrase in phrases:
        for form in (roles.Phrase.order, roles.Phrase.report):
            text, translation = form(phrase, lang), form(phrase, roles.OTHER[lang])
            assert other.setdefault(text, translation) == translation
    for table in (roles.PEOPLE, roles.PLACES, roles.TIMES):
        assert len(set(table.values())) == len(table)
    assert len({japanese for japanese, _ in roles.NOUNS.values()}) == len(roles.NOUNS)


@pytest.mark.parametrize(
    "english, japanese, order, report, asked",
    [
        ("put on>put on gloves", "手袋をはめる1", "手袋をはめる", "手袋をはめました。", "手袋をはめてください"),
        ("send>sent it", "それを送る5", "それを送る", "それを送りました。", "それを送ってください"),
        ("copy>copied it", "それをコピーする", "それをコピーする", "それをコピーしました。", "それをコピーしてください"),
        ("write>wrote it", "それを書く5", "それを書く", "それを書きました。", "それを書いてください"),
    ],
)  # fmt: skip
def test_verbs_are_inflected(english, japanese, order, report, asked):
    phrase = roles.Phrase(english, japanese)
    assert (phrase.order("ja"), phrase.report("ja"), phrase.request("ja")) == (
        order,
        report,
        asked,
    )
    assert phrase.report("en").startswith(f"I {english.split('>')[1].split(' ')[0]}")


@pytest.mark.parametrize("lang", LANGS)
def test_there_are_enough_tasks_and_system_prompts(lang):
    assert len(roles.TASKS) >= 40
    for role, target in (
        ("planner", ""),
        ("solver", ""),
        ("translator", "en"),
        ("translator", "ja"),
    ):
        trained = roles.system_prompts(role, lang, target)
        new = roles.NEW_SYSTEM[roles.named(role, target)][lang]
        assert len(set(trained)) >= 25
        assert len(set(new)) >= 8
        assert not set(trained) & set(new)


def test_system_prompts_of_two_roles_never_coincide():
    owners: dict[str, str] = {}
    for role, target in (
        ("planner", ""),
        ("solver", ""),
        ("translator", "en"),
        ("translator", "ja"),
    ):
        name = roles.named(role, target)
        for lang in LANGS:
            prompts = roles.system_prompts(role, lang, target) + list(roles.NEW_SYSTEM[name][lang])
            assert all(owners.setdefault(p, name) == name for p in prompts)
    assert owners[roles.PLANNER["ja"]] == "planner"
    assert owners[roles.SOLVER["en"]] == "solver"
    assert owners[roles.TRANSLATOR["ja"]] == "translator>en"


def test_held_out_pairs_of_task_and_noun_are_never_trained():
    for key in roles.TASKS:
        new = set(roles.suitable_nouns(key, new=True))
        assert new
        assert not new & set(roles.suitable_nouns(key, new=False))
        assert not new & set(roles.suitable_nouns(key, new=False, all_groups=True))


@pytest.mark.parametrize("lang", LANGS)
def test_held_out_system_prompts_come_only_when_asked_for(lang):
    new = {p for table in roles.NEW_SYSTEM.values() for texts in table.values() for p in texts}
    assert not {s.before[0].content for s in drawn(lang, 400)} & new
    assert {s.before[0].content for s in drawn(lang, 100, new_system=True)} <= new


def test_a_wrong_word_is_wrong():
    for sample in drawn("en", 50):
        assert not roles.is_right(sample, sample.answer.replace("the ", "a ") + " Done.")
        assert normalise(sample.question) != normalise(sample.answer)
