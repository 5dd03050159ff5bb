"""One's models for a room, or for a lesson: a read-only mirror in this process, and what it sent.

What a mirror may hand out and how is `jimoto.daemon.mirror`'s business. Here it is started and
ended, its bandwidth is measured, and it is said who can reach it and what they type.
"""

from __future__ import annotations

import contextlib
import ipaddress
import secrets
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from jimoto.connection import MODEL, mame_file
from jimoto.daemon.mirror import MIRROR_PORT, Shelf, describe_address, mirror_app
from jimoto.daemon.names import DEFAULT_TAG, ModelName
from jimoto.daemon.store import Entry, Store
from jimoto.errors import PortTaken
from jimoto.formats import size_text

if TYPE_CHECKING:
    from starlette.types import ASGIApp

ENOUGH_BYTES = 5_000_000  # less says little: it may still lie in the buffers of the two systems
SAY_AGAIN_SECONDS = 5.0
ROOM_HOST = "0.0.0.0"

_WORDS = {
    "en": {
        "take": "On another computer with Ollama, for {names}:",
        "here": "On this computer, for {names} (`jimoto mirror --room` serves others):",
        "pull": "  ollama pull --insecure {target}",
        "cp": "  ollama cp {target} {short}",
        "jimoto": "Where Jimoto's own server runs instead, start it anew with "
        "JIMOTO_REGISTRIES={address} set; then the same lines hold.",
        "placeholder": "(IP: this computer's address; none was found)",
        "stated": "{machines} machines, {size} each: {minutes} at {mbps:g} Mbit/s (as stated).",
        "unknown": "{machines} machines will need {total} in all. How long that takes is measured "
        "at the first pull from another computer; `--mbps N` computes it now.",
        "far": "Measured: {sent} to other computers in {seconds:.1f} s, {mbps:.0f} Mbit/s: "
        "{machines} machines, {size} each, need {minutes}.",
        "near": "Measured: {sent} in {seconds:.1f} s, {mbps:.0f} Mbit/s, but within this computer: "
        "that says nothing about the network of a room.",
        "minutes": "{n:.0f} min",
        "seconds": "{n:.0f} s",
        "stop": "Stop with Ctrl-C.",
    },
    "ja": {
        "take": "Ollamaのあるほかのコンピューターで({names}):",
        "here": "このコンピューターで({names}。ほかにも配るには `jimoto mirror --room`):",
        "pull": "  ollama pull --insecure {target}",
        "cp": "  ollama cp {target} {short}",
        "jimoto": "Jimotoの内蔵サーバーで受け取る場合は、環境変数 JIMOTO_REGISTRIES={address} を"
        "設定して起動し直すと、同じコマンドが使えます。",
        "placeholder": "(IPはこのコンピューターのアドレスです。自動では見つかりませんでした)",
        "stated": "{machines}台、1台あたり {size}: {mbps:g} Mbit/s(指定値)で{minutes}です。",
        "unknown": "{machines}台で合計 {total} です。かかる時間は、ほかのコンピューターから最初の"
        "pullがあったときに測ります。`--mbps 数値` ならいま計算します。",
        "far": "実測: ほかのコンピューターへ {sent} を{seconds:.1f}秒、{mbps:.0f} Mbit/s。"
        "{machines}台、1台あたり {size} なら{minutes}です。",
        "near": "実測: {sent} を{seconds:.1f}秒、{mbps:.0f} Mbit/s。ただしこのコンピューターの"
        "中だけなので、教室のネットワークの速さではありません。",
        "minutes": "約{n:.0f}分",
        "seconds": "約{n:.0f}秒",
        "stop": "終了するにはCtrl-Cを押してください。",
    },
}


# --- what was sent ---


@dataclass
class _Tally:
    sent_bytes: int = 0
    whole_bytes: int = 0  # of transfers that came to their end
    seconds: float = 0.0  # in which at least one transfer ran
    running: int = 0
    since: float = 0.0


@dataclass(frozen=True)
class Measured:
    """Bytes that were served, in how many seconds, and whether they left this computer."""

    sent_bytes: int
    seconds: float
    is_far: bool

    @property
    def mbps(self) -> float:
        """Megabits per second.

        >>> Measured(10_000_000, 2.0, True).mbps
        40.0
        """
        return self.sent_bytes * 8 / 1e6 / max(self.seconds, 1e-9)


