"""Who may speak to this server: the Host and Origin guards.

A web page that a learner happens to visit must not reach the models on their machine, neither
through a name that resolves to 127.0.0.1 nor through a form that posts across sites. Pure functions
over header texts, and one ASGI middleware that applies them to every request; nothing here knows a
route.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_WEB, _HERE = ("http", "https"), ("localhost", "127.0.0.1", "0.0.0.0")

# One `*` an entry. The colon belongs to the prefix, or `http://localhost.evil.example` would pass.
BUILT_IN_ORIGINS = (
    *(f"{scheme}://{host}" for scheme in _WEB for host in _HERE),
    *(f"{scheme}://{host}:*" for scheme in _WEB for host in _HERE),
    *("app://*", "file://*", "tauri://*", "vscode-webview://*", "vscode-file://*"),
)

_ALLOWED_HEADERS = "Authorization,Content-Type,User-Agent,Accept,X-Requested-With,OpenAI-Beta"


def is_allowed_host(header: str, machine_name: str = "") -> bool:
    """Whether a Host header names this machine.

    >>> is_allowed_host("localhost:11434"), is_allowed_host("evil.example")
    (True, False)
    """
    host = _without_port(header).lower().rstrip(".")
    if host in ("", "localhost") or (machine_name and host == machine_name.lower()):
        return True
    if host.endswith((".localhost", ".local", ".internal")):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_private or address.is_unspecified


def is_allowed_origin(origin: str, host: str, patterns: Iterable[str]) -> bool:
    """Whether an Origin header is the server's own, or one of the list.

    >>> is_allowed_origin("http://localhost.evil.example", "localhost:1", BUILT_IN_ORIGINS)
    False
    """
    if origin in (f"http://{host}", f"https://{host}"):
        return True
    return any(_matches(origin, pattern) for pattern in patterns)


def _matches(origin: str, pattern: str) -> bool:
    prefix, star, suffix = pattern.partition("*")
    if not star:
        return origin == pattern
    if len(origin) < len(prefix) + len(suffix):
        return False
    if not (origin.startswith(prefix) and origin.endswith(suffix)):
        return False
    # Behind `http://localhost:` stands a port, never `1@evil.example`.
    return not prefix.endswith(":") or urlsplit(origin).netloc == origin.split("://", 1)[1]


def _without_port(header: str) -> str:
    if header.startswith("["):
        return header[1:].partition("]")[0]
    host, colon, _ = header.rpartition(":")
    return host if colon and ":" not in host else header


class Guards:
    """Answers 403 before any route is asked, and the preflight requests of allowed pages."""

    def __init__(self, app: ASGIApp, origins: Iterable[str] = ()) -> None:
        self._app = app
        self._patterns = (*BUILT_IN_ORIGINS, *origins)
        self._machine_name = socket.gethostname()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        if not is_allowed_host(host, self._machine_name):
            await Response(status_code=403)(scope, receive, send)
        elif origin is not None and not is_allowed_origin(origin, host, self._patterns):
            await Response(status_code=403)(scope, receive, send)
        elif scope["method"] == "OPTIONS":
            await Response(status_code=204, headers=_cors(origin))(scope, receive, send)
        elif origin is None:
            await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, _with_headers(send, _cors(origin)))


def _cors(origin: str | None) -> dict[str, str]:
    if origin is None:
        return {}
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Headers": _ALLOWED_HEADERS,
        "Access-Control-Allow-Methods": "GET,POST,PUT,PATCH,DELETE,HEAD,OPTIONS",
        "Vary": "Origin",
    }


def _with_headers(send: Send, extra: dict[str, str]) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(extra)
        await send(message)

    return send_with_headers
