"""Pulling: a model from a registry into the store, as a stream of progress items.

It puts the rooms together: names, the store, the client of the registry, downloads in parts. It
validates what a manifest claims before anything is fetched, and writes the manifest last. It does
not know HTTP routes; an `ApiError` carries the status that a route answers with.

A blob gets its name only after its bytes were hashed, so a crash at any moment leaves either the
old model or the new one, and parts that the next pull continues.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from collections.abc import AsyncGenerator, Iterable
from contextlib import AbstractAsyncContextManager
from functools import cached_property

import httpx

from jimoto.daemon.names import InvalidName, ModelName, parse_name, split_source
from jimoto.daemon.registry_client import Origin, RegistryClient, RegistrySettings, origin_of
from jimoto.daemon.registry_guard import PullFailed, Resolve, resolve_host
from jimoto.daemon.registry_parts import Download, PartFiles, Sleep
from jimoto.daemon.store import CONFIG_TYPE, InvalidDigest, Layer, Manifest, Store
from jimoto.daemon.wire import ApiError, Json

_IMAGE = "application/vnd.ollama.image."
_WEIGHTS = tuple(_IMAGE + kind for kind in ("model", "projector", "adapter", "draft"))
_REFUSED = (_IMAGE + "tensor", _IMAGE + "json")  # safetensors for Apple's MLX
_MEDIA_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9!#$&^_.+/-]{0,127}\Z")


def read_manifest(raw: bytes, settings: RegistrySettings) -> Manifest:
    """A manifest that anybody may have written, if everything it claims is possible."""
    try:
        manifest = Manifest.parse(raw)
    except InvalidDigest:
        raise PullFailed("pull model manifest: invalid digest format") from None
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise PullFailed("pull model manifest: this is not a manifest") from None
    if not manifest.layers or manifest.config.media_type != CONFIG_TYPE:
        raise PullFailed("pull model manifest: this is not the manifest of a model")
    for layer in (manifest.config, *manifest.layers):
        _check_layer(layer, settings)
    return manifest


def _check_layer(layer: Layer, settings: RegistrySettings) -> None:
    if not _MEDIA_TYPE.match(layer.media_type):
        raise PullFailed("pull model manifest: a layer's media type is not one")
    if layer.media_type in _REFUSED:
        raise PullFailed(
            "this model is stored as safetensors for Apple's MLX, which the embedded server "
            "cannot run; pull a GGUF variant of it"
        )
    is_weights = layer.media_type in _WEIGHTS
    limit = settings.blob_limit_bytes if is_weights else settings.text_limit_bytes
    if layer.size > limit:
        kind = layer.media_type.removeprefix(_IMAGE)
        raise PullFailed(f"pull model manifest: a layer ({kind}) is larger than {limit} bytes")


def layers_in_order(manifest: Manifest) -> list[Layer]:
    """Each blob once, the configuration last: what is listed twice is still verified once."""
    found: dict[str, Layer] = {}
    for layer in (*manifest.layers, manifest.config):
        if layer.digest in found and found[layer.digest].size != layer.size:
            raise PullFailed("pull model manifest: one digest, two sizes")
        found.setdefault(layer.digest, layer)
    return list(found.values())


class Puller:
    """All pulls of one server. Whoever pulls a blob that is already on its way waits for that one.

    `changing` is the lock under which the server changes its store; the last step takes it.
    """

    def __init__(
        self,
        store: Store,
        settings: RegistrySettings | None = None,
        changing: AbstractAsyncContextManager[object] | None = None,
        resolve: Resolve = resolve_host,
        sleep: Sleep = asyncio.sleep,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._store = store
        self._settings = settings or RegistrySettings()
        self._changing = changing or contextlib.nullcontext()
        self._resolve = resolve
        self._sleep = sleep
        self._tls_given = tls
        self._downloads: dict[str, Download] = {}

    def pull(self, text: str, insecure: bool = False) -> AsyncGenerator[Json, None]:
        """Progress items until `success`. A name that cannot be pulled is refused at once."""
        scheme, separator, _ = text.partition("://")
        try:
            base, source = split_source(text)
            name = parse_name(base)
        except InvalidName:
            raise ApiError(400, "invalid model name") from None
        if separator and scheme.lower() not in ("http", "https"):
            raise ApiError(400, "invalid model name")
        if source == "cloud":
            raise ApiError(403, "ollama cloud is disabled: a cloud model cannot be pulled here")
        if separator and scheme.lower() == "http" and not insecure:
            raise ApiError(500, "insecure protocol http")
        return self._pull(name, origin_of(name, insecure, self._settings))

    async def aclose(self) -> None:
        """End all downloads; their parts stay."""
        for download in list(self._downloads.values()):
            await download.stop()

    async def _pull(self, asked: ModelName, origin: Origin) -> AsyncGenerator[Json, None]:
        joined: list[Download] = []
        try:
            # 1) the manifest
            name = await asyncio.to_thread(self._store.spelled_as_stored, asked)
            yield {"status": "pulling manifest"}
            raw = await self._fetch_manifest(origin, name.tag)
            manifest = read_manifest(raw, self._settings)
            # 2) the blobs that are not here yet
            for layer in layers_in_order(manifest):
                download = await self._join(layer, origin)
                if download is None:
                    size = self._store.blob_path(layer.digest).stat().st_size
                    yield _progress(layer.digest, size, size)
                    continue
                joined.append(download)
                while not (download.is_fetched or download.task.done()):
                    yield _progress(layer.digest, download.size, download.completed)
                    await download.wait(self._settings.progress_seconds)
                await download.wait(0)  # raises what made it fail
                yield _progress(layer.digest, download.size, download.completed)
            yield {"status": "verifying sha256 digest"}
            for download in joined:
                await download.wait()
            # 3) the manifest on disk, then what nobody uses any more
            yield {"status": "writing manifest"}
            async with self._changing:
                unused = await asyncio.to_thread(self._commit, name, raw, manifest)
            if unused and self._settings.prune:
                yield {"status": "removing unused layers"}
                async with self._changing:
                    await asyncio.to_thread(self._store.remove_unused, unused)
            yield {"status": "success"}
        except OSError as error:  # no path of this computer in the text
            raise PullFailed(error.strerror or "the model folder cannot be used") from None
        finally:
            for download in joined:
                await self._leave(download)

    async def _fetch_manifest(self, origin: Origin, tag: str) -> bytes:
        try:
            async with self._connect(origin) as client:
                return await client.manifest(tag)
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise PullFailed(f"pull model manifest: {origin.host}: {reason}") from None
        except PullFailed as error:
            raise PullFailed(f"pull model manifest: {error.text}") from None

    async def _join(self, layer: Layer, origin: Origin) -> Download | None:
        """The running or a new download of a layer, with one more waiter; none if it is here."""
        running = self._downloads.get(layer.digest)
        while running is not None and (running.is_ending or running.task.done()):
            await asyncio.wait([running.task])
            self._forget(running)
            running = self._downloads.get(layer.digest)
        if running is None:
            if self._store.has_blob(layer.digest):
                # a server that was killed when it had just named the blob left its records
                blob = self._store.blob_path(layer.digest)
                await asyncio.to_thread(PartFiles(blob).discard)
                return None
            running = self._start(layer, origin)
        if running.size != layer.size:
            raise PullFailed("pull model manifest: one digest, two sizes")
        running.waiters += 1
        return running

    def _start(self, layer: Layer, origin: Origin) -> Download:
        digest = layer.digest
        download = Download(
            digest,
            layer.size,
            self._store.blob_path(digest),
            lambda: self._connect(origin),
            self._settings,
            self._sleep,
        )
        self._downloads[digest] = download
        download.task.add_done_callback(lambda _: self._forget(download))
        return download

    def _forget(self, download: Download) -> None:
        if self._downloads.get(download.digest) is download:
            del self._downloads[download.digest]

    async def _leave(self, download: Download) -> None:
        """The last one to leave ends the download."""
        download.waiters -= 1
        if download.waiters == 0:
            await download.stop()

    def _commit(self, name: ModelName, raw: bytes, manifest: Manifest) -> Iterable[str]:
        """Write the manifest; the digests that only its predecessor may have used."""
        if not all(map(self._store.has_blob, manifest.digests)):
            raise PullFailed("a layer was deleted while the model was pulled; pull it again")
        before = self._store.find(name)
        self._store.write_manifest_bytes(name, raw)
        return before.manifest.digests - manifest.digests if before else ()

    def _connect(self, origin: Origin) -> RegistryClient:
        return RegistryClient(origin, self._settings, self._resolve, self._tls)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        # Slow enough to be made once, and not at the server's start.
        return self._tls_given or httpx.create_ssl_context()


def _progress(digest: str, total: int, completed: int) -> Json:
    item: Json = {"status": f"pulling {digest[7:19]}", "digest": digest, "total": total}
    return item | ({"completed": completed} if completed else {})
