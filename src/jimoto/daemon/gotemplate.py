"""TEMPLATE: the part of Go's text/template that Ollama's library uses.

Text in, text out. It knows neither chats nor models nor files, and no clock: today's date is given.
A template is a stranger's text. So it reaches no Python object beside the values given to it, and
the length of its output, its steps and its depth are capped; any fault of it is a TemplateError.

Three parts, in this order: the tree, the reader (source → tree), the runner (tree + data → text).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, NoReturn
from urllib.parse import quote_plus

Value = Any  # None, bool, int, float, str, list, dict or Record


class TemplateError(Exception):
    """The template cannot be read or run: why, and where in its source."""

    def __init__(self, reason: str, line: int, column: int) -> None:
        super().__init__(reason, line, column)  # all of it, so that it survives pickling
        self.reason, self.line, self.column = reason, line, column

    def __str__(self) -> str:
        return f"template: :{self.line}:{self.column}: {self.reason}"


def _error(reason: str, source: str, at: int) -> TemplateError:
    line_start = source.rfind("\n", 0, at) + 1
    return TemplateError(reason, source.count("\n", 0, at) + 1, at - line_start + 1)


class _Fault(Exception):
    """What a function has to complain about; whoever called it knows the place."""


@dataclass(frozen=True)
class Limits:
    """How much a stranger's template may do."""

    source: int = 2**18  # characters; the library's longest templates have 20,000
    output: int = 8 * 2**20  # characters, of the result and of each value on the way
    steps: int = 500_000  # nodes and commands run, and their work: see `_Runner.spend_on`
    depth: int = 60  # blocks, parentheses and templates inside one another


# --- the tree -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Literal:
    value: Value


@dataclass(frozen=True)
class Field:
    """`.A.B`; `.` alone has no names."""

    names: tuple[str, ...]


@dataclass(frozen=True)
class Variable:
    """`$x.A`; `$` is the data that the template was given."""

    name: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Function:
    name: str


@dataclass(frozen=True)
class Chain:
    """`(…).A`"""

    of: Pipe
    names: tuple[str, ...]


@dataclass(frozen=True)
class Command:
    words: tuple[Word, ...]
    at: int


@dataclass(frozen=True)
class Pipe:
    commands: tuple[Command, ...]
    variables: tuple[str, ...] = ()
    assigns: bool = False  # `=`, not `:=`


Word = Literal | Field | Variable | Function | Chain | Pipe


@dataclass(frozen=True)
class Text:
    text: str


@dataclass(frozen=True)
class Action:
    pipe: Pipe


@dataclass(frozen=True)
class Branch:
    """if, with and range."""

    kind: str
    pipe: Pipe
    body: Nodes
    otherwise: Nodes
    at: int


@dataclass(frozen=True)
class Invoke:
    """`{{ template "name" pipe }}`"""

    name: str
    pipe: Pipe | None
    at: int


@dataclass(frozen=True)
class Leave:
    """break and continue."""

    kind: str


Node = Text | Action | Branch | Invoke | Leave
Nodes = tuple[Node, ...]


@dataclass(frozen=True)
class Template:
    source: str
    nodes: Nodes
    definitions: Mapping[str, Nodes]
    mentions: frozenset[str]  # names of fields, in small letters: {"messages", "role", …}


# --- the reader: characters to tokens -------------------------------------------------------------

_SPACE = " \t\r\n"
_TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)|(?P<declare>:=)|(?P<assign>=)|(?P<bar>\|)|(?P<open>\()|(?P<close>\))
      |(?P<comma>,)|(?P<raw>`[^`]*`)|(?P<string>"(?:\\.|[^"\\\n])*")|(?P<char>'(?:\\.|[^'\\\n])+')
      |(?P<number>[+-]?(?:0[xXoObB][0-9a-fA-F_]+
        |(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)(?!\w))
      |(?P<field>\.[^\W\d]\w*)|(?P<dot>\.)|(?P<variable>\$\w*)|(?P<word>[^\W\d]\w*)""",
    re.VERBOSE,
)
_ENDS_A_NAME = re.compile(r"[ \t\r\n.,|:()]|\}\}|\Z")
_RIGHT = re.compile(r"[ \t\r\n]+-\}\}|[ \t\r\n]*\}\}")
_RIGHT_OF_COMMENT = re.compile(r"(?:[ \t\r\n]-)?\}\}")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    at: int
    spaced: bool  # whitespace stands before it


@dataclass(frozen=True)
class _Braces:
    """The tokens between `{{` and `}}`."""

    tokens: tuple[_Token, ...]
    at: int


def _items(source: str) -> Iterator[str | _Braces]:
    """Text and braces in turn; trimmed where `{{-` or `-}}` asks for it, comments left out."""
    at, trims = 0, False
    while True:
        left = source.find("{{", at)
        text = source[at:] if left < 0 else source[at:left]
        text = text.lstrip(_SPACE) if trims else text
        if left < 0:
            yield text
            return
        begin = left + 2
        if source[begin : begin + 1] == "-" and source[begin + 1 : begin + 2] in tuple(_SPACE):
            text, begin = text.rstrip(_SPACE), begin + 2
        yield text
        comment = _COMMENT.match(source, begin)
        tokens, end = ([], comment.end()) if comment else _tokens(source, begin)
        right = (_RIGHT_OF_COMMENT if comment else _RIGHT).match(source, end)
        if not right:
            what = "comment ends before closing delimiter" if comment else "unclosed action"
            raise _error(what, source, left)
        if not comment:
            yield _Braces(tuple(tokens), left)
        at, trims = right.end(), "-" in right.group()


def _tokens(source: str, at: int) -> tuple[list[_Token], int]:
    tokens: list[_Token] = []
    spaced = False
    while not _RIGHT.match(source, at):
        found = _TOKEN.match(source, at)
        if not found:
            raise _error(_bad_character(source, at), source, min(at, len(source)))
        kind, end = found.lastgroup or "", found.end()
        if kind in ("field", "variable", "word") and not _ENDS_A_NAME.match(source, end):
            raise _error(_bad_character(source, end), source, end)
        if kind != "space":
            tokens.append(_Token(kind, found.group(), at, spaced))
        spaced, at = kind == "space", end
    return tokens, at


def _bad_character(source: str, at: int) -> str:
    character = source[at : at + 1]
    if not character:
        return "unclosed action"
    if character in "\"'`":
        return "unterminated quoted string"
    if character in "+-0123456789":
        return "bad number syntax"
    return f"unexpected bad character {character!r} in action"


