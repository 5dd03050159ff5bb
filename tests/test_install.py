"""install.py, through its seams: no network, no pip, no compiler."""

from __future__ import annotations

import ast
import doctest
import http.server
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from jimoto import errors, install
from jimoto.install import Setup, Work

SOURCE = Path(install.__file__).parent
WHEEL = f"llama_cpp_python-{install.ENGINE_VERSION}-py3-none-linux_x86_64.whl"
posix_only = pytest.mark.skipif(os.name != "posix", reason="signals and folders as POSIX has them")


class Machine:
    """A computer on which pip and Python are played: what ran is written down, and what for."""

    def __init__(self, root: Path) -> None:
        self.root, self.commands = root, list[list[str]]()
        self.environs = list[Mapping[str, str]]()
        self.engine = "absent"  # or 'works', 'broken'
        self.refused: dict[str, tuple[str, ...]] = {}  # part of a pip command → what pip prints
        self.before_pip: Callable[[list[str]], None] = lambda command: None
        self.gpu_packages: tuple[str, ...] = ()

    def run(
        self, command: Sequence[str], environ: Mapping[str, str], on_line: install.OnLine
    ) -> int:
        words = list(command)
        self.commands.append(words)
        self.environs.append(environ)
        if "venv" in words:
            make_fake_venv(Path(words[-1]))
        elif "-I" in words:
            on_line("3.11")
        elif install.ENGINE_CHECK in words:
            on_line(f"engine {install.ENGINE_VERSION}" if self.engine == "works" else "no engine")
        elif "pip" in words:
            return self.pip(words, on_line)
        return 0

    def pip(self, words: list[str], on_line: install.OnLine) -> int:
        self.before_pip(words)
        line = " ".join(words)
        for part, printed in self.refused.items():
            if part in line:
                for text in printed:
                    on_line(text)
                return 1
        if "uninstall" in words:
            self.engine = "absent"
        elif "wheel" in words[3]:
            for done in range(1, 141):
                on_line(f"  [{done}/140] /usr/bin/g++ -O3 -c model.cpp")
            (Path(words[words.index("--wheel-dir") + 1]) / WHEEL).write_bytes(b"built")
        elif "--report" in words:
            found = [{"metadata": {"name": name}} for name in ("torch", *self.gpu_packages)]
            report = Path(words[words.index("--report") + 1])
            report.write_text(json.dumps({"install": found}))
        elif install.ENGINE in line or WHEEL in line:
            if "--editable" not in words:
                self.engine = "works"
        return 0

    def ran(self, *parts: str) -> list[str]:
        """The commands that hold all these parts, each as one line."""
        lines = [" ".join(command) for command in self.commands]
        return [line for line in lines if all(part in line for part in parts)]


def make_fake_venv(venv: Path) -> None:
    site = venv / "lib" / "python3.11" / "site-packages"
    for name in ("pip-26.3", "rich-15.0.0"):
        (site / f"{name}.dist-info").mkdir(parents=True)
        (site / f"{name}.dist-info" / "RECORD").touch()
    (venv / "pyvenv.cfg").write_text(f"version = 3.11.7\ncommand = python -m venv {venv}\n")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    root = tmp_path / "kit"
    root.mkdir()
    (root / "pyproject.toml").write_text("[project]\n")
    (root / "constraints.txt").write_text("rich==15.0.0\n")
    return Machine(root)


@pytest.fixture
def setup(machine: Machine, tmp_path: Path) -> Setup:
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("c++", "cmake"):
        make_tool(tools, name)
    return Setup(
        root=machine.root,
        cache=tmp_path / "cache",
        environ={"PATH": str(tools)},
        out=io.StringIO(),
        run=machine.run,
        probe=lambda url: False,
        has_gpu=lambda: False,
        system="linux",
        cpu_flags=lambda: "avx2",
    )


