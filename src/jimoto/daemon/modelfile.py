"""Modelfiles: text to commands and back, and from commands to the fields of a create request.

Pure text. It does not know the disk (a caller says whether something exists), nor models, nor HTTP:
the server never sees a Modelfile, a client reads it. Ollama's grammar is followed to its corners,
since Modelfiles travel; only the error messages are our own, for a beginner is likely to read them.
"""

from __future__ import annotations

import codecs
import difflib
import os.path
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from jimoto.daemon.options import OPTION_KINDS
from jimoto.errors import (
    DraftIsModel,
    FromMissing,
    InstructionEmpty,
    InstructionMalformed,
    InstructionUnknown,
    ModelfileCannotHold,
    ModelfileError,
    ModelfilePathMissing,
    ParameterMalformed,
    ParameterUnknown,
    ParameterValueWrong,
    QuoteUnclosed,
    RoleUnknown,
    VersionWrong,
)

INSTRUCTIONS = (
    "FROM", "PARAMETER", "TEMPLATE", "SYSTEM", "ADAPTER", "LICENSE",
    "MESSAGE", "RENDERER", "PARSER", "DRAFT", "REQUIRES",
)  # fmt: skip
ROLES = ("system", "user", "assistant")
_INSTRUCTION_NAMES = frozenset(name.lower() for name in INSTRUCTIONS)

DEPRECATED_PARAMETERS = (
    "penalize_newline", "low_vram", "f16_kv", "logits_all", "vocab_only", "use_mlock",
    "mirostat", "mirostat_tau", "mirostat_eta",
)  # fmt: skip

_EXAMPLES = {"num_ctx": "4096", "seed": "42", "stop": '"User:"'}
_EXAMPLE_OF_KIND = {"int": "1", "float": "0.7", "bool": "true", "string": "text"}

Parameter = int | float | bool | str | list[str]


@dataclass(frozen=True)
class Command:
    """One instruction. FROM is called `model`, a PARAMETER by its own name.

    The argument of a MESSAGE is `role: content`.
    """

    name: str
    argument: str
    line: int = field(default=0, compare=False)  # where it begins, counted as an editor does


@dataclass(frozen=True)
class CreateRequest:
    """What a Modelfile asks for. Paths stay paths: hashing and uploading is the caller's work."""

    base: str = ""  # the name of a model, `from` on the wire
    files: tuple[str, ...] = ()  # files or folders
    adapter: str = ""
    draft_files: tuple[str, ...] = ()
    template: str = ""
    system: str = ""
    parameters: dict[str, Parameter] = field(default_factory=dict)
    messages: tuple[tuple[str, str], ...] = ()  # (role, content)
    license: tuple[str, ...] = ()
    renderer: str = ""
    parser: str = ""
    requires: str = ""
    deprecated: tuple[str, ...] = ()  # parameters that are ignored; worth a warning

    def fields(self) -> dict[str, Any]:
        """The fields of `/api/create` that need no file, without the empty ones."""
        messages = [{"role": role, "content": content} for role, content in self.messages]
        fields = {
            "from": self.base,
            "template": self.template,
            "system": self.system,
            "parameters": self.parameters,
            "messages": messages,
            "license": list(self.license),
            "renderer": self.renderer,
            "parser": self.parser,
            "requires": self.requires,
        }
        return {name: value for name, value in fields.items() if value}


# --- reading --------------------------------------------------------------------------------------

_BLANK_OR_COMMENT = re.compile(r"(?:[ \t\r\n]+|#[^\r\n]*)*+")
_LETTERS = re.compile(r"[A-Za-z]*")
_PARAMETER_NAME = re.compile(r"[A-Za-z0-9_]*")
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_LINE_BREAK_CHARACTER = re.compile(r"[\r\n]")
_BLANKS = " \t\r\n"


