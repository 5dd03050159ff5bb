"""Models in one file: a tar laid out like Ollama's folder, with an index of digests in front.

The same models give the same bytes. Nothing is ever unpacked: a bundle is read where it lies, and
each part must be the one that the index announces, of that size, under a name made from a digest
or a model's name. (By hand, `tar -xf FILE -C ~/.ollama/models` puts the parts where Ollama looks.)
It knows nothing of servers. Calls block.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import json
import os
import secrets
import tarfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from jimoto.daemon.mirror import Blob
from jimoto.daemon.names import InvalidName, ModelName
from jimoto.daemon.store import Entry, InvalidDigest, Manifest, Store, parse_digest
from jimoto.errors import BundleBroken, FileIsThere, FileNotWritten, ModelIncomplete

INDEX = "jimoto-bundle.json"
VERSION = 1
REPOSITORY = "bundle"  # the namespace under which a bundle's models are offered: bundle/m0, …

_PIECE_BYTES = 2**20
_INDEX_LIMIT_BYTES = 16 * 2**20
_MANIFEST_LIMIT_BYTES = 4 * 2**20
_CAUSES = {
    errno.ENOSPC: "space",
    getattr(errno, "EDQUOT", errno.ENOSPC): "space",
    errno.EFBIG: "large",
}

Progress = Callable[[int], object]  # bytes done since the last call


@dataclass(frozen=True)
class Part:
    """One file of a bundle: `blobs/sha256-…` or `manifests/HOST/NAMESPACE/MODEL/TAG`."""

    path: str
    digest: str
    size: int
    offset: int = 0  # of its first byte in the bundle


@dataclass(frozen=True)
class BundledModel:
    """A model of a bundle; `digest` is that of its manifest, without prefix, as in `/api/tags`."""

    name: ModelName
    digest: str
    raw: bytes
    manifest: Manifest


@dataclass(frozen=True)
class Bundle:
    """A bundle whose index, names and sizes are in order. Its blobs are hashed by `verify`."""

    path: Path
    parts: tuple[Part, ...]
    models: tuple[BundledModel, ...]

    @property
    def size_bytes(self) -> int:
        return sum(part.size for part in self.parts)

    @property
    def names(self) -> list[str]:
        """Of its models, as `ollama list` shows them."""
        return [model.name.short for model in self.models]


# --- writing ---


def write_bundle(
    store: Store,
    entries: Sequence[Entry],
    target: Path,
    progress: Progress = lambda size: None,
    overwrite: bool = False,
) -> Bundle:
    """Write models of a store to one file; it appears whole, or not at all.

    Errors: FileIsThere, FileNotWritten, ModelIncomplete.
    """
    if target.exists() and not overwrite:
        raise FileIsThere(str(target), f"jimoto bundle save --replace {target} …")
    sources = list(_sources(store, entries))
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        try:
            with temporary.open("xb") as file:
                _write(file, sources, progress)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        cause = _CAUSES.get(error.errno or 0, "refused")
        raise FileNotWritten(str(target), cause) from None
    return open_bundle(target)


def _sources(store: Store, entries: Sequence[Entry]) -> Iterator[tuple[Part, Path, str]]:
    """Each part once, with the file it comes from and the model that needs it; manifests first."""
    ordered = sorted(entries, key=lambda entry: entry.name.parts)
    for entry in ordered:
        path = store.manifest_path(entry.name)
        inside = "/".join(("manifests", *entry.name.parts))
        yield Part(inside, f"sha256:{entry.digest}", path.stat().st_size), path, entry.name.short
    seen: set[str] = set()
    for entry in ordered:
        for layer in (entry.manifest.config, *entry.manifest.layers):
            if layer.digest in seen:
                continue
            seen.add(layer.digest)
            path, inside = store.blob_path(layer.digest), _blob_path(layer.digest)
            if not path.is_file() or path.stat().st_size != layer.size:
                raise ModelIncomplete(entry.name.short, inside)
            yield Part(inside, layer.digest, layer.size), path, entry.name.short


def _write(file: BinaryIO, sources: list[tuple[Part, Path, str]], progress: Progress) -> None:
    index = format_index([part for part, _, _ in sources])
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(_member(INDEX, len(index)), io.BytesIO(index))
        for part, path, model in sources:
            try:
                with path.open("rb") as source:
                    reader = _HashingReader(source, progress)
                    tar.addfile(_member(part.path, part.size), reader)  # type: ignore[arg-type]
            except FileNotFoundError:  # removed while we were writing
                raise ModelIncomplete(model, part.path) from None
            except OSError as error:
                if str(error) == "unexpected end of data":  # tarfile's words for a short source
                    raise ModelIncomplete(model, part.path) from None
                raise
            if reader.digest != part.digest:
                raise ModelIncomplete(model, part.path)


def format_index(parts: Sequence[Part]) -> bytes:
    """The first member: every other one in order, with its digest and size."""
    rows = [{"path": part.path, "digest": part.digest, "size": part.size} for part in parts]
    value = {"format": "jimoto-bundle", "version": VERSION, "parts": rows}
    return json.dumps(value, indent=1).encode() + b"\n"


def _member(path: str, size: int) -> tarfile.TarInfo:
    """A header that tells nothing of who made it, where or when."""
    member = tarfile.TarInfo(path)
    member.size, member.mode = size, 0o644
    return member


class _HashingReader:
    """A file that is hashed while tarfile copies it."""

    def __init__(self, file: BinaryIO, progress: Progress) -> None:
        self._file, self._progress = file, progress
        self._hash = hashlib.sha256()

    def read(self, size: int) -> bytes:
        piece = self._file.read(size)
        self._hash.update(piece)
        self._progress(len(piece))
        return piece

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


# --- reading ---


def open_bundle(path: Path) -> Bundle:
    """Read the index and check all headers and manifests against it; blobs are not read yet.

    Raises BundleBroken, which names the part.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            parts = tuple(_located(file, path, size))
            models = tuple(_models(file, path, parts))
    except OSError:
        raise BundleBroken(str(path), "", "absent") from None
    return Bundle(path, parts, models)


