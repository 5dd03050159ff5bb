"""Which addresses a pull may connect to: the guard against a server that sends us elsewhere (SSRF).

The address is looked at where the connection is made, after DNS, so a redirect, a realm or a
changed DNS answer meets the same check, and what was checked is what is dialled (CVE-2026-5530). It
knows neither registries nor models: whom to trust with a private address, it is told.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import httpcore
import httpx

from jimoto.daemon.wire import ApiError

Resolve = Callable[[str, int], Awaitable[list[str]]]  # host and port to addresses
Trusts = Callable[[str, int], bool]  # may this host and port have a private address?

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


class PullFailed(ApiError):
    """A pull ends here; the text is what the client reads."""

    def __init__(self, text: str) -> None:
        super().__init__(500, text)


def is_public(address: str) -> bool:
    """Whether an address is of the open internet: not this machine, its network, a cloud's inside.

    >>> is_public("8.8.8.8"), is_public("169.254.169.254"), is_public("::ffff:10.0.0.1")
    (True, False, False)
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        nat64 = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in _NAT64 else None
        inside = ip.ipv4_mapped or ip.sixtofour or nat64
        if inside is not None:
            return is_public(str(inside))
    return ip.is_global and not ip.is_multicast


def is_loopback(host: str) -> bool:
    """Whether a host, as written, is this machine; no name is looked up.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("localhost.evil.example")
    (True, True, False)
    """
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_listed(host: str, port: int, entries: Iterable[str]) -> bool:
    """Whether a list of `host` and `host:port` names this one; a bare host means all ports.

    >>> is_listed("hf.co", 443, ["hf.co"]), is_listed("lan", 80, ["lan:8080"])
    (True, False)
    """
    wanted = {host.lower(), f"{host.lower()}:{port}"}
    return any(entry.lower() in wanted for entry in entries)


def split_host(text: str, default_port: int) -> tuple[str, int]:
    """`host` or `host:port` from a model name, where brackets never occur."""
    host, colon, port = text.rpartition(":")
    if not colon:
        return text, default_port
    if not (host and port.isascii() and port.isdigit() and 0 < int(port) < 65536) or ":" in host:
        raise ApiError(400, "invalid model name")
    return host, int(port)


async def resolve_host(host: str, port: int) -> list[str]:
    """The addresses of a host, in the system's order."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(item[4][0]) for item in found))


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Connects to an address only after looking at it: what was checked is what is dialled."""

    def __init__(self, trusts: Trusts, resolve: Resolve) -> None:
        self._trusts = trusts
        self._resolve = resolve
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            addresses = await self._resolve(host, port)
        except (OSError, UnicodeError):  # a label too long for DNS is the latter
            addresses = []
        if not self._trusts(host, port) and not all(map(is_public, addresses)):
            raise PullFailed(f"refused to connect to '{host}': it is a private address")
        failure: Exception = httpcore.ConnectError(f"no address for '{host}'")
        for address in addresses[:4]:
            try:
                return await self._backend.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


class GuardedTransport(httpx.AsyncHTTPTransport):
    def __init__(self, backend: httpcore.AsyncNetworkBackend, context: ssl.SSLContext) -> None:
        super().__init__(verify=context)
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context, max_keepalive_connections=20, network_backend=backend
        )
