"""The wire: JSON bodies in, JSON values out, in Ollama's own words.

Pure functions over decoded JSON. Nothing here knows HTTP routes, models or files; an `ApiError`
carries the status code that a route will answer with. The wire's nanoseconds become seconds here,
and only here.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from jimoto.daemon.options import OPTION_KINDS, Options

Json = dict[str, Any]


class ApiError(Exception):
    """An answer that is not 200: a status and Ollama's short text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


# --- reading a body -------------------------------------------------------------------


def _is_tool(value: Any) -> bool:
    return _has_function(value, "parameters") and isinstance(
        ((value.get("function") or {}).get("parameters") or {}).get("properties") or {}, dict
    )


def _is_tool_call(value: Any) -> bool:
    """Arguments are an object here; only OpenAI's dialect has them as text."""
    return _has_function(value, "arguments")


def _has_function(value: Any, key: str) -> bool:
    """An object whose function, where it has one, has a name and an object under `key`."""
    function = value.get("function") if isinstance(value, dict) else ()
    if function is None:
        return True
    return (
        isinstance(function, dict)
        and isinstance(function.get(key), dict | None)
        and isinstance(function.get("name"), str | None)
    )


def _is_base64(value: Any) -> bool:
    try:
        return isinstance(value, str) and base64.b64decode(value, validate=True) is not None
    except ValueError:
        return False


def _is_int64(value: Any) -> bool:
    return type(value) is int and -(2**63) <= value < 2**63


_GO_KINDS: dict[str, Callable[[Any], bool]] = {
    "string": lambda v: isinstance(v, str),
    "bool": lambda v: isinstance(v, bool),
    "int": _is_int64,
    "[]int": lambda v: isinstance(v, list) and all(map(_is_int64, v)),
    "[]string": lambda v: isinstance(v, list) and all(isinstance(i, str) for i in v),
    "map[string]interface {}": lambda v: isinstance(v, dict),
    "map[string]string": lambda v: (
        isinstance(v, dict) and all(isinstance(i, str) for i in v.values())
    ),
    "[]api.Message": lambda v: isinstance(v, list) and all(isinstance(i, dict) for i in v),
    "api.Tools": lambda v: isinstance(v, list) and all(map(_is_tool, v)),
    "[]api.ToolCall": lambda v: isinstance(v, list) and all(map(_is_tool_call, v)),
    "[]api.ImageData": lambda v: isinstance(v, list) and all(map(_is_base64, v)),
    "any": lambda v: True,
}

MESSAGE_FIELDS = {
    "role": "string",
    "content": "string",
    "thinking": "string",
    "images": "[]api.ImageData",
    "tool_calls": "[]api.ToolCall",
    "tool_name": "string",
    "tool_call_id": "string",
}

_COMMON_FIELDS = {
    "model": "string",
    "stream": "bool",
    "format": "any",
    "keep_alive": "any",
    "options": "map[string]interface {}",
    "think": "any",
    "truncate": "bool",
    "shift": "bool",
    "logprobs": "bool",
    "top_logprobs": "int",
    "_debug_render_only": "bool",
}

GENERATE_FIELDS = _COMMON_FIELDS | {
    "prompt": "string",
    "suffix": "string",
    "system": "string",
    "template": "string",
    "context": "[]int",
    "raw": "bool",
    "images": "[]api.ImageData",
}

CHAT_FIELDS = _COMMON_FIELDS | {"messages": "[]api.Message", "tools": "api.Tools"}

SHOW_FIELDS = {
    "model": "string",
    "name": "string",
    "verbose": "bool",
    "system": "string",
    "options": "map[string]interface {}",
}

CREATE_FIELDS = {
    "model": "string",
    "name": "string",
    "from": "string",
    "files": "map[string]string",
    "adapters": "map[string]string",
    "template": "string",
    "system": "string",
    "parameters": "map[string]interface {}",
    "messages": "[]api.Message",
    "license": "any",
    "quantize": "string",
    "quantization": "string",
    "renderer": "string",
    "parser": "string",
    "requires": "string",
    "draft_files": "map[string]string",
    "draft_quantize": "string",
    "info": "map[string]interface {}",
    "remote_host": "string",
    "stream": "bool",
}

