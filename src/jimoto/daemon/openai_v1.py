"""OpenAI's dialect: its requests become Ollama's, Ollama's answers become its.

Pure functions over decoded JSON: `/v1` is a translation of `/api`, in both directions, and knows
neither routes nor models. Where the two differ (defaults of 1.0, arguments as text), real Ollama's
translation decides.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from typing import Any

from jimoto.daemon.names import InvalidName, parse_name
from jimoto.daemon.vectors import to_base64
from jimoto.daemon.wire import ApiError, Json, parse_options

_SAMPLING_FIELDS = {
    "model": "string",
    "stream": "bool",
    "stream_options": "map[string]interface {}",
    "max_tokens": "int",
    "seed": "int",
    "stop": "any",
    "temperature": "any",
    "top_p": "any",
    "frequency_penalty": "any",
    "presence_penalty": "any",
}
CHAT_FIELDS = _SAMPLING_FIELDS | {
    "messages": "[]api.Message",
    "response_format": "map[string]interface {}",
    "tools": "api.Tools",
    "reasoning": "map[string]interface {}",
    "reasoning_effort": "string",
    "logprobs": "bool",
    "top_logprobs": "int",
}
COMPLETION_FIELDS = _SAMPLING_FIELDS | {"prompt": "any", "suffix": "string", "logprobs": "int"}
EMBEDDING_FIELDS = {
    "model": "string",
    "input": "any",
    "dimensions": "int",
    "encoding_format": "string",
}

_EFFORTS: dict[str, bool | str] = {
    "none": False, "minimal": "low", "low": "low", "medium": "medium", "high": "high",
    "max": "max", "xhigh": "max", "ultra": "max",
}  # fmt: skip
_IMAGE_TYPES = ("", "image/jpeg", "image/jpg", "image/png", "image/webp")
_FINGERPRINT = "fp_ollama"


def error(status: int, text: str) -> Json:
    """The body of an answer that is not 200."""
    kinds = {400: "invalid_request_error", 404: "not_found_error"}
    kind = kinds.get(status, "api_error")
    return {"error": {"message": text, "type": kind, "param": None, "code": None}}


# --- requests -------------------------------------------------------------------------


def chat_request(body: Json) -> Json:
    """The fields of `/api/chat` for those of `/v1/chat/completions`; raises ApiError."""
    given = body.get("messages") or []
    names = _call_names(given)
    messages = [part for message in given for part in _messages(message, names)]
    if not messages:  # also where every content is a list without parts
        raise ApiError(400, "[] is too short - 'messages'")
    request = {
        "model": body.get("model", ""),
        "messages": messages,
        "stream": body.get("stream", False),
        "options": _options(body),
    }
    if (schema := _format(body.get("response_format"))) is not None:
        request["format"] = schema
    if (think := _think(body)) is not None:
        request["think"] = think
    kept = ("tools", "logprobs", "top_logprobs")
    return request | {key: body[key] for key in kept if body.get(key)}


def completion_request(body: Json) -> Json:
    """The fields of `/api/generate` for those of `/v1/completions`; raises ApiError."""
    prompt = body.get("prompt")
    if not isinstance(prompt, str):
        raise ApiError(400, "prompt must be a string")
    request = {
        "model": body.get("model", ""),
        "prompt": prompt,
        "stream": body.get("stream", False),
        "options": _options(body),
    }
    if body.get("suffix"):
        request["suffix"] = body["suffix"]
    if body.get("logprobs"):
        request |= {"logprobs": True, "top_logprobs": body["logprobs"]}
    return request


def wants_usage(body: Json) -> bool:
    """Whether a stream ends with a chunk that counts tokens."""
    return bool((body.get("stream_options") or {}).get("include_usage"))


def _options(body: Json) -> Json:
    # 1.0 where a request says nothing: the model's own parameters do not count here.
    options: Json = {"temperature": 1.0, "top_p": 1.0}
    for key in ("temperature", "top_p", "frequency_penalty", "presence_penalty"):
        value = body.get(key)
        if value is not None:
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ApiError(400, f"{key} must be a number")
            options[key] = value
    if "max_tokens" in body:
        options["num_predict"] = body["max_tokens"]
    if "seed" in body:
        options["seed"] = body["seed"]
    if body.get("stop") is not None:
        options["stop"] = _stop(body["stop"])
    try:
        parse_options(options)
    except ApiError as error:  # a number that no float32 holds: here the request's own fault
        raise ApiError(400, error.text) from None
    return options


def _stop(value: Any) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ApiError(400, "invalid type for 'stop' field")
    return texts


def _format(value: Json | None) -> Any:
    kind = value.get("type") if value else None
    if kind == "json_object":
        return "json"
    if value and kind == "json_schema":
        schema = value.get("json_schema")
        found = schema.get("schema") if isinstance(schema, dict) else None
        if not isinstance(found, dict):
            raise ApiError(400, "response_format.json_schema.schema must be an object")
        return found
    return None


def _think(body: Json) -> bool | str | None:
    effort = (body.get("reasoning") or {}).get("effort") or body.get("reasoning_effort")
    if not effort:
        return None
    if not isinstance(effort, str) or effort not in _EFFORTS:
        accepted = ", ".join(f'"{name}"' for name in _EFFORTS)
        shown = json.dumps(effort, ensure_ascii=False)
        raise ApiError(400, f"invalid reasoning value: {shown} (must be one of {accepted})")
    return _EFFORTS[effort]


def _call_names(messages: list[Json]) -> dict[str, str]:
    """Which tool each call id belongs to: a result names only the id."""
    names: dict[str, str] = {}
    for message in messages:
        for call in _calls(message):
            if isinstance(call.get("id"), str):
                names[call["id"]] = call["function"]["name"]
    return names


def _messages(message: Json, names: dict[str, str]) -> Iterator[Json]:
    """One message as Ollama's: each part of a content that is a list becomes one of its own."""
    head: Json = {"role": message.get("role") or ""}
    content, calls = message.get("content"), _calls(message)
    if isinstance(message.get("reasoning"), str):
        head["thinking"] = message["reasoning"]
    if message.get("tool_call_id"):
        call_id = str(message["tool_call_id"])
        head |= {
            "tool_call_id": call_id,
            "tool_name": message.get("name") or names.get(call_id, ""),
        }
    if calls:
        head["tool_calls"] = [_call_from(call) for call in calls]
    if content is None and not calls:
        raise ApiError(400, "invalid message content type: <nil>")
    if not isinstance(content, list):
        if content is not None and not isinstance(content, str):
            raise ApiError(400, f"invalid message content type: {type(content).__name__}")
        yield {**head, "content": content or ""}
        return
    for part in content:
        yield {**head, **_part(part)}


