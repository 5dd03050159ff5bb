"""The lab engine: `open_lab`, then `lab.check("q1", …)`, `lab.hint("q1")` and `lab.progress()`.

A check answers at once, in the learner's language: what it saw, what was expected, which
misconception that is by name, and a hint that gets more specific with each try. It needs no
server and no network, and never changes the learner's variables. The file is the part of
`progress`, judging that of `tasks`.
"""

from __future__ import annotations

import html
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jimoto.connection import find_home
from jimoto.errors import JimotoError, LabNotOpen, TaskUnknown, language
from jimoto.teaching.progress import NAME, Progress, ProgressFile, TaskProgress, now_text
from jimoto.teaching.tasks import (
    BLANK,
    CheckFile,
    Judgement,
    Task,
    find_checks,
    judge,
    read_checks,
)

TIERS = 3
BLUE, BLACK, GREY = "#0072B2", "#000000", "#595959"
TEXT = {
    "en": {
        "right": "✓ {key} Correct: {title}",
        "wrong": "✗ {key} Not yet: {title} (try {tries})",
        "blank": "✗ {key} Not yet: {title}",
        "saw": "Saw",
        "expected": "Expected",
        "named": "Probably",
        "hint": "Hint {tier} of 3",
        "solved_before": "Solved before; nothing changes in your progress.",
        "aside": "Your progress file could not be read. It was kept as '{name}'; a new one begins.",
        "unsaved": "Your progress cannot be saved in '{folder}'. It counts until the kernel stops.",
        "head": "{lab}: {solved} of {n} tasks solved",
        "row": "{mark} {key} {title}: {state}; tries {tries}, hints {hints}",
        "solved": "solved",
        "open": "open",
        "tries": "tries {tries}, hints {hints}",
        "alt": "Progress picture. {head}. {rows}",
    },
    "ja": {
        "right": "✓ {key} 正解: {title}",
        "wrong": "✗ {key} まだです: {title}（{tries}回目）",
        "blank": "✗ {key} まだです: {title}",
        "saw": "見えたもの",
        "expected": "期待する答え",
        "named": "考えられる原因",
        "hint": "ヒント{tier}/3",
        "solved_before": "すでに解けている課題です。進み具合は変わりません。",
        "aside": "進み具合のファイルを読めませんでした。'{name}' として残し、新しく始めます。",
        "unsaved": "進み具合を '{folder}' に保存できません。カーネルを止めるまでは数えます。",
        "head": "{lab}: {n}問中{solved}問を解決",
        "row": "{mark} {key} {title}: {state}、試行{tries}回、ヒント{hints}回",
        "solved": "解決",
        "open": "未解決",
        "tries": "試行{tries}回、ヒント{hints}回",
        "alt": "進み具合の図。{head}。{rows}",
    },
}


@dataclass(frozen=True)
class Result:
    """What a check decided; `wrong` is a misconception's name, "" without one, None when right."""

    key: str
    wrong: str | None
    is_blank: bool
    text: str

    @property
    def ok(self) -> bool:
        return self.wrong is None

    def _ipython_display_(self) -> None:
        """Nothing: the text was printed already."""


