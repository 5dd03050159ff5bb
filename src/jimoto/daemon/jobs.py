"""What is asked of an engine, and what it answers: plain values, and the list of its verbs.

No work is done here. Tests answer the same verbs from a script, without a model.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from jimoto.daemon.options import Options
from jimoto.daemon.thinking import CLOSING, OPENING
from jimoto.daemon.toolcalls import ToolFormat


@dataclass(frozen=True)
class LoadPlan:
    """A file, and the options that are fixed when it is loaded."""

    name: str  # as `ps` shows it
    digest: str  # of the manifest, as `ps` shows it
    path: Path
    size_bytes: int  # predicted memory: weights and KV cache
    context_length: int
    batch: int = 512
    gpu_layers: int = -1
    main_gpu: int = 0
    use_mmap: bool = True
    threads: int = 0
    adapters: tuple[Path, ...] = ()  # LoRA files that are applied, each with scale 1

    @property
    def load_options(self) -> tuple[object, ...]:
        """What makes a reload necessary when it differs."""
        return (
            self.path, self.context_length, self.batch, self.gpu_layers, self.main_gpu,
            self.use_mmap, self.threads, self.adapters,
        )  # fmt: skip

    def command(self) -> dict[str, Any]:
        shown_only = ("name", "digest", "size_bytes")
        values = {key: value for key, value in asdict(self).items() if key not in shown_only}
        paths = {"path": str(self.path), "adapters": [str(path) for path in self.adapters]}
        return {"op": "load", **values, **paths}


@dataclass(frozen=True)
class Job:
    """One run of a model, on `messages`, which its template turns into text, or on `prompt`."""

    messages: list[dict[str, Any]] | None = None
    prompt: str = ""
    suffix: str = ""  # with a Go template and no messages: what lies between is asked for
    template: str = ""  # in Go's language; "": the model's own, in Jinja
    tools: list[dict[str, Any]] = field(default_factory=list)
    tool_format: ToolFormat | None = None  # how a call is written; None: calls are only text
    think: bool | str | None = None  # what holds for this request; None: the model cannot
    context: list[int] | None = None  # tokens of an earlier run, put in front
    variables: dict[str, Any] = field(default_factory=dict)  # for the template: enable_thinking …
    options: Options = field(default_factory=Options)
    seed: int = 0
    schema: dict[str, Any] | None = None  # the answer must follow it
    thinks: bool = False  # then the schema holds for what comes after the thinking
    think_tags: tuple[str, str] = (OPENING, CLOSING)
    logprobs: int | None = None  # how many alternatives to each token; None: no figures at all
    truncate: bool = True
    shift: bool = True
    wants_context: bool = False
    render_only: bool = False

    def command(self) -> dict[str, Any]:
        return {"op": "run", **asdict(self)}


@dataclass(frozen=True)
class EmbedJob:
    """Texts that become vectors; one `Vector` event for each, in their order."""

    inputs: tuple[str, ...]
    truncate: bool = True  # what is too long is cut, else refused

    def command(self) -> dict[str, Any]:
        return {"op": "embed", **asdict(self)}


@dataclass(frozen=True)
class Started:
    """The model is loaded and the prompt is made."""

    load_seconds: float
    prompt_tail: str = ""
    cached_count: int = 0  # tokens of the prompt that were still in the KV cache


@dataclass(frozen=True)
class Text:
    text: str
    logprobs: tuple[dict[str, Any], ...] = ()  # one for each token, as the wire shows it


@dataclass(frozen=True)
class Vector:
    """The embedding of one text, as long as the model is wide and not normalised."""

    values: list[float]


@dataclass(frozen=True)
class Done:
    reason: str = ""  # stop, length
    prompt_count: int = 0
    prompt_seconds: float = 0.0
    eval_count: int = 0
    eval_seconds: float = 0.0
    context: list[int] | None = None
    rendered: str | None = None  # the prompt, for a job that asked for nothing else


Event = Started | Text | Done  # of a job
EmbedEvent = Started | Vector | Done  # of an embed job


@dataclass(frozen=True)
class Loaded:
    """A loaded model as `ps` shows it."""

    plan: LoadPlan
    context_length: int
    expires_in_seconds: float


class Engine(Protocol):
    """What the routes ask of an engine; tests answer it from a script."""

    async def load(self, plan: LoadPlan, keep_alive: float | None) -> None: ...

    def run(self, plan: LoadPlan, job: Job, keep_alive: float | None) -> AsyncGenerator[Event]: ...

    def embed(
        self, plan: LoadPlan, job: EmbedJob, keep_alive: float | None
    ) -> AsyncGenerator[EmbedEvent]: ...

    async def unload(self, path: Path) -> None: ...

    def loaded(self) -> list[Loaded]: ...

    async def start(self) -> None: ...

    async def close(self) -> None: ...
