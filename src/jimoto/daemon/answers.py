"""From a generate or chat request to a job, and from the job's events to Ollama's JSON.

It decides what the model reads and how its words are labelled. It does not know routes, processes
or disks: it is handed a `Model`, a decoded body and a stream of events.
"""

from __future__ import annotations

import re
import secrets
import string
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from jimoto.daemon.chat_template import BrokenTemplate, ChatTemplate, read_go
from jimoto.daemon.jobs import Done, Event, Job, LoadPlan, Started, Text
from jimoto.daemon.library import Model
from jimoto.daemon.options import Options
from jimoto.daemon.settings import Clock, Settings
from jimoto.daemon.thinking import CLOSING, OPENING, Split, ThinkingSplitter, opens_thinking
from jimoto.daemon.toolcalls import MISTRAL, ToolCall, ToolCallReader, find_format
from jimoto.daemon.wire import (
    ApiError,
    Json,
    format_utc,
    parse_format,
    parse_options,
    parse_think,
    to_nanoseconds,
    without_zeros,
)

_SEED_BITS = 32
_ID_LETTERS = string.ascii_lowercase + string.digits


@dataclass(frozen=True)
class Said:
    """A part of an answer, its sorts of text kept apart."""

    thinking: str = ""
    content: str = ""
    calls: tuple[Json, ...] = ()  # as the wire shows them


@dataclass(frozen=True)
class Dialect:
    """How generate and chat label the same things."""

    verb: str
    label: Callable[[Said], Json]


def _label_generate(said: Said) -> Json:
    return {"response": said.content, **_thinking(said)}


def _label_chat(said: Said) -> Json:
    calls = {"tool_calls": list(said.calls)} if said.calls else {}
    content = {"role": "assistant", "content": said.content}
    return {"message": {**content, **_thinking(said), **calls}}


def _thinking(said: Said) -> Json:
    return {"thinking": said.thinking} if said.thinking else {}


GENERATE = Dialect("generate", _label_generate)
CHAT = Dialect("chat", _label_chat)


# --- a request becomes a plan and a job -----------------------------------------------


def check_generate(body: Json, model: Model) -> None:
    """Refusals of /api/generate, in Ollama's order; raises ApiError."""
    if body.get("raw") and (body.get("template") or body.get("system") or body.get("context")):
        raise ApiError(400, "raw mode does not support template, system, or context")
    _check_thinking(body, model)
    _check_completes(model, GENERATE)
    if body.get("suffix") and not model.chat.insert_source:
        raise ApiError(400, f"{model.entry.name.full} does not support insert")
    _check_images(body, model)


def check_chat(body: Json, model: Model) -> None:
    """Refusals of /api/chat, in Ollama's order; raises ApiError."""
    _check_completes(model, CHAT)
    if body.get("tools") and not model.chat.tools:
        raise ApiError(400, f"{model.entry.name.full} does not support tools")
    _check_thinking(body, model)
    for message in body["messages"]:
        _check_images(message, model)


def make_options(body: Json, model: Model) -> Options:
    return parse_options(model.parameters, body.get("options") or {})


def make_plan(model: Model, options: Options, settings: Settings) -> LoadPlan:
    """What must be in memory for these options; never more context than the model was made for."""
    asked = max(4, options.num_ctx or settings.context_length)
    context_length = min(asked, model.gguf.context_length or asked)
    return LoadPlan(
        name=model.name,
        digest=model.entry.digest,
        path=model.weights,
        size_bytes=model.gguf.size_bytes + model.gguf.kv_cache_bytes(context_length),
        context_length=context_length,
        batch=max(1, options.num_batch),
        gpu_layers=options.num_gpu,
        main_gpu=options.main_gpu,
        use_mmap=options.use_mmap,
        threads=options.num_thread,
        adapters=model.adapters,
    )


def generate_job(body: Json, model: Model, options: Options) -> Job:
    prompt = body["prompt"]
    speaks = _template_of(body, model)
    if body.get("raw"):
        return _job(body, model, ChatTemplate(), options, prompt=prompt)
    if body.get("suffix"):
        source = body.get("template") or model.chat.insert_source
        filled = {"prompt": prompt, "suffix": body["suffix"], "template": source}
        return _job(body, model, ChatTemplate(), options, **filled)
    if not speaks.language:  # without a template, a model is given the prompt and nothing else
        return _job(body, model, speaks, options, prompt=prompt)
    history = [] if body.get("context") else model.messages
    messages = _system(body.get("system") or model.system) + history
    messages = [*messages, {"role": "user", "content": prompt}]
    return _job(body, model, speaks, options, messages=messages)


