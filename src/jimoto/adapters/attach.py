"""One function that makes a model answer with an adapter, by one of three routes.

    adapter    ADAPTER in a Modelfile: the server keeps base and adapter apart    small
    merge      the adapter added to the weights, a GGUF of its own                works everywhere
    llama-cpp  llama-cpp-python's `lora_path`, in this process                    no server

Which route a server takes is found out by trying: releases differ, and some accept an adapter and
then cannot load it. A model that would answer without its adapter is never handed out. This is a
client like any other: it knows the public API, not the server's insides.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jimoto.adapters import gguf_lora
from jimoto.errors import AdapterBaseMismatch, AdapterIgnored, language

ROUTES = ("adapter", "merge", "llama-cpp")
# Any text does: what counts is whether the next token's odds move.
PROBES = ("Hello", "こんにちは", "What is LoRA?")
PROBE_TOKENS = 24
LEAST_CHANGE = 1e-3  # of a log probability; repeated runs of one model differ by less

SYSTEM = r'^SYSTEM (?:"""(.*?)"""|"([^\n]*)"|([^\n]*))$'

REASONS = {
    "en": {
        "asked": "it was asked for",
        "no_server": "no server was given",
        "accepted": "the server accepted the adapter, and its answers changed",
        "refused": "the server does not take this adapter as ADAPTER ({detail})",
        "ignored": "the server accepted the adapter, but answered as if it were not there",
    },
    "ja": {
        "asked": "指定された経路です",
        "no_server": "サーバーが指定されていません",
        "accepted": "サーバーがアダプターを受け付け、応答が変わったことを確認しました",
        "refused": "サーバーはこのアダプターをADAPTERとして受け付けません({detail})",
        "ignored": "サーバーはアダプターを受け付けましたが、応答が変わりませんでした",
    },
}
LINE = {"en": "route '{route}': {why}", "ja": "経路 '{route}': {why}"}


@dataclass
class Attached:
    """A model with its adapter, ready to answer; close it when done (it may hold memory)."""

    route: str
    name: str  # the model's name on the server; for 'llama-cpp' the adapter's file
    reason: str  # a key of `REASONS`
    size_bytes: int  # what this route adds on disk: the adapter, or a whole model
    detail: str = ""
    client: Any = None  # an `ollama.Client`
    llama: Any = None  # a `llama_cpp.Llama`

    def why(self, lang: str) -> str:
        return REASONS[lang][self.reason].format(detail=self.detail)

    def __str__(self) -> str:
        lang = language()
        return LINE[lang].format(route=self.route, why=self.why(lang))

    def answer(self, prompt: str, max_tokens: int = 64) -> str:
        """The greedy continuation of a prompt that is already in the model's template."""
        if self.llama is not None:
            return _greedy_here(self.llama, prompt, max_tokens)
        return _greedy(self.client, self.name, prompt, max_tokens)

    def close(self) -> None:
        if self.llama is not None:
            self.llama.close()
            self.llama = None

    def __enter__(self) -> Attached:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


@dataclass(frozen=True)
class Proof:
    """How many of n answers changed, and how many equal those of the training side."""

    n: int
    changed: int
    agree: int

    @property
    def holds(self) -> bool:
        """Changed answers alone prove nothing: a wrongly converted adapter changes them too."""
        return self.agree == self.n and self.changed > 0


def prove(base: Sequence[str], adapted: Sequence[str], reference: Sequence[str]) -> Proof:
    """Answers of the base, of the model with its adapter, and of PEFT, to the same prompts.

    Half a character at the end, where the tokens ran out, does not count: a server withholds it.

    >>> prove(["a", "b"], ["a!", "b?"], ["a!", "b!"])
    Proof(n=2, changed=2, agree=1)
    """
    if not len(base) == len(adapted) == len(reference):
        raise ValueError("the three lists must answer the same prompts")
    base, adapted, reference = (
        [text.rstrip("\ufffd") for text in texts] for texts in (base, adapted, reference)
    )
    changed = sum(a != b for a, b in zip(adapted, base, strict=True))
    agree = sum(a == r for a, r in zip(adapted, reference, strict=True))
    return Proof(len(base), changed, agree)


def attach(
    adapter: Path,
    base_file: Path,
    *,
    name: str = "mame-tuned",
    base: str = "mame",
    client: Any = None,
    route: str | None = None,
    threads: int = 1,
) -> Attached:
    """Make `name` answer with `adapter`, which was trained on the weights in `base_file`.

    `adapter` is a GGUF adapter or the folder that PEFT wrote (converted beside it). `client` is an
    `ollama.Client` whose server has the base under the name `base`; without one the model runs in
    this process. `route` asks for one of ROUTES; else the best that the server takes is used.

    Errors: AdapterRefused, AdapterBaseMismatch, AdapterIgnored (only for route='adapter').
    """
    if route not in (None, *ROUTES):
        raise ValueError(f"route is one of {', '.join(ROUTES)}, not {route!r}")
    if client is None and route not in (None, "llama-cpp"):
        raise ValueError(f"route {route!r} needs a client")
    if adapter.is_dir():
        adapter = gguf_lora.convert(adapter, base_file, adapter / "adapter.gguf")
    gguf_lora.check(adapter, base_file)
    if client is None or route == "llama-cpp":
        reason = "asked" if route else "no_server"
        return _in_process(adapter, base_file, reason, threads)
    if route == "merge":
        return _merged(adapter, base_file, name, base, client, "asked", "")
    reason, detail = _over_modelfile(adapter, base_file, name, base, client)
    if reason == "accepted":
        return Attached("adapter", name, reason, adapter.stat().st_size, client=client)
    if route == "adapter":
        raise AdapterIgnored(name, route, detail or REASONS["en"][reason])
    return _merged(adapter, base_file, name, base, client, reason, detail)


