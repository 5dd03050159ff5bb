"""Models as the API speaks of them: listed, shown, created, copied and deleted.

It knows what the layers of a manifest mean and what a GGUF says, and turns them into the JSON that
Ollama answers with. It does not know HTTP routes, sampling or processes. Calls block; the server
runs them in a thread.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jimoto.daemon.gguf_check import BrokenGguf, Gguf, check_gguf
from jimoto.daemon.names import InvalidName, ModelName, parse_name, split_source
from jimoto.daemon.store import (
    CONFIG_TYPE,
    Entry,
    InvalidDigest,
    Layer,
    Manifest,
    Store,
    parse_digest,
)
from jimoto.daemon.thinking import template_thinks
from jimoto.daemon.wire import ApiError, Json, format_local, read_messages, to_json

_IMAGE = "application/vnd.ollama.image."
MODEL, SYSTEM, LICENSE = _IMAGE + "model", _IMAGE + "system", _IMAGE + "license"
PARAMS, MESSAGES = _IMAGE + "params", _IMAGE + "messages"
ADAPTER = _IMAGE + "adapter"

# What real Ollama does with a create request and this server does not do yet.
_NOT_YET = (
    "template", "adapters", "quantize", "quantization", "renderer", "parser", "requires",
    "draft_files", "draft_quantize", "info", "remote_host",
)  # fmt: skip


@dataclass(frozen=True)
class Model:
    """A stored model with everything that a request needs to know about it."""

    entry: Entry
    config: Json
    weights: Path
    parent: str
    gguf: Gguf
    system: str
    licenses: tuple[str, ...]
    parameters: Json
    messages: list[Json]
    has_adapter: bool = False

    @property
    def name(self) -> str:
        return self.entry.name.short

    @property
    def thinks(self) -> bool:
        return template_thinks(self.gguf.chat_template)

    @property
    def capabilities(self) -> list[str]:
        """What this server can do with the model. Tools are not among it yet."""
        if self.gguf.is_embedding_model:
            return ["embedding"]
        return ["completion", *(["thinking"] if self.thinks else [])]


def parse_model_name(text: str) -> ModelName:
    """A name from a request; where it asks for Ollama's cloud, the answer is no."""
    try:
        base, source = split_source(text)
        name = parse_name(base)
    except InvalidName:
        raise ApiError(400, "invalid model name") from None
    if source == "cloud":
        raise ApiError(403, f"ollama cloud is disabled: {text} cannot run on this machine")
    return name


