"""`jimoto grade`: good, bad and hostile submissions, and otter-grader beside it."""

from __future__ import annotations

import csv
import html.parser
import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from jimoto.errors import SubmissionsMissing
from jimoto.teaching import grade
from jimoto.teaching.grade import Limits, Mark, csv_text, html_text, mark_submission
from jimoto.teaching.tasks import find_checks
from tools.edition import compose, write_text
from tools.lesson import Room, read_lesson
from tools.tasks import LEARNER, SOLUTION, cut, task_of, wrong_answers

ROOM = Room(Path(__file__).parents[2], "labs")
LAB = "02_first_run"
LIMITS = Limits(seconds=20, cell_seconds=2, memory_bytes=10**9, file_bytes=3 * 10**6)


def notebook(version: str = SOLUTION, lang: str = "en", **replaced: str):
    """The lab in one version, with the code of some cells replaced."""
    made = compose(read_lesson(ROOM, LAB), lang, version)
    for cell in made.cells:
        if cell.id in replaced:
            cell.source = replaced[cell.id]
    return made


def solution_of(key: str) -> str:
    cells = read_lesson(ROOM, LAB).edition("en")
    return next(cut(cell.text, SOLUTION) for cell in cells if task_of(cell) == key)


def save(folder: Path, name: str, made) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(write_text(made), encoding="utf-8")
    return path


def marked(folder: Path, made) -> Mark:
    return mark_submission(save(folder, "lab.ipynb", made), "lab.ipynb", LIMITS)


@pytest.fixture(autouse=True)
def in_the_kit(monkeypatch):
    monkeypatch.chdir(ROOM.repo)
    monkeypatch.setenv("JIMOTO_LANG", "en")


