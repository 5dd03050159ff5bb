"""How slowly a client may send and read before its connection is ended.

A connection costs a file handle, and a stream that nobody reads holds a model that others wait for.
So a request's head must arrive in one period, its body at some pace, and a reply must be taken.
Knows sockets, not routes.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol


@dataclass(frozen=True)
class Pace:
    """The slowest that is borne."""

    period_seconds: float = 30.0  # a head takes no longer; a body is weighed so often
    body_bytes_per_second: float = 1024.0
    reply_seconds: float = 60.0  # for a full buffer to be read on; a token stream never fills one


class PacedProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, which ends connections that are too slow."""

    pace = Pace()

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._reading: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None
        self._got_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._weigh_later()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._reading, self._writing):
            if timer is not None:
                timer.cancel()
        self._reading = self._writing = None
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._got_bytes += len(data)
        super().data_received(data)
        if not self._is_sending() and self._reading is not None:
            self._reading.cancel()
            self._reading = None
        elif self._is_sending() and self._reading is None and not self.transport.is_closing():
            self._weigh_later()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._writing = self.loop.call_later(self.pace.reply_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None

    def _is_sending(self) -> bool:
        """Whether the client owes us the rest of a request."""
        if self.conn.their_state is h11.SEND_BODY:
            return True
        return self.conn.their_state is h11.IDLE and bool(self.conn.trailing_data[0])

    def _weigh_later(self) -> None:
        self._got_bytes = 0
        self._reading = self.loop.call_later(self.pace.period_seconds, self._weigh)

    def _weigh(self) -> None:
        """One period is over: end the connection if what came is too little."""
        self._reading = None
        if self.transport.is_closing():
            return
        in_body = self.conn.their_state is h11.SEND_BODY
        least = self.pace.period_seconds * self.pace.body_bytes_per_second
        # While we do not read, because a disk is slow, the client cannot send.
        if in_body and (self.flow.read_paused or self._got_bytes >= least):
            self._weigh_later()
        else:
            self.transport.abort()


def paced(pace: Pace) -> type[asyncio.Protocol]:
    """A protocol class for uvicorn with these limits."""
    return type("Paced", (PacedProtocol,), {"pace": pace})
