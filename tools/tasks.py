"""The tasks of a lab's source: solutions that learners do not get, and answers that are wrong.

    ```{code-cell}
    :key: q1
    :tags: [core, "task:q1"]

    #: solution
    speeds = [r["eval_count"] / (r["eval_duration"] / 1e9) for r in replies]
    #: blank
    speeds = [r["eval_count"] / ____ for r in replies]
    ```

    ```{code-cell}
    :key: q1_wrong_microseconds
    :tags: ["wrong:q1:reads-microseconds"]

    speeds = [r["eval_count"] / (r["eval_duration"] / 1e6) for r in replies]
    ```

From `#: solution` to `#: blank` stands what solves the task, from there to `#: end` or to the end
of the cell what the learner gets. A wrong cell takes the task's place in a test, and must be
answered by the misconception that it names; no edition holds it. Knows nothing of notebooks.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from tools.lesson import Cell, Finding, Lesson

LEARNER, SOLUTION = "learner", "solution"
MARKS = {"#: solution": SOLUTION, "#: blank": LEARNER, "#: end": ""}
TASK = re.compile(r"task:(q\d+)")
WRONG = re.compile(r"wrong:(q\d+):([a-z0-9-]+)")


@dataclass(frozen=True)
class WrongAnswer:
    """Code that somebody with this misconception would write."""

    task: str
    name: str
    code: str
    cell: Cell


def cut(text: str, version: str) -> str:
    """The code of one version.

    >>> cut("a = 1\\n#: solution\\nb = 2\\n#: blank\\nb = ____\\n#: end\\nc = 3", "learner")
    'a = 1\\nb = ____\\nc = 3'
    """
    kept, inside = [], ""
    for line in text.split("\n"):
        if line.strip() in MARKS:
            inside = MARKS[line.strip()]
        elif inside in ("", version):
            kept.append(line)
    return "\n".join(kept).strip("\n")


def versioned(cells: Iterable[Cell], version: str) -> list[Cell]:
    """The cells of an edition in one version, without the wrong answers."""
    return [
        replace(cell, text=cut(cell.text, version)) if cell.kind == "code" else cell
        for cell in cells
        if not wrong_of(cell)
    ]


def task_of(cell: Cell) -> str:
    return next((m[1] for tag in cell.tags if (m := TASK.fullmatch(tag))), "")


def wrong_of(cell: Cell) -> tuple[str, str] | None:
    return next(((m[1], m[2]) for tag in cell.tags if (m := WRONG.fullmatch(tag))), None)


def wrong_answers(lesson: Lesson, lang: str) -> list[WrongAnswer]:
    found = [(cell, wrong_of(cell)) for cell in lesson.edition(lang)]
    return [WrongAnswer(w[0], w[1], cell.text, cell) for cell, w in found if w]


def task_findings(lesson: Lesson) -> Iterator[Finding]:
    """Every task of the contract has one cell with both versions, and two wrong answers or more."""
    named = [str(key) for key in lesson.contract.get("tasks", [])]
    cells = [cell for cell in lesson.edition("en") if task_of(cell)]
    for cell in cells:
        if task_of(cell) not in named:
            yield lesson.finding(
                f"The front matter has no task '{task_of(cell)}'.", "name it there: tasks", cell
            )
        if any(mark not in cell.text for mark in ("#: solution", "#: blank")):
            yield lesson.finding(
                "This task has no solution and blank.", "write #: solution and #: blank", cell
            )
        elif cut(cell.text, SOLUTION) == cut(cell.text, LEARNER):
            yield lesson.finding("Learners get the solution.", "leave a blank: ____", cell)
    for key in named:
        if sum(task_of(cell) == key for cell in cells) != 1:
            yield lesson.finding(f"Task '{key}' needs exactly one cell.", f'tag it "task:{key}"')
        wrongs = [answer.name for answer in wrong_answers(lesson, "en") if answer.task == key]
        if len(set(wrongs)) < 2:
            yield lesson.finding(
                f"Task '{key}' has {len(set(wrongs))} named wrong answers; two are the least.",
                f'add cells tagged "wrong:{key}:name"',
            )
