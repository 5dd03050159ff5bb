"""Starts JupyterLab on the lessons, once a model answers. Knows nothing of pip."""

from __future__ import annotations

import importlib.util
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from jimoto.connection import (
    MODEL,
    ensure_command,
    ensure_mame,
    ensure_server,
    find_home,
    keep_off_proxies,
)
from jimoto.errors import FolderMissing, PackageMissing, PortTaken, language

NEEDED = ("ollama", "llama_cpp", "starlette", "uvicorn", "jupyterlab", "ipywidgets", "matplotlib")
# No news and no search for updates: a lesson needs no network, and asks for none.
SETTINGS = Path(__file__).parent / "data" / "lab"
FIRST_PORT, LAST_PORT = 8888, 8988
FIRST_LESSON = "02_first_run"

LINES = {
    "en": {
        "ready": "The model {model} answers at {url}.",
        "address": "JupyterLab runs at {address}\nStop it with Ctrl-C.",
    },
    "ja": {
        "ready": "モデル {model} が {url} で応答しています。",
        "address": "JupyterLabのアドレス: {address}\n終了するにはCtrl-Cを押してください。",
    },
}


def find_notebooks() -> Path:
    """The lessons: below the current folder, else beside the source that runs."""
    for root in (Path.cwd(), Path(__file__).parents[2]):
        if (root / "notebooks" / "en").is_dir():
            return root / "notebooks"
    raise FolderMissing("notebooks", str(Path.cwd()))


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


def start(env: Mapping[str, str], *, browser: bool, port: int | None, lang: str) -> int:
    """Start JupyterLab, print its address, wait for it to end; its exit code."""
    # 1) everything that can go wrong goes wrong before Jupyter starts
    check_packages()
    lang = lang or language()
    notebooks = find_notebooks()
    port = choose_port(port)
    keep_off_proxies(os.environ)
    server = ensure_server(env)
    ensure_mame(server.url)
    print(LINES[lang]["ready"].format(model=MODEL, url=server.url), flush=True)

    # 2) terminals inside JupyterLab find the stand-in, too; the system's PATH stays as it is
    stand_in = ensure_command(find_home(env), env)
    path = os.pathsep.join([*([str(stand_in)] if stand_in else []), env.get("PATH", "")])
    token = secrets.token_hex(16)
    page = f"/lab/tree/{lang}/{FIRST_LESSON}.ipynb"
    command = [sys.executable, "-m", "jupyterlab", f"--ServerApp.root_dir={notebooks}"]
    command += [f"--port={port}", "--ServerApp.port_retries=0", "--ip=127.0.0.1"]
    command += [f"--LabApp.default_url={page}", "--Application.log_level=WARN"]
    command += [f"--LabApp.app_settings_dir={SETTINGS}"]
    command += ["--allow-root"] * (hasattr(os, "geteuid") and os.geteuid() == 0)
    command += ["--no-browser"] * (not browser)

    # 3) Ctrl-C reaches Jupyter and us; it ends, and so do we
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
