"""The lab engine: feedback, tiers, progress, and everything that may happen to a learner's file."""

from __future__ import annotations

import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from datetime import datetime

import pytest

from jimoto.errors import LabMissing, LabNotOpen
from jimoto.teaching import ____, lab, progress
from jimoto.teaching.lab import Lab, OpenLabs, open_lab
from jimoto.teaching.progress import format_progress, parse
from jimoto.teaching.tasks import (
    BlankFound,
    Task,
    both,
    call,
    has_blank,
    judge,
    right,
    same,
    shown,
)

CHECKS = """
from jimoto.teaching.tasks import Task, Wrong, both, right, same, wrong

def judge(data, x):
    if x == data:
        return right(same(x))
    return wrong("double" if x == 2 * data else "", same(x), both("the number", "その数"))

TASKS = (
    Task("q1", both("a number", "数"), ("x",), judge,
         (Wrong("double", both("twice it", "2倍"), both("Halve it.", "半分に。")),),
         (both("look", "見る"), both("shape", "形"), both("almost", "あと少し")),
         lambda rng, lang: rng.randrange(1, 100)),
)
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "labs" / "checks").mkdir(parents=True)
    (tmp_path / "labs" / "checks" / "90_trial.py").write_text(CHECKS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JIMOTO_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JIMOTO_LANG", "en")
    return tmp_path


@pytest.fixture
def trial(folder) -> Lab:
    return open_lab("90_trial", lang="en")


def entry(trial: Lab) -> progress.TaskProgress:
    return parse(trial.file.path.read_text(encoding="utf-8")).labs["90_trial"]["q1"]


def test_a_wrong_answer_is_seen_named_and_helped(trial, capsys):
    data = trial.data("q1")
    result = trial.check("q1", 2 * data)
    said = capsys.readouterr().out.splitlines()
    assert (result.ok, result.wrong) == (False, "double")
    assert said == [
        "✗ q1 Not yet: a number (try 1)",
        f"  Saw: {2 * data}",
        "  Expected: the number",
        "  Probably: twice it",
        "    Halve it.",
        "  Hint 1 of 3: look",
    ]


def test_the_hint_gets_more_specific_with_each_try_and_stays_at_the_last(trial, capsys):
    for _ in range(4):
        trial.check("q1", -1)
    hints = [line for line in capsys.readouterr().out.splitlines() if "Hint" in line]
    assert [line.rpartition(": ")[2] for line in hints] == ["look", "shape", "almost", "almost"]


def test_hints_can_be_asked_for_one_at_a_time_and_are_counted(trial, capsys):
    trial.hint("q1")
    trial.hint("q1")
    assert capsys.readouterr().out == "Hint 1 of 3: look\nHint 2 of 3: shape\n"
    assert (entry(trial).hints, entry(trial).tries) == (2, 0)


def test_the_same_in_japanese(folder, capsys):
    ja = open_lab("90_trial", lang="ja")
    ja.check("q1", 2 * ja.data("q1"))
    said = capsys.readouterr().out
    assert (
        "まだです: 数（1回目）" in said
        and "考えられる原因: 2倍" in said
        and "ヒント1/3: 見る" in said
    )


def test_a_right_answer_counts_once_and_later_mistakes_do_not_take_it_back(trial):
    trial.check("q1", trial.data("q1"))
    trial.check("q1", -1)
    assert entry(trial).solved and entry(trial).tries == 1
    assert trial.progress().solved == 1


def test_a_blank_is_no_try(trial, capsys):
    result = trial.check("q1", ____ * 3)
    assert result.is_blank and not result.ok and "Hint" not in capsys.readouterr().out
    assert trial.progress().rows[0][1].tries == 0


@pytest.mark.parametrize("answers", [(), (1, 2), (object(),), (float("nan"),), ([[[]]],)])
def test_a_check_never_raises(trial, answers):
    assert not trial.check("q1", *answers).ok


def test_an_unknown_task_is_answered_with_the_known_ones(trial, capsys):
    trial.check("q9", 1)
    trial.hint("q9")
    assert capsys.readouterr().out.count('Its tasks are: "q1".') == 2


def test_the_learners_variables_are_not_changed():
    def spoil(data, answer):
        answer.append(1)
        data.append(1)
        return right(same(answer))

    texts = (both("a", "あ"),) * 3
    task = Task("q1", texts[0], ("x",), spoil, (), texts)
    data, answer = [0], [0]
    judge(task, data, [answer])
    assert (data, answer) == ([0], [0])


def test_a_judge_that_fails_becomes_feedback():
    texts = (both("a", "あ"),) * 3
    task = Task("q1", texts[0], ("x",), lambda data, x: x.missing, (), texts)
    seen = judge(task, None, [3])
    assert seen.wrong == "" and "AttributeError" in seen.saw["en"]


def test_learners_have_different_numbers_and_each_keeps_their_own(folder, monkeypatch):
    monkeypatch.delenv("JIMOTO_LAB_SEED", raising=False)
    numbers = []
    for name in ("a", "b", "c", "d"):
        monkeypatch.setenv("JIMOTO_HOME", str(folder / name))
        numbers.append(open_lab("90_trial").data("q1"))
        assert open_lab("90_trial").data("q1") == numbers[-1]
    assert len(set(numbers)) > 1


def test_without_an_open_lab_the_words_say_what_to_do():
    with pytest.raises(LabNotOpen):
        OpenLabs().require()


def test_check_and_hint_mean_the_lab_that_was_opened_last(trial, capsys):
    assert lab.check("q1", trial.data("q1")).ok
    lab.hint("q1")
    assert "Hint 1 of 3" in capsys.readouterr().out


def test_a_lab_that_is_not_there_is_named_with_those_that_are(folder):
    with pytest.raises(LabMissing) as caught:
        open_lab("91_trail")
    assert "90_trial" in caught.value.near


# --- the blank -----------------------------------------------------------------------------------


def test_cells_with_blanks_run_and_the_blank_is_found_in_what_they_make():
    made = [3 / ____, f"{____:.2f}", {"a": (____.b, ____[0], ____(1))}, -____ + 1, 2**____]
    assert all(has_blank(part) for part in made)
    assert list(____) == [] and not (____ < 3 or ____ > 3)


@pytest.mark.parametrize(
    "function",
    [lambda: ____, lambda: float(____), lambda: range(____), lambda: [1, ____]],
)
def test_a_blank_in_a_function_is_found_when_it_is_called(function):
    with pytest.raises(BlankFound):
        call(function)


def test_long_values_are_shown_short():
    assert len(shown("x" * 1000)) == 60 and len(shown(list(range(1000)))) == 60


# --- the file ------------------------------------------------------------------------------------


def test_the_file_says_what_happened_and_reads_back(trial):
    trial.check("q1", 2 * trial.data("q1"))
    trial.check("q1", trial.data("q1"))
    kept = entry(trial)
    assert (kept.tries, kept.solved, kept.wrong) == (2, True, ["double"])
    assert kept.minutes == pytest.approx(0, abs=5)
    assert datetime.fromisoformat(kept.first).tzinfo
    whole = parse(trial.file.path.read_text(encoding="utf-8"))
    assert parse(format_progress(whole)) == whole


BROKEN = [
    b"", b"{", b"\xff\xfe\x00", b"[]", b"null", b'{"version": 1}', b'{"version": 2, "seed": 1}',
    b'{"version": 1, "seed": "x", "labs": {}}', b'{"version": 1, "seed": 1, "labs": []}',
    b'{"version": 1, "seed": 1, "labs": {"a": {"q1": {"tries": []}}}}',
    b'{"version": 1, "seed": 1, "labs": {"a": {"q1": {"first": "yesterday"}}}}',
    b"[" * 100_000,
]  # fmt: skip


@pytest.mark.parametrize("bad", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_file_is_kept_aside_and_the_lab_goes_on(folder, capsys, bad):
    path = folder / "home" / "progress.json"
    path.parent.mkdir()
    path.write_bytes(bad)
    trial = open_lab("90_trial", lang="en")
    assert "kept as 'progress.broken-1.json'" in capsys.readouterr().out
    assert path.with_name("progress.broken-1.json").read_bytes() == bad
    assert trial.check("q1", trial.data("q1")).ok and entry(trial).solved


def test_a_file_broken_while_the_kernel_runs_costs_nothing(trial):
    trial.check("q1", trial.data("q1"))
    trial.file.path.write_text("{", encoding="utf-8")
    trial.check("q1", -1)
    assert entry(trial).solved


def test_a_deleted_file_begins_anew_with_the_same_numbers(trial):
    data = trial.data("q1")
    trial.check("q1", data)
    trial.file.path.unlink()
    assert trial.progress().solved == 0 and trial.data("q1") == data


def test_a_crash_while_writing_leaves_the_old_file_whole(trial, monkeypatch):
    trial.check("q1", -1)
    before = trial.file.path.read_bytes()

    def crash(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(progress.os, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        trial.check("q1", -1)
    assert trial.file.path.read_bytes() == before
    assert sorted(p.name for p in trial.file.path.parent.iterdir() if p.suffix != ".lock") == [
        "progress.json"
    ]


def test_a_disk_that_takes_nothing_is_said_once_and_the_count_goes_on(trial, monkeypatch, capsys):
    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(progress.os, "replace", full)
    for _ in range(3):
        trial.check("q1", -1)
    said = capsys.readouterr().out
    assert said.count("cannot be saved") == 1 and "Hint 3 of 3" in said


def test_two_notebooks_lose_no_try(folder):
    """Each in its own process, both at once: the file counts every try of both."""
    code = (
        "from jimoto.teaching import open_lab\n"
        "lab = open_lab('90_trial')\n"
        "for _ in range(10): lab.check('q1', -1)\n"
    )
    both_of_them = [
        subprocess.Popen([sys.executable, "-c", code], cwd=folder, stdout=subprocess.DEVNULL)
        for _ in range(2)
    ]
    assert [process.wait(60) for process in both_of_them] == [0, 0]
    kept = parse((folder / "home" / "progress.json").read_text(encoding="utf-8"))
    assert kept.labs["90_trial"]["q1"].tries == 20


def test_progress_is_a_picture_with_words_for_those_who_do_not_see_it(trial):
    trial.check("q1", trial.data("q1"))
    picture = trial.progress()
    root = ET.fromstring(picture._repr_svg_())
    title = root.find("{http://www.w3.org/2000/svg}title")
    assert root.get("role") == "img" and "1 of 1 tasks solved" in title.text
    assert repr(picture).splitlines()[1] == "✓ q1 a number: solved; tries 1, hints 0"


# --- speed ---------------------------------------------------------------------------------------


def test_a_check_takes_less_time_than_starting_python(trial):
    """No clock on the wall is asserted: the start of an interpreter is the yardstick."""
    spent = []
    for _ in range(9):
        start = time.perf_counter()
        trial.check("q1", -1)
        spent.append(time.perf_counter() - start)
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import json, pathlib"], check=True)
    assert sorted(spent)[4] < time.perf_counter() - start


def test_a_check_loads_nothing_heavy(folder):
    code = (
        "import sys\nfrom jimoto.teaching import open_lab\n"
        "lab = open_lab('90_trial')\nlab.check('q1', -1)\n"
        "heavy = {'numpy', 'matplotlib', 'torch', 'ollama', 'httpx', 'IPython'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder
    )
    assert done.stdout.splitlines()[-1] == "[]"