def parse_modelfile(source: bytes | str) -> tuple[Command, ...]:
    """The commands of a Modelfile, in order, or a ModelfileError.

    >>> parse_modelfile("from mame\\nPARAMETER stop User:")
    (Command(name='model', argument='mame', line=1), Command(name='stop', argument='User:', line=2))
    """
    text = decode_modelfile(source)
    commands = []
    at = _skip_blank(text, 0)
    while at < len(text):
        command, at = _read_command(text, at)
        commands.append(command)
        at = _skip_blank(text, at)
    _require_from(commands)
    return tuple(commands)


def decode_modelfile(source: bytes | str) -> str:
    """Text without its byte order mark, which also chooses between UTF-8 and UTF-16."""
    if isinstance(source, str):
        return source.removeprefix("\ufeff")
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if source.startswith(mark):
            return source[len(mark) :].decode(encoding, errors="replace")
    return source.decode("utf-8", errors="replace")


def _skip_blank(text: str, at: int) -> int:
    skipped = _BLANK_OR_COMMENT.match(text, at)
    return skipped.end() if skipped else at


def _require_from(commands: Iterable[Command]) -> None:
    if not any(command.name == "model" for command in commands):
        raise FromMissing(line=0, source="", ollama="no FROM line")


def _read_command(text: str, start: int) -> tuple[Command, int]:
    """The command that begins at `start`, and the place of the line break that ends it."""
    # The first character of an instruction may be anything, and is dropped if it cannot be printed:
    # so Ollama's machine begins a word, and so a stray zero-width space before FROM does no harm.
    word, at = _read_word(text, start + 1, _LETTERS)
    word = _printable(text[start]) + word
    if word.lower() not in _INSTRUCTION_NAMES or text[at : at + 1] not in _SPACE:
        raise _instruction_error(text, start, word, at)
    name = "model" if word.lower() == "from" else word.lower()
    role = ""
    if name == "parameter":
        name, at = _read_word(text, at + 1, _PARAMETER_NAME)
        if text[at : at + 1] not in _SPACE:
            raise _parameter_error(text, start, name, at)
    elif name == "message":
        role, at = _read_word(text, at + 1, _LETTERS)
        if text[at : at + 1] not in _SPACE or role not in ROLES:
            raise _role_error(text, start, role, at)
    end = _value_end(text, at + 1)
    if end is None:
        raise _quote_error(text, start, at + 1)
    value = _unquoted(_printable(text[at + 1 : end]).strip(_BLANKS))
    argument = f"{role}: {value}" if role else value
    return Command(name, argument, _line_number(text, start)), end


_SPACE = (" ", "\t")


def _read_word(text: str, at: int, allowed: re.Pattern[str]) -> tuple[str, int]:
    match = allowed.match(text, at)
    return (match.group(), match.end()) if match else ("", at)


def _value_end(text: str, start: int) -> int | None:
    """Where the value ends: at a line break or the end of the text; None if its quote never closes.

    Quotes close at the end of a line only: the first at which everything so far, trimmed, ends with
    the delimiter. So it is enough to look at the ends of lines, and the work stays linear.
    """
    end = _line_end(text, start)
    line = _printable(text[start:end]).strip(_BLANKS)
    delimiter = _delimiter(line)
    if not delimiter or (len(line) >= 2 * len(delimiter) and line.endswith(delimiter)):
        return end
    while end < len(text):
        begin, end = end + 1, _line_end(text, end + 1)
        if _printable(text[begin:end]).rstrip(_BLANKS).endswith(delimiter):
            return end
    return None


def _line_end(text: str, at: int) -> int:
    found = _LINE_BREAK_CHARACTER.search(text, at)
    return found.start() if found else len(text)


def _delimiter(value: str) -> str:
    return next((quote for quote in ('"""', '"') if value.startswith(quote)), "")


def _unquoted(value: str) -> str:
    width = len(_delimiter(value))
    return value[width : len(value) - width]


def _printable(text: str) -> str:
    """Without what cannot be seen: NUL, zero-width, no-break and full-width spaces."""
    if text.isprintable():
        return text
    return "".join(c for c in text if c.isprintable() or c in _BLANKS)


# --- saying what is wrong -------------------------------------------------------------------------


def _line_number(text: str, at: int) -> int:
    return 1 + len(_LINE_BREAK.findall(text, 0, at))


