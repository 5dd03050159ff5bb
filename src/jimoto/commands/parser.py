"""How a command line is read: typer, with the manners of ollama's own command.

Flags may stand anywhere, a mistake is one sentence and exit code 1, and help comes in the learner's
language. Knows no verb by name.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

from typer.core import TyperCommand, TyperGroup
from typer.exceptions import TyperException

from jimoto.commands.terminal import may_break
from jimoto.commands.texts import HEADINGS, help_text
from jimoto.errors import CallWrong, FlagUnknown, VerbUnknown, language
from jimoto.formats import text_width

BARE_FLAGS = {"--think": "--think=true"}  # a flag that may stand alone or be given a value
BOOLEANS = {"true": True, "1": True, "t": True, "false": False, "0": False, "f": False}
HELP_WIDTH = 80


class Verb(TyperCommand):
    """One verb."""

    allow_extra_args = True  # counted here, to say what ollama says

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the arguments of the verb, or raise a CommandError."""
        switches = {name for p in self.params if getattr(p, "is_flag", False) for name in p.opts}
        _, _, verbs = ctx.command_path.partition(" ")  # "bundle save", without the command itself
        usage = f"{verbs or self.name} {usage_of(self.params)}".strip()
        try:
            rest = super().parse_args(ctx, as_cobra(args, switches))
        except TyperException as error:
            raise self._said(error, usage) from None
        if rest and not ctx.resilient_parsing:
            wanted = sum(_is_argument(param) for param in self.params)
            received = wanted + len(rest)
            raise CallWrong(f"accepts {wanted} arg(s), received {received}", usage)
        return rest

    def _said(self, error: TyperException, usage: str) -> Exception:
        """typer's complaint, in ollama's words."""
        flag, param = getattr(error, "option_name", None), getattr(error, "param", None)
        if flag is not None and hasattr(error, "possibilities"):
            return unknown_flag(flag, self.params)
        if flag is not None:
            return CallWrong(f"flag needs an argument: {flag}", usage)
        if param is None or not _is_argument(param):
            name = param.opts[0] if param is not None else ""
            return CallWrong(f'invalid argument for "{name}" flag: {error.message}', usage)
        needed = [p for p in self.params if _is_argument(p) and p.required]
        received = needed.index(param)
        if len(needed) > 1:
            return CallWrong(f"accepts {len(needed)} arg(s), received {received}", usage)
        return CallWrong("requires at least 1 arg(s), only received 0", usage)

    def get_help(self, ctx: Any) -> str:
        """What `--help` prints."""
        verb = key_of(ctx)
        about = help_text(verb) or (self.help or "").strip()
        flags = [p for p in self.get_params(ctx) if not _is_argument(p)]
        rows = [(_spelling(p), help_text(f"{verb} {_long(p)}") or _own_help(p)) for p in flags]
        usage = f"{ctx.command_path} {usage_of(self.params)}".strip()
        words = HEADINGS[language()]
        parts = [f"{words['usage']}: {usage}", about, f"{words['flags']}:\n{columns(rows)}"]
        return "\n\n".join(parts)


