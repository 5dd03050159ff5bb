"""Known holes of Ollama and its parts, by the ids under which they were published, and ours.

Some ids are tested beside the code that guards them (guards, store, registry, mirror, GGUF,
prompt); the last test of this file sees that each has a test that carries its name.
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import io
import json
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import zipfile
from pathlib import Path

import pytest
import uvicorn
from starlette.responses import StreamingResponse
from starlette.routing import Route
from test_gguf_check import ARCHITECTURE, head, text
from tiny_gguf import write_tiny_gguf

from conftest import ROOT, create_model, wait_until
from jimoto.daemon import memory_cap
from jimoto.daemon.__main__ import MAX_CONNECTIONS, bind, parse_arguments
from jimoto.daemon.app import MAX_COUNTS, ROUTES
from jimoto.daemon.child import Child, ChildDied
from jimoto.daemon.engine import memory_limit
from jimoto.daemon.gguf_check import MAX_TOKEN_BYTES, BrokenGguf, parse_gguf
from jimoto.daemon.jobs import LoadPlan
from jimoto.daemon.pacing import Pace, paced
from jimoto.daemon.store import Layer, Manifest

USER = [{"role": "user", "content": "hi"}]
SOURCES = sorted((ROOT / "src" / "jimoto" / "daemon").glob("*.py"))


def blob(api, raw):
    import hashlib

    digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    assert api.call("POST", f"/api/blobs/{digest}", content=raw).status_code in (200, 201)
    return digest


def everything_below(folder: Path) -> list[tuple[str, bytes]]:
    return sorted((str(p), p.read_bytes()) for p in folder.rglob("*") if p.is_file())


# --- paths, digests, names ---

ODD_DIGESTS = [
    "../../../etc/passwd", "sha256:../../../../etc/passwd", "sha256:" + "a" * 63, "sha256-",
    "sha256:" + "a" * 64 + "/../../x", "sha512:" + "a" * 64, "/dev/random", "sha256:" + "g" * 64,
    "sha256:" + "a" * 64 + "\n", "C:\\Windows\\win.ini",
]  # fmt: skip


@pytest.mark.parametrize("digest", ODD_DIGESTS)
def test_cve_2024_37032_a_digest_is_a_digest_wherever_it_comes_from(api, tiny, store, digest):
    before = everything_below(store.models.parent)
    for key in ("files", "adapters"):
        body = {"model": "x", "from": "" if key == "files" else "tiny", key: {"m.gguf": digest}}
        assert api.post("/api/create", body).status_code == 400
    for method in ("HEAD", "POST"):
        path = "/api/blobs/" + digest.replace("/", "%2F").replace("\n", "%0A")
        assert api.call(method, path, content=b"x").status_code in (400, 404)
    assert everything_below(store.models.parent) == before


def test_cve_2025_44779_only_what_a_digest_names_is_ever_deleted(api, store, tiny, tmp_path):
    """Manifests with crafted digests: none of them is read, and nothing outside is touched."""
    victim = tmp_path / "victim"
    victim.write_text("keep me")
    folder = store.manifests / "registry.ollama.ai" / "library" / "evil"
    folder.mkdir(parents=True)
    entry = {"mediaType": "x", "size": 1, "digest": "sha256:../../../victim"}
    (folder / "latest").write_text(json.dumps({"config": entry, "layers": [entry]}))
    assert api.call("DELETE", "/api/delete", json={"model": "evil"}).status_code == 404
    assert api.post("/api/copy", {"source": "tiny", "destination": "evil"}).status_code == 200
    assert api.call("DELETE", "/api/delete", json={"model": "evil"}).status_code == 200
    assert victim.read_text() == "keep me" and store.entries()


@pytest.mark.parametrize("member", ["../../evil.txt", "/tmp/evil.txt", "a/../../../evil.txt"])
def test_cve_2024_45436_and_cve_2024_7773_archives_are_never_unpacked(api, store, member):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(member, "evil")
    digest = blob(api, packed.getvalue())
    before = [path for path, _ in everything_below(store.models.parent)]
    answer = api.post("/api/create", {"model": "x", "files": {"m.zip": digest}})
    assert answer.status_code == 400 and "not a usable GGUF file" in answer.json()["error"]
    left = [path for path, _ in everything_below(store.models.parent)]
    assert set(left) < set(before)  # the blob is gone, nothing has come


def test_cve_2024_45436_no_code_of_the_server_unpacks():
    calls = re.compile(r"\.(extract|extractall|unpack_archive)\(")
    assert [p.name for p in SOURCES if calls.search(p.read_text(encoding="utf-8"))] == []


def test_cve_2024_39719_an_error_does_not_tell_which_paths_exist(api, tiny, tmp_path):
    """The same answer for a path that exists and one that does not, and never the path of ours."""
    for place in ("from", "files", "adapters"):
        answers = set()
        for path in (str(tmp_path), "/no/such/file"):
            value = path if place == "from" else {"m.gguf": path}
            answer = api.post("/api/create", {"model": "x", "from": "tiny", place: value}
                              if place != "files" else {"model": "x", place: value})  # fmt: skip
            assert answer.status_code == 400
            answers.add(answer.text)
            assert str(tmp_path) not in answer.text
        assert len(answers) == 1


def test_cve_2024_39721_no_path_and_no_device_is_opened(api, store, tiny, fake_engine):
    for name in ("/dev/random", "/dev/zero", "/proc/self/environ"):
        body = {"model": "x", "files": {name: "sha256:" + "a" * 64}}
        assert api.post("/api/create", body).status_code == 400
    digest = "sha256:" + "b" * 64
    store.blob_path(digest).symlink_to("/dev/zero")
    body = {"model": "x", "files": {"m.gguf": digest}}
    answer = api.post("/api/create", body)
    assert answer.status_code == 500 and "was not uploaded" in answer.json()["error"]


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/../b", "..", "%2e%2e/x", "a\\..\\b:t"])
def test_cve_2024_39722_push_and_all_others_refuse_names_that_are_paths(api, store, name):
    before = everything_below(store.models.parent)
    for path in (
        "/api/push",
        "/api/show",
        "/api/generate",
        "/api/chat",
        "/api/pull",
        "/api/create",
    ):
        body = {"model": name, "prompt": "x", "messages": USER, "from": "x"}
        assert api.post(path, body).status_code == 400, path
    assert api.call("DELETE", "/api/delete", json={"model": name}).status_code == 400
    assert api.post("/api/copy", {"source": name, "destination": "x"}).status_code == 400
    assert everything_below(store.models.parent) == before


def test_cve_2026_7020_one_function_makes_a_path_of_a_digest():
    """`self.blobs` is joined in one file only, by `blob_path` and for temporary names."""
    joined = re.compile(r"\.blobs\s*/")
    places = [p.name for p in SOURCES for _ in joined.findall(p.read_text(encoding="utf-8"))]
    assert set(places) <= {"store.py", "registry_parts.py"} and places.count("store.py") <= 2


def test_a_link_in_the_store_is_not_read_out(api, library, tiny, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("the secret")
    digest = "sha256:" + "c" * 64
    library.store.blob_path(digest).symlink_to(secret)
    entry = library.find("tiny", "").entry
    layer = Layer("application/vnd.ollama.image.system", digest, 10)
    manifest = Manifest(entry.manifest.config, (*entry.manifest.layers, layer))
    library.store.write_manifest(entry.name, manifest)
    answer = api.post("/api/show", {"model": "tiny"})
    assert answer.status_code == 500 and "secret" not in answer.text


# --- GGUF ---


def refused(api, raw):
    answer = api.post("/api/create", {"model": "x", "files": {"m.gguf": blob(api, raw)}})
    assert answer.status_code == 400, answer.text
    return answer.json()["error"]


def number(key, value):
    return text(key) + struct.pack("<II", 4, value)


def test_cve_2024_39720_a_file_of_four_bytes_is_a_400(api):
    assert "too short" in refused(api, b"GGUF")


@pytest.mark.parametrize("key", ["block_count", "embedding_length", "attention.head_count"])
def test_cve_2024_8063_no_division_by_a_count_of_zero(api, key):
    assert "makes no sense" in refused(
        api, head(metadata=2) + ARCHITECTURE + number(f"llama.{key}", 0)
    )


@pytest.mark.parametrize("alignment", [0, 3, 2**31])
def test_cve_2025_0317_alignment_is_a_power_of_two(api, alignment):
    raw = head(metadata=2) + ARCHITECTURE + number("general.alignment", alignment)
    assert "alignment" in refused(api, raw)


def test_cve_2024_12055_a_length_beyond_the_file_is_not_read(api):
    raw = head(metadata=2) + ARCHITECTURE + text("k") + struct.pack("<IQ", 8, 2**20)
    assert "cut short" in refused(api, raw)


def test_cve_2025_0312_what_is_missing_is_missed_at_once(api):
    assert "names no architecture" in refused(
        api, head(metadata=1) + number("llama.block_count", 1)
    )
    assert "unknown type" in refused(api, head(metadata=1) + text("k") + struct.pack("<I", 99))


def test_cve_2025_0315_a_count_allocates_nothing(api):
    assert "more tensors or metadata" in refused(api, head(metadata=2**62))
    many = text("k") + struct.pack("<IIQ", 9, 8, 2**40)
    assert "longer or deeper" in refused(api, head(metadata=1) + many)


def test_cve_2026_7482_a_tensor_lies_inside_its_file_or_nothing_is_quantised(api, tiny_gguf):
    raw = bytearray(tiny_gguf.read_bytes()[:-64])
    digest = blob(api, bytes(raw))
    body = {"model": "x", "files": {"m.gguf": digest}, "quantize": "q8_0"}
    answer = api.post("/api/create", body)
    assert answer.status_code == 400 and "bytes after the file" in answer.json()["error"]


def strings(key, *values):
    items = b"".join(text(value) for value in values)
    return text(key) + struct.pack("<IIQ", 9, 8, len(values)) + items


def test_cve_2025_49847_a_vocabulary_is_checked_before_llama_cpp_reads_it():
    tokens = strings("tokenizer.ggml.tokens", "a", "b")
    types = text("tokenizer.ggml.token_type") + struct.pack("<IIQi", 9, 5, 1, 1)
    scores = text("tokenizer.ggml.scores") + struct.pack("<IIQ", 9, 6, 0)
    for short in (types, scores):
        with pytest.raises(BrokenGguf, match="its vocabulary has 2 tokens"):
            parse_gguf(head(metadata=3) + ARCHITECTURE + tokens + short)
    long = strings("tokenizer.ggml.tokens", "x" * (MAX_TOKEN_BYTES + 1))
    with pytest.raises(BrokenGguf, match="longer than any token"):
        parse_gguf(head(metadata=2) + ARCHITECTURE + long)


# --- who may speak, and how much ---


def test_cve_2025_63389_loopback_unless_an_address_is_given_in_words():
    """No authentication, by design; so only this machine can ask."""
    assert parse_arguments(["--models", "x"]).host == "127.0.0.1"
    with bind("127.0.0.1", 0) as listener:
        assert listener.getsockname()[0] == "127.0.0.1"
    for path in SOURCES:
        source = path.read_text(encoding="utf-8")
        assert 'host="0.0.0.0"' not in source and 'default="0.0.0.0"' not in source


@pytest.mark.parametrize(
    "origin", ["http://localhost.evil.example", "http://127.0.0.1.evil.example"]
)
def test_cve_2019_25211_a_look_alike_origin_gets_403_on_every_dialect(api, origin):
    for path in ("/api/tags", "/v1/models"):
        assert api.call("GET", path, headers={"origin": origin}).status_code == 403


def test_cve_2026_42248_and_cve_2026_42249_there_is_no_updater():
    """No route, no timer and no code that fetches or starts a new version of itself."""
    assert not [route.path for route in ROUTES if "update" in route.path or "upgrade" in route.path]
    started = {}
    for path in SOURCES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute)}
        if names & {"Popen", "create_subprocess_exec", "execv", "startfile"}:
            started[path.name] = "jimoto.daemon.worker" in path.read_text(encoding="utf-8")
    assert started == {"child.py": True, "quantize.py": True}


def test_cve_2024_34359_a_template_in_a_model_reaches_nothing(api, library, tmp_path, fake_engine):
    """The worker renders in Jinja's sandbox (test_prompt); the server never renders at all."""
    evil = "{{ ''.__class__.__mro__[1].__subclasses__() }}"
    create_model(library, "evil", write_tiny_gguf(tmp_path / "e.gguf", template=evil))
    assert evil in api.post("/api/show", {"model": "evil"}).text.replace("\\", "")
    body = {"model": "evil", "messages": USER, "stream": False}
    assert api.post("/api/chat", body).status_code == 200  # the scripted engine renders nothing
    for path in SOURCES:  # a plain environment is made nowhere
        source = path.read_text(encoding="utf-8")
        assert not re.search(r"(?<!Sandboxed)Environment\(|jinja2\.Template\(", source), path.name