@dataclass
class Bandwidth:
    """Counts what a mirror sends; `own` are this computer's addresses, whose pulls count apart.

    Bytes count when they are handed to the system, which for the last few is before they arrive.
    """

    own: Collection[str] = ()
    clock: Callable[[], float] = time.monotonic
    on_end: Callable[[], object] = lambda: None
    _near: _Tally = field(default_factory=_Tally)
    _far: _Tally = field(default_factory=_Tally)

    def begin(self, peer: str) -> None:
        tally = self._tally(peer)
        if not tally.running:
            tally.since = self.clock()
        tally.running += 1

    def sent(self, peer: str, size_bytes: int) -> None:
        self._tally(peer).sent_bytes += size_bytes

    def whole(self, peer: str, size_bytes: int) -> None:
        self._tally(peer).whole_bytes += size_bytes

    def end(self, peer: str) -> None:
        tally = self._tally(peer)
        tally.running -= 1
        if not tally.running:
            tally.seconds += self.clock() - tally.since
        self.on_end()

    @property
    def sent_bytes(self) -> int:
        """To whomever, in transfers that came to their end."""
        return self._near.whole_bytes + self._far.whole_bytes

    def measured(self) -> Measured | None:
        """The rate to other computers, else within this one; None before enough was sent."""
        now = self.clock()
        for tally, is_far in ((self._far, True), (self._near, False)):
            seconds = tally.seconds + (now - tally.since if tally.running else 0.0)
            if tally.sent_bytes >= ENOUGH_BYTES and seconds > 0:
                return Measured(tally.sent_bytes, seconds, is_far)
        return None

    def _tally(self, peer: str) -> _Tally:
        return self._near if peer in self.own or _is_loopback(peer) else self._far


def seconds_needed(size_bytes: int, n_machines: int, mbps: float) -> float:
    """Seconds until each machine has its copy: one network carries all copies, one after another.

    >>> seconds_needed(2_000_000_000, n_machines=30, mbps=100) / 60
    80.0
    """
    return size_bytes * 8 * n_machines / (mbps * 1e6)


# --- starting and ending ---


class Mirror:
    """A mirror in a thread of this process, until `close` or the end of a `with` block."""

    def __init__(self, app: ASGIApp, listener: socket.socket, bandwidth: Bandwidth) -> None:
        import uvicorn

        self.host, self.port = listener.getsockname()[:2]
        self.bandwidth = bandwidth
        self._listener = listener
        self._folder: Path | None = None
        config = uvicorn.Config(
            app, ws="none", lifespan="off", log_config=None, timeout_graceful_shutdown=1
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, daemon=True
        )
        self._thread.start()

    @property
    def address(self) -> str:
        """host:port, as it stands in front of a model's name."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def name(self) -> str:
        """The name under which mame can be pulled from here."""
        return f"{self.address}/library/{MODEL}"

    @property
    def sent_bytes(self) -> int:
        """Bytes of blobs that it has handed out so far."""
        return self.bandwidth.sent_bytes

    def close(self) -> None:
        """End it, and remove what was made for it. A second time does nothing."""
        self._server.should_exit = True
        self._thread.join()
        self._listener.close()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)

    def wait(self) -> None:
        """Until it ends, or Ctrl-C."""
        while self._thread.is_alive():  # a join without a limit cannot be interrupted on Windows
            self._thread.join(1.0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def start_mirror(
    source: Store | Shelf,
    entries: Sequence[Entry] = (),
    host: str = "127.0.0.1",
    port: int = 0,
    bandwidth: Bandwidth | None = None,
) -> Mirror:
    """Start a mirror of these models of a store, or of a whole shelf. Port 0: any free one.

    Errors: PortTaken; OSError where the address is not this computer's.
    """
    bandwidth = bandwidth or Bandwidth()
    names = {entry.name for entry in entries}
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError:
        if not _is_own(host, family):
            raise
        raise PortTaken(port, "jimoto mirror --port PORT") from None
    app = mirror_app(
        source,
        offers=lambda name: name in names,
        host_names=[] if _is_loopback(host) else [socket.getfqdn()],
        meter=bandwidth,
    )
    return Mirror(app, listener, bandwidth)


def loopback(salt: str | None = None, port: int = 0) -> Mirror:
    """A mirror on this computer alone that offers mame, for a pull that needs no network.

    The copy that it offers ends in 32 more bytes, which no engine reads: its digest is new to every
    server, so the first pull of `mirror.name` moves all of its bytes, and the second one none. With
    the same `salt` it is the same copy again. Use it in a `with` block, or call `close()`.

    >>> with loopback() as mirror:                                        # doctest: +SKIP
    ...     ollama.pull(mirror.name, insecure=True)
    ...     mirror.sent_bytes
    """
    from jimoto.daemon.library import Library

    folder = Path(tempfile.mkdtemp(prefix="jimoto-mirror-"))
    try:
        store = Store(folder)
        store.create_folders()
        tail = secrets.token_bytes(32) if salt is None else salt.encode().ljust(32, b"\0")[:32]
        digest, _ = store.add_blob(mame_file().read_bytes() + tail)
        for _ in Library(store).create({"model": MODEL, "files": {mame_file().name: digest}}):
            pass
        mirror = start_mirror(store, store.entries(), port=port)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    mirror._folder = folder
    return mirror


# --- who can reach it ---


def own_addresses() -> list[str]:
    """This computer's IPv4 addresses that others may reach; the one of its usual way out first."""
    import psutil

    found = [
        address.address
        for addresses in psutil.net_if_addrs().values()
        for address in addresses
        if address.family == socket.AF_INET and _is_reachable(address.address)
    ]
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # sends nothing: the system only chooses its own address
        usual = probe.getsockname()[0]
        found.sort(key=lambda address: address != usual)
    return found


