"""A read-only mirror: the models of one folder, for real Ollama or another Jimoto, over HTTP.

It speaks the registry protocol for GET and HEAD and writes nothing. Every path it opens comes from
its shelf (a store, or a bundle), for a validated name or digest, and only what a complete manifest
names is handed out. It does not know who may connect: which address is bound is its caller's
choice, said in words.

Ollama accepts a registry only if the GET of a blob names the place of its bytes in a Location
header: with status 307 and another host name, or with 200. A 200 without one, or a 302, it refuses
in several releases. So a blob is answered with 200 and a Location that leads back here: a path
without a host, which the client completes with the name by which it reached this computer. That
works behind any name, port or address translation, and other clients ignore the header.
Ollama gives this answer 30 seconds. So headers go out at once, and only the bytes wait their turn.

    ollama pull --insecure 192.168.1.5:11435/library/mame
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import ipaddress
import os
import re
import socket
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from jimoto.daemon.guards import is_allowed_host
from jimoto.daemon.names import DEFAULT_HOST, DEFAULT_TAG, InvalidName, ModelName, parse_name
from jimoto.daemon.store import MANIFEST_TYPE, Entry, InvalidDigest, Store, parse_digest
from jimoto.errors import language

MIRROR_PORT = 11435

_PIECE_BYTES = 256 * 1024
_MANIFEST_LIMIT_BYTES = 4 * 2**20
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})\Z")
_BASE_HEADERS = {
    "Docker-Distribution-Api-Version": "registry/2.0",
    "X-Content-Type-Options": "nosniff",
}

Headers = Mapping[str, str]
Offers = Callable[[ModelName], bool]


class _Refused(Exception):
    """An answer that is not the bytes: a status and the registry protocol's code for it."""

    def __init__(self, status: int, code: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})


def parse_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The first byte and the one behind the last; none for the whole blob. Raises 416.

    >>> parse_range("bytes=2-3", 10), parse_range("bytes=-4", 10), parse_range("bytes=0-1,4-5", 10)
    ((2, 4), (6, 10), None)
    """
    match = _RANGE.match(header or "")
    if match is None or match[1] == match[2] == "":
        return None  # several ranges, or another unit: it is allowed to send everything
    first, last = match[1], match[2]
    if not first:
        start, stop = max(0, size - int(last)), size
    else:
        start, stop = int(first), min(size, int(last) + 1 if last else size)
        if last and int(last) < start:
            return None  # not a range at all, says the RFC
    if start >= stop:
        raise _Refused(416, "RANGE_INVALID", {"Content-Range": f"bytes */{size}"})
    return start, stop


def describe_address(host: str, port: int, lang: str = "en") -> str:
    """Who can reach a mirror that is bound to this address, and what they type; in words.

    >>> print(describe_address("127.0.0.1", 11435))
    The mirror listens at 127.0.0.1:11435: only programs on this computer can reach it.
    It serves models and can change nothing.
    Pull with `ollama pull --insecure 127.0.0.1:11435/library/NAME`.
    """
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    reach, words = _reach(host), _WORDS.get(lang, _WORDS["en"])
    target = f"IP:{port}" if reach == "all" else address
    return words["text"].format(address=address, reach=words[reach], target=target)


_WORDS = {
    "en": {
        "text": "The mirror listens at {address}: {reach}.\n"
        "It serves models and can change nothing.\n"
        "Pull with `ollama pull --insecure {target}/library/NAME`.",
        "loopback": "only programs on this computer can reach it",
        "one": "every computer that can reach this address may copy its models, no password asked",
        "all": "EVERY computer that can reach this one may copy its models, no password asked",
    },
    "ja": {
        "text": "ミラーは {address} で待ち受けています。{reach}。\n"
        "モデルを配るだけで、変更はできません。\n"
        "`ollama pull --insecure {target}/library/モデル名` で取得できます。",
        "loopback": "接続できるのはこのコンピューターのプログラムだけです",
        "one": "このアドレスに届くコンピューターなら、パスワードなしでモデルをコピーできます",
        "all": "届くすべてのコンピューターが、パスワードなしでモデルをコピーできます",
    },
}


def _reach(host: str) -> str:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "loopback" if host == "localhost" else "one" if host else "all"
    return "all" if address.is_unspecified else "loopback" if address.is_loopback else "one"


# --- what is offered ---


@dataclass(frozen=True)
class Blob:
    """An open file, and where in it the bytes of a blob lie."""

    file: BinaryIO
    start: int
    size: int


class Shelf(Protocol):
    """The models that may be taken. Calls block; KeyError: that is not offered."""

    def manifest(self, namespace: str, model: str, reference: str) -> bytes: ...

    def open_blob(self, namespace: str, model: str, digest: str) -> Blob: ...


class Meter(Protocol):
    """Is told of every transfer of a blob: who takes it, how many bytes, and when it is over.

    `whole` comes with the last piece. Not every transfer gets there: clients first ask for a blob
    to learn where its bytes are, hang up, and ask for them in parts.
    """

    def begin(self, peer: str) -> None: ...

    def sent(self, peer: str, size_bytes: int) -> None: ...

    def whole(self, peer: str, size_bytes: int) -> None: ...

    def end(self, peer: str) -> None: ...


class _NoMeter:
    def begin(self, peer: str) -> None: ...

    def sent(self, peer: str, size_bytes: int) -> None: ...

    def whole(self, peer: str, size_bytes: int) -> None: ...

    def end(self, peer: str) -> None: ...


@dataclass(frozen=True)
class _StoreShelf:
    """The models of a folder."""

    store: Store
    offers: Offers

    def manifest(self, namespace: str, model: str, reference: str) -> bytes:
        """The manifest of a tag or of its own digest, as it stands on disk."""
        for entry in self._entries(namespace, model):
            wanted = (entry.name.tag.lower(), f"sha256:{entry.digest}")
            if reference.lower() in wanted and self._is_complete(entry):
                with self.store.manifest_path(entry.name).open("rb") as file:
                    return file.read(_MANIFEST_LIMIT_BYTES)
        raise KeyError(reference)

    def open_blob(self, namespace: str, model: str, digest: str) -> Blob:
        """A blob that one of this model's manifests names."""
        if any(digest in entry.manifest.digests for entry in self._entries(namespace, model)):
            path = self.store.blob_path(digest)
            if path.is_file() and not path.is_symlink():
                file = path.open("rb")
                return Blob(file, 0, os.fstat(file.fileno()).st_size)
        raise KeyError(digest)

    def _entries(self, namespace: str, model: str) -> list[Entry]:
        """This model's tags. A URL names no host: the usual one goes first, then by alphabet."""
        wanted = (namespace.lower(), model.lower())
        found = [
            entry
            for entry in self.store.entries()
            if (entry.name.namespace.lower(), entry.name.model.lower()) == wanted
            and self.offers(entry.name)
        ]
        return sorted(found, key=lambda entry: (entry.name.host != DEFAULT_HOST, entry.name.parts))

    def _is_complete(self, entry: Entry) -> bool:
        return all(map(self.store.has_blob, entry.manifest.digests))