def _located(file: BinaryIO, path: Path, size: int) -> Iterator[Part]:
    """The announced parts with their offsets, in the order in which they must stand."""

    def broken(part: str, cause: str) -> BundleBroken:
        return BundleBroken(str(path), part, cause)

    # 1) the index
    try:
        tar = tarfile.open(fileobj=file, mode="r:")
        first = tar.next()
    except (tarfile.TarError, ValueError):
        raise broken("", "other" if size else "cut") from None
    if first is None or first.name != INDEX or not _is_plain(first):
        raise broken("", "other")
    if first.size > _INDEX_LIMIT_BYTES:
        raise broken(INDEX, "foreign")
    file.seek(first.offset_data)
    raw = file.read(first.size)
    if len(raw) < first.size:
        raise broken(INDEX, "cut")
    announced = parse_index(raw, path)
    # 2) each part
    for part in announced:
        try:
            member = tar.next()
        except (tarfile.TarError, ValueError):
            cut = tar.offset + tarfile.BLOCKSIZE > size
            raise broken(part.path, "cut" if cut else "changed") from None
        if member is None:
            raise broken(part.path, "cut")
        if member.name != part.path or not _is_plain(member):
            raise broken(member.name, "foreign")
        if member.size != part.size:
            raise broken(part.path, "changed")
        if member.offset_data + part.size > size:
            raise broken(part.path, "cut")
        yield replace(part, offset=member.offset_data)
    # 3) and nothing else
    try:
        extra = tar.next()
    except (tarfile.TarError, ValueError):
        return  # the two empty blocks at the end are no part: without them nothing is lost
    if extra is not None:
        raise broken(extra.name, "foreign")


def _is_plain(member: tarfile.TarInfo) -> bool:
    """A file's own bytes in one piece: no link, no folder, no device, no holes."""
    return member.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and not member.issparse()


