"""The model folder in Ollama's own layout: manifests by name, blobs by digest.

It knows names, digests and bytes. What a layer means, what a GGUF holds and what HTTP calls an
error are other files' business. Every path below the folder is made here, from a validated name or
a validated digest, and nowhere else. Calls block; the server runs them in a thread.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from jimoto.daemon.names import InvalidName, ModelName

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"

_DIGEST = re.compile(r"sha256[:-]([0-9a-fA-F]{64})\Z")
_MANIFEST_LIMIT_BYTES = 4 * 2**20
_LAYER_LIMIT = 1000
_TEMPORARY = ".jimoto-"  # no valid tag and no digest begins with a dot


class InvalidDigest(ValueError):
    """The text is not `sha256:` and 64 hexadecimal digits."""


class DigestMismatch(ValueError):
    """The bytes are not what their name says."""

    def __init__(self, expected: str, actual: str) -> None:
        super().__init__(f'digest mismatch, expected "{expected}", got "{actual}"')


class TooLarge(ValueError):
    """More bytes than this server accepts."""


@dataclass(frozen=True)
class Layer:
    media_type: str
    digest: str
    size: int
    origin: str = ""  # wire field `from`: the parent model, or the source file's name

    @classmethod
    def parse(cls, value: Any) -> Self:
        """A layer from a manifest that anybody may have written."""
        media_type, size = value["mediaType"], value["size"]
        origin = value.get("from") or ""
        if not (isinstance(media_type, str) and isinstance(origin, str) and type(size) is int):
            raise ValueError("wrong type in a layer")
        if size < 0:
            raise ValueError("negative size in a layer")
        return cls(media_type, parse_digest(value["digest"]), size, origin)

    def format(self) -> dict[str, Any]:
        value = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        return value | ({"from": self.origin} if self.origin else {})


@dataclass(frozen=True)
class Manifest:
    config: Layer
    layers: tuple[Layer, ...]

    @classmethod
    def parse(cls, raw: bytes) -> Self:
        value = json.loads(raw)
        if len(value["layers"]) > _LAYER_LIMIT:
            raise ValueError("too many layers")
        return cls(Layer.parse(value["config"]), tuple(map(Layer.parse, value["layers"])))

    def format(self) -> bytes:
        value = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": self.config.format(),
            "layers": [layer.format() for layer in self.layers],
        }
        return json.dumps(value, separators=(",", ":")).encode() + b"\n"

    @property
    def digests(self) -> frozenset[str]:
        return frozenset(layer.digest for layer in (self.config, *self.layers))

    @property
    def size_bytes(self) -> int:
        return self.config.size + sum(layer.size for layer in self.layers)


@dataclass(frozen=True)
class Entry:
    """One manifest on disk."""

    name: ModelName
    manifest: Manifest
    digest: str  # of the manifest's own bytes, without prefix
    modified_ns: int


def parse_digest(text: Any) -> str:
    """`sha256:` and 64 lower-case hex digits, whichever separator and case came in."""
    match = _DIGEST.match(text) if isinstance(text, str) else None
    if match is None:
        raise InvalidDigest(str(text)[:100])
    return f"sha256:{match[1].lower()}"


class Upload:
    """A blob on its way in: a temporary file, hashed as it grows, renamed when it is whole."""

    def __init__(self, folder: Path, limit_bytes: int) -> None:
        self._path = folder / f"{_TEMPORARY}{secrets.token_hex(8)}"
        self._file = self._path.open("xb")
        self._hash = hashlib.sha256()
        self._limit_bytes = limit_bytes
        self.size_bytes = 0

    def write(self, piece: bytes) -> None:
        self.size_bytes += len(piece)
        if self.size_bytes > self._limit_bytes:
            raise TooLarge(f"more than {self._limit_bytes} bytes")
        self._hash.update(piece)
        self._file.write(piece)

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"

    def commit(self, target: Path) -> None:
        _sync(self._file)
        self._file.close()
        os.replace(self._path, target)

    def discard(self) -> None:
        """Take back everything; after `commit` there is nothing to take back."""
        self._file.close()
        self._path.unlink(missing_ok=True)


class Store:
    """The folders `manifests` and `blobs`."""

    def __init__(self, models: Path) -> None:
        self.models = models
        self.manifests = models / "manifests"
        self.blobs = models / "blobs"

    def create_folders(self) -> None:
        """Make the folders and see that they can be written to; raises OSError."""
        for folder in (self.manifests, self.blobs):
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / f"{_TEMPORARY}{secrets.token_hex(8)}"
            probe.touch()
            probe.unlink()

    # --- blobs ---

    def blob_path(self, digest: str) -> Path:
        """The one way from a digest to a path. A colon is not allowed in a Windows file name."""
        return self.blobs / parse_digest(digest).replace(":", "-")

    def has_blob(self, digest: str) -> bool:
        return self.blob_path(digest).is_file()

    def start_upload(self, limit_bytes: int) -> Upload:
        self.blobs.mkdir(parents=True, exist_ok=True)
        return Upload(self.blobs, limit_bytes)

    def finish_upload(self, upload: Upload, expected: str) -> None:
        """Keep the bytes under the name they were announced by, if that is their name."""
        if upload.digest != expected:
            raise DigestMismatch(expected, upload.digest)
        upload.commit(self.blob_path(expected))

    def temporary_path(self) -> Path:
        """A name for a file that another program will write; `adopt` makes a blob of it."""
        self.blobs.mkdir(parents=True, exist_ok=True)
        return self.blobs / f"{_TEMPORARY}{secrets.token_hex(8)}"

    def adopt(self, path: Path) -> tuple[str, int]:
        """A whole file of `temporary_path` becomes a blob; its digest and size in bytes."""
        with path.open("rb+") as file:
            digest = f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
            _sync(file)
        size = path.stat().st_size
        os.replace(path, self.blob_path(digest))
        return digest, size

    def add_blob(self, content: bytes) -> tuple[str, bool]:
        """Store a small blob; its digest, and whether it is new."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if self.has_blob(digest):
            return digest, False
        upload = self.start_upload(len(content))
        try:
            upload.write(content)
            upload.commit(self.blob_path(digest))
        finally:
            upload.discard()
        return digest, True

    def read_blob(self, digest: str, limit_bytes: int = 16 * 2**20) -> bytes:
        """A small blob: text or JSON. Weights are never read this way.

        It is shown to clients, so it must be a file of this folder, not a link to one elsewhere.
        """
        path = self.blob_path(digest)
        if not stat.S_ISREG(path.lstat().st_mode):
            raise ValueError("a blob is not a regular file")
        with path.open("rb") as file:
            content = file.read(limit_bytes + 1)
        if len(content) > limit_bytes:
            raise TooLarge(f"more than {limit_bytes} bytes")
        return content

    def remove_unused(self, digests: Iterable[str]) -> list[str]:
        """Remove those of the blobs that no manifest mentions; says which."""
        unused = set(map(parse_digest, digests)) - self._used_digests()
        for digest in sorted(unused):
            with contextlib.suppress(PermissionError):  # open on Windows: pruned at the next start
                self.blob_path(digest).unlink(missing_ok=True)
        return sorted(unused)

    def prune(self, older_than_seconds: float = 3600.0) -> None:
        """At start: leftovers of uploads, unused blobs and empty folders, if they are old enough.

        An unreadable manifest stops it: what that one uses cannot be known.
        """
        if any(self._read(path, name) is None for path, name in self._manifest_files()):
            return
        used = {digest.replace(":", "-") for digest in self._used_digests()}
        newest = time.time() - older_than_seconds
        for path in [*self.blobs.glob("*"), *self.manifests.rglob(f"{_TEMPORARY}*")]:
            if path.name not in used and path.is_file() and path.stat().st_mtime < newest:
                path.unlink(missing_ok=True)
        ages = {}
        for folder in self.manifests.rglob("*/"):
            with contextlib.suppress(OSError):  # another server on this folder was faster
                ages[folder] = folder.stat().st_mtime
        for folder in sorted(ages, reverse=True):  # the innermost first
            if ages[folder] < newest:
                with contextlib.suppress(OSError):  # it is not empty
                    folder.rmdir()

    def _used_digests(self) -> set[str]:
        return {digest for entry in self.entries() for digest in entry.manifest.digests}

    # --- manifests ---

    def manifest_path(self, name: ModelName) -> Path:
        return self.manifests.joinpath(*name.parts)

    def entries(self) -> list[Entry]:
        """Every readable manifest, newest first; what is not one is passed over."""
        read = (self._read(path, name) for path, name in self._manifest_files())
        found = [entry for entry in read if entry is not None]
        return sorted(found, key=lambda entry: (-(entry.modified_ns // 10**9), entry.name.parts))

    def find(self, name: ModelName) -> Entry | None:
        """The model of that name, whatever the case of its letters."""
        spelled = self.spelled_as_stored(name)
        return self._read(self.manifest_path(spelled), spelled)

    def spelled_as_stored(self, name: ModelName) -> ModelName:
        """Each part in the spelling it already has on disk, as far as it has one."""
        folder, parts = self.manifests, []
        for part in name.parts:
            stored = sorted(entry for entry in _listing(folder) if entry.lower() == part.lower())
            parts.append(part if part in stored or not stored else stored[0])
            folder = folder / parts[-1]
        return ModelName(*parts)

    def write_manifest(self, name: ModelName, manifest: Manifest) -> None:
        """All blobs are there already: the name appears last, and at once."""
        self.write_manifest_bytes(name, manifest.format())

    def write_manifest_bytes(self, name: ModelName, raw: bytes) -> None:
        """A manifest byte for byte, as a registry sent it: the digest in `tags` is of these."""
        path = self.manifest_path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.parent / f"{_TEMPORARY}{secrets.token_hex(8)}"
        try:
            with temporary.open("xb") as file:
                file.write(raw)
                _sync(file)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    def replace(self, name: ModelName, manifest: Manifest) -> None:
        """Write a manifest, then remove what only its predecessor used."""
        before = self.find(name)
        self.write_manifest(name, manifest)
        if before is not None:
            self.remove_unused(before.manifest.digests)

    def copy(self, entry: Entry, target: ModelName) -> None:
        """A second name for a model, byte for byte: its digest stays what it was."""
        before = self.find(target)
        self.write_manifest_bytes(target, self.manifest_path(entry.name).read_bytes())
        if before is not None:
            self.remove_unused(before.manifest.digests)

    def delete(self, entry: Entry) -> list[str]:
        """Remove a name, then the blobs that no other name uses; says which."""
        path = self.manifest_path(entry.name)
        path.unlink(missing_ok=True)
        for folder in list(path.parents)[:3]:
            with contextlib.suppress(OSError):  # not empty: other models live there
                folder.rmdir()
        return self.remove_unused(entry.manifest.digests)

    def _manifest_files(self) -> Iterator[tuple[Path, ModelName]]:
        for path in self.manifests.glob("*/*/*/*"):
            with contextlib.suppress(InvalidName):
                name = ModelName(*path.relative_to(self.manifests).parts)
                if path.is_file():
                    yield path, name

    def _read(self, path: Path, name: ModelName) -> Entry | None:
        try:
            with path.open("rb") as file:
                raw = file.read(_MANIFEST_LIMIT_BYTES)
                modified_ns = os.fstat(file.fileno()).st_mtime_ns
            manifest = Manifest.parse(raw)
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            return None
        return Entry(name, manifest, hashlib.sha256(raw).hexdigest(), modified_ns)


def _listing(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:
        return []


def _sync(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())
