"""The folder of models: digests, manifests, blobs, and nothing left over."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import create_model
from jimoto.daemon.library import Library
from jimoto.daemon.names import parse_name
from jimoto.daemon.store import (
    DigestMismatch,
    InvalidDigest,
    Manifest,
    Store,
    TooLarge,
)

HEX = "a" * 64


def blobs_on_disk(store: Store) -> set[str]:
    return {path.name.replace("-", ":") for path in store.blobs.iterdir()}


def blobs_in_manifests(store: Store) -> set[str]:
    return {digest for entry in store.entries() for digest in entry.manifest.digests}


@pytest.mark.parametrize("text", [f"sha256:{HEX}", f"sha256-{HEX}", f"sha256:{HEX.upper()}"])
def test_a_digest_has_one_path_however_it_is_written(store, text):
    assert store.blob_path(text) == store.blobs / f"sha256-{HEX}"


@pytest.mark.parametrize(
    "text",
    ["", HEX, "sha256:", f"sha256:{HEX}0", f"sha256:{HEX[1:]}", f"sha256:../{HEX}",
     f"sha256:{HEX}\n", "sha256:" + "g" * 64, f"md5:{HEX}", None, 3],
)  # fmt: skip
def test_cve_2024_37032_what_is_no_digest_becomes_no_path(store, text):
    with pytest.raises(InvalidDigest):
        store.blob_path(text)


def test_a_blob_whose_bytes_are_not_its_name_is_not_kept(store):
    upload = store.start_upload(100)
    upload.write(b"something else")
    with pytest.raises(DigestMismatch):
        store.finish_upload(upload, f"sha256:{HEX}")
    upload.discard()
    assert blobs_on_disk(store) == set()


def test_an_upload_beyond_the_limit_leaves_nothing(store):
    upload = store.start_upload(3)
    with pytest.raises(TooLarge):
        upload.write(b"four")
    upload.discard()
    assert blobs_on_disk(store) == set()


def test_a_name_is_found_in_any_case_and_keeps_its_spelling(library, tiny_gguf):
    create_model(library, "Mame:V1", tiny_gguf)
    found = library.store.find(parse_name("mAME:v1"))
    assert found is not None and found.name.short == "Mame:V1"
    create_model(library, "mame:v1", tiny_gguf)
    assert [entry.name.short for entry in library.store.entries()] == ["Mame:V1"]


def test_a_corrupt_manifest_is_passed_over(library, tiny):
    path = library.store.manifests / "registry.ollama.ai" / "library" / "tiny" / "broken"
    path.write_text('{"layers": 3')
    assert [entry.name.short for entry in library.store.entries()] == ["tiny:latest"]


@pytest.mark.parametrize(
    "layer",
    ["{}", '{"mediaType":"x","digest":"sha256:../../x","size":1}',
     '{"mediaType":1,"digest":"","size":1}',
     f'{{"mediaType":"x","digest":"sha256:{HEX}","size":-1}}', "null", "[]"],
)  # fmt: skip
def test_cve_2025_1975_a_manifest_with_odd_layers_is_no_manifest(layer):
    with pytest.raises((ValueError, LookupError, TypeError, AttributeError)):
        Manifest.parse(b'{"config":%s,"layers":[]}' % layer.encode())


def test_files_that_are_no_models_are_not_listed(library, tiny):
    folder = library.store.manifests
    for path in ("loose", "a/b/c/d/e", "registry.ollama.ai/library/tiny/.hidden"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text("{}")
    assert [entry.name.short for entry in library.store.entries()] == ["tiny:latest"]


def test_prune_removes_old_leftovers_and_keeps_what_is_used(library, tiny):
    store = library.store
    orphan, _ = store.add_blob(b"nobody uses this")
    upload = store.start_upload(9)
    upload.write(b"x")
    upload._file.close()
    before = blobs_in_manifests(store)
    store.prune(older_than_seconds=3600)
    assert store.has_blob(orphan)
    store.prune(older_than_seconds=-1)
    assert blobs_on_disk(store) == before


def test_prune_removes_old_folders_without_a_model(library, tiny):
    store = library.store
    empty = store.manifests / "host" / "namespace" / "model"
    empty.mkdir(parents=True)
    store.prune(older_than_seconds=3600)
    assert empty.is_dir()
    store.prune(older_than_seconds=-1)
    assert [path.name for path in store.manifests.iterdir()] == ["registry.ollama.ai"]
    assert library.find("tiny", "").name == "tiny:latest"


def test_an_unreadable_manifest_stops_pruning(library, tiny):
    store = library.store
    orphan, _ = store.add_blob(b"perhaps that one uses it")
    (store.manifests / "registry.ollama.ai/library/tiny/odd").write_text("?")
    store.prune(older_than_seconds=-1)
    assert store.has_blob(orphan)


def test_a_folder_that_cannot_be_written_is_an_os_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError):
        Store(tmp_path / "file" / "models").create_folders()


def test_the_layout_is_ollamas_own(library, tiny):
    files = {p.relative_to(library.store.models) for p in library.store.models.rglob("*")}
    assert Path("manifests/registry.ollama.ai/library/tiny/latest") in files
    assert all(p.name.startswith("sha256-") for p in files if p.parent == Path("blobs"))


NAMES = ["a", "b", "a:x"]
actions = st.one_of(
    st.tuples(st.just("create"), st.sampled_from(NAMES), st.sampled_from(["s1", "s2", ""])),
    st.tuples(st.just("derive"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.tuples(st.just("copy"), st.sampled_from(NAMES), st.sampled_from(NAMES)),
    st.tuples(st.just("delete"), st.sampled_from(NAMES), st.just("")),
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(actions, max_size=8))
def test_the_disk_holds_exactly_the_blobs_in_manifests(tmp_path_factory, tiny_gguf, steps):
    from jimoto.daemon.wire import ApiError

    store = Store(tmp_path_factory.mktemp("store"))
    store.create_folders()
    library = Library(store)
    for action, name, more in steps:
        try:
            if action == "create":
                create_model(library, name, tiny_gguf, system=more)
            elif action == "derive":
                list(library.create({"model": name, "from": more, "parameters": {"seed": 1}}))
            elif action == "copy":
                library.copy(name, more)
            else:
                store.delete(library.entry_to_delete(name))
        except ApiError as error:
            assert error.status in (404, 500)  # no such model; `from` cannot be pulled
        assert blobs_on_disk(store) == blobs_in_manifests(store)
        assert not any(
            entry.startswith(".") for _, _, names in os.walk(store.models) for entry in names
        )