def _line_text(text: str, at: int) -> str:
    """The line that a place is on."""
    start = max(text.rfind("\n", 0, at), text.rfind("\r", 0, at)) + 1
    return text[start : _line_end(text, at)].strip()


def _shown(line: str) -> str:
    first = _LINE_BREAK.split(line, maxsplit=1)[0]
    return first if len(first) <= 80 else f"{first[:79]}…"


def _at(text: str, start: int, ollama: str) -> dict[str, Any]:
    """The fields that all these errors share."""
    return {
        "line": _line_number(text, start),
        "source": _shown(_line_text(text, start)),
        "ollama": ollama,
    }


def _ollama_line(text: str, at: int) -> int:
    """Ollama counts each CR and each LF, the one just read included."""
    return 1 + len(_LINE_BREAK_CHARACTER.findall(text, 0, at + 1))


def _ends_at(text: str, at: int) -> bool:
    return text[at : at + 1] in ("", "\r", "\n")


def _instruction_error(text: str, start: int, word: str, at: int) -> ModelfileError:
    words = ", ".join(f'"{name.lower()}"' for name in INSTRUCTIONS)
    ollama = f"(line {_ollama_line(text, at)}): command must be one of {words}"
    place = _at(text, start, ollama if at < len(text) else f"unexpected EOF: {word}")
    known = word.lower() in _INSTRUCTION_NAMES
    if known and _ends_at(text, at):
        return InstructionEmpty(**place, word=word.upper(), suggestion=_example(word.upper()))
    if known and not text[at].isalnum():
        rest = text[at : _line_end(text, at)].lstrip(":=,\u3000\u00a0 \t").rstrip()
        suggestion = _shown(f"{word.upper()} {rest}") if rest else _example(word.upper())
        return InstructionMalformed(
            **place, word=word.upper(), found=text[at], suggestion=suggestion
        )
    line = _line_text(text, start)
    token = (line.split(maxsplit=1) or [word])[0]
    plain = unicodedata.normalize("NFKC", token).upper()  # ＦＲＯＭ, typed with an input method on
    near = (difflib.get_close_matches(plain[:20], INSTRUCTIONS, 1, 0.7) or [""])[0]
    rest = line[len(token) :].strip()
    suggestion = _shown(f"{near} {rest}") if rest else _example(near)
    allowed = ", ".join(INSTRUCTIONS)
    return InstructionUnknown(
        **place, word=_shown(token), allowed=allowed, suggestion=suggestion if near else ""
    )


def _parameter_error(text: str, start: int, name: str, at: int) -> ModelfileError:
    place = _at(text, start, f"unexpected EOF: {name}")
    if _ends_at(text, at):
        word = f"PARAMETER {name}".rstrip()
        return InstructionEmpty(**place, word=word, suggestion=_parameter_example(name))
    token, value = _split_assignment(text[at - len(name) : _line_end(text, at)])
    if token in OPTION_KINDS:
        suggestion = _shown(f"PARAMETER {token} {value}") if value else _parameter_example(token)
        return ParameterMalformed(**place, name=token, found=text[at], suggestion=suggestion)
    return _unknown_parameter(place, token, value)


def _split_assignment(text: str) -> tuple[str, str]:
    """`temperature=0.7` → its two halves, whatever stands between them."""
    token, _, value = re.sub(r"[=:,\s]+", " ", text.strip(), count=1).partition(" ")
    return token, value.strip()


def _unknown_parameter(place: dict[str, Any], name: str, value: str) -> ModelfileError:
    plain = unicodedata.normalize("NFKC", name).lower().replace("-", "_")
    names = tuple(OPTION_KINDS)
    near = (difflib.get_close_matches(plain[:30], names, 1, 0.6) or [""])[0]
    suggestion = f"PARAMETER {near} {value}" if value else _parameter_example(near)
    return ParameterUnknown(
        **place,
        name=_shown(name),
        near=near,
        allowed=", ".join(names),
        suggestion=_shown(suggestion) if near else "",
    )


