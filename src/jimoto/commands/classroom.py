"""The verbs of a workshop: is this machine ready, models on a stick, models for the room, lessons.

Arguments and printing; what they do stands in `jimoto.checkup`, `bundle`, `mirror` and `lab`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from jimoto.commands.parser import Verb, Verbs
from jimoto.errors import FlagValueWrong, language
from jimoto.formats import size_text

bundle = typer.Typer(cls=Verbs)

WORDS = {
    "en": {
        "saved": "'{path}': {size}, {models}",
        "whole": "'{path}' is whole: {size}, {models}",
        "loaded": "{model}: loaded",
        "same": "{model}: was here already, the same",
        "kept": "{model}: another model of that name is here and stays "
        "(`jimoto bundle load --replace` takes the bundle's)",
        "room": "{n} machines: {path}",
    },
    "ja": {
        "saved": "'{path}': {size}、{models}",
        "whole": "'{path}' は正常です: {size}、{models}",
        "loaded": "{model}: 読み込みました",
        "same": "{model}: 同じものがすでにあります",
        "kept": "{model}: 同じ名前の別のモデルがあるため、そのまま残しました"
        "(`jimoto bundle load --replace` でバンドルのものに置き換えます)",
        "room": "{n}台分: {path}",
    },
}


def say(key: str, **fields: object) -> None:
    """One line on stdout."""
    print(WORDS[language()][key].format(**fields), flush=True)


@contextmanager
def progress(total_bytes: int | None) -> Iterator[Callable[[int], object]]:
    """A bar on stderr, where that is a terminal."""
    from tqdm import tqdm

    with tqdm(total=total_bytes, unit="B", unit_scale=True, disable=None, leave=False) as bar:
        yield bar.update


# --- doctor ---


def doctor(
    files: Annotated[list[str] | None, typer.Argument(metavar="[FILE…]")] = None,
    as_json: Annotated[bool, typer.Option("--json")] = False,
    merge: Annotated[bool, typer.Option("--merge")] = False,
    online: Annotated[bool, typer.Option("--online")] = False,
    out: Annotated[str, typer.Option("--out")] = "room.html",
) -> None:
    """Look whether this computer is ready for the lessons; or merge the reports of a room."""
    if merge:
        return merge_reports(files or [], Path(out))
    if files:
        raise FlagValueWrong("doctor", files[0], "`--merge FILE…`")
    from jimoto import checkup

    found = checkup.doctor(online)
    print(json.dumps(found.as_json()) if as_json else found)  # ASCII: any shell's `>` keeps it
    if found.verdict.kind == "not":
        raise typer.Exit(1)


def merge_reports(files: list[str], target: Path) -> None:
    """Write the room's table; each file that is no report is named, and the exit code is then 1."""
    from jimoto.checkup import room

    paths = room.find_files(files)
    if not paths:
        raise FlagValueWrong("--merge", "", "*.json")
    seats, broken = room.read_seats(paths)
    room.write_room(room.room_page(seats, broken), target)
    say("room", n=len(seats), path=target)
    for error in broken:
        print(error, file=sys.stderr)
    if broken:
        raise typer.Exit(1)


# --- bundle ---


@bundle.callback(invoke_without_command=True)
def bundle_alone(ctx: typer.Context) -> None:
    """Models in one file."""
    if ctx.invoked_subcommand is None:
        print(ctx.command.get_help(ctx))


@bundle.command("save", cls=Verb)
def save(
    file: Annotated[str, typer.Argument(metavar="FILE", show_default=False)],
    models: Annotated[list[str] | None, typer.Argument(metavar="[MODEL…]")] = None,
    folder: Annotated[str, typer.Option("--models")] = "",
    replace: Annotated[bool, typer.Option("--replace")] = False,
) -> None:
    """Write models (all, where none is named) to one file."""
    from jimoto.bundle import save_bundle
    from jimoto.connection import keep_off_proxies

    keep_off_proxies(os.environ)
    with progress(None) as advance:
        made = save_bundle(
            os.environ,
            Path(file),
            models or [],
            Path(folder) if folder else None,
            replace,
            advance,
        )
    say(
        "saved",
        path=made.path,
        size=size_text(made.path.stat().st_size),
        models=", ".join(made.names),
    )


@bundle.command("load", cls=Verb)
def load(
    file: Annotated[str, typer.Argument(metavar="FILE", show_default=False)],
    replace: Annotated[bool, typer.Option("--replace")] = False,
) -> None:
    """Verify a bundle, then put its models into the server of this computer."""
    from jimoto.bundle import check_bundle, load_bundle
    from jimoto.connection import ensure_server, keep_off_proxies

    found = check_bundle(Path(file))
    keep_off_proxies(os.environ)
    url = ensure_server(os.environ).url
    with progress(found.size_bytes) as advance:
        outcomes = load_bundle(found, url, replace, advance)
    for outcome in outcomes:
        say(outcome.what, model=outcome.model)
    if any(outcome.what == "kept" for outcome in outcomes):
        raise typer.Exit(1)


@bundle.command("check", cls=Verb)
def check(file: Annotated[str, typer.Argument(metavar="FILE", show_default=False)]) -> None:
    """Verify a bundle, and say what it holds."""
    from jimoto.bundle import check_bundle

    with progress(None) as advance:
        found = check_bundle(Path(file), advance)
    say(
        "whole", path=file, size=size_text(found.path.stat().st_size), models=", ".join(found.names)
    )


# --- mirror ---


def mirror(
    models: Annotated[list[str] | None, typer.Argument(metavar="[MODEL…]")] = None,
    host: Annotated[str, typer.Option("--host")] = "127.0.0.1",
    room: Annotated[bool, typer.Option("--room")] = False,
    port: Annotated[int | None, typer.Option("--port", min=0, max=65535)] = None,
    machines: Annotated[int, typer.Option("--machines", min=1)] = 30,
    mbps: Annotated[float | None, typer.Option("--mbps", min=0.001)] = None,
    folder: Annotated[str, typer.Option("--models")] = "",
) -> None:
    """Serve models to others; to this computer alone, unless --room or --host says otherwise."""
    from jimoto import mirror as rooms
    from jimoto.connection import keep_off_proxies
    from jimoto.holdings import find_holdings

    keep_off_proxies(os.environ)
    place = Path(folder) if folder else None
    store, entries = find_holdings(os.environ, models or [], place, "mirror")
    rooms.serve_room(
        store,
        entries,
        rooms.ROOM_HOST if room else host,
        port,
        machines,
        mbps,
        language(),
        lambda text: print(text, flush=True),
    )


# --- lab ---


def lab(
    lesson: Annotated[str, typer.Argument(metavar="[LESSON]")] = "",
    fresh: Annotated[bool, typer.Option("--fresh")] = False,
    no_browser: Annotated[bool, typer.Option("--no-browser")] = False,
    port: Annotated[int | None, typer.Option("--port")] = None,
    lang: Annotated[str, typer.Option("--lang")] = "",
) -> None:
    """Start JupyterLab on your own copies of the lessons, once a model answers."""
    if lang not in ("", "en", "ja"):
        raise FlagValueWrong("--lang", lang, "en, ja")
    from jimoto import lab as lessons

    raise typer.Exit(
        lessons.start(
            os.environ,
            browser=not no_browser,
            port=port,
            lang=lang,
            lesson=lesson,
            fresh=fresh,
        )
    )