class Lab:
    """One open lab: its tasks, the learner's numbers, and the learner's progress."""

    def __init__(self, checks: CheckFile, file: ProgressFile, lang: str) -> None:
        self.checks = checks
        self.lang = lang
        self.file = file
        self.name = checks.lab
        # The numbers stay the same while this kernel runs, whatever happens to the file.
        self.seed = file.change(lambda progress: None).seed
        self._said: set[str] = set()
        self._trouble()

    @property
    def about(self) -> str:
        """When, with what and on which machine the data of this lab were recorded."""
        return self.checks.about[self.lang]

    # --- what a learner calls ---------------------------------------------------------------------

    def data(self, key: str) -> Any:
        """A fresh copy of the task's data, the learner's own numbers."""
        return self.checks.task(key).data(self.seed, self.lang)

    def check(self, key: str, *answers: object) -> Result:
        """Judge these answers, print the feedback, and keep count of the try."""
        try:
            task = self.checks.task(key)
        except TaskUnknown as error:
            return self._print(Result(str(key), "", False, error.text(self.lang)))
        seen = judge(task, self.data(key), answers)
        progress = self.file.change(lambda progress: self._count(progress, task, seen))
        entry = progress.task(self.name, task.key)
        text = feedback(task, seen, entry.tries, self.lang)
        return self._print(Result(task.key, seen.wrong, seen.is_blank, text))

    def hint(self, key: str) -> None:
        """Print the next of three tiers: look, shape, almost. Hints cost nothing."""
        try:
            task = self.checks.task(key)
        except TaskUnknown as error:
            print(error.text(self.lang))
            return

        def count(progress: Progress) -> None:
            entry = progress.task(self.name, task.key)
            entry.first = entry.first or now_text()
            entry.hints += 1

        entry = self.file.change(count).task(self.name, task.key)
        print(hint_text(task, entry.hints, self.lang))
        self._trouble()

    def progress(self) -> Picture:
        """A small picture of all tasks, with the same as text."""
        known = self.file.read().labs.get(self.name, {})
        rows = [(task, known.get(task.key, TaskProgress())) for task in self.checks.tasks]
        return Picture(self.name, rows, self.lang)

    # --- within -----------------------------------------------------------------------------------

    def _count(self, progress: Progress, task: Task, seen: Judgement) -> None:
        entry = progress.task(self.name, task.key)
        if seen.is_blank:  # running the untouched lab is no try
            return
        entry.first = entry.first or now_text()
        if not entry.solved:
            entry.tries += 1
        if seen.wrong is None and not entry.solved:
            entry.solved, entry.solved_at = True, now_text()
        if seen.wrong and seen.wrong not in entry.wrong:
            entry.wrong.append(seen.wrong)

    def _print(self, result: Result) -> Result:
        print(result.text)
        self._trouble()
        return result

    def _trouble(self) -> None:
        """Say once what is wrong with the file; the lab goes on without it."""
        text = TEXT[self.lang]
        said = []
        if self.file.put_aside:
            said.append(text["aside"].format(name=self.file.put_aside.name))
        if self.file.trouble:
            said.append(text["unsaved"].format(folder=self.file.path.parent))
        for line in said:
            if line not in self._said:
                self._said.add(line)
                print(line)


def feedback(task: Task, seen: Judgement, tries: int, lang: str) -> str:
    """What a check prints: saw, expected, the misconception, and the hint for this try."""
    text = TEXT[lang]
    title = task.title[lang]
    if seen.wrong is None:
        head = text["right"].format(key=task.key, title=title)
        return f"{head}\n  {text['saw']}: {seen.saw[lang]}"
    kind = "blank" if seen.is_blank else "wrong"
    lines = [text[kind].format(key=task.key, title=title, tries=tries)]
    lines.append(f"  {text['saw']}: {seen.saw[lang]}")
    lines.append(f"  {text['expected']}: {seen.expected[lang]}")
    named = task.misconception(seen.wrong)
    if named:
        lines.append(f"  {text['named']}: {named.title[lang]}")
        lines.append(f"    {named.say[lang]}")
    if not seen.is_blank:
        lines.append(f"  {hint_text(task, tries, lang)}")
    return "\n".join(lines)


def hint_text(task: Task, tier: int, lang: str) -> str:
    """One tier; after the third it stays the third."""
    tier = max(1, min(TIERS, tier))
    return f"{TEXT[lang]['hint'].format(tier=tier)}: {task.hints[tier - 1][lang]}"


