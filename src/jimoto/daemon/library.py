"""Models as the API speaks of them: listed, shown, created, copied and deleted.

It knows what the layers of a manifest mean and what a GGUF says, and turns them into the JSON that
Ollama answers with. It does not know HTTP routes, sampling or processes. Calls block; the server
runs them in a thread.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jimoto.daemon.adapter_check import WrongAdapter, check_adapter
from jimoto.daemon.chat_template import BrokenTemplate, ChatTemplate, choose_template, read_go
from jimoto.daemon.gguf_check import BrokenGguf, Gguf, check_gguf
from jimoto.daemon.names import InvalidName, ModelName, parse_name, split_source
from jimoto.daemon.quantize import SOURCES, parse_target, run_quantizer
from jimoto.daemon.store import (
    CONFIG_TYPE,
    Entry,
    InvalidDigest,
    Layer,
    Manifest,
    Store,
    parse_digest,
)
from jimoto.daemon.wire import ApiError, Json, format_local, read_messages, to_json

_IMAGE = "application/vnd.ollama.image."
MODEL, SYSTEM, LICENSE = _IMAGE + "model", _IMAGE + "system", _IMAGE + "license"
PARAMS, MESSAGES = _IMAGE + "params", _IMAGE + "messages"
ADAPTER = _IMAGE + "adapter"
TEMPLATE, OLD_TEMPLATE = _IMAGE + "template", _IMAGE + "prompt"

# What real Ollama does with a create request and this server does not do yet.
_NOT_YET = (
    "renderer", "parser", "draft_files", "draft_quantize", "info", "remote_host",
)  # fmt: skip


# source, target, type → tensors done and in all
Quantizer = Callable[[Path, Path, str], Generator[tuple[int, int]]]


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
    chat: ChatTemplate  # the one that is used
    template: str = ""  # the text of TEMPLATE, which may be another
    adapters: tuple[Path, ...] = ()

    @property
    def name(self) -> str:
        return self.entry.name.short

    @property
    def requires(self) -> str:
        """The Ollama version that its maker asks for; for information only."""
        found = self.config.get("requires")
        return found if isinstance(found, str) else ""

    @property
    def thinks(self) -> bool:
        return self.chat.think_tags is not None

    @property
    def capabilities(self) -> list[str]:
        """What this server can do with the model."""
        if self.gguf.is_embedding_model:
            return ["embedding"]
        found = {
            "completion": True,
            "tools": self.chat.tools,
            "insert": bool(self.chat.insert_source),
            "thinking": self.thinks,
        }
        return [name for name, has in found.items() if has]


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
    """The models of one store. Facts about a GGUF are read once: a blob never changes.

    `prefers_go` is OLLAMA_GO_TEMPLATE, where it is set.
    """

    def __init__(
        self,
        store: Store,
        prefers_go: bool | None = None,
        quantizer: Quantizer = run_quantizer,
    ) -> None:
        self.store = store
        self._quantizer = quantizer
        self._prefers_go = prefers_go
        self._facts: dict[str, Gguf] = {}
        self._chosen: dict[tuple[str, str], ChatTemplate] = {}

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
            "template": model.chat.source,
            "system": model.system,
            "license": "\n".join(model.licenses),
            "details": details(model.config, model.parent),
            "messages": model.messages,
            "capabilities": model.capabilities,
            "requires": model.requires,
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
        template = _checked_template(body.get("template") or "")
        # 1) where the weights come from
        if body.get("from"):
            base = self._base(body["from"])
            layers, config, gguf = list(base.entry.manifest.layers), base.config, base.gguf
            layers = [_inherited(layer, base.name) for layer in layers]
            parameters = base.parameters | (body.get("parameters") or {})
        elif body.get("files"):
            yield {"status": "parsing GGUF"}
            layer, gguf = self._weights_from_files(body["files"])
            layers, config = [layer], _config(gguf)
            parameters = body.get("parameters") or {}
        else:
            raise ApiError(400, "neither 'from' or 'files' was specified")
        if body.get("adapters"):
            yield {"status": "parsing GGUF"}
            layers.append(self._adapter_from_files(body["adapters"], gguf))
        if kind := body.get("quantize") or body.get("quantization"):
            place = [la.media_type for la in layers].index(MODEL)
            layers[place] = yield from self._quantized(layers[place], gguf, parse_target(kind))
            config = config | _weights_config(self.facts(layers[place].digest))
        # 2) what the request adds or replaces
        new: list[tuple[str, bytes]] = []
        if template:
            new.append((TEMPLATE, template.encode()))
        if body.get("system"):
            new.append((SYSTEM, body["system"].encode()))
        if body.get("parameters"):
            new.append((PARAMS, to_json(parameters)))
        if messages:
            new.append((MESSAGES, to_json(messages)))
        replaced = {media_type for media_type, _ in new}
        replaced |= {OLD_TEMPLATE} if template else set()
        layers = [layer for layer in layers if layer.media_type not in replaced]
        new.extend((LICENSE, text.encode()) for text in licenses)
        # 3) blobs, then the manifest
        for layer in layers:
            yield {"status": f"using existing layer {layer.digest}"}
        for media_type, content in new:
            layer, status = self._add_layer(media_type, content)
            layers.append(layer)
            yield {"status": status}
        if body.get("requires"):  # told to whoever asks; no version is ever refused
            config = config | {"requires": body["requires"]}
        config = config | {"rootfs": {"type": "layers", "diff_ids": [la.digest for la in layers]}}
        config_layer, status = self._add_layer(CONFIG_TYPE, to_json(config))
        yield {"status": status}
        yield {"status": "writing manifest"}
        self.store.replace(name, Manifest(config_layer, tuple(layers)))
        yield {"status": "success"}

    def copy(self, source: str, destination: str) -> None:
        name = self._spelled(source, f'source "{source}" is invalid')
        target = self._new_name(destination, f'destination "{destination}" is invalid')
        entry = self.store.find(name)
        if entry is None:
            raise ApiError(404, f'model "{source}" not found')
        if entry.name != target:
            self.store.copy(entry, target)

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
        template = "".join([*texts(OLD_TEMPLATE), *texts(TEMPLATE)][-1:])
        messages = json.loads("".join(texts(MESSAGES)[-1:]) or "[]")
        if not isinstance(messages, list) or not all(isinstance(m, dict) for m in messages):
            raise ValueError("messages are not a list of objects")
        return Model(
            entry=entry,
            config=_object(store.read_blob(entry.manifest.config.digest)),
            weights=store.blob_path(weights.digest),
            parent=weights.origin,
            gguf=self.facts(weights.digest),
            template=template,
            chat=self._chat_template(self.facts(weights.digest).chat_template, template),
            system="".join(texts(SYSTEM)[-1:]),
            licenses=tuple(texts(LICENSE)),
            parameters=_object("".join(texts(PARAMS)[-1:]) or "{}"),
            messages=read_messages(messages),
            adapters=tuple(store.blob_path(la.digest) for la in layers if la.media_type == ADAPTER),
        )

    def _chat_template(self, jinja: str, go: str) -> ChatTemplate:
        """Chosen once for each pair of texts: reading a long TEMPLATE takes milliseconds."""
        if (jinja, go) not in self._chosen:
            self._chosen[jinja, go] = choose_template(jinja, go, self._prefers_go)
        return self._chosen[jinja, go]

    def _tag(self, entry: Entry) -> Json:
        try:
            config = _object(self.store.read_blob(entry.manifest.config.digest))
        except (OSError, ValueError):
            config = {}
        try:
            capabilities = {"capabilities": self._open(entry).capabilities}
        except (OSError, ValueError, LookupError):  # it is listed all the same
            capabilities = {}
        return {
            "name": entry.name.short,
            "model": entry.name.short,
            "modified_at": format_local(entry.modified_ns),
            "size": entry.manifest.size_bytes,
            "digest": entry.digest,
            "details": details(config),
            **capabilities,
        }

    def _base(self, text: str) -> Model:
        try:
            return self.find(text, "pull model manifest: file does not exist")
        except ApiError as error:  # to real Ollama a model that is not here is a failed pull
            status = error.status if error.status in (400, 403) else 500
            raise ApiError(status, error.text) from None

    def _weights_from_files(self, files: dict[str, str]) -> tuple[Layer, Gguf]:
        if len(files) > 1:
            text = "a model made of several files is not supported by Jimoto's embedded server yet"
            _check_relative(files)
            raise ApiError(400, text)
        digest, gguf = self._uploaded(files)
        [file_name] = files
        if gguf.text("general.type") == "adapter":
            raise ApiError(400, f"'{file_name}' is an adapter; its base model goes into 'from'")
        size = self.store.blob_path(digest).stat().st_size
        return Layer(MODEL, digest, size, origin=file_name), gguf

    def _uploaded(self, files: dict[str, str]) -> tuple[str, Gguf]:
        """The one file of a request: its digest, and what it says about itself."""
        _check_relative(files)
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
        return digest, gguf

    def _adapter_from_files(self, files: dict[str, str], base: Gguf) -> Layer:
        """The layer of the one adapter, once it is certain that it fits the base."""
        if len(files) > 1:
            raise ApiError(400, "only one adapter is currently supported")
        [file_name] = files
        digest, gguf = self._uploaded(files)
        path = self.store.blob_path(digest)
        try:
            check_adapter(gguf, base, path)
        except WrongAdapter as error:
            self.store.remove_unused([digest])
            text = f"'{file_name}' is not an adapter for this base model: {error}"
            raise ApiError(400, text) from None
        return Layer(ADAPTER, digest, path.stat().st_size, origin=file_name)

    def _quantized(self, layer: Layer, gguf: Gguf, kind: str) -> Generator[Json, None, Layer]:
        """The layer of the same weights in another type; yields progress."""
        old, size = gguf.file_type, gguf.size_bytes
        if old == kind:
            return layer
        if old not in SOURCES:
            text = f"quantization is only supported for F16, BF16 and F32 models, not for {old}"
            raise ApiError(500, text)
        if shutil.disk_usage(self.store.models).free < size:
            raise ApiError(500, f"not enough free disk space to quantize: {size} bytes are needed")
        target = self.store.temporary_path()
        status = f"quantizing {old} model to {kind}"
        try:
            source = self.store.blob_path(layer.digest)
            with contextlib.closing(self._quantizer(source, target, kind)) as steps:
                for done, total in steps:
                    counters = {"total": size, "completed": size * done // total}
                    yield {"status": status, "digest": layer.digest, **counters}
            yield {"status": "verifying conversion"}
            check_gguf(target)
            digest, size = self.store.adopt(target)
        except BrokenGguf as error:
            raise ApiError(500, f"the quantized file is broken: {error}") from None
        finally:
            target.unlink(missing_ok=True)
        return Layer(MODEL, digest, size, origin=layer.origin)

    def _add_layer(self, media_type: str, content: bytes) -> tuple[Layer, str]:
        digest, is_new = self.store.add_blob(content)
        status = f"{'creating new' if is_new else 'using existing'} layer {digest}"
        return Layer(media_type, digest, len(content)), status

    def _new_name(self, text: str, complaint: str = "invalid model name") -> ModelName:
        """A name to be given; one that asks for Ollama's cloud could never be run here."""
        name = self._spelled(text, complaint)
        parse_model_name(text)
        return name

    def _spelled(self, text: str, complaint: str) -> ModelName:
        try:
            return self.store.spelled_as_stored(parse_name(split_source(text)[0]))
        except InvalidName:
            raise ApiError(400, complaint) from None