@pytest.mark.parametrize("key", sorted(MAX_COUNTS))
def test_counts_are_capped(api, tiny, fake_engine, key):
    fill = {"messages": {"role": "user"}, "tools": {}, "stop": "x", "images": "aGk="}[key]
    values = [fill] * (MAX_COUNTS[key] + 1)
    more = {"options": {"stop": values}} if key == "stop" else {key: values}
    path = "/api/generate" if key == "images" else "/api/chat"
    answer = api.post(path, {"model": "tiny", "prompt": "x", "messages": USER, **more})
    assert answer.status_code == 400
    assert answer.json()["error"] == f"more than {MAX_COUNTS[key]} {key} in one request"
    assert fake_engine.runs == []


def test_a_context_is_never_longer_than_the_model_was_made_for(api, tiny, fake_engine):
    for asked in (10**6, 2**31, 2**62):
        options = {"num_ctx": asked, "num_batch": asked, "num_thread": asked}
        api.post("/api/generate", {"model": "tiny", "prompt": "x", "options": options})
        assert fake_engine.runs[-1][0].context_length == 512


@pytest.mark.slow
def test_an_answer_ends_whatever_length_was_asked_for(daemon, tiny_gguf):
    from ollama import Client

    with Client(host=daemon.url) as client:
        client.create("tiny", files={"tiny.gguf": client.create_blob(tiny_gguf)})
        options = {"num_ctx": 16, "num_predict": 10**9, "temperature": 0}
        answer = client.generate("tiny", "x", raw=True, options=options)
    assert answer.eval_count <= 160


