"""Makes `.venv` with what a command needs, then hands over to that command. Standard library only.

    python3 src/jimoto/install.py lab [ARGS…]       what lessons need, then `jimoto lab ARGS…`
    python3 src/jimoto/install.py test [ARGS…]      also the extras, then pytest
    python3 src/jimoto/install.py run ARGS…         the same environment, then `python ARGS…`
    python3 src/jimoto/install.py install [--extras train,test]

Knows nothing of models, servers or lessons. The order is: environment, pip, engine, torch, kit,
stamp. The stamp is written last and removed first: what was interrupted is noticed and completed.
"""

from __future__ import annotations

import os
import sys

if __name__ == "__main__" and not __package__:  # run as a script: import from src, not src/jimoto
    sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

import contextlib
import errno
import hashlib
import json
import platform
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Callable, Iterable, Iterator, Mapping, NoReturn, Sequence  # noqa: UP035

from jimoto.errors import (
    CacheNotWritable,
    CompilerMissing,
    GpuPackagesRefused,
    InstallFailed,
    JimotoError,
    PythonTooOld,
    VenvNotWritable,
    VenvUnavailable,
    language,
)

ENGINE, ENGINE_VERSION = "llama-cpp-python", "0.3.36"
TORCH_VERSION = "2.13.0"
ENGINE_INDEX = "https://abetlen.github.io/llama-cpp-python/whl/cpu"
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
PROBE_SECONDS = 3.0
OLDEST_PYTHON = (3, 11)
OLDEST_PIP = 24  # since 23.3 `install --dry-run` reads metadata only; Debian 12 brings 23.0
EXTRAS: dict[str, tuple[str, ...]] = {
    "lab": (),
    "test": ("instructor", "test", "train"),
    "run": ("instructor", "test", "train"),
    "install": (),
}
STAMP = "jimoto.json"
SITE_PACKAGES = "Lib/site-packages" if sys.platform == "win32" else "lib/python3*/site-packages"
# Variables that would lead pip, or the compilers below it, astray.
STRAY = ("PYTHONHOME", "PYTHONPATH", "PIP_USER", "PIP_TARGET", "PIP_PREFIX", "MAKEFLAGS", "MFLAGS")
KEPT_LINES = 4000  # what a cause is looked for in

# The engine is llama.cpp's library alone: no image input, programs, tests or downloads of its own.
CMAKE_OPTIONS = (
    "-DLLAVA_BUILD=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_TOOLS=OFF "
    "-DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_OPENSSL=OFF"
)
# CMake reads this file right after `project("llama.cpp")`, where it has the last word. The package
# forces `common` on, 57 of 140 steps of which nothing is used from Python. And llama.cpp
# uses AMX tiles for quantised weights, at which a virtual machine (Firecracker, Xeon, 2026-11-28)
# stopped it with "illegal instruction"; writing one answer gains nothing from them.
HOOK = """\
set(LLAMA_BUILD_COMMON OFF)
if(NOT MSVC)
  add_compile_options(-U__AMX_INT8__)
endif()
"""
ENGINE_CHECK = (
    "import llama_cpp; tiles = b'AMX_INT8 = 1' in llama_cpp.llama_print_system_info(); "
    "print('engine', llama_cpp.__version__, 'with tiles' * tiles)"
)

# The first that matches names the cause; a lost network also prints "no matching distribution".
CAUSES = (
    ("space", r"No space left on device|Errno 28\b|not enough space on the disk"),
    ("certificate", r"CERTIFICATE_VERIFY_FAILED|SSLCertVerificationError"),
    (
        "network",
        r"NewConnectionError|ConnectTimeout|ReadTimeout|Read timed out|name resolution|"
        r"Name or service not known|getaddrinfo failed|nodename nor servname|Max retries exceeded|"
        r"Network is unreachable|ProxyError|Connection (?:refused|reset|aborted)|Remote end closed",
    ),
    ("memory", r"Killed signal terminated|virtual memory exhausted|out of (?:heap|memory)"),
    ("build", r"ninja: build stopped|CMake Error|CMake build failed|Failed building wheel"),
    (
        "version",
        r"[Nn]o matching distribution|Could not find a version|requires a different Python",
    ),
    ("conflict", r"ResolutionImpossible|conflicting dependencies"),
    ("permission", r"Permission denied|Errno 13\b|WinError (?:5|32)\b|Read-only file system"),
)

# Failures before pip changed anything; None is an error that has no cause, such as a refusal.
UNTOUCHED = (None, "network", "certificate", "version", "conflict")