def chat_job(body: Json, model: Model, options: Options) -> Job:
    asked = body["messages"]
    system = [] if asked[0]["role"] == "system" else _system(model.system)
    messages = system + model.messages + _without_old_thinking(asked, model)
    tools = body.get("tools") or []
    if model.chat.language == "jinja":
        tools = [_complete(tool) for tool in tools]
    calls = find_format(model.chat.source) if tools else None
    return _job(body, model, model.chat, options, messages=messages, tools=tools, tool_format=calls)


def _complete(tool: Json) -> Json:
    """A tool with all that templates take for granted."""
    function = tool.get("function") or {}
    parameters = {"type": "object", **(function.get("parameters") or {})}
    parameters["properties"] = parameters.get("properties") or {}
    described = {"name": "", "description": "", **function, "parameters": parameters}
    return {"type": "function", **tool, "function": described}


def _template_of(body: Json, model: Model) -> ChatTemplate:
    """The request's own template, which is always Go's, or the model's."""
    if not body.get("template"):
        return model.chat
    try:
        return read_go(body["template"])
    except BrokenTemplate as error:
        raise ApiError(500, str(error)) from None


def _job(body: Json, model: Model, speaks: ChatTemplate, options: Options, **prompt: Any) -> Job:
    """A job whose text `speaks`: a template that thinks, and that is written in some language."""
    think = parse_think(body.get("think"))
    tags = (speaks.think_tags or model.chat.think_tags) if speaks.language else None
    thinks = tags is not None and think is not False
    variables: Json = {"enable_thinking": thinks} if tags else {}
    if isinstance(think, str):
        variables["reasoning_effort"] = think
    if prompt.get("messages") is not None:
        if speaks.language == "go":
            prompt["template"] = speaks.source
        else:
            prompt["messages"] = for_jinja(prompt["messages"])
    seed = options.seed % 2**_SEED_BITS if options.seed != -1 else secrets.randbits(_SEED_BITS)
    return Job(
        **prompt,
        think=thinks if think is None and tags else think,
        context=body.get("context"),
        variables=variables,
        options=options,
        seed=seed,
        schema=parse_format(body.get("format")),
        thinks=thinks,
        think_tags=tags or (OPENING, CLOSING),
        logprobs=body.get("top_logprobs", 0) if body.get("logprobs") else None,
        truncate=body.get("truncate", True),
        shift=body.get("shift", True),
        wants_context="prompt" in body and not body.get("raw"),
        render_only=body.get("_debug_render_only", False),
    )


def _check_thinking(body: Json, model: Model) -> None:
    if parse_think(body.get("think")) and not model.thinks:
        raise ApiError(400, f'"{body["model"]}" does not support thinking')


def _check_completes(model: Model, dialect: Dialect) -> None:
    if "completion" not in model.capabilities:
        raise ApiError(400, f'"{model.name}" does not support {dialect.verb}')


def _check_images(holder: Json, model: Model) -> None:
    if holder.get("images"):
        raise ApiError(400, f"{model.entry.name.full} does not support vision")


def _system(text: str) -> list[Json]:
    return [{"role": "system", "content": text}] if text else []


def for_jinja(messages: list[Json]) -> list[Json]:
    """Messages as a Jinja template expects them; earlier reasoning is not shown again.

    Some templates insist that every call has an id of nine letters and digits, and every result
    the id of its call; clients leave both out.
    """
    shown: list[Json] = []
    open_calls: list[Json] = []
    count = 0
    for message in messages:
        known: Json = {key: message[key] for key in ("role", "content") if key in message}
        if "tool_name" in message:
            known["name"] = message["tool_name"]
        if message.get("tool_calls"):
            open_calls = []
            for call in message["tool_calls"]:
                count += 1
                function = call.get("function") or {}
                called = {
                    "name": function.get("name", ""),
                    "arguments": function.get("arguments") or {},
                }
                ident = call.get("id") or f"call{count:05d}"
                open_calls.append({"id": ident, "type": "function", "function": called})
            known["tool_calls"] = list(open_calls)
        if message.get("role") == "tool":
            known |= {"tool_call_id": _call_id(message, open_calls)}
        shown.append(known)
    return shown


def _call_id(result: Json, open_calls: list[Json]) -> str:
    """The id of the call that a result answers: the one it names, else the next of that name."""
    if result.get("tool_call_id"):
        return str(result["tool_call_id"])
    name = result.get("tool_name")
    for call in open_calls:
        if name in (None, call["function"]["name"]):
            open_calls.remove(call)
            return str(call["id"])
    return "call00000"


def _without_old_thinking(messages: list[Json], model: Model) -> list[Json]:
    """These families were trained without the reasoning of earlier turns."""
    if model.gguf.architecture != "qwen3" and model.entry.name.model != "deepseek-r1":
        return messages
    block = re.compile(r"\A<think>.*?</think>\s*", re.DOTALL)
    return [
        {**m, "content": block.sub("", m["content"])} if m["role"] == "assistant" else m
        for m in messages
    ]


# --- events become JSON ---------------------------------------------------------------


