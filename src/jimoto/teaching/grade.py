"""`jimoto grade FOLDER`: mark a folder of labs, each in a process of its own, without a network.

Every notebook in the folder is one submission. It runs again with the marker's numbers, under
limits on time, memory and files (`marking`), and the check file that gave the learner feedback
gives the score. Writes one CSV and one HTML page; `write_otter_tests` makes otter-grader give the
same score.
"""

from __future__ import annotations

import csv
import html
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from jimoto.errors import JimotoError, SubmissionsMissing, language
from jimoto.teaching.marking import Job
from jimoto.teaching.progress import replace_text
from jimoto.teaching.tasks import CheckFile, Text, both, find_checks, read_checks

SEED = 20_261  # the marker's numbers: not those of any learner, the same for all
POLL_SECONDS = 0.1
MAX_PROCESSES = 32
CSV_NAME, HTML_NAME = "grades.csv", "grades.html"
FORMULA = ("=", "+", "-", "@", "\t")  # a spreadsheet would compute what begins so
# Of the outer environment only what Python and the system need: no tokens, no proxies.
KEPT = ("PATH", "SYSTEMROOT", "SYSTEMDRIVE", "COMSPEC", "PATHEXT", "LANG", "LC_ALL", "TZ")

TEXT = {
    "en": {
        "title": "Lab grades", "file": "submission", "lab": "lab", "score": "score",
        "problem": "remarks", "seconds": "s", "peak": "MB", "right": "✓ right", "wrong": "✗ wrong",
        "blank": "✗ blank", "details": "Details", "saw": "saw", "named": "probably",
        "summary": "{n} submissions, limits for each: {seconds:.0f} s, {memory} MB of memory, "
        "{files} MB of files. The numbers differ from the learners' own.",
        "guarded": "This system gives no network of its own to a process: connections were refused "
        "by Python, which other programs that a submission starts do not notice.",
    },
    "ja": {
        "title": "演習の採点", "file": "提出物", "lab": "演習", "score": "得点",
        "problem": "備考", "seconds": "秒", "peak": "MB", "right": "✓ 正解", "wrong": "✗ 不正解",
        "blank": "✗ 空欄", "details": "詳細", "saw": "見えたもの", "named": "考えられる原因",
        "summary": "提出物{n}件。1件あたりの制限: {seconds:.0f}秒、メモリ{memory} MB、"
        "ファイル{files} MB。数値は受講者のものと異なります。",
        "guarded": "このシステムではプロセスごとにネットワークを切り離せません。接続はPythonが"
        "拒否しましたが、提出物が起動した別のプログラムには効きません。",
    },
}  # fmt: skip
PROBLEMS: dict[str, Text] = {
    "unreadable": both("this is no readable notebook", "ノートブックとして読めません"),
    "no-lab": both(
        "this notebook is no lab that is here", "ここにある演習のノートブックではありません"
    ),
    "time": both("stopped: it ran too long", "停止: 制限時間を超えました"),
    "memory": both("stopped: it took too much memory", "停止: メモリの制限を超えました"),
    "files": both("stopped: its files grew too large", "停止: ファイルの制限を超えました"),
    "processes": both(
        "stopped: it started too many programs", "停止: 起動したプログラムが多すぎます"
    ),
    "ended": both("it ended before it could be judged", "採点の前に終了しました"),
}


@dataclass(frozen=True)
class Limits:
    """What one submission may use."""

    seconds: float = 60.0
    cell_seconds: float = 15.0
    memory_bytes: int = 2 * 10**9
    file_bytes: int = 20 * 10**6  # one file
    folder_bytes: int = 50 * 10**6  # all files together


@dataclass
class Mark:
    """One submission's result; `tasks`: misconception, "" or None (right), as in `Result`."""

    file: str
    lab: str = ""
    lang: str = "en"
    tasks: dict[str, str | None] = field(default_factory=dict)
    saw: dict[str, str] = field(default_factory=dict)
    blanks: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    attempts: list[str] = field(default_factory=list)
    network: str = ""
    problem: str = ""  # a key of PROBLEMS
    seconds: float = 0.0
    peak_mb: int = 0

    @property
    def score(self) -> int:
        return sum(wrong is None for wrong in self.tasks.values())

    def remarks(self, lang: str) -> list[str]:
        said = [PROBLEMS[self.problem][lang]] if self.problem else []
        return [*said, *self.errors, *(f"→ {attempt}" for attempt in self.attempts)]