LINES = {
    "making": {
        "en": "Making the environment '.venv' …",
        "ja": "環境 '.venv' を作成しています…",
    },
    "remaking": {
        "en": "The environment '.venv' is not usable ({why}): it is made anew.",
        "ja": "環境 '.venv' は使えないため({why})、作り直します。",
    },
    "completing": {
        "en": "The environment '.venv' is not complete or not up to date: it is completed.",
        "ja": "環境 '.venv' が不完全か古いため、不足分を追加します。",
    },
    "half-made": {"en": "half-made", "ja": "作りかけ"},
    "moved": {"en": "it was made in another folder", "ja": "別のフォルダーで作成"},
    "python": {"en": "its Python does not run", "ja": "Pythonが動作しない"},
    "waiting": {
        "en": "Another installation is running; waiting for it to end …",
        "ja": "別のインストールが実行中です。終わるまで待っています…",
    },
    "installing": {"en": "Installing {what} …", "ja": "{what} をインストールしています…"},
    "package": {
        "en": "  {count} packages, {mb:.0f} MB downloaded: {name}",
        "ja": "  パッケージ{count}個、ダウンロード{mb:.0f} MB: {name}",
    },
    "installed": {
        "en": "Installed in {time}, {mb:.0f} MB downloaded.",
        "ja": "インストールが終わりました({time}、ダウンロード{mb:.0f} MB)。",
    },
    "kept wheel": {
        "en": "Installing the engine from the wheel kept in '{folder}' …",
        "ja": "推論エンジンを、保存してあるwheel('{folder}')からインストールしています…",
    },
    "index wheel": {
        "en": "Installing the engine from '{index}' …",
        "ja": "推論エンジンを '{index}' からインストールしています…",
    },
    "building": {
        "en": "Building the engine llama.cpp for this computer: five to ten minutes, once.",
        "ja": "このコンピューター用に推論エンジンllama.cppをビルドします(初回のみ、5〜10分)。",
    },
    "step": {
        "en": "  building llama.cpp: {done} of {total}, {spent} so far, about {left} left",
        "ja": "  llama.cppをビルド中: {done}/{total}、経過{spent}、残り約{left}",
    },
    "stopped": {
        "en": "Stopped. Run the same command again to go on; what was finished is kept.",
        "ja": "中断しました。同じコマンドをもう一度実行すると続きから始まります。",
    },
    "usage": {
        "en": "Usage: python3 src/jimoto/install.py lab|test|run|install [ARGS…]",
        "ja": "使い方: python3 src/jimoto/install.py lab|test|run|install [引数…]",
    },
}

OnLine = Callable[[str], None]
Run = Callable[[Sequence[str], Mapping[str, str], OnLine], int]


# ── the outside world: processes, addresses, hardware ─────────────────────────────────────────────


