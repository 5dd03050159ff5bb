"""Bundles: two stores and one file between them; what is cut, changed or foreign is named."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

import ollama
import pytest

from conftest import FakeEngine, create_model, listening
from jimoto.bundle import Outcome, check_bundle, load_bundle, save_bundle
from jimoto.daemon import archive
from jimoto.daemon.app import create_app
from jimoto.daemon.archive import INDEX, open_bundle, verify, write_bundle
from jimoto.daemon.library import Library
from jimoto.daemon.names import parse_name
from jimoto.daemon.settings import Clock, Settings
from jimoto.daemon.store import Store
from jimoto.errors import (
    BundleBroken,
    FileIsThere,
    FileNotWritten,
    ModelIncomplete,
    ModelNotFound,
    StoreOutOfReach,
)


@pytest.fixture(autouse=True)
def _no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda number: None)


@pytest.fixture
def source(library: Library, tiny: str, tiny_gguf: Path) -> Store:
    """A store with two models that share their weights."""
    create_model(library, "n/aoi:v1", tiny_gguf, system="Be brief.", parameters={"seed": 7})
    return library.store


@pytest.fixture
def bundle_file(source: Store, tmp_path: Path) -> Path:
    write_bundle(source, source.entries(), tmp_path / "room.bundle")
    return tmp_path / "room.bundle"


@pytest.fixture
def second(tmp_path: Path) -> Iterator[tuple[str, Store]]:
    """The URL and the store of another server, still empty."""
    store = Store(tmp_path / "second")
    store.create_folders()
    settings = Settings(store.models, jimoto_version="0.0.test")
    with listening(create_app(settings, Library(store), FakeEngine(), Clock())) as address:
        yield f"http://{address}", store


def tags(url: str) -> dict[str, str]:
    with ollama.Client(url) as client:
        return {item.model: item.digest for item in client.list().models}


def contents(store: Store) -> dict[str, bytes]:
    files = (path for path in store.models.rglob("*") if path.is_file())
    return {path.relative_to(store.models).as_posix(): path.read_bytes() for path in files}


# --- from one server to another ---


def test_a_round_trip_between_two_servers_keeps_every_byte_and_every_digest(
    url: str, source: Store, second: tuple[str, Store], tmp_path: Path
) -> None:
    bundle = save_bundle({"OLLAMA_HOST": url}, tmp_path / "room.bundle", [])
    other, store = second
    outcomes = load_bundle(check_bundle(bundle.path), other)
    assert [o.what for o in outcomes] == ["loaded", "loaded"]
    assert tags(other) == tags(url)
    assert contents(store) == contents(source)  # and nothing of the passing names is left


def test_loading_twice_changes_nothing(bundle_file: Path, second: tuple[str, Store]) -> None:
    url, store = second
    load_bundle(open_bundle(bundle_file), url)
    before = contents(store)
    assert {o.what for o in load_bundle(open_bundle(bundle_file), url)} == {"same"}
    assert contents(store) == before


def test_a_model_of_ones_own_with_the_same_name_stays(
    bundle_file: Path, second: tuple[str, Store], plain_gguf: Path
) -> None:
    url, store = second
    create_model(Library(store), "tiny", plain_gguf)
    mine = tags(url)["tiny:latest"]
    assert Outcome("tiny:latest", "kept") in load_bundle(open_bundle(bundle_file), url)
    assert tags(url)["tiny:latest"] == mine
    load_bundle(open_bundle(bundle_file), url, overwrite=True)
    assert tags(url)["tiny:latest"] != mine


def test_a_pretty_printed_manifest_keeps_its_digest(
    source: Store, second: tuple[str, Store], tmp_path: Path
) -> None:
    """A registry's manifest is stored byte for byte, and need not look like one of ours."""
    entry = source.find(parse_name("tiny"))
    pretty = json.dumps(json.loads(entry.manifest.format()), indent=3).encode()
    source.write_manifest_bytes(entry.name, pretty)
    bundle = write_bundle(source, source.entries(), tmp_path / "room.bundle")
    url, _ = second
    load_bundle(bundle, url)
    assert tags(url)["tiny:latest"] == hashlib.sha256(pretty).hexdigest()


def test_a_server_elsewhere_is_refused_before_anything_is_sent(bundle_file: Path) -> None:
    with pytest.raises(StoreOutOfReach) as caught:
        load_bundle(open_bundle(bundle_file), "http://192.0.2.7:11434")
    assert caught.value.url == "http://192.0.2.7:11434" and "--models" not in str(caught.value)


