"""Starting and ending: the socket, the ready file, the folders, and nothing left behind."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys

import httpx
import pytest
from ollama import Client, ResponseError

from conftest import ROOT, endless, wait_until
from jimoto import __version__
from jimoto.daemon import __main__ as daemon_main
from jimoto.daemon.settings import FOREVER, settings_from_environment


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv("JIMOTO_LANG", "en")


def test_a_port_that_is_taken_is_said_and_nothing_is_made(tmp_path, capsys):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        models = tmp_path / "models"
        assert daemon_main.main(["--port", str(port), "--models", str(models)]) == 1
    assert f"Port {port} is in use by another program." in capsys.readouterr().err
    assert not models.exists()


def test_an_answer_does_not_wait_for_the_client_to_acknowledge_its_head():
    """asyncio turns Nagle's algorithm off only for sockets that say they are TCP: 40 ms each."""

    async def scenario(listener):
        seen = asyncio.get_running_loop().create_future()

        async def accept(reader, writer):
            accepted = writer.get_extra_info("socket")
            seen.set_result(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        async with await asyncio.start_server(accept, sock=listener):
            _, writer = await asyncio.open_connection(*listener.getsockname())
            try:
                return await seen
            finally:
                writer.close()
                await writer.wait_closed()

    with daemon_main.bind("127.0.0.1", 0) as listener:
        assert asyncio.run(scenario(listener))


@pytest.mark.parametrize("option", ["--models", "--ready-file", "--log"])
def test_a_folder_that_cannot_be_written_is_said(tmp_path, capsys, option):
    (tmp_path / "file").touch()
    chosen = {"--models": str(tmp_path / "models"), option: str(tmp_path / "file" / "in" / "it")}
    arguments = [part for pair in chosen.items() for part in pair]
    assert daemon_main.main(["--port", "0", *arguments]) == 1
    said = capsys.readouterr().err
    assert "cannot be written to" in said and str(tmp_path / "file") in said
    assert "Traceback" not in said


def test_an_address_that_is_not_ours_is_said(tmp_path, capsys):
    assert daemon_main.main(["--host", "192.0.2.1", "--port", "0", "--models", str(tmp_path)]) == 1
    assert "'192.0.2.1'" in capsys.readouterr().err


def test_the_ready_file_is_only_removed_by_its_owner(tmp_path):
    ready = tmp_path / "ready.json"
    daemon_main.write_ready_file(ready, "127.0.0.1", 1, "0")
    assert [path.name for path in tmp_path.iterdir()] == ["ready.json"]
    facts = json.loads(ready.read_text())
    assert facts == {"pid": os.getpid(), "host": "127.0.0.1", "port": 1, "version": "0"}
    ready.write_text(json.dumps(facts | {"pid": -1}))
    daemon_main.remove_ready_file(ready)
    assert ready.exists()


def test_settings_come_from_ollamas_variables_where_they_make_sense(tmp_path):
    variables = {
        "OLLAMA_KEEP_ALIVE": ' "-1" ', "OLLAMA_CONTEXT_LENGTH": "8192", "OLLAMA_MAX_QUEUE": "x",
        "OLLAMA_ORIGINS": "http://a, http://b:*", "OLLAMA_NOPRUNE": "1",
    }  # fmt: skip
    found = settings_from_environment(tmp_path, variables)
    assert (found.keep_alive_seconds, found.context_length) == (FOREVER, 8192)
    assert (found.max_queue, found.prune) == (512, False)
    assert found.origins == ("http://a", "http://b:*")
    for value, chosen in (("", None), ("1", True), ("yes", True), ("0", False), ("false", False)):
        settings = settings_from_environment(tmp_path, {"OLLAMA_GO_TEMPLATE": value})
        assert settings.go_template is chosen
    assert settings_from_environment(tmp_path, {"OLLAMA_KEEP_ALIVE": "90"}).keep_alive_seconds == 90
    assert settings_from_environment(tmp_path, {"OLLAMA_KEEP_ALIVE": "?"}).keep_alive_seconds == 300


def test_the_server_imports_nothing_heavy():
    code = "import sys, jimoto.daemon.__main__; print(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    heavy = {
        "numpy",
        "llama_cpp",
        "pydantic",
        "jinja2",
        "gguf",
        "httpx",
        "ollama",
        "torch",
        "psutil",
    }
    assert heavy & set(said.stdout.split()) == set()


@pytest.mark.slow
def test_a_signal_ends_server_and_children_and_removes_the_ready_file(tmp_path, start, tiny_gguf):
    daemon = start()
    facts = json.loads(daemon.ready_file.read_text())
    assert (facts["pid"], facts["version"]) == (daemon.process.pid, __version__)
    with Client(host=daemon.url) as client:
        client.create("tiny", files={"t.gguf": client.create_blob(tiny_gguf)})
        client.generate("tiny", "x", options={"num_predict": 1})
        [worker] = daemon.children()
        stream = endless(client)
        next(stream)
        daemon.process.send_signal(signal.SIGINT)
        with pytest.raises(ResponseError):  # a line that says so, not a broken connection
            list(stream)
    assert daemon.process.wait(60) == 0
    assert "Traceback" not in (tmp_path / "log.txt").read_text()
    assert not daemon.ready_file.exists()
    wait_until(lambda: not worker.is_running())


@pytest.mark.slow
def test_the_server_ends_by_itself_when_nobody_asks(start):
    daemon = start("--idle-exit", "0.3")
    assert daemon.process.wait(60) == 0
    assert not daemon.ready_file.exists()


def tags_of(daemon):
    return httpx.get(f"{daemon.url}/api/tags", timeout=60).json()


@pytest.mark.slow
def test_two_servers_can_share_a_folder_of_models(start, daemon):
    other = start("--models", str(daemon.models))
    assert tags_of(other) == tags_of(daemon)
    assert other.stop() == 0