def run_command(command: Sequence[str], environ: Mapping[str, str], on_line: OnLine) -> int:
    """Run a command, hand over each line that it prints; on Ctrl-C its children stop, too."""
    process = subprocess.Popen(
        command,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        start_new_session=os.name == "posix",
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            on_line(line.rstrip())
        return process.wait()
    except BaseException:
        stop_process(process)
        raise
    finally:
        process.stdout.close()


def stop_process(process: subprocess.Popen[str]) -> None:
    """Ask the process and its children to stop, as Ctrl-C would; after ten seconds, end them."""
    if sys.platform == "win32":
        command = ["taskkill", "/T", "/F", "/PID", str(process.pid)]
        subprocess.run(command, check=False, capture_output=True)
        process.wait()
        return
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(10)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def answers(url: str, limit_seconds: float = PROBE_SECONDS) -> bool:
    """Does this address answer within the limit, look-up of its name included?"""
    answered: list[bool] = []

    def ask() -> None:
        from urllib.error import HTTPError, URLError
        from urllib.request import urlopen

        try:
            with urlopen(url, timeout=limit_seconds) as response:
                answered.append(response.status < 400)
        except HTTPError:
            answered.append(False)
        except URLError as error:
            # Python without root certificates (macOS): the server is there, pip brings its own
            answered.append("CERTIFICATE_VERIFY_FAILED" in str(error.reason))
        except (OSError, ValueError):
            answered.append(False)

    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    thread.join(limit_seconds)
    return bool(answered and answered[0])


def try_lock(handle: int) -> bool:
    """Take the lock, which the system gives back when this process ends."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def has_nvidia_gpu() -> bool:
    """Is there an NVIDIA GPU that PyTorch could use?"""
    return shutil.which("nvidia-smi") is not None or Path("/dev/nvidia0").exists()


def read_cpu_flags() -> str:
    """What -march=native looks at, as one text: model and instruction sets of the processor."""
    with contextlib.suppress(OSError):
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        wanted = ("model name", "flags", "features", "cpu implementer", "cpu part", "isa")
        first = text.split("\n\n")[0].splitlines()  # one processor stands for all
        return "\n".join(line for line in first if line.lower().startswith(wanted))
    if sys.platform == "darwin":
        names = ["machdep.cpu.brand_string", "machdep.cpu.features", "machdep.cpu.leaf7_features"]
        done = subprocess.run(["sysctl", "-n", *names], check=False, capture_output=True, text=True)
        return done.stdout
    return os.environ.get("PROCESSOR_IDENTIFIER", "")


# ── where things are ──────────────────────────────────────────────────────────────────────────────


def find_cache(environ: Mapping[str, str], system: str = sys.platform) -> Path:
    """The folder that outlives every `.venv`: kept wheels, and the log."""
    if environ.get("JIMOTO_CACHE"):
        return Path(environ["JIMOTO_CACHE"]).expanduser().absolute()
    home = Path(environ.get("USERPROFILE" if system == "win32" else "HOME") or Path.home())
    if system == "win32":
        return Path(environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "jimoto"
    if system == "darwin":
        return home / "Library" / "Caches" / "jimoto"
    return Path(environ.get("XDG_CACHE_HOME") or home / ".cache") / "jimoto"


@dataclass(frozen=True)
class Setup:
    """Where things are, and the seams through which this file touches the world."""

    root: Path  # the folder of pyproject.toml
    cache: Path
    lang: str = "en"
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    out: Any = field(default_factory=lambda: sys.stderr)  # progress; answers own stdout
    run: Run = run_command
    probe: Callable[[str], bool] = answers
    has_gpu: Callable[[], bool] = has_nvidia_gpu
    system: str = sys.platform
    cpu_flags: Callable[[], str] = read_cpu_flags

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    @property
    def scripts(self) -> Path:
        return self.venv / ("Scripts" if self.system == "win32" else "bin")

    @property
    def python(self) -> Path:
        return self.scripts / ("python.exe" if self.system == "win32" else "python")

    @property
    def log(self) -> Path:
        return self.cache / "install.log"

    @property
    def wheels(self) -> Path:
        """Kept wheels of the engine are built for one processor and C library: a folder for each.

        Python and system stand in a wheel's own name, and pip refuses one that does not fit.
        """
        libc = "".join(platform.libc_ver()) if self.system.startswith("linux") else ""
        built_for = f"{self.cpu_flags()} {CMAKE_OPTIONS} {HOOK}"
        cpu = hashlib.sha256(built_for.encode()).hexdigest()[:8]
        parts = (self.system, platform.machine().lower(), libc, cpu)
        return self.cache / "wheels" / "-".join(part for part in parts if part)


def find_setup() -> Setup:
    """The setup of the folder that this file lies in."""
    return Setup(Path(__file__).resolve().parents[2], find_cache(os.environ), language())


# ── what is shown ─────────────────────────────────────────────────────────────────────────────────


def format_seconds(seconds: float, lang: str) -> str:
    """
    >>> format_seconds(250, "en"), format_seconds(250, "ja"), format_seconds(9.4, "en")
    ('4 min 10 s', '4分10秒', '9 s')
    """
    minutes, rest = divmod(round(seconds), 60)
    units = {"en": (" min ", " s"), "ja": ("分", "秒")}[lang]
    return (f"{minutes}{units[0]}" if minutes else "") + f"{rest}{units[1]}"


def parse_step(line: str) -> tuple[int, int] | None:
    """Steps done and steps in all, from a line of ninja or make.

    >>> parse_step("  [68/140] /usr/bin/g++ -O3"), parse_step("[ 45%] Building CXX object")
    ((68, 140), (45, 100))
    """
    if found := re.match(r"\s*\[\s*(\d+)/(\d+)\] ", line):
        return int(found[1]), int(found[2])
    if found := re.match(r"\s*\[\s*(\d+)%\] ", line):
        return int(found[1]), 100
    return None


def parse_download(line: str) -> tuple[str, float] | None:
    """Name and bytes of a download that pip announces; None for what its cache holds.

    >>> parse_download("  Downloading rich-15.0.0-py3-none-any.whl (243 kB)")
    ('rich-15.0.0-py3-none-any.whl', 243000.0)
    """
    found = re.match(r"\s*Downloading (\S+) \(([\d.]+) (bytes|kB|MB|GB)\)", line)
    if not found:
        return None
    scale = {"bytes": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9}[found[3]]
    return found[1].rpartition("/")[2], float(found[2]) * scale


def find_cause(lines: Iterable[str]) -> str:
    """The likeliest cause in what pip printed, a key of `InstallFailed.causes`."""
    text = "\n".join(lines)
    return next((cause for cause, pattern in CAUSES if re.search(pattern, text)), "unknown")


def fit_width(text: str, columns: int) -> str:
    """The text cut or filled to this many columns; a Japanese character takes two."""
    shown = ""
    for character in text:
        width = 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if columns < width:
            break
        shown, columns = shown + character, columns - width
    return shown + " " * columns


class StatusLine:
    """One line: rewritten in place on a terminal, else printed when another tenth is done."""

    def __init__(self, out: Any) -> None:
        self.out, self.tenth, self.is_open = out, 0, False
        self.rewrites = bool(out.isatty())

    def show(self, text: str, share: float = 0.0) -> None:
        if self.rewrites:
            columns = shutil.get_terminal_size().columns - 1
            self.out.write("\r" + fit_width(text, columns))
            self.out.flush()
            self.is_open = True
        elif int(share * 10) > self.tenth:
            self.tenth = int(share * 10)
            print(text, file=self.out, flush=True)

    def clear(self) -> None:
        if self.is_open:
            self.out.write("\r" + fit_width("", shutil.get_terminal_size().columns - 1) + "\r")
            self.out.flush()
            self.is_open = False


# ── one installation ──────────────────────────────────────────────────────────────────────────────


class Work:
    """One installation at a time: holds the lock and the log open, counts what was downloaded."""

    def __init__(self, setup: Setup, clock: Callable[[], float] = time.monotonic) -> None:
        self.setup, self.clock = setup, clock
        self.started, self.packages, self.downloaded_bytes = clock(), 0, 0.0
        self.lock: IO[bytes] | None = None
        self.log: IO[str] | None = None

    def __enter__(self) -> Work:
        try:
            self.setup.cache.mkdir(parents=True, exist_ok=True)
            self.lock = (self.setup.cache / "install.lock").open("a+b")
            self.wait_for_lock(self.lock.fileno())
            self.log = self.setup.log.open("w", encoding="utf-8")
        except OSError:
            raise CacheNotWritable(str(self.setup.cache)) from None
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self.log, self.lock):
            if file:
                file.close()

    def wait_for_lock(self, handle: int) -> None:
        """Two commands at once would write into the same environment: the second waits."""
        if not try_lock(handle):
            self.say("waiting")
            while not try_lock(handle):
                time.sleep(0.5)

    def say(self, key: str, **values: object) -> None:
        print(LINES[key][self.setup.lang].format(**values), file=self.setup.out, flush=True)

    def run(
        self,
        command: Sequence[str],
        on_line: OnLine | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> tuple[int, list[str]]:
        """Run a command into the log; its exit code and its last lines."""
        lines: list[str] = []

        def take(line: str) -> None:
            lines.append(line)
            del lines[:-KEPT_LINES]
            if self.log:
                self.log.write(line + "\n")
                self.log.flush()
            if on_line:
                on_line(line)

        if self.log:
            seconds = self.clock() - self.started
            self.log.write(f"[{seconds:.1f} s] $ {' '.join(command)}\n")
            self.log.flush()
        code = self.setup.run(command, {**self.pip_environ(), **(environ or {})}, take)
        return code, lines

    def pip_environ(self) -> dict[str, str]:
        """The environment for pip: the learner's indexes and proxies, nothing that leads astray."""
        kept = {name: value for name, value in self.setup.environ.items() if name not in STRAY}
        kept.update(PYTHONUNBUFFERED="1", PYTHONIOENCODING="utf-8", PIP_NO_INPUT="1")
        kept.update(PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_PROGRESS_BAR="off")
        if self.constraints():  # as an address: pip splits a variable at blanks
            kept.setdefault("PIP_BUILD_CONSTRAINT", (self.setup.root / "constraints.txt").as_uri())
        return kept

    def constraints(self) -> list[str]:
        """The argument that pins every version, where the kit's folder has the pins."""
        path = self.setup.root / "constraints.txt"
        return ["--constraint", str(path)] if path.exists() else []

    def try_pip(
        self,
        python: Path | str,
        *arguments: str,
        environ: Mapping[str, str] | None = None,
        on_line: OnLine | None = None,
    ) -> tuple[int, list[str]]:
        """Run pip with a status line of what it collects; its exit code and its last lines."""
        status = StatusLine(self.setup.out)

        def watch(line: str) -> None:
            if found := re.match(r"\s*(?:Collecting|Processing) (\S+)", line):
                self.packages += 1
                name = found[1].rpartition("/")[2]
                mb = self.downloaded_bytes / 1e6
                text = LINES["package"][self.setup.lang]
                status.show(text.format(count=self.packages, mb=mb, name=name))
            elif download := parse_download(line):
                self.downloaded_bytes += download[1]
            if on_line:
                on_line(line)

        command = [str(python), "-m", "pip", arguments[0], "--retries", "2", *arguments[1:]]
        try:
            return self.run(command, watch, environ)
        finally:
            status.clear()

    def pip(self, what: str, python: Path | str, *arguments: str, **seams: Any) -> None:
        """Run pip; an error that names the log and the likeliest cause where it fails."""
        code, lines = self.try_pip(python, *arguments, **seams)
        if code:
            self.fail(what, find_cause(lines))

    def fail(self, what: str, cause: str) -> NoReturn:
        raise InstallFailed(what, str(self.setup.log), cause)


# ── the environment ───────────────────────────────────────────────────────────────────────────────


def read_venv_config(venv: Path) -> dict[str, str]:
    """The lines of `pyvenv.cfg`; empty where there is none."""
    with contextlib.suppress(OSError):
        text = (venv / "pyvenv.cfg").read_text(encoding="utf-8", errors="replace")
        pairs = (line.partition("=") for line in text.splitlines())
        return {key.strip().lower(): value.strip() for key, _, value in pairs}
    return {}


def find_site_packages(venv: Path) -> Path | None:
    """Where the environment keeps its packages, if it got that far."""
    return next(venv.glob(SITE_PACKAGES), None)


def was_moved(venv: Path) -> bool:
    """Was the environment made somewhere else? The commands in it hold the old path."""
    command = read_venv_config(venv).get("command", "")
    found = re.search(r" -m venv (?:--\S+ )*(.+)$", command)
    if not found or not os.path.isabs(found[1]):
        return False
    try:
        return not os.path.samefile(found[1], venv)
    except OSError:
        return True


def find_fault(setup: Setup) -> str | None:
    """Why `.venv` must be made anew, a key of LINES; None where it can be used or is not there."""
    if not os.path.lexists(setup.venv):
        return None
    site = find_site_packages(setup.venv)
    if site is None or not read_venv_config(setup.venv):
        return "half-made"
    if was_moved(setup.venv):
        return "moved"
    if not python_runs(setup, site):
        return "python"
    return None if list(site.glob("pip-*.dist-info/RECORD")) else "half-made"


def python_runs(setup: Setup, site: Path) -> bool:
    """Does the environment's Python run, and is it the version that the packages are for?"""
    question = "import sys; print(*sys.version_info[:2], sep='.')"
    command = [str(setup.python), "-I", "-S", "-c", question]
    lines: list[str] = []
    try:
        code = setup.run(command, setup.environ, lines.append)
    except OSError:
        return False
    version = lines[-1] if lines else ""
    folder = site.parent.name if setup.system != "win32" else f"python{version}"
    return code == 0 and folder == f"python{version}"


def make_venv(work: Work) -> None:
    """Make `.venv` new; nothing stays of it where that fails."""
    setup = work.setup
    from importlib.util import find_spec

    for module in ("venv", "ensurepip"):
        if find_spec(module) is None:
            raise VenvUnavailable(f"No module named '{module}'")
    work.say("making")
    base = getattr(sys, "_base_executable", "") or sys.executable  # not the Python of a `.venv`
    try:
        code, lines = work.run([base, "-m", "venv", str(setup.venv)])
    except BaseException:
        shutil.rmtree(setup.venv, ignore_errors=True)
        raise
    if code:
        shutil.rmtree(setup.venv, ignore_errors=True)
        cause = find_cause(lines)
        if cause in ("space", "permission"):
            work.fail("'.venv'", cause)
        raise VenvUnavailable(next((line for line in reversed(lines) if line.strip()), "venv"))


def ensure_venv(work: Work, fault: str | None) -> None:
    """A `.venv` that runs and can be written to, without a stamp and without half a package."""
    setup = work.setup
    try:
        if fault:
            work.say("remaking", why=LINES[fault][setup.lang])
            remove_tree(setup.venv)
        if not setup.venv.exists():
            tempfile.TemporaryFile(dir=setup.root).close()
            return make_venv(work)
        work.say("completing")
        tempfile.TemporaryFile(dir=setup.venv).close()
        (setup.venv / STAMP).unlink(missing_ok=True)
        for site in setup.venv.glob(SITE_PACKAGES):
            remove_half_installed(site)
    except OSError:
        raise VenvNotWritable(str(setup.venv)) from None


def remove_tree(path: Path) -> None:
    """Remove a folder, a file or a link of that name."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def remove_half_installed(site: Path) -> list[str]:
    """Forget packages whose installation was cut short, so that pip installs them again.

    pip writes RECORD last: a package without it is believed to be there, and is not.
    """
    broken = [folder for folder in site.glob("*.dist-info") if not (folder / "RECORD").exists()]
    broken += site.glob("~*")  # what pip renames while it uninstalls
    for path in broken:
        remove_tree(path)
    return sorted(path.name for path in broken)


def ensure_pip(work: Work) -> None:
    """A pip that can resolve without downloading."""
    site = find_site_packages(work.setup.venv)
    found = [path.name for path in site.glob("pip-*.dist-info")] if site else []
    if not any(int(name.split("-")[1].split(".")[0]) >= OLDEST_PIP for name in found):
        work.pip("pip", work.setup.python, "install", *work.constraints(), "--upgrade", "pip")


# ── the stamp ─────────────────────────────────────────────────────────────────────────────────────


def make_fingerprint(setup: Setup) -> str:
    """A hash of everything that decides what is installed."""
    digest = hashlib.sha256(f"{ENGINE_VERSION} {TORCH_VERSION} {HOOK}".encode())
    for name in ("pyproject.toml", "constraints.txt", ".venv/pyvenv.cfg"):
        path = setup.root / name
        digest.update(path.read_bytes() if path.exists() else b"-")
    return digest.hexdigest()


def list_packages(venv: Path) -> list[str]:
    """The names of what is installed."""
    site = find_site_packages(venv)
    return sorted(path.name.split("-")[0] for path in site.glob("*.dist-info")) if site else []


def read_stamp(venv: Path) -> dict[str, Any]:
    """What the last complete installation wrote; empty where there was none."""
    with contextlib.suppress(OSError, ValueError):
        stamp = json.loads((venv / STAMP).read_text(encoding="utf-8"))
        if isinstance(stamp, dict):
            return stamp
    return {}


def write_stamp(setup: Setup, extras: Iterable[str]) -> None:
    """Say that the installation is complete; all of the file, or nothing of it."""
    stamp = {
        "fingerprint": make_fingerprint(setup),
        "extras": sorted(extras),
        "packages": list_packages(setup.venv),
    }
    draft = setup.venv / (STAMP + ".part")
    draft.write_text(json.dumps(stamp), encoding="utf-8")
    os.replace(draft, setup.venv / STAMP)


def is_complete(setup: Setup, extras: Iterable[str]) -> bool:
    """Is everything there that this command needs? Costs one start of Python."""
    stamp = read_stamp(setup.venv)
    return (
        stamp.get("fingerprint") == make_fingerprint(setup)
        and set(extras) <= set(stamp["extras"])
        and set(stamp["packages"]) <= set(list_packages(setup.venv))
        and find_fault(setup) is None
    )


# ── the engine ────────────────────────────────────────────────────────────────────────────────────


def engine_works(work: Work, python: Path | str) -> bool:
    """Does this Python import the engine, in the right version, fit for this processor?"""
    code, lines = work.run([str(python), "-c", ENGINE_CHECK])
    return code == 0 and f"engine {ENGINE_VERSION}" in [line.rstrip() for line in lines]


def ensure_engine(python: Path | str, work: Work | None = None) -> None:
    """llama-cpp-python in this Python: found, else a kept wheel, a ready-made one, or a build."""
    if work is None:
        with Work(find_setup()) as work:
            return ensure_engine(python, work)
    if engine_works(work, python):
        return
    if not (install_kept_wheel(work, python) or install_ready_wheel(work, python)):
        install_built_wheel(work, python)


def try_engine(
    work: Work, python: Path | str, *what: str, forgiven: Sequence[str] = ("unknown",)
) -> bool:
    """Install the engine in this way; False where the wheel is no good, so that another may be."""
    work.run([str(python), "-m", "pip", "uninstall", "--yes", ENGINE])  # a broken one stays else
    code, lines = work.try_pip(python, "install", *work.constraints(), *what)
    if code and find_cause(lines) not in forgiven:
        work.fail(ENGINE, find_cause(lines))
    return code == 0 and engine_works(work, python)


def install_kept_wheel(work: Work, python: Path | str) -> bool:
    """From the wheel that an earlier build left for this processor."""
    kept = sorted(work.setup.wheels.glob(f"llama_cpp_python-{ENGINE_VERSION}-*.whl"))
    for wheel in kept:
        work.say("kept wheel", folder=wheel.parent)
        if try_engine(work, python, str(wheel)):
            return True
        wheel.unlink()  # cut short, or for another machine after all
    return False


def install_ready_wheel(work: Work, python: Path | str) -> bool:
    """From the engine's own index of wheels, where it answers and has one."""
    if not work.setup.probe(f"{ENGINE_INDEX}/{ENGINE}/"):
        return False
    work.say("index wheel", index=ENGINE_INDEX)
    source = ("--only-binary", ENGINE, "--extra-index-url", ENGINE_INDEX)
    forgiven = ("unknown", "version", "network", "certificate", "conflict")
    return try_engine(work, python, *source, f"{ENGINE}=={ENGINE_VERSION}", forgiven=forgiven)


def install_built_wheel(work: Work, python: Path | str) -> None:
    """From source; the wheel is kept for the next time."""
    missing = find_missing_tools(work.setup)
    if missing:
        raise CompilerMissing(", ".join(missing))
    work.say("building")
    # pip's cache may hold a wheel that was built on another computer: then once more, from source
    for source in ([], ["--no-binary", ENGINE]):
        wheel = build_wheel(work, python, *source)
        if try_engine(work, python, str(wheel)):
            return
        wheel.unlink()
    work.fail(ENGINE, "build")


def find_missing_tools(setup: Setup) -> list[str]:
    """What a build needs and this computer lacks, looked up before anything is downloaded."""

    def is_there(*names: str) -> bool:
        return any(shutil.which(name, path=setup.environ.get("PATH", "")) for name in names)

    compiler, has_compiler = "C++ (g++)", is_there("c++", "g++", "clang++")
    if setup.environ.get("CXX"):
        compiler = f"CXX={setup.environ['CXX']}"
        has_compiler = is_there(setup.environ["CXX"].split()[0])
    elif setup.system == "win32":
        compiler, has_compiler = "Visual C++ (cl.exe)", is_there("cl") or has_visual_studio(setup)
    elif setup.system == "darwin" and has_compiler:  # a stub that only offers to install it
        has_compiler = setup.run(["xcode-select", "-p"], setup.environ, lambda _: None) == 0
    tools = ((compiler, has_compiler), ("cmake", is_there("cmake")))
    return [name for name, found in tools if not found]


def has_visual_studio(setup: Setup) -> bool:
    """Does Visual Studio's own finder know of a C++ compiler?"""
    programs = setup.environ.get("ProgramFiles(x86)", r"C:\Program Files (x86)")
    vswhere = Path(programs) / "Microsoft Visual Studio" / "Installer" / "vswhere.exe"
    tools = "Microsoft.VisualStudio.Component.VC.Tools.x86.x64"
    lines: list[str] = []
    command = [str(vswhere), "-products", "*", "-requires", tools, "-property", "installationPath"]
    try:
        return setup.run(command, setup.environ, lines.append) == 0 and any(lines)
    except OSError:
        return False


def count_jobs() -> int:
    """Compilers at once: one per processor, and 1.5 GB of memory for each."""
    jobs = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    with contextlib.suppress(AttributeError, OSError, ValueError):
        memory_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        jobs = min(jobs, int(memory_bytes // 1_500_000_000))
    return max(1, jobs)


def build_wheel(work: Work, python: Path | str, *source: str) -> Path:
    """Build the engine's wheel into the cache; nothing else stays, whatever happens."""
    wheels = work.setup.wheels
    try:
        wheels.mkdir(parents=True, exist_ok=True)
        made = tempfile.TemporaryDirectory(dir=wheels, prefix=".")  # same disk: renamed at the end
    except OSError:
        raise CacheNotWritable(str(wheels)) from None
    scratch = tempfile.TemporaryDirectory(prefix="jimoto-", ignore_cleanup_errors=True)
    with scratch, made:
        hook = Path(scratch.name) / "hook.cmake"
        hook.write_text(HOOK, encoding="utf-8")
        environ = {
            "CMAKE_ARGS": f"{work.setup.environ.get('CMAKE_ARGS', '')} {CMAKE_OPTIONS}".strip(),
            "SKBUILD_CMAKE_DEFINE": f"CMAKE_PROJECT_llama.cpp_INCLUDE={hook.as_posix()}",
            "CMAKE_BUILD_PARALLEL_LEVEL": work.setup.environ.get("CMAKE_BUILD_PARALLEL_LEVEL")
            or str(count_jobs()),
            **dict.fromkeys(("TMPDIR", "TEMP", "TMP"), scratch.name),
        }
        # pip's own cache may hold a wheel that was built with other options
        options = ("--verbose", "--no-deps", "--no-cache-dir")
        arguments = ("wheel", *options, "--wheel-dir", made.name, *source)
        requirement = f"{ENGINE}=={ENGINE_VERSION}"
        with watch_build(work) as on_line:
            work.pip(ENGINE, python, *arguments, requirement, environ=environ, on_line=on_line)
        wheel = next(Path(made.name).glob("*.whl"))
        os.replace(wheel, wheels / wheel.name)
    return wheels / wheel.name


@contextlib.contextmanager
def watch_build(work: Work) -> Iterator[OnLine]:
    """Reads steps out of a build's lines and shows them with elapsed time and an estimate."""
    status, lang = StatusLine(work.setup.out), work.setup.lang
    began_seconds: list[float] = []

    def on_line(line: str) -> None:
        step = parse_step(line)
        if not step:
            return
        done, total = step
        began_seconds.append(work.clock())
        spent = began_seconds[-1] - began_seconds[0]
        left = spent * (total - done) / max(1, done)
        text = LINES["step"][lang].format(
            done=done,
            total=total,
            spent=format_seconds(spent, lang),
            left=format_seconds(left, lang),
        )
        status.show(text, done / total)

    try:
        yield on_line
    finally:
        status.clear()


# ── torch and the kit ─────────────────────────────────────────────────────────────────────────────


def needs_cpu_build(setup: Setup) -> bool:
    """On Linux the ordinary torch brings CUDA along; elsewhere it does not."""
    return setup.system.startswith("linux") and not setup.has_gpu()


def ensure_cpu_torch(work: Work) -> None:
    """torch without GPU packages, before the kit asks for it; the kit brings what it needs."""
    python, pins = work.setup.python, work.constraints()
    requirement = f"torch=={TORCH_VERSION}"
    if list(work.setup.venv.glob(f"{SITE_PACKAGES}/torch-{TORCH_VERSION}*.dist-info")):
        return
    work.say("installing", what="torch")
    source: tuple[str, ...] = ("--index-url", TORCH_INDEX)
    if not work.setup.probe(f"{TORCH_INDEX}/torch/"):
        source = ()
        packages = find_gpu_packages(work, *pins, requirement)
        if packages:
            wheel = f"torch-{TORCH_VERSION}+cpu-….whl"
            raise GpuPackagesRefused(", ".join(packages[:3]) + ", …", TORCH_INDEX, wheel)
    work.pip("torch", python, "install", *pins, "--no-deps", *source, requirement)


def find_gpu_packages(work: Work, *arguments: str) -> list[str]:
    """What would come along for a GPU, by a trial run of pip that reads metadata only."""
    report = Path(tempfile.mkdtemp(prefix="jimoto-")) / "report.json"
    try:
        trial = ("install", "--dry-run", "--quiet", "--report", str(report))
        work.pip("torch", work.setup.python, *trial, *arguments)
        found = json.loads(report.read_text(encoding="utf-8"))["install"]
    finally:
        shutil.rmtree(report.parent, ignore_errors=True)
    names = sorted(item["metadata"]["name"].lower() for item in found)
    return [name for name in names if name.startswith(("nvidia-", "cuda-")) or name == "triton"]


def install_kit(work: Work, extras: Iterable[str]) -> None:
    """The kit itself, editable, with its dependencies; the engine is there by now."""
    chosen = ",".join(sorted(extras))
    kit = str(work.setup.root) + (f"[{chosen}]" if chosen else "")
    work.say("installing", what=f"jimoto[{chosen}]" if chosen else "jimoto")
    arguments = (*work.constraints(), "--only-binary", ENGINE, "--editable", kit)
    work.pip("jimoto", work.setup.python, "install", *arguments)


def fill_venv(work: Work, fault: str | None, extras: Iterable[str]) -> None:
    """Take `.venv` from whatever it is to complete, in the order that the module promises."""
    # 1) the environment: what an earlier installation left is completed, not repeated
    ensure_venv(work, fault)
    ensure_pip(work)
    # 2) what pip alone would get wrong: a build without a word, gigabytes for a GPU
    ensure_engine(work.setup.python, work)
    if "train" in extras and needs_cpu_build(work.setup):
        ensure_cpu_torch(work)
    # 3) all the rest, and last of all the word that it is complete
    install_kit(work, extras)
    write_stamp(work.setup, extras)


def install(setup: Setup, extras: Iterable[str]) -> None:
    """Everything that these extras need in `.venv`; nothing at all where it is there already."""
    if is_complete(setup, extras):
        return
    with Work(setup) as work:
        if is_complete(setup, extras):  # by the command that this one waited for
            return
        fault = find_fault(setup)
        before = () if fault else read_stamp(setup.venv).get("extras", ())
        was_complete = is_complete(setup, before)
        try:
            fill_venv(work, fault, {*extras, *before})
        except JimotoError as error:
            # pip collects before it changes anything: without network, lessons still start
            if was_complete and getattr(error, "cause", None) in UNTOUCHED:
                write_stamp(setup, before)
            raise
        spent = format_seconds(work.clock() - work.started, setup.lang)
        work.say("installed", time=spent, mb=work.downloaded_bytes / 1e6)


# ── the command ───────────────────────────────────────────────────────────────────────────────────


def make_command(setup: Setup, command: str, arguments: Sequence[str]) -> list[str]:
    """What a command hands over to."""
    if command == "lab":
        suffix = ".exe" if setup.system == "win32" else ""
        return [str(setup.scripts / f"jimoto{suffix}"), "lab", *arguments]
    return [str(setup.python), *(["-m", "pytest"] if command == "test" else []), *arguments]


def hand_over(setup: Setup, command: Sequence[str]) -> int:
    """Become that command, in the kit's folder, as if `.venv` were activated."""
    path = os.pathsep.join([str(setup.scripts), setup.environ.get("PATH", "")])
    environ = {**setup.environ, "PATH": path, "VIRTUAL_ENV": str(setup.venv)}
    environ.pop("PYTHONHOME", None)
    os.chdir(setup.root)
    sys.stdout.flush()
    if os.name == "posix":
        os.execve(command[0], list(command), environ)
    try:  # Windows has no exec: the shell would not wait
        return subprocess.call(list(command), env=environ)
    except KeyboardInterrupt:
        return 130


def parse_extras(arguments: Sequence[str]) -> tuple[str, ...] | None:
    """The extras of `install [--extras train,test]`; None where it was called wrongly."""
    if not arguments:
        return ()
    text = ",".join(arguments[1:]) if arguments[0] == "--extras" else arguments[0].partition("=")[2]
    extras = tuple(sorted({name.strip() for name in text.split(",") if name.strip()}))
    fits = arguments[0].startswith("--extras") and set(extras) <= {"train", "test"}
    return extras if fits else None


def check_python(version: tuple[int, int, int]) -> None:
    """This Python must be new enough."""
    if version[:2] < OLDEST_PYTHON:
        raise PythonTooOld(".".join(str(part) for part in version))


def main(arguments: Sequence[str] | None = None, setup: Setup | None = None) -> int:
    """Install what a command needs and hand over; the exit code where that was not possible."""
    command, *rest = list(sys.argv[1:] if arguments is None else arguments) or [""]
    lang = language()
    extras = parse_extras(rest) if command == "install" else EXTRAS.get(command)
    if extras is None:
        print(LINES["usage"][lang], file=sys.stderr)
        return 2
    try:
        check_python(sys.version_info[:3])
        setup = setup or find_setup()
        install(setup, extras)
        return 0 if command == "install" else hand_over(setup, make_command(setup, command, rest))
    except JimotoError as error:
        print(error.text(lang), file=sys.stderr)
        return 1
    except OSError as error:  # a full disk, a drive that went away
        cause = "space" if error.errno == errno.ENOSPC else find_cause([str(error)])
        log = str(find_cache(os.environ) / "install.log")
        print(InstallFailed(str(error.filename or ".venv"), log, cause).text(lang), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\n" + LINES["stopped"][lang], file=sys.stderr)
        return 130


def stop_on_signal(number: int, frame: object) -> NoReturn:
    """A polite end is treated like Ctrl-C, so that children and half-made files go, too."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):  # an old Windows console has no Japanese
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), stop_on_signal)
    sys.exit(main())
