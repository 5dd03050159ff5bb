"""Finds an Ollama server, or starts the embedded one, and points this process at it.

The order: the server that OLLAMA_HOST names, real Ollama on its default port, and else the embedded
server, which runs in the background for all notebooks and shells of the user and ends after 30 idle
minutes. Knows nothing of how a server works inside: it is a client like any other, over HTTP.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import reload, resources
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jimoto.errors import (
    FolderNotWritable,
    ModelFileBroken,
    ServerDidNotStart,
    language,
)

if TYPE_CHECKING:
    import ssl

MODEL = "mame"
DEFAULT_PORT = 11434
IDLE_SECONDS = 30 * 60
PROBE_SECONDS = 1.0
START_SECONDS = 60.0

LINES = {
    "en": {
        "embedded": "Connected to Jimoto's embedded server at {url}",
        "ollama": "Connected to Ollama {version} at {url}",
        "model": "model {model}",
        "stand_in": "`ollama` here is Jimoto's stand-in",
        "silent": "nothing answers at OLLAMA_HOST={host}",
    },
    "ja": {
        "embedded": "Jimotoの内蔵サーバーに接続しました: {url}",
        "ollama": "Ollama {version} に接続しました: {url}",
        "model": "モデル {model}",
        "stand_in": "ここでの `ollama` はJimotoの代替コマンドです",
        "silent": "OLLAMA_HOST={host} は応答しません",
    },
}


@dataclass(frozen=True)
class Server:
    """A server that answered: where, which version of Ollama's API, and whether it is our own."""

    url: str
    version: str
    embedded: bool


@dataclass(frozen=True)
class Home:
    """The folders that Jimoto writes to, all below one."""

    root: Path

    @property
    def ready_file(self) -> Path:
        return self.root / "server.json"

    @property
    def log(self) -> Path:
        return self.root / "server.log"

    @property
    def bin(self) -> Path:
        return self.root / "bin"

    def models(self, env: Mapping[str, str]) -> Path:
        """OLLAMA_MODELS, as real Ollama reads it, else a folder of our own."""
        return Path(env.get("OLLAMA_MODELS") or self.root / "models")


def find_home(env: Mapping[str, str]) -> Home:
    """JIMOTO_HOME, else the place that the system keeps for applications' data; writable."""
    from platformdirs import user_data_path

    root = Path(env["JIMOTO_HOME"]) if env.get("JIMOTO_HOME") else user_data_path("jimoto", False)
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root):  # a name of its own: two threads may ask at once
            pass
    except OSError:
        raise FolderNotWritable(str(root)) from None
    return Home(root)


def parse_host(value: str) -> tuple[str, str, int]:
    """Scheme, host and port of an OLLAMA_HOST value.

    >>> parse_host("192.168.0.7"), parse_host(":8080"), parse_host("https://llm.example")
    (('http', '192.168.0.7', 11434), ('http', '127.0.0.1', 8080), ('https', 'llm.example', 443))
    """
    value = value.strip().strip("\"'")
    has_scheme = "://" in value
    parts = urlsplit(value if has_scheme else f"http://{value}")
    host = parts.hostname or "127.0.0.1"
    port = {"http": 80, "https": 443}[parts.scheme] if has_scheme else DEFAULT_PORT
    try:
        port = parts.port or port
    except ValueError:  # Ollama, too, falls back to the default port
        pass
    return parts.scheme, host, port


def server_url(value: str) -> str:
    """The address to connect to; a server on all interfaces is reached over loopback."""
    scheme, host, port = parse_host(value)
    host = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def trust(url: str) -> ssl.SSLContext | bool:
    """What an HTTP client needs as `verify`: for plain http nothing is trusted, and that is quick.

    Reading the list of certificate authorities takes a tenth of a second, for each client.
    """
    import ssl

    return url.startswith("https:") or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def probe(url: str, wait_seconds: float = PROBE_SECONDS) -> Server | None:
    """What answers at `url`, if it answers as Ollama does."""
    import httpx

    try:
        with httpx.Client(
            base_url=url, timeout=wait_seconds, trust_env=False, verify=trust(url)
        ) as http:
            if http.get("/").text.strip() != "Ollama is running":
                return None
            about = http.get("/api/version").json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):
        return None
    return Server(url, about["version"], embedded="jimoto" in about)


def find_server(env: Mapping[str, str]) -> Server | None:
    """The server that is already there: OLLAMA_HOST first, then the default port."""
    named = env.get("OLLAMA_HOST")
    return (probe(server_url(named)) if named else None) or probe(server_url(""))


def running_server(home: Home) -> Server | None:
    """The embedded server that an earlier call left running."""
    try:
        ready = json.loads(home.ready_file.read_text(encoding="utf-8"))
        return probe(f"http://{ready['host']}:{ready['port']}")
    except (OSError, ValueError, KeyError):
        return None