# --- one submission -------------------------------------------------------------------------------


def find_submissions(folder: Path) -> list[Path]:
    """Every notebook below the folder, checkpoints aside. Errors: SubmissionsMissing."""
    found = sorted(p for p in folder.rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts)
    if not found:
        raise SubmissionsMissing(str(folder))
    return found


def read_about(path: Path) -> tuple[str, str]:
    """The lab and the language that a notebook's metadata name.

    Errors: ValueError where the file cannot be read as a notebook.
    """
    try:
        about = json.loads(path.read_text(encoding="utf-8"))["metadata"].get("jimoto", {})
        lab = str(about["id"]) if about.get("kind") == "lab" else ""
        return lab, "ja" if about.get("lang") == "ja" else "en"
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ValueError(path.name) from None


def mark_submission(path: Path, shown: str, limits: Limits, seed: int = SEED) -> Mark:
    """Run and judge one notebook in a process and a folder of its own."""
    try:
        lab, lang = read_about(path)
    except ValueError:
        return Mark(shown, problem="unreadable")
    result = Mark(shown, lab, lang)
    try:
        checks = read_checks(find_checks(lab, Path.cwd()))
    except JimotoError:
        result.problem = "no-lab"
        return result
    result.tasks = {task.key: "" for task in checks.tasks}
    with tempfile.TemporaryDirectory(prefix="jimoto-grade-") as outer:
        run_marking(path, checks, Path(outer), limits, seed, result)
    return result


def run_marking(
    path: Path, checks: CheckFile, outer: Path, limits: Limits, seed: int, result: Mark
) -> None:
    """Start the child, watch it, take its result; what goes wrong ends up in `result`."""
    # 1) a sandbox with copies of what a lab reads: the check file that judges is the original
    sandbox, answer = outer / "sandbox", outer / "result.json"
    for name in ("checks", "data"):
        source = checks.path.parents[1] / name
        if source.is_dir():
            shutil.copytree(source, sandbox / "labs" / name)
    (sandbox / "tmp").mkdir(parents=True)
    shutil.copy(path, outer / "submission.ipynb")
    job = Job(
        str(outer / "submission.ipynb"), str(checks.path), str(answer), str(sandbox), seed,
        result.lang, limits.cell_seconds, limits.memory_bytes, limits.file_bytes,
    )  # fmt: skip
    # 2) the child, in a session of its own so that it can be ended with all that it started
    with (outer / "said.txt").open("wb") as said:
        start = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "jimoto.teaching.marking"],
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
            cwd=sandbox,
            env=child_environment(os.environ, sandbox, seed, result.lang),
            start_new_session=os.name != "nt",
        )
        assert process.stdin is not None
        with process.stdin as pipe:
            pipe.write(json.dumps(asdict(job)).encode())
        try:
            result.problem = watch(process, sandbox, limits, start, result)
        finally:
            end_family(process)
        result.seconds = time.monotonic() - start
    # 3) its result
    if result.problem:
        return
    try:
        outcome = json.loads(answer.read_text(encoding="utf-8"))
        result.tasks = {key: outcome["tasks"][key] for key in result.tasks}
        for name in ("saw", "blanks", "errors", "attempts", "network"):
            setattr(result, name, outcome[name])
    except (OSError, ValueError, KeyError, TypeError):
        result.problem = "ended"


def child_environment(
    outer: Mapping[str, str], sandbox: Path, seed: int, lang: str
) -> dict[str, str]:
    """A few variables of the system, and everything that is written to goes to the sandbox."""
    env = {name: outer[name] for name in KEPT if name in outer}
    home = str(sandbox)
    return env | {
        "HOME": home, "USERPROFILE": home, "JIMOTO_HOME": str(sandbox / "jimoto"),
        "IPYTHONDIR": str(sandbox / "ipython"), "MPLCONFIGDIR": str(sandbox / "matplotlib"),
        "TMPDIR": str(sandbox / "tmp"), "TEMP": str(sandbox / "tmp"), "TMP": str(sandbox / "tmp"),
        "JIMOTO_LAB_SEED": str(seed), "JIMOTO_LANG": lang,
        "PYTHONUTF8": "1", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1",
        "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "agg",
    }  # fmt: skip


