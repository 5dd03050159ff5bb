"""Tool calls are read out of what a model writes, in a stream that may be cut anywhere.

Pure text in; text and calls out. A model writes a call in the form that its template taught it, so
the form is read off the template. Whether a request offered tools, and how a call looks on the
wire, is decided elsewhere.

    <tool_call>                                      Hermes, Qwen, mame: one JSON object, or several
    {"name": "add", "arguments": {"a": 1}}
    </tool_call>
    [TOOL_CALLS][{"name": "add", "arguments": …}]    Mistral; newer ones: [TOOL_CALLS]add[ARGS]{…}
    {"name": "add", "parameters": {"a": 1}}          Llama 3: the answer is the call
    <tool_call><function=add><parameter=a>1</parameter></function></tool_call>     newer Qwen
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from jimoto.daemon.thinking import held_back


@dataclass(frozen=True)
class ToolFormat:
    """How one family of models writes a call."""

    opening: str = ""  # "": an answer that begins with JSON is a call
    closing: str = ""


HERMES = ToolFormat("<tool_call>", "</tool_call>")
MISTRAL = ToolFormat("[TOOL_CALLS]")
GRANITE = ToolFormat("<|tool_call|>")
BARE = ToolFormat()
PYTHON_TAG = "<|python_tag|>"  # Llama 3 may write it before its JSON


@dataclass(frozen=True)
class ToolCall:
    name: str
    arguments: dict[str, Any]


def find_format(template: str) -> ToolFormat:
    """The form that a chat template, Jinja or Go, shows its model.

    >>> find_format("{{ '<tool_call>' }}") == HERMES, find_format("{{ tools }}") == BARE
    (True, True)
    """
    tagged = (HERMES, MISTRAL, GRANITE)
    return next((kind for kind in tagged if kind.opening in template), BARE)


def format_tags(kind: ToolFormat) -> tuple[str, ...]:
    """The tags that may be special tokens, which a model writes and a reader would not see."""
    tags = (kind.opening, kind.closing) if kind.opening else (PYTHON_TAG,)
    return tuple(tag for tag in tags if tag)


class State(Enum):
    TEXT = auto()
    BLOCK = auto()  # an opening tag was read, or there is none
    AFTER = auto()  # a call was read; whitespace behind it is swallowed


class ToolCallReader:
    """Feed it pieces of an answer; it hands back what is certainly text, and every whole call.

    What looks like a call and is none is handed back as the text that it was. Without tags an
    answer is a call only if it names one of the tools: JSON may be the answer itself.
    """

    def __init__(self, kind: ToolFormat, tools: Iterable[Mapping[str, Any]] = ()) -> None:
        self._kind = kind
        self._properties = dict(map(_properties, tools))
        self._state = State.TEXT
        self._pending = ""
        self._taken = ""  # an opening tag with the whitespace before it, in case it opens no call
        self._began = False  # text was handed back

    def feed(self, text: str) -> tuple[str, tuple[ToolCall, ...]]:
        self._pending += text
        content = ""
        calls: list[ToolCall] = []
        while True:
            if self._state is State.AFTER:
                self._pending = self._pending.lstrip()
                self._state = State.TEXT if self._pending else State.AFTER
            if self._state is State.TEXT:
                content += self._text()
            closing = self._kind.closing
            if self._state is not State.BLOCK or not closing or closing not in self._pending:
                return content, tuple(calls)
            block, tag, self._pending = self._pending.partition(closing)
            text, found = self._block(block, tag)
            content += text
            calls += found

    def finish(self) -> tuple[str, tuple[ToolCall, ...]]:
        """What was held back: a call without its closing tag, or text after all."""
        rest, self._pending = self._pending, ""
        if self._state is not State.BLOCK:
            return rest, ()
        half = held_back(rest, self._kind.closing) if self._kind.closing else 0
        content, calls = self._block(rest[: len(rest) - half], rest[len(rest) - half :])
        return content, tuple(calls)

    def _text(self) -> str:
        """What is certainly text; after it a block may begin."""
        opening = self._kind.opening or self._bare_opening()
        if opening is None:  # too early to say
            return ""
        at = self._pending.find(opening) if opening else -1
        if at < 0:
            # Whitespace may be what stands before a tag.
            certain = len(self._pending) - held_back(self._pending, opening)
            certain = len(self._pending[:certain].rstrip()) if opening else certain
            text, self._pending = self._pending[:certain], self._pending[certain:]
        else:
            text = self._pending[:at].rstrip()
            # A bare answer is its own block, brace included.
            end = at if opening in _BRACES else at + len(opening)
            self._taken, self._pending = self._pending[len(text) : end], self._pending[end:]
            self._state = State.BLOCK
        self._began = self._began or bool(text)
        return text

    def _bare_opening(self) -> str | None:
        """What opens a call in an answer without tags; nothing does once it began otherwise."""
        start = self._pending.lstrip()
        if self._began or not start:
            return "" if self._began else None
        if start[0] in _BRACES:
            return start[0]
        if start.startswith(PYTHON_TAG):
            return PYTHON_TAG
        return None if PYTHON_TAG.startswith(start) else ""

    def _block(self, block: str, tag: str) -> tuple[str, list[ToolCall]]:
        """The calls in a block; where it holds none, the text that it was."""
        if self._kind == HERMES and block.lstrip().startswith("<function="):
            calls, rest = self._nested_tags(block), ""
        else:
            calls, rest = read_calls(block, self._kind.opening)
        tagless = not self._kind.opening
        known = all(call.name in self._properties for call in calls)
        if not calls or (tagless and not known) or (self._kind.closing and rest):
            self._state, self._began = State.TEXT, True
            return self._taken + block + tag, []
        self._state = State.AFTER
        return rest, calls

    def _nested_tags(self, block: str) -> list[ToolCall]:
        calls = []
        for name, body in _FUNCTION.findall(block):
            given = _PARAMETER.findall(body)
            calls.append(ToolCall(name, {key: self._value(name, key, text) for key, text in given}))
        return calls

    def _value(self, tool: str, name: str, text: str) -> Any:
        """Between tags every value is text; what it is meant to be, the tool says."""
        schema = self._properties.get(tool, {}).get(name)
        kind = schema.get("type", "string") if isinstance(schema, dict) else "string"
        if "string" in (kind if isinstance(kind, list) else [kind]):
            return text
        try:
            return json.loads(text, strict=False)
        except (ValueError, RecursionError):
            return text


def _properties(tool: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Name of a tool, and the schemas of its arguments."""
    function = tool.get("function") or {}
    return function.get("name") or "", (function.get("parameters") or {}).get("properties") or {}