def _part(part: Any) -> Json:
    if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str):
        return {"content": part["text"]}
    if isinstance(part, dict) and part.get("type") == "image_url":
        address = part.get("image_url")
        address = address.get("url") if isinstance(address, dict) else address
        return {"content": "", "images": [_image(address)]}
    raise ApiError(400, "invalid message format")


def _image(address: Any) -> str:
    """The base64 of a data address; nothing is fetched from anywhere."""
    head, comma, data = str(address).partition(";base64,")
    if not comma or head.removeprefix("data:") not in _IMAGE_TYPES or not head.startswith("data:"):
        raise ApiError(400, "invalid image input")
    try:
        base64.b64decode(data, validate=True)
    except binascii.Error:
        raise ApiError(400, "invalid message format") from None
    return data


def _calls(message: Json) -> list[Json]:
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise ApiError(400, "invalid tool call")
    for call in calls:
        function = call.get("function") if isinstance(call, dict) else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise ApiError(400, "invalid tool call")
    return calls


def _call_from(call: Json) -> Json:
    try:
        arguments = json.loads(call["function"].get("arguments") or "{}")
    except (TypeError, ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        raise ApiError(400, "invalid tool call arguments")
    known = {"id": call["id"]} if isinstance(call.get("id"), str) else {}
    return {**known, "function": {"name": call["function"]["name"], "arguments": arguments}}


# --- answers --------------------------------------------------------------------------


def chat_answer(answer: Json, ident: str, created: int) -> Json:
    """A `chat.completion` for the one object of `/api/chat`."""
    message = answer["message"]
    calls = _calls_to(message)
    shown: Json = {"role": "assistant", "content": message["content"]}
    if message.get("thinking"):
        shown["reasoning"] = message["thinking"]
    if calls:
        shown["tool_calls"] = calls
    choice: Json = {"index": 0, "message": shown, "finish_reason": _reason(answer, bool(calls))}
    choice["logprobs"] = {"content": answer["logprobs"]} if answer.get("logprobs") else None
    head = _head("chat.completion", answer, ident, created)
    return {**head, "choices": [choice], "usage": usage(answer)}


class ChatStream:
    """Turns the chunks of one `/api/chat` stream into `chat.completion.chunk` objects."""

    def __init__(self, ident: str, created: int, with_usage: bool) -> None:
        self._ident, self._created, self._with_usage = ident, created, with_usage
        self._began = False
        self._called = False

    def feed(self, chunk: Json) -> Iterator[Json]:
        """The objects for one chunk; reasoning, text and calls each have one of their own."""
        message = chunk["message"]
        logprobs = {"content": chunk["logprobs"]} if chunk.get("logprobs") else None
        if message.get("thinking"):
            yield self._chunk(chunk, {"reasoning": message["thinking"]}, logprobs)
            logprobs = None
        if message.get("content"):
            yield self._chunk(chunk, {"content": message["content"]}, logprobs)
            logprobs = None
        if calls := _calls_to(message):
            self._called = True
            yield self._chunk(chunk, {"tool_calls": calls}, logprobs)
            logprobs = None
        if chunk["done"]:
            yield self._chunk(chunk, {}, logprobs, _reason(chunk, self._called))
            if self._with_usage:
                head = _head("chat.completion.chunk", chunk, self._ident, self._created)
                yield {**head, "choices": [], "usage": usage(chunk)}

    def _chunk(
        self, chunk: Json, delta: Json, logprobs: Json | None, reason: str | None = None
    ) -> Json:
        if not self._began:  # the role stands in the first delta only
            delta = {"role": "assistant", "content": "", **delta}
            self._began = True
        choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": reason}
        head = _head("chat.completion.chunk", chunk, self._ident, self._created)
        return {**head, "choices": [choice]}


def completion_answer(answer: Json, ident: str, created: int) -> Json:
    """A `text_completion` for the one object of `/api/generate`."""
    choice = _completion_choice(answer, answer["response"], _reason(answer))
    head = _head("text_completion", answer, ident, created)
    return {**head, "choices": [choice], "usage": usage(answer)}


class CompletionStream:
    """Turns the chunks of one `/api/generate` stream into `text_completion` objects."""

    def __init__(self, ident: str, created: int, with_usage: bool) -> None:
        self._ident, self._created, self._with_usage = ident, created, with_usage

    def feed(self, chunk: Json) -> Iterator[Json]:
        """The objects for one chunk; what was only thought is not shown in this dialect."""
        head = _head("text_completion", chunk, self._ident, self._created)
        reason = _reason(chunk) if chunk["done"] else None
        if chunk["response"] or reason or chunk.get("logprobs"):
            yield {**head, "choices": [_completion_choice(chunk, chunk["response"], reason)]}
        if chunk["done"] and self._with_usage:
            yield {**head, "choices": [], "usage": usage(chunk)}


def _completion_choice(answer: Json, text: str, reason: str | None) -> Json:
    choice: Json = {"index": 0, "text": text, "finish_reason": reason, "logprobs": None}
    if found := answer.get("logprobs"):
        offsets = [sum(len(item["token"]) for item in found[:at]) for at in range(len(found))]
        choice["logprobs"] = {
            "tokens": [item["token"] for item in found],
            "token_logprobs": [item["logprob"] for item in found],
            "top_logprobs": [
                {top["token"]: top["logprob"] for top in item.get("top_logprobs") or ()}
                for item in found
            ],
            "text_offset": offsets,
        }
    return choice


def usage(answer: Json) -> Json:
    """Tokens read and written; a figure that Ollama leaves out is zero."""
    read, written = answer.get("prompt_eval_count", 0), answer.get("eval_count", 0)
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def embedding_list(
    model: str, vectors: list[list[float]], prompt_tokens: int, encoding: str
) -> Json:
    """The list of vectors, as numbers or (`encoding` 'base64') as packed 32-bit floats."""
    packed = encoding.lower() == "base64"
    data = [
        {"object": "embedding", "embedding": to_base64(v) if packed else v, "index": index}
        for index, v in enumerate(vectors)
    ]
    counts = {"prompt_tokens": prompt_tokens, "total_tokens": prompt_tokens}
    return {"object": "list", "data": data, "model": model, "usage": counts}


def model_item(name: str, modified_seconds: int) -> Json:
    """One entry of `/v1/models`; its owner is the namespace of the name."""
    try:
        owner = parse_name(name).namespace
    except InvalidName:
        owner = ""
    return {"id": name, "object": "model", "created": modified_seconds, "owned_by": owner}


def _calls_to(message: Json) -> list[Json]:
    """Tool calls with their arguments as JSON text."""
    return [
        {
            "id": call.get("id") or f"call_{index}",
            "index": call["function"].get("index", index),
            "type": "function",
            "function": {
                "name": call["function"]["name"],
                "arguments": json.dumps(call["function"]["arguments"], ensure_ascii=False),
            },
        }
        for index, call in enumerate(message.get("tool_calls") or ())
    ]


def _reason(answer: Json, called: bool = False) -> str | None:
    return "tool_calls" if called else answer.get("done_reason") or None


def _head(kind: str, answer: Json, ident: str, created: int) -> Json:
    return {
        "id": ident,
        "object": kind,
        "created": created,
        "model": answer["model"],
        "system_fingerprint": _FINGERPRINT,
    }
