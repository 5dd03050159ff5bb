"""What the server is told once, at its start, and the clock it reads.

Nothing here knows how a setting is used. Variables of the environment are read in one function,
from a mapping that the caller hands over, so that a test can hand over its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from jimoto import __version__
from jimoto.daemon.wire import ApiError, parse_keep_alive

OLLAMA_VERSION = "0.33.0"  # the release whose behaviour is imitated
FOREVER = float("inf")


@dataclass(frozen=True)
class Clock:
    """Where time comes from; tests bring one that stands still."""

    monotonic: Callable[[], float] = time.monotonic  # seconds
    wall_ns: Callable[[], int] = time.time_ns


@dataclass(frozen=True)
class Settings:
    models: Path  # holds manifests/ and blobs/, as OLLAMA_MODELS does
    keep_alive_seconds: float = 300.0  # how long an idle model stays loaded; FOREVER is allowed
    context_length: int = 4096  # num_ctx when neither request nor model says anything
    max_queue: int = 512  # requests that may wait; one more is answered 503
    max_loaded_models: int = 3
    load_timeout_seconds: float = 300.0
    prompt_timeout_seconds: float = 30.0  # for rendering a template: text from a stranger's file
    cancel_timeout_seconds: float = 2.0  # a child that does not stop by then is ended
    body_limit_bytes: int = 32 * 2**20  # JSON bodies
    blob_limit_bytes: int = 64 * 2**30  # uploaded files
    origins: tuple[str, ...] = ()  # added to the built-in list
    prune: bool = True  # remove stale blobs at start
    go_template: bool | None = None  # TEMPLATE always or never, not by what it can do
    ollama_version: str = OLLAMA_VERSION
    jimoto_version: str = __version__

    @property
    def manifests(self) -> Path:
        return self.models / "manifests"

    @property
    def blobs(self) -> Path:
        return self.models / "blobs"


def settings_from_environment(models: Path, environment: Mapping[str, str]) -> Settings:
    """Settings for a folder of models, with Ollama's variables where they make sense."""

    def text(name: str) -> str:
        return environment.get(name, "").strip().strip("'\"").strip()

    def number(name: str, default: int) -> int:
        value = text(name)
        return int(value) if value.isascii() and value.isdigit() and int(value) > 0 else default

    def flag(name: str) -> bool:
        return text(name).lower() not in ("", "0", "f", "false")

    return Settings(
        models=models,
        keep_alive_seconds=_keep_alive(text("OLLAMA_KEEP_ALIVE")),
        context_length=number("OLLAMA_CONTEXT_LENGTH", 4096),
        max_queue=number("OLLAMA_MAX_QUEUE", 512),
        max_loaded_models=number("OLLAMA_MAX_LOADED_MODELS", 3),
        origins=tuple(part.strip() for part in text("OLLAMA_ORIGINS").split(",") if part.strip()),
        prune=not flag("OLLAMA_NOPRUNE"),
        go_template=flag("OLLAMA_GO_TEMPLATE") if text("OLLAMA_GO_TEMPLATE") else None,
    )


def _keep_alive(value: str) -> float:
    """The variable takes a duration or whole seconds; anything else counts as unset."""
    try:
        seconds = parse_keep_alive(int(value) if value.lstrip("-").isdigit() else value)
    except (ApiError, ValueError):
        seconds = None
    return 300.0 if seconds is None else seconds
