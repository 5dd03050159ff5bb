"""The command `jimoto`: ollama's verbs and `lab`; and the stand-in `ollama` with the verbs alone.

A thin layer over the `ollama` Python client: arguments, printing, exit codes. The verbs print what
`ollama` prints, in its words, so that a text that teaches `ollama …` holds for both. Answers go to
stdout, everything else to stderr.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from jimoto import __version__, formats
from jimoto.connection import ensure_server, find_home, keep_off_proxies, parse_host
from jimoto.errors import JimotoError

if TYPE_CHECKING:
    import ollama

Model = Annotated[str, typer.Argument(metavar="MODEL", show_default=False)]
THINK_LEVELS = ("low", "medium", "high", "max")


def client() -> ollama.Client:
    """A client of the server that is there, or of the embedded one, started with mame in it."""
    keep_off_proxies(os.environ)
    server = ensure_server(os.environ)
    import ollama

    return ollama.Client(host=server.url)


def serve() -> None:
    """Start the embedded server in this terminal (OLLAMA_HOST says where)."""
    _, host, port = parse_host(os.environ.get("OLLAMA_HOST", ""))
    models = find_home(os.environ).models(os.environ)
    command = [sys.executable, "-P", "-m", "jimoto.daemon", "--host", host, "--port", str(port)]
    try:
        code = subprocess.call([*command, "--models", str(models)])
    except KeyboardInterrupt:  # the server had it too, and has ended
        code = 0
    raise typer.Exit(code)


def list_models(prefix: Annotated[str, typer.Argument(show_default=False)] = "") -> None:
    """List the models that are here."""
    now = datetime.now(UTC)
    rows = [
        [
            item.model or "",
            (item.digest or "")[:12],
            formats.size_text(int(item.size or 0)),
            formats.since_text(item.modified_at, now) if item.modified_at else "",
        ]
        for item in client().list().models
        if (item.model or "").lower().startswith(prefix.lower())
    ]
    print(formats.table_text(["NAME", "ID", "SIZE", "MODIFIED"], rows))


def show(
    model: Model,
    license_: Annotated[bool, typer.Option("--license", help="Show its license")] = False,
    modelfile: Annotated[bool, typer.Option("--modelfile", help="Show its Modelfile")] = False,
    parameters: Annotated[bool, typer.Option("--parameters", help="Show its parameters")] = False,
    system: Annotated[bool, typer.Option("--system", help="Show its system message")] = False,
    template: Annotated[bool, typer.Option("--template", help="Show its template")] = False,
) -> None:
    """Show what is known about a model."""
    # The client drops some fields (system, license in part): the wire has them all.
    info = client()._client.request("POST", "/api/show", json={"model": model})
    about: dict[str, Any] = info.json()
    if info.is_error:
        fail(about.get("error", info.text))
    chosen = [
        name
        for name, wanted in {
            "license": license_,
            "modelfile": modelfile,
            "parameters": parameters,
            "system": system,
            "template": template,
        }.items()
        if wanted
    ]
    if len(chosen) > 1:
        fail("only one of --license, --modelfile, --parameters, --system or --template is possible")
    print(about.get(chosen[0]) or "" if chosen else overview(about))


def overview(about: dict[str, Any]) -> str:
    """What `ollama show MODEL` prints without a selector."""
    details, facts = about.get("details", {}), about.get("model_info", {})
    architecture = facts.get("general.architecture", details.get("family", ""))
    rows = [["architecture", architecture], ["parameters", details.get("parameter_size", "")]]
    for label in ("context length", "embedding length"):
        value = facts.get(f"{architecture}.{label.replace(' ', '_')}")
        if value:
            rows.append([label, str(value)])
    rows.append(["quantization", details.get("quantization_level", "")])
    parts = [formats.section_text("Model", rows)]
    if about.get("capabilities"):
        words = [[word] for word in about["capabilities"]]
        parts.append(formats.section_text("Capabilities", words))
    if about.get("parameters"):
        pairs = [line.split(None, 1) for line in about["parameters"].splitlines()]
        parts.append(formats.section_text("Parameters", pairs))
    if about.get("system"):
        words = [[line] for line in about["system"].splitlines()]
        parts.append(formats.section_text("System", words))
    if about.get("license"):
        lines = [line.strip() for line in about["license"].splitlines() if line.strip()]
        shown = lines[:2] + ["..."] * (len(lines) > 2)
        parts.append(formats.section_text("License", [[line] for line in shown]))
    return "\n".join(parts)


def run(
    model: Model,
    prompt: Annotated[list[str] | None, typer.Argument(show_default=False)] = None,
    think: Annotated[str, typer.Option(help="true, false, low, medium, high or max")] = "",
    hidethinking: Annotated[bool, typer.Option(help="Do not print the thinking")] = False,
    verbose: Annotated[bool, typer.Option(help="Print counts and durations to stderr")] = False,
    format_: Annotated[str, typer.Option("--format", help="json, or a JSON schema")] = "",
    keepalive: Annotated[str, typer.Option(help="How long the model stays loaded, e.g. 5m")] = "",
    nowordwrap: Annotated[bool, typer.Option(help="Accepted; this command never wraps")] = False,
) -> None:
    """Ask a model once (words, standard input, or both), or chat with it in a terminal."""
    asked: dict[str, Any] = {"model": model}
    if think:
        if think not in ("true", "false", *THINK_LEVELS):
            fail(f"invalid value for --think: {think!r} (true, false, {', '.join(THINK_LEVELS)})")
        asked["think"] = {"true": True, "false": False}.get(think, think)
    if format_:
        asked["format"] = "json" if format_ == "json" else json.loads(format_)
    if keepalive:
        asked["keep_alive"] = formats.duration_seconds(keepalive)
    words = list(prompt or [])
    if not sys.stdin.isatty():
        words = [text for text in [sys.stdin.read()] if text] + words
    elif not words and sys.stdout.isatty():
        return chat(client(), asked, hidethinking)
    if not words:
        client().generate(prompt="", **asked)  # loads the model and says nothing
        return
    chunks = client().generate(prompt=" ".join(words), stream=True, **asked)
    last = print_answer(((chunk.thinking, chunk.response, chunk) for chunk in chunks), hidethinking)
    print("\n")
    if verbose and last:
        print_counts(last)


def chat(server: ollama.Client, asked: dict[str, Any], hidethinking: bool) -> None:
    """Talk with the model: each turn is sent with all earlier ones. /bye or Ctrl-D ends it."""
    messages: list[dict[str, Any]] = []
    while True:
        try:
            line = input(">>> ").strip()
        except (EOFError, KeyboardInterrupt):
            print()
            return
        if line == "/bye":
            return
        if line == "/clear":
            messages.clear()
        elif line.startswith("/"):
            print("Known here: /clear  forget what was said    /bye  leave")
        elif line:
            messages.append({"role": "user", "content": line})
            said: list[str] = []
            chunks = server.chat(messages=messages, stream=True, **asked)
            pieces = ((c.message.thinking, c.message.content, c) for c in chunks)
            try:
                print_answer(pieces, hidethinking, said.append)
            except KeyboardInterrupt:  # Ctrl-C stops the answer, not the chat
                pass
            print("\n")
            messages.append({"role": "assistant", "content": "".join(said)})


def print_answer(
    pieces: Iterator[tuple[str | None, str | None, Any]],
    hidethinking: bool,
    keep: Callable[[str], object] = lambda text: None,
) -> Any:
    """Print (thinking, content, chunk) as they come; the last chunk, which holds the counts."""
    thinking, last = False, None
    for thought, content, chunk in pieces:
        last = chunk
        if thought and not hidethinking:
            print("" if thinking else "Thinking...\n", end="")
            print(thought, end="", flush=True)
            thinking = True
        if content:
            print("\n...done thinking.\n\n" if thinking else "", end="")
            thinking = False
            print(content, end="", flush=True)
            keep(content)
    return last


def print_counts(last: Any) -> None:
    """What `--verbose` adds, on stderr."""
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


def ps() -> None:
    """List the models that are loaded."""
    now = datetime.now(UTC)
    rows = [
        [
            item.model or "",
            (item.digest or "")[:12],
            formats.size_text(int(item.size or 0)),
            formats.processor_text(int(item.size or 0), int(item.size_vram or 0)),
            str(item.context_length or ""),
            formats.until_text(item.expires_at, now) if item.expires_at else "",
        ]
        for item in client().ps().models
    ]
    print(formats.table_text(["NAME", "ID", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL"], rows))


def stop(model: Model) -> None:
    """Unload a model."""
    import ollama

    try:
        client().generate(model=model, prompt="", keep_alive=0)
    except ollama.ResponseError as error:
        if error.status_code == 404:
            fail(f'couldn\'t find model "{model}" to stop')
        raise


def cp(source: str, destination: str) -> None:
    """Give a model a second name."""
    client().copy(source, destination)
    print(f"copied '{source}' to '{destination}'")


def rm(models: Annotated[list[str], typer.Argument(metavar="MODEL…")]) -> None:
    """Remove models; files that another name still needs stay."""
    server = client()
    for model in models:
        server.show(model)
        server.generate(model=model, prompt="", keep_alive=0)
        server.delete(model)
        print(f"deleted '{model}'")


def pull(
    model: Model,
    insecure: Annotated[
        bool, typer.Option(help="Use http, and a registry on this machine")
    ] = False,
) -> None:
    """Download a model from a registry."""
    shown: str | None = ""
    for item in client().pull(model, insecure=insecure, stream=True):
        if item.status != shown:
            shown = item.status
            print(shown, file=sys.stderr)


def lab(
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Print the address")] = False,
    port: Annotated[int | None, typer.Option(help="Default: the first free one from 8888")] = None,
    lang: Annotated[str, typer.Option(help="en or ja (default: the system's language)")] = "",
) -> None:
    """Check that a model answers, then start JupyterLab on the lessons."""
    from jimoto import lab as room

    raise typer.Exit(room.start(os.environ, browser=not no_browser, port=port, lang=lang))


def version_text(as_ollama: bool) -> str:
    """What `--version` says."""
    if not as_ollama:
        return f"jimoto {__version__}"
    served = ensure_server(os.environ)
    return (
        f"ollama version is {served.version} (Jimoto's stand-in {__version__}, not Ollama itself)"
    )


VERBS: dict[str, Callable[..., None]] = {
    "serve": serve,
    "show": show,
    "run": run,
    "stop": stop,
    "pull": pull,
    "list": list_models,
    "ps": ps,
    "cp": cp,
    "rm": rm,
}


def build(name: str) -> typer.Typer:
    """The command `jimoto`, or the stand-in `ollama` without what Ollama does not have."""
    about = {
        "jimoto": "Local LLMs on this machine: lessons, and ollama's verbs.",
        "ollama": "Jimoto's stand-in for `ollama`, which is not installed here.",
    }
    app = typer.Typer(
        name=name,
        help=about[name],
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
    )

    @app.callback(invoke_without_command=True)
    def top(version: Annotated[bool, typer.Option("--version", "-v")] = False) -> None:
        if version:
            print(version_text(as_ollama=name == "ollama"))
            raise typer.Exit

    for verb, function in VERBS.items():
        app.command(verb)(function)
    app.command("ls", hidden=True)(list_models)
    if name == "jimoto":
        from jimoto.hardware.command import fit_command, trial_command  # tables: not for `ollama`

        app.command("lab")(lab)
        app.command("fit")(fit_command)
        app.command("trial")(trial_command)
    return app


def fail(message: str) -> NoReturn:
    """End with `Error: …` on stderr and exit code 1, as ollama does."""
    print(f"Error: {message}", file=sys.stderr)
    raise typer.Exit(1)


def invoke(name: str) -> None:
    """Run the command line; whatever a learner can cause is a message, not a traceback."""
    import httpx
    import ollama

    for stream in (sys.stdout, sys.stderr):  # a Japanese Windows terminal may not be UTF-8
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        build(name)()
    except JimotoError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    except (ollama.ResponseError, ConnectionError, httpx.HTTPError, ValueError) as error:
        if isinstance(error, BrokenPipeError):  # the reader has seen enough: `… list | head -1`
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        print(f"Error: {getattr(error, 'error', error)}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(0)


def main() -> None:
    """The command `jimoto`."""
    invoke("jimoto")


def stand_in() -> None:
    """The command `ollama`, where no real one is installed."""
    invoke("ollama")


if __name__ == "__main__":
    main()