def start_server(home: Home, env: Mapping[str, str]) -> Server:
    """Start the embedded server in the background, or join one that is just starting."""
    from filelock import FileLock

    with FileLock(home.root / "server.lock", timeout=START_SECONDS):
        server = running_server(home)
        if server:
            return server
        home.ready_file.unlink(missing_ok=True)
        # -P: a learner's own `queue.py` in the current folder must not replace Python's
        command = [sys.executable, "-P", "-m", "jimoto.daemon"]
        command += ["--host", "127.0.0.1", "--port", "0"]
        command += ["--models", str(home.models(env)), "--ready-file", str(home.ready_file)]
        command += ["--idle-exit", str(IDLE_SECONDS)]
        with home.log.open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=home.root,
                env={**env, "PYTHONUTF8": "1"},
                # Ctrl-C in the notebook or terminal must not reach a server that others share.
                start_new_session=os.name != "nt",
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)
                | getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            server = running_server(home)
            if server:
                process.returncode = 0  # it outlives us on purpose: no warning about that
                return server
            if process.poll() is not None:
                break
            time.sleep(0.05)
        process.kill()
        said = home.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        raise ServerDidNotStart(str(home.log), said[-1] if said else f"exit code {process.poll()}")


def mame_file() -> Path:
    """The weights that the kit ships, as package data."""
    return Path(str(resources.files("jimoto") / "data" / "mame.gguf"))


def ensure_mame(url: str) -> None:
    """Make sure that the server has the mame of this kit; the same calls work on real Ollama."""
    import ollama

    path = mame_file()
    hex_digest = hashlib.sha256(path.read_bytes()).hexdigest()
    with ollama.Client(host=url, trust_env=False) as client:
        try:
            # The Modelfile names the blob of the weights: an older mame is replaced, the same kept.
            if hex_digest in (client.show(MODEL).modelfile or ""):
                return
        except ollama.ResponseError as error:
            if error.status_code != 404:
                raise
        try:
            digest = client.create_blob(path)
            client.create(MODEL, files={path.name: digest}, stream=False)
        except ollama.ResponseError as error:
            raise ModelFileBroken(str(path), error.error) from None


def ensure_server(env: Mapping[str, str]) -> Server:
    """The server that is there, else the embedded one; a fresh one gets mame.

    One that was running is taken as it is: a learner may have removed mame on purpose.
    """
    server = find_server(env)
    if server:
        return server
    home = find_home(env)
    server = running_server(home)
    if not server:
        server = start_server(home, env)
        ensure_mame(server.url)
    return server


def ensure_command(home: Home, env: Mapping[str, str]) -> Path | None:
    """The folder of the stand-in `ollama` command, or None where a real one is on the PATH."""
    found = shutil.which("ollama", path=env.get("PATH"))
    if found and Path(found).parent.resolve() != home.bin.resolve():
        return None
    start = "from jimoto.cli import stand_in; stand_in()"
    if os.name == "nt":
        name, text = "ollama.cmd", f'@"{sys.executable}" -c "{start}" %*\r\n'
    else:
        name, text = "ollama", f'#!/bin/sh\nexec "{sys.executable}" -c "{start}" "$@"\n'
    home.bin.mkdir(exist_ok=True)
    file = home.bin / name
    if not file.exists() or file.read_text(encoding="utf-8") != text:
        fresh = file.with_suffix(f".{os.getpid()}")
        fresh.write_text(text, encoding="utf-8", newline="")
        fresh.chmod(0o755)
        fresh.replace(file)
    return home.bin


def keep_off_proxies(env: dict[str, str] | os._Environ[str]) -> None:
    """Loopback never goes through a proxy: the `ollama` client honours the proxy variables."""
    for name in ("NO_PROXY", "no_proxy"):
        hosts = [host for host in env.get(name, "").split(",") if host]
        env[name] = ",".join(dict.fromkeys([*hosts, "127.0.0.1", "localhost", "::1"]))


def connect(lang: str | None = None) -> None:
    """Point this process at an Ollama server that has mame, and print one line that says which.

    `lang` is "en" or "ja", else the system's. Sets OLLAMA_HOST and NO_PROXY, and adds the stand-in
    `ollama` command to this process's PATH where no real one is found. Safe to call again.

    Errors: FolderNotWritable, ServerDidNotStart, ModelFileBroken; each says what to do.
    """
    env = os.environ
    if lang:
        env["JIMOTO_LANG"] = lang
    named = env.get("OLLAMA_HOST")
    server = ensure_server(env)
    keep_off_proxies(env)
    env["OLLAMA_HOST"] = server.url
    if "ollama" in sys.modules:  # the module made its client when it was imported
        reload(sys.modules["ollama"])
    ensure_mame(server.url)
    home = find_home(env)
    stand_in = ensure_command(home, env)
    if stand_in and str(stand_in) not in env["PATH"].split(os.pathsep):
        env["PATH"] = os.pathsep.join([str(stand_in), env["PATH"]])

    text = LINES[language()]
    said = [text["embedded" if server.embedded else "ollama"].format(**vars(server))]
    said.append(text["model"].format(model=model("chat")))
    if stand_in:
        said.append(text["stand_in"])
    if named and server_url(named) != server.url:
        said.append(text["silent"].format(host=named))
    print(" · ".join(said))


def model(purpose: str = "chat") -> str:
    """The name of the model that lessons talk to: $JIMOTO_MODEL, else mame."""
    if purpose != "chat":
        raise ValueError(f"purpose must be 'chat', not {purpose!r}")
    return os.environ.get("JIMOTO_MODEL") or MODEL