def watch(
    process: subprocess.Popen[bytes], sandbox: Path, limits: Limits, start: float, result: Mark
) -> str:
    """Wait for the end, or the first limit that is passed: a key of PROBLEMS, else ""."""
    while True:
        try:
            process.wait(POLL_SECONDS)
            return ""
        except subprocess.TimeoutExpired:
            pass
        memory, count = family_size(process.pid)
        result.peak_mb = max(result.peak_mb, memory // 10**6)
        if time.monotonic() - start > limits.seconds:
            return "time"
        if memory > limits.memory_bytes:
            return "memory"
        if count > MAX_PROCESSES:
            return "processes"
        if folder_bytes(sandbox) > limits.folder_bytes:
            return "files"


def family_size(pid: int) -> tuple[int, int]:
    """Resident bytes of a process and its descendants, and how many they are."""
    import psutil

    total = count = 0
    try:
        top = psutil.Process(pid)
        for process in [top, *top.children(recursive=True)]:
            try:
                total += process.memory_info().rss
                count += 1
            except psutil.Error:
                continue
    except psutil.Error:
        pass
    return total, count


def folder_bytes(folder: Path) -> int:
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(root, name)).st_size
            except OSError:  # gone meanwhile
                continue
    return total


def end_family(process: subprocess.Popen[bytes]) -> None:
    """The child and whatever it left running."""
    import psutil

    family: list[Any] = []
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.Error:
        pass
    if os.name != "nt":
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
    for one in family:
        try:
            one.kill()
        except psutil.Error:
            pass
    process.kill()
    process.wait()


# --- a folder -------------------------------------------------------------------------------------


def grade_folder(folder: Path, limits: Limits | None = None, seed: int = SEED) -> list[Mark]:
    """Mark every submission, one after the other. Errors: SubmissionsMissing."""
    limits = limits or Limits()
    paths = find_submissions(folder)
    return [mark_submission(p, p.relative_to(folder).as_posix(), limits, seed) for p in paths]


def csv_text(marks: Iterable[Mark]) -> str:
    """A row per submission: 1 for a right task, 0 for another, empty where the lab has none."""
    marks = list(marks)
    keys = sorted({key for mark in marks for key in mark.tasks})
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\r\n")
    heads = ["file", "lab", "lang", "score", "out_of", *keys, "seconds", "peak_mb", "problem"]
    table.writerow([*heads, "misconceptions"])
    for mark in marks:
        points = ["" if key not in mark.tasks else int(mark.tasks[key] is None) for key in keys]
        named = " ".join(f"{key}:{wrong}" for key, wrong in mark.tasks.items() if wrong)
        row = [mark.file, mark.lab, mark.lang, mark.score, len(mark.tasks), *points]
        row += [f"{mark.seconds:.1f}", mark.peak_mb, mark.problem, named]
        table.writerow([tame(cell) for cell in row])
    return out.getvalue()


def tame(cell: object) -> object:
    """A text that a spreadsheet would take for a formula gets an apostrophe.

    >>> tame("=1+1.ipynb"), tame(3)
    ("'=1+1.ipynb", 3)
    """
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


def html_text(marks: list[Mark], limits: Limits, lang: str) -> str:
    """One page without scripts: the table, and under it what each check saw."""
    text, esc = TEXT[lang], html.escape
    keys = sorted({key for mark in marks for key in mark.tasks})
    heads = [text["file"], text["lab"], text["score"], *keys, text["seconds"], text["peak"]]
    head = "".join(f'<th scope="col">{esc(name)}</th>' for name in [*heads, text["problem"]])
    rows = []
    for number, mark in enumerate(marks):
        cells = [f"{mark.score}/{len(mark.tasks)}"]
        cells += [_state(mark, key, text) for key in keys]
        cells += [f"{mark.seconds:.1f}", str(mark.peak_mb), "; ".join(mark.remarks(lang))]
        link = f'<th scope="row"><a href="#s{number}">{esc(mark.file)}</a></th>'
        rows.append(
            f"<tr>{link}<td>{esc(mark.lab)}</td>"
            + "".join(f"<td>{esc(c)}</td>" for c in cells)
            + "</tr>"
        )
    summary = text["summary"].format(
        n=len(marks), seconds=limits.seconds, memory=limits.memory_bytes // 10**6,
        files=limits.folder_bytes // 10**6,
    )  # fmt: skip
    if any(mark.network == "guarded" for mark in marks):
        summary += " " + text["guarded"]
    details = "".join(_details(number, mark, lang) for number, mark in enumerate(marks))
    return (
        f'<!DOCTYPE html>\n<html lang="{lang}"><head><meta charset="utf-8">'
        f"<title>{esc(text['title'])}</title><style>{STYLE}</style></head><body>"
        f"<h1>{esc(text['title'])}</h1><p>{esc(summary)}</p>"
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
        f"<h2>{esc(text['details'])}</h2>{details}</body></html>\n"
    )