def _is_reachable(text: str) -> bool:
    address = ipaddress.ip_address(text)
    return not (address.is_loopback or address.is_link_local or address.is_unspecified)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host in ("localhost", "")


def _is_own(host: str, family: socket.AddressFamily) -> bool:
    try:
        with socket.socket(family) as trial:
            trial.bind((host, 0))
    except OSError:
        return False
    return True


# --- words ---


def short_name(name: ModelName) -> str:
    """Without a tag where it is the usual one."""
    return name.short.removesuffix(f":{DEFAULT_TAG}")


def pull_target(name: ModelName, address: str) -> str:
    """What another computer pulls.

    >>> from jimoto.daemon.names import parse_name
    >>> pull_target(parse_name("llama3.2:1b"), "192.168.1.5:11435")
    '192.168.1.5:11435/library/llama3.2:1b'
    """
    target = f"{address}/{name.namespace}/{name.model}:{name.tag}"
    return target.removesuffix(f":{DEFAULT_TAG}")


def opening_text(
    mirror: Mirror, entries: Sequence[Entry], machines: int, mbps: float | None, lang: str
) -> str:
    """Who can reach the mirror, the lines that others type, and the time that a room needs."""
    words = _WORDS[lang]
    address = mirror.address
    lines = [describe_address(mirror.host, mirror.port, lang).rpartition("\n")[0]]
    if mirror.host in (ROOM_HOST, "::"):
        near = own_addresses()
        address = f"{near[0] if near else 'IP'}:{mirror.port}"
        lines += [] if near else [words["placeholder"]]
    names = sorted((entry.name for entry in entries), key=lambda name: name.parts)
    key = "here" if _is_loopback(mirror.host) else "take"
    lines += ["", words[key].format(names=", ".join(short_name(name) for name in names))]
    for name in names:
        target = pull_target(name, address)
        lines.append(words["pull"].format(target=target))
        lines.append(words["cp"].format(target=target, short=short_name(name)))
    if not _is_loopback(mirror.host):
        lines.append(words["jimoto"].format(address=address))
    size = total_size(entries)
    if mbps:
        span = span_text(seconds_needed(size, machines, mbps), lang)
        stated = words["stated"].format(
            machines=machines, size=size_text(size), minutes=span, mbps=mbps
        )
        lines += ["", stated]
    else:
        total = size_text(size * machines)
        lines += ["", words["unknown"].format(machines=machines, total=total)]
    return "\n".join([*lines, words["stop"]])


def measured_text(found: Measured, size_bytes: int, machines: int, lang: str) -> str:
    """What was measured, and what follows for a room, if anything does."""
    span = span_text(seconds_needed(size_bytes, machines, found.mbps), lang)
    return _WORDS[lang]["far" if found.is_far else "near"].format(
        sent=size_text(found.sent_bytes),
        seconds=found.seconds,
        mbps=found.mbps,
        machines=machines,
        size=size_text(size_bytes),
        minutes=span,
    )


def span_text(seconds: float, lang: str) -> str:
    """Minutes, or seconds where it is less than two minutes."""
    unit, n = ("minutes", seconds / 60) if seconds >= 120 else ("seconds", seconds)
    return _WORDS[lang][unit].format(n=n)


def total_size(entries: Sequence[Entry]) -> int:
    """Bytes of all blobs that these models need, each once."""
    sizes = {
        layer.digest: layer.size
        for entry in entries
        for layer in (entry.manifest.config, *entry.manifest.layers)
    }
    return sum(sizes.values())


def serve_room(
    store: Store,
    entries: Sequence[Entry],
    host: str,
    port: int | None,
    machines: int,
    mbps: float | None,
    lang: str,
    say: Callable[[str], object],
) -> None:
    """Run a mirror until Ctrl-C, and say what it measures after pulls, seldom enough to read."""
    said = [0.0]
    bandwidth = Bandwidth(own=own_addresses())

    def report() -> None:
        found, now = bandwidth.measured(), time.monotonic()
        if found and now - said[0] >= SAY_AGAIN_SECONDS:
            said[0] = now
            say(measured_text(found, total_size(entries), machines, lang))

    bandwidth.on_end = report
    chosen = MIRROR_PORT if port is None else port
    with start_mirror(store, entries, host, chosen, bandwidth) as mirror:
        say(opening_text(mirror, entries, machines, mbps, lang))
        with contextlib.suppress(KeyboardInterrupt):
            mirror.wait()
