"""One blob on its way in: fetched in parallel parts, resumed, checked, and only then given a name.

On disk stand Ollama's own files, so that either program continues what the other began:
`…-partial`, as long as the blob, and `…-partial-<n>`, JSON with N, Offset, Size and Completed. It
is told a digest, a size and a path; of manifests, model names and progress items it knows nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import httpx

from jimoto.daemon.registry_client import (
    PartFailed,
    PartStalled,
    RegistryClient,
    RegistrySettings,
)
from jimoto.daemon.registry_guard import PullFailed

_FIELDS = ("N", "Offset", "Size", "Completed")
_WRITE_BYTES = 2**20
_RECORD_LIMIT_BYTES = 4096
_HALF_WRITTEN = ".jimoto-"
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG) if hasattr(errno, "EDQUOT") else (errno.ENOSPC,)

Sleep = Callable[[float], Awaitable[None]]
T = TypeVar("T")


@dataclass
class Part:
    number: int
    offset: int
    size: int
    completed: int = 0


def plan_parts(total: int, settings: RegistrySettings) -> list[Part]:
    """Equal parts but for the last.

    >>> [part.size for part in plan_parts(250 * 10**6, RegistrySettings())]
    [100000000, 100000000, 50000000]
    """
    size = total // settings.part_count
    size = max(settings.min_part_bytes, min(size, settings.max_part_bytes))
    return [Part(n, at, min(size, total - at)) for n, at in enumerate(range(0, total, size))]


class PartFiles:
    """The files beside a blob that is not there yet, named after the blob's own path."""

    def __init__(self, blob: Path) -> None:
        self.blob = blob
        self.partial = blob.with_name(f"{blob.name}-partial")

    def record_path(self, number: int) -> Path:
        return self.blob.with_name(f"{self.partial.name}-{number}")

    def read(self, total: int) -> list[Part]:
        """The parts of an earlier pull; none if they do not add up to this blob."""
        try:
            parts = [self._read_record(path) for path in self._records()]
            parts.sort(key=lambda part: part.offset)
            edges = [0, *(part.offset + part.size for part in parts)]
            fits = [part.offset for part in parts] == edges[:-1] and edges[-1] == total
            numbered = {part.number for part in parts} == set(range(len(parts)))
            whole = self.partial.stat().st_size == total
        except (OSError, ValueError, LookupError, TypeError, RecursionError):
            return []
        return parts if fits and numbered and whole else []

    def create(self, parts: list[Part], total: int) -> None:
        self.discard()
        self.blob.parent.mkdir(parents=True, exist_ok=True)
        with self.partial.open("xb") as file:
            file.truncate(total)
        for part in parts:
            self.record(part)

    def record(self, part: Part) -> None:
        """Say how far a part is: at once or not at all, since Ollama cannot read half a record."""
        path = self.record_path(part.number)
        temporary = path.with_name(f"{_HALF_WRITTEN}{path.name}")
        values = (part.number, part.offset, part.size, part.completed)
        text = json.dumps(dict(zip(_FIELDS, values, strict=True)), separators=(",", ":"))
        temporary.write_text(text + "\n", encoding="utf-8", newline="\n")
        os.replace(temporary, path)

    def finish(self) -> None:
        """The partial file becomes the blob. The records go last, or a crash would lose it all."""
        with self.partial.open("rb+") as file:
            os.fsync(file.fileno())
        if self.blob.is_file():  # somebody uploaded the same bytes meanwhile
            self.partial.unlink(missing_ok=True)
        else:
            os.replace(self.partial, self.blob)
        self.discard()

    def discard(self) -> None:
        """Take everything away, half-written records of a server that was killed, too."""
        for path in (self.partial, *self._records(), *self._records(_HALF_WRITTEN)):
            path.unlink(missing_ok=True)

    def _records(self, prefix: str = "") -> list[Path]:
        pattern = re.compile(re.escape(prefix + self.partial.name) + r"-[0-9]{1,9}\Z")
        with contextlib.suppress(FileNotFoundError):
            names = os.listdir(self.blob.parent)
            return [self.blob.with_name(name) for name in sorted(names) if pattern.match(name)]
        return []

    def _read_record(self, path: Path) -> Part:
        with path.open("rb") as file:
            value = json.loads(file.read(_RECORD_LIMIT_BYTES))
        numbers = [value[key] for key in _FIELDS]
        part = Part(*numbers)
        if not all(type(n) is int and n >= 0 for n in numbers) or part.completed > part.size:
            raise ValueError("a record that cannot be")
        if self.record_path(part.number) != path:
            raise ValueError("a record under another's name")
        return part


class _PartWriter:
    """Writes one part's bytes in large steps. `flush` may run in a thread, one at a time."""

    def __init__(self, file: BinaryIO, part: Part, files: PartFiles, record_bytes: int) -> None:
        self._file = file
        self._part = part
        self._files = files
        self._record_bytes = record_bytes
        self._recorded = part.completed
        self.pending = bytearray()

    @property
    def wanted(self) -> int:
        return self._part.size - self._part.completed - len(self.pending)

    def flush(self) -> None:
        data, self.pending = memoryview(bytes(self.pending)), bytearray()
        while data:  # an unbuffered file may take less than it is given
            written = self._file.write(data)
            self._part.completed += written
            data = data[written:]
        if self._part.completed - self._recorded >= self._record_bytes:
            self._files.record(self._part)
            self._recorded = self._part.completed

    def close(self) -> None:
        """Keep what came, however the transfer ended."""
        try:
            self.flush()
        finally:
            with contextlib.suppress(OSError):  # a full disk; the older record stands
                self._files.record(self._part)