def _in_process(adapter: Path, base_file: Path, reason: str, threads: int) -> Attached:
    from llama_cpp import Llama

    llama = Llama(
        str(base_file),
        lora_path=str(adapter),
        n_ctx=2048,
        n_threads=threads,
        n_threads_batch=threads,
        verbose=False,
    )
    return Attached("llama-cpp", str(adapter), reason, adapter.stat().st_size, llama=llama)


def _over_modelfile(
    adapter: Path, base_file: Path, name: str, base: str, client: Any
) -> tuple[str, str]:
    """Try ADAPTER: the reason it works or does not, and what the server said."""
    import ollama

    check_base(adapter, base_file, base, client)
    digest = client.create_blob(adapter)
    try:
        client.create(name, from_=base, adapters={adapter.name: digest}, stream=False)
        if is_applied(client, name, base):
            return "accepted", ""
        reason, detail = "ignored", ""
    except ollama.ResponseError as error:
        reason, detail = "refused", str(error.error).strip()
    try:  # what cannot be used must not stay under that name
        client.delete(name)
    except ollama.ResponseError:
        pass
    return reason, detail


def check_base(adapter: Path, base_file: Path, base: str, client: Any) -> None:
    """The server's `base` must be these very weights; its Modelfile names their digest."""
    with base_file.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest not in (client.show(base).modelfile or ""):
        raise AdapterBaseMismatch(
            adapter.name, base, f"'{base_file.name}' ({digest[:12]})", f"'{base}', other weights"
        )


def is_applied(client: Any, name: str, base: str) -> bool:
    """Do the two models differ? By the odds of the next token where the server tells them."""
    import ollama

    for probe in PROBES:
        try:
            before, after = (_log_odds(client, model, probe) for model in (base, name))
        except ollama.ResponseError:
            before = after = {}
        if before and after:
            changes = [abs(before[k] - after[k]) for k in before.keys() & after.keys()]
            if before.keys() != after.keys() or max(changes) > LEAST_CHANGE:
                return True
            continue
        texts = [_greedy(client, model, probe, PROBE_TOKENS) for model in (base, name)]
        if texts[0] != texts[1]:
            return True
    return False


def _log_odds(client: Any, model: str, prompt: str) -> dict[str, float]:
    """The likeliest next tokens and their log probabilities; {} where the server tells none."""
    reply = client.generate(
        model, prompt, raw=True, logprobs=True, top_logprobs=5,
        options={"temperature": 0.0, "num_predict": 1, "seed": 1},
    )  # fmt: skip
    first = (reply.logprobs or [None])[0]
    return {item.token: item.logprob for item in (first.top_logprobs or [])} if first else {}


def _greedy(client: Any, model: str, prompt: str, max_tokens: int) -> str:
    options = {"temperature": 0.0, "num_predict": max_tokens, "seed": 1, "repeat_penalty": 1.0}
    reply = client.generate(model, prompt, raw=True, options=options)
    return str(reply.response)


def _greedy_here(llama: Any, prompt: str, max_tokens: int) -> str:
    """As a server says it: `create_completion` would drop half a character without a word."""
    tokens = llama.tokenize(prompt.encode("utf-8"), add_bos=False, special=True)
    new: list[int] = []
    for token in llama.generate(tokens, temp=0.0, repeat_penalty=1.0):
        if token == llama.token_eos() or len(new) == max_tokens:
            break
        new.append(token)
    return str(llama.detokenize(new).decode("utf-8", errors="replace"))


def _merged(
    adapter: Path, base_file: Path, name: str, base: str, client: Any, reason: str, detail: str
) -> Attached:
    """A model of its own; system prompt and parameters come from the base, as FROM would do."""
    merged = gguf_lora.merge(adapter, base_file, adapter.with_name(f"{adapter.stem}-merged.gguf"))
    try:
        size = merged.stat().st_size
        shown = client.show(base)
        client.create(
            name,
            files={merged.name: client.create_blob(merged)},
            system=parse_system(shown.modelfile or "") or None,
            parameters=parse_parameters(shown.parameters or "") or None,
            stream=False,
        )
    finally:
        merged.unlink()  # the server has its own copy
    return Attached("merge", name, reason, size, detail, client=client)


def parse_system(modelfile: str) -> str:
    """The system prompt that /api/show prints; the client's reply has no field for it.

    >>> parse_system('FROM x\\nSYSTEM "a b"\\nPARAMETER seed 1'), parse_system("FROM x")
    ('a b', '')
    """
    found = re.search(SYSTEM, modelfile, re.MULTILINE | re.DOTALL)
    return next((text for text in found.groups() if text is not None), "") if found else ""


def parse_parameters(text: str) -> dict[str, Any]:
    """The lines of /api/show as the fields of /api/create.

    >>> parse_parameters('temperature    0.7\\nstop    "a"\\nstop    "b"')
    {'temperature': 0.7, 'stop': ['a', 'b']}
    """
    found: dict[str, Any] = {}
    for line in text.splitlines():
        key, _, written = line.partition(" ")
        try:
            value = json.loads(written)
        except ValueError:
            value = written.strip()
        if key == "stop":
            found.setdefault(key, []).append(value)
        elif key:
            found[key] = value
    return found