def _role_error(text: str, start: int, role: str, at: int) -> ModelfileError:
    invalid = text[at : at + 1] in _SPACE
    allowed = 'message role must be one of "system", "user", or "assistant"'
    line = _ollama_line(text, at)
    place = _at(text, start, f"(line {line}): {allowed}" if invalid else f"unexpected EOF: {role}")
    content = text[at : _line_end(text, at)].strip()
    if invalid and not role:  # a second space
        return InstructionMalformed(
            **place, word="MESSAGE", found="  ", suggestion=_shown(f"MESSAGE {content}")
        )
    if role in ROLES and _ends_at(text, at):
        word = f"MESSAGE {role}"
        return InstructionEmpty(**place, word=word, suggestion=f"{word} Hello!")
    if role in ROLES:
        found, content = text[at], content.lstrip(":=,\u3000\u00a0 \t")
        word = f"MESSAGE {role}"
        return InstructionMalformed(
            **place, word=word, found=found, suggestion=_shown(f"{word} {content}")
        )
    near = (difflib.get_close_matches(role.lower()[:20], ROLES, 1, 0.6) or ["user"])[0]
    suggestion = f"MESSAGE {near} {content.lstrip(':=') or 'Hello!'}"
    return RoleUnknown(**place, role=_shown(role), suggestion=_shown(suggestion))


def _quote_error(text: str, start: int, value: int) -> ModelfileError:
    first = _printable(text[value : _line_end(text, value)]).strip(_BLANKS)
    return QuoteUnclosed(**_at(text, start, "unexpected EOF"), quote=_delimiter(first))


def _example(word: str) -> str:
    examples = {
        "FROM": "FROM mame",
        "PARAMETER": "PARAMETER temperature 0.7",
        "MESSAGE": "MESSAGE user Hello!",
        "REQUIRES": "REQUIRES 0.14.0",
        "TEMPLATE": "TEMPLATE {{ .Prompt }}",
    }
    return examples.get(word, f"{word} …")


def _parameter_example(name: str) -> str:
    if name not in OPTION_KINDS:
        return _example("PARAMETER")
    return f"PARAMETER {name} {_EXAMPLES.get(name) or _EXAMPLE_OF_KIND[OPTION_KINDS[name]]}"


# --- writing --------------------------------------------------------------------------------------


def format_modelfile(commands: Sequence[Command], *, strict: bool = True) -> str:
    """A Modelfile that `parse_modelfile` reads as these commands, one after another.

    The grammar cannot hold everything: it drops characters that cannot be printed (the full-width
    space is one), and a text whose lines end in quotes may close too early. Such a value is a
    ModelfileCannotHold, and no FROM is a FromMissing; with `strict=False` it is printed as Ollama
    prints it, for `show`, which must not fail.

    >>> print(format_modelfile([Command("model", "mame"), Command("system", " Be brief.")]), end="")
    FROM mame
    SYSTEM " Be brief."
    """
    if strict:
        _require_from(commands)
    return "".join(f"{_format_command(command, strict)}\n" for command in commands)


def _format_command(command: Command, strict: bool) -> str:
    spelled = [f"{head} {text}" for head, value in _heads(command) for text in _spellings(value)]
    for text in spelled:
        if _reads_back(text, command):
            return text
    if not strict:
        return spelled[0]
    hidden = (c for c in command.argument if not c.isprintable() and c not in _BLANKS)
    lost = next((f"U+{ord(c):04X}" for c in hidden), '"')
    raise ModelfileCannotHold(
        line=0, source="", ollama="", instruction=next(_heads(command))[0], lost=lost
    )


def _heads(command: Command) -> Iterator[tuple[str, str]]:
    """What stands before the value, and the value; the likeliest first."""
    name, argument = command.name, command.argument
    if name == "model":
        yield "FROM", argument
    elif name == "message":
        role, _, content = argument.partition(": ")
        yield f"MESSAGE {role}", content
    elif name in _INSTRUCTION_NAMES - {"from", "parameter"}:
        yield name.upper(), argument
    # A parameter may have any name: `PARAMETER message x` reads as a message without a role.
    yield f"PARAMETER {name}", argument


