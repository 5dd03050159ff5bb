"""The mirror, spoken to by Jimoto's own pull, by a plain client, and the way Ollama does it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import shutil
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from jimoto.daemon.mirror import describe_address, mirror_app, parse_range
from jimoto.daemon.names import ModelName, parse_name
from jimoto.daemon.registry import Puller
from jimoto.daemon.registry_client import RegistrySettings
from jimoto.daemon.store import CONFIG_TYPE, Layer, Manifest, Store

MODEL_TYPE = "application/vnd.ollama.image.model"
SYSTEM_TYPE = "application/vnd.ollama.image.system"
WEIGHTS = bytes(i % 251 for i in range(300_000))
CONFIG = RegistrySettings(min_part_bytes=40_000, max_part_bytes=40_000, progress_seconds=0.005)
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
BLOBS = "/v2/library/m/blobs/"


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def add_model(store: Store, name: ModelName, weights: bytes, system: bytes = b"Hi.") -> None:
    contents = [(CONFIG_TYPE, b'{"n":"%s"}' % name.model.encode()), (MODEL_TYPE, weights)]
    layers = []
    for media_type, content in [*contents, (SYSTEM_TYPE, system)]:
        digest, _ = store.add_blob(content)
        layers.append(Layer(media_type, digest, len(content)))
    store.write_manifest(name, Manifest(layers[0], tuple(layers[1:])))


@pytest.fixture(autouse=True)
def _no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test here pulls a plug, and a busy disk makes each sync slow."""
    monkeypatch.setattr("os.fsync", lambda number: None)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "models")
    add_model(made, parse_name("m"), WEIGHTS)
    return made


@pytest.fixture
def client(store: Store) -> TestClient:
    return TestClient(mirror_app(store), base_url="http://127.0.0.1", follow_redirects=False)


