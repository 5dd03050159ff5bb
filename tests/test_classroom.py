"""The verbs doctor, bundle, mirror and lab as they are typed: arguments, words, exit codes."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jimoto import bundle as bundles
from jimoto import checkup, cli, lab, mirror
from jimoto.checkup.facts import Facts
from jimoto.connection import Server
from jimoto.daemon.library import Library
from jimoto.daemon.store import Store

GOOD = Facts(code="ABCD", engine="loads", mame="whole", memory_bytes=8 * 2**30, free_bytes=2**32)
Said = tuple[int, str, str]
Run = Callable[..., Said]


@pytest.fixture(params=["en", "ja"])
def jimoto(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> Run:
    """Runs `jimoto …` in either language: exit code, stdout, stderr."""
    monkeypatch.setenv("JIMOTO_LANG", request.param)

    def run(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["jimoto", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        said = capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    return run


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder of models, in Ollama's layout, with mame in it."""
    from jimoto.connection import mame_file

    store = Store(tmp_path / "models")
    store.create_folders()
    digest, _ = store.add_blob(mame_file().read_bytes())
    list(Library(store).create({"model": "mame", "files": {"mame.gguf": digest}}))
    return store.models


# --- doctor ---


@pytest.fixture
def facts(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Facts]]:
    """What the doctor will find; the test may put something else there."""
    shown = [GOOD]
    monkeypatch.setattr(checkup, "examine", lambda env, online: shown[0])
    yield shown


def test_doctor_prints_the_page_and_json_prints_json(jimoto: Run, facts: list[Facts]) -> None:
    code, out, err = jimoto("doctor")
    assert (code, err) == (0, "") and out.splitlines()[-1].endswith("`jimoto lab`")
    code, out, err = jimoto("doctor", "--json")
    assert (code, err) == (0, "") and out.isascii()
    assert json.loads(out)["code"] == "ABCD"


def test_a_machine_that_is_not_ready_gives_exit_code_1(jimoto: Run, facts: list[Facts]) -> None:
    facts[0] = replace(GOOD, missing=["ollama"])
    code, out, _ = jimoto("doctor")
    assert code == 1 and out.splitlines()[-1].endswith("`make lab`")


