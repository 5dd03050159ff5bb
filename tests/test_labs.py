"""The real labs: untouched they score 0, solved they score full, and each wrong answer is named.

The code cells run in this process, in the order of the notebook: no kernel, no server. What nbval
adds is the untouched lab in a real kernel.
"""

from __future__ import annotations

import contextlib
import io
from functools import cache
from pathlib import Path

import pytest

from jimoto.teaching.tasks import CheckFile, find_checks, judge, read_checks
from tools.check import check
from tools.edition import compose
from tools.lesson import LANGS, Lesson, Room, read_lesson
from tools.tasks import LEARNER, SOLUTION, WrongAnswer, task_of, versioned, wrong_answers

ROOM = Room(Path(__file__).parents[1], "labs")
LABS = ROOM.lesson_names()
SEEDS = (1, 7)


@pytest.fixture(autouse=True)
def own_progress(tmp_path, monkeypatch):
    monkeypatch.setenv("JIMOTO_HOME", str(tmp_path))
    monkeypatch.setenv("JIMOTO_LANG", "en")  # open_lab sets it: undone after the test


@cache
def lesson_of(lab: str) -> Lesson:
    return read_lesson(ROOM, lab)


@cache
def checks_of(lab: str) -> CheckFile:
    return read_checks(find_checks(lab, ROOM.repo))


def run(lesson: Lesson, lang: str, version: str, swap: WrongAnswer | None = None) -> dict:
    """The variables after a run of the lab, with a wrong answer in its task's place."""
    names: dict = {}
    with contextlib.redirect_stdout(io.StringIO()):
        for cell in versioned(lesson.edition(lang), version):
            if cell.kind == "code":
                code = swap.code if swap and task_of(cell) == swap.task else cell.text
                exec(compile(code, cell.key, "exec"), names)
    return names


def verdicts(lab: str, lang: str, names: dict, seed: int) -> dict[str, str | None]:
    from jimoto.teaching import ____

    found = {}
    for task in checks_of(lab).tasks:
        answers = [names.get(name, ____) for name in task.takes]
        found[task.key] = judge(task, task.data(seed, lang), answers).wrong
    return found


def test_there_is_a_lab() -> None:
    assert LABS, f"no lab in {ROOM.src}"


def test_sources_and_editions_have_nothing_to_mend() -> None:
    found = check(ROOM, LABS)
    assert not found, "\n" + "\n".join(map(str, found))


@pytest.mark.parametrize("lab", LABS)
def test_contract_cells_and_check_file_name_the_same_tasks(lab: str) -> None:
    lesson = lesson_of(lab)
    keys = [task.key for task in checks_of(lab).tasks]
    assert lesson.contract["tasks"] == keys
    assert [task_of(cell) for cell in lesson.edition("en") if task_of(cell)] == keys


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("lab", LABS)
def test_untouched_scores_nothing_and_solved_scores_full(
    lab: str, lang: str, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JIMOTO_LAB_SEED", str(seed))
    lesson = lesson_of(lab)
    untouched = verdicts(lab, lang, run(lesson, lang, LEARNER), seed)
    assert set(untouched.values()) == {""}
    solved = verdicts(lab, lang, run(lesson, lang, SOLUTION), seed)
    assert set(solved.values()) == {None}, solved


WRONG = [(lab, answer) for lab in LABS for answer in wrong_answers(lesson_of(lab), "en")]


@pytest.mark.parametrize(("lab", "answer"), WRONG, ids=[f"{w[0][:2]}-{w[1].name}" for w in WRONG])
def test_each_listed_wrong_answer_gets_its_own_feedback(
    lab: str, answer: WrongAnswer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jimoto.teaching.lab import feedback

    task = checks_of(lab).task(answer.task)
    named = task.misconception(answer.name)
    assert named, f"the check file knows no '{answer.name}'"
    for seed, lang in zip(SEEDS, LANGS, strict=True):
        monkeypatch.setenv("JIMOTO_LAB_SEED", str(seed))
        names = run(lesson_of(lab), lang, SOLUTION, answer)
        seen = judge(task, task.data(seed, lang), [names[name] for name in task.takes])
        assert seen.wrong == answer.name, (seed, lang, seen)
        text = feedback(task, seen, 1, lang)
        assert named.say[lang] in text and task.hints[0][lang] in text
        assert len(text.splitlines()) <= 6


@pytest.mark.parametrize("lab", LABS)
def test_every_misconception_has_a_wrong_answer_and_every_task_two(lab: str) -> None:
    answers = wrong_answers(lesson_of(lab), "en")
    for task in checks_of(lab).tasks:
        known = {wrong.name for wrong in task.wrong}
        assert len(known) >= 2
        assert known == {answer.name for answer in answers if answer.task == task.key}


@pytest.mark.parametrize("lab", LABS)
def test_texts_stand_in_both_languages_and_hints_grow(lab: str) -> None:
    for task in checks_of(lab).tasks:
        texts = [task.title, *task.hints, *(t for w in task.wrong for t in (w.title, w.say))]
        for text in texts:
            assert set(text) == set(LANGS) and all(text.values())
            assert any("\u3040" < c < "\u9fff" for c in text["ja"])
        for lang in LANGS:
            assert len({hint[lang] for hint in task.hints}) == 3


@pytest.mark.parametrize("lab", LABS)
def test_no_edition_holds_a_solution_or_a_wrong_answer(lab: str) -> None:
    lesson = lesson_of(lab)
    for lang in LANGS:
        cells = {cell.id: cell for cell in compose(lesson, lang).cells}
        assert not any("#: " in cell.source for cell in cells.values())
        assert not any("wrong" in key for key in cells)
        for cell in lesson.edition(lang):
            if task_of(cell):
                assert "____" in cells[cell.key].source
