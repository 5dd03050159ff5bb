"""The verb `run`: one question from words, standard input, or both; else a chat.

Answers go to stdout and end with an empty line; everything else goes to stderr.
"""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jimoto import formats
from jimoto.commands import server as at
from jimoto.commands.models import Insecure, Model
from jimoto.commands.progress import items_of, show_progress
from jimoto.commands.terminal import Output, decode_input, is_terminal, waiting
from jimoto.errors import (
    ChatNeedsTerminal,
    FlagValueWrong,
    ModelNotFound,
    NameIsPath,
    PromptMissing,
    Refused,
)

if TYPE_CHECKING:
    import ollama

THINK_VALUES = ("true", "false", "high", "medium", "low", "max")
LARGEST_IMAGE_BYTES = 100 * 2**20
_IMAGE = re.compile(
    r"(?:[A-Za-z]:)?(?:\./|/|\\)[^\n\"']+?\.(?:jpe?g|png|webp|wav)\b", re.IGNORECASE
)


def run(
    model: Model,
    prompt: Annotated[list[str] | None, typer.Argument(show_default=False)] = None,
    format_: Annotated[str, typer.Option("--format")] = "",
    keepalive: Annotated[str, typer.Option("--keepalive")] = "",
    think: Annotated[str, typer.Option("--think")] = "",
    hidethinking: Annotated[bool, typer.Option("--hidethinking")] = False,
    verbose: Annotated[bool, typer.Option("--verbose")] = False,
    nowordwrap: Annotated[bool, typer.Option("--nowordwrap")] = False,
    insecure: Insecure = False,
    truncate: Annotated[bool, typer.Option("--truncate")] = False,
    dimensions: Annotated[int, typer.Option("--dimensions")] = 0,
) -> None:
    """Ask once (words, standard input, or both), or chat in a terminal."""
    # 1) what can be known to be wrong without the server
    asked = {"model": model, **request_fields(format_, keepalive, think)}
    # The stage before may still be at work: meanwhile this one gets the client ready.
    threading.Thread(target=import_module, args=("ollama",), daemon=True).start()
    words, piped = list(prompt or []), read_stdin()
    words = [piped, *words] if piped else words
    terminal = all(map(is_terminal, (sys.stdin, sys.stdout)))
    if not words and not terminal and sys.stdin and sys.stdin.isatty() and sys.stdout.isatty():
        raise ChatNeedsTerminal(model)  # a cell of a notebook: nobody could type an answer

    with at.asking(model, "run") as server:
        # 2) the model, pulled if it is not here, as ollama does
        facts = ensure_model(server, model, insecure)
        if "embedding" in facts.get("capabilities", []):
            more: dict[str, Any] = {"dimensions": dimensions} if dimensions else {}
            more |= {"truncate": True} if truncate else {}
            more |= {name: asked[name] for name in ("keep_alive",) if name in asked}
            return print_embedding(server, model, " ".join(words), more)

        # 3) a chat, a load, or one question
        if not words and terminal:
            from jimoto.commands.chat import Session, chat

            session = Session(asked, facts, hidethinking, verbose, wordwrap=not nowordwrap)
            return chat(server, session)
        if not words:
            server.generate(prompt="", **asked)  # loads the model and says nothing
            return
        text, images = take_images(" ".join(words), facts)
        asked |= {"images": images} if images else {}
        output = Output(wrap=not nowordwrap)
        chunks = server.generate(prompt=text, stream=True, **asked)
        try:
            with waiting() as arrived:
                last = print_answer(chunks, generated, hidethinking, output, arrived)
        finally:
            print("\n", flush=True)  # also after half an answer: the next stage gets whole lines
    if verbose and last:
        print_counts(last)


def request_fields(format_: str, keepalive: str, think: str) -> dict[str, Any]:
    """The fields of a request that three flags ask for; a value that cannot be is an error."""
    fields: dict[str, Any] = {}
    if think:
        if think not in THINK_VALUES:
            raise FlagValueWrong("--think", think, ", ".join(THINK_VALUES))
        fields["think"] = {"true": True, "false": False}.get(think, think)
    if format_:
        try:
            fields["format"] = "json" if format_ == "json" else json.loads(format_)
        except ValueError:
            raise FlagValueWrong("--format", format_, "json, or a JSON schema") from None
    if keepalive:
        try:
            fields["keep_alive"] = formats.duration_seconds(keepalive)
        except ValueError:
            raise FlagValueWrong("--keepalive", keepalive, "30s, 5m, 1h30m, 0 …") from None
    return fields


