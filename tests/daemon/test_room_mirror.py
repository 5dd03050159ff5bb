"""`jimoto mirror` and `jimoto.mirror.loopback`: what was sent, and how long a room needs."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import ollama
import pytest

from conftest import FakeEngine, listening
from jimoto import mirror as room
from jimoto.daemon.app import create_app
from jimoto.daemon.library import Library
from jimoto.daemon.names import parse_name
from jimoto.daemon.settings import Clock, Settings
from jimoto.daemon.store import Store
from jimoto.errors import FolderMissing, ModelNotFound, PortTaken
from jimoto.holdings import find_holdings
from jimoto.mirror import Bandwidth, Measured, loopback, start_mirror

OTHER = "192.0.2.7"


@pytest.fixture(autouse=True)
def _no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda number: None)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, Store]]:
    """An empty server: its URL and store."""
    store = Store(tmp_path / "pulled")
    store.create_folders()
    settings = Settings(store.models, jimoto_version="0.0.test")
    with listening(create_app(settings, Library(store), FakeEngine(), Clock())) as address:
        yield f"http://{address}", store


# --- for a lesson ---


def test_the_first_pull_moves_all_bytes_and_the_second_none(
    server: tuple[str, Store], mame: Path
) -> None:
    url, store = server
    with loopback() as mirror, ollama.Client(url) as client:
        assert mirror.sent_bytes == 0
        client.pull(mirror.name, insecure=True)
        first = mirror.sent_bytes
        assert first >= mame.stat().st_size
        client.pull(mirror.name, insecure=True)
        assert mirror.sent_bytes == first
        assert [item.model for item in client.list().models] == [f"{mirror.name}:latest"]
        assert client.generate(mirror.name, "Hi", think=False).response == "Hello"
        [entry] = store.entries()
        twice = first - entry.manifest.size_bytes  # whoever asks where a small blob is, has it
        assert twice in (0, entry.manifest.config.size)


def test_each_copy_is_new_to_a_server_and_the_same_salt_gives_the_same(mame: Path) -> None:
    def digest(salt: str | None) -> str:
        with loopback(salt) as mirror:
            manifest = f"http://{mirror.address}/v2/library/mame/manifests/latest"
            return httpx.get(manifest, trust_env=False).json()["layers"][0]["digest"]

    assert digest("lesson 02") == digest("lesson 02")
    assert len({digest(None), digest(None), digest("lesson 02")}) == 3


def test_closing_ends_the_mirror_and_leaves_no_file(mame: Path) -> None:
    mirror = loopback()
    folder, port = mirror._folder, mirror.port
    assert folder is not None and folder.is_dir()
    mirror.close()
    mirror.close()
    assert not folder.exists()
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


# --- what is offered, and to whom ---


def test_only_the_named_models_are_offered(library: Library, tiny: str, plain: str) -> None:
    [entry] = find_holdings({}, [tiny], library.store.models, "mirror")[1]
    with start_mirror(library.store, [entry]) as mirror:
        base = f"http://{mirror.address}/v2/library"
        assert mirror.host == "127.0.0.1"
        assert httpx.get(f"{base}/tiny/manifests/latest", trust_env=False).status_code == 200
        assert httpx.get(f"{base}/plain/manifests/latest", trust_env=False).status_code == 404


def test_a_port_that_is_taken_is_named_and_a_foreign_address_is_not_bound(
    library: Library, tiny: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        with pytest.raises(PortTaken) as caught:
            start_mirror(library.store, library.store.entries(), port=port)
        assert caught.value.port == port
    with pytest.raises(OSError):
        start_mirror(library.store, [], host=OTHER)


def test_models_are_found_through_the_server_that_runs(
    url: str, library: Library, tiny: str
) -> None:
    store, entries = find_holdings({"OLLAMA_HOST": url}, [], None, "mirror")
    assert store.models == library.store.models
    assert [entry.name.short for entry in entries] == ["tiny:latest"]
    with pytest.raises(ModelNotFound):
        find_holdings({"OLLAMA_HOST": url}, ["../etc"], None, "mirror")


def test_an_empty_server_and_a_wrong_folder_are_named(url: str, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound):
        find_holdings({"OLLAMA_HOST": url}, [], None, "mirror")
    with pytest.raises(FolderMissing):
        find_holdings({}, [], tmp_path / "nothing", "mirror")


# --- what is measured ---


def test_time_counts_while_something_runs_and_only_other_computers_count() -> None:
    now = [100.0]
    meter = Bandwidth(own={"10.0.0.5"}, clock=lambda: now[0])
    meter.begin("127.0.0.1")
    meter.sent("127.0.0.1", 50_000_000)
    now[0] += 1
    meter.end("127.0.0.1")
    near = meter.measured()
    assert near == Measured(50_000_000, 1.0, is_far=False) and near.mbps == 400
    now[0] += 1000  # nobody pulls: this is no slowness
    meter.begin("10.0.0.5")  # ourselves, by another name
    meter.sent("10.0.0.5", 10_000_000)
    meter.end("10.0.0.5")
    meter.begin(OTHER)
    meter.begin("192.0.2.8")  # two at once share one time
    now[0] += 4
    meter.sent(OTHER, 6_000_000)
    meter.sent("192.0.2.8", 4_000_000)
    meter.end(OTHER)
    meter.end("192.0.2.8")
    assert meter.measured() == Measured(10_000_000, 4.0, is_far=True)
    assert meter.sent_bytes == 0  # none of these came to its end


def test_a_few_bytes_are_no_measurement() -> None:
    now = [0.0]
    meter = Bandwidth(clock=lambda: now[0])
    meter.begin(OTHER)
    meter.sent(OTHER, room.ENOUGH_BYTES - 1)
    now[0] += 1
    meter.end(OTHER)
    assert meter.measured() is None


def test_a_transfer_is_measured_as_it_happens(library: Library, tiny: str) -> None:
    ended: list[int] = []
    meter = Bandwidth(on_end=lambda: ended.append(1))
    entries = library.store.entries()
    with start_mirror(library.store, entries, bandwidth=meter) as mirror:
        for digest in entries[0].manifest.digests:
            url = f"http://{mirror.address}/v2/library/tiny/blobs/{digest}"
            httpx.get(url, trust_env=False)
    assert meter.sent_bytes == entries[0].manifest.size_bytes and len(ended) == 2


# --- what is said ---


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_the_opening_gives_the_very_lines_that_others_type(
    library: Library, tiny: str, lang: str
) -> None:
    entries = library.store.entries()
    with start_mirror(library.store, entries) as mirror:
        text = room.opening_text(mirror, entries, 30, None, lang)
        target = f"{mirror.address}/library/tiny"
        assert f"  ollama pull --insecure {target}\n  ollama cp {target} tiny\n" in text
        assert "30" in text and "--mbps" in text and "JIMOTO_REGISTRIES" not in text
        assert "jimoto mirror --room" in text  # so far it is for this computer alone
        with_rate = room.opening_text(mirror, entries, 30, 100.0, lang)
        assert "100 Mbit/s" in with_rate and "--mbps" not in with_rate


def test_a_room_is_told_in_words_and_with_an_address_of_this_computer(
    library: Library, tiny: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room, "own_addresses", lambda: ["192.0.2.1", "192.0.2.2"])
    entries = library.store.entries()
    with start_mirror(library.store, entries) as mirror:
        mirror.host = room.ROOM_HOST  # what it says, without opening it to anybody
        text = room.opening_text(mirror, entries, 30, None, "en")
        assert "EVERY computer" in text
        assert f"ollama pull --insecure 192.0.2.1:{mirror.port}/library/tiny" in text
        assert f"JIMOTO_REGISTRIES=192.0.2.1:{mirror.port}" in text
        monkeypatch.setattr(room, "own_addresses", lambda: [])
        assert "none was found" in room.opening_text(mirror, entries, 30, None, "en")


def test_a_measurement_within_one_computer_promises_nothing() -> None:
    far = Measured(20_000_000, 2.0, is_far=True)
    near = Measured(20_000_000, 2.0, is_far=False)
    said = room.measured_text(far, 2 * 10**9, 30, "en")
    assert "80 Mbit/s" in said and said.endswith("need 100 min.")
    for lang in ("en", "ja"):
        assert "30" not in room.measured_text(near, 2 * 10**9, 30, lang)


def test_what_is_pulled_has_no_host_of_its_own() -> None:
    name = parse_name("hf.co/aoi/beans:Q4_K_M")
    assert room.pull_target(name, "192.0.2.1:11435") == "192.0.2.1:11435/aoi/beans:Q4_K_M"
    assert room.short_name(name) == "hf.co/aoi/beans:Q4_K_M"


def test_own_addresses_are_those_that_others_can_reach() -> None:
    assert not [a for a in room.own_addresses() if a.startswith(("127.", "169.254.", "0."))]
