"""kill -9 of the server in the middle of create, pull and copy, and what is found afterwards.

Every round starts a real server, begins one change of its store, and ends the server without a
warning: at a random moment of the clock, or just before the n-th change of a file, n being random.
Then a new server must list whole models only, the one that was being changed must answer, and the
same change made again must end well. `make fuzz` makes 50 rounds of each (`python
tests/daemon/crash.py`), `test_crash.py` a few. The moments of the clock come from the seed, but
what they hit does not; those before the n-th change repeat exactly.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import random
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import ollama
from tiny_gguf import write_tiny_gguf

from conftest import ROOT, create_model, listening, wait_until
from jimoto.daemon.gguf_check import check_gguf
from jimoto.daemon.library import Library
from jimoto.daemon.mirror import mirror_app
from jimoto.daemon.names import InvalidName, ModelName
from jimoto.daemon.store import Manifest, Store

PULLED_BYTES = 24 * 2**20  # so that a pull has three records of how far it is
LOST = (httpx.HTTPError, ollama.ResponseError, ConnectionError)

# The server, which ends itself before the n-th change of a file after SIGUSR1; n is in a file.
# SIGUSR2 writes how many changes were left.
SERVER = """
import os, signal, sys
folder = sys.argv.pop(1)
counter = sys.argv.pop(1)
left = 0
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT

def hook(event, values):
    global left
    if left <= 0 or not (event in CHANGES or event == "open" and (values[2] or 0) & WRITES):
        return
    if isinstance(values[0], int) or not os.fsdecode(values[0]).startswith(folder):
        return
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def arm(number, frame):
    global left
    with open(counter) as file:
        left = int(file.read())
    os.unlink(counter)

def tell(number, frame):
    with open(counter + ".new", "w") as file:
        file.write(str(left))
    os.replace(counter + ".new", counter)

sys.addaudithook(hook)
if hasattr(signal, "SIGUSR1"):
    signal.signal(signal.SIGUSR1, arm)
    signal.signal(signal.SIGUSR2, tell)
from jimoto.daemon.__main__ import main
sys.exit(main())
"""
MANY = 10**9


@dataclass
class Room:
    """A folder of models, the server on it, and a mirror on this machine to pull from."""

    folder: Path
    mirror: str
    offered: Store
    gguf: bytes
    process: subprocess.Popen[bytes] | None = None
    client: ollama.Client | None = None  # of the running server
    sound: set[tuple[str, int, int]] = field(default_factory=set)  # files that were hashed

    @property
    def store(self) -> Store:
        return Store(self.folder / "models")

    @property
    def counter(self) -> Path:
        return self.folder / "counter"

    def start(self) -> ollama.Client:
        ready = self.folder / "ready.json"
        ready.unlink(missing_ok=True)
        models = str(self.store.models)
        command = [sys.executable, "-c", SERVER, models, str(self.counter), "--port", "0",
                   "--models", models, "--ready-file", str(ready)]  # fmt: skip
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "JIMOTO_MIRROR": self.mirror}
        self.process = process = subprocess.Popen(
            [*command, "--log", str(self.folder / "log.txt")], env=environment
        )
        wait_until(lambda: ready.exists() or process.poll() is not None)
        assert process.poll() is None, (self.folder / "log.txt").read_text()
        self.client = ollama.Client(f"http://127.0.0.1:{json.loads(ready.read_text())['port']}")
        return self.client

    def end(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def kill(self) -> None:
        self.end()
        if self.client is not None:
            self.client.close()
            self.client = None

    def arm(self, count: int) -> None:
        assert self.process is not None
        self.counter.write_text(str(count))
        self.process.send_signal(signal.SIGUSR1)
        wait_until(lambda: not self.counter.exists())

    def left(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGUSR2)
        wait_until(self.counter.exists)
        found = int(self.counter.read_text())
        self.counter.unlink()
        return found

    def new_gguf(self, number: int, size: int = 0) -> bytes:
        """The tiny model with a tail, which makes it another blob; llama.cpp passes it over."""
        return self.gguf + number.to_bytes(16, "little") + bytes(max(0, size - len(self.gguf)))

    def offer(self, number: int) -> None:
        """The mirror's model `big` in another version."""
        path = self.folder / "big.gguf"
        path.write_bytes(self.new_gguf(number, PULLED_BYTES))
        create_model(Library(self.offered), "big", path)


