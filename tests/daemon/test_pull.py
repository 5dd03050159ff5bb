"""Pulling through the server, from a mirror on this machine: what `ollama pull` does, whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ollama
import pytest

from conftest import Api, FakeEngine, create_model, listening
from jimoto.daemon.app import create_app
from jimoto.daemon.library import Library
from jimoto.daemon.mirror import mirror_app
from jimoto.daemon.settings import Settings
from jimoto.daemon.store import Store


@pytest.fixture
def mirror(tmp_path: Path, tiny_gguf: Path) -> Iterator[str]:
    """host:port of a mirror that offers the model `tiny`."""
    store = Store(tmp_path / "mirrored")
    store.create_folders()
    create_model(Library(store), "tiny", tiny_gguf)
    with listening(mirror_app(store)) as address:
        yield address


@pytest.fixture
def app(settings: Settings, library: Library, clock: Any, mirror: str) -> Any:
    engine = FakeEngine()
    return create_app(settings, library, engine, clock.clock, {"JIMOTO_MIRROR": mirror})


@pytest.fixture
def client(url: str) -> Iterator[ollama.Client]:
    with ollama.Client(url) as client:
        yield client


def test_a_pulled_model_is_listed_and_answers(client: ollama.Client) -> None:
    said = [item.status for item in client.pull("tiny", stream=True)]
    assert said[0] == "pulling manifest" and said[-1] == "success"
    assert [model.model for model in client.list().models] == ["tiny:latest"]
    assert client.generate("tiny", "Hi", think=False).response == "Hello"


def test_the_second_pull_finds_everything_there(client: ollama.Client, library: Library) -> None:
    client.pull("tiny")
    before = {path: path.stat().st_mtime_ns for path in library.store.models.rglob("sha256-*")}
    items = list(client.pull("tiny", stream=True))
    after = {path: path.stat().st_mtime_ns for path in library.store.models.rglob("sha256-*")}
    assert before == after and items[-1].status == "success"
    assert all(item.completed == item.total for item in items if item.total)


def test_a_model_that_the_mirror_lacks_is_named_in_ollamas_words(api: Api) -> None:
    text = "pull model manifest: file does not exist"
    refused = api.post("/api/pull", {"model": "nothing", "stream": False})
    assert (refused.status_code, refused.json()) == (500, {"error": text})
    assert api.lines("/api/pull", {"model": "nothing"})[-1] == {"error": text}


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"model": ""}, 400, "model is required"),
        ({"model": "../x"}, 400, "invalid model name"),
        (
            {"name": "tiny:cloud"},
            403,
            "ollama cloud is disabled: a cloud model cannot be pulled here",
        ),
    ],
)
def test_a_name_that_cannot_be_pulled_is_refused(
    api: Api, body: dict[str, str], status: int, error: str
) -> None:
    refused = api.post("/api/pull", body)
    assert (refused.status_code, refused.json()) == (status, {"error": error})
