"""Fixtures for the embedded server: a tiny model, a store, a scripted engine, clients."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import templates
import uvicorn
from starlette.applications import Starlette
from tiny_gguf import write_tiny_gguf

from jimoto.daemon.app import create_app
from jimoto.daemon.jobs import (
    Done,
    EmbedEvent,
    EmbedJob,
    Event,
    Job,
    Loaded,
    LoadPlan,
    Started,
    Text,
    Vector,
)
from jimoto.daemon.library import Library
from jimoto.daemon.settings import Clock, Settings
from jimoto.daemon.store import Store

ROOT = Path(__file__).parents[2]
MAME = ROOT / "src" / "jimoto" / "data" / "mame.gguf"


@dataclass
class StandingClock:
    """Time that moves only when it is told to."""

    seconds: float = 1_000.0

    def advance(self, seconds: float) -> None:
        self.seconds += seconds

    @property
    def clock(self) -> Clock:
        return Clock(lambda: self.seconds, lambda: round((1.7e9 + self.seconds) * 1e9))


@dataclass
class FakeEngine:
    """Says what its script says: texts, and errors that it raises."""

    script: list[str | Text | Exception] = field(default_factory=lambda: ["Hel", "lo"])
    prompt_tail: str = ""
    done: Done = field(default_factory=lambda: Done("stop", 7, 0.1, 2, 0.2))
    runs: list[tuple[LoadPlan, Job, float | None]] = field(default_factory=list)
    embeds: list[tuple[LoadPlan, EmbedJob, float | None]] = field(default_factory=list)
    loads: list[tuple[LoadPlan, float | None]] = field(default_factory=list)
    unloads: list[Path] = field(default_factory=list)
    in_memory: list[Loaded] = field(default_factory=list)

    @property
    def job(self) -> Job:
        return self.runs[-1][1]

    async def load(self, plan: LoadPlan, keep_alive: float | None) -> None:
        self.loads.append((plan, keep_alive))

    async def run(
        self, plan: LoadPlan, job: Job, keep_alive: float | None
    ) -> AsyncGenerator[Event]:
        self.runs.append((plan, job, keep_alive))
        if job.render_only:
            yield Done(rendered="rendered")
            return
        yield Started(0.5, self.prompt_tail)
        for item in self.script:
            if isinstance(item, Exception):
                raise item
            yield item if isinstance(item, Text) else Text(item)
        yield self.done

    async def embed(
        self, plan: LoadPlan, job: EmbedJob, keep_alive: float | None
    ) -> AsyncGenerator[EmbedEvent]:
        """A vector that can be reckoned from its text: its length, and 4."""
        self.embeds.append((plan, job, keep_alive))
        yield Started(0.5)
        for text in job.inputs:
            yield Vector([float(len(text)), 4.0])
        yield Done("stop", sum(map(len, job.inputs)))

    async def unload(self, path: Path) -> None:
        self.unloads.append(path)

    def loaded(self) -> list[Loaded]:
        return self.in_memory

    async def start(self) -> None: ...

    async def close(self) -> None: ...


@dataclass
class Api:
    """Plain HTTP against the app, in process."""

    app: Starlette

    def call(self, method: str, path: str, **more: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
                return await http.request(method, path, **more)

        return asyncio.run(send())

    def post(self, path: str, body: Any) -> httpx.Response:
        return self.call("POST", path, json=body)

    def lines(self, path: str, body: Any) -> list[dict[str, Any]]:
        """The objects of a streamed answer."""
        answer = self.post(path, body)
        assert answer.headers["content-type"] == "application/x-ndjson"
        assert answer.text.endswith("\n")
        return [json.loads(line) for line in answer.text[:-1].split("\n")]


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


@pytest.fixture(scope="session")
def plain_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that does not think, and brings no template."""
    return write_tiny_gguf(tmp_path_factory.mktemp("gguf") / "plain.gguf", template=None)


@pytest.fixture(scope="session")
def mame() -> Path:
    if not MAME.exists():
        pytest.skip("mame.gguf has not been built")
    return MAME


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "models")
    store.create_folders()
    return store


@pytest.fixture
def fake_engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def library(store: Store) -> Library:
    return Library(store)


