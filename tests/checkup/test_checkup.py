"""`jimoto doctor`: what it finds, what it concludes, and that nobody can be recognised by it."""

from __future__ import annotations

import getpass
import io
import json
import socket
import threading
import time
import unicodedata
import urllib.request
from collections.abc import Iterator
from dataclasses import fields, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest

from jimoto.checkup import Checkup, inspection, verdict, words
from jimoto.checkup.facts import Facts, NotFacts, parse_facts
from jimoto.checkup.room import Seat, room_page

GIB, GB = 2**30, 10**9
GOOD = Facts(
    code="ABCD", date="2026-11-22", jimoto="0.1.0", system="Debian GNU/Linux 12", arch="x86_64",
    processor="AMD EPYC", n_core=2, memory_bytes=16 * GIB, free_bytes=9 * GIB,
    disk_free_bytes=50 * GB, python="3.11.2", versions={"ollama": "0.6.3"}, engine="loads",
    mame="whole", ports={"11434": "free", "8888": "free"},
    writable={"data": True, "lessons": True, "cache": True},
)  # fmt: skip
OLLAMA = replace(GOOD, ollama_installed=True, server="ollama", server_version="0.33.0")

SEEDS = {
    "user": "hoshino-aoi",
    "host": "aoi-no-laptop",
    "folder": "hoshino-private",
    "server": "192.168.77.31",
    "proxy": "proxy.hoshimame.example",
    "password": "s3cret-bean",
    "model": "aoi-diary",
    "version": "hoshino-build",
    "serial": "PF3X9K2Q",
    "mac": "52:54:00:ab:cd:ef",
}


class Talkative(BaseHTTPRequestHandler):
    """A server whose answers name its owner."""

    def do_GET(self) -> None:
        answers = {
            "/": b"Ollama is running",
            "/api/version": b'{"version": "0.33.0 (%s)"}' % SEEDS["version"].encode(),
            "/api/tags": json.dumps(
                {
                    "models": [
                        {"name": "mame:latest"},
                        {"name": "llama3.2:1b"},
                        {"name": f"{SEEDS['model']}:latest"},
                        {"name": f"{SEEDS['server']}:11435/library/mame:latest"},
                    ]
                }
            ).encode(),
        }
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answers[self.path])

    def log_message(self, format: str, *arguments: object) -> None: ...


@pytest.fixture(scope="module")
def talkative() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Talkative) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def found(talkative: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Facts]:
    """This computer, looked at once, as somebody's own."""
    folder = tmp_path_factory.mktemp(SEEDS["folder"]) / SEEDS["user"]
    env = {
        "USER": SEEDS["user"],
        "LOGNAME": SEEDS["user"],
        "HOME": str(folder),
        "HOSTNAME": SEEDS["host"],
        "JIMOTO_HOME": str(folder / "home"),
        "JIMOTO_WORK": str(folder / "work"),
        "OLLAMA_HOST": talkative,
        "OLLAMA_MODELS": str(folder / "models"),
        "HTTP_PROXY": f"http://{SEEDS['user']}:{SEEDS['password']}@{SEEDS['proxy']}:8080",
        "SERIAL": SEEDS["serial"],
        "MAC": SEEDS["mac"],
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        for name in ("NO_PROXY", "no_proxy"):
            patch.delenv(name, raising=False)
        patch.setattr("socket.gethostname", lambda: SEEDS["host"])
        patch.setattr("platform.node", lambda: SEEDS["host"])
        patch.setattr(inspection, "LIMIT_SECONDS", 60.0)  # this is no test of speed
        import os

        yield inspection.examine(os.environ)


def everything_told(facts: Facts) -> str:
    """All that a report may show, wherever it is shown."""
    checkup = Checkup(facts)
    told = [json.dumps(checkup.as_json()), json.dumps(checkup.as_json(), ensure_ascii=False)]
    told += [checkup.text("en"), checkup.text("ja"), repr(checkup)]
    return "\n".join([*told, room_page([Seat("seat-07", facts)])])


def test_nothing_personal_is_told(found: Facts) -> None:
    told = everything_told(found).lower()
    assert [name for name, seed in SEEDS.items() if seed.lower() in told] == []


def test_nothing_of_this_very_machine_is_told(found: Facts) -> None:
    """Not what was planted, but what is really here."""
    told = everything_told(found)
    here = {socket.getfqdn(), socket.gethostname(), str(Path.home()), str(Path(__file__).parent)}
    for addresses in psutil.net_if_addrs().values():
        here |= {one.address.partition("%")[0] for one in addresses}
    for name in (
        "/etc/machine-id",
        "/sys/class/dmi/id/product_serial",
        "/proc/sys/kernel/hostname",
    ):
        path = Path(name)
        try:
            here.add(path.read_text(encoding="utf-8").strip())
        except OSError:
            pass
    user = getpass.getuser()
    here -= {"", "127.0.0.1", "::1", "localhost", "00:00:00:00:00:00", "/"}
    here |= {user} - {"root"}  # that one is nobody's name
    assert len(here) >= 3 and [value for value in here if value in told] == []


def test_the_machine_and_its_server_are_found(found: Facts) -> None:
    assert found.late == [] and found.system and found.processor and found.n_core >= 1
    assert 0 < found.free_bytes <= found.memory_bytes and found.disk_free_bytes
    assert found.engine == "loads" and found.mame == "whole" and found.missing == []
    assert (found.server, found.server_version) == ("ollama", "?")  # its text was no version
    assert (found.models, found.n_other_models) == (["mame", "llama3.2:1b"], 2)
    assert found.proxies == ["http"] and not found.host_silent
    assert all(found.writable.values()) and found.network == {}


def test_looking_leaves_nothing_in_the_learners_folders(found: Facts, tmp_path: Path) -> None:
    assert inspection.can_write(tmp_path / "not" / "there") is True
    assert list(tmp_path.iterdir()) == []


# --- examining ---


def test_a_check_that_hangs_or_fails_is_named_and_the_others_count() -> None:
    hold = threading.Event()

    def hang() -> inspection.Found:
        hold.wait()
        return {"gpus": ["late"]}

    def fail() -> inspection.Found:
        raise OSError("a driver")

    waiting = inspection.start_all({"gpu": hang, "engine": fail, "ports": lambda: {"ports": {}}})
    waiting["ports"][0].join()
    waiting["engine"][0].join()
    found: inspection.Found = {}
    late = inspection.collect(waiting, found, time.monotonic())
    hold.set()
    assert late == ["gpu", "engine"] and found == {"ports": {}}


@pytest.mark.parametrize(
    ("content", "state"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "broken"),
        (b"", "broken"),
        (None, "missing"),
    ],
)
def test_a_model_file_that_is_not_whole_is_found_out(
    tmp_path: Path, content: bytes | None, state: str
) -> None:
    path = tmp_path / "mame.gguf"
    if content is not None:
        path.write_bytes(content)
    assert inspection.look_at_mame(path) == state