class Picture:
    """Progress as a drawing (SVG) with a sentence for screen readers, and as lines of text."""

    WIDTH, ROW, TOP = 460, 26, 34

    def __init__(self, lab: str, rows: list[tuple[Task, TaskProgress]], lang: str) -> None:
        self.lab, self.rows, self.lang = lab, rows, lang

    @property
    def solved(self) -> int:
        return sum(entry.solved for _, entry in self.rows)

    def head(self) -> str:
        return TEXT[self.lang]["head"].format(lab=self.lab, solved=self.solved, n=len(self.rows))

    def lines(self) -> list[str]:
        text = TEXT[self.lang]
        return [
            text["row"].format(
                mark="✓" if entry.solved else "✗",
                key=task.key,
                title=task.title[self.lang],
                state=text["solved" if entry.solved else "open"],
                tries=entry.tries,
                hints=entry.hints,
            )
            for task, entry in self.rows
        ]

    def __repr__(self) -> str:
        return "\n".join([self.head(), *self.lines()])

    def _repr_svg_(self) -> str:
        height = self.TOP + self.ROW * len(self.rows) + 8
        alt = TEXT[self.lang]["alt"].format(head=self.head(), rows=" ".join(self.lines()))
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.WIDTH}" height="{height}" '
            f'viewBox="0 0 {self.WIDTH} {height}" role="img" font-family="sans-serif" '
            f'font-size="13"><title>{html.escape(alt)}</title>'
            f'<rect width="{self.WIDTH}" height="{height}" fill="#ffffff"/>'
            f'<text x="8" y="20" font-weight="bold">{html.escape(self.head())}</text>'
        ]
        parts += [self._row(i, task, entry) for i, (task, entry) in enumerate(self.rows)]
        return "".join(parts) + "</svg>"

    def _row(self, index: int, task: Task, entry: TaskProgress) -> str:
        """A box, filled and ticked or empty, then words: never by colour alone."""
        y, text = self.TOP + self.ROW * index, TEXT[self.lang]
        fill, edge, mark = (BLUE, BLUE, "✓") if entry.solved else ("#ffffff", GREY, "")
        state = text["solved" if entry.solved else "open"]
        count = text["tries"].format(tries=entry.tries, hints=entry.hints)
        return (
            f'<rect x="8" y="{y}" width="20" height="20" rx="3" fill="{fill}" stroke="{edge}"/>'
            f'<text x="12" y="{y + 15}" fill="#ffffff">{mark}</text>'
            f'<text x="36" y="{y + 15}" fill="{BLACK}">{html.escape(task.key)} '
            f"{html.escape(task.title[self.lang])}: {state}</text>"
            f'<text x="{self.WIDTH - 8}" y="{y + 15}" text-anchor="end" fill="{GREY}" '
            f'font-size="11">{html.escape(count)}</text>'
        )


# --- the names that a notebook uses ---------------------------------------------------------------


class OpenLabs:
    """Which lab this kernel opened last: `check` and `hint` without a lab mean that one."""

    def __init__(self) -> None:
        self.last: Lab | None = None

    def require(self) -> Lab:
        if self.last is None:
            raise LabNotOpen
        return self.last


def progress_path(env: Mapping[str, str]) -> Path:
    """`progress.json` in the learner's data folder; where none is writable, in the current one."""
    try:
        return find_home(env).root / NAME
    except JimotoError:
        return Path.cwd() / NAME


def open_lab(lab: str, lang: str | None = None) -> Lab:
    """Open the lab `NN_slug` in "en" or "ja", else in the system's language.

    Errors: LabMissing. A progress file that is broken or cannot be written stops nothing.
    """
    if lang:
        os.environ["JIMOTO_LANG"] = lang
    checks = read_checks(find_checks(lab, Path.cwd()))
    OPEN.last = Lab(checks, ProgressFile(progress_path(os.environ)), language())
    return OPEN.last


def check(key: str, *answers: object) -> Result:
    """`Lab.check` of the lab that is open. Errors: LabNotOpen."""
    return OPEN.require().check(key, *answers)


def hint(key: str) -> None:
    """`Lab.hint` of the lab that is open. Errors: LabNotOpen."""
    OPEN.require().hint(key)


OPEN = OpenLabs()
__all__ = ["BLANK", "Lab", "Picture", "Result", "check", "hint", "open_lab"]