# --- the reader: tokens to the tree ---------------------------------------------------------------

_KEYWORDS = (
    "if", "with", "range", "else", "end", "define", "template", "block", "break", "continue"
)  # fmt: skip
_STOPS = ("else", "end")


def parse_template(source: str) -> Template:
    """The tree of a template, or a TemplateError."""
    if len(source) > Limits.source:
        raise _error("the template is too long", source, 0)
    try:
        return _Reader(source).read()
    except RecursionError:
        raise _error("nested too deep", source, 0) from None


class _Reader:
    """Reads braces one after another; holds which variables are declared and what was mentioned."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._items = [item for item in _items(source) if item]
        self._next = 0
        self._definitions: dict[str, Nodes] = {}
        self._mentions: set[str] = set()
        self._variables = ["$"]
        self._depth = 0
        self._ranges = 0

    def read(self) -> Template:
        nodes, stop = self._nodes(top=True)
        if stop:
            self._fail(f"unexpected {{{{{stop.peek_text()}}}}}", stop.at)
        mentions = frozenset(self._mentions)
        return Template(self._source, nodes, self._definitions, mentions)

    def _fail(self, reason: str, at: int) -> NoReturn:
        raise _error(reason, self._source, at)

    # blocks

    def _nodes(self, top: bool = False) -> tuple[Nodes, _Words | None]:
        """Nodes up to an `else` or `end`, which is handed back; None at the end of the source."""
        nodes: list[Node] = []
        while self._next < len(self._items):
            item = self._items[self._next]
            self._next += 1
            if isinstance(item, str):
                nodes.append(Text(item))
                continue
            words = _Words(item.tokens, item.at)
            keyword = words.peek_text() if words.peek_kind() == "word" else ""
            if keyword in _STOPS:
                return tuple(nodes), words
            node = self._node(words, keyword, top)
            if node:
                nodes.append(node)
        return tuple(nodes), None

    def _node(self, words: _Words, keyword: str, top: bool) -> Node | None:
        if keyword not in _KEYWORDS:
            return Action(self._pipe_to_end(words, "command"))
        words.take()
        if keyword in ("if", "with", "range"):
            return self._branch(words, keyword)
        if keyword == "define" and top:
            self._define(words)
            return None
        if keyword == "block":
            name, pipe = self._name(words), self._pipe_to_end(words, "block clause")
            self._add_definition(name, self._own_scope(words), words.at)
            return Invoke(name, pipe, words.at)
        if keyword == "template":
            name = self._name(words)
            pipe_given = words.peek_kind() != ""
            pipe_or_none = self._pipe_to_end(words, "template clause") if pipe_given else None
            return Invoke(name, pipe_or_none, words.at)
        if keyword in ("break", "continue") and self._ranges and not words.peek_kind():
            return Leave(keyword)
        self._fail(f"unexpected {{{{{keyword}}}}}", words.at)

    def _branch(self, words: _Words, kind: str) -> Branch:
        """A chain of else-ifs is read in a loop and folded at its end; so it costs no depth."""
        self._deeper(words.at)
        scope = len(self._variables)
        links: list[tuple[Pipe, Nodes, int]] = []
        otherwise: Nodes = ()
        while True:
            pipe = self._pipe_to_end(words, kind)
            self._ranges += kind == "range"
            body, stop = self._nodes()
            self._ranges -= kind == "range"
            links.append((pipe, body, words.at))
            words = self._expect_stop(stop)
            if words.take().text == "else":
                if words.peek_text() == kind and kind != "range":
                    words.take()
                    continue
                self._expect_end_of(words)
                otherwise, stop = self._nodes()
                words = self._expect_stop(stop)
                if words.take().text != "end":
                    self._fail("expected end; found {{else}}", words.at)
            break
        self._expect_end_of(words)
        del self._variables[scope:]
        self._depth -= 1
        for pipe, body, at in reversed(links):
            branch = Branch(kind, pipe, body, otherwise, at)
            otherwise = (branch,)
        return branch

    def _define(self, words: _Words) -> None:
        name = self._name(words)
        self._expect_end_of(words)
        self._add_definition(name, self._own_scope(words), words.at)

    def _own_scope(self, words: _Words) -> Nodes:
        """The body of a define or block: it sees no variable of the text around it."""
        self._deeper(words.at)
        outside = self._variables, self._ranges
        self._variables, self._ranges = ["$"], 0
        body, stop = self._nodes()
        self._variables, self._ranges = outside
        self._depth -= 1
        words = self._expect_stop(stop)
        if words.take().text != "end":
            self._fail("unexpected {{else}} in define clause", words.at)
        self._expect_end_of(words)
        return body

    def _add_definition(self, name: str, body: Nodes, at: int) -> None:
        def is_empty(nodes: Nodes) -> bool:
            return all(isinstance(node, Text) and not node.text.strip() for node in nodes)

        if not is_empty(self._definitions.get(name, ())) and not is_empty(body):
            self._fail(f'multiple definition of template "{name}"', at)
        if not is_empty(body) or name not in self._definitions:
            self._definitions[name] = body

    def _name(self, words: _Words) -> str:
        if words.peek_kind() not in ("string", "raw"):
            self._fail("expected the name of a template, in quotes", words.at)
        return self._unquoted(words.take())

    def _expect_stop(self, words: _Words | None) -> _Words:
        return words or self._fail("unexpected EOF: an {{end}} is missing", len(self._source))

    def _expect_end_of(self, words: _Words) -> None:
        if words.peek_kind():
            self._fail(f"unexpected {words.peek_text()!r} in {{{{…}}}}", words.at)

    def _deeper(self, at: int) -> None:
        self._depth += 1
        if self._depth > Limits.depth:
            self._fail("nested too deep", at)

    # pipelines

    def _pipe_to_end(self, words: _Words, context: str) -> Pipe:
        pipe = self._pipe(words, context)
        self._expect_end_of(words)
        return pipe

    def _pipe(self, words: _Words, context: str) -> Pipe:
        names, assigns = self._declarations(words, context)
        commands: list[Command] = []
        while True:
            command = self._command(words, context)
            if commands and isinstance(command.words[0], Literal | Field):
                word = command.words[0]
                if isinstance(word, Literal) or not word.names:
                    stage = len(commands) + 1
                    self._fail(f"non executable command in pipeline stage {stage}", command.at)
            commands.append(command)
            if words.peek_kind() != "bar":
                break
            words.take()
        for name in names:
            if not assigns:
                self._variables.append(name)
            elif name not in self._variables:
                self._fail(f'undefined variable "{name}"', words.at)
        return Pipe(tuple(commands), names, assigns)

    def _declarations(self, words: _Words, context: str) -> tuple[tuple[str, ...], bool]:
        names: list[str] = []
        start = words.next
        while words.peek_kind() == "variable":
            names.append(words.take().text)
            kind = words.peek_kind()
            if kind in ("declare", "assign"):
                words.take()
                return tuple(names), kind == "assign"
            if kind == "comma" and (context != "range" or len(names) > 1):
                self._fail(f"too many declarations in {context}", words.at)
            if kind != "comma":
                break
            words.take()
        if len(names) > 1:
            self._fail("range can only initialize variables", words.at)
        words.next = start
        return (), False

    def _command(self, words: _Words, context: str) -> Command:
        at = words.place()
        operands: list[Word] = []
        while words.peek_kind() not in ("", "bar", "close"):
            if operands and not words.peek_spaced():
                self._fail(f"unexpected {words.peek_text()!r} in operand", words.place())
            operands.append(self._operand(words))
        if not operands:
            self._fail(f"missing value for {context}", at)
        return Command(tuple(operands), at)

    def _operand(self, words: _Words) -> Word:
        token = words.take()
        term = self._term(token, words)
        names: list[str] = []
        while words.peek_kind() == "field" and not words.peek_spaced():
            names.append(words.take().text[1:])
        self._mentions.update(name.lower() for name in names)
        if not names:
            return term
        match term:
            case Field(had) if had:
                return Field((*had, *names))
            case Variable(name, had):
                return Variable(name, (*had, *names))
            case Pipe():
                return Chain(term, tuple(names))
        self._fail(f"unexpected . after term {token.text!r}", token.at)

    def _term(self, token: _Token, words: _Words) -> Word:
        match token.kind:
            case "field":
                self._mentions.add(token.text[1:].lower())
                return Field((token.text[1:],))
            case "dot":
                return Field(())
            case "variable":
                if token.text not in self._variables:
                    self._fail(f'undefined variable "{token.text}"', token.at)
                return Variable(token.text)
            case "word":
                return self._word(token)
            case "number":
                return Literal(self._number(token))
            case "string" | "raw":
                return Literal(self._unquoted(token))
            case "char":
                text = self._unquoted(token)
                if len(text) != 1:
                    self._fail(f"malformed character constant: {token.text}", token.at)
                return Literal(ord(text))
            case "open":
                self._deeper(token.at)
                pipe = self._pipe(words, "parenthesized pipeline")
                self._depth -= 1
                if words.peek_kind() != "close":
                    self._fail("unclosed left paren", token.at)
                words.take()
                return pipe
        self._fail(f"unexpected {token.text!r} in operand", token.at)

    def _word(self, token: _Token) -> Word:
        constants: dict[str, Value] = {"true": True, "false": False, "nil": None}
        if token.text in constants:
            return Literal(constants[token.text])
        if token.text in _KEYWORDS:
            self._fail(f"unexpected <{token.text}> in operand", token.at)
        if token.text not in FUNCTIONS:
            self._fail(f'function "{token.text}" not defined', token.at)
        return Function(token.text)

    def _number(self, token: _Token) -> int | float:
        text = token.text.replace("_", "")
        octal = re.fullmatch(r"([+-]?)0([0-7]+)", text)
        try:
            if octal:
                number: int | float = int(octal[1] + octal[2], 8)
            elif re.fullmatch(r"[+-]?(0[xXoObB][0-9a-fA-F]+|[0-9]+)", text) and len(text) < 80:
                number = int(text, 0)
            else:
                number = float(text)
        except ValueError:
            self._fail(f"bad number syntax: {token.text}", token.at)
        fits = -(2**63) <= number < 2**64 if isinstance(number, int) else math.isfinite(number)
        if not fits:
            self._fail(f"{token.text} overflows", token.at)
        return number

    def _unquoted(self, token: _Token) -> str:
        if token.kind == "raw":
            return token.text[1:-1].replace("\r", "")
        try:
            return _unescaped(token.text[1:-1])
        except _Fault as fault:
            self._fail(str(fault), token.at)


class _Words:
    """The tokens of one pair of braces, and how far they are read."""

    def __init__(self, tokens: Sequence[_Token], at: int) -> None:
        self._tokens = tokens
        self.at = at
        self.next = 0

    def _token(self) -> _Token:
        end = _Token("", "", self.at, True)
        return self._tokens[self.next] if self.next < len(self._tokens) else end

    def peek_kind(self) -> str:
        return self._token().kind

    def peek_text(self) -> str:
        return self._token().text

    def peek_spaced(self) -> bool:
        return self._token().spaced

    def place(self) -> int:
        return self._token().at

    def take(self) -> _Token:
        token = self._token()
        self.next += 1
        return token


_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL
)
_SIMPLE_ESCAPES = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
    "\\": "\\", "'": "'", '"': '"',
}  # fmt: skip


def _unescaped(text: str) -> str:
    """Go's escapes; a byte (`\\xe8`) may be part of a character, so bytes are joined at the end."""

    def character(escape: re.Match[str]) -> str:
        byte = int(escape[1], 16) if escape[1] else int(escape[2], 8) if escape[2] else None
        if byte is not None and byte < 256:
            return chr(byte) if byte < 128 else chr(0xDC00 + byte)
        code = int(escape[3] or escape[4] or "110000", 16)
        if code < 0x110000 and not 0xD800 <= code < 0xE000:
            return chr(code)
        if escape[5] in _SIMPLE_ESCAPES:
            return _SIMPLE_ESCAPES[escape[5]]
        raise _Fault("invalid syntax in a quoted string")

    text = _ESCAPE.sub(character, text)
    return text if text.isascii() else _joined_bytes(text)


