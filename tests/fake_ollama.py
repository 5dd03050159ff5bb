"""An Ollama server with a script, over real HTTP: what commands say to it, and what they do then.

The name of the model chooses the scene; see `SCENES`. Nothing of Jimoto is in it.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SHOW = {
    "modelfile": "FROM x",
    "parameters": 'stop                           "<|im_end|>"',
    "template": "{{ .Prompt }}",
    "license": "MIT\nby us\nand more\nlines",
    "details": {"family": "llama", "parameter_size": "5.84M", "quantization_level": "F16"},
    "model_info": {"general.architecture": "llama", "llama.context_length": 2048},
    "capabilities": ["completion", "thinking"],
}
ITEM = {"model": "mame:latest", "name": "mame:latest", "digest": "0123456789abcdef"}
LISTED = ITEM | {"size": 11_700_000, "modified_at": "2026-11-22T00:00:00Z"}
LOADED = ITEM | {"size": 15_000_000, "size_vram": 0, "context_length": 2048}
LOADED |= {"expires_at": "2318-01-01T00:00:00Z"}
COUNTS = {"total_duration": 2_000_000_000, "eval_count": 20, "eval_duration": 500_000_000}
SCENES = {
    "mame": "thinks, then answers",
    "lorem": "answers with a long line, English and Japanese, a few characters at a time",
    "endless": "never stops answering",
    "dying": "ends the connection in the middle of the answer",
    "failing": "reports an error in the middle of the answer",
    "missing": "is not there, nor in the registry",
    "full": "is not there; while it is pulled the disk gets full",
    "arriving": "is not there until it has been pulled",
    "vector": "is an embedding model",
    "told": "brings a conversation along",
}
LOREM = "A local model answers on your own laptop, without any network. " * 3 + "豆を煎る。" * 40


class Handler(BaseHTTPRequestHandler):
    """One request."""

    server: FakeOllama
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: Any) -> None: ...

    def do_HEAD(self) -> None:
        self.answer({})

    def do_GET(self) -> None:
        if self.path == "/":
            return self.send(200, b"Ollama is running", "text/plain")
        pages = {"/api/version": {"version": "0.33.0"}, "/api/tags": {"models": [LISTED]}}
        self.answer((pages | {"/api/ps": {"models": [LOADED]}})[self.path])

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path.startswith("/api/blobs/"):
            self.server.asked.append((self.path, data))
            return self.answer({}, 201)
        body = json.loads(data or b"{}")
        self.server.asked.append((self.path, body))
        getattr(self, self.path.rpartition("/")[2])(body, body.get("model") or body.get("source"))

    do_DELETE = do_POST

    # --- the routes -------------------------------------------------------------------------------

    def show(self, body: Any, model: str) -> None:
        absent = model in ("missing", "full") or (model == "arriving" and not self.server.pulled)
        if absent or "/" in model:
            return self.answer({"error": f"model '{model}' not found"}, 404)
        facts = SHOW | ({"capabilities": ["embedding"]} if model == "vector" else {})
        if model == "told":
            said = (("user", "Who are you?"), ("assistant", "A bean."))
            facts |= {"messages": [{"role": role, "content": text} for role, text in said]}
        self.answer(facts)

    def generate(self, body: Any, model: str) -> None:
        if not body.get("prompt"):
            return self.answer({"response": "", "done": True})
        self.stream(self.scene(model, lambda text: {"response": text}))

    def chat(self, body: Any, model: str) -> None:
        def chunk(text: str) -> dict[str, Any]:
            return {"message": {"role": "assistant", "content": text}}

        if model == "mame":  # says back what it was told
            told = [f"{item['role']}={item['content']}" for item in body["messages"]]
            return self.stream([chunk(" | ".join(told)), chunk("") | {"done": True} | COUNTS])
        self.stream(self.scene(model, chunk))

    def scene(self, model: str, chunk: Any) -> Iterator[dict[str, Any] | None]:
        """The chunks of an answer; None ends the connection at once."""
        if model == "lorem":
            yield from (chunk(LOREM[at : at + 4]) for at in range(0, len(LOREM), 4))
        while model == "endless":
            yield chunk("word ")
            time.sleep(0.02)
        if model in ("dying", "failing"):
            yield chunk("Half of ")
            yield None if model == "dying" else {"error": "the runner has stopped"}
        if model == "mame":
            yield {"response": "", "thinking": "2+3=5"}
        yield from (chunk("It is"), chunk(" 5.") | {"done": True} | COUNTS)

    def embed(self, body: Any, model: str) -> None:
        self.answer({"embeddings": [[0.5, -0.25]]})

    def pull(self, body: Any, model: str) -> None:
        if model == "arriving":
            self.server.pulled = True
            return self.stream([{"status": "pulling manifest"}, {"status": "success"}])
        why = {"full": "no space left on device"}
        why["missing"] = "pull model manifest: file does not exist"
        self.stream([{"status": "pulling manifest"}, {"error": why[model]}])

    def push(self, body: Any, model: str) -> None:
        self.send(404, b"Not Found", "text/plain")

    def create(self, body: Any, model: str) -> None:
        self.stream([{"status": "writing manifest"}, {"status": "success"}])

    def copy(self, body: Any, model: str) -> None:
        self.answer({})

    delete = copy

    # --- the wire ---------------------------------------------------------------------------------

    def answer(self, body: Any, status: int = 200) -> None:
        self.send(status, json.dumps(body).encode(), "application/json")

    def send(self, status: int, data: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def stream(self, items: Any) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for item in items:
                if item is None:
                    self.close_connection = True
                    return
                line = json.dumps(item).encode() + b"\n"
                self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                self.wfile.flush()
            self.wfile.write(b"0\r\n\r\n")
        except OSError:  # the command has gone: that is what some tests are about
            self.server.hung_up.set()


class FakeOllama(ThreadingHTTPServer):
    """The server, and what it was asked: (path, body) in order."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, Any]] = []
        self.pulled = False
        self.hung_up = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks is part of the play."""

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    def last(self, path: str) -> Any:
        """The body of the last request to a path."""
        return next(body for asked, body in reversed(self.asked) if asked == path)


@contextmanager
def fake_ollama() -> Iterator[FakeOllama]:
    """A running one, gone afterwards."""
    server = FakeOllama()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
