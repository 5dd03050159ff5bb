"""Start the embedded server: `python -m jimoto.daemon --models DIR [--host H] [--port P] …`.

Here the world is touched: arguments, the socket, folders, the ready file, signals and the end of
the process. What the server does once it listens stands elsewhere. A failure is three lines on
standard error and exit code 1, and leaves nothing behind.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import json
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from jimoto.daemon.app import create_app
from jimoto.daemon.engine import LlamaEngine
from jimoto.daemon.library import Library
from jimoto.daemon.pacing import Pace, paced
from jimoto.daemon.settings import Clock, Settings, settings_from_environment
from jimoto.daemon.store import Store
from jimoto.errors import FolderNotWritable, JimotoError, PortTaken

DEFAULT_PORT = 11434  # Ollama's
MAX_CONNECTIONS = 900  # a process may often open no more than 1024 files


class Activity:
    """Counts requests on their way, and remembers when the last one ended."""

    def __init__(self, app: ASGIApp, clock: Clock) -> None:
        self._app = app
        self._clock = clock
        self._running = 0
        self._last = clock.monotonic()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self._running += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._running -= 1
            self._last = self._clock.monotonic()

    def idle_seconds(self) -> float:
        return 0.0 if self._running else self._clock.monotonic() - self._last


class Server(uvicorn.Server):
    """uvicorn's server, which says when it listens, and goes when it is no longer wanted."""

    def __init__(
        self,
        config: uvicorn.Config,
        on_listening: Callable[[], None],
        is_unwanted: Callable[[], bool],
        on_leaving: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(config)
        self._on_listening = on_listening
        self._is_unwanted = is_unwanted
        self._on_leaving = on_leaving

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await self._on_leaving()  # answers in progress end now, with a last line that says so
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        if self._is_unwanted():
            self.should_exit = True
        return await super().on_tick(counter)


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m jimoto.daemon", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1", help="address to bind; loopback unless told")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT, help="0: any free port")
    parser.add_argument(
        "--models", type=Path, required=True, help="folder with manifests and blobs"
    )
    parser.add_argument("--ready-file", type=Path, help="written as JSON once the server listens")
    parser.add_argument("--idle-exit", type=float, default=0.0, help="seconds; 0: never")
    parser.add_argument("--log", type=Path, help="file for what would go to standard error")
    return parser.parse_args(arguments)


def bind(host: str, port: int) -> socket.socket:
    """A socket bound to exactly this address; raises PortTaken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # TCP by name: asyncio turns Nagle's delay off for no other, and without that each small answer,
    # and each token of a stream, waits 40 ms for the client's acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    if os.name == "posix":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    elif hasattr(socket, "SO_EXCLUSIVEADDRUSE"):  # Windows lets two programs share a port otherwise
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno in (errno.EADDRINUSE, errno.EACCES, errno.EPERM):
            raise PortTaken(port, "python -m jimoto.daemon --port 0 …") from None
        raise
    return listener


def prepare_folders(arguments: argparse.Namespace) -> None:
    """Every folder that will be written to exists and can be; raises FolderNotWritable."""
    folder = arguments.models
    try:
        Store(folder).create_folders()
        for path in (arguments.ready_file, arguments.log):
            if path is not None:
                folder = path.parent
                folder.mkdir(parents=True, exist_ok=True)
                probe = folder / f".jimoto-{secrets.token_hex(8)}"
                probe.touch()
                probe.unlink()
    except OSError:
        raise FolderNotWritable(str(folder)) from None


def write_ready_file(path: Path, host: str, port: int, version: str) -> None:
    """All at once: whoever sees the file sees the whole of it."""
    facts = {"pid": os.getpid(), "host": host, "port": port, "version": version}
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(facts) + "\n", encoding="utf-8", newline="\n")
    os.replace(temporary, path)


def remove_ready_file(path: Path) -> None:
    """Only our own: another server may have written its own since."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        if json.loads(path.read_text(encoding="utf-8"))["pid"] == os.getpid():
            path.unlink()


def redirect_output(log: Path) -> None:
    """What this process and its children print goes to the file, terminal or not."""
    with log.open("ab") as file:
        os.dup2(file.fileno(), 2)
        os.dup2(file.fileno(), 1)


def serve(
    listener: socket.socket, settings: Settings, ready: Path | None, idle_exit: float
) -> None:
    """Answer requests until a signal comes, or until nobody has asked for long enough."""
    clock, store = Clock(), Store(settings.models)
    if settings.prune:
        store.prune()
    engine = LlamaEngine(settings, clock)
    app = create_app(settings, Library(store, settings.go_template), engine, clock, os.environ)
    activity = Activity(app, clock)
    config = uvicorn.Config(
        activity,
        loop="asyncio",
        http=paced(Pace()),
        limit_concurrency=MAX_CONNECTIONS,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=600,  # a notebook asks again minutes later, on the same connection
    )

    def say_ready() -> None:
        host, port = listener.getsockname()[:2]
        logging.getLogger("jimoto").info("listening on %s port %d", host, port)
        if ready is not None:
            write_ready_file(ready, host, port, settings.jimoto_version)

    def is_unwanted() -> bool:
        return 0 < idle_exit <= activity.idle_seconds()

    # uvicorn raises a signal again after it has shut down cleanly; by then it is no news.
    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), lambda *_: None)
    try:
        Server(config, say_ready, is_unwanted, engine.close).run(sockets=[listener])
    finally:
        if ready is not None:
            remove_ready_file(ready)


def main(arguments: Sequence[str] | None = None) -> int:
    chosen = parse_arguments(sys.argv[1:] if arguments is None else arguments)
    try:
        with bind(chosen.host, chosen.port) as listener:
            prepare_folders(chosen)
            if chosen.log is not None:
                redirect_output(chosen.log)
            logging.basicConfig(
                level=logging.WARNING, format="%(asctime)s %(levelname)s %(message)s"
            )
            logging.getLogger("jimoto").setLevel(logging.INFO)
            settings = settings_from_environment(chosen.models, os.environ)
            serve(listener, settings, chosen.ready_file, chosen.idle_exit)
    except JimotoError as error:
        print(error, file=sys.stderr)
        return 1
    except OSError as error:
        print(f"The server cannot listen at '{chosen.host}': {error.strerror}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