def parse_index(raw: bytes, path: Path) -> list[Part]:
    """The parts that an index announces, each under a path that is made from its own digest or
    from a valid model name; raises BundleBroken."""

    def broken(cause: str, part: str = INDEX) -> BundleBroken:
        return BundleBroken(str(path), part, cause)

    try:
        value: Any = json.loads(raw)
        version, rows = value["version"], value["parts"]
        if value["format"] != "jimoto-bundle" or type(version) is not int:
            raise broken("other", "")
        if version > VERSION:
            raise broken("newer", "")
        parts = [Part(str(row["path"]), parse_digest(row["digest"]), row["size"]) for row in rows]
    except (ValueError, LookupError, TypeError, RecursionError):
        raise broken("changed") from None
    for part in parts:
        fits = type(part.size) is int and part.size >= 0 and _is_own_path(part)
        if not fits:
            raise broken("foreign", part.path)
    if len({part.path for part in parts}) < len(parts):
        raise broken("foreign")
    return parts


def _is_own_path(part: Part) -> bool:
    if part.path == _blob_path(part.digest):
        return True
    return part.path.startswith("manifests/") and _name_of(part) is not None


def _name_of(part: Part) -> ModelName | None:
    """The model whose manifest this is."""
    pieces = part.path.split("/")[1:]
    if len(pieces) != 4:
        return None
    try:
        return ModelName(*pieces)
    except InvalidName:
        return None


def _blob_path(digest: str) -> str:
    return "blobs/" + digest.replace(":", "-")


def _models(file: BinaryIO, path: Path, parts: Sequence[Part]) -> Iterator[BundledModel]:
    sizes = {part.digest: part.size for part in parts if part.path.startswith("blobs/")}
    for part in parts:
        name = _name_of(part) if part.path.startswith("manifests/") else None
        if name is None:
            continue
        if part.size > _MANIFEST_LIMIT_BYTES:
            raise BundleBroken(str(path), part.path, "foreign")
        file.seek(part.offset)
        raw = file.read(part.size)
        if f"sha256:{hashlib.sha256(raw).hexdigest()}" != part.digest:
            raise BundleBroken(str(path), part.path, "changed")
        try:
            manifest = Manifest.parse(raw)
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError, InvalidDigest):
            raise BundleBroken(str(path), part.path, "foreign") from None
        for layer in (manifest.config, *manifest.layers):
            if sizes.get(layer.digest) != layer.size:
                raise BundleBroken(str(path), _blob_path(layer.digest), "cut")
        yield BundledModel(name, part.digest.removeprefix("sha256:"), raw, manifest)


def verify(bundle: Bundle, progress: Progress = lambda size: None) -> None:
    """Hash every part; BundleBroken names the first that is not what its digest says."""
    try:
        with bundle.path.open("rb") as file:
            for part in bundle.parts:
                file.seek(part.offset)
                digest, rest = hashlib.sha256(), part.size
                while rest:
                    piece = file.read(min(_PIECE_BYTES, rest))
                    if not piece:
                        raise BundleBroken(str(bundle.path), part.path, "cut")
                    digest.update(piece)
                    rest -= len(piece)
                    progress(len(piece))
                if f"sha256:{digest.hexdigest()}" != part.digest:
                    raise BundleBroken(str(bundle.path), part.path, "changed")
    except OSError:
        raise BundleBroken(str(bundle.path), "", "absent") from None


# --- offering ---


@dataclass(frozen=True)
class BundleShelf:
    """What a mirror of a bundle hands out: its models as bundle/m0, bundle/m1, …

    The names are ours, because two models of a bundle may differ only in their host, which a URL
    of the registry protocol does not carry.
    """

    bundle: Bundle

    def manifest(self, namespace: str, model: str, reference: str) -> bytes:
        """The manifest of the model with that number, byte for byte."""
        return self._model(namespace, model).raw

    def open_blob(self, namespace: str, model: str, digest: str) -> Blob:
        """A part that this model's manifest names, where it lies in the bundle."""
        if digest not in self._model(namespace, model).manifest.digests:
            raise KeyError(digest)
        path = _blob_path(digest)
        part = next(part for part in self.bundle.parts if part.path == path)
        return Blob(self.bundle.path.open("rb"), part.offset, part.size)

    def _model(self, namespace: str, model: str) -> BundledModel:
        with contextlib.suppress(ValueError, IndexError):
            if namespace == REPOSITORY and model.startswith("m") and model[1:].isdecimal():
                return self.bundle.models[int(model[1:])]
        raise KeyError(model)
