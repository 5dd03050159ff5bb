"""The clean room lets nothing foreign in and leaves nothing behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tools.clean_room import clean_environment, stop_embedded_server, temporary_home


def test_foreign_settings_stay_outside(tmp_path: Path) -> None:
    outer = {"OLLAMA_HOST": "x", "JIMOTO_LANG": "ja", "PATH": "/bin", "NO_PROXY": "corp.example"}
    env = clean_environment(outer, tmp_path)
    assert env["PATH"] == "/bin" and env["JIMOTO_HOME"] == str(tmp_path)
    assert env["NO_PROXY"] == "corp.example,127.0.0.1,localhost,::1"
    assert env.keys().isdisjoint({"OLLAMA_HOST", "JIMOTO_LANG"})


def test_this_session_runs_in_a_clean_room() -> None:
    foreign = [name for name in os.environ if name.startswith(("OLLAMA_", "JIMOTO_"))]
    assert sorted(foreign) == ["JIMOTO_HOME", "JIMOTO_LAB_SEED", "JIMOTO_WORK"]
    assert Path(os.environ["JIMOTO_HOME"]).parent.name.startswith("jimoto-")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no signal that a process can ignore")
def test_a_server_that_will_not_end_is_killed_with_its_child() -> None:
    stubborn = (
        "import signal, subprocess, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']);"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    with temporary_home() as home:
        server = subprocess.Popen([sys.executable, "-c", stubborn], stdout=subprocess.PIPE)
        with server:
            assert server.stdout
            child = int(server.stdout.readline())
            (home / "server.json").write_text(json.dumps({"pid": server.pid}), encoding="utf-8")
            stop_embedded_server(home, wait_seconds=0.3)
    assert not psutil.pid_exists(server.pid)  # it would have slept on
    assert not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie"
    assert not home.parent.exists()


@pytest.mark.parametrize("text", [None, "", "{}", '{"pid": "no"}', '{"pid": 999999999}', "[]"])
def test_no_server_or_a_broken_file_is_no_trouble(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "server.json").write_text(text, encoding="utf-8")
    stop_embedded_server(tmp_path)
