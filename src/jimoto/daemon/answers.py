"""From a generate or chat request to a job, and from the job's events to Ollama's JSON.

It decides what the model reads and how its words are labelled. It does not know routes, processes
or disks: it is handed a `Model`, a decoded body and a stream of events.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from jimoto.daemon.jobs import Done, Event, Job, LoadPlan, Started, Text
from jimoto.daemon.library import Model
from jimoto.daemon.settings import Clock, Settings
from jimoto.daemon.thinking import Split, ThinkingSplitter, opens_thinking
from jimoto.daemon.wire import (
    ApiError,
    Json,
    Options,
    format_utc,
    parse_format,
    parse_options,
    parse_think,
    to_nanoseconds,
    without_zeros,
)

_SEED_BITS = 32


@dataclass(frozen=True)
class Dialect:
    """How generate and chat label the same things."""

    verb: str
    label: Callable[[Split], Json]


def _label_generate(split: Split) -> Json:
    return {"response": split.content, **_thinking(split)}


def _label_chat(split: Split) -> Json:
    return {"message": {"role": "assistant", "content": split.content, **_thinking(split)}}


def _thinking(split: Split) -> Json:
    return {"thinking": split.thinking} if split.thinking else {}


GENERATE = Dialect("generate", _label_generate)
CHAT = Dialect("chat", _label_chat)


# --- a request becomes a plan and a job -----------------------------------------------


def check_generate(body: Json, model: Model) -> None:
    """Refusals of /api/generate, in Ollama's order; raises ApiError."""
    if body.get("raw") and (body.get("template") or body.get("system") or body.get("context")):
        raise ApiError(400, "raw mode does not support template, system, or context")
    _check_thinking(body, model)
    _check_completes(model, GENERATE)
    if body.get("suffix"):
        raise ApiError(400, f"{model.entry.name.full} does not support insert")
    if body.get("template"):
        raise ApiError(400, "'template' is not supported by Jimoto's embedded server yet")
    _check_images(body, model)
    _check_logprobs(body)


def check_chat(body: Json, model: Model) -> None:
    """Refusals of /api/chat, in Ollama's order; raises ApiError."""
    _check_completes(model, CHAT)
    if body.get("tools"):
        raise ApiError(400, f"{model.entry.name.full} does not support tools")
    _check_thinking(body, model)
    for message in body["messages"]:
        _check_images(message, model)
    _check_logprobs(body)


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
    )


def generate_job(body: Json, model: Model, options: Options) -> Job:
    prompt = body["prompt"]
    # Without a template of its own, a model is given the prompt and nothing else.
    verbatim = body.get("raw") or not model.gguf.chat_template
    if verbatim:
        return _job(body, model, options, prompt=prompt)
    history = [] if body.get("context") else model.messages
    messages = _system(body.get("system") or model.system) + history
    messages = [*messages, {"role": "user", "content": prompt}]
    return _job(body, model, options, messages=[_for_template(m) for m in messages])


def chat_job(body: Json, model: Model, options: Options) -> Job:
    asked = body["messages"]
    system = [] if asked[0]["role"] == "system" else _system(model.system)
    messages = system + model.messages + _without_old_thinking(asked, model)
    return _job(body, model, options, messages=[_for_template(m) for m in messages])


def _job(body: Json, model: Model, options: Options, **prompt: Any) -> Job:
    think = parse_think(body.get("think"))
    thinks = model.thinks and think is not False and not body.get("raw")
    variables: Json = {"enable_thinking": thinks} if model.thinks else {}
    if isinstance(think, str):
        variables["reasoning_effort"] = think
    seed = options.seed % 2**_SEED_BITS if options.seed != -1 else secrets.randbits(_SEED_BITS)
    return Job(
        **prompt,
        context=body.get("context"),
        variables=variables,
        options=options,
        seed=seed,
        schema=parse_format(body.get("format")),
        thinks=thinks,
        truncate=body.get("truncate", True),
        shift=body.get("shift", True),
        wants_context="prompt" in body and not body.get("raw"),
        render_only=body.get("_debug_render_only", False),
    )


def _check_thinking(body: Json, model: Model) -> None:
    if parse_think(body.get("think")) and not model.thinks:
        raise ApiError(400, f'"{body["model"]}" does not support thinking')


def _check_completes(model: Model, dialect: Dialect) -> None:
    if model.has_adapter:  # without it the answers would be another model's
        raise ApiError(400, "'adapters' is not supported by Jimoto's embedded server yet")
    if "completion" not in model.capabilities:
        raise ApiError(400, f'"{model.name}" does not support {dialect.verb}')


def _check_images(holder: Json, model: Model) -> None:
    if holder.get("images"):
        raise ApiError(400, f"{model.entry.name.full} does not support vision")


def _check_logprobs(body: Json) -> None:
    if body.get("logprobs") or body.get("top_logprobs"):
        raise ApiError(400, "'logprobs' is not supported by Jimoto's embedded server yet")


def _system(text: str) -> list[Json]:
    return [{"role": "system", "content": text}] if text else []


def _for_template(message: Json) -> Json:
    """A message as a chat template expects it; earlier reasoning is not shown again."""
    known = {key: message[key] for key in ("role", "content", "tool_call_id") if key in message}
    return known | ({"name": message["tool_name"]} if "tool_name" in message else {})


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
    return {**head, **dialect.label(Split()), "done": True, "done_reason": done_reason}


async def chunks(
    events: AsyncGenerator[Event], dialect: Dialect, model: str, job: Job, clock: Clock
) -> AsyncGenerator[Json]:
    """One JSON object for each piece of text, and a last one with the figures."""
    began = clock.monotonic()
    load_seconds = 0.0
    splitter: ThinkingSplitter | None = None

    def chunk(split: Split, done: bool = False) -> Json:
        head = {"model": model, "created_at": format_utc(clock.wall_ns())}
        return {**head, **dialect.label(split), "done": done}

    try:
        async for event in events:
            if isinstance(event, Started):
                load_seconds = event.load_seconds
                inside = opens_thinking(event.prompt_tail)
                splitter = ThinkingSplitter(inside) if job.thinks else None
            elif isinstance(event, Text):
                split = splitter.feed(event.text) if splitter else Split(content=event.text)
                if split != Split():
                    yield chunk(split)
            elif event.rendered is not None:
                yield {**chunk(Split()), "_debug_info": {"rendered_template": event.rendered}}
            else:
                rest = splitter.finish() if splitter else Split()
                if rest != Split():
                    yield chunk(rest)
                total_seconds = clock.monotonic() - began
                yield {**chunk(Split(), done=True), **_figures(event, total_seconds, load_seconds)}
    finally:
        await events.aclose()


def join(parts: Iterable[Json], dialect: Dialect) -> Json:
    """The chunks of a stream as the one object of a reply that is not streamed."""
    parts = list(parts)
    texts = [part.get("message", part) for part in parts]
    split = Split(
        thinking="".join(text.get("thinking", "") for text in texts),
        content="".join(text.get("content", text.get("response", "")) for text in texts),
    )
    return {**parts[-1], **dialect.label(split)}


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