def test_a_server_whose_folder_is_not_here_is_named(
    url: str, source: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jimoto.holdings._WEIGHTS", __import__("re").compile("(no such line)"))
    with pytest.raises(StoreOutOfReach):
        save_bundle({"OLLAMA_HOST": url}, tmp_path / "room.bundle", [])


def test_a_misspelt_model_is_answered_with_the_nearest(
    url: str, source: Store, tmp_path: Path
) -> None:
    with pytest.raises(ModelNotFound) as caught:
        save_bundle({"OLLAMA_HOST": url}, tmp_path / "room.bundle", ["tinny"])
    assert caught.value.near == "tiny"
    assert not (tmp_path / "room.bundle").exists()


# --- the file ---


def test_the_same_models_give_the_same_bytes(source: Store, tmp_path: Path) -> None:
    entries = source.entries()
    write_bundle(source, entries, tmp_path / "a")
    write_bundle(source, entries[::-1], tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_shared_weights_are_stored_once(bundle_file: Path, tiny_gguf: Path) -> None:
    weights = hashlib.sha256(tiny_gguf.read_bytes()).hexdigest()
    paths = [part.path for part in open_bundle(bundle_file).parts]
    assert paths.count(f"blobs/sha256-{weights}") == 1


def test_tar_alone_unpacks_it_into_ollamas_layout(
    bundle_file: Path, source: Store, tmp_path: Path
) -> None:
    with tarfile.open(bundle_file) as tar:
        tar.extractall(tmp_path / "models2", filter="data")
    unpacked = contents(Store(tmp_path / "models2"))
    assert unpacked.pop(INDEX) and unpacked == contents(source)


def test_headers_tell_nothing_of_who_made_it(bundle_file: Path) -> None:
    with tarfile.open(bundle_file) as tar:
        told = {(m.mtime, m.uid, m.gid, m.uname, m.gname, m.mode) for m in tar}
    assert told == {(0, 0, 0, "", "", 0o644)}


def test_a_file_that_is_there_is_not_overwritten(source: Store, tmp_path: Path) -> None:
    target = tmp_path / "room.bundle"
    target.write_text("mine")
    with pytest.raises(FileIsThere):
        write_bundle(source, source.entries(), target)
    assert target.read_text() == "mine"
    write_bundle(source, source.entries(), target, overwrite=True)
    verify(open_bundle(target))


@pytest.mark.parametrize(("number", "cause"), [(28, "space"), (27, "large"), (13, "refused")])
def test_a_disk_that_refuses_leaves_nothing_behind(
    source: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, cause: str
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError(number, "no")

    folder = tmp_path / "stick"
    folder.mkdir()
    monkeypatch.setattr(tarfile.TarFile, "addfile", fail)
    with pytest.raises(FileNotWritten) as caught:
        write_bundle(source, source.entries(), folder / "room.bundle")
    assert caught.value.cause == cause and list(folder.iterdir()) == []


def test_a_model_with_a_damaged_blob_is_not_saved(
    source: Store, tmp_path: Path, tiny_gguf: Path
) -> None:
    path = source.blob_path(f"sha256:{hashlib.sha256(tiny_gguf.read_bytes()).hexdigest()}")
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)
    with pytest.raises(ModelIncomplete) as caught:
        write_bundle(source, source.entries(), tmp_path / "room.bundle")
    assert caught.value.part.endswith(path.name)
    path.unlink()
    with pytest.raises(ModelIncomplete):
        write_bundle(source, source.entries(), tmp_path / "room.bundle")
    assert list(tmp_path.glob("*room*")) == []


# --- what is not right is named ---


def test_a_cut_bundle_names_the_part_wherever_it_is_cut(bundle_file: Path, tmp_path: Path) -> None:
    bundle, raw = open_bundle(bundle_file), bundle_file.read_bytes()
    cut = tmp_path / "cut"
    for part in bundle.parts:
        for size in (part.offset - n for n in (512, 100, 0, 1 - part.size)):
            cut.write_bytes(raw[:size])
            with pytest.raises(BundleBroken) as caught:
                open_bundle(cut)
            assert (caught.value.cause, caught.value.part) == ("cut", part.path)
            assert part.path in str(caught.value)
    for size in (0, 100, 700):
        cut.write_bytes(raw[:size])
        with pytest.raises(BundleBroken):
            open_bundle(cut)


def test_a_changed_byte_names_the_part_and_loads_nothing(
    bundle_file: Path, second: tuple[str, Store]
) -> None:
    parts, raw = open_bundle(bundle_file).parts, bundle_file.read_bytes()
    for part in parts:
        changed = bytearray(raw)
        changed[part.offset + part.size // 2] ^= 0x20
        bundle_file.write_bytes(changed)
        with pytest.raises(BundleBroken) as caught:
            load_bundle(check_bundle(bundle_file), second[0])
        assert (caught.value.cause, caught.value.part) == ("changed", part.path)
    assert tags(second[0]) == {}


@pytest.mark.parametrize("at", [0, 3, 124, 156, 345])
def test_a_changed_header_is_noticed(bundle_file: Path, at: int) -> None:
    bundle, raw = open_bundle(bundle_file), bytearray(bundle_file.read_bytes())
    raw[bundle.parts[1].offset - 512 + at] ^= 1
    bundle_file.write_bytes(raw)
    with pytest.raises(BundleBroken):
        open_bundle(bundle_file)


def remade(bundle_file: Path, path: str, content: bytes, **header: object) -> Path:
    """A bundle with a consistent index and one more part."""
    with tarfile.open(bundle_file) as tar:
        parts = [(m, tar.extractfile(m).read()) for m in tar][1:]
    extra = tarfile.TarInfo(path)
    extra.size = len(content)
    for key, value in header.items():
        setattr(extra, key, value)
    parts.append((extra, content))
    rows = [archive.Part(m.name, f"sha256:{hashlib.sha256(c).hexdigest()}", len(c))
            for m, c in parts]  # fmt: skip
    index = archive.format_index(rows)
    first = tarfile.TarInfo(INDEX)
    first.size = len(index)
    with tarfile.open(bundle_file, "w") as tar:
        for member, raw in [(first, index), *parts]:
            tar.addfile(member, io.BytesIO(raw))
    return bundle_file


@pytest.mark.parametrize(
    "path",
    ["../evil", "/etc/passwd", "blobs/../../evil", "manifests/../../../evil",
     "manifests/a/b/c/..", "manifests/a/b/c", "manifests/a/b/c/d/e", "blobs\\evil",
     "C:/evil", f"blobs/sha256-{'a' * 64}", "readme.txt"],
)  # fmt: skip
def test_a_path_that_is_not_made_from_a_name_or_digest_is_refused(
    bundle_file: Path, path: str
) -> None:
    with pytest.raises(BundleBroken) as caught:
        open_bundle(remade(bundle_file, path, b"x"))
    assert (caught.value.cause, caught.value.part) == ("foreign", path)


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, b"S", b"3"])
def test_a_link_or_device_is_no_part(bundle_file: Path, kind: bytes) -> None:
    path = f"blobs/sha256-{hashlib.sha256(b'').hexdigest()}"
    with pytest.raises(BundleBroken):
        open_bundle(remade(bundle_file, path, b"", type=kind, linkname="/etc/passwd"))


def test_a_part_that_the_index_does_not_announce_is_refused(bundle_file: Path) -> None:
    extra = tarfile.TarInfo("extra")
    with tarfile.open(bundle_file, "a") as tar:
        tar.addfile(extra, io.BytesIO())
    with pytest.raises(BundleBroken) as caught:
        open_bundle(bundle_file)
    assert (caught.value.cause, caught.value.part) == ("foreign", "extra")


@pytest.mark.parametrize(
    "raw", [b"", b"GGUF" * 300, b"\0" * 2048, b"PK\x03\x04" * 300, "東京".encode() * 500]
)
def test_what_is_no_bundle_is_told_so(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "x").write_bytes(raw)
    with pytest.raises(BundleBroken):
        open_bundle(tmp_path / "x")


def test_no_file_and_a_folder_are_told_so(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(BundleBroken) as caught:
            open_bundle(path)
        assert caught.value.cause == "absent"


@pytest.mark.parametrize(
    ("raw", "cause"),
    [
        (b'{"format": "jimoto-bundle", "version": 2, "parts": []}', "newer"),
        (b'{"format": "other", "version": 1, "parts": []}', "other"),
        (b'{"format": "jimoto-bundle", "version": 1, "parts": [{}]}', "changed"),
        (b"[" * 100_000, "changed"),
        (b"null", "changed"),
    ],
)
def test_an_index_that_is_not_ours_is_told_so(tmp_path: Path, raw: bytes, cause: str) -> None:
    with pytest.raises(BundleBroken) as caught:
        archive.parse_index(raw, tmp_path / "x")
    assert caught.value.cause == cause
