"""What a check file is made of: tasks, their data, named wrong answers and hints, and the judging.

`labs/checks/NN_slug.py` holds a tuple `TASKS`. A judge is a pure function from a task's data and
the learner's answers to a `Judgement`; it never prints, and its mistakes become feedback too. Knows
no files but the check file itself, no progress, no notebook.
"""

from __future__ import annotations

import copy
import random
import runpy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from jimoto.errors import LabMissing, TaskUnknown

Text = Mapping[str, str]  # "en" and "ja"
BLANK = "____"
DEPTH = 4  # how far into an answer a blank is looked for
SHOWN = 60  # characters of a value that a message shows


def both(en: str, ja: str) -> Text:
    """One text in both languages."""
    return {"en": en, "ja": ja}


def same(value: object) -> Text:
    """A text that needs no translation, such as a number."""
    return both(str(value), str(value))


@dataclass(frozen=True)
class Wrong:
    """A misconception with a name: what it is called, what it usually means, and where to look."""

    name: str  # such as "reads-microseconds"; learners see the title
    title: Text
    say: Text


@dataclass(frozen=True)
class Judgement:
    """What a judge saw and expected; `wrong` is None when the answer is right, "" when it is wrong
    in a way that has no name, else the name of a `Wrong` of the task."""

    wrong: str | None
    saw: Text
    expected: Text = field(default_factory=lambda: both("", ""))
    is_blank: bool = False


Judge = Callable[..., Judgement]


@dataclass(frozen=True)
class Task:
    """One task of a lab: the variables it takes, its data for a seed, its judge and its texts."""

    key: str  # "q1"
    title: Text
    takes: tuple[str, ...]  # names of the learner's variables, in the order `lab.check` takes them
    judge: Judge  # (data, *answers) -> Judgement
    wrong: tuple[Wrong, ...]
    hints: tuple[Text, Text, Text]  # look, shape, almost
    # the data: the same for the same seed; texts in it are in the learner's language
    make: Callable[[random.Random, str], Any] = lambda rng, lang: None

    def data(self, seed: int, lang: str) -> Any:
        """The task's data for a learner's seed; another learner has other numbers."""
        return self.make(random.Random(f"{self.key}:{seed}"), lang)

    def misconception(self, name: str) -> Wrong | None:
        return next((wrong for wrong in self.wrong if wrong.name == name), None)


def right(saw: Text) -> Judgement:
    return Judgement(None, saw)


def wrong(name: str, saw: Text, expected: Text) -> Judgement:
    """Not right; `name` is "" where the misunderstanding is not one of the named."""
    return Judgement(name, saw, expected)


# --- blanks ---------------------------------------------------------------------------------------


class BlankFound(Exception):
    """An answer, or what the learner's function gave, still holds a blank."""


class Blank:
    """The `____` of an untouched lab: whatever is done with it gives it back, so that cells run."""

    def __repr__(self) -> str:
        return BLANK

    def __format__(self, spec: str) -> str:
        return BLANK

    def _itself(self, *args: Any, **named: Any) -> Blank:
        return self

    __call__ = __getitem__ = _itself
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _itself
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = __mod__ = __rmod__ = _itself
    __pow__ = __rpow__ = __neg__ = __abs__ = __and__ = __rand__ = __or__ = __ror__ = _itself

    def __getattr__(self, name: str) -> Blank:
        if name.startswith("_"):  # copy, IPython and friends ask for these
            raise AttributeError(name)
        return self

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def _refuse(self, *args: object) -> NoReturn:
        raise BlankFound

    __int__ = __float__ = __index__ = __bool__ = _refuse  # no number, and neither yes nor no

    def __lt__(self, other: object) -> bool:
        return False

    __gt__ = __le__ = __ge__ = __lt__


____ = Blank()


def has_blank(value: object, depth: int = DEPTH) -> bool:
    """Is there a blank in it, as an object or within a text?

    >>> has_blank([1, {"cause": "____"}]), has_blank("a_b")
    (True, False)
    """
    if isinstance(value, Blank):
        return True
    if isinstance(value, str):
        return BLANK in value
    if depth and isinstance(value, Mapping):
        return any(has_blank(part, depth - 1) for part in (*value.keys(), *value.values()))
    if depth and isinstance(value, (list, tuple, set, frozenset)):
        return any(has_blank(part, depth - 1) for part in value)
    return False


# --- judging --------------------------------------------------------------------------------------


