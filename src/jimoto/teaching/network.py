"""`offline()`: inside it, this kernel reaches nothing but this computer, and keeps a list of tries.

An audit hook of Python sees every connection and name look-up that Python makes, also below httpx,
requests and asyncio. It does not see other processes (a `!curl` in a cell) nor libraries that open
sockets in C: the guard covers this kernel only, and a lesson says so.
"""

from __future__ import annotations

import ipaddress
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from jimoto.errors import NetworkBlocked

CONNECTS = {"socket.connect", "socket.sendto", "socket.sendmsg"}  # (socket, address)
LOOKUPS = {"socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"}  # (host, …)


@dataclass(frozen=True)
class Attempt:
    """One thing that would have left this computer."""

    host: str
    port: int | None

    def __str__(self) -> str:
        return self.host if self.port is None else f"{self.host}:{self.port}"


class Guard:
    """The hook, and who listens to it: Python removes no hook, so one serves every `offline()`."""

    def __init__(self) -> None:
        self.lists: list[list[Attempt]] = []
        self.installed = False

    def install(self) -> None:
        if not self.installed:
            sys.addaudithook(self.see)
            self.installed = True

    def see(self, event: str, args: tuple[object, ...]) -> None:
        """Called by Python before the thing happens; an exception here prevents it."""
        if not self.lists or not event.startswith("socket."):
            return
        attempt = leaving(event, args)
        if attempt is not None:
            for attempts in self.lists:
                attempts.append(attempt)
            raise NetworkBlocked(str(attempt))


GUARD = Guard()


def leaving(event: str, args: tuple[object, ...]) -> Attempt | None:
    """The attempt that an audit event stands for, or None where it stays on this computer.

    >>> leaving("socket.connect", (None, ("192.0.2.1", 443)))
    Attempt(host='192.0.2.1', port=443)
    >>> leaving("socket.connect", (None, ("127.0.0.1", 11434)))
    >>> leaving("socket.getaddrinfo", ("example.com", 443, 0, 0, 0))
    Attempt(host='example.com', port=443)
    """
    if event in CONNECTS:
        address = args[1] if len(args) > 1 else None
        if not isinstance(address, tuple) or not address:  # a socket of the file system, or none
            return None
        host, port = str(address[0]), address[1] if len(address) > 1 else None
        return None if is_loopback(host) else Attempt(host, port if isinstance(port, int) else None)
    if event in LOOKUPS:
        named, port = args[0], args[1] if len(args) > 1 else None
        host = named.decode(errors="replace") if isinstance(named, bytes) else str(named or "")
        # A number needs no look-up: what is done with it is seen when it is done.
        if not host or is_loopback(host) or is_number(host):
            return None
        return Attempt(host, port if isinstance(port, int) else None)
    return None


def is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """
    >>> [is_loopback(h) for h in ("localhost", "127.8.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.0")]
    [True, True, True, True, False]
    """
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


@contextmanager
def offline() -> Iterator[list[Attempt]]:
    """Block every connection of this kernel that would leave this computer.

    Gives the list of what was tried, which grows while the block runs:

        with offline() as attempts:
            ollama.chat(...)
        len(attempts)     # 0

    Errors: NetworkBlocked inside the block, which is an OSError, as a pulled cable would give.
    """
    GUARD.install()
    attempts: list[Attempt] = []
    GUARD.lists.append(attempts)
    try:
        yield attempts
    finally:
        GUARD.lists = [other for other in GUARD.lists if other is not attempts]