def test_a_folder_becomes_a_table_and_a_page(tmp_path):
    """One story, because each submission is a process of its own."""
    wrong = next(w for w in wrong_answers(read_lesson(ROOM, LAB), "en") if w.task == "q1")
    typed = json.dumps([361.1, 250.1, 275.6])
    save(tmp_path, "a/untouched.ipynb", notebook(LEARNER))
    save(tmp_path, "b/solved.ipynb", notebook(lang="ja"))
    save(tmp_path, "c/=half<b>.ipynb", notebook(q1=wrong.code))
    save(tmp_path, "d/typed.ipynb", notebook(q1=f"speeds = {typed}"))
    (tmp_path / "e.ipynb").write_text("{", encoding="utf-8")
    other = nbformat.v4.new_notebook()
    save(tmp_path, "f.ipynb", other)
    marks = grade.grade(tmp_path, tmp_path / "out", "en")
    # 1) scores
    assert [(mark.score, len(mark.tasks), mark.problem) for mark in marks] == [
        (0, 4, ""), (4, 4, ""), (3, 4, ""), (3, 4, ""), (0, 0, "unreadable"), (0, 0, "no-lab"),
    ]  # fmt: skip
    assert marks[2].tasks["q1"] == wrong.name and marks[0].blanks == ["q1", "q2", "q3", "q4"]
    assert {mark.network for mark in marks[:4]} <= {"none", "guarded"}
    # 2) the table
    with (tmp_path / "out" / "grades.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["score"] for row in rows] == ["0", "4", "3", "3", "0", "0"]
    assert rows[2]["q1"] == "0" and rows[2]["misconceptions"] == f"q1:{wrong.name}"
    # 3) the page: well formed, everything escaped
    page = (tmp_path / "out" / "grades.html").read_text(encoding="utf-8")
    assert "<b>" not in page and "=half&lt;b&gt;" in page and "nanoseconds read as" in page
    html.parser.HTMLParser().feed(page)
    assert page.count("<tr>") == 7 and "<script" not in page


def hostile(**lines: str):
    """The solved lab, with something nasty before some of the solutions."""
    return notebook(**{key: f"{line}\n{solution_of(key)}" for key, line in lines.items()})


def test_loops_memory_foreign_files_and_calls_cost_their_task_and_no_more(tmp_path):
    mark = marked(
        tmp_path,
        hostile(
            q1="while True: pass",
            q2="x = bytearray(3 * 10**9)",
            q3="open('/etc/motd-jimoto', 'w')",
            q4="import socket; socket.create_connection(('192.0.2.1', 80))",
        ),
    )
    assert mark.problem == "" and mark.score == 0 and mark.attempts == ["192.0.2.1:80"]
    kinds = [error.split(": ")[1] for error in mark.errors if "NameError" not in error]
    assert kinds == ["longer than 2 s", "MemoryError", "PermissionError", "NetworkBlocked"]
    assert not Path("/etc/motd-jimoto").exists()


def test_large_files_and_exits_cost_their_task_and_no_more(tmp_path):
    mark = marked(
        tmp_path,
        hostile(
            q1="open('big', 'wb').write(bytes(5 * 10**6))",
            q2="import sys; sys.exit('bye')",
            q3="import os; os.remove('/etc/hostname')",
        ),
    )
    assert mark.problem == "" and {k for k, w in mark.tasks.items() if w is None} == {"q4"}
    kinds = [error.split(": ")[1] for error in mark.errors if "NameError" not in error]
    assert kinds == ["OSError", "SystemExit", "PermissionError"]


def test_a_submission_that_ends_early_has_no_points(tmp_path):
    mark = marked(tmp_path, hostile(q4="import os; os._exit(0)"))
    assert mark.problem == "ended" and mark.score == 0 and len(mark.tasks) == 4


def test_what_a_submission_starts_ends_with_it(tmp_path):
    """The wall clock of the whole submission, and a program that it left behind."""
    import psutil

    line = "import subprocess, time; p = subprocess.Popen(['sleep', '987.5']); time.sleep(1)"
    mark = mark_submission(save(tmp_path, "lab.ipynb", hostile(q1=line)), "lab", Limits(seconds=20))
    assert mark.score == 4
    assert not [p for p in psutil.process_iter(["cmdline"]) if "987.5" in (p.info["cmdline"] or [])]


def test_a_submission_that_only_waits_is_stopped(tmp_path):
    line = "import signal, time; signal.setitimer(signal.ITIMER_REAL, 0); time.sleep(60)"
    path = save(tmp_path, "lab.ipynb", hostile(q1=line))
    mark = mark_submission(path, "lab", Limits(seconds=4, cell_seconds=2))
    assert mark.problem == "time" and mark.score == 0


def test_the_check_file_in_the_sandbox_decides_nothing(tmp_path):
    line = "open('labs/checks/02_first_run.py', 'w').write('TASKS = ()'); speeds = [1, 2, 3]"
    mark = marked(tmp_path, notebook(q1=line))
    assert mark.tasks["q1"] == "" and len(mark.tasks) == 4


def test_an_empty_folder_is_named(tmp_path):
    with pytest.raises(SubmissionsMissing):
        grade.grade(tmp_path)


def test_a_spreadsheet_computes_no_file_name():
    rows = list(csv.reader(csv_text([Mark("=HYPERLINK(1)")]).splitlines()))
    assert rows[1][0] == "'=HYPERLINK(1)"


def test_the_page_is_japanese_where_that_is_asked_for():
    page = html_text([Mark("a.ipynb", problem="time", network="guarded")], Limits(), "ja")
    assert (
        '<html lang="ja">' in page and "制限時間を超えました" in page and "切り離せません" in page
    )


def test_otter_grader_gives_the_same_score(tmp_path, monkeypatch):
    """Its own runner, its own kernel; the test files only point to our check file."""
    pytest.importorskip("otter")
    monkeypatch.setenv("JIMOTO_LAB_SEED", str(grade.SEED))
    monkeypatch.setenv("JIMOTO_HOME", str(tmp_path / "home"))
    wrong = {w.task: w.code for w in wrong_answers(read_lesson(ROOM, LAB), "en")}
    path = save(tmp_path, "half.ipynb", notebook(q1=wrong["q1"], q3=wrong["q3"]))
    tests = grade.write_otter_tests(find_checks(LAB, ROOM.repo), tmp_path / "tests")
    # in a process of its own: otter leaves its log server's sockets to the garbage collector
    code = (
        "import json, sys; from otter.execute import grade_notebook\n"
        "found = grade_notebook(sys.argv[1], tests_glob=sys.argv[2:], test_dir='tests')\n"
        "scores = {name: result.score for name, result in found.results.items()}\n"
        "print(json.dumps([scores, found.total, found.possible]))"
    )
    command = [sys.executable, "-c", code, str(path), *map(str, tests)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    theirs, total, possible = json.loads(done.stdout.splitlines()[-1])
    mark = mark_submission(path, "half", LIMITS)
    assert theirs == {key: int(wrong is None) for key, wrong in mark.tasks.items()}
    assert (total, possible) == (mark.score, len(mark.tasks)) == (2, 4)


def test_the_command_prints_scores_and_where_the_results_are(tmp_path, capsys):
    from jimoto import cli

    (tmp_path / "a.ipynb").write_text("{", encoding="utf-8")
    assert cli.run_line("jimoto", ["grade", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "a.ipynb: 0 of 0 (this is no readable notebook)" in said and "grades.html" in said


def test_the_command_writes_tests_for_otter(tmp_path, capsys):
    from jimoto import cli

    assert cli.run_line("jimoto", ["grade", str(tmp_path), "--otter", LAB]) == 0
    assert sorted(p.name for p in tmp_path.glob("q*.py")) == ["q1.py", "q2.py", "q3.py", "q4.py"]