def read_stdin() -> str:
    """All of standard input, unless somebody could be typing it."""
    if sys.stdin is None or sys.stdin.isatty():
        return ""
    return decode_input(sys.stdin.buffer.read())


def ensure_model(server: ollama.Client, model: str, insecure: bool) -> dict[str, Any]:
    """What the server knows of a model; one that is not there is pulled first."""
    import ollama

    try:
        return at.facts_of(server, model)
    except ollama.ResponseError as error:
        if error.status_code != 404:
            raise
    if at.is_path(model):
        raise NameIsPath(model)
    try:
        items = server.pull(model, insecure=insecure, stream=True)
        show_progress(items_of(items), quiet=True)
    except ollama.ResponseError as error:
        if "no space left" in error.error.lower():
            raise
        raise ModelNotFound(model, at.near_name(model, server), error.error) from None
    return at.facts_of(server, model)


def take_images(text: str, facts: dict[str, Any]) -> tuple[str, list[str]]:
    """For a model that can see: the prompt without the paths of images, and these paths."""
    if not {"vision", "audio"} & set(facts.get("capabilities", [])):
        return text, []
    images = []
    for found in _IMAGE.findall(text):
        path = Path(found.replace("\\ ", " "))
        if not path.is_file():
            continue
        if path.stat().st_size > LARGEST_IMAGE_BYTES:
            raise Refused("", f"'{path}' is larger than 100 MB")
        print(f"Added image '{path}'", file=sys.stderr)
        images.append(str(path))
        text = text.replace(found, "")
    return text.strip(), images


def print_embedding(server: ollama.Client, model: str, text: str, more: dict[str, Any]) -> None:
    """The vector of a text, as one line of JSON."""
    if not text:
        raise PromptMissing(model)
    print(json.dumps(list(server.embed(model=model, input=text, **more).embeddings[0])))


def generated(chunk: Any) -> tuple[str | None, str | None]:
    """Thinking and answer of a chunk of `/api/generate`."""
    return chunk.thinking, chunk.response


def print_answer(
    chunks: Any,
    parts: Callable[[Any], tuple[str | None, str | None]],
    hidethinking: bool,
    output: Output,
    arrived: Callable[[], object] = lambda: None,
    keep: Callable[[str], object] = lambda text: None,
) -> Any:
    """Print the chunks of a stream as they come; the last one, which holds the counts.

    `parts` gives a chunk's thinking and answer; `arrived` is called before the first print, `keep`
    with each piece of the answer. An interrupted stream is closed, so that the server stops, too.
    """
    thinking, last = False, None
    try:
        for last in chunks:
            thought, content = parts(last)
            if thought and not hidethinking:
                arrived()
                if not thinking:
                    output.put("Thinking...\n")
                thinking = True
                with output.grey():
                    output.put(thought)
            if content:
                arrived()
                if thinking:
                    output.put("\n...done thinking.\n\n")
                thinking = False
                output.put(content)
                keep(content)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
    return last


def print_counts(last: Any) -> None:
    """What `--verbose` adds, on stderr; what is zero is left out."""
    rows: list[tuple[str, str]] = []
    if last.total_duration:
        rows.append(("total duration:", formats.duration_text(last.total_duration)))
    if last.load_duration:
        rows.append(("load duration:", formats.duration_text(last.load_duration)))
    for name in ("prompt_eval", "eval"):
        count, spent_ns = getattr(last, f"{name}_count"), getattr(last, f"{name}_duration")
        label = name.replace("_", " ")
        if count:
            rows.append((f"{label} count:", f"{count} token(s)"))
        if spent_ns:
            rows.append((f"{label} duration:", formats.duration_text(spent_ns)))
        if count and spent_ns:
            rows.append((f"{label} rate:", f"{count / spent_ns * formats.SECOND_NS:.2f} tokens/s"))
    for label, value in rows:
        print(f"{label:<22}{value}", file=sys.stderr)