def test_the_shipped_model_is_whole_and_half_of_it_is_broken(tmp_path: Path) -> None:
    from jimoto.connection import mame_file

    raw = mame_file().read_bytes()
    (tmp_path / "half.gguf").write_bytes(raw[: len(raw) // 2])
    assert inspection.look_at_mame(mame_file()) == "whole"
    assert inspection.look_at_mame(tmp_path / "half.gguf") == "broken"


@pytest.mark.parametrize(
    ("no_proxy", "caught"),
    [("", True), ("127.0.0.1", True), ("localhost,127.0.0.1", False), ("*", False)],
)
def test_a_proxy_that_would_catch_loopback_is_noticed(
    monkeypatch: pytest.MonkeyPatch, no_proxy: str, caught: bool
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy.example:8080")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", no_proxy)
    assert bool(inspection.catching_proxies()) == caught


def test_a_closed_folder_and_a_silent_host_are_noticed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    env = {"JIMOTO_HOME": str(tmp_path / "file"), "JIMOTO_WORK": str(tmp_path)}
    assert inspection.look_at_folders(env)["writable"]["data"] is False
    assert inspection.ask_server({**env, "OLLAMA_HOST": "127.0.0.1:9"})["host_silent"] is True


def test_without_online_no_site_is_asked(found: Facts, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(request: urllib.request.Request, timeout: float) -> io.BytesIO:
        asked.append(request.full_url)
        if "pypi" in request.full_url:
            raise OSError("no network")
        return io.BytesIO()

    monkeypatch.setattr("urllib.request.urlopen", answer)
    reached = {"network": {"registry.ollama.ai": True, "pypi.org": False}}
    assert inspection.try_sites() == reached and len(asked) == 2
    assert found.network == {}


# --- judging ---


@pytest.mark.parametrize(
    ("facts", "kind", "reason"),
    [
        (GOOD, "mame", ""),
        (replace(GOOD, engine="unknown"), "mame", ""),
        (OLLAMA, "mame", ""),
        (replace(OLLAMA, models=["mame"]), "mame", ""),
        (replace(OLLAMA, models=["mame", "llama3.2:1b"]), "ready", ""),
        (replace(OLLAMA, n_other_models=1), "ready", ""),
        (replace(OLLAMA, engine="missing", models=["mame"]), "mame", ""),
        (replace(GOOD, missing=["ollama"], engine="broken"), "not", "packages"),
        (replace(GOOD, engine="broken"), "not", "engine"),
        (replace(GOOD, mame="broken"), "not", "mame"),
        (replace(GOOD, writable={"data": False}), "not", "data"),
        (replace(GOOD, disk_free_bytes=10**8), "not", "disk"),
        (replace(GOOD, free_bytes=10**8), "not", "memory"),
        (replace(GOOD, free_bytes=0, memory_bytes=0, disk_free_bytes=None), "mame", ""),
    ],
)
def test_verdicts(facts: Facts, kind: str, reason: str) -> None:
    given = verdict.judge(facts)
    assert (given.kind, given.reason) == (kind, reason)
    assert given.command


@pytest.mark.parametrize(
    ("facts", "key"),
    [
        (replace(GOOD, proxies=["http"]), "proxy"),
        (replace(GOOD, writable={"lessons": False}), "lessons"),
        (replace(GOOD, host_silent=True), "silent"),
        (replace(GOOD, ports={"11434": "other"}), "port"),
        (replace(OLLAMA, server_version="0.6.8"), "old"),
        (replace(GOOD, gpu_hidden=True), "hidden"),
        (replace(GOOD, late=["gpu"]), "late"),
        (replace(GOOD, network={"pypi.org": False}), "offline"),
        (OLLAMA, "pull"),
        (replace(GOOD, ollama_installed=True), "start"),
        (GOOD, "install"),
        (replace(GOOD, memory_bytes=2 * GIB), "too_small"),
        (replace(GOOD, memory_bytes=0), "install"),  # unknown is not little
    ],
)
def test_notes(facts: Facts, key: str) -> None:
    assert key in verdict.notes(facts)
    assert all(words.note_text(key, facts, lang).strip() for lang in ("en", "ja"))


def test_a_sound_machine_with_a_real_model_has_no_notes() -> None:
    assert verdict.notes(replace(OLLAMA, models=["llama3.2:1b"], ports={"11434": "ollama"})) == []


# --- saying ---


@pytest.mark.parametrize("lang", ["en", "ja"])
@pytest.mark.parametrize(
    "facts", [GOOD, Facts(), replace(GOOD, missing=["ollama"]), replace(OLLAMA, n_other_models=3)]
)
def test_the_page_is_one_page_and_ends_with_the_verdict_and_one_command(
    facts: Facts, lang: str
) -> None:
    lines = words.page_text(facts, lang).splitlines()
    last = lines[-1]
    assert len(lines) <= 30 and last == words.verdict_text(facts, lang)
    assert last.startswith(words.KINDS[lang][verdict.judge(facts).kind])
    assert last.count("`") == 2 and facts.code in lines[0]


def test_both_languages_say_the_same_things() -> None:
    for table in (words.LABELS, words.WORDS, words.NOTES, words.KINDS, words.REASONS):
        assert table["en"].keys() == table["ja"].keys()
    english, japanese = (words.page_text(GOOD, lang).splitlines() for lang in ("en", "ja"))
    assert len(english) == len(japanese)


def test_the_columns_of_the_japanese_page_line_up() -> None:
    def columns(text: str) -> int:
        return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)

    for label, value in words.rows(GOOD, "ja"):
        line = next(x for x in words.page_text(GOOD, "ja").splitlines() if x.startswith(label))
        assert columns(line) - columns(value) == words.LABEL_COLUMNS


def test_in_a_notebook_the_result_is_the_page() -> None:
    checkup = Checkup(replace(GOOD, missing=["ollama"]))
    assert repr(checkup).endswith("NOT READY: packages are missing: `make lab`")
    assert checkup.verdict.kind == "not"


# --- as JSON ---


def test_a_report_survives_the_way_through_json() -> None:
    raw = json.dumps(Checkup(OLLAMA).as_json()).encode()
    assert parse_facts(raw) == OLLAMA
    text = raw.decode()
    for encoding in ("utf-8-sig", "utf-16"):  # what `>` writes in PowerShell 7 and 5
        assert parse_facts(text.encode(encoding)) == OLLAMA


def test_what_is_not_a_field_is_dropped() -> None:
    value = Checkup(GOOD).as_json() | {"hostname": SEEDS["host"]}
    facts = parse_facts(json.dumps(value).encode())
    assert facts == GOOD and SEEDS["host"] not in everything_told(facts)


@pytest.mark.parametrize("name", [f.name for f in fields(Facts)])
def test_a_field_of_the_wrong_kind_is_refused(name: str) -> None:
    for wrong in ({"a": {}}, [["x"]], -1, 1.5, "a\nb", "x" * 500, [None]):
        with pytest.raises(NotFacts):
            parse_facts(json.dumps({**Checkup(GOOD).as_json(), name: wrong}).encode())