class Download:
    """A running download, shared by all who wait for its digest. All happens in its `task`."""

    def __init__(
        self,
        digest: str,
        size: int,
        blob: Path,
        connect: Callable[[], RegistryClient],
        settings: RegistrySettings,
        sleep: Sleep,
    ) -> None:
        self.digest = digest
        self.size = size
        self.waiters = 0
        self.is_fetched = False  # all bytes are here; they may still be being hashed
        self.is_ending = False  # nobody waits any more
        self._files = PartFiles(blob)
        self._parts: list[Part] = []
        self._connect = connect
        self._settings = settings
        self._sleep = sleep
        self._stop = threading.Event()  # for the thread that hashes
        self._url: httpx.URL | None = None
        self.task = asyncio.create_task(self._run())

    @property
    def completed(self) -> int:
        return sum(part.completed for part in self._parts)

    async def wait(self, seconds: float | None = None) -> None:
        """Until it is done or the time is over; raises what made it fail. Cancels nothing."""
        await asyncio.wait([self.task], timeout=seconds)
        if self.task.cancelled():
            raise PullFailed("the download was cancelled")
        if self.task.done():
            self.task.result()

    async def stop(self) -> None:
        """End it and keep its parts."""
        self.is_ending = True
        self._stop.set()
        self.task.cancel()
        await asyncio.wait([self.task])
        if not self.task.cancelled():
            self.task.exception()  # seen; nobody is left to tell

    async def _run(self) -> None:
        try:
            self._parts = await _in_thread(self._files.read, self.size)
            async with self._connect() as client:
                if not self._parts:
                    await self._begin(client)
                await self._fetch(client)
            self.is_fetched = True
            await self._keep()
        except httpx.HTTPError as error:
            raise PullFailed(str(error) or type(error).__name__) from None
        except OSError as error:
            if error.errno in _FULL:
                raise PullFailed("no space left on device") from None
            raise PullFailed(error.strerror or type(error).__name__) from None

    async def _begin(self, client: RegistryClient) -> None:
        announced = await client.blob_size(self.digest) if self.size else 0
        if announced not in (None, self.size):
            raise PullFailed(f"the registry's blob has {announced} bytes, not {self.size}")
        self._files.blob.parent.mkdir(parents=True, exist_ok=True)
        self._parts = plan_parts(self.size, self._settings)
        await _in_thread(self._files.create, self._parts, self.size)

    async def _fetch(self, client: RegistryClient) -> None:
        missing = [part for part in self._parts if part.completed < part.size]
        if not missing:
            return
        wanted, free = self.size - self.completed, shutil.disk_usage(self._files.blob.parent).free
        if wanted > free:
            raise PullFailed(f"no space left on device: {wanted} bytes to come, {free} free")
        self._url = await client.direct_url(self.digest)
        slots = asyncio.Semaphore(self._settings.part_count)
        try:
            async with asyncio.TaskGroup() as group:
                for part in missing:
                    group.create_task(self._fetch_part(client, part, slots))
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None

    async def _fetch_part(
        self, client: RegistryClient, part: Part, slots: asyncio.Semaphore
    ) -> None:
        attempt = 0
        async with slots:
            while part.completed < part.size:
                try:
                    if self._url is None:  # after a failure: the link may have expired
                        self._url = await client.direct_url(self.digest)
                    await self._fetch_range(client, self._url, part)
                except PartStalled:
                    continue
                except (PartFailed, httpx.HTTPError) as error:
                    attempt += 1
                    if attempt >= self._settings.attempts:
                        reason = str(error) or type(error).__name__
                        raise PullFailed(f"max retries exceeded: {reason}") from None
                    self._url = None
                    await self._sleep(2.0 ** (attempt - 1))

    async def _fetch_range(self, client: RegistryClient, url: httpx.URL, part: Part) -> None:
        start, stop = part.offset + part.completed, part.offset + part.size
        async with client.open_range(url, start, stop) as response:
            with self._files.partial.open("rb+", buffering=0) as file:
                file.seek(start)
                writer = _PartWriter(file, part, self._files, self._settings.record_bytes)
                try:
                    async for piece in response.aiter_raw():
                        writer.pending += piece[: writer.wanted]  # never into the next part
                        if len(writer.pending) >= _WRITE_BYTES:
                            await _in_thread(writer.flush)
                        if not writer.wanted:
                            break
                except httpx.ReadTimeout:
                    raise PartStalled from None
                finally:
                    writer.close()
        if part.completed < part.size:
            raise PartFailed("unexpected EOF")

    async def _keep(self) -> None:
        """The bytes get the blob's name only if it is their name."""
        actual = await _in_thread(hash_file, self._files.partial, self._stop)
        if actual != self.digest:
            self._files.discard()
            raise PullFailed(
                f"digest mismatch, file must be downloaded again: want {self.digest}, got {actual}"
            )
        await _in_thread(self._files.finish)


def hash_file(path: Path, stop: threading.Event) -> str:
    """The digest of a file; `stop` ends the reading on the way."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_WRITE_BYTES):
            if stop.is_set():
                raise PullFailed("the download was cancelled")
            digest.update(block)
    return f"sha256:{digest.hexdigest()}"


async def _in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Run it in a thread. A cancellation waits for it, so that no file is closed under it."""
    work = asyncio.ensure_future(asyncio.to_thread(function, *arguments))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        if not work.cancelled():
            work.exception()  # seen: the cancellation is what counts
        raise
