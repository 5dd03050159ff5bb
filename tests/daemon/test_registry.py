"""Pulling from a registry on loopback that can cut, stall, lie, redirect and send bombs."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import gzip
import hashlib
import json
import shutil
import ssl
from collections import namedtuple
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jimoto.daemon import registry_parts
from jimoto.daemon.names import parse_name
from jimoto.daemon.registry import Puller, read_manifest
from jimoto.daemon.registry_client import RegistrySettings, registry_settings_from_environment
from jimoto.daemon.registry_guard import PullFailed, is_public
from jimoto.daemon.registry_parts import Part, PartFiles, plan_parts
from jimoto.daemon.store import CONFIG_TYPE, MANIFEST_TYPE, Store
from jimoto.daemon.wire import ApiError

MODEL_TYPE = "application/vnd.ollama.image.model"
SYSTEM_TYPE = "application/vnd.ollama.image.system"
WEIGHTS = bytes((i * 7 + i // 251) % 256 for i in range(400))
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # knows no authority; nothing here speaks TLS
SMALL = RegistrySettings(
    part_count=4,
    min_part_bytes=50,
    max_part_bytes=100,
    attempts=1,
    stall_seconds=5,
    progress_seconds=0.005,
)


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def manifest_of(config: bytes, *layers: tuple[str, bytes]) -> bytes:
    def layer(media_type: str, content: bytes) -> dict[str, object]:
        return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}

    value = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": layer(CONFIG_TYPE, config),
        "layers": [layer(*each) for each in layers],
        "unknown": "kept",
    }
    return json.dumps(value, indent=1).encode()  # not compact: it must be stored as it came


@dataclass(frozen=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]

    @property
    def span(self) -> tuple[int, int] | None:
        if "range" not in self.headers:
            return None
        first, _, last = self.headers["range"].removeprefix("bytes=").partition("-")
        return int(first), int(last) + 1


@dataclass
class Reply:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class FakeRegistry:
    """One model, `library/m:latest`. Each connection carries one request."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    manifest: bytes = b""
    special: Callable[[Asked], Reply | None] = lambda asked: None
    budget: int | None = None  # so many bytes of ranges are sent; then connections just close
    hang: bool = False  # when the budget is spent: send nothing more, but stay
    log: list[Asked] = field(default_factory=list)
    sent: int = 0
    port: int = 0

    def add(self, config: bytes, *layers: tuple[str, bytes]) -> None:
        self.manifest = manifest_of(config, *layers)
        self.blobs |= {digest_of(c): c for c in (config, *(content for _, content in layers))}

    @property
    def name(self) -> str:
        return f"127.0.0.1:{self.port}/library/m"

    def ranges(self) -> list[Asked]:
        return [asked for asked in self.log if asked.span]

    def reply(self, asked: Asked) -> Reply:
        found = self.special(asked)
        if found is not None:
            return found
        if asked.path == "/v2/library/m/manifests/latest" and self.manifest:
            return Reply(200, self.manifest)
        content = self.blobs.get(asked.path.rpartition("/")[2])
        if content is None:
            return Reply(404, b"{}")
        if asked.span is None:
            return Reply(200, content)
        start, stop = asked.span
        span = f"bytes {start}-{stop - 1}/{len(content)}"
        return Reply(206, content[start:stop], {"Content-Range": span})

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
            lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, path, _ = lines[0].split(" ")
            pairs = (line.partition(": ") for line in lines[1:] if line)
            asked = Asked(method, path, {key.lower(): value for key, _, value in pairs})
            self.log.append(asked)
            await self._send(writer, asked, self.reply(asked))
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def _send(self, writer: asyncio.StreamWriter, asked: Asked, reply: Reply) -> None:
        headers = {"Content-Length": str(len(reply.body)), "Connection": "close"} | reply.headers
        head = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
        body = b"" if asked.method == "HEAD" else reply.body
        if asked.span and self.budget is not None:
            body = body[: max(0, self.budget - self.sent)]
        self.sent += len(body) if asked.span else 0
        writer.write(f"HTTP/1.1 {reply.status} X\r\n{head}\r\n".encode() + body)
        await writer.drain()
        if self.hang and asked.span and len(body) < len(reply.body):
            self.hang = False
            self.budget = None
            await asyncio.sleep(30)


