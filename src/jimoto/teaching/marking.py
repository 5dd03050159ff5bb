"""Run one submission in this process, under limits, and judge its tasks: the child of `grade`.

    python -P -m jimoto.teaching.marking < job.json      writes the file that the job names

The cells run in order in IPython, each with its own time; an error in one does not stop the next.
Then each task's variables are judged by the check file, with the marker's own numbers. The limits
are against accidents (endless loops, full disks, calls to the network), not against an attacker:
code that runs in this process could also cheat in it. Knows nothing of folders and reports.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jimoto.teaching.network import GUARD
from jimoto.teaching.tasks import CheckFile, ____, judge, read_checks

CLONE_NEWNET, CLONE_NEWUSER = 0x40000000, 0x10000000
# Audit events of changes to the file system, and which of their arguments are paths.
CHANGES = {
    "os.remove": (0,), "os.rename": (0, 1), "os.mkdir": (0,), "os.rmdir": (0,), "os.truncate": (0,),
    "os.link": (1,), "os.symlink": (1,), "os.chmod": (0,), "shutil.rmtree": (0,),
}  # fmt: skip
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


@dataclass
class Job:
    """What the parent asks for. Sizes in bytes, times in seconds."""

    notebook: str
    checks: str
    result: str  # written by this process, outside the sandbox
    sandbox: str
    seed: int
    lang: str
    cell_seconds: float
    memory_bytes: int
    file_bytes: int


@dataclass
class Outcome:
    """Per task the misconception's name, "" for wrong without one, None for right."""

    tasks: dict[str, str | None] = field(default_factory=dict)
    saw: dict[str, str] = field(default_factory=dict)
    blanks: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)  # of cells, one line each
    attempts: list[str] = field(default_factory=list)  # connections that were refused
    network: str = ""  # "none": no interface at all; "guarded": refused by Python


class CellTimeout(BaseException):
    """A cell ran too long. No Exception, so that `except Exception` in it does not swallow this."""


def limit_resources(job: Job) -> None:
    """The kernel's own limits, where there are any; children of this process inherit them."""
    try:
        import resource
    except ImportError:  # Windows: the parent watches memory and time
        return

    def limit(what: int, value: int) -> None:
        hard = resource.getrlimit(what)[1]
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(what, (value, value))

    limit(resource.RLIMIT_FSIZE, job.file_bytes)
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_NOFILE, 256)
    if sys.platform.startswith("linux"):  # elsewhere it is ignored, or counts the whole library
        limit(resource.RLIMIT_AS, job.memory_bytes)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a file too large is an OSError then


def leave_network() -> bool:
    """Move into a network of our own without any interface, where Linux lets us; else False."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        unshare = ctypes.CDLL(None, use_errno=True).unshare
    except (OSError, AttributeError):
        return False
    return bool(unshare(CLONE_NEWNET) == 0 or unshare(CLONE_NEWNET | CLONE_NEWUSER) == 0)


def guard_files(job: Job) -> None:
    """From now on this process changes files in the sandbox, and the result, and no others."""
    allowed = tuple(os.path.realpath(path) for path in (job.sandbox, job.result, os.devnull))

    def is_allowed(path: Any) -> bool:
        if isinstance(path, int) or path is None:  # opened before, or a folder's handle
            return True
        real = os.path.realpath(os.fsdecode(path))
        return any(real == root or real.startswith(root + os.sep) for root in allowed)

    def see(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            paths = args[:1] if isinstance(args[2], int) and args[2] & WRITES else ()
        elif event in CHANGES:
            paths = tuple(args[i] for i in CHANGES[event])
        else:
            return
        for path in paths:
            if not is_allowed(path):
                raise PermissionError(f"a submission may not change {os.fsdecode(path)!r}")

    sys.addaudithook(see)


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Interrupt what runs longer, where the system has timers; the parent's limit holds anyway."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*args: object) -> None:
        raise CellTimeout

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def run_cells(cells: list[str], seconds: float, outcome: Outcome) -> dict[str, Any]:
    """Run the cells in IPython, so that `!` and `%%` work, and give the variables they made."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config, colors="nocolor")
    for number, cell in enumerate(cells, 1):
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            try:
                with time_limit(seconds):
                    done = shell.run_cell(cell, store_history=False)  # type: ignore[no-untyped-call]
                error = done.error_before_exec or done.error_in_exec
            except (CellTimeout, SystemExit) as stopped:
                error = stopped
        if isinstance(error, CellTimeout):
            outcome.errors.append(f"cell {number}: longer than {seconds:.0f} s")
        elif error is not None:
            first = str(error).partition("\n")[0][:120]
            outcome.errors.append(f"cell {number}: {type(error).__name__}: {first}")
    return dict(shell.user_ns)


def judge_tasks(
    checks: CheckFile, seed: int, lang: str, names: dict[str, Any], seconds: float, outcome: Outcome
) -> None:
    """Every task, also where its variables are missing: then a blank is judged."""
    for task in checks.tasks:
        answers = [names.get(name, ____) for name in task.takes]
        try:
            with time_limit(seconds):
                seen = judge(task, task.data(seed, lang), answers)
        except CellTimeout:
            outcome.tasks[task.key] = ""
            outcome.saw[task.key] = f"longer than {seconds:.0f} s"
            continue
        outcome.tasks[task.key] = seen.wrong
        outcome.saw[task.key] = seen.saw[lang]
        if seen.is_blank:
            outcome.blanks.append(task.key)


def read_code(path: Path) -> list[str]:
    """The code cells of a notebook.

    Errors: ValueError, KeyError, TypeError or AttributeError where it is none.
    """
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    sources = (cell["source"] for cell in cells)
    return [text if isinstance(text, str) else "".join(text) for text in sources]


def mark(job: Job) -> Outcome:
    """The whole story: read, lock the doors, run, judge."""
    outcome = Outcome()
    checks = read_checks(Path(job.checks))
    cells = read_code(Path(job.notebook))
    os.chdir(job.sandbox)
    outcome.network = "none" if leave_network() else "guarded"
    limit_resources(job)
    GUARD.install()
    attempts: list[Any] = []
    GUARD.lists.append(attempts)
    guard_files(job)
    names = run_cells(cells, job.cell_seconds, outcome)
    judge_tasks(checks, job.seed, job.lang, names, job.cell_seconds, outcome)
    outcome.attempts = [str(attempt) for attempt in attempts]
    return outcome


def main() -> int:
    job = Job(**json.loads(sys.stdin.read()))
    outcome = mark(job)
    Path(job.result).write_text(json.dumps(asdict(outcome)), encoding="utf-8")
    sys.stdout.flush()
    os._exit(0)  # threads and handlers that a submission left behind do not matter any more


if __name__ == "__main__":
    sys.exit(main())
