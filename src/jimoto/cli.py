"""The command `jimoto`: ollama's verbs and the kit's own. And `ollama`, a stand-in with the former.

Puts the verbs together, runs one, and turns whatever a learner can cause into a sentence on stderr
and exit code 1. What a verb does stands in `jimoto.commands` and in the rooms.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any, NoReturn

import typer

from jimoto import __version__
from jimoto.commands.parser import Verb, Verbs
from jimoto.errors import CommandError, JimotoError

# verb → where its function is (or a typer app, for a verb with verbs of its own). Only the verb
# that was typed is imported: a pipe of three starts three of these. Help: commands/texts.py.
VERBS = {
    "serve": "jimoto.commands.serve:serve",
    "create": "jimoto.commands.transfer:create",
    "show": "jimoto.commands.models:show",
    "run": "jimoto.commands.run:run",
    "stop": "jimoto.commands.models:stop",
    "pull": "jimoto.commands.transfer:pull",
    "push": "jimoto.commands.transfer:push",
    "list": "jimoto.commands.models:list_models",
    "ps": "jimoto.commands.models:ps",
    "cp": "jimoto.commands.models:cp",
    "rm": "jimoto.commands.models:rm",
}
HIDDEN = {"ls": VERBS["list"], "start": VERBS["serve"]}
OWN_VERBS = {
    "lab": "jimoto.commands.classroom:lab",
    "doctor": "jimoto.commands.classroom:doctor",
    "bundle": "jimoto.commands.classroom:bundle",
    "mirror": "jimoto.commands.classroom:mirror",
    "grade": "jimoto.teaching.command:grade_command",
    "fit": "jimoto.hardware.command:fit_command",
    "trial": "jimoto.hardware.command:trial_command",
}


def version_text(program: str) -> str:
    """What `--version` says."""
    if program == "jimoto":
        return f"jimoto {__version__}"
    from jimoto.connection import ensure_server, keep_off_proxies

    keep_off_proxies(os.environ)
    served = ensure_server(os.environ)
    return (
        f"ollama version is {served.version} (Jimoto's stand-in {__version__}, not Ollama itself)"
    )


def build(program: str, verb: str = "") -> Any:
    """The command `jimoto`, or the stand-in `ollama`, with all verbs or the one that is needed."""
    app = typer.Typer(name=program, cls=Verbs, add_completion=False, rich_markup_mode=None)

    @app.callback(invoke_without_command=True)
    def top(
        ctx: typer.Context,
        version: Annotated[bool, typer.Option("--version", "-v")] = False,
    ) -> None:
        if version:
            print(version_text(program))
        elif ctx.invoked_subcommand is None:
            print(ctx.command.get_help(ctx))

    verbs = {**VERBS, **(OWN_VERBS if program == "jimoto" else {}), **HIDDEN}
    for name in [verb] if verb in verbs else verbs:
        target = load(verbs[name])
        if isinstance(target, typer.Typer):
            app.add_typer(target, name=name, cls=Verbs)
        else:
            app.command(name, cls=Verb, hidden=name in HIDDEN)(target)
    return typer.main.get_command(app)


def load(place: str) -> Any:
    """What `module:name` names."""
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)


def run_line(program: str, args: Sequence[str]) -> int:
    """Run one command line, the program's name left out; its exit code, or a JimotoError."""
    line = list(args)
    if line[:1] == ["help"]:
        line = [*line[1:], "--help"]
    if line[:1] in (["--version"], ["-v"]):  # without the verbs: it is what scripts ask first
        print(version_text(program))
        return 0
    command = build(program, line[0] if line else "")
    try:
        with command.make_context(program, line, help_option_names=["-h", "--help"]) as ctx:
            command.invoke(ctx)
    except typer.Exit as ended:
        return ended.exit_code
    return 0


def invoke(program: str) -> NoReturn:
    """Run what was typed; whatever a learner can cause is a message, not a traceback."""
    for stream in (sys.stdout, sys.stderr):  # a Japanese Windows terminal may not be UTF-8
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        code = run_line(program, sys.argv[1:])
        sys.stdout.flush()
    except BrokenPipeError:
        code = end_like_a_filter()
    except KeyboardInterrupt:  # ollama, too, ends well when an answer is interrupted
        code = 0
    except Exception as error:
        if not is_expected(error):
            raise
        if isinstance(error, CommandError):
            error.program = program
        print(f"Error: {getattr(error, 'error', error)}", file=sys.stderr)
        code = 1
    sys.exit(code)


def is_expected(error: Exception) -> bool:
    """Whether an error comes of circumstances, not of our mistake; its text is then the message."""
    if isinstance(error, JimotoError | OSError):
        return True
    # Looked up, not imported: where nothing has loaded them, nothing can have raised theirs.
    names = (("ollama", "ResponseError"), ("httpx", "HTTPError"), ("httpx", "InvalidURL"))
    known = [getattr(sys.modules.get(module), name, None) for module, name in names]
    return isinstance(error, tuple(kind for kind in known if kind))


def end_like_a_filter() -> int:
    """The reader has seen enough (`… | head -1`): end as `yes` or `cat` would, without a word."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGPIPE)
    return 1


def main() -> None:
    """The command `jimoto`."""
    invoke("jimoto")


def stand_in() -> None:
    """The command `ollama`, where no real one is installed."""
    invoke("ollama")


if __name__ == "__main__":
    main()