@contextlib.asynccontextmanager
async def serving(store: Store, **limits: int) -> AsyncIterator[int]:
    """A mirror on a free port of this computer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(
            mirror_app(store, **limits),
            ws="none",
            lifespan="off",
            log_config=None,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        server.capture_signals = contextlib.nullcontext
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.002)
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await task


async def pull_all(source: Store, target: Store, port: int) -> None:
    """Pull everything that a mirror of one store offers into another."""
    puller = Puller(target, CONFIG, tls=TLS)
    for entry in source.entries():
        _, namespace, model, tag = entry.name.parts
        name = f"127.0.0.1:{port}/{namespace}/{model}:{tag}"
        items = [item async for item in puller.pull(name, insecure=True)]
        assert items[-1] == {"status": "success"}


def tree(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


# --- pulling from it ---


def test_a_model_is_pulled_byte_for_byte_and_the_mirror_is_unchanged(store, tmp_path):
    before = tree(store.models)
    target = Store(tmp_path / "other")

    async def run() -> int:
        async with serving(store) as port:
            await pull_all(store, target, port)
            return port

    port = asyncio.run(run())
    assert tree(target.blobs) == tree(store.blobs)
    name = parse_name(f"127.0.0.1:{port}/library/m")
    mine = store.manifest_path(parse_name("m")).read_bytes()
    assert target.manifest_path(name).read_bytes() == mine
    assert tree(store.models) == before


TAGS = st.sampled_from(["latest", "q8_0", "V1.5"])
STORES = st.dictionaries(
    st.tuples(st.sampled_from(["library", "Ann", "b-c"]), st.sampled_from(["m", "x.y"]), TAGS),
    st.binary(min_size=1, max_size=200),
    min_size=1,
    max_size=2,
)


def test_any_store_that_is_mirrored_and_pulled_is_equal(tmp_path):
    """One server for all hundred stores, in a folder that is filled anew: starting is slow."""
    source = Store(tmp_path / "source")
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()
        port = runner.run(stack.enter_async_context(serving(source)))

        @given(STORES)
        @settings(max_examples=100, deadline=None, database=None)
        def check(models):
            shutil.rmtree(source.models, ignore_errors=True)
            for (namespace, model, tag), weights in models.items():
                add_model(source, ModelName("registry.ollama.ai", namespace, model, tag), weights)
            with tempfile.TemporaryDirectory() as folder:
                target = Store(Path(folder))
                runner.run(pull_all(source, target, port))
                assert tree(target.blobs) == tree(source.blobs)
                mine = [tree(store.manifests / _host(store)) for store in (source, target)]
                assert mine[0] == mine[1]

        check()
        runner.run(stack.aclose())


def _host(store: Store) -> str:
    [folder] = store.manifests.iterdir()
    return folder.name


def test_it_answers_as_ollama_needs_it(client):
    """HEAD gives the size; a GET names the place of the bytes, where they come in ranges."""
    url = BLOBS + digest_of(WEIGHTS)
    head = client.head(url)
    assert (head.status_code, head.headers["content-length"]) == (200, str(len(WEIGHTS)))
    answer = client.get(url)
    assert answer.status_code == 200
    direct = answer.request.url.join(answer.headers["location"])
    assert direct == answer.request.url  # whatever name the client used for us
    part = client.get(direct, headers={"Range": "bytes=100-299"})
    assert (part.status_code, part.content) == (206, WEIGHTS[100:300])


def test_a_manifest_comes_by_tag_and_by_digest(client, store):
    raw = store.manifest_path(parse_name("m")).read_bytes()
    answers = [client.get(f"/v2/library/m/manifests/{ref}") for ref in ("latest", digest_of(raw))]
    assert [answer.content for answer in answers] == [raw, raw]
    assert answers[0].headers["docker-content-digest"] == digest_of(raw)
    assert client.head("/v2/library/m/manifests/latest").content == b""


def test_the_usual_registry_goes_before_others(client, store):
    add_model(store, parse_name("hf.co/library/m"), b"another", b"other")
    mine = store.manifest_path(parse_name("m")).read_bytes()
    assert client.get("/v2/library/m/manifests/latest").content == mine


def test_the_protocol_has_a_root(client):
    answer = client.get("/v2/")
    assert (answer.status_code, answer.json()) == (200, {})
    assert answer.headers["docker-distribution-api-version"] == "registry/2.0"


# --- ranges ---


@pytest.mark.parametrize(
    ("header", "span"),
    [("bytes=0-0", (0, 1)), ("bytes=5-", (5, 10)), ("bytes=-3", (7, 10)), ("bytes=-99", (0, 10)),
     ("bytes=2-99", (2, 10)), ("bytes=9-9", (9, 10)), (None, None), ("bytes=-", None),
     ("bytes=0-1,3-4", None), ("bytes=5-2", None), ("lines=1-2", None), ("bytes=a-b", None)],
)  # fmt: skip
def test_one_range_is_read_and_anything_else_means_everything(header, span):
    assert parse_range(header, 10) == span


@pytest.mark.parametrize("header", ["bytes=300000-", "bytes=999999-1000000", "bytes=-0"])
def test_a_range_outside_is_416(client, header):
    answer = client.get(BLOBS + digest_of(WEIGHTS), headers={"Range": header})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */300000"


@given(st.integers(0, 299_999), st.integers(0, 400_000))
@settings(max_examples=50, deadline=None)
def test_ranges_are_cut_like_slices(start, last):
    span = parse_range(f"bytes={start}-{last}", 300_000)
    assert WEIGHTS[slice(*span)] == WEIGHTS[start : last + 1] if span else last < start


def test_a_range_of_another_version_is_the_whole(client):
    headers = {"Range": "bytes=0-1", "If-Range": '"sha256:other"'}
    answer = client.get(BLOBS + digest_of(WEIGHTS), headers=headers)
    assert (answer.status_code, len(answer.content)) == (200, 300_000)
    headers["If-Range"] = answer.headers["etag"]
    assert client.get(BLOBS + digest_of(WEIGHTS), headers=headers).status_code == 206


# --- what it does not hand out ---


@pytest.mark.parametrize(
    "path",
    ["/", "/v2/_catalog", "/v2/library/", "/v2/library/m/", "/v2/library/m/tags/list",
     "/v2/library/m/blobs/", "/v2/library/m/manifests/", "/v2/library/m/manifests/nope",
     "/v2/library/n/manifests/latest", "/v2/library/m/manifests/..",
     "/v2/library/m/manifests/%2e%2e",
     "/v2/..%2f..%2fetc/passwd/manifests/latest", "/v2/library/m/blobs/..%2f..%2fetc%2fpasswd",
     "/v2/library/m/blobs/%2e%2e", "/v2/..%5c/m/manifests/latest",
     "/v2/library/m%00/manifests/latest",
     BLOBS + "sha256:" + "a" * 64, BLOBS + "sha256:" + "a" * 63, BLOBS + "sha256-" + "g" * 64,
     BLOBS + "sha512:" + "a" * 64, "/manifests/registry.ollama.ai/library/m/latest"],
)  # fmt: skip
def test_cve_2024_37032_no_path_but_by_name_and_digest(client, path):
    answer = client.get(path)
    assert answer.status_code in (400, 404)
    assert b"latest" not in answer.content and b"sha256" not in answer.content


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", ["/v2/library/m/manifests/latest", BLOBS + digest_of(WEIGHTS)])
def test_nothing_can_be_written(client, store, method, path):
    before = tree(store.models)
    assert client.request(method, path, content=b"x").status_code == 405
    assert tree(store.models) == before


def test_a_blob_is_given_only_for_the_model_that_has_it(client, store):
    add_model(store, parse_name("other"), b"other weights")
    loose, _ = store.add_blob(b"an upload that no model uses")
    assert client.get(BLOBS + digest_of(b"other weights")).status_code == 404
    assert client.get(BLOBS + loose).status_code == 404


def test_a_model_with_a_missing_blob_is_not_offered(client, store):
    store.blob_path(digest_of(WEIGHTS)).unlink()
    assert client.get("/v2/library/m/manifests/latest").status_code == 404


def test_a_blob_that_is_a_link_out_of_the_folder_is_not_followed(client, store, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"private")
    path = store.blob_path(digest_of(WEIGHTS))
    path.unlink()
    path.symlink_to(secret)
    assert client.get(BLOBS + digest_of(WEIGHTS)).status_code == 404


def test_only_the_models_that_were_named_are_offered(store):
    add_model(store, parse_name("private"), b"mine")
    app = mirror_app(store, offers=lambda name: name == parse_name("m"))
    client = TestClient(app, base_url="http://localhost")
    paths = [f"/v2/library/{model}/manifests/latest" for model in ("m", "private")]
    assert [client.get(path).status_code for path in paths] == [200, 404]


@pytest.mark.parametrize(
    ("host", "status"),
    [("evil.example", 403), ("localhost.evil.example", 403), ("127.0.0.1.evil.example", 403),
     ("evil.example:80@127.0.0.1", 403), ("127.0.0.1:11435", 200), ("203.0.113.5:80", 200),
     ("[::1]:11435", 200), ("localhost", 200), ("teacher.local:11435", 200), ("lab.example", 200)],
)  # fmt: skip
def test_cve_2024_28224_a_foreign_host_name_is_refused(store, host, status):
    client = TestClient(mirror_app(store, host_names=["Lab.example"]))
    assert client.get("/v2/", headers={"Host": host}).status_code == status


def test_errors_have_the_protocols_shape(client):
    answer = client.get("/v2/library/none/manifests/latest")
    assert answer.json()["errors"][0]["code"] == "MANIFEST_UNKNOWN"


# --- many at once ---


def test_headers_come_at_once_and_bytes_in_turn(tmp_path):
    """Ollama waits 30 seconds for the headers, and as long as it takes for the bytes."""
    store = Store(tmp_path / "models")
    add_model(store, parse_name("m"), bytes(40 * 2**20))
    url = BLOBS + digest_of(bytes(40 * 2**20))

    async def run() -> None:
        async with (
            serving(store, transfers=1, waiting=1) as port,
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as client,
        ):
            async with client.stream("GET", url) as first:  # its bytes are not read: it stays open
                assert first.status_code == 200
                headers = {"Range": "bytes=0-9"}
                async with client.stream("GET", url, headers=headers) as second:
                    assert second.status_code == 206
                    third = await client.get(url, headers=headers)
                    assert (third.status_code, third.headers["retry-after"]) == (503, "5")
                    await first.aclose()  # a client that goes away gives its turn to the next
                    assert await second.aread() == bytes(10)

    asyncio.run(run())


# --- words ---


@pytest.mark.parametrize(
    ("host", "words"),
    [("127.0.0.1", "only programs on this computer"), ("::1", "only programs on this computer"),
     ("0.0.0.0", "EVERY computer"), ("::", "EVERY computer"), ("", "EVERY computer"),
     ("192.168.1.5", "this address may copy"), ("teacher.local", "this address may copy")],
)  # fmt: skip
def test_the_address_is_said_in_words(host, words):
    text = describe_address(host, 11435)
    assert words in text and len(text.splitlines()) == 3
    assert len(describe_address(host, 11435, "ja").splitlines()) == 3
    assert "ollama pull --insecure" in text


def test_a_manifest_that_was_not_written_by_us_is_served_as_it_is(client, store):
    path = store.manifest_path(parse_name("m"))
    raw = json.dumps(json.loads(path.read_bytes()) | {"x": 1}, indent=2).encode()
    path.write_bytes(raw)
    assert client.get("/v2/library/m/manifests/latest").content == raw
