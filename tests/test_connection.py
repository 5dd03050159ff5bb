"""Which server a notebook finds, and what it says about it."""

import json
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from jimoto import connection
from jimoto.connection import Home, Server
from jimoto.errors import FolderNotWritable, ModelFileBroken, ServerDidNotStart


@contextmanager
def loopback_server(answers):
    """An HTTP server on a free port that gives `answers[path]` as text; the address is yielded."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = answers.get(self.path, "").encode()
            self.send_response(200 if body else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


OLLAMA = {"/": "Ollama is running", "/api/version": '{"version": "0.32.1"}'}
OURS = {"/": "Ollama is running", "/api/version": '{"version": "0.33.0", "jimoto": "0.1.0"}'}


def test_a_server_that_answers_as_ollama_is_recognised():
    with loopback_server(OLLAMA) as url:
        assert connection.probe(url) == Server(url, "0.32.1", embedded=False)


def test_the_embedded_server_is_told_from_real_ollama():
    with loopback_server(OURS) as url:
        found = connection.probe(url)
        assert found and found.embedded


@pytest.mark.parametrize("answers", [{"/": "It works!"}, {"/": "Ollama is running"}, {}])
def test_another_program_on_the_port_is_not_taken_for_ollama(answers):
    with loopback_server(answers) as url:
        assert connection.probe(url) is None


def test_the_server_that_ollama_host_names_comes_first(monkeypatch):
    with loopback_server(OLLAMA) as named, loopback_server(OURS) as usual:
        monkeypatch.setattr(connection, "DEFAULT_PORT", int(usual.rpartition(":")[2]))
        host = named.removeprefix("http://")
        assert connection.find_server({"OLLAMA_HOST": host}).url == named
        assert connection.find_server({}).url == usual
        assert connection.find_server({"OLLAMA_HOST": "127.0.0.1:9"}).url == usual


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("", "http://127.0.0.1:11434"),
        ("0.0.0.0", "http://127.0.0.1:11434"),
        (":1234", "http://127.0.0.1:1234"),
        ("http://llm.example", "http://llm.example:80"),
        ("https://llm.example:8443", "https://llm.example:8443"),
        (' "1.2.3.4" ', "http://1.2.3.4:11434"),
        ("[::1]:5000", "http://[::1]:5000"),
        ("host:99999", "http://host:11434"),
    ],
)
def test_an_ollama_host_is_read_as_ollama_reads_it(value, url):
    assert connection.server_url(value) == url


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("", encoding="utf-8")
    with pytest.raises(FolderNotWritable) as caught:
        connection.find_home({"JIMOTO_HOME": str(blocked / "home")})
    assert caught.value.folder == str(blocked / "home")


def test_writing_to_the_home_leaves_nothing_behind(tmp_path):
    connection.find_home({"JIMOTO_HOME": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []


def test_two_threads_that_try_the_home_at_once_do_not_disturb_each_other(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        homes = pool.map(connection.find_home, [{"JIMOTO_HOME": str(tmp_path)}] * 400)
        assert {home.root for home in homes} == {tmp_path}


def test_loopback_is_added_to_the_exceptions_of_the_proxy_once():
    env = {"NO_PROXY": "intra.example"}
    connection.keep_off_proxies(env)
    connection.keep_off_proxies(env)
    assert env["NO_PROXY"] == "intra.example,127.0.0.1,localhost,::1"


def test_the_stand_in_is_made_only_where_no_real_ollama_is(tmp_path):
    home = Home(tmp_path / "home")
    home.root.mkdir()
    real = tmp_path / "real"
    real.mkdir()
    name = "ollama.cmd" if os.name == "nt" else "ollama"
    (real / name).write_text("", encoding="utf-8")
    (real / name).chmod(0o755)
    assert connection.ensure_command(home, {"PATH": str(real)}) is None
    assert connection.ensure_command(home, {"PATH": str(tmp_path)}) == home.bin
    # its own stand-in, found on the PATH the second time, is not mistaken for a real one
    assert connection.ensure_command(home, {"PATH": str(home.bin)}) == home.bin


def test_the_model_of_the_lessons_is_one_variable(monkeypatch):
    monkeypatch.delenv("JIMOTO_MODEL", raising=False)
    assert connection.model("chat") == "mame"
    monkeypatch.setenv("JIMOTO_MODEL", "deepseek-r1:1.5b")
    assert connection.model("chat") == "deepseek-r1:1.5b"
    with pytest.raises(ValueError, match="chat"):
        connection.model("draw")


def test_a_server_that_cannot_start_is_an_error_that_names_the_log(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", sys.executable)
    env = {**os.environ, "PYTHONPATH": "", "OLLAMA_MODELS": str(tmp_path / "file" / "models")}
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ServerDidNotStart) as caught:
        connection.start_server(Home(tmp_path), env)
    assert caught.value.log == str(tmp_path / "server.log")
    assert not (tmp_path / "server.json").exists()


@pytest.fixture
def notebook(tmp_path):
    """Runs code as a notebook's kernel would, with a home of its own; its server is ended after."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("OLLAMA", "JIMOTO"))}
    env |= {"JIMOTO_HOME": str(tmp_path), "JIMOTO_LANG": "en"}

    def run(code, **more):
        return subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            env={**env, **more},
            timeout=120,
        )

    yield run
    ready = tmp_path / "server.json"
    if ready.exists():
        import psutil

        process = psutil.Process(json.loads(ready.read_text(encoding="utf-8"))["pid"])
        process.terminate()
        process.wait(20)


FIRST_CELLS = """
import jimoto
jimoto.connect()
import ollama, os, shutil
print(ollama.list().models[0].model, shutil.which("ollama"), os.environ["OLLAMA_HOST"])
"""


@pytest.mark.slow
def test_connect_starts_a_server_once_and_shares_it(notebook, tmp_path):
    said = [notebook(FIRST_CELLS) for _ in range(2)]
    assert [s.returncode for s in said] == [0, 0], said
    first, second = (s.stdout.splitlines() for s in said)
    assert first == second and len(first) == 2
    assert "embedded server" in first[0] and "model mame" in first[0]
    assert first[1].startswith(f"mame:latest {tmp_path}")


@pytest.mark.slow
def test_a_client_that_was_imported_too_early_is_pointed_at_the_server(notebook):
    code = "import ollama, jimoto; jimoto.connect(); print(ollama.list().models[0].model)"
    assert notebook(code).stdout.splitlines()[-1] == "mame:latest"


@pytest.mark.slow
def test_a_silent_ollama_host_is_said(notebook):
    said = notebook("import jimoto; jimoto.connect()", OLLAMA_HOST="127.0.0.1:9")
    assert "nothing answers at OLLAMA_HOST=127.0.0.1:9" in said.stdout


@pytest.mark.slow
def test_a_model_file_cut_short_is_named_and_leaves_nothing(notebook, tmp_path):
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(connection.mame_file().read_bytes()[:2_000_000])
    code = f"""
from pathlib import Path
import jimoto, jimoto.connection as c
c.mame_file = lambda: Path({str(cut)!r})
try:
    jimoto.connect()
except Exception as error:
    print(type(error).__name__, error)
"""
    said = notebook(code)
    assert said.stdout.startswith(ModelFileBroken.__name__) and "cut.gguf" in said.stdout
    assert list((tmp_path / "models").rglob("sha256-*")) == []


def test_the_shipped_model_is_small_enough():
    assert connection.mame_file().stat().st_size <= 16_000_000
    assert Path(connection.mame_file()).read_bytes()[:4] == b"GGUF"
