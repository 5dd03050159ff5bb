"""A look at what a program really sends: a stand-in for the server that notes and passes on.

While `listening()` lasts, OLLAMA_HOST names a port of this computer that hands every request to the
real server and its answer back. Commands started meanwhile are heard; a client made before is not.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from jimoto.connection import server_url


@contextmanager
def listening() -> Iterator[list[dict[str, Any]]]:
    """The bodies of the requests heard so far, each with its `path`; grows while the block runs."""
    import httpx

    before = os.environ.get("OLLAMA_HOST")
    heard: list[dict[str, Any]] = []
    with httpx.Client(base_url=server_url(before or ""), timeout=None) as real:

        class Tap(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if data:
                    heard.append({"path": self.path, **json.loads(data)})
                kind = self.headers.get("Content-Type") or "application/json"
                answer = real.request(
                    self.command, self.path, content=data, headers={"Content-Type": kind}
                )
                self.send_response(answer.status_code)
                self.send_header("Content-Type", answer.headers.get("Content-Type", "text/plain"))
                self.send_header("Content-Length", str(len(answer.content)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(answer.content)

            do_GET = do_HEAD = do_DELETE = do_POST

            def log_message(self, format: str, *args: Any) -> None: ...

        tap = ThreadingHTTPServer(("127.0.0.1", 0), Tap)
        thread = threading.Thread(target=tap.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        os.environ["OLLAMA_HOST"] = f"http://127.0.0.1:{tap.server_port}"
        try:
            yield heard
        finally:
            tap.shutdown()
            thread.join()
            tap.server_close()
            if before is None:
                del os.environ["OLLAMA_HOST"]
            else:
                os.environ["OLLAMA_HOST"] = before