def make_tool(folder: Path, name: str) -> None:
    (folder / name).write_text("#!/bin/sh\n")
    (folder / name).chmod(0o755)


def shown(setup: Setup) -> str:
    return str(setup.out.getvalue())


# ── the stamp ──────────────────────────────────────────────────────────────────


@posix_only
def test_a_second_installation_only_asks_python_its_version(machine: Machine, setup: Setup) -> None:
    install.install(setup, ())
    machine.commands.clear()
    install.install(setup, ())
    assert [command[1:3] for command in machine.commands] == [["-I", "-S"]]


@posix_only
@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt", ".venv/pyvenv.cfg"])
def test_a_changed_file_is_noticed(setup: Setup, name: str) -> None:
    install.install(setup, ())
    with (setup.root / name).open("a") as file:
        file.write("# changed\n")
    assert not install.is_complete(setup, ())


@posix_only
def test_what_lab_needs_is_there_after_test(setup: Setup) -> None:
    install.install(setup, ("test", "train"))
    assert install.is_complete(setup, ())


@posix_only
def test_what_test_needs_is_added_after_lab(machine: Machine, setup: Setup) -> None:
    install.install(setup, ())
    install.install(setup, ("test", "train"))
    assert machine.ran("--editable", "kit[test,train]")
    assert install.is_complete(setup, ("test",))


@posix_only
def test_extras_stay_when_a_pin_changes(machine: Machine, setup: Setup) -> None:
    install.install(setup, ("test",))
    (setup.root / "constraints.txt").write_text("rich==15.0.1\n")
    install.install(setup, ())
    assert install.read_stamp(setup.venv)["extras"] == ["test"]


@posix_only
def test_a_package_removed_by_hand_is_noticed(setup: Setup) -> None:
    install.install(setup, ())
    shutil.rmtree(next(setup.venv.glob("lib/*/site-packages/rich-*")))
    assert not install.is_complete(setup, ())


@posix_only
def test_an_interrupted_installation_leaves_no_stamp(machine: Machine, setup: Setup) -> None:
    install.install(setup, ())

    def interrupt(command: list[str]) -> None:
        if "--editable" in command:
            raise KeyboardInterrupt

    machine.before_pip = interrupt
    with pytest.raises(KeyboardInterrupt):
        install.install(setup, ("test",))
    assert not (setup.venv / install.STAMP).exists()


@posix_only
def test_lessons_still_start_when_an_extra_cannot_be_added(machine: Machine, setup: Setup) -> None:
    install.install(setup, ())
    machine.refused = {"kit[test,train]": ("Max retries exceeded with url: /simple/peft/",)}
    with pytest.raises(errors.InstallFailed):
        install.install(setup, ("test", "train"))
    assert install.is_complete(setup, ())
    assert not install.is_complete(setup, ("test",))


@posix_only
def test_a_disk_that_fills_up_leaves_no_stamp(machine: Machine, setup: Setup) -> None:
    install.install(setup, ())
    machine.refused = {"kit[test,train]": ("OSError: [Errno 28] No space left on device",)}
    with pytest.raises(errors.InstallFailed):
        install.install(setup, ("test", "train"))
    assert not (setup.venv / install.STAMP).exists()


def test_a_stamp_cut_short_counts_as_none(setup: Setup) -> None:
    setup.venv.mkdir()
    (setup.venv / install.STAMP).write_text('{"fingerprint": "a7')
    assert install.read_stamp(setup.venv) == {}


# ── the environment ────────────────────────────────────────────────────────────


@posix_only
@pytest.mark.parametrize(
    ("lang", "line"),
    [("en", "not usable (half-made): it is made anew"), ("ja", "使えないため(作りかけ)、作り直し")],
)
def test_a_half_made_environment_is_made_anew(setup: Setup, lang: str, line: str) -> None:
    setup = replace(setup, lang=lang)
    (setup.venv / "bin").mkdir(parents=True)
    install.install(setup, ())
    assert line in shown(setup)
    assert install.is_complete(setup, ())


