"""Fuzzing of the embedded server: `make fuzz`, or `python tests/daemon/fuzz.py --cases 100000`.

Each part makes requests of one sort and compares the answer with `oracle.py`: never 5xx where the
specification says 4xx, never an exception, never a file or a connection outside the sandbox. The
server runs in this process, on a store that is put back after each case, so a case depends on
nothing before it. A failure is printed as small as hypothesis can make it, with the command that
repeats it: the same seed, part and chunk give the same cases (with the same hypothesis).
`test_fuzz.py` runs a few hundred cases of the same code.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import json
import os
import random
import secrets
import shutil
import ssl
import struct
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import ollama
from hypothesis import HealthCheck, Phase, given, note, seed, settings
from hypothesis import strategies as st
from oracle import (
    DATA_IMAGE,
    EFFORTS,
    FIELDS,
    FLOAT_OPTIONS,
    INT_OPTIONS,
    Known,
    allowed,
    bad_options,
    create_allowed,
    looked_up,
)
from templates import GO_INSERT, JINJA_TOOLS
from tiny_gguf import write_tiny_gguf

from conftest import FakeEngine, create_model
from jimoto.daemon import modelfile
from jimoto.daemon.app import create_app
from jimoto.daemon.gguf_check import BrokenGguf, parse_gguf
from jimoto.daemon.library import Library
from jimoto.daemon.names import InvalidName, ModelName
from jimoto.daemon.registry import Puller
from jimoto.daemon.registry_client import RegistrySettings
from jimoto.daemon.settings import Clock, Settings
from jimoto.daemon.store import Store
from jimoto.errors import ModelfileError

CHUNK = 250  # examples of one hypothesis run; one makes up to four cases
MISSING = "sha256:" + "0" * 64
CAPABILITIES = {
    "tiny": {"completion", "thinking"},
    "plain": {"completion"},
    "tools": {"completion", "tools"},
    "insert": {"completion", "insert"},
    "vectors": {"embedding"},
    "team/Own.model:v1": {"completion"},
}
ANSWER_TYPES = {
    "/api/generate": ollama.GenerateResponse,
    "/api/chat": ollama.ChatResponse,
    "/api/embed": ollama.EmbedResponse,
    "/api/embeddings": ollama.EmbeddingsResponse,
    "/api/show": ollama.ShowResponse,
    "/api/create": ollama.ProgressResponse,
    "/api/pull": ollama.ProgressResponse,
}


# --- the sandbox ----------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes
    kind: str  # content type

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Watch:
    """What this process does to files and sockets while a request is answered."""

    inside: str
    active: bool = False
    violations: list[str] = field(default_factory=list)

    def hook(self, event: str, values: tuple[Any, ...]) -> None:
        if self.active and event in _WATCHED and not _WATCHED[event](self.inside, values):
            self.violations.append(f"{event} {values!r}"[:300])


def _is_inside(inside: str, path: Any) -> bool:
    if isinstance(path, int):  # a file that was opened before
        return True
    full = os.path.abspath(os.fsdecode(path))
    return full == inside or full.startswith(inside + os.sep) or "__pycache__" in full


def _may_open(inside: str, values: tuple[Any, ...]) -> bool:
    path, _, flags = values
    writes = (flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    return not writes or path == os.devnull or _is_inside(inside, path)


def _may_connect(inside: str, values: tuple[Any, ...]) -> bool:
    address = values[1]
    return not isinstance(address, tuple) or address[0] in ("127.0.0.1", "::1")


def _first_inside(inside: str, values: tuple[Any, ...]) -> bool:
    return _is_inside(inside, values[0])


def _both_inside(inside: str, values: tuple[Any, ...]) -> bool:
    return _is_inside(inside, values[0]) and _is_inside(inside, values[1])


_WATCHED: dict[str, Callable[[str, tuple[Any, ...]], bool]] = {
    "open": _may_open,
    "socket.connect": _may_connect,
    **dict.fromkeys(("os.rename", "os.link", "os.symlink"), _both_inside),
    **dict.fromkeys(
        ("os.remove", "os.mkdir", "os.rmdir", "os.truncate", "os.chmod", "shutil.rmtree"),
        _first_inside,
    ),
    **dict.fromkeys(
        ("subprocess.Popen", "os.exec", "os.posix_spawn", "os.system", "os.fork"),
        lambda inside, values: False,
    ),
}
_watches: list[Watch] = []  # a hook cannot be taken away again: one looks at the newest watch


def _hook(event: str, values: tuple[Any, ...]) -> None:
    if _watches:
        _watches[-1].hook(event, values)


@contextlib.contextmanager
def watching(folder: Path) -> Iterator[Watch]:
    if not hasattr(watching, "is_hooked"):
        sys.addaudithook(_hook)
        watching.is_hooked = True  # type: ignore[attr-defined]
    _watches.append(Watch(str(folder)))
    try:
        yield _watches[-1]
    finally:
        _watches.pop()


class CopyingQuantizer:
    """Stands for llama.cpp's: the same bytes again, under the target's name."""

    def __call__(self, source: Path, target: Path, kind: str) -> Generator[tuple[int, int]]:
        shutil.copyfile(source, target)
        yield 1, 1


class Sandbox:
    """A server on a small store, and a folder beside it that nothing may touch."""

    def __init__(self, root: Path, watch: Watch) -> None:
        self.root, self._watch = root, watch
        self.cases = 0  # so far
        self.outside = root / "outside"
        self.outside.mkdir()
        (self.outside / "victim.txt").write_text("keep me", encoding="utf-8")
        self.store = Store(root / "models")
        self.store.create_folders()
        library = Library(self.store, None, CopyingQuantizer())
        self.models = self._fill(library)
        self.blobs = {
            path.name[7:]: path.read_bytes()[:4] == b"GGUF" for path in self.store.blobs.iterdir()
        }
        self.engine = FakeEngine()
        self.app = create_app(Settings(self.store.models), library, self.engine, Clock())
        rooms = self.app.state.rooms
        registry = RegistrySettings(registries=("127.0.0.1:9",), mirror="127.0.0.1:9")  # discard
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        rooms.pullers.append(Puller(self.store, registry, rooms.changing, tls=tls))
        self._files = self._read_files()
        self._stamps = self._read_stamps()
        self._outside = [(p, p.stat().st_mtime_ns) for p in sorted(self.outside.rglob("*"))]
        self._loop = asyncio.new_event_loop()

    def _fill(self, library: Library) -> dict[str, Known]:
        made = self.root / "made"
        made.mkdir()
        tiny = write_tiny_gguf(made / "tiny.gguf")
        plain = write_tiny_gguf(made / "plain.gguf", template=None)
        tools = write_tiny_gguf(made / "tools.gguf", template=JINJA_TOOLS)
        vectors = write_tiny_gguf(made / "vectors.gguf", pooling=1)
        create_model(library, "tiny", tiny, system="Be brief.", license="MIT")
        create_model(library, "plain", plain)
        create_model(library, "tools", tools)
        create_model(library, "insert", plain, template=GO_INSERT)
        create_model(library, "vectors", vectors)
        messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]
        parameters = {"temperature": 0.5, "stop": ["x"]}
        create_model(library, "team/Own.model:v1", plain, messages=messages, parameters=parameters)
        self.gguf = tiny.read_bytes()
        shutil.rmtree(made)
        models = {}
        for name, capabilities in CAPABILITIES.items():
            found = library.find(name, "")
            assert set(found.capabilities) == capabilities, name
            models[found.entry.name.full.lower()] = Known(frozenset(capabilities))
        return models

    # --- one request ---

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """The answer to one request; every rule that holds for all answers is checked."""
        self._watch.violations.clear()
        self._watch.active = True
        try:
            answer = self._loop.run_until_complete(self._ask(method, path, body, headers))
        finally:
            self._watch.active = False
            self.engine.runs.clear()
            self.engine.embeds.clear()
            self.engine.loads.clear()
            self.engine.unloads.clear()
        assert not self._watch.violations, self._watch.violations
        shown = answer.body.decode("utf-8")
        assert str(self.root) not in shown or path == "/api/show", "a path of the server is told"
        check_shape(method, path, answer)
        return answer

    async def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> Answer:
        sent: list[dict[str, Any]] = []
        pieces = [body[: len(body) // 2], body[len(body) // 2 :]]

        async def receive() -> dict[str, Any]:
            if pieces:
                piece = pieces.pop(0)
                return {"type": "http.request", "body": piece, "more_body": bool(pieces)}
            await asyncio.Event().wait()  # the client stays
            raise AssertionError

        async def send(message: Any) -> None:
            sent.append(message)

        pairs = {"host": "localhost", "content-length": str(len(body)), **headers}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": quote(path).encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(k.encode(), v.encode("latin-1")) for k, v in pairs.items()],
            "client": ("127.0.0.1", 1),
            "server": ("localhost", 80),
        }
        await self.app(scope, receive, send)
        start = sent[0]
        kind = dict(start["headers"]).get(b"content-type", b"").decode()
        assert sent[-1].get("more_body", False) is False, "the answer has no end"
        return Answer(start["status"], b"".join(m.get("body", b"") for m in sent[1:]), kind)

    def post(self, path: str, body: Any, method: str = "POST") -> Answer:
        return self.ask(method, path, json.dumps(body, ensure_ascii=False).encode())

    # --- the disk ---

    def settle(self) -> None:
        """See that everything in the store is whole, and put the store back."""
        assert self._outside == [(p, p.stat().st_mtime_ns) for p in sorted(self.outside.rglob("*"))]
        now = self._read_stamps()
        if now == self._stamps:
            return
        for path in now.keys() - self._stamps.keys():
            self._check_file(Path(path))
        for path in now:
            if self._stamps.get(path) != now[path]:
                os.unlink(path)
        for path, content in self._files.items():
            if self._stamps[str(path)] != now.get(str(path)):
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        for path in sorted(self.store.manifests.rglob("*"), reverse=True):
            if path.is_dir():
                with contextlib.suppress(OSError):
                    path.rmdir()
        self._stamps = self._read_stamps()

    def _check_file(self, path: Path) -> None:
        if path.parent == self.store.blobs:
            actual = hashlib.sha256(path.read_bytes()).hexdigest()
            assert path.name == f"sha256-{actual}", f"{path.name} is no blob"
            return
        parts = path.relative_to(self.store.manifests).parts
        try:
            name = ModelName(*parts)
        except (InvalidName, TypeError):
            raise AssertionError(f"{parts} is no manifest") from None
        found = self.store.find(name)
        assert found is not None and all(map(self.store.has_blob, found.manifest.digests)), parts

    def _read_files(self) -> dict[Path, bytes]:
        return {p: p.read_bytes() for p in self.store.models.rglob("*") if p.is_file()}

    def _read_stamps(self) -> dict[str, tuple[int, int]]:
        found: dict[str, tuple[int, int]] = {}
        for folder, _, names in os.walk(self.store.models):
            for name in names:
                path = os.path.join(folder, name)
                info = os.stat(path)
                found[path] = (info.st_size, info.st_mtime_ns)
        return found

    def close(self) -> None:
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


def check_shape(method: str, path: str, answer: Answer) -> None:
    """Errors in Ollama's form (or OpenAI's), objects that the real client's types accept."""
    if method == "HEAD":
        return
    if answer.kind.startswith("text/plain"):
        assert answer.status in (200, 404, 405)
        return
    if answer.status >= 400:
        error = answer.json()["error"]
        text = error["message"] if path.startswith("/v1/") else error
        assert isinstance(text, str) and text and "internal server error" not in text, text
        return
    lines = [answer.body]
    if answer.kind == "application/x-ndjson":
        assert answer.body.endswith(b"\n")
        lines = answer.body[:-1].split(b"\n")
    if path not in ANSWER_TYPES or not answer.body:
        return
    objects = [json.loads(line) for line in lines]
    for item in objects:
        if item.keys() != {"error"}:
            ANSWER_TYPES[path](**item)
        assert path != "/api/chat" or item["message"]["role"] == "assistant"
    if path in ("/api/generate", "/api/chat"):
        is_shown = "_debug_info" in objects[-1]
        assert [item.get("done") for item in objects[:-1]] == [False] * (len(objects) - 1)
        assert objects[-1]["done"] is True or is_shown
    if path == "/api/create":
        assert objects[-1].get("status") == "success"


