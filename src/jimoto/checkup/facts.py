"""What a check-up found, as plain values; and back from JSON that anybody may have written.

Every field is a number, a truth value, a word of a fixed list, or the public name of a product.
There is no field for a person, a computer's name, an address or a path, so none can be told.
"""

from __future__ import annotations

import json
import re
import typing
from dataclasses import asdict, dataclass, field, fields
from typing import Any

FORMAT = "jimoto-doctor"
VERSION = 1
TEXT_LIMIT = 120
_UNPRINTABLE = re.compile(r"[^\S ]|[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069]")


class NotFacts(ValueError):
    """This is no report; the text is a cause of `ReportBroken`."""


@dataclass(frozen=True)
class Facts:
    """One computer, at one moment. None: the system did not say."""

    code: str = ""  # drawn anew each time: the same on the screen and in the file
    date: str = ""
    jimoto: str = ""
    system: str = ""
    arch: str = ""
    container: bool = False
    processor: str = ""
    n_core: int = 0
    memory_bytes: int = 0
    free_bytes: int = 0
    disk_free_bytes: int | None = None
    gpus: list[str] = field(default_factory=list)
    gpu_memory_bytes: int = 0
    gpu_hidden: bool = False  # there is a card, but it cannot be asked
    python: str = ""
    missing: list[str] = field(default_factory=list)  # packages of the kit
    versions: dict[str, str] = field(default_factory=dict)  # package → version
    engine: str = "unknown"  # loads, missing, broken, unknown
    mame: str = "unknown"  # whole, missing, broken
    ollama_installed: bool = False
    server: str = "none"  # ollama, embedded, none
    server_version: str = ""
    models: list[str] = field(default_factory=list)  # mame, and what the catalogue knows
    n_other_models: int = 0  # the names of the others are the learner's own
    host_silent: bool = False  # OLLAMA_HOST is set, and nothing answers there
    ports: dict[str, str] = field(default_factory=dict)  # port → free, ollama, jimoto, other
    proxies: list[str] = field(default_factory=list)  # settings that would catch loopback
    writable: dict[str, bool] = field(default_factory=dict)  # data, lessons, cache
    network: dict[str, bool] = field(default_factory=dict)  # site → reached; only with --online
    late: list[str] = field(default_factory=list)  # what did not answer in time

    def as_json(self) -> dict[str, Any]:
        return {"format": FORMAT, "version": VERSION, **asdict(self)}


def parse_facts(raw: bytes) -> Facts:
    """A report from its bytes, in any encoding that a shell's `>` writes; raises NotFacts.

    What it holds beyond the known fields is dropped.
    """
    value = _parse(raw)
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise NotFacts("other")
    if type(value.get("version")) is not int or value["version"] < 1:
        raise NotFacts("other")
    if value["version"] > VERSION:
        raise NotFacts("newer")
    hints = typing.get_type_hints(Facts)
    known = {}
    for one in fields(Facts):
        if one.name not in value or not _fits(value[one.name], hints[one.name]):
            raise NotFacts("other")
        known[one.name] = value[one.name]
    return Facts(**known)


def _parse(raw: bytes) -> Any:
    if not raw.strip():
        raise NotFacts("cut")
    # PowerShell 5 writes UTF-16 with a mark, other shells what they are given: ASCII.
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        raise NotFacts("other") from None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise NotFacts("cut" if text.lstrip().startswith("{") else "other") from None


def _fits(value: Any, hint: Any) -> bool:
    """Is a JSON value of this type? True is no number, and no text is endless."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is list:
        return (
            isinstance(value, list)
            and len(value) <= 100
            and all(_fits(item, inner[0]) for item in value)
        )
    if origin is dict:
        return (
            isinstance(value, dict)
            and len(value) <= 100
            and all(_fits(key, str) and _fits(item, inner[1]) for key, item in value.items())
        )
    if inner:  # int | None
        return any(_fits(value, part) for part in inner)
    if hint is type(None):
        return value is None
    if hint is int:
        return type(value) is int and 0 <= value < 2**60
    if hint is str:
        return isinstance(value, str) and value == clean(value)
    return type(value) is hint


def clean(text: str) -> str:
    """One short line without control characters: what a system says of itself is only mostly text.

    >>> clean("  Intel(R)\\x00 Core \\n i5 ")
    'Intel(R) Core i5'
    """
    return " ".join(_UNPRINTABLE.sub(" ", text).split())[:TEXT_LIMIT].strip()
