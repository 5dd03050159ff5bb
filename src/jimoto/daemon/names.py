"""Model names: text to four parts and back, by Ollama's grammar.

Pure text. Whether a model of that name exists, and in which spelling, is the store's business.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DEFAULT_HOST = "registry.ollama.ai"
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"

# \Z, not $: a trailing line break must not pass. ASCII only: \w would let kana through.
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_\-.:]{0,349}\Z")
_NAMESPACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_\-]{0,79}\Z")
_MODEL_OR_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_\-.]{0,79}\Z")


class InvalidName(ValueError):
    """The text is not a model name."""


@dataclass(frozen=True)
class ModelName:
    host: str
    namespace: str
    model: str
    tag: str

    def __post_init__(self) -> None:
        rules = (_HOST, _NAMESPACE, _MODEL_OR_TAG, _MODEL_OR_TAG)
        if not all(rule.match(part) for rule, part in zip(rules, self.parts, strict=True)):
            raise InvalidName(str(self.parts))

    @property
    def parts(self) -> tuple[str, str, str, str]:
        """The four folders below manifests/, outermost first."""
        return (self.host, self.namespace, self.model, self.tag)

    @property
    def short(self) -> str:
        """Without host and namespace where they are the usual ones; the tag always stands.

        >>> parse_name("mame").short
        'mame:latest'
        """
        model = f"{self.model}:{self.tag}"
        if self.host != DEFAULT_HOST:
            return f"{self.host}/{self.namespace}/{model}"
        return model if self.namespace == DEFAULT_NAMESPACE else f"{self.namespace}/{model}"

    @property
    def full(self) -> str:
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"


def parse_name(text: str) -> ModelName:
    """`[scheme://][host/][namespace/]model[:tag]`, with Ollama's defaults for what is missing.

    >>> parse_name("h:80/n/m:t")
    ModelName(host='h:80', namespace='n', model='m', tag='t')
    """
    rest, tag = text, DEFAULT_TAG
    colon = rest.rfind(":")
    if colon > rest.rfind("/"):
        rest, tag = rest[:colon], rest[colon + 1 :]
    rest, slash, model = rest.rpartition("/")
    if not slash:
        return ModelName(DEFAULT_HOST, DEFAULT_NAMESPACE, model, tag)
    host, slash, namespace = rest.rpartition("/")
    if not slash:
        return ModelName(DEFAULT_HOST, namespace, model, tag)
    return ModelName(host.partition("://")[2] if "://" in host else host, namespace, model, tag)


def split_source(text: str) -> tuple[str, str]:
    """The name and where it asks to be run: '', 'local' or 'cloud'.

    >>> split_source("mame:local"), split_source("big:120b-cloud")
    (('mame', 'local'), ('big:120b-cloud', 'cloud'))
    """
    base, _, last = text.rpartition(":")
    if base and last == "local":
        if base.endswith((":cloud", "-cloud")):
            raise InvalidName(text)
        return base, "local"
    if base and (last == "cloud" or last.endswith("-cloud")):
        if base.endswith(":local"):
            raise InvalidName(text)
        return text, "cloud"
    return text, ""
