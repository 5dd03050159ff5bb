"""Every public function of the `ollama` package against this server: none is left out.

What each function does in detail is tested beside its subject; here stands the list, and the test
that the package has no function that is not on it.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import ollama
import pytest

from conftest import create_model, listening
from jimoto.daemon.app import create_app
from jimoto.daemon.library import Library
from jimoto.daemon.mirror import mirror_app
from jimoto.daemon.store import Store

USER = [{"role": "user", "content": "hi"}]
QUESTION = {"q": {"type": "score", "instructions": "How good?", "criteria": ["bad", "good"]}}

UNASKED = (ValueError, ollama.ResponseError)


@dataclass(frozen=True)
class Call:
    """A function, what it is given, and what it must answer: a value, or an error with a text."""

    name: str
    given: dict[str, Any]
    seen: Callable[[Any], Any] = lambda answer: answer
    expected: Any = None
    error: type[Exception] | tuple[type[Exception], ...] = ()
    text: str = ""

    def __str__(self) -> str:
        return self.name + ("-stream" if self.given.get("stream") else "")


def texts(pieces: list[Any]) -> list[str]:
    return [piece.message.content for piece in pieces]


def last(pieces: list[Any]) -> str:
    return str(pieces[-1].status)


SUCCESS: dict[str, Any] = {"seen": lambda answer: answer.status, "expected": "success"}
CALLS = [
    Call("chat", {"model": "tiny", "messages": USER}, lambda a: a.message.content, "Hello"),
    Call("chat", {"model": "tiny", "messages": USER, "stream": True}, texts, ["Hel", "lo", ""]),
    Call("generate", {"model": "tiny", "prompt": "x"}, lambda a: a.response, "Hello"),
    Call("generate", {"model": "tiny", "prompt": "x", "stream": True},
         lambda pieces: [piece.response for piece in pieces], ["Hel", "lo", ""]),
    Call("embed", {"model": "tiny", "input": ["abc"]}, lambda a: list(a.embeddings[0]), [0.6, 0.8]),
    Call("embeddings", {"model": "tiny", "prompt": "abc"}, lambda a: list(a.embedding), [0.6, 0.8]),
    Call("list", {}, lambda a: [model.model for model in a.models], ["tiny:latest"]),
    Call("ps", {}, lambda a: list(a.models), []),
    Call("show", {"model": "tiny"}, lambda a: a.details.family, "llama"),
    Call("create", {"model": "new", "from_": "tiny"}, **SUCCESS),
    Call("create", {"model": "new", "from_": "tiny", "stream": True}, last, "success"),
    Call("create_blob", {"path": "GGUF"}, lambda digest: digest[:7], "sha256:"),
    Call("copy", {"source": "tiny", "destination": "new"}, **SUCCESS),
    Call("delete", {"model": "tiny"}, **SUCCESS),
    Call("pull", {"model": "far"}, **SUCCESS),
    Call("pull", {"model": "far", "stream": True}, last, "success"),
    Call("push", {"model": "tiny"}, error=ollama.ResponseError, text="push is not supported"),
    Call("push", {"model": "tiny", "stream": True},
         error=ollama.ResponseError, text="push is not supported"),
    # Ollama has no such route either.
    Call("systemone", {"model": "tiny", "state": "x", "questions": QUESTION},
         error=ollama.ResponseError, text="404"),
    # These ask ollama.com. Without a key the client refuses before anything is sent, or (async) it
    # asks, which here reaches our own server, for want of a network: no host of that name is ours.
    Call("web_search", {"query": "x"}, error=UNASKED, text="Bearer token|403"),
    Call("web_fetch", {"url": "http://localhost"}, error=UNASKED, text="Bearer token|403"),
    Call("close", {}),
]  # fmt: skip


@dataclass
class Served:
    """Where the server is, for a client with a socket and for one without."""

    url: str
    app: Any
    gguf: Path

    def given(self, call: Call) -> dict[str, Any]:
        return {key: self.gguf if value == "GGUF" else value for key, value in call.given.items()}


@pytest.fixture
def served(settings, library, fake_engine, clock, tiny, tiny_gguf, tmp_path) -> Iterator[Served]:
    """One stored model, `tiny`, and a mirror that offers another, `far`."""
    offered = Store(tmp_path / "offered")
    offered.create_folders()
    create_model(Library(offered), "far", tiny_gguf)
    with listening(mirror_app(offered)) as mirror:
        app = create_app(settings, library, fake_engine, clock.clock, {"JIMOTO_MIRROR": mirror})
        with listening(app) as address:
            yield Served(f"http://{address}", app, tiny_gguf)


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_the_client_is_answered(served: Served, call: Call, monkeypatch) -> None:
    monkeypatch.delenv("OLLAMA_API_KEY", raising=False)

    def use() -> Any:
        with ollama.Client(served.url) as client:
            answer = getattr(client, call.name)(**served.given(call))
            return list(answer) if isinstance(answer, Iterator) else answer

    check(call, use)


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_the_async_client_is_answered(served: Served, call: Call, monkeypatch) -> None:
    monkeypatch.delenv("OLLAMA_API_KEY", raising=False)

    async def use() -> Any:
        transport = httpx.ASGITransport(served.app)
        async with ollama.AsyncClient("http://localhost", transport=transport) as client:
            answer = await getattr(client, call.name)(**served.given(call))
            if isinstance(answer, AsyncIterator):
                return [piece async for piece in answer]
            return answer

    check(call, lambda: asyncio.run(use()))


def check(call: Call, use: Callable[[], Any]) -> None:
    if call.error:
        with pytest.raises(call.error, match=call.text):
            use()
    else:
        assert call.seen(use()) == call.expected


@pytest.mark.parametrize("kind", [ollama.Client, ollama.AsyncClient])
def test_no_public_function_of_a_client_is_left_out(kind: type) -> None:
    public = {name for name in dir(kind) if not name.startswith("_")}
    assert public == {call.name for call in CALLS}


def test_streams_are_covered_wherever_there_are_some() -> None:
    streaming = {
        name
        for name, function in inspect.getmembers(ollama.Client, inspect.isfunction)
        if not name.startswith("_") and "stream" in inspect.signature(function).parameters
    }
    assert streaming == {call.name for call in CALLS if call.given.get("stream")}


def test_the_functions_of_the_package_are_those_of_a_client() -> None:
    """Bound methods of one client made at import: what holds for a client holds for them."""
    functions = {n: f for n, f in vars(ollama).items() if inspect.ismethod(f)}
    assert all(f.__func__ is getattr(ollama.Client, name) for name, f in functions.items())
    others = {"close", "create_blob"}
    assert functions.keys() | others == {call.name for call in CALLS}