def single(dialect: Dialect, model: str, clock: Clock, done_reason: str) -> Json:
    """The one object that answers a load or an unload."""
    head = {"model": model, "created_at": format_utc(clock.wall_ns())}
    return {**head, **dialect.label(Said()), "done": True, "done_reason": done_reason}


async def chunks(
    events: AsyncGenerator[Event], dialect: Dialect, model: str, job: Job, clock: Clock
) -> AsyncGenerator[Json]:
    """One JSON object for each piece of text, and a last one with the figures."""
    began = clock.monotonic()
    load_seconds = 0.0
    words = _Words(job, "")
    logprobs: list[Json] = []

    def chunk(said: Said, done: bool = False) -> Json:
        head = {"model": model, "created_at": format_utc(clock.wall_ns())}
        more = {"logprobs": list(logprobs)} if logprobs else {}
        logprobs.clear()
        return {**head, **dialect.label(said), "done": done, **more}

    try:
        async for event in events:
            if isinstance(event, Started):
                load_seconds = event.load_seconds
                words = _Words(job, event.prompt_tail)
            elif isinstance(event, Text):
                logprobs += event.logprobs
                said = words.feed(event.text)
                if said != Said():
                    yield chunk(said)
            elif event.rendered is not None:
                yield {**chunk(Said()), "_debug_info": {"rendered_template": event.rendered}}
            else:
                rest = words.finish()
                if rest != Said():
                    yield chunk(rest)
                last = chunk(Said(calls=words.calls_at_the_end), done=True)
                yield {**last, **_figures(event, clock.monotonic() - began, load_seconds)}
    finally:
        await events.aclose()


class _Words:
    """The text of one answer on its way, split into thinking, content and tool calls."""

    def __init__(self, job: Job, prompt_tail: str) -> None:
        inside = opens_thinking(prompt_tail, job.think_tags[0])
        self._thoughts = ThinkingSplitter(inside, job.think_tags) if job.thinks else None
        kind = job.tool_format
        self._calls = ToolCallReader(kind, job.tools) if kind is not None else None
        self._format = job.tool_format
        # As in Ollama: a Go template's calls come when they are read, others with the last chunk.
        self._keeps_calls = not job.template
        self._kept: list[Json] = []
        self._count = 0

    def feed(self, text: str) -> Said:
        split = self._thoughts.feed(text) if self._thoughts else Split(content=text)
        return self._said(split, *self._read(split.content))

    def finish(self) -> Said:
        """What was held back."""
        split = self._thoughts.finish() if self._thoughts else Split()
        content, calls = self._read(split.content)
        if self._calls:
            last, more = self._calls.finish()
            content, calls = content + last, (*calls, *more)
        return self._said(split, content, calls)

    @property
    def calls_at_the_end(self) -> tuple[Json, ...]:
        return tuple(self._kept)

    def _read(self, content: str) -> tuple[str, tuple[ToolCall, ...]]:
        return self._calls.feed(content) if self._calls else (content, ())

    def _said(self, split: Split, content: str, calls: tuple[ToolCall, ...]) -> Said:
        shown = tuple(self._shown(call) for call in calls)
        if self._keeps_calls:
            self._kept += shown
            shown = ()
        return Said(split.thinking, content, shown)

    def _shown(self, call: ToolCall) -> Json:
        function = {"index": self._count, "name": call.name, "arguments": call.arguments}
        self._count += 1
        # Mistral's own templates refuse any id that has not nine letters and digits.
        head, size = ("", 9) if self._format == MISTRAL else ("call_", 8)
        letters = "".join(secrets.choice(_ID_LETTERS) for _ in range(size))
        return {"id": head + letters, "function": function}


def join(parts: Iterable[Json], dialect: Dialect) -> Json:
    """The chunks of a stream as the one object of a reply that is not streamed."""
    parts = list(parts)
    texts = [part.get("message", part) for part in parts]
    said = Said(
        thinking="".join(text.get("thinking", "") for text in texts),
        content="".join(text.get("content", text.get("response", "")) for text in texts),
        calls=tuple(call for text in texts for call in text.get("tool_calls", ())),
    )
    logprobs = [figures for part in parts for figures in part.get("logprobs", ())]
    more = {"logprobs": logprobs} if logprobs else {}
    return {**parts[-1], **dialect.label(said), **more}


def _figures(done: Done, total_seconds: float, load_seconds: float) -> Json:
    figures = {
        "total_duration": to_nanoseconds(total_seconds),
        "load_duration": to_nanoseconds(load_seconds),
        "prompt_eval_count": done.prompt_count,
        "prompt_eval_duration": to_nanoseconds(done.prompt_seconds),
        "eval_count": done.eval_count,
        "eval_duration": to_nanoseconds(done.eval_seconds),
    }
    context = {"context": done.context} if done.context is not None else {}
    return {"done_reason": done.reason, **context, **without_zeros(figures)}