class Library:
    """The models of one store. Facts about a GGUF are read once: a blob never changes."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._facts: dict[str, Gguf] = {}

    # --- looking up ---

    def find(self, text: str, not_found: str) -> Model:
        """The model of that name; `not_found` is the text of the 404."""
        entry = self.store.find(parse_model_name(text))
        if entry is None:
            raise ApiError(404, not_found)
        try:
            return self._open(entry)
        except (OSError, ValueError, LookupError) as error:
            is_broken = isinstance(error, BrokenGguf)
            cause = f"is broken: {error}" if is_broken else "is missing or unreadable"
            text = f"a file of model '{entry.name.short}' {cause}"
            raise ApiError(500, text) from None

    def facts(self, digest: str) -> Gguf:
        if digest not in self._facts:
            self._facts[digest] = check_gguf(self.store.blob_path(digest))
        return self._facts[digest]

    def tags(self) -> list[Json]:
        return [self._tag(entry) for entry in self.store.entries()]

    def show(self, model: Model, verbose: bool) -> Json:
        gguf = check_gguf(model.weights, keep_arrays=True) if verbose else model.gguf
        hidden = ("general.name", "tokenizer.chat_template")
        info = {key: value for key, value in gguf.metadata.items() if key not in hidden}
        answer: Json = {
            "modelfile": format_modelfile(model),
            "parameters": "\n".join(_parameter_lines(model.parameters)),
            "template": model.gguf.chat_template,
            "system": model.system,
            "license": "\n".join(model.licenses),
            "details": details(model.config, model.parent),
            "messages": model.messages,
            "capabilities": model.capabilities,
            "modified_at": format_local(model.entry.modified_ns),
        }
        answer = {key: value for key, value in answer.items() if value}
        answer["model_info"] = info | {"general.parameter_count": gguf.parameter_count}
        if verbose:
            answer["tensors"] = [
                {"name": t.name, "type": t.type, "shape": list(t.shape)} for t in gguf.tensors
            ]
        return answer

    # --- changing ---

    def create(self, body: Json) -> Iterator[Json]:
        """Create or replace a model; yields status items. All is checked before a name appears."""
        name = self._new_name(body.get("model") or body.get("name") or "")
        for key in _NOT_YET:
            if body.get(key):
                raise ApiError(400, f"'{key}' is not supported by Jimoto's embedded server yet")
        messages = read_messages(body.get("messages") or [])
        licenses = _licenses(body.get("license"))
        # 1) where the weights come from
        if body.get("from"):
            base = self._base(body["from"])
            layers, config = list(base.entry.manifest.layers), base.config
            layers = [_inherited(layer, base.name) for layer in layers]
            parameters = base.parameters | (body.get("parameters") or {})
        elif body.get("files"):
            yield {"status": "parsing GGUF"}
            layer, gguf = self._weights_from_files(body["files"])
            layers, config = [layer], _config(gguf)
            parameters = body.get("parameters") or {}
        else:
            raise ApiError(400, "neither 'from' or 'files' was specified")
        # 2) what the request adds or replaces
        new: list[tuple[str, bytes]] = []
        if body.get("system"):
            new.append((SYSTEM, body["system"].encode()))
        if body.get("parameters"):
            new.append((PARAMS, to_json(parameters)))
        if messages:
            new.append((MESSAGES, to_json(messages)))
        replaced = {media_type for media_type, _ in new}
        layers = [layer for layer in layers if layer.media_type not in replaced]
        new.extend((LICENSE, text.encode()) for text in licenses)
        # 3) blobs, then the manifest
        for layer in layers:
            yield {"status": f"using existing layer {layer.digest}"}
        for media_type, content in new:
            layer, status = self._add_layer(media_type, content)
            layers.append(layer)
            yield {"status": status}
        config = config | {"rootfs": {"type": "layers", "diff_ids": [la.digest for la in layers]}}
        config_layer, status = self._add_layer(CONFIG_TYPE, to_json(config))
        yield {"status": status}
        yield {"status": "writing manifest"}
        self.store.replace(name, Manifest(config_layer, tuple(layers)))
        yield {"status": "success"}

    def copy(self, source: str, destination: str) -> None:
        target = self._spelled(destination, f'destination "{destination}" is invalid')
        entry = self.store.find(self._spelled(source, f'source "{source}" is invalid'))
        if entry is None:
            raise ApiError(404, f'model "{source}" not found')
        if entry.name != target:
            self.store.replace(target, entry.manifest)

    def entry_to_delete(self, text: str) -> Entry:
        entry = self.store.find(self._spelled(text, f'name "{text}" is invalid'))
        if entry is None:
            raise ApiError(404, f"model '{text}' not found")
        return entry

    def weights_used_only_by(self, entry: Entry) -> list[Path]:
        """The files that go with this name. They are unloaded first: Windows keeps open files."""
        others = [e for e in self.store.entries() if e.name != entry.name]
        shared = {digest for other in others for digest in other.manifest.digests}
        own = [la for la in entry.manifest.layers if la.media_type == MODEL]
        return [self.store.blob_path(la.digest) for la in own if la.digest not in shared]

    # --- inside ---

    def _open(self, entry: Entry) -> Model:
        store, layers = self.store, entry.manifest.layers

        def texts(media_type: str) -> list[str]:
            found = [layer for layer in layers if layer.media_type == media_type]
            return [store.read_blob(layer.digest).decode("utf-8", "replace") for layer in found]

        weights = next((layer for layer in layers if layer.media_type == MODEL), None)
        if weights is None:
            raise LookupError("no weights among the layers")
        messages = json.loads("".join(texts(MESSAGES)[-1:]) or "[]")
        if not isinstance(messages, list) or not all(isinstance(m, dict) for m in messages):
            raise ValueError("messages are not a list of objects")
        return Model(
            entry=entry,
            config=_object(store.read_blob(entry.manifest.config.digest)),
            weights=store.blob_path(weights.digest),
            parent=weights.origin,
            gguf=self.facts(weights.digest),
            system="".join(texts(SYSTEM)[-1:]),
            licenses=tuple(texts(LICENSE)),
            parameters=_object("".join(texts(PARAMS)[-1:]) or "{}"),
            messages=read_messages(messages),
            has_adapter=any(layer.media_type == ADAPTER for layer in layers),
        )

    def _tag(self, entry: Entry) -> Json:
        try:
            config = _object(self.store.read_blob(entry.manifest.config.digest))
        except (OSError, ValueError):
            config = {}
        return {
            "name": entry.name.short,
            "model": entry.name.short,
            "modified_at": format_local(entry.modified_ns),
            "size": entry.manifest.size_bytes,
            "digest": entry.digest,
            "details": details(config),
        }

    def _base(self, text: str) -> Model:
        try:
            return self.find(text, "pull model manifest: file does not exist")
        except ApiError as error:  # to real Ollama all of these are a failed pull
            raise ApiError(error.status if error.status == 400 else 500, error.text) from None

    def _weights_from_files(self, files: dict[str, str]) -> tuple[Layer, Gguf]:
        for file_name in files:
            parts = re.split(r"[/\\]", file_name)
            if any(part in ("", "..") for part in parts) or ":" in parts[0]:
                raise ApiError(400, "file path must be relative")
        if len(files) > 1:
            text = "a model made of several files is not supported by Jimoto's embedded server yet"
            raise ApiError(400, text)
        [(file_name, digest)] = files.items()
        try:
            digest = parse_digest(digest)
        except InvalidDigest:
            raise ApiError(400, "invalid digest format") from None
        if not self.store.has_blob(digest):
            raise ApiError(500, f"blob '{digest}' was not uploaded")
        try:
            gguf = self.facts(digest)
        except BrokenGguf as error:
            self.store.remove_unused([digest])
            raise ApiError(400, f"'{file_name}' is not a usable GGUF file: {error}") from None
        size = self.store.blob_path(digest).stat().st_size
        return Layer(MODEL, digest, size, origin=file_name), gguf

    def _add_layer(self, media_type: str, content: bytes) -> tuple[Layer, str]:
        digest, is_new = self.store.add_blob(content)
        status = f"{'creating new' if is_new else 'using existing'} layer {digest}"
        return Layer(media_type, digest, len(content)), status

    def _new_name(self, text: str) -> ModelName:
        return self._spelled(text, "invalid model name")

    def _spelled(self, text: str, complaint: str) -> ModelName:
        try:
            return self.store.spelled_as_stored(parse_name(split_source(text)[0]))
        except InvalidName:
            raise ApiError(400, complaint) from None


def details(config: Json, parent: str = "") -> Json:
    """The `details` of tags, ps and show, from a model's config blob."""

    def get(key: str, kind: Callable[..., Any]) -> Any:
        value = config.get(key)
        return value if isinstance(value, kind) else kind()  # type: ignore[arg-type]

    found = {
        "parent_model": parent,
        "format": get("model_format", str),
        "family": get("model_family", str),
        "families": [family for family in get("model_families", list) if isinstance(family, str)],
        "parameter_size": get("model_type", str),
        "quantization_level": get("file_type", str),
    }
    lengths = {key: get(key, int) for key in ("context_length", "embedding_length")}
    return found | {key: value for key, value in lengths.items() if value}