def _spellings(value: str) -> tuple[str, ...]:
    """Bare, quoted, in triple quotes: Ollama's own choice first, then what else may read back."""
    quoted, tripled = f'"{value}"', f'"""{value}"""'
    if not value:
        return (quoted,)  # Ollama prints a trailing space, which the next editor removes
    if "\n" in value or value.startswith(" ") or value.endswith(" "):
        return (tripled, quoted) if '"' in value else (quoted, tripled)
    return (value, quoted, tripled)


def _reads_back(text: str, command: Command) -> bool:
    if text[:1] in _BLANKS:
        return False
    try:
        read, end = _read_command(f"{text}\n", 0)
    except ModelfileError:
        return False
    return read == command and end == len(text)


# --- the create request ---------------------------------------------------------------------------


def to_request(
    commands: Sequence[Command],
    *,
    folder: str,
    exists: Callable[[str], bool],
    expand_user: Callable[[str], str] = os.path.expanduser,
) -> CreateRequest:
    """What the commands ask a server to create.

    `folder` is the Modelfile's own, and `exists` looks at the disk: a FROM that names nothing there
    is the name of a model.
    """

    def locate(argument: str) -> str:
        return os.path.normpath(os.path.join(folder, expand_user(argument)))

    def existing(command: Command) -> str:
        path = locate(command.argument)
        if not command.argument or not exists(path):
            raise ModelfilePathMissing(**_again(command, f"{path}: no such file"), path=path)
        return path

    base, files = "", []
    for command in _named(commands, "model"):
        if not command.argument:
            raise InstructionEmpty(**_again(command, ""), word="FROM", suggestion=_example("FROM"))
        path = locate(command.argument)
        if exists(path):
            files.append(path)
        else:
            base = command.argument
    drafts = []
    for command in _named(commands, "draft"):
        drafts.append(existing(command))
        if drafts[-1] in files:
            place = _again(command, "draft model is the model itself")
            raise DraftIsModel(**place, path=drafts[-1])
    parameters, deprecated = _typed_parameters(commands)
    adapters = [existing(command) for command in _named(commands, "adapter")]
    versions = [_version(command) for command in _named(commands, "requires")]

    def last(name: str) -> str:
        return next((c.argument for c in reversed(commands) if c.name == name), "")

    return CreateRequest(
        base=base,
        files=tuple(dict.fromkeys(files)),
        adapter=adapters[-1] if adapters else "",
        draft_files=tuple(dict.fromkeys(drafts)),
        template=last("template"),
        system=last("system"),
        parameters=parameters,
        messages=tuple(_split_message(c.argument) for c in _named(commands, "message")),
        license=tuple(c.argument for c in _named(commands, "license")),
        renderer=last("renderer"),
        parser=last("parser"),
        requires=versions[-1] if versions else "",
        deprecated=deprecated,
    )


def _named(commands: Iterable[Command], name: str) -> list[Command]:
    return [command for command in commands if command.name == name]


def _split_message(argument: str) -> tuple[str, str]:
    role, _, content = argument.partition(": ")
    return role, content


def _again(command: Command, ollama: str) -> dict[str, Any]:
    """The shared fields of an error about a command that was read without one."""
    head, value = next(_heads(command))
    return {"line": command.line, "source": _shown(f"{head} {value}").strip(), "ollama": ollama}


def _typed_parameters(
    commands: Sequence[Command],
) -> tuple[dict[str, Parameter], tuple[str, ...]]:
    others = (_INSTRUCTION_NAMES | {"model"}) - {"from", "parameter"}
    parameters: dict[str, Parameter] = {}
    deprecated = []
    stops: list[str] = []
    for command in commands:
        if command.name == "stop":
            stops.append(command.argument)
            parameters["stop"] = stops
        elif command.name in DEPRECATED_PARAMETERS:
            deprecated.append(command.name)
        elif command.name not in others:
            parameters[command.name] = _typed_parameter(command)
    return parameters, tuple(dict.fromkeys(deprecated))