# --- what is sent ---------------------------------------------------------------------

TEXTS = st.text(max_size=12)
NUMBERS = st.one_of(
    st.integers(-3, 300),
    st.sampled_from([2**31, -(2**31), 2**63, -(2**63), 10**30, 0.5, -1.5, 1e300, 1e39, 4.0]),
    st.floats(allow_nan=False, allow_infinity=False),
)
JUNK = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)
NAME_TEXTS = st.text("abZ09_-.:/@%\\ é\n\0", max_size=14)
NAMES = st.one_of(
    st.sampled_from([*CAPABILITIES, "TINY:latest", "tiny:LATEST", "library/tiny"]),
    st.sampled_from([*CAPABILITIES, "team/own.model:v1"]),
    st.sampled_from([*CAPABILITIES, "new", "new:x", "a/b/c:d", "registry.ollama.ai/library/tiny"]),
    st.sampled_from(["tiny:local", "tiny:cloud", "big:1b-cloud", "x:cloud:local", "http://h/n/m"]),
    st.sampled_from(["", " ", "missing", "../x", "a" * 81, "h/" + "n" * 81 + "/m"]),
    st.just("tiny:latest\n"),
    NAME_TEXTS,
)  # fmt: skip
OPTIONS = st.dictionaries(
    st.sampled_from([*sorted(INT_OPTIONS | FLOAT_OPTIONS), "use_mmap", "stop", "other"]),
    st.one_of(NUMBERS, NUMBERS, st.booleans(), st.lists(TEXTS, max_size=2), JUNK),
    max_size=3,
)
GOOD_OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "seed": st.integers(-1, 9),
        "temperature": st.floats(0, 2),
        "stop": st.lists(TEXTS, max_size=2),
        "num_ctx": st.integers(-5, 2**40),
    },
)
KEEP_ALIVE = st.one_of(
    st.sampled_from([0, -1, 5, 0.5, "5m", "0", "-1m", "1h2m3.5s", "", "10", "1 m", "m", "1e3s"]),
    st.text("0123456789.+-hmsuµn ", max_size=6),
    JUNK,
)
IMAGES = st.lists(st.sampled_from(["aGk=", "aGkx", "", "a", "a===", "é"]), max_size=2)
CALLS = st.lists(
    st.one_of(
        st.builds(
            lambda name, values: {"function": {"name": name, "arguments": values}},
            TEXTS,
            st.dictionaries(TEXTS, JUNK, max_size=2),
        ),
        st.dictionaries(st.sampled_from(["function", "id"]), JUNK, max_size=2),
    ),
    max_size=2,
)
MESSAGES = st.lists(
    st.one_of(
        st.fixed_dictionaries(
            {"role": st.sampled_from(["user", "assistant", "system", "tool", "USER", "x"])},
            optional={
                "content": TEXTS,
                "thinking": TEXTS,
                "tool_calls": CALLS,
                "tool_name": TEXTS,
                "tool_call_id": TEXTS,
                "images": IMAGES,
            },
        ),
        st.dictionaries(
            st.sampled_from(["role", "content", "images", "tool_calls"]), JUNK, max_size=2
        ),
    ),
    max_size=3,
)  # fmt: skip
TOOLS = st.lists(
    st.one_of(
        st.just({"type": "function", "function": {"name": "f", "parameters": {"properties": {}}}}),
        st.builds(
            lambda inner: {"function": inner},
            st.dictionaries(
                st.sampled_from(["name", "parameters", "description"]), JUNK, max_size=3
            ),
        ),
        st.dictionaries(st.sampled_from(["type", "function"]), JUNK, max_size=2),
    ),
    max_size=2,
)  # fmt: skip
TEMPLATES = st.one_of(
    st.sampled_from(["", "{{ .Prompt }}", "{{ if }}"]),
    st.just("{{ range .Messages }}{{ .Content }}{{ end }}"),
    st.text("{}.-|$\"`() abPromptifendrangeelse\n", max_size=30),
)  # fmt: skip
SCHEMAS = st.one_of(
    st.sampled_from(["json", "", {"type": "object"}, {}, "yaml", {"type": "nonsense"}]), JUNK
)
FILES = st.dictionaries(
    st.sampled_from(["m.gguf", "a/b.gguf", "../m.gguf", "/m.gguf", "", "C:x", "a\\b", "a//b"]),
    st.one_of(
        st.sampled_from(["tiny", "text", MISSING, MISSING.replace(":", "-"), "", "sha256:x"]),
        TEXTS,
    ),
    max_size=2,
)
PARTS_OF_CONTENT = st.lists(
    st.sampled_from([{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": DATA_IMAGE},
                     {"type": "text"}, {"type": "x"}, "x"]),
    max_size=2,
)  # fmt: skip
V1_CALLS = st.lists(
    st.one_of(
        st.just({"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}),
        st.builds(
            lambda a: {"function": {"name": "f", "arguments": a}},
            st.text("{}[]\":,a1", max_size=6),
        ),
        JUNK,
    ),
    max_size=2,
)  # fmt: skip
V1_MESSAGES = st.lists(
    st.one_of(
        st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": TEXTS}),
        st.fixed_dictionaries(
            {"role": st.sampled_from(["user", "assistant", "tool"])},
            optional={"content": TEXTS | PARTS_OF_CONTENT, "tool_calls": V1_CALLS,
                      "tool_call_id": TEXTS, "name": TEXTS, "reasoning": TEXTS},
        ),
        st.dictionaries(
            st.sampled_from(["role", "content", "tool_calls", "tool_call_id"]), JUNK, max_size=3
        ),
    ),
    max_size=3,
)  # fmt: skip

LIKELY: dict[str, st.SearchStrategy[Any]] = {
    "model": NAMES,
    "name": NAMES,
    "source": NAMES,
    "destination": NAMES,
    "from": NAMES,
    "options": st.one_of(GOOD_OPTIONS, OPTIONS),
    "parameters": st.one_of(GOOD_OPTIONS, OPTIONS),
    "keep_alive": KEEP_ALIVE,
    "think": st.sampled_from([True, False, "low", "max", "x", 1]) | JUNK,
    "format": SCHEMAS,
    "template": TEMPLATES,
    "context": st.lists(st.integers(-1, 2**40), max_size=3),
    "images": IMAGES,
    "messages": MESSAGES,
    "tools": TOOLS,
    "input": TEXTS | st.lists(TEXTS, max_size=3) | JUNK,
    "top_logprobs": st.integers(-1, 21),
    "dimensions": st.integers(-1, 3),
    "files": FILES,
    "adapters": FILES,
    "license": TEXTS | st.lists(TEXTS, max_size=2) | JUNK,
    "quantize": st.sampled_from(["q8_0", "Q4_K_M", "F16", "f32", "x", ""]),
    "renderer": st.sampled_from(["", "", "x"]),
    "parser": st.just(""),
    "stop": TEXTS | st.lists(TEXTS, max_size=2) | JUNK,
    "temperature": NUMBERS | JUNK,
    "top_p": NUMBERS,
    "frequency_penalty": NUMBERS,
    "presence_penalty": NUMBERS,
    "max_tokens": st.integers(-1, 9) | NUMBERS,
    "seed": st.integers(-1, 9) | NUMBERS,
    "reasoning_effort": st.sampled_from([*EFFORTS, "", "x"]),
    "reasoning": st.fixed_dictionaries({}, optional={"effort": st.sampled_from([*EFFORTS]) | JUNK}),
    "response_format": st.one_of(
        st.sampled_from([{"type": "text"}, {"type": "json_object"}, {"type": "json_schema"}]),
        st.just({"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}),
        st.dictionaries(st.sampled_from(["type", "json_schema"]), JUNK, max_size=2),
    ),
    "stream_options": st.fixed_dictionaries({}, optional={"include_usage": st.booleans()}),
    "encoding_format": st.sampled_from(["float", "base64", "x"]),
    "suffix": st.sampled_from(["", "", "return"]),
}
OWN_LIKELY = {  # where a field means something else
    ("/v1/chat/completions", "messages"): V1_MESSAGES,
    ("/v1/completions", "logprobs"): st.integers(-1, 21),
    ("/v1/completions", "prompt"): TEXTS | JUNK,
}
NEEDED = {
    "/api/generate": ("model", "prompt"),
    "/api/chat": ("model", "messages"),
    "/api/embed": ("model", "input"),
    "/api/embeddings": ("model", "prompt"),
    "/api/copy": ("source", "destination"),
    "/api/create": ("model", "from"),
    "/v1/chat/completions": ("model", "messages"),
    "/v1/completions": ("model", "prompt"),
    "/v1/embeddings": ("model", "input"),
}
PATHS = sorted(FIELDS)
OLLAMA_TEXT = st.sampled_from(["hi", ""]) | TEXTS


@st.composite
def bodies(draw: st.DrawFn, path: str) -> dict[str, Any]:
    """A body for this endpoint: mostly what a client would send, with junk here and there."""
    needed = NEEDED.get(path, ("model",))
    others = [name for name in FIELDS[path] if name not in needed] or list(needed)
    chosen = [*needed, *draw(st.lists(st.sampled_from(others), max_size=4, unique=True))]
    body: dict[str, Any] = {}
    for name in chosen:
        luck = draw(st.integers(0, 19))
        if luck == 0:
            body[name] = draw(JUNK)
        elif luck == 1 and name in needed:
            continue
        else:
            body[name] = draw(_likely(path, name))
    return body


def _likely(path: str, name: str) -> st.SearchStrategy[Any]:
    if (path, name) in OWN_LIKELY:
        return OWN_LIKELY[path, name]
    if name in LIKELY:
        return LIKELY[name]
    kinds: dict[str, st.SearchStrategy[Any]] = {"string": OLLAMA_TEXT, "bool": st.booleans()}
    return kinds.get(FIELDS[path][name], JUNK)


# With a number, from which more cases are made: drawing is most of the work.
REQUESTS = st.sampled_from(PATHS).flatmap(
    lambda path: st.tuples(st.just(path), bodies(path), st.integers(0, 2**16))
)
TWISTS: tuple[Any, ...] = (
    "", " ", "x", "tiny", "missing", "a/../b", "tiny:cloud", "json", 0, -1, 1, 21, 2**31, 2**63,
    10**30, 0.5, 1e39, True, False, [], {}, [""], ["x", 1], [None], [[]], [{}], {"a": {}},
    {"type": "object"}, {"num_ctx": "x"}, {"stop": "x"}, {"seed": 1.5}, [{"role": "user"}],
    [{"role": "user", "content": "x"}], "\0", "\ufeff", "あ", "\U0001f600", "{{", "sha256:", None,
)  # fmt: skip
PUT_IN = (
    b"{", b"[", b'"', b",", b"\\ud83d", b"\xff", b"NaN", b"1e999", b"9" * 5000, b"[" * 3000, b"null"
)  # fmt: skip


def tear_text(raw: bytes, chance: random.Random) -> bytes:
    """Bytes that were JSON once: cut, with bytes changed or put in, nested, or with a tail."""
    torn = bytearray(raw)
    for _ in range(chance.randint(0, 3)):
        at, kind = chance.randint(0, len(torn)), chance.randint(0, 20)
        if kind < 5:
            del torn[at:]
        elif kind < 10:
            torn[at : at + 1] = bytes([chance.randint(0, 255)])
        elif kind < 16:
            torn[at:at] = chance.choice(PUT_IN)
        elif kind < 20:
            torn += chance.randbytes(chance.randint(0, 4))
        else:
            torn[:] = chance.choice((b"", b" ", b"\r\n\t"))
    return bytes(torn)


@st.composite
def odd_names(draw: st.DrawFn) -> str:
    """Texts at the edges of the grammar: long parts, odd characters, too many separators."""
    part = st.one_of(
        st.text("aB3_-.", min_size=1, max_size=5),
        st.sampled_from(["", ".", "..", "-a", "a" * 80, "a" * 81, "h:80", "tiny", "team"]),
        st.text(max_size=3),
    )  # fmt: skip
    count = draw(st.integers(1, 4))
    text = "/".join(draw(part) for _ in range(count))
    if draw(st.booleans()):
        text += ":" + draw(part | st.sampled_from(["latest", "cloud", "local", "1b-cloud", "v1"]))
    return draw(st.sampled_from(["", "", "", "http://", "x://"])) + text


@st.composite
def odd_digests(draw: st.DrawFn) -> str:
    """Digests with a wrong prefix, length, case or character."""
    prefix = draw(
        st.sampled_from(["sha256:", "sha256:", "sha256-", "SHA256:", "sha512:", "", "../"])
    )
    length = draw(st.sampled_from([64, 64, 64, 63, 65, 0]))
    letters = draw(st.sampled_from(["0123456789abcdef", "0123456789ABCDEF", "abcdefg", "a/.\n é"]))
    return prefix + draw(st.text(letters, min_size=length, max_size=length))


@st.composite
def modelfile_texts(draw: st.DrawFn) -> bytes:
    """Modelfiles: instructions in any order and spelling, quotes that close or do not, bytes."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=80))
    argument = st.one_of(
        st.sampled_from(["tiny", '"a"', '"""a\nb"""', '"', '"""', "0.5", "stop x", "user hi"]),
        st.text('ab "\\\n\t#\u00a0{}.:', max_size=20),
        st.text(max_size=10),
    )  # fmt: skip
    words = [*modelfile.INSTRUCTIONS, "FROM", "from", "PARAMETER", "MESSAGE user", "RUN", "#", ""]
    heads = st.sampled_from(
        [*words, "PARAMETER temperature", "PARAMETER stop", "PARAMETER num_ctx"]
    )
    lines = draw(
        st.lists(st.tuples(heads, st.sampled_from([" ", "\t", "", "  "]), argument), max_size=6)
    )
    text = draw(st.sampled_from(["\n", "\r\n", "\r"])).join("".join(line) for line in lines)
    mark, encoding = draw(
        st.sampled_from(
            [
                (b"", "utf-8"),
                (b"\xef\xbb\xbf", "utf-8"),
                (b"\xff\xfe", "utf-16-le"),
                (b"\xfe\xff", "utf-16-be"),
            ]
        )
    )
    return mark + text.encode(encoding, "surrogatepass")  # fmt: skip


# --- the parts ------------------------------------------------------------------------

ODD_INTEGERS = (0, 1, 2, 3, 7, 31, 255, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63, 2**64 - 1)
HEAD_BYTES = 9000  # of the tiny GGUF: its metadata, vocabulary and tensor list


@st.composite
def torn_ggufs(draw: st.DrawFn) -> list[tuple[str, int, int]]:
    """What is done to a sound GGUF, in order: (how, where, with what)."""
    step = st.tuples(
        st.sampled_from(["set8", "set32", "set64", "flip", "cut", "drop", "copy", "insert"]),
        st.one_of(st.integers(0, 64), st.integers(0, HEAD_BYTES), st.integers(0, 200_000)),
        st.one_of(st.sampled_from(ODD_INTEGERS), st.integers(0, 2**16)),
    )
    return draw(st.lists(step, min_size=1, max_size=4))


def tear(raw: bytes, steps: Sequence[tuple[str, int, int]]) -> bytes:
    data = bytearray(raw)
    for how, at, value in steps:
        at = min(at, len(data))
        if how == "set8":
            data[at : at + 1] = bytes([value & 255])
        elif how == "set32":
            data[at : at + 4] = struct.pack("<I", value & (2**32 - 1))
        elif how == "set64":
            data[at : at + 8] = struct.pack("<Q", value)
        elif how == "flip" and at < len(data):
            data[at] ^= 1 << (value % 8)
        elif how == "cut":
            del data[at:]
        elif how == "drop":
            del data[at : at + value % 64 + 1]
        elif how == "copy":
            data[at:at] = data[at : at + value % 256]
        elif how == "insert":
            data[at:at] = bytes(value % 64)
    return bytes(data)


def fuzz_bodies(box: Sandbox, case: tuple[str, Any, int]) -> None:
    path, body, number = case
    check_request(box, path, json.dumps(body).encode(), body)
    names = sorted(FIELDS[path])
    for turn in range(3):
        name = names[(number + 5 * turn) % len(names)]
        twisted = {**body, name: TWISTS[(number // 7 + 11 * turn) % len(TWISTS)]}
        note(f"twisted: {twisted}")
        check_request(box, path, json.dumps(twisted).encode(), twisted)


def fuzz_torn_bodies(box: Sandbox, case: tuple[str, Any, int]) -> None:
    path, body, number = case
    raw = json.dumps(body, ensure_ascii=number % 2 == 0).encode()
    for turn in range(4):
        torn = tear_text(raw, random.Random(f"{number}/{turn}"))
        note(f"torn: {torn[:300]!r}")
        check_torn_body(box, path, torn)


def check_torn_body(box: Sandbox, path: str, raw: bytes) -> None:
    text = raw.decode("utf-8", "replace").lstrip(" \t\r\n")
    try:
        decoder = json.JSONDecoder(parse_constant=lambda name: [][0])  # JSON has no NaN
        body, _ = decoder.raw_decode(text)
    except (ValueError, RecursionError, IndexError):
        box.cases += 1
        answer = box.ask(_method(path), path, raw)
        assert answer.status == 400, (answer.status, answer.body)
        return
    check_request(box, path, raw, body)


def check_request(box: Sandbox, path: str, raw: bytes, body: Any) -> None:
    """The status is one of those that the oracle allows; a model that was made can be used."""
    box.cases += 1
    if path == "/api/create" and isinstance(body, dict):
        filled = _with_digests(box, body)
        raw, body = (raw, body) if filled == body else (json.dumps(filled).encode(), filled)
        right = create_allowed(body, box.models, box.blobs)
    else:
        right = allowed(path, body, box.models)
    answer = box.ask(_method(path), path, raw)
    note(f"{answer.status} {answer.body[:300]!r}, allowed: {sorted(right)}")
    assert answer.status in right, f"{path}: {answer.status}, allowed {sorted(right)}"
    if path == "/api/create" and answer.status == 200:
        _use_what_was_made(box, body)
    box.settle()


def _use_what_was_made(box: Sandbox, body: dict[str, Any]) -> None:
    name = body.get("model") or body["name"]
    shown = box.post("/api/show", {"model": name})
    assert shown.status == 200, shown.body
    assert box.ask("GET", "/api/tags").status == 200
    can = shown.json()["capabilities"]
    answer = box.post("/api/chat", {"model": name, "messages": [{"role": "user", "content": "x"}]})
    is_wrong = bad_options(body.get("parameters"))  # stored as given: refused when used
    right = {400} if "completion" not in can else {500} if is_wrong else {200}
    note(f"used: {answer.status} {answer.body[:200]!r}")
    assert answer.status in right, f"the model made answers {answer.status}, not {sorted(right)}"


def _with_digests(box: Sandbox, body: dict[str, Any]) -> dict[str, Any]:
    """The words `tiny` and `text` stand for digests of blobs that are there."""
    sound = next(digest for digest, is_gguf in sorted(box.blobs.items()) if is_gguf)
    other = next(digest for digest, is_gguf in sorted(box.blobs.items()) if not is_gguf)
    words = {"tiny": f"sha256:{sound}", "text": f"sha256-{other.upper()}"}
    found = dict(body)
    for key in ("files", "adapters"):
        if isinstance(found.get(key), dict):
            found[key] = {
                name: words.get(digest, digest) if isinstance(digest, str) else digest
                for name, digest in found[key].items()
            }
    return found


def _method(path: str) -> str:
    return "DELETE" if path == "/api/delete" else "POST"


NAME_PATHS = (
    "/api/show", "/api/generate", "/api/chat", "/api/embed", "/api/embeddings", "/api/delete",
    "/api/push", "/api/pull", "/api/copy", "/api/create", "/v1/completions", "/v1/models/",
)  # fmt: skip


def fuzz_names(box: Sandbox, case: tuple[str, str]) -> None:
    path, name = case
    if path == "/v1/models/":
        box.cases += 1
        answer = box.ask("GET", path + name)
        if "\n" in name:  # a line break ends the path that the router sees, or it sees none
            assert answer.status < 500
            return
        status, model = looked_up(name, box.models)
        right = {200} if model else {status} if name else {400, 404}
        assert answer.status in right, (answer.status, right)
        return
    body: dict[str, Any] = {"model": name, "prompt": "x", "input": "x"}
    if path == "/api/copy":
        body = {"source": "tiny", "destination": name}
    elif path == "/api/create":
        body = {"model": name, "from": "tiny"}
    elif path == "/api/pull":
        body = {"model": name, "stream": len(name) % 2 == 0}
    elif path == "/api/chat":
        body["messages"] = [{"role": "user", "content": "x"}]
    check_request(box, path, json.dumps(body).encode(), body)


def fuzz_digests(box: Sandbox, case: tuple[str, str, bytes]) -> None:
    how, digest, content = case
    box.cases += 1
    is_digest = len(digest) == 71 and digest[:7] in ("sha256:", "sha256-") and all(
        c in "0123456789abcdefABCDEF" for c in digest[7:])  # fmt: skip
    if how in ("files", "adapters"):
        body = {"model": "new", "from": "" if how == "files" else "tiny", how: {"m": digest}}
        answer = box.post("/api/create", body)
        here = is_digest and digest[7:].lower() in box.blobs
        right = {400} if not is_digest else {200, 400} if here else {500}
        assert answer.status in right, (answer.status, answer.body)
        return
    own = "sha256:" + hashlib.sha256(content).hexdigest()
    if how == "own":
        digest, is_digest = own, True
    answer = box.ask("HEAD" if how == "HEAD" else "POST", f"/api/blobs/{digest}", content)
    here = is_digest and digest[7:].lower() in box.blobs
    if not is_digest:
        right = {404, 400} if "/" in digest or not digest else {400}
    elif how == "HEAD":
        right = {200} if here else {404}
    else:
        right = {200} if here else {201} if digest == own else {400}
    assert answer.status in right, (answer.status, answer.body)


def fuzz_modelfiles(box: Sandbox, raw: bytes) -> None:
    box.cases += 1
    try:
        commands = modelfile.parse_modelfile(raw)
        asked = modelfile.to_request(commands, folder=str(box.outside), exists=lambda path: False)
    except ModelfileError as error:
        assert all(len(error.text(lang).splitlines()) >= 3 for lang in ("en", "ja"))
        return
    assert any(command.name == "model" for command in commands)
    with contextlib.suppress(ModelfileError):  # what cannot be written down is said
        assert modelfile.parse_modelfile(modelfile.format_modelfile(commands)) == commands
    modelfile.format_modelfile(commands, strict=False)
    body = {"model": "new", **asked.fields()}
    box.cases -= 1  # it counts there
    check_request(box, "/api/create", json.dumps(body).encode(), body)


def fuzz_ggufs(box: Sandbox, steps: list[tuple[str, int, int]]) -> None:
    box.cases += 1
    raw = tear(box.gguf, steps)
    try:
        found = parse_gguf(raw)
        right = {400} if found.text("general.type") == "adapter" else {200}
    except BrokenGguf as error:
        assert str(box.root) not in str(error)
        right = {400}
    digest = "sha256:" + hashlib.sha256(raw).hexdigest()
    assert box.ask("POST", f"/api/blobs/{digest}", raw).status in (200, 201)
    body = {"model": "torn", "files": {"m.gguf": digest}}
    answer = box.post("/api/create", body)
    note(f"{answer.status} {answer.body[-300:]!r}")
    assert answer.status in right, (answer.status, answer.body[-300:])
    was_there = digest[7:] in box.blobs
    assert box.store.has_blob(digest) == (answer.status == 200 or was_there)
    if answer.status == 200:
        for path, more in (("/api/show", {"verbose": True}), ("/api/generate", {"prompt": "x"})):
            used = box.post(path, {"model": "torn", **more})
            assert used.status in (200, 400), (path, used.status, used.body[:300])


@dataclass(frozen=True)
class Part:
    name: str
    share: int  # of a hundred cases
    cases: st.SearchStrategy[Any]
    work: Callable[[Sandbox, Any], None]


DIGEST_CASES = st.tuples(
    st.sampled_from(["HEAD", "POST", "own", "files", "adapters"]),
    odd_digests() | st.just(MISSING),
    st.binary(max_size=20),
)
PARTS = (
    Part("bodies", 46, REQUESTS, fuzz_bodies),
    Part("torn bodies", 14, REQUESTS, fuzz_torn_bodies),
    Part("names", 12, st.tuples(st.sampled_from(NAME_PATHS), odd_names() | NAMES), fuzz_names),
    Part("digests", 8, DIGEST_CASES, fuzz_digests),
    Part("modelfiles", 10, modelfile_texts(), fuzz_modelfiles),
    Part("ggufs", 10, torn_ggufs(), fuzz_ggufs),
)


# --- running --------------------------------------------------------------------------


def run_chunk(box: Sandbox, part: Part, number: int, start: int, examples: int = CHUNK) -> None:
    """So many examples of one part, the same ones for the same seed and number."""

    @seed(int.from_bytes(hashlib.sha256(f"{start}/{part.name}/{number}".encode()).digest()[:8]))
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        derandomize=False,
        print_blob=False,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(part.cases)
    def check(case: Any) -> None:
        try:
            part.work(box, case)
        finally:
            box.settle()

    check()


@contextlib.contextmanager
def sandbox() -> Iterator[Sandbox]:
    """In a new folder, without fsync: nobody pulls a plug here."""
    kept, os.fsync = os.fsync, lambda number: None
    with tempfile.TemporaryDirectory(prefix="jimoto-fuzz-") as folder:
        root = Path(folder).resolve()
        with watching(root / "models") as watch:
            box = Sandbox(root, watch)
            try:
                yield box
            finally:
                box.close()
                os.fsync = kept


def run(box: Sandbox, part: Part, total: int, start: int, say: Callable[[str], None]) -> int:
    """Chunk after chunk until there were so many cases; how many chunks failed."""
    failures, number = 0, 0
    while box.cases < total:
        try:
            run_chunk(box, part, number, start)
        except Exception:
            failures += 1
            say(f"FAILED, again with: --seed {start} --part {part.name!r} --chunk {number}")
            say(traceback.format_exc())
        number += 1
        if number % 20 == 0:
            say(f"  {part.name}: {box.cases} of {total} cases")
    return failures


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--seed", type=int, help="default: a new one, which is printed")
    parser.add_argument("--part", choices=[part.name for part in PARTS], help="default: all")
    parser.add_argument("--chunk", type=int, help="repeat this one")
    asked = parser.parse_args(arguments)
    start = secrets.randbelow(10**6) if asked.seed is None else asked.seed
    parts = [part for part in PARTS if asked.part in (None, part.name)]
    failures = 0
    print(f"seed {start}", flush=True)
    for part in parts:
        began = time.monotonic()
        with sandbox() as box:
            if asked.chunk is not None:
                run_chunk(box, part, asked.chunk, start)
                continue
            share = part.share if asked.part is None else 100
            failed = run(box, part, asked.cases * share // 100, start, say)
            minutes = (time.monotonic() - began) / 60
            say(f"{part.name}: {box.cases} cases, {box.cases / minutes:.0f} a minute, "
                f"{failed} chunks failed")  # fmt: skip
        failures += failed
    return 1 if failures else 0


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