class Verbs(TyperGroup):
    """The command itself, or a verb that has verbs of its own."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read what stands before the verb, or raise a CommandError."""
        try:
            return super().parse_args(ctx, args)
        except TyperException as error:
            flag = getattr(error, "option_name", None)
            raise unknown_flag(flag or args[0], self.params) from None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The verb, or the nearest one in an error."""
        if args[0] in self.commands:
            return super().resolve_command(ctx, args)
        program = str(ctx.info_name)
        near = get_close_matches(args[0].lower(), self.commands, 1, 0.6)
        raise VerbUnknown(args[0], f"{program} {near[0]}" if near else "")

    def get_help(self, ctx: Any) -> str:
        """What `--help` prints."""
        words, program, key = HEADINGS[language()], ctx.command_path, key_of(ctx)
        verbs = [(name, verb) for name, verb in self.commands.items() if not verb.hidden]
        rows = [
            (name, help_text(f"{key} {name}".strip()) or (verb.help or "").strip())
            for name, verb in verbs
        ]
        flags = [(_spelling(p), help_text(_long(p)) or _own_help(p)) for p in self.get_params(ctx)]
        return "\n\n".join(
            [
                f"{words['usage']}: {program} {words['verb']}",
                help_text(key or program) or (self.help or "").strip(),
                f"{words['verbs']}:\n{columns(rows)}",
                f"{words['flags']}:\n{columns(flags)}",
                words["more"].format(program=program),
            ]
        )


def key_of(ctx: Any) -> str:
    """The verb, without the program before it: '', 'run', 'bundle save'."""
    return str(ctx.command_path.partition(" ")[2]) if ctx.parent else ""


def as_cobra(args: Sequence[str], switches: Iterable[str]) -> list[str]:
    """The arguments, with `--think` alone and `--verbose=false` spelt as typer knows them.

    >>> as_cobra(["mame", "--think", "--verbose=false", "Hi"], ["--verbose"])
    ['mame', '--think=true', 'Hi']
    """
    known, spelt, end = set(switches), [], len(args)
    if "--" in args:
        end = args.index("--")
    for arg in args[:end]:
        name, given, value = arg.partition("=")
        if given and name in known and value.lower() in BOOLEANS:
            spelt += [name] * BOOLEANS[value.lower()]
        else:
            spelt.append(BARE_FLAGS.get(arg, arg))
    return [*spelt, *args[end:]]


def unknown_flag(flag: str, params: Iterable[Any]) -> FlagUnknown:
    """The error for a flag that is not there, with the nearest that is."""
    flag = flag.partition("=")[0]
    known = [name for p in params if not _is_argument(p) for name in p.opts] + ["--help"]
    near = get_close_matches(flag.lower(), known, 1, 0.6)
    return FlagUnknown(flag, near[0] if near else "")


def usage_of(params: Iterable[Any]) -> str:
    """`MODEL [PROMPT]...` and so on."""
    return " ".join(_argument(param) for param in params if _is_argument(param))


def columns(rows: Sequence[tuple[str, str]]) -> str:
    """Two columns, the second wrapped below itself; kanji and kana count double."""
    left = max((text_width(name) for name, _ in rows), default=0)
    lines = []
    for name, text in rows:
        first, *others = wrapped(text, HELP_WIDTH - left - 4) or [""]
        lines.append(f"  {name}{' ' * (left - text_width(name))}  {first}".rstrip())
        lines += [" " * (left + 4) + other for other in others]
    return "\n".join(lines)


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns; Japanese may break between any two characters.

    >>> wrapped("one two", 4), wrapped("豆を煎る。", 6)
    (['one', 'two'], ['豆を', '煎る。'])
    """
    lines, line, column = [], "", 0
    for char in unicodedata.normalize("NFC", text):
        line, column = line + char, column + text_width(char)
        if column <= width:
            continue
        cut = next(
            (
                at
                for at in range(len(line) - 1, 0, -1)
                if line[at] == " " or line[at - 1] == " " or may_break(line[at - 1], line[at])
            ),
            len(line) - 1,
        )
        lines.append(line[:cut].rstrip())
        line = line[cut:].lstrip()
        column = text_width(line)
    return [*lines, line] if line else lines


def _is_argument(param: Any) -> bool:
    return bool(param.param_type_name == "argument")


def _long(param: Any) -> str:
    """`--verbose` of `--verbose, -v`."""
    return str(next((name for name in param.opts if name.startswith("--")), param.opts[0]))


def _spelling(param: Any) -> str:
    short = next((name for name in param.opts if not name.startswith("--")), "")
    word = HEADINGS[language()]["value"]
    value = "" if param.is_flag else f"[={word}]" if _long(param) in BARE_FLAGS else f" {word}"
    return f"{short}, {_long(param)}{value}" if short else f"    {_long(param)}{value}"


def _own_help(param: Any) -> str:
    if "--help" in param.opts:
        return help_text("--help")
    return str(param.help or "")


def _argument(param: Any) -> str:
    name = str(param.metavar or (param.name or "").rstrip("_").upper())
    if name.startswith("[") or param.required:
        return name
    return f"[{name}]..." if param.nargs == -1 else f"[{name}]"