def _joined_bytes(text: str) -> str:
    if not any(0xDC80 <= ord(c) <= 0xDCFF for c in text):
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


# --- the runner -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Record:
    """A value with fixed fields, as Go's structs are: asking for another one is an error."""

    kind: str
    fields: Mapping[str, Value]
    json_names: Mapping[str, str]  # in the order in which JSON shows them
    omitted: frozenset[str] = frozenset()  # left out of JSON when empty


class JsonList(list[Value]):
    """A list that a bare action prints as JSON: .Tools."""


class JsonMap(dict[str, Value]):
    """A map that a bare action prints as JSON: .Arguments, .Properties."""


class TypeNames(list[str]):
    """The type of a tool's property: one name prints (and becomes JSON) without brackets."""


class _Break(Exception):
    pass


class _Continue(Exception):
    pass


def render(template: Template, data: Value, *, today: date, limits: Limits = Limits()) -> str:
    """The template's text for this data, or a TemplateError.

    >>> hello = parse_template("{{ range .names }}Hello, {{ . }}! {{ end }}")
    >>> render(hello, {"names": ["Mai", "Ken"]}, today=date(2026, 11, 22))
    'Hello, Mai! Hello, Ken! '
    """
    return execute(template, data, today, limits)[0]


def execute(template: Template, data: Value, today: date, limits: Limits) -> tuple[str, Limits]:
    """The text, and what is left of the limits."""
    runner = _Runner(template, data, today, limits)
    try:
        runner.run(template.nodes, data)
    except RecursionError:
        raise _error("nested too deep", template.source, 0) from None
    left = replace(limits, steps=limits.steps - runner.steps, output=limits.output - runner.length)
    return "".join(runner.output), left