@contextlib.contextmanager
def room() -> Iterator[Room]:
    """With `base` and `other` in the store of the server, and nothing on the way."""
    with tempfile.TemporaryDirectory(prefix="jimoto-crash-") as name:
        folder = Path(name).resolve()
        offered = Store(folder / "offered")
        offered.create_folders()
        gguf = write_tiny_gguf(folder / "tiny.gguf")
        with listening(mirror_app(offered)) as address:
            made = Room(folder, address, offered, gguf.read_bytes())
            made.store.create_folders()
            library = Library(made.store)
            create_model(library, "base", gguf)
            create_model(library, "other", gguf, system="Another.")
            try:
                yield made
            finally:
                made.kill()


# --- the changes ----------------------------------------------------------------------


@dataclass(frozen=True)
class Scene:
    """A change of the store that can be made again and again; `number` makes it a new one."""

    name: str
    model: str  # what is replaced
    prepare: Callable[[Room, int], None]
    act: Callable[[Room, ollama.Client, int], Any]


def create(room: Room, client: ollama.Client, number: int) -> None:
    path = room.folder / "new.gguf"
    path.write_bytes(room.new_gguf(number))
    digest = client.create_blob(path)
    client.create(
        "made", files={"m.gguf": digest}, system=f"Number {number}.", parameters={"seed": number}
    )