@contextlib.asynccontextmanager
async def running(registry: FakeRegistry) -> AsyncIterator[FakeRegistry]:
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.create_task(registry.answer(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    registry.port = server.sockets[0].getsockname()[1]
    try:
        yield registry
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # for what has just been closed


async def no_sleep(seconds: float) -> None:
    await asyncio.sleep(0)


def make_puller(store: Store, config: RegistrySettings = SMALL) -> Puller:
    return Puller(store, config, sleep=no_sleep, tls=TLS)


async def pull(store: Store, registry: FakeRegistry, config: RegistrySettings = SMALL) -> list:
    return [item async for item in make_puller(store, config).pull(registry.name, insecure=True)]


def pull_once(store: Store, registry: FakeRegistry, config: RegistrySettings = SMALL) -> list:
    async def run() -> list:
        async with running(registry):
            return await pull(store, registry, config)

    return asyncio.run(run())


def error_of(store: Store, registry: FakeRegistry, config: RegistrySettings = SMALL) -> str:
    with pytest.raises(ApiError) as caught:
        pull_once(store, registry, config)
    return caught.value.text


@pytest.fixture(autouse=True)
def _no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here pulls a plug, and a busy disk makes each sync slow."""
    monkeypatch.setattr("os.fsync", lambda number: None)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "models")


@pytest.fixture
def registry() -> FakeRegistry:
    made = FakeRegistry()
    made.add(b'{"model_format":"gguf"}', (MODEL_TYPE, WEIGHTS), (SYSTEM_TYPE, b"Be brief."))
    return made


def files_of(store: Store) -> set[str]:
    return {path.name for path in store.blobs.glob("*")}


def assert_pulled(store: Store, registry: FakeRegistry) -> None:
    entry = store.find(parse_name(registry.name))
    assert entry is not None
    assert store.manifest_path(entry.name).read_bytes() == registry.manifest
    for digest, content in registry.blobs.items():
        assert store.blob_path(digest).read_bytes() == content
    assert files_of(store) == {digest.replace(":", "-") for digest in registry.blobs}


# --- a pull that goes well ---


def test_a_pull_says_what_ollama_says(store, registry):
    items = pull_once(store, registry)
    texts = list(dict.fromkeys(item["status"] for item in items))
    layers = [digest.removeprefix("sha256:")[:12] for digest in _in_order(registry)]
    assert texts == [
        "pulling manifest",
        *(f"pulling {twelve}" for twelve in layers),
        "verifying sha256 digest",
        "writing manifest",
        "success",
    ]
    assert_pulled(store, registry)


def _in_order(registry: FakeRegistry) -> list[str]:
    value = json.loads(registry.manifest)
    return [layer["digest"] for layer in (*value["layers"], value["config"])]


def test_progress_grows_to_the_whole_and_zero_is_absent(store, registry):
    weights = digest_of(WEIGHTS)
    items = [item for item in pull_once(store, registry) if item.get("digest") == weights]
    counts = [item.get("completed", 0) for item in items]
    assert counts == sorted(counts) and counts[-1] == 400
    assert all(item["total"] == 400 and item.get("completed") != 0 for item in items)


def test_what_a_killed_server_left_beside_a_whole_blob_is_taken_away(store, registry):
    """It dies after the blob has its name, before its records are gone. Found by kill -9."""
    pull_once(store, registry)
    record = PartFiles(store.blob_path(digest_of(WEIGHTS))).record_path(0)
    record.write_text('{"N":0,"Offset":0,"Size":400,"Completed":400}')
    record.with_name(f".jimoto-{record.name}").write_text('{"N":0')
    pull_once(store, registry)
    assert_pulled(store, registry)


def test_a_blob_that_is_here_is_not_asked_for(store, registry):
    pull_once(store, registry)
    registry.log.clear()
    items = pull_once(store, registry)
    assert [asked.path for asked in registry.log] == ["/v2/library/m/manifests/latest"]
    size = {"total": 400, "completed": 400}
    assert items[1] == {"status": items[1]["status"], "digest": digest_of(WEIGHTS)} | size


def test_a_new_manifest_removes_only_what_nobody_else_uses(store, registry):
    async def run() -> list:
        async with running(registry):
            await pull(store, registry)
            kept = store.find(parse_name(registry.name))
            store.write_manifest(parse_name("other"), kept.manifest)
            registry.blobs.clear()
            registry.add(b'{"a":1}', (MODEL_TYPE, WEIGHTS))
            await pull(store, registry)
            store.delete(store.find(parse_name("other")))
            registry.add(b'{"a":1}', (MODEL_TYPE, b"changed"))
            del registry.blobs[digest_of(WEIGHTS)]
            return await pull(store, registry)

    assert "removing unused layers" in [item["status"] for item in asyncio.run(run())]
    assert_pulled(store, registry)


def test_a_digest_named_twice_is_fetched_and_verified_once(store, registry):
    registry.add(b"{}", (MODEL_TYPE, WEIGHTS), (MODEL_TYPE, WEIGHTS))
    registry.blobs = {digest: registry.blobs[digest] for digest in _in_order(registry)}
    pull_once(store, registry)
    assert (
        len([a for a in registry.log if a.method == "HEAD" and digest_of(WEIGHTS) in a.path]) == 1
    )
    assert_pulled(store, registry)


def test_an_empty_layer_is_a_layer(store, registry):
    registry.add(b"{}", (MODEL_TYPE, WEIGHTS), (SYSTEM_TYPE, b""))
    registry.blobs = {digest: registry.blobs[digest] for digest in _in_order(registry)}
    pull_once(store, registry)
    assert_pulled(store, registry)


def test_large_blobs_are_cut_as_ollama_cuts_them():
    sizes = [part.size for part in plan_parts(4 * 10**9, RegistrySettings())]
    assert sizes == [250 * 10**6] * 16
    assert len(plan_parts(40 * 10**9, RegistrySettings())) == 40


def test_a_mirror_stands_in_for_the_usual_registry(store, registry):
    async def run() -> None:
        async with running(registry):
            config = RegistrySettings(mirror=f"127.0.0.1:{registry.port}")
            async for _ in make_puller(store, config).pull("m"):
                pass

    asyncio.run(run())
    assert store.find(parse_name("m")) is not None


# --- cut, stalled, cancelled, resumed ---


@pytest.mark.parametrize("cut", [*range(0, 400, 13), 1, 99, 100, 101, 199, 200, 201, 399, 400])
def test_a_pull_cut_off_at_any_byte_and_started_again_ends_well(store, registry, cut):
    registry.budget = cut
    with contextlib.suppress(PullFailed):
        pull_once(store, registry)
    kept = PartFiles(store.blob_path(digest_of(WEIGHTS))).read(400)
    had = sum(part.completed for part in kept)
    finished = {(part.offset, part.offset + part.size) for part in kept if part.completed == 100}
    registry.budget, registry.sent = None, 0
    registry.log.clear()
    pull_once(store, registry)
    assert_pulled(store, registry)
    weights = [asked for asked in registry.ranges() if digest_of(WEIGHTS) in asked.path]
    assert not finished & {asked.span for asked in weights}
    if cut < 400:
        assert had == cut
        assert sum(asked.span[1] - asked.span[0] for asked in weights) == 400 - had


@pytest.mark.parametrize("cut", range(13))
def test_a_pull_cut_off_at_any_request_and_started_again_ends_well(store, registry, cut):
    def special(asked: Asked) -> Reply | None:
        if len(registry.log) == cut + 1:
            raise ConnectionResetError
        return None

    registry.special = special
    with contextlib.suppress(PullFailed):
        pull_once(store, registry)
    registry.special = lambda asked: None
    pull_once(store, registry)
    assert_pulled(store, registry)


def test_the_parts_lie_on_disk_as_ollama_writes_them(store, registry):
    registry.budget = 150
    error_of(store, registry)
    name = digest_of(WEIGHTS).replace(":", "-")
    assert files_of(store) == {f"{name}-partial", *(f"{name}-partial-{n}" for n in range(4))}
    assert (store.blobs / f"{name}-partial").stat().st_size == 400
    first = json.loads((store.blobs / f"{name}-partial-0").read_text(encoding="utf-8"))
    assert list(first) == ["N", "Offset", "Size", "Completed"]
    records = [json.loads((store.blobs / f"{name}-partial-{n}").read_bytes()) for n in range(4)]
    assert [(r["N"], r["Offset"], r["Size"]) for r in records] == [
        (n, n * 100, 100) for n in range(4)
    ]
    assert sum(r["Completed"] for r in records) == 150


def test_what_ollama_began_is_continued(store, registry):
    files = PartFiles(store.blob_path(digest_of(WEIGHTS)))
    files.create([Part(0, 0, 250, 250), Part(1, 250, 150, 50)], 400)
    files.partial.write_bytes(WEIGHTS[:300] + bytes(100))
    pull_once(store, registry)
    weights = [a.span for a in registry.ranges() if digest_of(WEIGHTS) in a.path]
    assert weights == [(300, 400)]
    assert_pulled(store, registry)


@pytest.mark.parametrize(
    "record",
    [b"", b"{", b"[]", b"null", b'{"N":0}', b'{"N":0,"Offset":0,"Size":400,"Completed":401}',
     b'{"N":0,"Offset":-1,"Size":401,"Completed":0}',
     b'{"N":9,"Offset":0,"Size":400,"Completed":0}',
     b'{"N":"0","Offset":0,"Size":400,"Completed":0}', b'{"N":0,"Offset":0,"Size":1,"Completed":1}',
     b"[" * 5000],
)  # fmt: skip
def test_records_that_cannot_be_are_thrown_away(store, registry, record):
    store.create_folders()
    files = PartFiles(store.blob_path(digest_of(WEIGHTS)))
    files.partial.write_bytes(bytes(400))
    files.record_path(0).write_bytes(record)
    pull_once(store, registry)
    assert_pulled(store, registry)


def test_a_part_is_tried_six_times_with_longer_and_longer_waits(store, registry):
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    def special(asked: Asked) -> Reply | None:
        return Reply(500) if asked.span else None

    async def run() -> None:
        registry.special = special
        config = RegistrySettings(min_part_bytes=400, stall_seconds=5)
        async with running(registry):
            puller = Puller(store, config, sleep=sleep, tls=TLS)
            async for _ in puller.pull(registry.name, insecure=True):
                pass

    with pytest.raises(PullFailed, match="max retries exceeded"):
        asyncio.run(run())
    assert waits == [1, 2, 4, 8, 16]


def test_a_stalled_part_is_restarted_and_that_does_not_count(store, registry):
    registry.budget, registry.hang = 150, True
    config = RegistrySettings(min_part_bytes=400, attempts=1, stall_seconds=0.3)
    pull_once(store, registry, config)
    assert_pulled(store, registry)
    assert [a.span for a in registry.ranges()][:2] == [(0, 400), (150, 400)]


def test_two_pulls_share_one_download(store, registry):
    async def run() -> None:
        async with running(registry):
            puller = make_puller(store)
            pulls = [puller.pull(registry.name, insecure=True) for _ in range(3)]
            await asyncio.gather(*map(_drain, pulls))

    asyncio.run(run())
    assert_pulled(store, registry)
    spans = [asked.span for asked in registry.ranges() if digest_of(WEIGHTS) in asked.path]
    assert len(spans) == len(set(spans)) == 4


async def _drain(items) -> None:
    async for _ in items:
        pass


async def _until_stuck(registry: FakeRegistry) -> None:
    """Until the registry has sent its budget and hangs."""
    while registry.hang:
        await asyncio.sleep(0.005)
    await asyncio.sleep(0.05)


def test_a_cancelled_pull_keeps_its_parts_and_resumes(store, registry):
    async def run() -> int:
        registry.budget, registry.hang = 150, True
        config = RegistrySettings(min_part_bytes=400, attempts=1)
        async with running(registry):
            first = asyncio.create_task(pull(store, registry, config))
            await _until_stuck(registry)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            kept = PartFiles(store.blob_path(digest_of(WEIGHTS))).read(400)
            await pull(store, registry, config)
            return kept[0].completed

    assert asyncio.run(run()) == 150
    assert_pulled(store, registry)
    assert [a.span for a in registry.ranges()][:2] == [(0, 400), (150, 400)]


def test_a_stream_that_is_closed_ends_the_download(store, registry):
    async def run() -> None:
        registry.budget, registry.hang = 150, True
        async with running(registry):
            puller = make_puller(store)
            items = puller.pull(registry.name, insecure=True)
            while not (await anext(items)).get("completed"):
                pass
            await items.aclose()
            assert puller._downloads == {}
            await _drain(puller.pull(registry.name, insecure=True))

    asyncio.run(run())
    assert_pulled(store, registry)


def test_the_first_of_two_to_leave_ends_nothing(store, registry):
    async def run() -> None:
        registry.budget, registry.hang = 150, True
        config = RegistrySettings(min_part_bytes=400, attempts=1, stall_seconds=0.5)
        async with running(registry):
            puller = make_puller(store, config)
            tasks = [
                asyncio.create_task(_drain(puller.pull(registry.name, insecure=True)))
                for _ in range(2)
            ]
            await _until_stuck(registry)
            tasks[0].cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            assert tasks[0].cancelled() and tasks[1].exception() is None

    asyncio.run(run())
    assert_pulled(store, registry)


def test_a_full_disk_stops_at_once_and_keeps_the_old_model(store, registry, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(1000, 900, 100))
    assert "no space left on device" in error_of(store, registry)
    assert registry.ranges() == []


def test_a_disk_that_fills_up_is_not_tried_again(store, registry, monkeypatch):
    def flush(writer: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(registry_parts._PartWriter, "flush", flush)
    config = RegistrySettings(min_part_bytes=400)
    assert error_of(store, registry, config) == "no space left on device"
    assert len(registry.ranges()) == 1


# --- bytes that are not what they should be ---


def test_a_wrong_digest_is_removed_and_nothing_is_listed(store, registry):
    registry.blobs[digest_of(WEIGHTS)] = WEIGHTS[:-1] + b"!"
    text = error_of(store, registry)
    assert text.startswith("digest mismatch, file must be downloaded again: want sha256:")
    assert not any(digest_of(WEIGHTS).removeprefix("sha256:") in name for name in files_of(store))
    assert store.entries() == []


def test_an_older_model_survives_a_failed_pull(store, registry):
    pull_once(store, registry)
    before = registry.manifest
    registry.add(b"{}", (MODEL_TYPE, b"new"))
    registry.blobs[digest_of(b"new")] = b"bad"
    error_of(store, registry)
    assert store.manifest_path(parse_name(registry.name)).parent.exists() or before
    assert [entry.manifest.digests for entry in store.entries()] == [
        read_manifest(before, SMALL).digests
    ]


def test_a_model_that_is_not_there(store, registry):
    registry.manifest = b""
    assert error_of(store, registry) == "pull model manifest: file does not exist"


def test_another_error_of_the_registry_is_passed_on(store, registry):
    registry.special = lambda asked: Reply(412, b"needs a newer\nversion\x1b[31m" + b"x" * 9999)
    text = error_of(store, registry)
    assert text.startswith("pull model manifest: 412: needs a newer version [31mx")
    assert len(text) < 400 and text.isprintable()


ODD_DIGESTS = ["", "sha256:", "sha256:" + "g" * 64, "sha256:" + "a" * 63, "sha512:" + "a" * 64,
               "../../../../etc/passwd", "sha256:../" + "a" * 61, "sha256-" + "a" * 64 + "\n",
               "sha256:" + "a" * 64 + "/..", None, 7, [], {}]  # fmt: skip


@pytest.mark.parametrize("digest", ODD_DIGESTS)
def test_cve_2024_37032_and_2025_1975_odd_digests_fetch_and_write_nothing(store, registry, digest):
    value = json.loads(registry.manifest)
    value["layers"][0]["digest"] = digest
    registry.manifest = json.dumps(value).encode()
    assert error_of(store, registry) == "pull model manifest: invalid digest format"
    assert len(registry.log) == 1
    assert files_of(store) == set()


GOOD = {"mediaType": MODEL_TYPE, "digest": digest_of(b"x"), "size": 1}
CONFIG = {"mediaType": CONFIG_TYPE, "digest": digest_of(b"{}"), "size": 2}


@pytest.mark.parametrize(
    "value",
    [
        None, [], 1, "x", {}, {"config": CONFIG}, {"config": CONFIG, "layers": None},
        {"config": CONFIG, "layers": []}, {"config": None, "layers": [GOOD]},
        {"config": GOOD, "layers": [GOOD]}, {"config": CONFIG, "layers": [None]},
        {"config": CONFIG, "layers": [GOOD | {"size": -1}]},
        {"config": CONFIG, "layers": [GOOD | {"size": True}]},
        {"config": CONFIG, "layers": [GOOD | {"size": 1.5}]},
        {"config": CONFIG, "layers": [GOOD | {"size": 10**30}]},
        {"config": CONFIG, "layers": [GOOD | {"mediaType": "a\nb"}]},
        {"config": CONFIG | {"size": 10**9}, "layers": [GOOD]},
        {"config": CONFIG, "layers": [GOOD] * 1001},
        {"config": CONFIG, "layers": {"mediaType": 1}},
        {"config": CONFIG, "layers": [GOOD, GOOD | {"size": 2}]},
    ],
)  # fmt: skip
def test_cve_2025_1975_a_manifest_that_cannot_be_is_refused(store, registry, value):
    registry.manifest = json.dumps(value).encode()
    assert error_of(store, registry).startswith("pull model manifest: ")
    assert len(registry.log) == 1


@pytest.mark.parametrize(
    "raw", [b"<!DOCTYPE html>", b"{", b"[" * 100_000, b"\xff\xfe", b"9" * 5000]
)
def test_a_manifest_that_is_not_json_is_refused(store, registry, raw):
    registry.manifest = raw
    assert error_of(store, registry) == "pull model manifest: this is not a manifest"


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just(GOOD["digest"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["config", "layers", "digest", "size", "mediaType"]), inner, max_size=5
    ),
))  # fmt: skip
@settings(max_examples=100, deadline=None)
def test_whatever_a_manifest_claims_the_error_is_ours(value):
    with contextlib.suppress(PullFailed):
        read_manifest(json.dumps(value).encode(), SMALL)


@pytest.mark.parametrize("kind", ["tensor", "json"])
def test_models_for_mlx_are_refused_in_words(store, registry, kind):
    registry.add(b"{}", (f"application/vnd.ollama.image.{kind}", b"x"))
    assert "MLX" in error_of(store, registry)


def test_cve_2024_12886_a_gzip_bomb_is_not_unpacked(store, registry):
    bomb = gzip.compress(bytes(64 * 2**20))
    registry.special = lambda asked: Reply(200, bomb, {"Content-Encoding": "gzip"})
    assert error_of(store, registry).startswith(
        "pull model manifest: the registry's answer is larg"
    )


def test_a_gzipped_manifest_of_good_size_is_read(store, registry):
    packed = gzip.compress(registry.manifest)

    def special(asked: Asked) -> Reply | None:
        is_manifest = "manifests" in asked.path
        return Reply(200, packed, {"Content-Encoding": "gzip"}) if is_manifest else None

    registry.special = special
    pull_once(store, registry)
    assert_pulled(store, registry)


def test_a_manifest_without_end_is_cut(store, registry):
    registry.manifest = b" " * (5 * 2**20)
    assert "larger than" in error_of(store, registry)


def test_a_blob_of_another_size_than_its_manifest_says_is_refused(store, registry):
    registry.blobs[digest_of(WEIGHTS)] += b"more"
    assert "404 bytes, not 400" in error_of(store, registry)
    assert registry.ranges() == []


def test_more_bytes_than_asked_for_do_not_reach_the_next_part(store, registry):
    def special(asked: Asked) -> Reply | None:
        if not asked.span:
            return None
        content = registry.blobs[asked.path.rpartition("/")[2]]
        start = asked.span[0]
        return Reply(206, content[start:] + b"?" * 500, {"Content-Range": f"bytes {start}-399/400"})

    registry.special = special
    pull_once(store, registry)
    assert_pulled(store, registry)


def test_a_range_from_elsewhere_is_not_written(store, registry):
    registry.special = lambda a: (
        Reply(206, b"x" * 100, {"Content-Range": "bytes 7-106/400"}) if a.span else None
    )
    assert "another range" in error_of(store, registry)


# --- names, hosts, redirects, tokens ---


@pytest.mark.parametrize(
    "name", ["", "/m", "..", "../../x", "a/../b", "h/n/..", "m:..", "m:t/../x", "a\\b", "m\n", "日",
             "a@sha256:x", "h:x/n/m", "h:99999/n/m", "[::1]/n/m", "file:///etc/passwd", "ftp://h/n",
             "http:///etc/passwd", "127.0.0.1/../m", ".hidden", "x" * 81],
)  # fmt: skip
def test_cve_2024_39722_odd_names_are_refused_before_anything_happens(store, name):
    with pytest.raises(ApiError) as caught:
        make_puller(store).pull(name, insecure=True)
    assert caught.value.status in (400, 403)
    assert not store.models.exists()


@pytest.mark.parametrize(
    ("name", "insecure"),
    [("evil.example/n/m", False), ("169.254.169.254/n/m", True), ("10.0.0.1/n/m", True),
     ("127.0.0.1:1/n/m", False), ("localhost/n/m", False), ("hf.co.evil.example/n/m", False)],
)  # fmt: skip
def test_cve_2026_5530_only_listed_registries_are_asked(store, name, insecure):
    with pytest.raises(ApiError, match="not among those") as caught:
        make_puller(store).pull(name, insecure)
    assert caught.value.status == 403


def test_plain_http_must_be_asked_for(store):
    with pytest.raises(ApiError, match="insecure protocol http"):
        make_puller(store).pull("http://registry.ollama.ai/library/m")


def test_a_cloud_model_is_not_pulled(store):
    with pytest.raises(ApiError) as caught:
        make_puller(store).pull("big:120b-cloud")
    assert caught.value.status == 403


@pytest.mark.parametrize(
    "target", ["http://10.0.0.1/x", "http://169.254.169.254/x", "http://[::1]:1/x", "http://0.0.0.0/x",
               "http://localhost:1/x", "http://[::ffff:10.0.0.1]/x", "http://2130706433:1/x",
               "file:///etc/passwd", "gopher://127.0.0.1/x", "http://u:p@127.0.0.1/x"],
)  # fmt: skip
@pytest.mark.parametrize("where", ["manifests", "blobs"])
def test_cve_2026_5530_a_redirect_to_a_private_address_is_refused(store, registry, target, where):
    registry.special = lambda a: Reply(307, b"", {"Location": target}) if where in a.path else None
    assert "refused to" in error_of(store, registry)


def test_cve_2026_5530_a_redirect_to_another_port_here_is_refused(store, registry):
    def special(asked: Asked) -> Reply | None:
        if asked.span or "blobs" in asked.path:
            return Reply(307, b"", {"Location": f"http://127.0.0.1:{registry.port + 1}/x"})
        return None

    registry.special = special
    assert "refused to connect to '127.0.0.1'" in error_of(store, registry)


def test_cve_2026_5530_a_name_that_resolves_inwards_is_refused(store):
    async def resolve(host: str, port: int) -> list[str]:
        return {"cdn.example": ["192.168.0.1"], "127.0.0.1": ["127.0.0.1"]}[host]

    async def run() -> None:
        made = FakeRegistry(special=lambda a: Reply(307, b"", {"Location": "http://cdn.example/x"}))
        async with running(made):
            puller = Puller(store, SMALL, resolve=resolve, sleep=no_sleep, tls=TLS)
            await _drain(puller.pull(made.name, insecure=True))

    with pytest.raises(PullFailed, match=r"refused to connect to 'cdn\.example'"):
        asyncio.run(run())


@pytest.mark.parametrize("status", [301, 302, 307])
def test_a_redirect_on_the_same_host_is_followed(store, registry, status):
    def special(asked: Asked) -> Reply | None:
        if asked.path.startswith("/v2") and "blobs" in asked.path:
            return Reply(status, b"", {"Location": "/else/" + asked.path.rpartition("/")[2]})
        return None

    registry.special = special
    pull_once(store, registry)
    assert_pulled(store, registry)
    assert all(asked.path.startswith("/else/") for asked in registry.ranges())


def test_bytes_come_from_another_host_if_the_list_names_it(store, registry):
    def special(asked: Asked) -> Reply | None:
        if asked.headers["host"].startswith("127") and "blobs" in asked.path:
            return Reply(307, b"", {"Location": f"http://localhost:{registry.port}{asked.path}"})
        return None

    async def run() -> None:
        registry.special = special
        async with running(registry):
            trusted = f"localhost:{registry.port}"
            config = RegistrySettings(registries=(trusted,), max_part_bytes=100, min_part_bytes=50)
            await pull(store, registry, config)

    asyncio.run(run())
    assert_pulled(store, registry)
    assert {a.headers["host"].split(":")[0] for a in registry.ranges()} == {"localhost"}


def test_redirects_end(store, registry):
    registry.special = lambda asked: Reply(307, b"", {"Location": asked.path})
    assert "maximum redirects exceeded" in error_of(store, registry)


def _with_token(registry: FakeRegistry, realm: str, reply: Reply) -> None:
    def special(asked: Asked) -> Reply | None:
        if asked.path.startswith("/token"):
            return reply
        if asked.headers.get("authorization") == "Bearer abc.def":
            return None
        scope = "repository:library/m:pull"
        challenge = f'Bearer realm="{realm}",service="here",scope="{scope}"'
        return Reply(401, b"", {"WWW-Authenticate": challenge})

    registry.special = special


def _pull_with_token(store: Store, registry: FakeRegistry, realm: str, reply: Reply) -> None:
    async def run() -> None:
        async with running(registry):
            _with_token(registry, realm.replace("PORT", str(registry.port)), reply)
            await pull(store, registry)

    asyncio.run(run())


def test_an_anonymous_token_is_fetched_and_used(store, registry):
    reply = Reply(200, b'{"token":"abc.def"}')
    _pull_with_token(store, registry, "http://127.0.0.1:PORT/token", reply)
    assert_pulled(store, registry)
    asked = next(asked.path for asked in registry.log if "token" in asked.path)
    assert "service=here" in asked and "scope=repository" in asked and "nonce=" in asked


@pytest.mark.parametrize(
    "realm", ["http://localhost:PORT/token", "http://evil.example/token", "http://127.0.0.1:1/token",
              "http://127.0.0.1.evil.example:PORT/token",
              "http://127.0.0.1:PORT@evil.example/t", "/token"],
)  # fmt: skip
def test_cve_2025_51471_a_realm_on_another_host_is_refused(store, registry, realm):
    with pytest.raises(PullFailed, match=r"realm host|refused to"):
        _pull_with_token(store, registry, realm, Reply(200, b'{"token":"abc.def"}'))
    assert len(registry.log) == 1


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_registry_that_wants_a_signature_is_refused_in_words(store, registry, status):
    with pytest.raises(PullFailed, match="public models only"):
        _pull_with_token(store, registry, "http://127.0.0.1:PORT/token", Reply(status))


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"token":7}', b'{"token":"a b"}', b'{"token":"a\\r\\nX: y"}']
)
def test_a_token_that_is_not_one_is_refused(store, registry, body):
    with pytest.raises(PullFailed, match="no usable token"):
        _pull_with_token(store, registry, "http://127.0.0.1:PORT/token", Reply(200, body))


def test_a_token_without_end_is_cut(store, registry):
    with pytest.raises(PullFailed, match="larger than"):
        _pull_with_token(store, registry, "http://127.0.0.1:PORT/token", Reply(200, b"x" * 100_000))


def test_a_token_that_does_not_help_ends_the_pull(store, registry):
    with pytest.raises(PullFailed, match="unauthorized: access denied"):
        _pull_with_token(
            store, registry, "http://127.0.0.1:PORT/token", Reply(200, b'{"token":"no"}')
        )


PRIVATE = ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
           "0.0.0.0", "255.255.255.255", "224.0.0.1", "::", "::1", "fe80::1%eth0",
           "fc00::1", "ff02::1",
           "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
           "198.18.0.1", "240.0.0.1"]  # fmt: skip


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_known_in_every_spelling(address):
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_are_public(address):
    assert is_public(address)


def test_settings_come_from_variables():
    found = registry_settings_from_environment(
        {"JIMOTO_REGISTRIES": "lan:5000, 10.0.0.2", "JIMOTO_MIRROR": "http://10.0.0.2:11435/"}
    )
    assert found.registries == ("registry.ollama.ai", "hf.co", "lan:5000", "10.0.0.2")
    assert found.mirror == "10.0.0.2:11435"


def test_a_manifest_is_written_whole_or_not_at_all(store, monkeypatch):
    name = parse_name("m")
    store.write_manifest_bytes(name, b"old")
    monkeypatch.setattr("os.fsync", lambda number: (_ for _ in ()).throw(OSError("pulled plug")))
    with pytest.raises(OSError):
        store.write_manifest_bytes(name, b"new")
    folder = store.manifest_path(name).parent
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("latest", b"old")]