def test_json_that_is_nested_too_deep_is_a_400(api, tiny):
    for path in ("/api/chat", "/v1/chat/completions", "/api/embed"):
        answer = api.call("POST", path, content=b'{"model":' + b"[" * 100_000)
        assert answer.status_code == 400


@pytest.mark.parametrize("name", ["a\nINFO forged", "a\x1b[31m", "a\r\nX: y"])
def test_a_name_forges_no_line_of_the_log(api, name, caplog, capfd):
    for path in ("/api/show", "/api/chat", "/v1/models/"):
        api.call("GET" if "v1" in path else "POST", path, json={"model": name})
    assert caplog.text == "" and capfd.readouterr() == ("", "")


# --- slow clients ---


@contextlib.contextmanager
def serving(app, pace):
    """host and port of an app behind the paced protocol."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_config=None, access_log=False, ws="none", http=paced(pace))
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        wait_until(lambda: server.started)
        yield listener.getsockname()
        server.should_exit = True
        thread.join()


QUICK = Pace(period_seconds=0.2, body_bytes_per_second=1e6, reply_seconds=0.2)


def is_closed(connection):
    """Waits until the server has ended the connection."""
    connection.settimeout(60)
    with contextlib.suppress(ConnectionError):
        while connection.recv(2**16):
            pass
    return True


@pytest.mark.parametrize(
    "sent",
    [b"", b"GET / HT", b"POST /api/show HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{"],
    ids=["nothing", "half a head", "half a body"],
)
def test_a_client_that_sends_too_slowly_is_let_go(app, sent):
    with serving(app, QUICK) as address, socket.create_connection(address) as connection:
        connection.sendall(sent)
        assert is_closed(connection)


def test_a_patient_server_answers_a_request_in_two_halves(app):
    with serving(app, Pace()) as address, socket.create_connection(address) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: loc")
        connection.sendall(b"alhost\r\nConnection: close\r\n\r\n")
        assert b"Ollama is running" in b"".join(iter(lambda: connection.recv(2**16), b""))


def test_a_client_that_does_not_read_is_let_go_and_the_work_ends(app):
    ended = threading.Event()

    async def endless():
        try:
            while True:
                await asyncio.sleep(0)  # as an engine does, whoever listens
                yield b"x" * 2**16
        finally:
            ended.set()

    async def flood(request):
        return StreamingResponse(endless())

    app.router.routes.append(Route("/flood", flood))
    with serving(app, QUICK) as address, socket.create_connection(address) as connection:
        connection.sendall(b"GET /flood HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert ended.wait(60)  # nothing was read


def test_connections_are_fewer_than_files_that_may_be_open():
    assert 64 <= MAX_CONNECTIONS < 1024


# --- memory of the workers ---


def run_python(code: str) -> int:
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode


def test_the_kernel_refuses_what_goes_beyond_the_cap():
    if sys.platform != "linux":
        pytest.skip("only Linux enforces RLIMIT_AS")
    code = """
