"""The parent's end of the pipe to one worker process.

It starts the process, sends commands, receives replies and ends it. What the commands mean, and
when a process is wanted, the engine knows. Works the same on Windows: pipes and a process, no
signals, no fork.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import subprocess
import sys
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from jimoto.hardware import WAITING

_LINE_LIMIT_BYTES = 64 * 2**20


class ChildDied(Exception):
    """The process is gone, or talks nonsense, which is treated the same."""


class Child:
    """One worker process. Not for use by two tasks at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @classmethod
    async def start(cls) -> Self:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            # -P: a learner's own `queue.py` in the current folder must not stand in for Python's.
            *("-P", "-X", "utf8", "-m", "jimoto.daemon.worker"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            limit=_LINE_LIMIT_BYTES,
            env=worker_environment(os.environ),
            # Without a console of its own, or a window would flash up on Windows.
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )
        return cls(process)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        assert self._process.stdout is not None
        return self._process.returncode is None and not self._process.stdout.at_eof()

    async def send(self, command: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(command).encode() + b"\n")
            await self._process.stdin.drain()
        except (OSError, RuntimeError):  # a broken pipe; RuntimeError: one that was closed
            raise ChildDied from None

    async def receive(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        try:
            line = await self._process.stdout.readline()
            reply = json.loads(line)
        except (OSError, ValueError):  # an empty line is the end of the pipe
            raise ChildDied from None
        if not isinstance(reply, dict):
            raise ChildDied
        return reply

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def wait(self) -> None:
        """Until it is gone."""
        await self._process.wait()

    async def close(self, grace_seconds: float = 1.0) -> None:
        """Close its input, which ends it, or end it by force; returns when it is gone."""
        assert self._process.stdin is not None and self._process.stdout is not None
        with contextlib.suppress(OSError, RuntimeError):
            self._process.stdin.close()
        try:
            await asyncio.wait_for(self._drain(), grace_seconds)
        except TimeoutError:
            self.kill()
            await self._drain()

    async def _drain(self) -> None:
        """Read to the end: a process that still writes into a full pipe would never exit."""
        assert self._process.stdout is not None
        while await self._process.stdout.read(2**16):
            pass
        await self._process.wait()


def worker_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of a worker process.

    What says how threads wait must stand before the process starts.
    """
    root = str(Path(__file__).resolve().parents[2])  # the folder that holds the package
    installed = root in (sysconfig.get_path("purelib"), sysconfig.get_path("platlib"))
    paths = ["" if installed else root, environment.get("PYTHONPATH", "")]
    return {
        **environment,
        **WAITING,
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
    }
