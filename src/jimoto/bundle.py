"""Models carried as one file: saved from this computer's server, loaded into any server here.

Saving reads the server's folder, since no route hands out a model's bytes. Loading uses HTTP alone
and keeps every digest, in the embedded server and in real Ollama alike: the bundle is offered by a
mirror on loopback, the server pulls from it under a passing name (and verifies, as it does with
any pull), and `copy` gives the model its own name at once. `/api/blobs` with `/api/create` would
keep the digest of the weights only: it writes a new configuration and a new manifest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from jimoto.daemon.archive import (
    REPOSITORY,
    Bundle,
    BundledModel,
    BundleShelf,
    open_bundle,
    verify,
    write_bundle,
)
from jimoto.errors import StoreOutOfReach
from jimoto.holdings import find_holdings
from jimoto.mirror import start_mirror

if TYPE_CHECKING:
    import ollama

Progress = Callable[[int], object]  # bytes done since the last call
_UNREACHED = ("connection refused", "dial tcp", "connection attempts failed")


@dataclass(frozen=True)
class Outcome:
    """What became of one model of a bundle: 'loaded', 'same' (it was there), or 'kept'.

    'kept': another model of that name was there, and stays.
    """

    model: str
    what: str


def save_bundle(
    env: Mapping[str, str],
    target: Path,
    names: Sequence[str],
    folder: Path | None = None,
    overwrite: bool = False,
    progress: Progress = lambda size: None,
) -> Bundle:
    """Write the named models (all, where none is) of this computer's server to one file.

    Errors: ModelNotFound, ModelIncomplete, StoreOutOfReach, FileIsThere, FileNotWritten.
    """
    store, entries = find_holdings(env, names, folder, "save")
    return write_bundle(store, entries, target, progress, overwrite)


def check_bundle(path: Path, progress: Progress = lambda size: None) -> Bundle:
    """A bundle whose every byte was read and hashed; BundleBroken names the first wrong part."""
    bundle = open_bundle(path)
    verify(bundle, progress)
    return bundle


def load_bundle(
    bundle: Bundle, url: str, overwrite: bool = False, progress: Progress = lambda size: None
) -> list[Outcome]:
    """Put the models of a checked bundle into the server at `url`, on this computer.

    A model of the same name with other contents stays unless `overwrite`. Whatever happens, a name
    shows the old model or the new one. Errors: StoreOutOfReach, ollama.ResponseError.
    """
    import ollama

    if (urlsplit(url).hostname or "") not in ("127.0.0.1", "localhost", "::1"):
        raise StoreOutOfReach(url, "load")
    outcomes = []
    with (
        ollama.Client(host=url, trust_env=False) as client,
        start_mirror(BundleShelf(bundle)) as mirror,
    ):
        here = {item.model or "": item.digest or "" for item in client.list().models}
        for number, model in enumerate(bundle.models):
            name = model.name.short
            if here.get(name) == model.digest:
                outcomes.append(Outcome(name, "same"))
            elif name in here and not overwrite:
                outcomes.append(Outcome(name, "kept"))
            else:
                passing = f"{mirror.address}/{REPOSITORY}/m{number}:latest"
                _take(client, passing, model, url, progress)
                outcomes.append(Outcome(name, "loaded"))
    return outcomes


def _take(
    client: ollama.Client, passing: str, model: BundledModel, url: str, progress: Progress
) -> None:
    """Pull under the passing name, copy to the model's own, and forget the passing one."""
    import ollama

    done: dict[str, int] = {}
    try:
        for item in client.pull(passing, insecure=True, stream=True):
            if item.digest and item.completed:
                progress(item.completed - done.get(item.digest, 0))
                done[item.digest] = item.completed
        client.copy(passing, model.name.short)
    except ollama.ResponseError as error:
        if any(word in error.error.lower() for word in _UNREACHED):
            raise StoreOutOfReach(url, "load") from None
        raise
    finally:
        try:
            client.delete(passing)
        except ollama.ResponseError as error:  # it was never there: the pull failed
            if error.status_code != 404:
                raise