@pytest.fixture
def settings(store: Store) -> Settings:
    return Settings(store.models, jimoto_version="0.0.test")


@pytest.fixture
def app(
    settings: Settings, library: Library, fake_engine: FakeEngine, clock: StandingClock
) -> Starlette:
    return create_app(settings, library, fake_engine, clock.clock)


@pytest.fixture
def api(app: Starlette) -> Api:
    return Api(app)


@pytest.fixture
def tiny(library: Library, tiny_gguf: Path) -> str:
    """The name of a thinking model that is stored."""
    return create_model(library, "tiny", tiny_gguf)


@pytest.fixture
def plain(library: Library, plain_gguf: Path) -> str:
    return create_model(library, "plain", plain_gguf)


@pytest.fixture(scope="session")
def jinja_ggufs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """GGUFs whose Jinja templates know tools, each in the manner of another family."""
    folder = tmp_path_factory.mktemp("jinja")
    return {
        name: write_tiny_gguf(folder / f"{name}.gguf", template=source)
        for name, source in templates.JINJA.items()
    }


@pytest.fixture(scope="session")
def stocked(
    tmp_path_factory: pytest.TempPathFactory, jinja_ggufs: dict[str, Path], plain_gguf: Path
) -> Path:
    store = Store(tmp_path_factory.mktemp("stocked"))
    store.create_folders()
    for name, path in jinja_ggufs.items():
        create_model(Library(store), name, path)
    for name, source in templates.GO.items():
        create_model(Library(store), name, plain_gguf, template=source)
    return store.models


@pytest.fixture
def models(stocked: Path, store: Store) -> None:
    """Models named for their templates (`templates.JINJA`, `GO`), made once and copied."""
    shutil.copytree(stocked, store.models, dirs_exist_ok=True)


def create_model(library: Library, name: str, gguf: Path, **more: Any) -> str:
    digest, _ = library.store.add_blob(gguf.read_bytes())
    list(library.create({"model": name, "files": {gguf.name: digest}, **more}))
    return name


@contextlib.contextmanager
def listening(app: Starlette) -> Iterator[str]:
    """host:port of the app on a real socket, for clients that cannot be given an app."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_config=None, access_log=False, ws="none")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        wait_until(lambda: server.started)
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:  # or a failure would wait for this thread for ever
            server.should_exit = True
            thread.join()


@pytest.fixture
def url(app: Starlette) -> Iterator[str]:
    with listening(app) as address:
        yield f"http://{address}"


@dataclass
class Daemon:
    """A server process of its own, with real worker processes."""

    process: subprocess.Popen[bytes]
    ready_file: Path
    models: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{json.loads(self.ready_file.read_text())['port']}"

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(60)


def start_daemon(folder: Path, *arguments: str) -> Daemon:
    ready, models = folder / "ready.json", folder / "models"
    command = [sys.executable, "-m", "jimoto.daemon", "--port", "0", "--models", str(models)]
    process = subprocess.Popen(
        [*command, "--ready-file", str(ready), "--log", str(folder / "log.txt"), *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )
    wait_until(lambda: ready.exists() or process.poll() is not None)
    assert process.poll() is None, (folder / "log.txt").read_text()
    return Daemon(process, ready, models)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Starts servers in this test's folder; none outlives the test, however it ends."""
    started: list[Daemon] = []

    def start_one(*arguments: str) -> Daemon:
        started.append(start_daemon(tmp_path, *arguments))
        return started[-1]

    yield start_one
    for daemon in started:
        daemon.process.kill()
        daemon.process.wait()


@pytest.fixture(scope="session")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    daemon = start_daemon(tmp_path_factory.mktemp("daemon"))
    yield daemon
    daemon.stop()


def endless(client: Any, stream: bool = True) -> Any:
    """A run of thousands of tokens: after this prompt the greedy tiny model goes round in circles.

    After most others it stops by itself within some hundred.
    """
    options = {"num_predict": 5000, "temperature": 0}
    return client.generate("tiny", "again and again", raw=True, stream=stream, options=options)


def wait_until(condition: Any, seconds: float = 120.0) -> None:
    """Wait for something that is certain to come; the limit is for a broken build only."""
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "waited in vain"
        time.sleep(0.01)