# --- sending ---


class _Turns:
    """So many transfers at once; more wait, and beyond that they are sent away."""

    def __init__(self, transfers: int, waiting: int) -> None:
        self.slots = asyncio.Semaphore(transfers)
        self.limit = transfers + waiting
        self.count = 0


class _BlobResponse(Response):
    """Bytes of an open file: headers now, bytes in turn, nothing more once the client has gone."""

    def __init__(
        self,
        blob: Blob,
        span: tuple[int, int],
        status: int,
        headers: Headers,
        turns: _Turns,
        meter: Meter,
    ) -> None:
        self.status_code = status
        self.background = None
        self._blob, self._span, self._turns, self._meter = blob, span, turns, meter
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._turns.count += 1
        peer = (scope.get("client") or ("", 0))[0]
        sending = asyncio.create_task(self._send(send, peer))
        leaving = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sending.cancel()
            leaving.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
            self._blob.file.close()
            self._turns.count -= 1
        if not sending.cancelled():
            sending.result()

    async def _send(self, send: Send, peer: str) -> None:
        start, stop = self._span
        first = {"type": "http.response.start", "status": self.status_code}
        await send({**first, "headers": self.raw_headers})
        # An empty piece makes the server send the headers before there is a turn.
        await send({"type": "http.response.body", "body": b"", "more_body": True})
        async with self._turns.slots:
            self._meter.begin(peer)
            try:
                self._blob.file.seek(self._blob.start + start)
                while start < stop:
                    size = min(_PIECE_BYTES, stop - start)
                    piece = await asyncio.to_thread(self._blob.file.read, size)
                    if not piece:
                        raise OSError("a blob became shorter while it was sent")
                    start += len(piece)
                    self._meter.sent(peer, len(piece))
                    if start == stop:  # before the client can have it, and ask for the count
                        self._meter.whole(peer, stop - self._span[0])
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            finally:
                self._meter.end(peer)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class _HostGuard:
    """A name that is not ours means a web page is reaching for us through DNS: CVE-2024-28224."""

    def __init__(self, app: ASGIApp, host_names: Collection[str]) -> None:
        self._app = app
        self._names = {name.lower() for name in (*host_names, socket.gethostname())}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._knows(dict(scope["headers"]).get(b"host", b"")):
            await Response(status_code=403)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _knows(self, header: bytes) -> bool:
        text = header.decode("latin-1").lower()
        host = urlsplit(f"//{text}").hostname or "" if "@" not in text else "@"
        with contextlib.suppress(ValueError):
            ipaddress.ip_address(host)
            return True  # an address in the URL cannot have been rebound
        return host in self._names or is_allowed_host(host)


# --- the app ---