COPY_FIELDS = {"source": "string", "destination": "string"}
DELETE_FIELDS = {"model": "string", "name": "string"}
PULL_FIELDS = DELETE_FIELDS | {"insecure": "bool", "stream": "bool"}


def read_body(raw: bytes, fields: dict[str, str]) -> Json:
    """The fields of a JSON body; `null` and absent are the same, unknown keys are left out.

    >>> read_body(b'{"model": "mame", "stream": null, "x": 1}', GENERATE_FIELDS)
    {'model': 'mame'}
    """
    if not raw.strip():
        raise ApiError(400, "missing request body")
    body = _decode(raw)
    if body is None:
        return {}
    if not isinstance(body, dict):
        raise ApiError(400, f"json: cannot unmarshal {_go_kind(body)} into a request object")
    return _checked(body, fields)


def read_messages(messages: list[Json]) -> list[Json]:
    """Messages with lower-case roles and a `content` in each: clients leave empty ones out."""
    checked = [_checked(message, MESSAGE_FIELDS, "messages.") for message in messages]
    return [{"content": "", **m, "role": m.get("role", "").lower()} for m in checked]


def _decode(raw: bytes) -> Any:
    text = raw.decode("utf-8", errors="replace").lstrip(" \t\r\n")
    try:
        # Like Go's decoder: the first JSON value counts, what follows it does not.
        body, _ = json.JSONDecoder(parse_constant=_refuse_constant).raw_decode(text)
    except json.JSONDecodeError as error:
        if error.pos >= len(text):
            raise ApiError(400, "unexpected EOF") from None
        found = text[error.pos]
        raise ApiError(400, f"invalid character {found!r} at offset {error.pos}") from None
    except (RecursionError, ValueError):  # nested too deep, or a number of thousands of digits
        raise ApiError(400, "invalid JSON: nested too deep, or a number out of range") from None
    return _without_surrogates(body) if b"\\u" in raw else body


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)  # NaN and Infinity are Python's, not JSON's


def _without_surrogates(value: Any) -> Any:
    """Half an emoji ("\\ud83d") cannot be written as UTF-8 again; it becomes U+FFFD, as in Go."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_without_surrogates(k): _without_surrogates(v) for k, v in value.items()}
    return value


def _checked(body: Json, fields: dict[str, str], prefix: str = "") -> Json:
    known = {key: body[key] for key in fields if body.get(key) is not None}
    for key, value in known.items():
        if not _GO_KINDS[fields[key]](value):
            where = f"{prefix}{key} of type {fields[key]}"
            raise ApiError(400, f"json: cannot unmarshal {_go_kind(value)} into field {where}")
    return known


def _go_kind(value: Any) -> str:
    kinds = ((bool, "bool"), (str, "string"), (list, "array"), (dict, "object"))
    return next((name for kind, name in kinds if isinstance(value, kind)), "number")


# --- single fields --------------------------------------------------------------------

# Possessive: what digits took they keep, or a megabyte of zeros would be tried in all its parts.
_NUMBER = r"[0-9]++\.?[0-9]*+|\.[0-9]++"
_DURATION_PART = re.compile(rf"({_NUMBER})(ns|us|µs|μs|ms|s|m|h)")
_DURATION = re.compile(rf"(?:{_DURATION_PART.pattern})++")
_UNIT_SECONDS = {
    "ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0
}  # fmt: skip
_THINK_LEVELS = ("low", "medium", "high", "max")


def parse_keep_alive(value: Any) -> float | None:
    """Seconds; infinity for a negative value, None for 'as the server thinks best'.

    >>> [parse_keep_alive(value) for value in ("1m30s", 0, "-1m", None)]
    [90.0, 0.0, inf, None]
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ApiError(400, f"Unsupported type: '{_go_kind(value)}'")
    try:
        seconds = _parse_duration(value) if isinstance(value, str) else float(value)
    except OverflowError:  # an integer of hundreds of digits
        raise ApiError(400, "time: invalid duration") from None
    return float("inf") if seconds < 0 else seconds