def pull(room: Room, client: ollama.Client, number: int) -> int:
    """The bytes that were there before, of the largest layer."""
    items = [i for i in client.pull("big", stream=True) if (i.total or 0) > PULLED_BYTES // 2]
    assert items and items[-1].completed == items[-1].total
    return items[0].completed or 0


def copy(room: Room, client: ollama.Client, number: int) -> None:
    client.copy(("base", "other")[number % 2], "copied")


def _nothing(room: Room, number: int) -> None:
    pass


SCENES = (
    Scene("create", "made", _nothing, create),
    Scene("pull", "big", Room.offer, pull),
    Scene("copy", "copied", _nothing, copy),
)


# --- one round ------------------------------------------------------------------------


@dataclass
class Tally:
    """What was seen in the rounds of one scene."""

    rounds: int = 0
    unfinished: int = 0  # the change had not been made when the server died
    interrupted: int = 0  # the client had no answer yet
    resumed: int = 0  # a pull that went on where the first had ended
    leftovers: int = 0  # left a file that is neither blob nor manifest; gone an hour later


@dataclass(frozen=True)
class Span:
    """How long a change takes when nobody interferes."""

    seconds: float
    changes: int  # of files


def measure(room: Room, scene: Scene) -> Span:
    """Make the change twice: the second time replaces, as every later one does."""
    client = room.start()
    scene.prepare(room, 1)
    scene.act(room, client, 1)
    scene.prepare(room, 2)
    if hasattr(signal, "SIGUSR1"):
        room.arm(MANY)
    began = time.monotonic()
    scene.act(room, client, 2)
    seconds = time.monotonic() - began
    return Span(seconds, MANY - room.left() if hasattr(signal, "SIGUSR1") else 0)


def play(room: Room, scene: Scene, span: Span, number: int, chance: random.Random) -> Tally:
    """One round: change, kill, look, change again. Its second server is the next round's first."""
    scene.prepare(room, number)
    before = _digest(room, scene.model)
    # 1) the change, and the end in the middle of it
    client = room.client or room.start()
    known = set(check_store(room))
    by_count = span.changes > 0 and number % 2 == 1
    if by_count:
        room.arm(chance.randint(1, span.changes))
    finished = threading.Event()

    def act() -> None:
        with contextlib.suppress(*LOST):
            scene.act(room, client, number)
            finished.set()

    thread = threading.Thread(target=act)
    delay = chance.uniform(0, 1.1 * span.seconds)
    thread.start()
    if by_count:
        thread.join(60)
    else:
        time.sleep(delay)
    was_interrupted = not finished.is_set()
    room.end()
    thread.join()
    room.kill()
    # 2) what is there now is whole, and is the old model or the new one
    leftovers = set(check_store(room)) - known
    after = _digest(room, scene.model)
    assert before is None or after is not None, f"{scene.model} has gone"
    client = room.start()
    listed = {model.model for model in client.list().models}
    assert listed == {entry.name.short for entry in room.store.entries()}
    if after is not None:
        runs(client, scene.model)
    # 3) the same change again
    there = scene.act(room, client, number)
    assert f"{scene.model}:latest" in {model.model for model in client.list().models}
    left = check_store(room)
    assert not [name for name in left if "-partial" in name], left
    return Tally(1, after == before, was_interrupted, bool(there), bool(leftovers))


def runs(client: ollama.Client, name: str) -> None:
    answer = client.generate(name, "x", options={"num_predict": 2}, think=False)
    assert answer.done and answer.eval_count


def _digest(room: Room, model: str) -> str | None:
    names = {entry.name.short: entry.digest for entry in room.store.entries()}
    return names.get(f"{model}:latest")


def check_store(room: Room) -> list[str]:
    """Every blob is what its name says, every manifest has its blobs; the names of the rest."""
    rest = []
    for path in sorted(room.store.blobs.iterdir()):
        if path.name.startswith(".jimoto-") or "-partial" in path.name:
            rest.append(path.name)
            continue
        info = path.stat()
        stamp = (path.name, info.st_size, info.st_mtime_ns)
        if stamp not in room.sound:
            with path.open("rb") as file:
                actual = hashlib.file_digest(file, "sha256").hexdigest()
            assert path.name == f"sha256-{actual}", "a blob is not what its name says"
            room.sound.add(stamp)
    for path in sorted(room.store.manifests.rglob("*")):
        if not path.is_file():
            continue
        if path.name.startswith(".jimoto-"):
            rest.append(path.name)
            continue
        try:
            ModelName(*path.relative_to(room.store.manifests).parts)
        except (InvalidName, TypeError):
            raise AssertionError(f"{path.name} is no name of a model") from None
        manifest = Manifest.parse(path.read_bytes())
        for layer in (manifest.config, *manifest.layers):
            blob = room.store.blob_path(layer.digest)
            assert blob.stat().st_size == layer.size, "a layer is missing or half there"
            if layer.media_type.endswith(".model"):
                check_gguf(blob)
    return rest


def check_cleaning(room: Room) -> None:
    """Two hours later, a new server removes whatever no manifest names; every model still runs."""
    old = time.time() - 7200
    for path in [*room.store.blobs.iterdir(), *room.store.manifests.rglob(".jimoto-*")]:
        os.utime(path, (old, old))
    room.kill()
    client = room.start()
    used = {d.replace(":", "-") for e in room.store.entries() for d in e.manifest.digests}
    assert {path.name for path in room.store.blobs.iterdir()} == used
    assert not list(room.store.manifests.rglob(".jimoto-*"))
    for model in client.list().models:
        runs(client, str(model.model))


def play_all(room: Room, scene: Scene, rounds: int, start: int) -> Tally:
    """So many rounds of one scene, then the cleaning."""
    chance = random.Random(f"{start}/{scene.name}")
    span = measure(room, scene)
    total = Tally()
    for number in range(3, 3 + rounds):
        found = play(room, scene, span, number, chance)
        for name, value in vars(found).items():
            setattr(total, name, getattr(total, name) + value)
    check_cleaning(room)
    return total


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=50, help="of each scene")
    parser.add_argument("--seed", type=int, help="default: a new one, which is printed")
    parser.add_argument("--scene", choices=[scene.name for scene in SCENES], help="default: all")
    asked = parser.parse_args(arguments)
    start = secrets.randbelow(10**6) if asked.seed is None else asked.seed
    print(f"seed {start}", flush=True)
    for scene in SCENES:
        if asked.scene in (None, scene.name):
            with room() as made:
                began = time.monotonic()
                tally = play_all(made, scene, asked.rounds, start)
                print(f"{scene.name}: {tally}, {time.monotonic() - began:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