def mirror_app(
    source: Store | Shelf,
    *,
    offers: Offers = lambda name: True,
    host_names: Collection[str] = (),
    transfers: int = 64,
    waiting: int = 1024,
    meter: Meter | None = None,
) -> Starlette:
    """The mirror of a store or shelf as an ASGI application; it binds nothing by itself.

    `offers` chooses among the models of a store.
    """
    shelf = _StoreShelf(source, offers) if isinstance(source, Store) else source
    turns, counts = _Turns(transfers, waiting), meter or _NoMeter()

    async def root(request: Request) -> Response:
        return Response(b"{}", media_type="application/json", headers=_BASE_HEADERS)

    async def manifest(request: Request) -> Response:
        namespace, model = _repository(request)
        reference = request.path_params["reference"]
        try:
            raw = await asyncio.to_thread(shelf.manifest, namespace, model, reference)
        except KeyError:
            raise _Refused(404, "MANIFEST_UNKNOWN") from None
        digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
        headers = {"Docker-Content-Digest": digest, "ETag": f'"{digest}"'}
        return Response(raw, media_type=MANIFEST_TYPE, headers=_BASE_HEADERS | headers)

    async def blob(request: Request) -> Response:
        namespace, model = _repository(request)
        try:
            digest = parse_digest(request.path_params["digest"])
        except InvalidDigest:
            raise _Refused(400, "DIGEST_INVALID") from None
        if turns.count >= turns.limit:
            raise _Refused(503, "TOOMANYREQUESTS", {"Retry-After": "5"})
        try:
            found = await asyncio.to_thread(shelf.open_blob, namespace, model, digest)
        except KeyError:
            raise _Refused(404, "BLOB_UNKNOWN") from None
        file, size = found.file, found.size
        try:
            headers = _BASE_HEADERS | {
                "Content-Type": "application/octet-stream",
                "Accept-Ranges": "bytes",
                "ETag": f'"{digest}"',
                "Docker-Content-Digest": digest,
            }
            span = _asked_range(request, digest, size)
            if span is None:
                headers["Location"] = f"/v2/{namespace}/{model}/blobs/{digest}"
                status, (start, stop) = 200, (0, size)
            else:
                status, (start, stop) = 206, span
                headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
            headers["Content-Length"] = str(stop - start)
        except BaseException:
            file.close()
            raise
        if request.method == "HEAD":
            file.close()
            return Response(status_code=status, headers=headers)
        return _BlobResponse(found, (start, stop), status, headers, turns, counts)

    async def refuse(request: Request, error: Exception) -> Response:
        assert isinstance(error, _Refused)
        body = {"errors": [{"code": error.code, "message": error.code.lower().replace("_", " ")}]}
        headers = _BASE_HEADERS | error.headers
        return JSONResponse(body, status_code=error.status, headers=headers)

    methods = ["GET", "HEAD"]
    app = Starlette(
        routes=[
            Route("/v2", root, methods=methods),
            Route("/v2/", root, methods=methods),
            Route("/v2/{namespace}/{model}/manifests/{reference}", manifest, methods=methods),
            Route("/v2/{namespace}/{model}/blobs/{digest}", blob, methods=methods),
        ],
        middleware=[Middleware(_HostGuard, host_names=host_names)],
        exception_handlers={_Refused: refuse},
    )
    app.router.redirect_slashes = False  # it would repeat the Host header in a Location
    return app


def _repository(request: Request) -> tuple[str, str]:
    namespace, model = request.path_params["namespace"], request.path_params["model"]
    try:
        ModelName(DEFAULT_HOST, namespace, model, DEFAULT_TAG)
    except InvalidName:
        raise _Refused(400, "NAME_INVALID") from None
    return namespace, model


def _asked_range(request: Request, digest: str, size: int) -> tuple[int, int] | None:
    if request.method == "HEAD" or request.headers.get("if-range", f'"{digest}"') != f'"{digest}"':
        return None
    return parse_range(request.headers.get("range"), size)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve a folder until interrupted; loopback only, unless an address is given."""
    import uvicorn

    parser = argparse.ArgumentParser(prog="python -m jimoto.daemon.mirror")
    parser.add_argument("names", nargs="*", help="models to offer; all of them if none is named")
    parser.add_argument(
        "--models", type=Path, required=True, help="folder with manifests and blobs"
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to bind; loopback unless told")
    parser.add_argument("--port", type=int, default=MIRROR_PORT, help="0: any free port")
    chosen = parser.parse_args(arguments)
    try:
        names = {parse_name(text) for text in chosen.names}
    except InvalidName as error:
        parser.error(f"not a model name: {error}")
    family = socket.AF_INET6 if ":" in chosen.host else socket.AF_INET
    try:
        listener = socket.create_server((chosen.host, chosen.port), family=family)
    except OSError as error:
        print(f"The mirror cannot listen at '{chosen.host}': {error.strerror}.", file=sys.stderr)
        return 1
    app = mirror_app(
        Store(chosen.models),
        offers=lambda name: not names or name in names,
        host_names=[socket.getfqdn()],
    )
    with listener:
        host, port = listener.getsockname()[:2]
        print(describe_address(host, port, language()), file=sys.stderr, flush=True)
        config = uvicorn.Config(app, ws="none", log_level="warning", access_log=False)
        with contextlib.suppress(KeyboardInterrupt):  # raised again once all is shut down
            uvicorn.Server(config).run(sockets=[listener])
    return 0


if __name__ == "__main__":
    sys.exit(main())