@posix_only
def test_a_file_in_place_of_the_environment_is_replaced(setup: Setup) -> None:
    setup.venv.write_text("not a folder")
    install.install(setup, ())
    assert setup.venv.is_dir()


@posix_only
def test_a_copied_environment_is_made_anew(setup: Setup, tmp_path: Path) -> None:
    install.install(setup, ())
    copy = replace(setup, root=tmp_path / "copy", out=io.StringIO())
    shutil.copytree(setup.root, copy.root)
    assert install.find_fault(copy) == "moved"


@posix_only
@pytest.mark.parametrize(("answer", "code"), [("3.12", 0), ("", 127)])
def test_an_environment_whose_python_changed_is_made_anew(
    setup: Setup, answer: str, code: int
) -> None:
    make_fake_venv(setup.venv)

    def run(command: Sequence[str], environ: Mapping[str, str], on_line: install.OnLine) -> int:
        on_line(answer)
        return code

    assert install.find_fault(replace(setup, run=run)) == "python"


@posix_only
def test_a_package_without_record_is_installed_again(setup: Setup) -> None:
    make_fake_venv(setup.venv)
    site = next(setup.venv.glob("lib/*/site-packages"))
    (site / "rich-15.0.0.dist-info" / "RECORD").unlink()
    (site / "~yping").mkdir()
    assert install.remove_half_installed(site) == ["rich-15.0.0.dist-info", "~yping"]
    assert install.list_packages(setup.venv) == ["pip"]


@posix_only
def test_a_half_installed_environment_is_completed(machine: Machine, setup: Setup) -> None:
    make_fake_venv(setup.venv)
    install.install(setup, ())
    assert "completed" in shown(setup)
    assert not machine.ran("-m venv")
    assert install.is_complete(setup, ())


