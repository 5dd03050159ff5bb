"""Which status the specification gives a request: Ollama's rules, written a second time.

Fuzzing compares the server with this file, so it shares no code with it: names, durations, options
and the order of refusals are read from the reference again. `allowed`
says which statuses are right for a body; a 5xx is among them only where the reference has it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jimoto.daemon.gotemplate import TemplateError, parse_template

LOCAL_HOST, LOCAL_NAMESPACE, TAG = "registry.ollama.ai", "library", "latest"

INT_OPTIONS = {
    "num_ctx", "num_batch", "num_gpu", "main_gpu", "num_thread", "draft_num_predict", "num_keep",
    "seed", "num_predict", "top_k", "repeat_last_n",
}  # fmt: skip
FLOAT_OPTIONS = {
    "top_p", "min_p", "typical_p", "temperature", "repeat_penalty", "presence_penalty",
    "frequency_penalty",
}  # fmt: skip

STRING, BOOL, INT, OBJECT, ANY = "string", "bool", "int", "object", "any"
INTS, IMAGES, MESSAGES, TOOLS, TEXT_MAP = "ints", "images", "messages", "tools", "text map"
COMMON = {
    "model": STRING, "stream": BOOL, "options": OBJECT, "truncate": BOOL, "shift": BOOL,
    "logprobs": BOOL, "top_logprobs": INT, "_debug_render_only": BOOL, "format": ANY,
    "keep_alive": ANY, "think": ANY,
}  # fmt: skip
FIELDS: dict[str, dict[str, str]] = {
    "/api/generate": COMMON
    | {"prompt": STRING, "suffix": STRING, "system": STRING, "template": STRING, "raw": BOOL}
    | {"context": INTS, "images": IMAGES},
    "/api/chat": COMMON | {"messages": MESSAGES, "tools": TOOLS},
    "/api/embed": {"model": STRING, "truncate": BOOL, "dimensions": INT, "options": OBJECT}
    | {"input": ANY, "keep_alive": ANY},
    "/api/embeddings": {"model": STRING, "prompt": STRING, "options": OBJECT, "keep_alive": ANY},
    "/api/show": {"model": STRING, "name": STRING, "verbose": BOOL, "system": STRING}
    | {"options": OBJECT},
    "/api/create": {
        "model": STRING, "name": STRING, "from": STRING, "files": TEXT_MAP, "adapters": TEXT_MAP,
        "template": STRING, "system": STRING, "parameters": OBJECT, "messages": MESSAGES,
        "license": ANY, "quantize": STRING, "renderer": STRING, "parser": STRING,
        "requires": STRING, "stream": BOOL,
    },
    "/api/copy": {"source": STRING, "destination": STRING},
    "/api/delete": {"model": STRING, "name": STRING},
    "/api/pull": {"model": STRING, "name": STRING, "insecure": BOOL, "stream": BOOL},
    "/api/push": {"model": STRING, "name": STRING, "insecure": BOOL, "stream": BOOL},
    "/v1/chat/completions": {
        "model": STRING, "messages": "list of objects", "stream": BOOL, "max_tokens": INT,
        "seed": INT, "stop": ANY, "temperature": ANY, "top_p": ANY, "frequency_penalty": ANY,
        "presence_penalty": ANY, "response_format": OBJECT, "tools": TOOLS, "reasoning": OBJECT,
        "reasoning_effort": STRING, "logprobs": BOOL, "top_logprobs": INT,
        "stream_options": OBJECT,
    },
    "/v1/completions": {
        "model": STRING, "prompt": ANY, "suffix": STRING, "stream": BOOL, "max_tokens": INT,
        "seed": INT, "stop": ANY, "temperature": ANY, "top_p": ANY, "frequency_penalty": ANY,
        "presence_penalty": ANY, "logprobs": INT, "stream_options": OBJECT,
    },
    "/v1/embeddings": {"model": STRING, "input": ANY, "dimensions": INT}
    | {"encoding_format": STRING},
}  # fmt: skip
MESSAGE = {
    "role": STRING, "content": STRING, "thinking": STRING, "images": IMAGES,
    "tool_calls": "calls", "tool_name": STRING, "tool_call_id": STRING,
}  # fmt: skip


@dataclass(frozen=True)
class Known:
    """A stored model, as far as the oracle must know it."""

    capabilities: frozenset[str]


Models = Mapping[str, Known]  # full name, lower case → model
Blobs = Mapping[str, bool]  # 64 hexadecimal digits → is it a sound GGUF?


# --- names ----------------------------------------------------------------------------


def full_name(text: str) -> str | None:
    """host/namespace/model:tag in lower case, or None where the text is not a name."""
    head, slash, last = text.rpartition("/")
    model, colon, tag = last.rpartition(":")
    if not colon:
        model, tag = last, TAG
    host, namespace = LOCAL_HOST, LOCAL_NAMESPACE
    if slash:
        before, slash, namespace = head.rpartition("/")
        host = before.split("://", 1)[-1] if slash else LOCAL_HOST
    if not (_part(host, 350, "_-.:") and _part(namespace, 80, "_-")):
        return None
    if not (_part(model, 80, "_-.") and _part(tag, 80, "_-.")):
        return None
    return f"{host}/{namespace}/{model}:{tag}".lower()


def _part(text: str, longest: int, others: str) -> bool:
    if not 1 <= len(text) <= longest or not text.isascii():
        return False
    return (text[0].isalnum() or text[0] == "_") and all(c.isalnum() or c in others for c in text)


def source_of(text: str) -> str:
    """'cloud', 'local', 'both' or '': where a name asks to be run."""
    before, colon, last = text.rpartition(":")
    if not (colon and before):
        return ""
    is_cloud = last == "cloud" or last.endswith("-cloud")
    if last == "local":
        inner = before.endswith(":cloud") or before.endswith("-cloud")
        return "both" if inner else "local"
    if is_cloud:
        return "both" if before.endswith(":local") else "cloud"
    return ""


def run_name(text: str) -> tuple[int, str]:
    """The status a name alone leads to (0: go on), and the full name."""
    source = source_of(text)
    if source == "both":
        return 400, ""
    full = full_name(text[: -len(":local")] if source == "local" else text)
    if full is None:
        return 400, ""
    return (403 if source == "cloud" else 0), full


def looked_up(text: str, models: Models) -> tuple[int, Known | None]:
    """(0, the model), or the status of the refusal."""
    status, full = run_name(text)
    if status:
        return status, None
    found = models.get(full)
    return (0, found) if found else (404, None)


# --- values ---------------------------------------------------------------------------


def is_of(kind: str, value: Any) -> bool:
    """Whether a JSON value decodes into that Go type; null always does."""
    if value is None or kind == ANY:
        return True
    if kind in (STRING, BOOL, OBJECT):
        return isinstance(value, {STRING: str, BOOL: bool, OBJECT: dict}[kind])
    if kind == INT:
        return type(value) is int and abs(value) < 2**63
    if kind == TEXT_MAP:
        return isinstance(value, dict) and all(isinstance(v, str) for v in value.values())
    if not isinstance(value, list):
        return False
    if kind == INTS:
        return all(type(item) is int and abs(item) < 2**63 for item in value)
    if kind == IMAGES:
        return all(isinstance(item, str) and _is_base64(item) for item in value)
    if not all(isinstance(item, dict) for item in value):
        return False
    if kind == MESSAGES:
        return all(is_of(k, item.get(name)) for item in value for name, k in MESSAGE.items())
    if kind in (TOOLS, "calls"):
        return all(_is_callable(item, "parameters" if kind == TOOLS else "arguments")
                   for item in value)  # fmt: skip
    return True


def _is_callable(item: dict[str, Any], key: str) -> bool:
    function = item.get("function")
    if not isinstance(function, dict | None):
        return False
    inner = (function or {}).get(key)
    if not isinstance(inner, dict | None) or not is_of(STRING, (function or {}).get("name")):
        return False
    return key != "parameters" or isinstance((inner or {}).get("properties"), dict | None)


def _is_base64(text: str) -> bool:
    if not re.fullmatch(r"[A-Za-z0-9+/]*={0,2}", text) or len(text) % 4:
        return False
    return base64.b64encode(base64.b64decode(text)).decode()[:-2] == text[:-2]


def bad_keep_alive(value: Any) -> bool:
    if value is None or value == "" or (isinstance(value, int | float) and value is not True
                                        and value is not False):  # fmt: skip
        return False
    if not isinstance(value, str):
        return True
    unit = r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)"
    return not re.fullmatch(rf"[+-]?(0|({unit})+)", value, re.ASCII)


def bad_think(value: Any) -> bool:
    return not (value is None or value is True or value is False
                or value in ("low", "medium", "high", "max"))  # fmt: skip


def bad_options(options: Any) -> bool:
    """Whether a known option has a wrong type: a 500, as in Ollama."""
    for name, value in (options or {}).items():
        if value is None:
            continue
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if name in INT_OPTIONS and not (is_number and abs(value) < 2**63):
            return True
        if name in FLOAT_OPTIONS and not (is_number and abs(value) < 3.5e38):
            return True
        if name == "use_mmap" and not isinstance(value, bool):
            return True
        is_texts = isinstance(value, list) and all(isinstance(item, str) for item in value)
        if name == "stop" and not is_texts:
            return True
    return False


def bad_format(value: Any) -> bool:
    return not (value is None or value in ("", "json") or isinstance(value, dict))


def bad_template(text: str) -> bool:
    """The one thing that is not written twice: 1,200 lines have their own tests."""
    try:
        parse_template(text)
    except TemplateError:
        return True
    return False


def ill_typed(path: str, body: dict[str, Any]) -> bool:
    return any(not is_of(kind, body.get(name)) for name, kind in FIELDS[path].items())


# --- endpoints ------------------------------------------------------------------------


def allowed(path: str, body: Any, models: Models) -> frozenset[int]:
    """The statuses that the specification allows for this JSON body."""
    if body is not None and not isinstance(body, dict):
        return frozenset({400})
    body = {key: value for key, value in (body or {}).items() if value is not None}
    if ill_typed(path, body):
        return frozenset({400})
    return frozenset(_RULES[path](body, models))


def _generate(body: dict[str, Any], models: Models) -> set[int]:
    # In the order of the reference, 1.3.
    if _undecodable(body):
        return {400}
    name = body.get("model", "")
    if not name.strip():
        return {404}
    status, model = looked_up(name, models)
    if model is None:
        return {status}
    if not body.get("prompt") and _is_zero(body.get("keep_alive")):
        return {200}
    if body.get("raw") and (body.get("template") or body.get("system") or body.get("context")):
        return {400}
    if body.get("think") and "thinking" not in model.capabilities:
        return {400}
    if "completion" not in model.capabilities or body.get("images"):
        return {400}
    if body.get("suffix") and "insert" not in model.capabilities:
        return {400}
    if bad_options(body.get("options")):
        return {500}
    if not body.get("prompt"):
        return {200}
    template = body.get("template", "")
    if (template and bad_template(template)) or bad_format(body.get("format")):
        return {500}
    return {200}


def _chat(body: dict[str, Any], models: Models) -> set[int]:
    if _undecodable(body):
        return {400}
    name = body.get("model", "")
    if not name.strip():
        return {400}
    status, model = looked_up(name, models)
    if model is None:
        return {status}
    messages = body.get("messages") or []
    if not messages and _is_zero(body.get("keep_alive")):
        return {200}
    if "completion" not in model.capabilities:
        return {400}
    if body.get("tools") and "tools" not in model.capabilities:
        return {400}
    if body.get("think") and "thinking" not in model.capabilities:
        return {400}
    if any(message.get("images") for message in messages):
        return {400}
    if bad_options(body.get("options")):
        return {500}
    return {500} if messages and bad_format(body.get("format")) else {200}


def _undecodable(body: dict[str, Any]) -> bool:
    top = body.get("top_logprobs", 0)
    return (bad_keep_alive(body.get("keep_alive")) or bad_think(body.get("think"))
            or not 0 <= top <= 20)  # fmt: skip


def _is_zero(value: Any) -> bool:
    if isinstance(value, str):
        if value in ("", "0", "+0", "-0"):
            return value != ""
        return all(float(number) == 0 for number, _ in re.findall(_DURATION, value))
    return value is not None and value == 0


_DURATION = r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)"


def _embed(body: dict[str, Any], models: Models) -> set[int]:
    refused = set()
    name = body.get("model", "")
    if bad_keep_alive(body.get("keep_alive")):
        refused.add(400)
    value = body.get("input", body.get("prompt", ""))
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        refused.add(400)
    if not name.strip():
        return refused | {404}
    status, model = looked_up(name, models)
    if model is None:
        return refused | {status}
    return refused or ({500} if bad_options(body.get("options")) else {200})


def _embeddings(body: dict[str, Any], models: Models) -> set[int]:
    if not body.get("model", "").strip():
        return {400}
    found = _embed(body, models)
    # "failures 500", says the reference; a client's own mistake may as well be told as one.
    return found | {500} if found & {400, 403} else found


def _named(body: dict[str, Any]) -> str:
    name = body.get("model") or body.get("name") or ""
    assert isinstance(name, str)
    return name


def _show(body: dict[str, Any], models: Models) -> set[int]:
    name = _named(body)
    if not name.strip():
        return {400}
    status, model = looked_up(name, models)
    return {status} if model is None else {200}


def _plain_name(text: str) -> str | None:
    """Copy, delete and create take a name apart, but run nothing."""
    source = source_of(text)
    if source == "both":
        return None
    return full_name(text[: -len(":local")] if source == "local" else text)


def _copy(body: dict[str, Any], models: Models) -> set[int]:
    source, target = body.get("source", ""), body.get("destination", "")
    if _plain_name(source) is None or _plain_name(target) is None:
        return {400}
    if source_of(target) == "cloud":
        return {403} if _plain_name(source) in models else {403, 404}  # it could never be run here
    if source_of(source) == "cloud":
        return {403, 404}
    return {200} if _plain_name(source) in models else {404}


def _delete(body: dict[str, Any], models: Models) -> set[int]:
    name = _named(body)
    full = _plain_name(name)
    if not name.strip() or full is None:
        return {400}
    if source_of(name) == "cloud":
        return {403, 404}
    return {200} if full in models else {404}


UNSUPPORTED = ("renderer", "parser", "draft_files", "draft_quantize", "info", "remote_host")
_DIGEST = re.compile(r"sha256[:-][0-9A-Fa-f]{64}\Z")


def _create(body: dict[str, Any], models: Models, blobs: Blobs | None = None) -> set[int]:
    blobs = blobs or {}
    # 1) what is wrong by itself
    name = _named(body)
    if source_of(name) == "cloud" and _plain_name(name) is not None:
        return {403, 400} if any(body.get(key) for key in UNSUPPORTED) else {403}
    if _plain_name(name) is None or any(body.get(key) for key in UNSUPPORTED):
        return {400}
    licenses = body.get("license")
    listed = [licenses] if isinstance(licenses, str) else licenses or []
    if not isinstance(listed, list) or not all(isinstance(text, str) for text in listed):
        return {400}
    if bad_template(body.get("template", "")):
        return {400}
    # 2) where the weights come from: of several faults, any may be told first
    faults: set[int] = set()
    if body.get("from"):
        status, model = looked_up(body["from"], models)
        faults |= {500} if status == 404 else {status} if model is None else set()
    elif body.get("files"):
        faults |= _bad_files(body["files"], blobs)
    else:
        return {400}
    if body.get("adapters"):  # no blob of the sandbox is an adapter
        faults |= {400} | _bad_files(body["adapters"], blobs)
    if body.get("quantize"):
        faults |= {500, 200}  # what becomes of it depends on the type
    return faults or {200}


def _bad_files(files: dict[str, str], blobs: Blobs) -> set[int]:
    for name, digest in files.items():
        parts = re.split(r"[/\\]", name)
        if "" in parts or ".." in parts or ":" in parts[0] or len(files) > 1:
            return {400}
        if not _DIGEST.match(digest):
            return {400}
        if digest[7:].lower() not in blobs:
            return {500}
        if not blobs[digest[7:].lower()]:
            return {400}
    return set()


def _pull(body: dict[str, Any], models: Models) -> set[int]:
    """No registry may be asked in a sandbox, so a right name fails: in the stream, or with 500."""
    name = _named(body)
    if not name.strip():
        return {400}
    status, _ = run_name(name)
    if status:
        return {status}
    if "://" in name or name.count("/") > 1:  # another registry, or http without `insecure`
        return {200, 400, 403, 500}
    return {500 if body.get("stream") is False else 200}


def _push(body: dict[str, Any], models: Models) -> set[int]:
    name = _named(body)
    if not name.strip():
        return {400}
    status, model = looked_up(name, models)
    return {status} if model is None else {501}  # refused clearly


# --- the OpenAI dialect ---------------------------------------------------------------


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _sampling_refused(body: dict[str, Any]) -> bool:
    for name in ("temperature", "top_p", "frequency_penalty", "presence_penalty"):
        value = body.get(name)
        if value is not None and not (_is_number(value) and abs(value) < 3.5e38):
            return True
    if any(abs(body.get(name) or 0) >= 2**63 for name in ("seed", "max_tokens")):
        return True  # no integer that Go could decode
    stop = body.get("stop")
    texts = [] if stop is None else [stop] if isinstance(stop, str) else stop
    return not isinstance(texts, list) or not all(isinstance(text, str) for text in texts)


EFFORTS = ("none", "minimal", "low", "medium", "high", "max", "xhigh", "ultra")


def _v1_chat(body: dict[str, Any], models: Models) -> set[int]:
    refused = {400} if _sampling_refused(body) or not 0 <= body.get("top_logprobs", 0) <= 20 else {
        *()}  # fmt: skip
    messages = body.get("messages") or []
    if not messages:
        return {400}
    effort = (body.get("reasoning") or {}).get("effort") or body.get("reasoning_effort")
    if effort and effort not in EFFORTS:
        return {400}
    shape = body.get("response_format") or {}
    if shape.get("type") == "json_schema":
        schema = shape.get("json_schema")
        if not isinstance(schema, dict) or not isinstance(schema.get("schema"), dict):
            return {400}
    if not all(_v1_message(message) for message in messages):
        return {400}
    if not any(_parts(message) for message in messages):  # content lists without parts
        return {400}
    has_image = any(isinstance(m.get("content"), list) and any(p.get("type") == "image_url"
                    for p in m["content"]) for m in messages)  # fmt: skip
    name = body.get("model", "")
    if not name.strip():
        return {400, 404}
    status, model = looked_up(name, models)
    if model is None:
        return refused | {status}
    if "completion" not in model.capabilities or has_image:
        return {400}
    if body.get("tools") and "tools" not in model.capabilities:
        return {400}
    if effort not in (None, "", "none") and "thinking" not in model.capabilities:
        return {400}
    return refused or {200}


def _parts(message: dict[str, Any]) -> bool:
    return message.get("content") != []


def _v1_message(message: dict[str, Any]) -> bool:
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        return False
    for call in calls:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            return False
        try:
            arguments = json.loads(function.get("arguments") or "{}")
        except (TypeError, ValueError):
            return False
        if not isinstance(arguments, dict):
            return False
    if not isinstance(message.get("role"), str | None):
        return False
    content = message.get("content")
    if content is None:
        return bool(calls)
    if isinstance(content, list):
        return all(_v1_part(part) for part in content)
    return isinstance(content, str)


def _v1_part(part: Any) -> bool:
    if not isinstance(part, dict):
        return False
    if part.get("type") == "text":
        return isinstance(part.get("text"), str)
    return part.get("type") == "image_url" and part.get("image_url") == DATA_IMAGE


DATA_IMAGE = {"url": "data:image/png;base64,aGk="}


def _v1_completions(body: dict[str, Any], models: Models) -> set[int]:
    refused = {400} if _sampling_refused(body) or not 0 <= body.get("logprobs", 0) <= 20 else set()
    prompt = body.get("prompt")
    if not isinstance(prompt, str):
        return {400}
    name = body.get("model", "")
    if not name.strip():
        return refused | {404}
    status, model = looked_up(name, models)
    if model is None:
        return refused | {status}
    if not prompt or "completion" not in model.capabilities:
        return {400}
    if body.get("suffix") and "insert" not in model.capabilities:
        return {400}
    return refused or {200}


def _v1_embeddings(body: dict[str, Any], models: Models) -> set[int]:
    if body.get("input") in (None, "", []):
        return {400}
    found = _embed(body, models)
    encoding = body.get("encoding_format", "float").lower()
    return found if encoding in ("float", "base64", "") else found | {400}


_RULES = {
    "/api/generate": _generate,
    "/api/chat": _chat,
    "/api/embed": _embed,
    "/api/embeddings": _embeddings,
    "/api/show": _show,
    "/api/create": _create,
    "/api/copy": _copy,
    "/api/delete": _delete,
    "/api/pull": _pull,
    "/api/push": _push,
    "/v1/chat/completions": _v1_chat,
    "/v1/completions": _v1_completions,
    "/v1/embeddings": _v1_embeddings,
}


def create_allowed(body: Any, models: Models, blobs: Blobs) -> frozenset[int]:
    """The same for create, where it matters which blobs are there."""
    if not isinstance(body, dict):
        return allowed("/api/create", body, models)
    body = {key: value for key, value in body.items() if value is not None}
    if ill_typed("/api/create", body):
        return frozenset({400})
    return frozenset(_create(body, models, blobs))