def _typed_parameter(command: Command) -> Parameter:
    name, argument = command.name, command.argument
    place = _again(command, f"unknown parameter '{name}'")
    if not name:  # two spaces after PARAMETER
        suggestion = _shown(f"PARAMETER {argument}")
        raise InstructionMalformed(**place, word="PARAMETER", found="  ", suggestion=suggestion)
    if name not in OPTION_KINDS:
        raise _unknown_parameter(place, name, argument)
    kind = OPTION_KINDS[name]
    value = _typed_value(kind, argument)
    if value is not None:
        return value
    place["ollama"] = f"invalid {kind} value {argument!r}"
    plain = unicodedata.normalize("NFKC", argument).strip(' \t"')
    bare = plain.lstrip("=: ")
    suggestion = f"PARAMETER {name} {bare}" if _typed_value(kind, bare) is not None else ""
    if suggestion and bare != plain:  # `PARAMETER temperature = 0.7`
        raise ParameterMalformed(**place, name=name, found=plain[0], suggestion=suggestion)
    raise ParameterValueWrong(
        **place,
        name=name,
        value=_shown(argument),
        kind=kind,
        suggestion=suggestion or _parameter_example(name),
    )


_INT = re.compile(r"[+-]?[0-9]+")
_FLOAT = re.compile(r"[+-]?([0-9]++\.?[0-9]*+|\.[0-9]++)([eE][+-]?[0-9]+)?")
_BOOLS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
_LARGEST_FLOAT32 = 3.4028235677973366e38  # from here on, Go's parser says "out of range"


def _typed_value(kind: str, text: str) -> Parameter | None:
    """The value, or None where the text is not of that kind; int() and float() accept too much.

    >>> _typed_value("int", "4.5"), _typed_value("float", ".5"), _typed_value("bool", "T")
    (None, 0.5, True)
    """
    if kind == "int" and _INT.fullmatch(text) and len(text) < 25:
        return int(text) if -(2**63) <= int(text) < 2**63 else None
    if kind == "float" and _FLOAT.fullmatch(text) and abs(float(text)) < _LARGEST_FLOAT32:
        return float(text)
    if kind == "bool":
        return _BOOLS.get(text)
    return text if kind == "string" else None


_NUMBER = r"(?:0|[1-9][0-9]*)"
_PRE_RELEASE = rf"(?:{_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_VERSION = re.compile(
    rf"{_NUMBER}(?:\.{_NUMBER}(?:\.{_NUMBER}"
    rf"(?:-{_PRE_RELEASE}(?:\.{_PRE_RELEASE})*)?(?:\+[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)?)?)?"
)


def _version(command: Command) -> str:
    version = command.argument.removeprefix("v")
    if not _VERSION.fullmatch(version):
        ollama = f"requires must be a valid semver: {command.argument}"
        raise VersionWrong(**_again(command, ollama), value=_shown(command.argument))
    return version


# --- a folder after FROM or ADAPTER ---------------------------------------------------------------

_WEIGHTS = (
    ("model*.safetensors", "*/model*.safetensors"),
    ("consolidated*.safetensors",),
    ("pytorch_model*.bin",),
    ("consolidated*.pth",),
    ("*.gguf",),
    ("*.bin",),
)
_COMPANIONS = ("*.json", "*/*.json", "chat_template.jinja", "tokenizer.model")


def choose_files(names: Iterable[str]) -> tuple[str, ...]:
    """Of a folder's files (relative, with '/'), those that make the model; none without weights.

    >>> choose_files(["b.gguf", "model.safetensors", "config.json", "README.md"])
    ('model.safetensors', 'config.json')
    """

    def matching(patterns: tuple[str, ...]) -> list[str]:
        return [name for name in ordered if any(_matches(name, p) for p in patterns)]

    ordered = sorted(names)
    weights = next((found for kind in _WEIGHTS if (found := matching(kind))), [])
    return tuple(dict.fromkeys([*weights, *matching(_COMPANIONS)])) if weights else ()


def _matches(name: str, pattern: str) -> bool:
    """As in a shell: a star stays within its folder."""
    return name.count("/") == pattern.count("/") and fnmatchcase(name, pattern)