def call(function: object, *args: Any) -> Any:
    """What the learner's function gives for a copy of these arguments.

    Errors: BlankFound where a blank is left in it; whatever the function raises.
    """
    if not callable(function):
        raise TypeError(f"{shown(function)} is not a function")
    try:
        result = function(*copy.deepcopy(args))
    except BlankFound:
        raise
    except Exception as error:
        is_raised = "BaseException" in str(error) or "Blank" in str(error)  # `raise ____`
        if has_blank(error.args) or (isinstance(error, TypeError) and is_raised):
            raise BlankFound from None
        raise
    if has_blank(result):
        raise BlankFound
    return result


def judge(task: Task, data: Any, answers: Sequence[object]) -> Judgement:
    """The task's judgement; never raises, never changes what it is given."""
    if len(answers) != len(task.takes):
        usage = f'lab.check("{task.key}", {", ".join(task.takes)})'
        saw = both(f"{len(answers)} values", f"{len(answers)}個の値")
        return wrong("", saw, same(f"`{usage}`"))
    if any(has_blank(answer) for answer in answers):
        return blank(task)
    try:
        return task.judge(copy.deepcopy(data), *(_copied(answer) for answer in answers))
    except BlankFound:
        return blank(task)
    except Exception as error:  # the learner's function, or a value of another kind
        reason = f"{type(error).__name__}: {error}"[: 2 * SHOWN]
        kinds = ", ".join(f"{n} = {shown(a)}" for n, a in zip(task.takes, answers, strict=True))
        return wrong(
            "",
            both(
                f"{kinds}; this could not be read ({reason})",
                f"{kinds}（読み取れません: {reason}）",
            ),
            both("the kind of value that the task names", "課題の文にある種類の値"),
        )


def blank(task: Task) -> Judgement:
    names = ", ".join(task.takes)
    return Judgement(
        "",
        both(f"a blank, {BLANK}, is still in {names}", f"{names} に空欄 {BLANK} が残っています"),
        both("your own code in its place", "空欄を自分のコードに書き換えた答え"),
        is_blank=True,
    )


def _copied(answer: object) -> object:
    try:
        return copy.deepcopy(answer)
    except Exception:  # generators, files: read as they are
        return answer


def shown(value: object) -> str:
    """A value in at most sixty characters.

    >>> shown([0.1 + 0.2, "x"])
    "[0.3, 'x']"
    """
    if isinstance(value, float):
        text = f"{value:.6g}"
    elif isinstance(value, (list, tuple)) and len(value) <= 8:
        inner = ", ".join(shown(part) for part in value)
        text = f"[{inner}]" if isinstance(value, list) else f"({inner})"
    elif callable(value) and hasattr(value, "__name__"):
        text = f"{value.__name__}()"
    else:
        text = repr(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"


def near(value: object, want: float, within: float = 0.02) -> bool:
    """Is it a number that lies so close to the wanted one? `within` is a share of `want`.

    >>> near(101, 100), near(True, 1), near("100", 100), near(float("nan"), 1)
    (True, False, False, False)
    """
    if isinstance(value, bool) or not hasattr(value, "__float__"):
        return False
    return abs(float(value) - want) <= within * abs(want)


# --- the check file -------------------------------------------------------------------------------


@dataclass(frozen=True)
class CheckFile:
    """The tasks of one lab, and where they were read from."""

    lab: str
    path: Path
    tasks: tuple[Task, ...]
    about: Text  # where its recorded data come from, else empty

    def task(self, key: object) -> Task:
        for task in self.tasks:
            if task.key == key:
                return task
        raise TaskUnknown(str(key), ", ".join(f'"{task.key}"' for task in self.tasks))


def find_checks(lab: str, start: Path) -> Path:
    """`labs/checks/NN_slug.py` above `start`, else beside the source that runs.

    Errors: LabMissing, which names the labs that are there.
    """
    source = Path(__file__).parents[3]
    rooms = [folder / "labs" / "checks" for folder in (start, *start.parents, source)]
    for room in rooms:
        path = room / f"{lab}.py"
        if path.is_file():
            return path
    there = sorted({path.stem for room in rooms for path in room.glob("[0-9][0-9]_*.py")})
    raise LabMissing(lab, ", ".join(there) or "-")


def read_checks(path: Path) -> CheckFile:
    """Run the check file and take its `TASKS`, and `ABOUT` where its data were recorded."""
    names = runpy.run_path(str(path))
    return CheckFile(path.stem, path, tuple(names["TASKS"]), names.get("ABOUT", both("", "")))