def _check_relative(files: dict[str, str]) -> None:
    for file_name in files:
        parts = re.split(r"[/\\]", file_name)
        if any(part in ("", "..") for part in parts) or ":" in parts[0]:
            raise ApiError(400, "file path must be relative")


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
    """The Modelfile that would make this model again, as Ollama heads it."""
    # Imported late: it brings every error that a Modelfile can meet, and is seldom asked for.
    from jimoto.daemon.modelfile import Command
    from jimoto.daemon.modelfile import format_modelfile as format_commands

    commands = [Command("model", str(model.weights))]
    commands.extend(Command("adapter", str(path)) for path in model.adapters)
    if model.template:
        commands.append(Command("template", model.template))
    if model.system:
        commands.append(Command("system", model.system))
    for key, value in _parameters(model.parameters):
        commands.append(Command(key, value if isinstance(value, str) else _literal(value)))
    commands.extend(Command("license", text) for text in model.licenses)
    commands.extend(Command("message", f"{m['role']}: {m['content']}") for m in model.messages)
    if model.requires:
        commands.append(Command("requires", model.requires))
    return (
        '# Modelfile generated by "ollama show"\n'
        "# To build a new Modelfile based on this, replace FROM with:\n"
        f"# FROM {model.name}\n\n{format_commands(commands, strict=False)}"
    )


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


def _weights_config(gguf: Gguf) -> Json:
    count = format_parameter_size(gguf.parameter_count)
    return {"model_type": count, "file_type": gguf.file_type}


def _config(gguf: Gguf) -> Json:
    config: Json = {
        "model_format": "gguf",
        "model_family": gguf.architecture,
        "model_families": [gguf.architecture],
        **_weights_config(gguf),
        "architecture": "amd64",
        "os": "linux",
    }
    lengths = {"context_length": gguf.context_length, "embedding_length": gguf.embedding_length}
    return config | {key: value for key, value in lengths.items() if value}


def _inherited(layer: Layer, parent: str) -> Layer:
    return Layer(layer.media_type, layer.digest, layer.size, origin=parent)


def _checked_template(source: str) -> str:
    try:
        return read_go(source).source if source else ""
    except BrokenTemplate as error:
        raise ApiError(400, str(error)) from None


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
