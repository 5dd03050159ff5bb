"""Which models this computer holds, and in which folder: asked of the server, read from its disk.

No route of Ollama's API hands out the bytes of a model. But what `show` prints names the file of
the weights, for real Ollama as for the embedded server, and around that file lies the folder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from jimoto.connection import ensure_server
from jimoto.daemon.names import InvalidName, parse_name
from jimoto.daemon.store import Entry, Store
from jimoto.errors import FolderMissing, ModelNotFound, StoreOutOfReach

if TYPE_CHECKING:
    import ollama

_WEIGHTS = re.compile(r"^FROM (.+)[/\\]blobs[/\\]sha256-[0-9a-f]{64}\s*$", re.MULTILINE)


def find_holdings(
    env: Mapping[str, str], names: Sequence[str], folder: Path | None, verb: str
) -> tuple[Store, list[Entry]]:
    """The folder of the models, and those that are named (all, where none is).

    Errors: ModelNotFound, FolderMissing, StoreOutOfReach (`verb` is what it was needed for).
    """
    if folder is not None:
        if not (folder / "manifests").is_dir():
            raise FolderMissing("manifests", str(folder))
        store = Store(folder)
        return store, choose(store, names)
    import ollama

    server = ensure_server(env)
    with ollama.Client(host=server.url, trust_env=False) as client:
        store = _store_of(client, names, server.url, verb)
    return store, choose(store, names)


def choose(store: Store, names: Sequence[str]) -> list[Entry]:
    """The models of these names, each once; all of them where none is named."""
    entries = store.entries()
    if not names:
        if not entries:
            raise ModelNotFound("mame", "", "")
        return entries
    found: dict[str, Entry] = {}
    for name in names:
        try:
            entry = store.find(parse_name(name))
        except InvalidName:
            entry = None
        if entry is None:
            raise ModelNotFound(name, _near(name, [e.name.short for e in entries]), "")
        found[entry.name.short] = entry
    return list(found.values())


def _store_of(client: ollama.Client, names: Sequence[str], url: str, verb: str) -> Store:
    """The folder around the weights of the first model that tells where they lie."""
    import ollama

    here = [item.model or "" for item in client.list().models]
    for name in names or here:
        try:
            match = _WEIGHTS.search(client.show(name).modelfile or "")
        except ollama.ResponseError as error:
            if error.status_code not in (400, 404):
                raise
            raise ModelNotFound(name, _near(name, here), "") from None
        if match and (Path(match[1]) / "manifests").is_dir():
            return Store(Path(match[1]))
    if not here:
        raise ModelNotFound("mame", "", "")
    raise StoreOutOfReach(url, verb)


def _near(name: str, here: Sequence[str]) -> str:
    short = [known.removesuffix(":latest") for known in here]
    return next(iter(get_close_matches(name.lower(), short, 1, 0.6)), "")