class _Runner:
    """One execution: its variables, its output, and how much it has done so far."""

    def __init__(self, template: Template, data: Value, today: date, limits: Limits) -> None:
        self.today = today
        self.output: list[str] = []
        self._template = template
        self.limits = limits
        self._variables: list[tuple[str, Value]] = [("$", data)]
        self.length = self.steps = self._depth = self._at = 0

    def fail(self, reason: str) -> NoReturn:
        raise _error(reason, self._template.source, self._at)

    def spend(self, steps: int) -> None:
        self.steps += steps
        if self.steps > self.limits.steps:
            self.fail("the template takes too many steps")

    def spend_on(self, value: Value) -> None:
        """Sorting a map or building a text takes longer than the step that asks for it."""
        sizes = ((str, 16), (dict, 8), (list, 256))
        self.spend(next((len(value) // n for kind, n in sizes if isinstance(value, kind)), 0))

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > self.limits.depth:
            self.fail("nested too deep")

    # nodes

    def run(self, nodes: Nodes, dot: Value) -> None:
        self._deeper()
        for node in nodes:
            self.spend(1)
            match node:
                case Text(text):
                    self._write(text)
                case Action(pipe):
                    value = self._pipe(pipe, dot)
                    if not pipe.variables:
                        self._write(_text(value, "<no value>"))
                case Branch(kind="range"):
                    self._range(node, dot)
                case Branch():
                    self._choose(node, dot)
                case Invoke():
                    self._invoke(node, dot)
                case Leave(kind):
                    raise _Break if kind == "break" else _Continue
        self._depth -= 1

    def _write(self, text: str) -> None:
        self.length += len(text)
        if self.length > self.limits.output:
            self.fail("the template's output is too long")
        self.spend(len(text) // 64)
        self.output.append(text)

    def _choose(self, node: Branch, dot: Value) -> None:
        scope = len(self._variables)
        link: Branch | None = node
        while link:
            value = self._pipe(link.pipe, dot)
            if is_true(value):
                self.run(link.body, value if link.kind == "with" else dot)
                break
            match link.otherwise:
                case (Branch(kind=kind) as following,) if kind == link.kind:  # else if
                    self.spend(1)
                    link = following
                case others:
                    self.run(others, dot)
                    break
        del self._variables[scope:]

    def _range(self, node: Branch, dot: Value) -> None:
        outer = len(self._variables)
        value = self._pipe(node.pipe, dot)
        scope, depth = len(self._variables), self._depth
        self._at = node.at
        pairs = self._pairs(value)
        names = node.pipe.variables
        for index, element in pairs:
            self.spend(1)
            shown = (element,) if len(names) == 1 else (index, element)
            for position, (name, given) in enumerate(zip(names, shown, strict=False)):
                if node.pipe.assigns:
                    self._assign(name, given)
                else:
                    self._variables[scope - len(names) + position] = (name, given)
            try:
                self.run(node.body, element)
            except _Continue:
                pass
            except _Break:
                break
            finally:
                self._depth = depth
                del self._variables[scope:]
        if not pairs:
            self.run(node.otherwise, dot)
        del self._variables[outer:]

    def _pairs(self, value: Value) -> Sequence[tuple[Value, Value]]:
        if isinstance(value, bool | str | float | Record):
            self.fail(f"range can't iterate over {_type_name(value)}")
        if isinstance(value, int):
            self.spend(max(value, 0))  # before a list of that length is made
            return [(n, n) for n in range(value)]
        self.spend_on(value)
        return sorted(value.items()) if isinstance(value, dict) else list(enumerate(value or ()))

    def _invoke(self, node: Invoke, dot: Value) -> None:
        self._at = node.at
        if node.name not in self._template.definitions:
            self.fail(f'template "{node.name}" not defined')
        data = self._pipe(node.pipe, dot) if node.pipe else None
        outside, self._variables = self._variables, [("$", data)]
        self.run(self._template.definitions[node.name], data)
        self._variables = outside

    # pipelines

    def _pipe(self, pipe: Pipe, dot: Value) -> Value:
        value: Value = None
        for stage, command in enumerate(pipe.commands):
            value = self._command(command, dot, (value,) if stage else ())
        for name in pipe.variables:
            if pipe.assigns:
                self._assign(name, value)
            else:
                self._variables.append((name, value))
        return value

    def _assign(self, name: str, value: Value) -> None:
        for place in range(len(self._variables) - 1, -1, -1):
            if self._variables[place][0] == name:
                self._variables[place] = (name, value)
                return
        self.fail(f"undefined variable: {name}")

    def _command(self, command: Command, dot: Value, last: tuple[Value, ...]) -> Value:
        """`last` is what the pipeline hands over: one more argument, behind the others."""
        self.spend(1)
        self._at = command.at
        first, rest = command.words[0], command.words[1:]
        if isinstance(first, Function):
            return self._call(first.name, command, dot, last)
        if first == Literal(None):
            self.fail("nil is not a command")
        if rest or last:
            self.fail("can't give argument to non-function")
        return self._word(first, dot)

    def _word(self, word: Word, dot: Value) -> Value:
        match word:
            case Literal(value):
                return value
            case Field(names):
                return self._fields(dot, names)
            case Variable(name, names):
                return self._fields(self._variable(name), names)
            case Chain(of, names):
                return self._fields(self._nested(of, dot), names)
            case Pipe():
                return self._nested(word, dot)
            case Function(name):
                return self._call(name, Command((word,), self._at), dot, ())

    def _variable(self, name: str) -> Value:
        for key, value in reversed(self._variables):
            if key == name:
                return value
        self.fail(f"undefined variable: {name}")  # declared in another branch

    def _nested(self, pipe: Pipe, dot: Value) -> Value:
        self._deeper()
        at = self._at
        value = self._pipe(pipe, dot)
        self._at = at
        self._depth -= 1
        return value

    def _fields(self, value: Value, names: Sequence[str]) -> Value:
        for name in names:
            if isinstance(value, dict):
                value = value.get(name)  # missing key = zero
            elif isinstance(value, Record) and name in value.fields:
                value = value.fields[name]
            elif value is None:
                self.fail(f"nil pointer evaluating interface {{}}.{name}")
            else:
                self.fail(f"can't evaluate field {name} in type {_type_name(value)}")
        return value

    def _call(self, name: str, command: Command, dot: Value, last: tuple[Value, ...]) -> Value:
        least, most, function = FUNCTIONS[name]
        words = command.words[1:]
        if not least <= len(words) + len(last) <= most:
            self.fail(f"wrong number of args for {name}: got {len(words) + len(last)}")
        if name in ("and", "or"):
            return self._first_that_decides(name, words, dot, last)
        arguments = [*(self._word(word, dot) for word in words), *last]
        self._at = command.at
        for argument in arguments:
            self.spend_on(argument)
        try:
            value = function(self, arguments)
        except _Fault as fault:
            self.fail(f"error calling {name}: {fault}")
        self.spend_on(value)
        if isinstance(value, str) and len(value) > self.limits.output:
            self.fail(f"the result of {name} is too long")
        return value

    def _first_that_decides(
        self, name: str, words: Sequence[Word], dot: Value, last: tuple[Value, ...]
    ) -> Value:
        """`and` and `or` look at no more arguments than they must."""
        value: Value = None
        for word in words:
            value = self._word(word, dot)
            if is_true(value) == (name == "or"):
                return value
        return last[0] if last else value


def is_true(value: Value) -> bool:
    """Go's truth: false, 0, nil and what is empty are not true; a struct always is."""
    return isinstance(value, Record) or bool(value)


# --- values as text -------------------------------------------------------------------------------


def _text(value: Value, nil: str = "<nil>") -> str:
    """Go's %v.

    >>> _text([1, "a", True, None, {"b": 2.0}])
    '[1 a true <nil> map[b:2]]'
    """
    match value:
        case None:
            return nil
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case float():
            return _float_text(value)
        case JsonList() | JsonMap() | Record():
            return go_json(value)
        case TypeNames() if len(value) < 2:
            return "".join(value)
        case list():
            return f"[{' '.join(map(_text, value))}]"
        case dict():
            return f"map[{' '.join(f'{_text(k)}:{_text(value[k])}' for k in sorted(value))}]"
    return str(value)


def _float_text(value: float) -> str:
    """Go's %g: as few digits as it takes, and an exponent below 0.0001 and from 1e+06 on."""
    if not math.isfinite(value):
        return {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, "NaN")
    digits, exponent = _digits(value)
    if -4 <= exponent < 6:
        return _plain_float(value)
    sign = "-" if value < 0 else ""
    fraction = f".{digits[1:]}" if digits[1:] else ""
    return f"{sign}{digits[0]}{fraction}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def _digits(value: float) -> tuple[str, int]:
    """Shortest digits and decimal exponent: 1250.0 → ("125", 3)."""
    mantissa, _, exponent = f"{abs(value):.17e}".partition("e")
    for precision in range(17):
        mantissa, _, exponent = f"{abs(value):.{precision}e}".partition("e")
        if float(f"{mantissa}e{exponent}") == abs(value):
            break
    return mantissa.replace(".", "").rstrip("0") or "0", int(exponent)


def _plain_float(value: float) -> str:
    """Without an exponent, however many zeros that takes."""
    digits, exponent = _digits(value)
    sign = "-" if value < 0 else ""
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    digits = digits.ljust(exponent + 1, "0")
    fraction = digits[exponent + 1 :]
    return f"{sign}{digits[: exponent + 1]}{f'.{fraction}' if fraction else ''}"


_HTML_IN_JSON = str.maketrans(
    {"<": r"\u003c", ">": r"\u003e", "&": r"\u0026", "\u2028": r"\u2028", "\u2029": r"\u2029"}
)


def go_json(value: Value) -> str:
    """JSON as Go's encoder writes it: no spaces, sorted keys, and `<`, `>`, `&` escaped.

    >>> go_json({"b": 1.0, "a": "<東京>"})
    '{"a":"\\\\u003c東京\\\\u003e","b":1}'
    """
    match value:
        case str():
            return json.dumps(value, ensure_ascii=False).translate(_HTML_IN_JSON)
        case float():
            small_or_large = value and not 1e-6 <= abs(value) < 1e21
            plain = _plain_float(value) if math.isfinite(value) else "null"
            return re.sub(r"e-0", "e-", _float_text(value)) if small_or_large else plain
        case TypeNames() if len(value) == 1:
            return go_json(value[0])
        case list():
            return f"[{','.join(map(go_json, value))}]"
        case dict():
            pairs = (f"{go_json(str(key))}:{go_json(value[key])}" for key in sorted(value))
            return f"{{{','.join(pairs)}}}"
        case Record():
            shown = (
                f"{go_json(as_named)}:{go_json(value.fields[name])}"
                for name, as_named in value.json_names.items()
                if name not in value.omitted or value.fields[name]
            )
            return f"{{{','.join(shown)}}}"
    return json.dumps(value)


def _type_name(value: Value) -> str:
    names = {
        bool: "bool", int: "int", float: "float64", str: "string", list: "[]interface {}",
        dict: "map[string]interface {}", type(None): "nil",
    }  # fmt: skip
    return value.kind if isinstance(value, Record) else names.get(type(value), "value")


def _print(runner: _Runner, values: list[Value]) -> str:
    """Go's Sprint: a space between two neighbours of which neither is text."""

    def parts() -> Iterator[str]:
        before: Value = ""
        for value in values:
            yield "" if isinstance(before, str) or isinstance(value, str) else " "
            yield _text(value)
            before = value

    return _joined(runner, parts())


def _joined(runner: _Runner, parts: Iterable[str]) -> str:
    """The parts as one text, which is given up as soon as it grows too long."""
    kept: list[str] = []
    length = 0
    for part in parts:
        length += len(part)
        if length > runner.limits.output:
            raise _Fault("the result is too long")
        kept.append(part)
    return "".join(kept)


# --- functions ------------------------------------------------------------------------------------


def _length(runner: _Runner, arguments: list[Value]) -> int:
    (value,) = arguments
    if isinstance(value, str):
        return len(_bytes(value))  # Go counts bytes
    if isinstance(value, list | dict):
        return len(value)
    raise _Fault(f"len of {_type_name(value)}")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _index(runner: _Runner, arguments: list[Value]) -> Value:
    value = arguments[0]
    for key in arguments[1:]:
        if isinstance(value, dict):
            if not isinstance(key, str):
                raise _Fault(f"cannot use {_type_name(key)} as a key")
            value = value.get(key)
        elif isinstance(value, list | str):
            held = _bytes(value) if isinstance(value, str) else value
            value = held[_checked_index(key, len(held) - 1)]
        else:
            raise _Fault(f"can't index item of type {_type_name(value)}")
    return value


def _checked_index(key: Value, most: int) -> int:
    if isinstance(key, bool) or not isinstance(key, int):
        raise _Fault(f"cannot index slice/array with type {_type_name(key)}")
    if not 0 <= key <= most:
        raise _Fault(f"index out of range: {key}")
    return key


def _slice(runner: _Runner, arguments: list[Value]) -> Value:
    value, bounds = arguments[0], arguments[1:]
    if not isinstance(value, str | list):
        raise _Fault(f"can't slice item of type {_type_name(value)}")
    if isinstance(value, str) and len(bounds) > 2:
        raise _Fault("cannot 3-index slice a string")
    held = _bytes(value) if isinstance(value, str) else value
    places = [_checked_index(bound, len(held)) for bound in bounds]
    if places != sorted(places):
        raise _Fault(f"invalid slice index: {places[0]} > {places[-1]}")
    begin, end = [*places, *(0, len(held))[len(places) :]][:2]
    part = held[begin:end]
    return part.decode("utf-8", "replace") if isinstance(part, bytes) else type(value)(part)


def _kind(value: Value) -> str:
    """What may be compared with what. JSON knows one kind of number, so an int may meet a float."""
    if value is None or isinstance(value, bool):
        return "nil" if value is None else "bool"
    kinds = ((str, "string"), (int | float, "number"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "other")


def _equal(runner: _Runner, arguments: list[Value]) -> bool:
    first = arguments[0]
    for other in arguments[1:]:
        kinds = {_kind(first), _kind(other)}
        if "other" in kinds and "nil" not in kinds:
            raise _Fault("non-comparable type")
        if len(kinds) > 1 and "nil" not in kinds:
            raise _Fault("incompatible types for comparison")
        if len(kinds) == 1 and first == other:
            return True
    return False


def _less(runner: _Runner, arguments: list[Value]) -> bool:
    first, second = arguments
    kinds = {_kind(first), _kind(second)}
    if kinds - {"number", "string"}:
        raise _Fault("invalid type for comparison")
    if len(kinds) > 1:
        raise _Fault("incompatible types for comparison")
    return bool(first < second)


def _less_or_equal(runner: _Runner, arguments: list[Value]) -> bool:
    return _less(runner, arguments) or _equal(runner, arguments)


_VERB = re.compile(r"%([-+# 0]*)([0-9]*)(?:\.([0-9]*))?(.?)", re.DOTALL)


def _printf(runner: _Runner, arguments: list[Value]) -> str:
    layout, values = arguments[0], arguments[1:]
    if not isinstance(layout, str):
        raise _Fault(f"wrong type for value; expected string; got {_type_name(layout)}")

    def parts() -> Iterator[str]:
        at = used = 0
        for verb in _VERB.finditer(layout):
            yield layout[at : verb.start()]
            at = verb.end()
            if verb[4] in ("%", ""):
                yield "%" if verb[4] else "%!(NOVERB)"
            elif used == len(values):
                yield f"%!{verb[4]}(MISSING)"
            else:
                yield _formatted(values[used], verb[4], verb[1], verb[2], verb[3])
                used += 1
        yield layout[at:]
        for position, value in enumerate(values[used:]):
            yield f"{', ' if position else '%!(EXTRA '}{_type_name(value)}={_text(value)}"
        if values[used:]:
            yield ")"

    return _joined(runner, parts())


def _formatted(value: Value, verb: str, flags: str, width: str, precision: str | None) -> str:
    if max(len(width), len(precision or "")) > 3:
        raise _Fault("the width or precision is too large")
    places = int(precision or 0) if precision is not None else None
    text = _verb_text(value, verb, flags, places)
    if "-" in flags:
        return text.ljust(int(width or 0))
    zeros = "0" in flags and verb in "dfeEgGxX"
    return text.zfill(int(width or 0)) if zeros else text.rjust(int(width or 0))


def _verb_text(value: Value, verb: str, flags: str, places: int | None) -> str:
    is_int = isinstance(value, int) and not isinstance(value, bool)
    sign = "+" if "+" in flags else ""
    if verb == "v" or (verb == "s" and not isinstance(value, bool | int | float | None)):
        text = _text(value)
        return text[:places] if verb == "s" and places is not None else text
    if verb == "q" and isinstance(value, str):
        return _quoted(value)
    if verb == "t" and isinstance(value, bool):
        return _text(value)
    if verb == "T":
        return _type_name(value)
    if is_int and verb in "dxXob":
        return format(value, f"{sign}{verb}")
    if is_int and verb == "c":
        return chr(value) if 0 <= value < 0x110000 and not 0xD800 <= value < 0xE000 else "\ufffd"
    if isinstance(value, str) and verb in "xX":
        return _bytes(value).hex() if verb == "x" else _bytes(value).hex().upper()
    if isinstance(value, float) and verb in "gG" and places is None:
        return _text(value)
    if isinstance(value, float) and verb in "feEgG":
        return format(value, f"{sign}.{6 if places is None else places}{verb}")
    shown = "<nil>" if value is None else f"{_type_name(value)}={_text(value)}"
    return f"%!{verb}({shown})"


_QUOTED = {
    "\a": r"\a", "\b": r"\b", "\f": r"\f", "\n": r"\n", "\r": r"\r", "\t": r"\t", "\v": r"\v",
    "\\": r"\\", '"': r"\"",
}  # fmt: skip


def _quoted(text: str) -> str:
    def escaped(c: str) -> str:
        if c.isprintable() or c in _QUOTED:
            return _QUOTED.get(c, c)
        code = ord(c)
        if code < 128:
            return f"\\x{code:02x}"
        return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

    return f'"{"".join(map(escaped, text))}"'


_HTML = str.maketrans(
    {"\0": "\ufffd", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;"}
)
_JS = str.maketrans(
    {"\\": r"\\", "'": r"\'", '"': r"\"", "<": r"\u003C", ">": r"\u003E", "&": r"\u0026",
     "=": r"\u003D", **{chr(code): f"\\u{code:04X}" for code in range(32)}}
)  # fmt: skip


def typescript_type(property: Value) -> str:
    """How a tool's property is written in TypeScript; `any` where nothing is known.

    >>> kinds = TypeNames(["integer", "null"])
    >>> typescript_type(Record("ToolProperty", {"AnyOf": [], "Type": kinds}, {}))
    'number | null'
    """
    if not isinstance(property, Record) or property.kind != "ToolProperty":
        return "any"
    if property.fields["AnyOf"]:
        return " | ".join(map(typescript_type, property.fields["AnyOf"]))
    names = {
        "string": "string", "number": "number", "integer": "number", "boolean": "boolean",
        "array": "any[]", "object": "Record<string, any>", "null": "null",
    }  # fmt: skip
    return " | ".join(names.get(name, "any") for name in property.fields["Type"]) or "any"


def _println(runner: _Runner, values: list[Value]) -> str:
    gaps = [*[" "] * (len(values) - 1), "\n"]
    parts = (_text(value) + gap for value, gap in zip(values, gaps, strict=False))
    return _joined(runner, parts) if values else "\n"


def _no_call(runner: _Runner, arguments: list[Value]) -> NoReturn:
    raise _Fault("call of non-function")


def _yesterday(runner: _Runner, arguments: list[Value]) -> str:
    return (runner.today - timedelta(days=1)).isoformat()


def _urlquery(runner: _Runner, values: list[Value]) -> str:
    return quote_plus(_print(runner, values), errors="replace")


_MANY = 10_000
_Implementation = Callable[[_Runner, list[Value]], Value]

# name → (fewest arguments, most, implementation)
FUNCTIONS: dict[str, tuple[int, int, _Implementation]] = {
    "and": (1, _MANY, _no_call),  # these two stand in the runner
    "or": (1, _MANY, _no_call),
    "not": (1, 1, lambda _, a: not is_true(a[0])),
    "eq": (2, _MANY, _equal),
    "ne": (2, 2, lambda runner, a: not _equal(runner, a)),
    "lt": (2, 2, _less),
    "le": (2, 2, _less_or_equal),
    "gt": (2, 2, lambda runner, a: not _less_or_equal(runner, a)),
    "ge": (2, 2, lambda runner, a: not _less(runner, a)),
    "len": (1, 1, _length),
    "index": (1, _MANY, _index),
    "slice": (1, 4, _slice),
    "print": (0, _MANY, _print),
    "println": (0, _MANY, _println),
    "printf": (1, _MANY, _printf),
    "html": (0, _MANY, lambda runner, a: _print(runner, a).translate(_HTML)),
    "js": (0, _MANY, lambda runner, a: _print(runner, a).translate(_JS)),
    "urlquery": (0, _MANY, _urlquery),
    "call": (1, _MANY, _no_call),
    "json": (1, 1, lambda _, a: go_json(a[0])),
    "currentDate": (0, _MANY, lambda runner, _: runner.today.isoformat()),
    "yesterdayDate": (0, _MANY, _yesterday),
    "toTypeScriptType": (1, 1, lambda _, a: typescript_type(a[0])),
}
