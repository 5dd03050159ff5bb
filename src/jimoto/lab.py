"""Starts JupyterLab on the learner's own copies of the lessons, once a model answers.

The originals are read and never opened for writing; a copy that is there is never written over.
Knows nothing of pip.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from jimoto.connection import (
    MODEL,
    ensure_command,
    ensure_mame,
    ensure_server,
    find_home,
    keep_off_proxies,
)
from jimoto.errors import (
    FolderMissing,
    FolderNotWritable,
    LessonUnknown,
    PackageMissing,
    PortTaken,
    language,
)

NEEDED = ("ollama", "llama_cpp", "starlette", "uvicorn", "jupyterlab", "ipywidgets", "matplotlib")
# No news and no search for updates: a lesson needs no network, and asks for none.
SETTINGS = Path(__file__).parent / "data" / "lab"
FIRST_PORT, LAST_PORT = 8888, 8988
FIRST_LESSON = "02_first_run"
ROOMS = ("notebooks", "labs")
COPIED = ".copied.json"  # in the working folder: which original each copy was made from

LINES = {
    "en": {
        "ready": "The model {model} answers at {url}.",
        "address": "JupyterLab runs at {address}\nStop it with Ctrl-C.",
        "folder": "Your copies of the lessons: {folder}",
        "newer": "'{lesson}' was revised since you copied it: "
        "`jimoto lab --fresh {lesson}` puts the new one beside yours.",
    },
    "ja": {
        "ready": "モデル {model} が {url} で応答しています。",
        "address": "JupyterLabのアドレス: {address}\n終了するにはCtrl-Cを押してください。",
        "folder": "レッスンの作業用コピー: {folder}",
        "newer": "'{lesson}' は、コピーしたあとに改訂されました。"
        "`jimoto lab --fresh {lesson}` で、今のコピーの隣に新しいものを置けます。",
    },
}


def find_originals() -> Path:
    """The folder of the kit: the current one, else the one of the source that runs."""
    for root in (Path.cwd(), Path(__file__).parents[2]):
        if (root / "notebooks" / "en").is_dir():
            return root
    raise FolderMissing("notebooks", str(Path.cwd()))


# --- working copies ---


def work_folder(env: Mapping[str, str]) -> Path:
    """Where a learner's copies lie: JIMOTO_WORK, else the folder `jimoto` in their documents.

    Not in the kit's own folder: `git pull`, `make clean` and a second clone must not touch them.
    """
    from platformdirs import user_documents_path

    chosen = env.get("JIMOTO_WORK")
    return Path(chosen).absolute() if chosen else user_documents_path() / "jimoto"


def lesson_names(root: Path, lang: str) -> list[str]:
    """The lessons and labs that there are in this language, in order."""
    return sorted({path.stem for path in _originals(root, lang)})


def find_lesson(text: str, names: Sequence[str]) -> str:
    """The lesson that is meant: '02_first_run', 'first_run', '02', '2', or the notebook's path.

    Errors: LessonUnknown, with the nearest names.

    >>> find_lesson("2", ["01_why_local", "02_first_run"])
    '02_first_run'
    """
    wanted = re.split(r"[/\\]", text)[-1].removesuffix(".ipynb").lower().replace("-", "_")
    for name in names:
        number, _, slug = name.lower().partition("_")
        if wanted and wanted in (name.lower(), slug, number, number.lstrip("0")):
            return name
    spelled = {name.lower(): name for name in names}
    spelled |= {name.lower().partition("_")[2]: name for name in names}
    near = [spelled[match] for match in get_close_matches(wanted, spelled, 3, 0.5)]
    raise LessonUnknown(text, tuple(dict.fromkeys(near)), tuple(names))


def copy_lessons(root: Path, work: Path, lang: str) -> list[str]:
    """Copy each lesson that has no copy yet; those whose original has changed since, by name.

    Errors: FolderNotWritable.
    """
    revised = []
    try:
        copied = _read_copied(work)
        for original in _originals(root, lang):
            key, digest = original.relative_to(root).as_posix(), _digest(original)
            if place_copy(original, work / key):
                copied[key] = digest
            elif copied.get(key) not in (None, digest):
                revised.append(original.stem)
        _write_copied(work, copied)
    except OSError:
        raise FolderNotWritable(str(work), "JIMOTO_WORK") from None
    return sorted(set(revised))


def copy_fresh(root: Path, work: Path, lang: str, lesson: str) -> Path:
    """A clean copy of one lesson (and its lab) beside the older ones, under the next number.

    Returns the copy to open. Errors: FolderNotWritable.
    """
    made = []
    try:
        copied = _read_copied(work)
        for original in _originals(root, lang):
            if original.stem != lesson:
                continue
            key = original.relative_to(root).as_posix()
            target, number = work / key, 2
            while not place_copy(original, target):
                target = (work / key).with_stem(f"{lesson}_{number}")
                number += 1
            made.append(target)
            copied[key] = _digest(original)  # the learner has the newest now
        _write_copied(work, copied)
    except OSError:
        raise FolderNotWritable(str(work), "JIMOTO_WORK") from None
    return made[0]


def place_copy(original: Path, target: Path) -> bool:
    """Copy a file whole or not at all; False, and nothing happens, where the name is taken."""
    if os.path.lexists(target):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        part.write_bytes(original.read_bytes())
        os.link(part, target)  # fails where the name has been taken meanwhile
    except FileExistsError:
        return False
    except OSError:
        if not part.exists() or os.path.lexists(target):
            raise
        part.rename(target)  # a disk without links
    finally:
        part.unlink(missing_ok=True)
    return True


def _originals(root: Path, lang: str) -> list[Path]:
    return [path for room in ROOMS for path in sorted((root / room / lang).glob("*.ipynb"))]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _read_copied(work: Path) -> dict[str, str]:
    try:
        kept = json.loads((work / COPIED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(k): str(v) for k, v in kept.items()} if isinstance(kept, dict) else {}


def _write_copied(work: Path, copied: Mapping[str, str]) -> None:
    """All at once: a file that was cut short would be read as none."""
    part = work / f"{COPIED}.{os.getpid()}"
    part.write_text(json.dumps(copied, indent=1) + "\n", encoding="utf-8", newline="\n")
    part.replace(work / COPIED)


# --- before Jupyter starts ---


def check_packages(needed: tuple[str, ...] = NEEDED) -> None:
    """An environment whose installation was interrupted is found before anything starts."""
    for package in needed:
        if importlib.util.find_spec(package) is None:
            raise PackageMissing(package, "python src/jimoto/install.py install")


def is_free(port: int) -> bool:
    """Can a server bind this port on loopback?"""
    with socket.socket() as trial:
        if os.name != "nt":  # on Windows the option would let two programs share a port
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose_port(port: int | None) -> int:
    """The port asked for, which must be free; else the first free one."""
    if port is not None:
        if not is_free(port):
            raise PortTaken(port, "jimoto lab --port PORT")
        return port
    free = next((p for p in range(FIRST_PORT, LAST_PORT) if is_free(p)), None)
    if free is None:
        raise PortTaken(FIRST_PORT, "jimoto lab --port PORT")
    return free


def wait_until_up(process: subprocess.Popen[bytes], port: int) -> bool:
    """True once something listens on the port, False if the process ended first."""
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return True
        except OSError:
            time.sleep(0.1)
    return False


def start(
    env: Mapping[str, str],
    *,
    browser: bool,
    port: int | None,
    lang: str,
    lesson: str = "",
    fresh: bool = False,
) -> int:
    """Start JupyterLab at a lesson, print its address, wait for it to end; its exit code.

    Errors: PackageMissing, FolderMissing, LessonUnknown, FolderNotWritable, PortTaken, and those of
    `connect`.
    """
    # 1) everything that can go wrong goes wrong before Jupyter starts
    check_packages()
    lang = lang or language()
    root, work = find_originals(), work_folder(env)
    names = lesson_names(root, lang)
    chosen = find_lesson(lesson, names) if lesson else FIRST_LESSON
    port = choose_port(port)
    keep_off_proxies(os.environ)
    server = ensure_server(env)
    ensure_mame(server.url)
    say = LINES[lang]
    print(say["ready"].format(model=MODEL, url=server.url), flush=True)

    # 2) the learner's own copies
    opened = copy_fresh(root, work, lang, chosen) if fresh and chosen in names else None
    for revised in copy_lessons(root, work, lang):
        print(say["newer"].format(lesson=revised))
    copies = [work / room / lang / f"{chosen}.ipynb" for room in ROOMS]
    opened = opened or next((copy for copy in copies if copy.exists()), work)
    print(say["folder"].format(folder=work), flush=True)

    # 3) terminals inside JupyterLab find the stand-in, too; the system's PATH stays as it is
    stand_in = ensure_command(find_home(env), env)
    path = os.pathsep.join([*([str(stand_in)] if stand_in else []), env.get("PATH", "")])
    token = secrets.token_hex(16)
    page = f"/lab/tree/{opened.relative_to(work).as_posix()}"
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={work}"]
    command += [f"--port={port}", "--ServerApp.port_retries=0", "--ip=127.0.0.1"]
    command += [f"--LabApp.default_url={page}", "--Application.log_level=WARN"]
    command += [f"--LabApp.app_settings_dir={SETTINGS}"]
    command += ["--allow-root"] * (hasattr(os, "geteuid") and os.geteuid() == 0)
    command += ["--no-browser"] * (not browser)

    # 4) Ctrl-C reaches Jupyter and us; it ends, and so do we
    process = subprocess.Popen(command, env={**env, "PATH": path, "JUPYTER_TOKEN": token})
    try:
        if wait_until_up(process, port):
            address = f"http://127.0.0.1:{port}{page}?token={token}"
            print(LINES[lang]["address"].format(address=address), flush=True)
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        return 0