STYLE = (
    "body{font-family:sans-serif;margin:2em;color:#000;background:#fff}"
    "table{border-collapse:collapse}th,td{border:1px solid #595959;padding:.3em .6em;"
    "text-align:left;vertical-align:top}a{color:#0072B2}"
)


def _state(mark: Mark, key: str, text: Mapping[str, str]) -> str:
    if key not in mark.tasks:
        return "–"
    if mark.tasks[key] is None:
        return text["right"]
    return text["blank" if key in mark.blanks else "wrong"]


def _details(number: int, mark: Mark, lang: str) -> str:
    text, esc = TEXT[lang], html.escape
    titles: dict[str, str] = {}
    if mark.tasks:
        for task in read_checks(find_checks(mark.lab, Path.cwd())).tasks:
            named = task.misconception(mark.tasks[task.key] or "")
            titles[task.key] = f"; {text['named']}: {named.title[lang]}" if named else ""
    items = "".join(
        f"<li>{esc(key)} {esc(_state(mark, key, text))}; {esc(text['saw'])}: "
        f"{esc(mark.saw.get(key, ''))}{esc(titles.get(key, ''))}</li>"
        for key in mark.tasks
    )
    said = "".join(f"<li>{esc(line)}</li>" for line in mark.remarks(lang))
    return f'<h3 id="s{number}">{esc(mark.file)}</h3><ul>{items}{said}</ul>'


def grade(folder: Path, out: Path | None = None, lang: str = "") -> list[Mark]:
    """Mark the folder and write `grades.csv` and `grades.html`, into `out` or the folder itself.

    Errors: SubmissionsMissing.
    """
    limits, out = Limits(), out or folder
    marks = grade_folder(folder, limits)
    out.mkdir(parents=True, exist_ok=True)
    # The mark at the beginning tells spreadsheets that this is UTF-8.
    replace_text(out / CSV_NAME, "\ufeff" + csv_text(marks))
    replace_text(out / HTML_NAME, html_text(marks, limits, lang or language()))
    return marks


# --- otter-grader ---------------------------------------------------------------------------------

OTTER = """\
# Written by jimoto.teaching.grade.write_otter_tests from {checks!a}: do not edit.
OK_FORMAT = False

from otter.test_files import test_case

from jimoto.teaching.grade import require_right

name = {key!r}
points = 1


@test_case(points=1)
def test_{key}(env):
    require_right({checks!a}, {key!r}, env)
"""


def write_otter_tests(checks: Path, folder: Path) -> list[Path]:
    """One otter test file for each task; otter's score is then the number of right tasks."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for task in read_checks(checks).tasks:
        path = folder / f"{task.key}.py"
        replace_text(path, OTTER.format(checks=str(checks.resolve()), key=task.key))
        written.append(path)
    return written


def require_right(checks: str, key: str, env: Mapping[str, Any]) -> None:
    """What an otter test calls: AssertionError, with the feedback's words, unless it is right."""
    from jimoto.teaching.tasks import ____, judge

    task = read_checks(Path(checks)).task(key)
    lab = env.get("lab")
    seed, lang = getattr(lab, "seed", SEED), getattr(lab, "lang", "en")
    seen = judge(task, task.data(seed, lang), [env.get(name, ____) for name in task.takes])
    if seen.wrong is not None:
        raise AssertionError(f"{seen.wrong} {seen.saw[lang]}".strip())