from jimoto.daemon.memory_cap import cap_memory
assert cap_memory(2**26) == "kernel"
try:
    bytearray(2**36)
except MemoryError:
    raise SystemExit(3)
"""
    assert run_python(code) == 3


def test_where_the_kernel_does_not_the_watch_ends_the_process():
    """macOS, Windows, and wherever there is a graphics driver."""
    code = """
import threading
from jimoto.daemon import memory_cap
memory_cap.LOOK_SECONDS = 0.01
assert memory_cap.cap_memory(2**24, has_gpu=True) == "watch"
kept = b"x" * 2**26
threading.Event().wait(60)
"""
    assert run_python(code) == memory_cap.EXIT_CODE


def test_the_cap_is_more_than_what_is_predicted(tiny_gguf):
    plan = LoadPlan("t", "", tiny_gguf, 10**6, 512)
    assert 2**30 < memory_limit(plan) < 2 * 2**30
    assert memory_limit(LoadPlan("t", "", Path("gone"), 10**9, 512)) == 3 * 10**9 + 2**30


@pytest.mark.slow
def test_a_model_beyond_its_cap_ends_its_process_and_no_other(tiny_gguf):
    async def scenario():
        child = await Child.start()
        command = LoadPlan("t", "", tiny_gguf, 0, 512).command()
        # a cap below what the process has already: it can get no more
        await child.send({**command, "memory_limit_bytes": -(2**33)})
        try:
            return await child.receive()
        except ChildDied:
            return {"error": "died"}
        finally:
            await child.close()

    assert "error" in asyncio.run(scenario())


# --- every id has its test ---

# Section 10 of the reference for this server, row by row.
IDS = """
CVE-2024-28224 CVE-2024-37032 CVE-2025-44779 CVE-2024-45436 CVE-2024-7773 CVE-2024-39719
CVE-2024-39720 CVE-2024-39721 CVE-2024-39722 CVE-2024-8063 CVE-2025-0317 CVE-2024-12055
CVE-2025-0312 CVE-2025-0315 CVE-2024-12886 CVE-2025-1975 CVE-2025-51471 CVE-2026-5530
CVE-2026-7020 CVE-2026-7482 CVE-2025-63389 CVE-2019-25211 CVE-2026-42248 CVE-2026-42249
CVE-2024-34359 CVE-2025-49847
""".split()


def test_every_known_hole_has_a_test_that_carries_its_id():
    texts = [path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py")]
    names = " ".join(re.findall(r"^def (test_\w+)", "\n".join(texts), re.MULTILINE))
    wanted = {ident: ident.removeprefix("CVE-").replace("-", "_") for ident in IDS}
    assert [i for i, name in wanted.items() if not re.search(rf"(?<!\d){name}(?!\d)", names)] == []