def _parse_duration(text: str) -> float:
    """A Go duration: `300ms`, `1.5h`, `5m0s`, `-1m`, `0`; any other bare number is an error."""
    unsigned = text[1:] if text[:1] in ("-", "+") else text
    sign = -1.0 if text.startswith("-") else 1.0
    if unsigned == "0":
        return 0.0
    if not _DURATION.fullmatch(unsigned):
        bare = re.fullmatch(_NUMBER, unsigned)
        reason = "missing unit in duration" if bare else "invalid duration"
        raise ApiError(400, f"time: {reason} {json.dumps(text, ensure_ascii=False)}")
    parts = _DURATION_PART.finditer(unsigned)
    return sign * sum(float(part[1]) * _UNIT_SECONDS[part[2]] for part in parts)


def parse_think(value: Any) -> bool | str | None:
    """True, False, a level, or None where the request says nothing."""
    if value is None or isinstance(value, bool):
        return value
    if value in _THINK_LEVELS if isinstance(value, str) else False:
        return str(value)
    shown = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else _go_kind(value)
    accepted = '"high", "medium", "low", "max", true, or false'
    raise ApiError(400, f"invalid think value: {shown} (must be {accepted})")


def parse_format(value: Any) -> Json | None:
    """A JSON Schema that the answer must follow, or None; `"json"` allows any value."""
    if value is None or value == "":
        return None
    if value == "json":
        return {}
    if isinstance(value, dict):
        return value
    shown = json.dumps(value, ensure_ascii=False)
    raise ApiError(500, f'invalid format: {shown}; expected "json" or a valid JSON Schema object')


# --- options --------------------------------------------------------------------------

_GO_TYPES = {"int": "integer", "float": "float32", "bool": "boolean", "string": "array"}


def parse_options(*layers: Json) -> Options:
    """Options from several objects, later ones winning: the model's parameters, then the request's.

    >>> options = parse_options({"stop": ["a"], "seed": 1}, {"seed": 2.9, "unknown": True})
    >>> options.seed, options.stop
    (2, ('a',))
    """
    values: Json = {}
    for layer in layers:
        for key, value in layer.items():
            if key in OPTION_KINDS and value is not None:
                values[key] = _typed_option(key, _GO_TYPES[OPTION_KINDS[key]], value)
    return Options(**values)


def _typed_option(key: str, kind: str, value: Any) -> Any:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "integer" and is_number and abs(value) < 2**63:
        return int(value)  # JSON knows no integers: 4.0 is 4
    if kind == "float32" and is_number and abs(value) < 3.5e38:
        return float(value)
    if kind == "boolean" and isinstance(value, bool):
        return value
    if kind == "array" and isinstance(value, list):
        if not all(isinstance(item, str) for item in value):
            raise ApiError(500, f'option "{key}" must be of an array of strings')
        return tuple(value)
    raise ApiError(500, f'option "{key}" must be of type {kind}')


# --- writing --------------------------------------------------------------------------


def to_json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def to_nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)


def format_utc(wall_ns: int) -> str:
    """RFC 3339 in UTC with as many of nine fraction digits as are needed, as Go prints it.

    >>> format_utc(1_700_000_000_120_000_000)
    '2023-11-14T22:13:20.12Z'
    """
    seconds, fraction = divmod(wall_ns, 10**9)
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S") + (
        f"{_fraction(fraction)}Z"
    )


def format_local(wall_ns: int) -> str:
    """The same in the zone of this machine: `2026-11-22T03:00:00.5+09:00`."""
    seconds, fraction = divmod(wall_ns, 10**9)
    local = datetime.fromtimestamp(seconds, UTC).astimezone()
    zone = local.strftime("%z")
    return local.strftime("%Y-%m-%dT%H:%M:%S") + f"{_fraction(fraction)}{zone[:3]}:{zone[3:5]}"


def _fraction(nanoseconds: int) -> str:
    return f".{nanoseconds:09d}".rstrip("0").rstrip(".")


def without_zeros(metrics: dict[str, int]) -> dict[str, int]:
    """Ollama leaves out a counter that is zero."""
    return {key: value for key, value in metrics.items() if value}