def test_debian_without_venv_is_told_the_package(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(errors.VenvUnavailable, match="python3-venv"):
        install.make_venv(Work(setup))
    assert not setup.venv.exists()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder closed to all")
def test_an_environment_that_cannot_be_written_is_named(setup: Setup) -> None:
    with pytest.raises(errors.VenvNotWritable, match=r"'/proc/\.venv'"):
        install.install(replace(setup, root=Path("/proc")), ())


def test_an_old_pip_is_replaced_before_anything_is_resolved(machine: Machine, setup: Setup) -> None:
    make_fake_venv(setup.venv)
    site = next(setup.venv.glob("lib/*/site-packages"))
    (site / "pip-26.3.dist-info").rename(site / "pip-23.0.1.dist-info")
    install.ensure_pip(Work(setup))
    assert machine.ran("install", "--upgrade pip")


# ── addresses ──────────────────────────────────────────────────────────────────


def test_a_silent_address_is_given_up_after_the_limit() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        assert not install.answers(f"http://127.0.0.1:{port}/", limit_seconds=0.3)


def test_a_look_up_that_hangs_is_given_up_after_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, ended = threading.Event(), threading.Event()

    def hang(*_: object, **__: object) -> None:
        go_on.wait(5)
        ended.set()
        raise OSError("no such name")

    monkeypatch.setenv("no_proxy", "wheels.example")
    monkeypatch.setattr(socket, "getaddrinfo", hang)
    assert not install.answers("http://wheels.example/", limit_seconds=0.1)
    go_on.set()
    assert ended.wait(5)


class Index(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path.startswith("/whl/") else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve_index() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), Index) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_an_index_that_answers_is_used(
    machine: Machine, setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve_index() as address:
        monkeypatch.setattr(install, "ENGINE_INDEX", f"{address}/whl/cpu")
        install.ensure_engine("python", Work(replace(setup, probe=install.answers)))
    assert machine.ran("--extra-index-url", f"{address}/whl/cpu", "--only-binary")
    assert not machine.ran("pip wheel")


def test_a_page_that_is_not_there_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with serve_index() as address:
        assert not install.answers(f"{address}/other/", limit_seconds=3)


# ── the engine ─────────────────────────────────────────────────────────────────


def keep_wheel(setup: Setup) -> Path:
    setup.wheels.mkdir(parents=True)
    (setup.wheels / WHEEL).write_bytes(b"kept")
    return setup.wheels / WHEEL


def test_an_engine_that_works_is_left_alone(machine: Machine, setup: Setup) -> None:
    machine.engine = "works"
    install.ensure_engine("python", Work(setup))
    assert not machine.ran("pip")


def test_the_kept_wheel_comes_before_the_network(machine: Machine, setup: Setup) -> None:
    wheel = keep_wheel(setup)

    def never(url: str) -> bool:
        raise AssertionError(url)

    install.ensure_engine("python", Work(replace(setup, probe=never)))
    assert machine.ran("pip install", str(wheel))


def test_a_kept_wheel_for_another_processor_is_not_seen(setup: Setup) -> None:
    keep_wheel(setup)
    assert not list(replace(setup, cpu_flags=lambda: "sse2").wheels.glob("*.whl"))


def test_a_kept_wheel_cut_short_is_removed_and_built_again(machine: Machine, setup: Setup) -> None:
    wheel = keep_wheel(setup)
    refused = {str(wheel): ("ERROR: Wheel 'llama-cpp-python' located at … is invalid.",)}
    machine.refused = refused

    def accept_the_new_one(command: list[str]) -> None:
        if command[3] == "wheel":
            assert not wheel.exists()
            refused.clear()

    machine.before_pip = accept_the_new_one
    install.ensure_engine("python", Work(setup))
    assert wheel.read_bytes() == b"built"


def test_a_lost_network_does_not_cost_the_kept_wheel(machine: Machine, setup: Setup) -> None:
    wheel = keep_wheel(setup)
    machine.refused = {WHEEL: ("WARNING: Retrying … NewConnectionError('…')",)}
    with pytest.raises(errors.InstallFailed) as raised:
        install.ensure_engine("python", Work(setup))
    assert raised.value.cause == "network"
    assert wheel.exists()


def test_an_index_without_a_fitting_wheel_leads_to_a_build(machine: Machine, setup: Setup) -> None:
    no_wheel = "ERROR: No matching distribution found for llama-cpp-python==0.3.36"
    machine.refused = {"--extra-index-url": (no_wheel,)}
    install.ensure_engine("python", Work(replace(setup, probe=lambda url: True)))
    assert (setup.wheels / WHEEL).read_bytes() == b"built"


def test_a_build_leaves_out_what_is_not_used(machine: Machine, setup: Setup) -> None:
    hooks: list[str] = []

    def read_hook(command: list[str]) -> None:
        if command[3] == "wheel":
            hooks.append(machine.environs[-1]["SKBUILD_CMAKE_DEFINE"].partition("=")[2])
            assert Path(hooks[0]).read_text() == install.HOOK

    machine.before_pip = read_hook
    install.ensure_engine("python", Work(setup))
    environ = next(e for e in machine.environs if "CMAKE_ARGS" in e)
    assert "-DLLAVA_BUILD=OFF" in environ["CMAKE_ARGS"]
    assert int(environ["CMAKE_BUILD_PARALLEL_LEVEL"]) >= 1
    assert not Path(hooks[0]).exists()


def test_a_build_that_is_stopped_leaves_nothing(machine: Machine, setup: Setup) -> None:
    def interrupt(command: list[str]) -> None:
        if command[3] == "wheel":
            raise KeyboardInterrupt

    machine.before_pip = interrupt
    with pytest.raises(KeyboardInterrupt):
        install.ensure_engine("python", Work(setup))
    assert list(setup.wheels.iterdir()) == []
    assert not Path(machine.environs[-1]["TMPDIR"]).exists()


@posix_only
@pytest.mark.parametrize(
    ("lang", "sentence"),
    [("en", "this is missing: C++ (g++), cmake"), ("ja", "必要な C++ (g++), cmake が見つかり")],
)
def test_a_missing_compiler_is_told_before_any_download(
    machine: Machine,
    setup: Setup,
    lang: str,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("JIMOTO_LANG", lang)
    setup = replace(setup, environ={"PATH": ""}, lang=lang)
    assert install.main(["lab"], setup) == 1
    assert sentence in capsys.readouterr().err
    assert not [line for line in machine.ran("pip") if "uninstall" not in line]


def test_cmake_alone_may_be_missing(setup: Setup, tmp_path: Path) -> None:
    (tmp_path / "tools" / "cmake").unlink()
    assert install.find_missing_tools(setup) == ["cmake"]


def test_a_compiler_named_by_cxx_is_looked_for(setup: Setup) -> None:
    setup = replace(setup, environ={**setup.environ, "CXX": "icpx -O2"})
    assert install.find_missing_tools(setup) == ["CXX=icpx -O2"]


def test_on_windows_visual_studio_is_asked(machine: Machine, setup: Setup) -> None:
    assert install.find_missing_tools(replace(setup, system="win32")) == ["Visual C++ (cl.exe)"]
    assert machine.ran("vswhere.exe")


def test_a_build_shows_a_line_for_each_tenth(setup: Setup) -> None:
    seconds = iter(range(1000))
    work = Work(setup, clock=lambda: float(next(seconds)))
    with install.watch_build(work) as on_line:
        for done in range(1, 141):
            on_line(f"  [{done}/140] /usr/bin/g++ -O3")
    lines = shown(setup).splitlines()
    assert len(lines) == 10
    assert lines[4] == "  building llama.cpp: 70 of 140, 1 min 9 s so far, about 1 min 9 s left"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_one_line_rewritten_in_place(setup: Setup) -> None:
    setup = replace(setup, out=Terminal(), lang="ja")
    with install.watch_build(Work(setup, clock=lambda: 1.0)) as on_line:
        on_line("  [68/140] /usr/bin/g++ -O3")
        on_line("[ 50%] Building CXX object")
    assert shown(setup).count("\n") == 0
    assert "\r  llama.cppをビルド中: 68/140" in shown(setup)


def test_japanese_takes_two_columns() -> None:
    assert install.fit_width("豆ab", 3) == "豆a"
    assert install.fit_width("豆", 4) == "豆  "


# ── torch ──────────────────────────────────────────────────────────────────────


def test_the_cpu_index_is_used_where_it_answers(machine: Machine, setup: Setup) -> None:
    install.ensure_cpu_torch(Work(replace(setup, probe=lambda url: True)))
    assert machine.ran("--index-url", install.TORCH_INDEX, f"torch=={install.TORCH_VERSION}")


def test_gpu_packages_are_refused_before_any_download(machine: Machine, setup: Setup) -> None:
    machine.gpu_packages = ("nvidia-cublas-cu13", "triton")
    with pytest.raises(errors.GpuPackagesRefused) as raised:
        install.ensure_cpu_torch(Work(setup))
    assert "nvidia-cublas-cu13, triton" in raised.value.text("en")
    assert "NVIDIAのGPUがありません" in raised.value.text("ja")
    assert all("--dry-run" in line for line in machine.ran("pip"))


def test_a_cpu_wheel_of_the_learners_own_is_taken(machine: Machine, setup: Setup) -> None:
    install.ensure_cpu_torch(Work(setup))
    assert machine.ran("--no-deps", f"torch=={install.TORCH_VERSION}")[0].count("index-url") == 0


@pytest.mark.parametrize(
    ("system", "gpu", "expected"),
    [
        ("linux", False, True),
        ("linux", True, False),
        ("darwin", False, False),
        ("win32", False, False),
    ],
)
def test_only_linux_without_a_gpu_needs_the_cpu_build(
    setup: Setup, system: str, gpu: bool, expected: bool
) -> None:
    assert install.needs_cpu_build(replace(setup, system=system, has_gpu=lambda: gpu)) is expected


@posix_only
def test_lessons_alone_need_no_torch(machine: Machine, setup: Setup) -> None:
    install.install(setup, ())
    assert not machine.ran("torch")


@posix_only
def test_the_engine_is_never_built_with_the_kit(machine: Machine, setup: Setup) -> None:
    install.install(setup, ())
    kit, *others = machine.ran("--editable")
    assert "--only-binary llama-cpp-python" in kit and not others
    assert machine.commands.index(kit.split(" ")) == len(machine.commands) - 1


# ── errors ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("line", "cause"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left", "space"),
        ("Retrying after connection broken by 'NewConnectionError(…)': /simple/rich/", "network"),
        ("socket.gaierror: [Errno -3] Temporary failure in name resolution", "network"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", "certificate"),
        ("ERROR: No matching distribution found for torch==2.13.0", "version"),
        ("c++: fatal error: Killed signal terminated program cc1plus", "memory"),
        ("ninja: build stopped: subcommand failed.", "build"),
        ("ERROR: ResolutionImpossible: for help visit", "conflict"),
        ("these conflicts have no matching distributions available for your", "version"),
        ("ERROR: [Errno 13] Permission denied: '/opt/kit/.venv/lib'", "permission"),
        ("ERROR: something new", "unknown"),
    ],
)
def test_the_log_names_the_cause(line: str, cause: str) -> None:
    assert install.find_cause(["Collecting rich", line]) == cause


def test_a_lost_network_is_not_taken_for_a_missing_version() -> None:
    lines = ["ERROR: No matching distribution found for rich", "Max retries exceeded with url: /"]
    assert install.find_cause(lines) == "network"


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_every_cause_is_said_in_both_languages(lang: str) -> None:
    causes = {cause for cause, _ in install.CAUSES} | {"unknown"}
    assert set(errors.InstallFailed.causes) == causes
    for cause in causes:
        text = errors.InstallFailed("torch", "/log", cause).text(lang)
        assert len(text.splitlines()) == 3 and "{" not in text


def test_every_line_stands_in_both_languages() -> None:
    assert all(set(texts) == {"en", "ja"} for texts in install.LINES.values())


@posix_only
def test_an_unreachable_network_ends_with_the_log_and_code_1(
    machine: Machine,
    setup: Setup,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("JIMOTO_LANG", "en")
    machine.engine = "works"
    machine.refused = {"--editable": ("Max retries exceeded with url: /simple/rich/",)}
    assert install.main(["install"], setup) == 1
    assert "jimoto could not be installed: the package index cannot be" in capsys.readouterr().err
    assert "Max retries" in setup.log.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("lang", "sentence"), [("en", "cannot be written to"), ("ja", "書き込めません")]
)
def test_as_a_script_it_shows_a_sentence_and_no_traceback(
    tmp_path: Path, lang: str, sentence: str
) -> None:
    package = tmp_path / "src" / "jimoto"
    package.mkdir(parents=True)
    for name in ("__init__.py", "errors.py", "install.py"):
        shutil.copy(SOURCE / name, package)
    (tmp_path / "file").touch()
    environ = {**os.environ, "JIMOTO_CACHE": str(tmp_path / "file"), "JIMOTO_LANG": lang}
    environ.pop("PYTHONPATH", None)
    command = [sys.executable, "src/jimoto/install.py", "lab"]
    environ["PYTHONIOENCODING"] = "utf-8"
    done = subprocess.run(
        command, cwd=tmp_path, env=environ, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 1
    assert sentence in done.stderr and "Traceback" not in done.stderr


def test_an_unknown_word_is_answered_with_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert install.main(["instal"]) == 2
    assert "install.py lab|test|run|install" in capsys.readouterr().err


def test_extras_are_chosen_by_name() -> None:
    assert install.parse_extras(["--extras", "train,test"]) == ("test", "train")
    assert install.parse_extras(["--extras=test"]) == ("test",)
    assert install.parse_extras(["--extras", "everything"]) is None


def test_an_old_python_is_named() -> None:
    with pytest.raises(errors.PythonTooOld, match=r"Python 3\.9\.2 is too old"):
        install.check_python((3, 9, 2))


@pytest.mark.parametrize("name", ["__init__.py", "errors.py", "install.py"])
def test_an_old_python_can_read_the_files_up_to_that_sentence(name: str) -> None:
    ast.parse((SOURCE / name).read_text(encoding="utf-8"), feature_version=(3, 8))


def test_only_the_standard_library_is_imported() -> None:
    code = f"import sys; sys.path.insert(0, {str(SOURCE.parent)!r}); import jimoto.install"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)


# ── processes, places ──────────────────────────────────────────────────────────


@posix_only
def test_ctrl_c_stops_the_children_too() -> None:
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    pids: list[int] = []

    def interrupt(line: str) -> None:
        pids.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        install.run_command([sys.executable, "-c", code], os.environ, interrupt)
    deadline = time.monotonic() + 10  # a signal needs a moment on a busy machine
    while is_running(pids[0]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_running(pids[0])


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


def test_a_command_hands_over_its_lines_and_its_code() -> None:
    lines: list[str] = []
    code = "import sys; print('豆'); print('b', file=sys.stderr); sys.exit(3)"
    environ = {**os.environ, "PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"}
    assert install.run_command([sys.executable, "-c", code], environ, lines.append) == 3
    assert lines == ["豆", "b"]


def test_a_second_installation_waits_for_the_first(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("a+b") as first, (tmp_path / "lock").open("a+b") as second:
        assert install.try_lock(first.fileno())
        assert not install.try_lock(second.fileno())


@pytest.mark.parametrize(
    ("environ", "system", "cache"),
    [
        ({"HOME": "/h"}, "linux", "/h/.cache/jimoto"),
        ({"HOME": "/h", "XDG_CACHE_HOME": "/x"}, "linux", "/x/jimoto"),
        ({"HOME": "/h"}, "darwin", "/h/Library/Caches/jimoto"),
        ({"LOCALAPPDATA": "/l"}, "win32", "/l/jimoto"),
        ({"HOME": "/h", "JIMOTO_CACHE": "/c"}, "linux", "/c"),
    ],
)
def test_the_cache_lies_where_the_system_keeps_caches(
    environ: dict[str, str], system: str, cache: str
) -> None:
    assert install.find_cache(environ, system).as_posix() == cache


def test_each_command_hands_over_to_its_own(setup: Setup) -> None:
    python = str(setup.python)
    assert install.make_command(setup, "lab", ["--no-browser"]) == [
        str(setup.scripts / "jimoto"), "lab", "--no-browser",
    ]  # fmt: skip
    assert install.make_command(setup, "test", ["-x"]) == [python, "-m", "pytest", "-x"]
    assert install.make_command(setup, "run", ["-m", "mame.train"]) == [python, "-m", "mame.train"]


def test_pip_sees_nothing_of_the_learners_own_folders(setup: Setup) -> None:
    stray = {"PYTHONPATH": "/elsewhere", "PIP_USER": "1", "PIP_INDEX_URL": "https://mirror.example"}
    environ = Work(replace(setup, environ=stray)).pip_environ()
    assert "PYTHONPATH" not in environ and "PIP_USER" not in environ
    assert environ["PIP_INDEX_URL"] == "https://mirror.example"


def test_the_examples_in_docstrings_hold() -> None:
    assert doctest.testmod(install).failed == 0