_FUNCTION = re.compile(r"<function=([^>\s]+)>(.*?)</function>", re.DOTALL)
_PARAMETER = re.compile(r"<parameter=([^>\s]+)>\n?(.*?)\n?</parameter>", re.DOTALL)
_BRACES = ("{", "[")
_BETWEEN = " \t\r\n,;"
_NAMED = re.compile(r"([\w.-]+)\s*(?:\[ARGS\]\s*)?(?=\{)")


def read_calls(block: str, opening: str = "") -> tuple[list[ToolCall], str]:
    """The calls at the beginning of a block, and what follows the last of them.

    >>> read_calls('{"name": "add", "arguments": {"a": 1}} so')
    ([ToolCall(name='add', arguments={'a': 1})], 'so')
    """
    calls: list[ToolCall] = []
    decoder = json.JSONDecoder(strict=False)  # models write line breaks into strings
    rest = block.strip(_BETWEEN)
    while rest:
        if opening and rest.startswith(opening):
            rest = rest[len(opening) :].lstrip()
        named = _NAMED.match(rest)
        try:
            value, end = decoder.raw_decode(rest, named.end() if named else 0)
        except (ValueError, RecursionError):
            break
        if named:
            value = {"name": named[1], "arguments": value}
        found = [_read_call(item) for item in (value if isinstance(value, list) else [value])]
        if not found or None in found:
            break
        calls += [call for call in found if call is not None]
        rest = rest[end:].strip(_BETWEEN)
    return calls, rest


def _read_call(value: Any) -> ToolCall | None:
    """A call, whichever words its family uses; None for any other value."""
    if isinstance(value, dict) and isinstance(value.get("function"), dict):
        value = value["function"]
    if not isinstance(value, dict):
        return None
    name = value.get("name", value.get("function"))
    given = [value[key] for key in ("arguments", "parameters", "args") if key in value]
    arguments = given[0] if given else {}
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}", strict=False)
        except (ValueError, RecursionError):
            return None
    if not isinstance(name, str) or not name or not isinstance(arguments, dict):
        return None
    return ToolCall(name, arguments)