def format_parameter_size(count: int) -> str:
    """A parameter count as Ollama prints it.

    >>> [format_parameter_size(count) for count in (8_030_261_312, 5_100_000, 29_000)]
    ['8.0B', '5.10M', '29K']
    """
    if count >= 10**9:
        return f"{count / 1e9:.0f}B" if count % 10**9 == 0 else f"{count / 1e9:.1f}B"
    if count >= 10**6:
        return f"{count / 1e6:.0f}M" if count % 10**6 == 0 else f"{count / 1e6:.2f}M"
    return f"{count / 1e3:.0f}K" if count >= 10**3 else str(count)


def format_modelfile(model: Model) -> str:
    """The Modelfile that would make this model again."""
    lines = [
        '# Modelfile generated by "ollama show"',
        "# To build a new Modelfile based on this, replace FROM with:",
        f"# FROM {model.name}",
        "",
        f"FROM {model.weights}",
    ]
    if model.system:
        lines.append(f"SYSTEM {_quoted(model.system)}")
    for key, value in _parameters(model.parameters):
        shown = value if isinstance(value, str) else _literal(value)
        lines.append(f"PARAMETER {key} {_quoted(shown)}")
    lines.extend(f"LICENSE {_quoted(text)}" for text in model.licenses)
    lines.extend(f"MESSAGE {m['role']} {_quoted(m['content'])}" for m in model.messages)
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    if "\n" not in text and text == text.strip(" "):
        return text
    return f'"""{text}"""' if '"' in text else f'"{text}"'


def _parameters(parameters: Json) -> Iterator[tuple[str, Any]]:
    """Each parameter; a list of stop strings gives one each."""
    for key, value in parameters.items():
        for item in value if isinstance(value, list) else [value]:
            yield key, item


def _parameter_lines(parameters: Json) -> Iterator[str]:
    for key, value in _parameters(parameters):
        shown = json.dumps(value, ensure_ascii=False) if isinstance(value, str) else _literal(value)
        yield f"{key:<30} {shown}"


def _literal(value: Any) -> str:
    """A number or boolean as Go writes it: 1 for 1.0."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return json.dumps(value)


def _config(gguf: Gguf) -> Json:
    config: Json = {
        "model_format": "gguf",
        "model_family": gguf.architecture,
        "model_families": [gguf.architecture],
        "model_type": format_parameter_size(gguf.parameter_count),
        "file_type": gguf.file_type,
        "architecture": "amd64",
        "os": "linux",
    }
    lengths = {"context_length": gguf.context_length, "embedding_length": gguf.embedding_length}
    return config | {key: value for key, value in lengths.items() if value}


def _inherited(layer: Layer, parent: str) -> Layer:
    return Layer(layer.media_type, layer.digest, layer.size, origin=parent)


def _licenses(value: Any) -> list[str]:
    texts = [value] if isinstance(value, str) else value or []
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ApiError(400, "license must be a string or a list of strings")
    return [text for text in texts if text]


def _object(raw: bytes | str) -> Json:
    value = json.loads(raw)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value
