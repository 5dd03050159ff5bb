"""The verbs that move models: create, pull, push. Progress goes to stderr.

A Modelfile is read here: a server never sees one, it gets the blobs and a request.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jimoto.commands import server as at
from jimoto.commands.models import Insecure, Model
from jimoto.commands.progress import items_of, show_progress
from jimoto.commands.terminal import decode_input
from jimoto.daemon.modelfile import (
    Command,
    CreateRequest,
    choose_files,
    parse_modelfile,
    to_request,
)
from jimoto.errors import FileNotReadable, ModelfilePathMissing

if TYPE_CHECKING:
    import ollama

BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff")


def create(
    model: Model,
    file: Annotated[str, typer.Option("--file", "-f")] = "",
    quantize: Annotated[str, typer.Option("--quantize", "-q")] = "",
    draft_quantize: Annotated[str, typer.Option("--draft-quantize")] = "",
) -> None:
    """Read a Modelfile, upload the files that it names, have the model made."""
    path = Path(file or "Modelfile")
    request = read_request(path)
    for name in request.deprecated:
        print(f"warning: parameter {name} is deprecated", file=sys.stderr)
    with at.asking(model, "create") as server:
        show_progress(_steps(server, model, request, quantize, draft_quantize))


def pull(model: Model, insecure: Insecure = False) -> None:
    """Download a model from a registry."""
    with at.asking(model, "pull") as server:
        show_progress(items_of(server.pull(model, insecure=insecure, stream=True)))


def push(model: Model, insecure: Insecure = False) -> None:
    """Upload a model to a registry."""
    with at.asking(model, "push") as server:
        show_progress(items_of(server.push(model, insecure=insecure, stream=True)))


# --- a Modelfile, and the files that it names -----------------------------------------------------


def read_request(path: Path) -> CreateRequest:
    """What a Modelfile asks for, or an error that names the file, or the line and the word."""
    commands = parse_modelfile(_read_text(path))
    folder = str(path.resolve().parent)
    for command in commands:
        _refuse_lost_path(command, folder)
    return to_request(commands, folder=folder, exists=os.path.exists)


def _read_text(path: Path) -> bytes | str:
    if str(path) == "-":
        raise FileNotReadable("-", "stdin")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise FileNotReadable(str(path), "missing") from None
    except IsADirectoryError:
        raise FileNotReadable(str(path), "folder") from None
    except OSError:  # Windows says the same of a folder
        raise FileNotReadable(str(path), "folder" if path.is_dir() else "denied") from None
    return data if data.startswith(BYTE_ORDER_MARKS) else decode_input(data, str(path))


def _refuse_lost_path(command: Command, folder: str) -> None:
    """A FROM that can only be a path, and leads nowhere, is not sent as the name of a model."""
    name = command.argument
    if command.name != "model" or not at.is_path(name):
        return
    path = os.path.normpath(os.path.join(folder, os.path.expanduser(name)))
    if not os.path.exists(path):
        raise ModelfilePathMissing(command.line, f"FROM {name}", f"{name}: no such file", path)


def _files(paths: Iterable[str]) -> dict[str, Path]:
    """The names on the wire, relative and unique, with the files that they stand for."""
    found: dict[str, Path] = {}
    for path in map(Path, paths):
        inside = _of_folder(path) if path.is_dir() else {path.name: path}
        for name, file in inside.items():
            found[name if name not in found else f"{path.name}-{len(found)}/{name}"] = file
    return found


def _of_folder(folder: Path) -> dict[str, Path]:
    names = [
        file.relative_to(folder).as_posix()
        for pattern in ("*", "*/*")
        for file in folder.glob(pattern)
        if file.is_file()
    ]
    chosen = choose_files(names)
    if not chosen:
        raise FileNotReadable(str(folder), "empty")
    root = folder.resolve()
    for name in chosen:
        if root not in (folder / name).resolve().parents:
            raise FileNotReadable(str(folder), "outside")
    return {name: folder / name for name in chosen}


def _steps(
    server: ollama.Client,
    model: str,
    request: CreateRequest,
    quantize: str,
    draft_quantize: str,
) -> Iterator[dict[str, Any]]:
    """Upload, then create; what happens, as it happens."""
    import ollama

    body: dict[str, Any] = {"model": model, **request.fields()}
    yield {"status": "gathering model components"}
    parts = {
        "files": request.files,
        "adapters": (request.adapter,) if request.adapter else (),
        "draft_files": request.draft_files,
    }
    for part, paths in parts.items():
        uploaded = {}
        for name, file in _files(paths).items():
            yield {"status": f"copying file {name}"}
            uploaded[name] = server.create_blob(file)
        if uploaded:
            body[part] = uploaded
    if quantize:
        body["quantize"] = quantize
    if draft_quantize:
        body["draft_quantize"] = draft_quantize
    # The client's create() has no renderer, parser, requires or draft: its own road carries them.
    body["stream"] = True
    kind = ollama.ProgressResponse
    yield from items_of(server._request(kind, "POST", "/api/create", json=body, stream=True))
