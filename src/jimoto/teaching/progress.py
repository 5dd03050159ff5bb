"""The learner's progress file: tasks, tries, hints and minutes, in JSON that anyone can read.

It belongs to the learner: delete it and everything begins anew, hand it in or do not. It is
replaced as a whole, so a crash leaves the old one or the new one; a file that cannot be read is
put aside, never overwritten. Knows nothing of what a task asks. Nothing is sent anywhere.
"""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

VERSION = 1
NAME = "progress.json"
SEED_VARIABLE = "JIMOTO_LAB_SEED"  # tests and markers: the same numbers on every machine
WAIT_SECONDS = 5.0  # for another notebook that is writing at this moment


@dataclass
class TaskProgress:
    """What happened in one task. Times: ISO 8601 in UTC; `wrong`: names of misconceptions."""

    tries: int = 0
    hints: int = 0
    solved: bool = False
    first: str = ""
    solved_at: str = ""
    wrong: list[str] = field(default_factory=list)

    @property
    def minutes(self) -> float | None:
        """From the first look to the solution."""
        if not (self.first and self.solved_at):
            return None
        span = datetime.fromisoformat(self.solved_at) - datetime.fromisoformat(self.first)
        return span.total_seconds() / 60


@dataclass
class Progress:
    """All labs of one learner; the seed gives each learner other numbers."""

    seed: int
    labs: dict[str, dict[str, TaskProgress]] = field(default_factory=dict)

    def task(self, lab: str, key: str) -> TaskProgress:
        return self.labs.setdefault(lab, {}).setdefault(key, TaskProgress())


def now_text() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def parse(text: str) -> Progress:
    """A progress file's text as a value.

    Errors: ValueError, TypeError, KeyError or AttributeError where it is none of ours.
    """
    raw: dict[str, Any] = json.loads(text)
    if raw["version"] != VERSION or isinstance(raw["seed"], bool):
        raise ValueError(f"version {raw['version']!r}")
    progress = Progress(seed=int(raw["seed"]))
    for lab, tasks in raw["labs"].items():
        for key, entry in tasks.items():
            kept = TaskProgress(**entry)
            datetime.fromisoformat(kept.first or now_text())
            datetime.fromisoformat(kept.solved_at or now_text())
            kept.tries, kept.hints = int(kept.tries), int(kept.hints)
            kept.solved, kept.wrong = bool(kept.solved), [str(name) for name in kept.wrong]
            progress.labs.setdefault(str(lab), {})[str(key)] = kept
    return progress


def format_progress(progress: Progress) -> str:
    """
    >>> parse(format_progress(Progress(7))) == Progress(7)
    True
    """
    body = {"version": VERSION, **asdict(progress)}
    return json.dumps(body, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


class ProgressFile:
    """The file on disk. What cannot be written is kept in memory, and `trouble` says why."""

    def __init__(self, path: Path, env: Mapping[str, str] = os.environ) -> None:
        self.path = path
        self.env = env
        self.trouble: OSError | None = None
        self.put_aside: Path | None = None
        self._memory: Progress | None = None

    def read(self) -> Progress:
        """The file's content; a new one where there is none, or where it was broken."""
        if self.trouble and self._memory:
            return self._memory
        try:
            progress = parse(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:  # the first time, or its owner deleted it: begin anew
            progress = Progress(self._memory.seed) if self._memory else self._fresh()
        except OSError as error:
            self.trouble = error
            progress = self._memory or self._fresh()
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            self._set_aside()
            progress = self._memory or self._fresh()
        if self.env.get(SEED_VARIABLE, "").isdigit():
            progress.seed = int(self.env[SEED_VARIABLE])
        self._memory = progress
        return progress

    def change(self, act: Callable[[Progress], None]) -> Progress:
        """Read, act, replace: under a lock, because two notebooks may be open."""
        from filelock import FileLock

        acted = False
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path.with_suffix(".lock"), timeout=WAIT_SECONDS):
                progress = self.read()
                act(progress)
                acted = True
                replace_text(self.path, format_progress(progress))
                self.trouble = None
        except OSError as error:  # the lock's Timeout is one, too
            self.trouble = error
            progress = self._memory or self._fresh()
            if not acted:
                act(progress)
            self._memory = progress
        return progress

    def _fresh(self) -> Progress:
        return Progress(seed=secrets.randbelow(10**6))

    def _set_aside(self) -> None:
        """Rename what cannot be read: it may still hold something that its owner wants."""
        number = 1
        while True:
            aside = self.path.with_name(f"{self.path.stem}.broken-{number}{self.path.suffix}")
            if not aside.exists():
                break
            number += 1
        try:
            os.replace(self.path, aside)
            self.put_aside = aside
        except OSError as error:
            self.trouble = error


def replace_text(path: Path, text: str) -> None:
    """Write all or nothing. No fsync: a crash of the process loses nothing, a power cut may."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