def test_a_room_is_merged_and_a_broken_file_is_named(
    jimoto: Run, facts: list[Facts], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("seat-01.json").write_text(jimoto("doctor", "--json")[1])
    assert jimoto("doctor", "--merge", "seat-01.json") == (0, jimoto_line(1), "")
    Path("seat-02.json").write_text("{")
    code, out, err = jimoto("doctor", "--merge", "seat-*.json")  # as cmd.exe leaves it
    assert (code, out) == (1, jimoto_line(1)) and "seat-02.json" in err
    assert "seat-01" in Path("room.html").read_text("utf-8")


def jimoto_line(n: int) -> str:
    return (f"{n}台分" if os.environ["JIMOTO_LANG"] == "ja" else f"{n} machines") + ": room.html\n"


@pytest.mark.parametrize("arguments", [["--merge"], ["seat-01.json"], ["--merge", "none.json"]])
def test_doctor_called_wrongly_is_one_message_and_exit_code_1(
    jimoto: Run, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = jimoto("doctor", *arguments)
    assert code == 1 and err.strip() and "Traceback" not in err


# --- bundle ---


def test_a_bundle_is_saved_checked_and_never_overwritten(
    jimoto: Run, models: Path, tmp_path: Path
) -> None:
    file = tmp_path / "room.bundle"
    code, out, err = jimoto("bundle", "save", file, "mame", "--models", models)
    assert code == 0 and str(file) in out and "mame:latest" in out and err == ""
    code, out, _ = jimoto("bundle", "check", file)
    assert code == 0 and "mame:latest" in out
    before = file.stat().st_mtime_ns
    code, out, err = jimoto("bundle", "save", file, "mame", "--models", models)
    assert (code, out) == (1, "") and str(file) in err and "--replace" in err
    assert file.stat().st_mtime_ns == before
    assert jimoto("bundle", "save", "--replace", file, "--models", models)[0] == 0


def test_a_broken_bundle_and_an_unknown_model_are_one_message(
    jimoto: Run, models: Path, tmp_path: Path
) -> None:
    file = tmp_path / "room.bundle"
    code, out, err = jimoto("bundle", "save", file, "mane", "--models", models)
    assert (code, out) == (1, "") and "mame" in err and not file.exists()
    jimoto("bundle", "save", file, "--models", models)
    file.write_bytes(file.read_bytes()[:-300_000])
    for verb in ("check", "load"):
        code, out, err = jimoto("bundle", verb, file)
        assert (code, out) == (1, "") and "blobs/sha256-" in err and "Traceback" not in err


def test_what_became_of_each_model_is_said(
    jimoto: Run, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "room.bundle"
    jimoto("bundle", "save", file, "--models", models)
    outcomes = [bundles.Outcome("mame:latest", what) for what in ("loaded", "same", "kept")]
    server = Server("http://127.0.0.1:1", "0", True)
    monkeypatch.setattr("jimoto.connection.ensure_server", lambda env: server)
    monkeypatch.setattr(bundles, "load_bundle", lambda *arguments: outcomes)
    code, out, err = jimoto("bundle", "load", file)
    assert code == 1 and out.count("mame:latest: ") == 3 and "--replace" in out and err == ""


def test_the_bare_verb_shows_its_verbs(jimoto: Run) -> None:
    code, out, _ = jimoto("bundle")
    assert code == 0 and all(verb in out for verb in ("save", "load", "check"))


# --- mirror ---


@pytest.mark.parametrize(
    ("flags", "host"),
    [([], "127.0.0.1"), (["--room"], "0.0.0.0"), (["--host", "192.0.2.1"], "192.0.2.1")],
)
def test_a_mirror_is_for_this_computer_alone_unless_told_otherwise(
    jimoto: Run, models: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str], host: str
) -> None:
    served: list[object] = []
    monkeypatch.setattr(mirror, "serve_room", lambda store, *rest: served.extend(rest))
    code, _, err = jimoto("mirror", "mame", *flags, "--models", models, "--mbps", 100)
    assert (code, err) == (0, "")
    entries, where, port, machines, mbps, *_ = served
    assert [entry.name.short for entry in entries] == ["mame:latest"]
    assert (where, port, machines, mbps) == (host, None, 30, 100.0)


def test_a_mirror_of_a_model_that_is_not_here_is_one_message(jimoto: Run, models: Path) -> None:
    code, out, err = jimoto("mirror", "mane", "--models", models)
    assert (code, out) == (1, "") and "mame" in err and len(err.splitlines()) == 1


# --- lab ---


def test_lab_hands_on_what_was_asked(jimoto: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, object]] = []
    monkeypatch.setattr(lab, "start", lambda env, **more: asked.append(more) or 0)
    assert jimoto("lab", "pipes", "--fresh", "--no-browser", "--lang", "ja")[0] == 0
    assert asked[0] == {
        "browser": False, "port": None, "lang": "ja", "lesson": "pipes", "fresh": True,
    }  # fmt: skip


def test_a_misspelt_lesson_or_language_stops_before_anything_starts(jimoto: Run) -> None:
    code, out, err = jimoto("lab", "02_frist_run")
    assert (code, out) == (1, "") and "02_first_run" in err
    code, out, err = jimoto("lab", "--lang", "fr")
    assert (code, out) == (1, "") and '"fr"' in err


def test_a_wrong_call_of_a_verb_below_a_verb_names_both(jimoto: Run) -> None:
    code, _, err = jimoto("bundle", "save")
    assert code == 1 and "jimoto bundle save FILE" in err
