"""The routes of the embedded server, and nothing but routes: request → room → response.

Errors become statuses here. It does not know llama.cpp, the layout on disk or what a model is; it
is handed the rooms that do.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Coroutine,
    Generator,
    Iterator,
    Mapping,
)
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from jimoto.daemon import answers, openai_v1, vectors, wire
from jimoto.daemon.guards import Guards
from jimoto.daemon.jobs import Done, EmbedJob, Engine, Job, Loaded, LoadPlan, Started, Vector
from jimoto.daemon.library import Library, Model, details, parse_model_name
from jimoto.daemon.settings import Clock, Settings
from jimoto.daemon.store import DigestMismatch, InvalidDigest, TooLarge, parse_digest
from jimoto.daemon.wire import ApiError, Json

if TYPE_CHECKING:
    from jimoto.daemon.registry import Puller

T = TypeVar("T")

# Each of these costs time for every message or token, so their number is limited.
MAX_COUNTS = {"messages": 4096, "tools": 256, "stop": 256, "images": 64}

_YEARS_AHEAD_SECONDS = 292 * 365.25 * 86_400  # how Ollama shows "forever"


@dataclass(frozen=True)
class Rooms:
    """What the routes stand in front of."""

    settings: Settings
    library: Library
    engine: Engine
    clock: Clock
    # one change of the store at a time
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    environment: Mapping[str, str] = field(default_factory=dict)  # names mirrors and proxies
    pullers: list[Puller] = field(default_factory=list)  # none yet, or the one of this server

    def puller(self) -> Puller:
        """Made for the first pull: it brings httpx, which is slow to import."""
        if not self.pullers:
            from jimoto.daemon.registry import Puller
            from jimoto.daemon.registry_client import registry_settings_from_environment

            settings = registry_settings_from_environment(self.environment)
            self.pullers.append(Puller(self.library.store, settings, self.changing))
        return self.pullers[0]


class ClientGone(Exception):
    """Nobody waits for the answer any more."""


# --- responses ------------------------------------------------------------------------


class JsonResponse(Response):
    media_type = "application/json; charset=utf-8"

    def render(self, content: Any) -> bytes:
        return wire.to_json(content)


class NdjsonResponse(Response):
    """One JSON object a line, sent as it comes; stops the work as soon as the client has gone."""

    media_type = "application/x-ndjson"

    def __init__(self, first: Json, rest: AsyncGenerator[Json]) -> None:
        self.status_code = 200
        self.background = None
        self._first, self._rest = first, rest
        self.init_headers()  # no body yet, so no content-length

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        sending = asyncio.create_task(self._send(send))
        leaving = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not sending.done():
                sending.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
            await self._rest.aclose()
        if not sending.cancelled():
            sending.result()

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await self._line(send, self._first)
        try:
            async for chunk in self._rest:
                await self._line(send, chunk)
        except ApiError as error:
            await self._line(send, {"error": error.text})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _line(self, send: Send, value: Json) -> None:
        body = wire.to_json(value) + b"\n"
        await send({"type": "http.response.body", "body": body, "more_body": True})


class SseResponse(NdjsonResponse):
    """The same as server-sent events, each object through OpenAI's dialect."""

    media_type = "text/event-stream"

    def __init__(
        self,
        first: Json,
        rest: AsyncGenerator[Json],
        dialect: openai_v1.ChatStream | openai_v1.CompletionStream,
    ) -> None:
        super().__init__(first, rest)
        self._dialect = dialect

    async def _line(self, send: Send, value: Json) -> None:
        is_error = value.keys() == {"error"}
        items = [openai_v1.error(500, value["error"])] if is_error else self._dialect.feed(value)
        events = [b"data: " + wire.to_json(item) + b"\n\n" for item in items]
        if value.get("done"):
            events.append(b"data: [DONE]\n\n")
        if events:
            body = b"".join(events)
            await send({"type": "http.response.body", "body": body, "more_body": True})


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _unless_gone(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is cancelled when the client goes away first."""
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_disconnected(request.receive))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientGone
        return working.result()
    finally:
        leaving.cancel()
        working.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


# --- what several routes need ---------------------------------------------------------


def _rooms(request: Request) -> Rooms:
    rooms: Rooms = request.app.state.rooms
    return rooms


async def _body(request: Request, fields: dict[str, str]) -> Json:
    limit = _rooms(request).settings.body_limit_bytes
    raw = bytearray()
    async for piece in request.stream():
        raw += piece
        if len(raw) > limit:
            raise ApiError(413, f"request body larger than {limit} bytes")
    return wire.read_body(bytes(raw), fields)


async def _find(rooms: Rooms, body: Json) -> Model:
    name = body["model"]
    return await asyncio.to_thread(rooms.library.find, name, f"model '{name}' not found")


async def _answer(
    request: Request, body: Json, dialect: answers.Dialect, plan: LoadPlan, job: Job
) -> Response:
    """Run the job; one object, or a stream of them."""
    parts = _parts(_rooms(request), body, dialect, plan, job)
    if job.render_only or not body.get("stream", True):
        return JsonResponse(await _unless_gone(request, _joined(parts, dialect)))
    # The first chunk decides: an error before it has a status of its own.
    return NdjsonResponse(await _unless_gone(request, _first(parts)), parts)


def _parts(
    rooms: Rooms, body: Json, dialect: answers.Dialect, plan: LoadPlan, job: Job
) -> AsyncGenerator[Json]:
    keep_alive = wire.parse_keep_alive(body.get("keep_alive"))
    events = rooms.engine.run(plan, job, keep_alive)
    return answers.chunks(events, dialect, body["model"], job, rooms.clock)


async def _first(parts: AsyncGenerator[Json]) -> Json:
    return await anext(parts)


async def _joined(parts: AsyncGenerator[Json], dialect: answers.Dialect) -> Json:
    return answers.join([part async for part in parts], dialect)


async def _unload(request: Request, body: Json, dialect: answers.Dialect, model: Model) -> Response:
    rooms = _rooms(request)
    await rooms.engine.unload(model.weights)
    return JsonResponse(answers.single(dialect, body["model"], rooms.clock, "unload"))


async def _load(request: Request, body: Json, dialect: answers.Dialect, plan: LoadPlan) -> Response:
    rooms = _rooms(request)
    keep_alive = wire.parse_keep_alive(body.get("keep_alive"))
    await _unless_gone(request, rooms.engine.load(plan, keep_alive))
    return JsonResponse(answers.single(dialect, body["model"], rooms.clock, "load"))


# --- routes ---------------------------------------------------------------------------


async def alive(request: Request) -> Response:
    return PlainTextResponse("Ollama is running")


async def version(request: Request) -> Response:
    settings = _rooms(request).settings
    # The second key is ours: by it `connect` recognises the embedded server.
    return JsonResponse({"version": settings.ollama_version, "jimoto": settings.jimoto_version})


async def status(request: Request) -> Response:
    return JsonResponse({"cloud": {"disabled": True, "source": "config"}})


async def generate(request: Request) -> Response:
    rooms, body = _rooms(request), await _body(request, wire.GENERATE_FIELDS)
    model = await _generate_model(rooms, body)
    if not body.get("prompt") and _is_unload(body):
        return await _unload(request, body, answers.GENERATE, model)
    answers.check_generate(body, model)
    options = answers.make_options(body, model)
    plan = answers.make_plan(model, options, rooms.settings)
    if not body.get("prompt"):
        return await _load(request, body, answers.GENERATE, plan)
    job = answers.generate_job(body, model, options)
    return await _answer(request, body, answers.GENERATE, plan, job)


async def _generate_model(rooms: Rooms, body: Json) -> Model:
    _check_common(body)
    if not body.get("model", "").strip():
        raise ApiError(404, "model '' not found")
    return await _find(rooms, body)


async def chat(request: Request) -> Response:
    rooms, body = _rooms(request), await _body(request, wire.CHAT_FIELDS)
    model = await _chat_model(rooms, body)
    if not body["messages"] and _is_unload(body):
        return await _unload(request, body, answers.CHAT, model)
    answers.check_chat(body, model)
    options = answers.make_options(body, model)
    plan = answers.make_plan(model, options, rooms.settings)
    if not body["messages"]:
        return await _load(request, body, answers.CHAT, plan)
    job = answers.chat_job(body, model, options)
    return await _answer(request, body, answers.CHAT, plan, job)


async def _chat_model(rooms: Rooms, body: Json) -> Model:
    _check_common(body)
    if not body.get("model", "").strip():
        raise ApiError(400, "model is required")
    body["messages"] = wire.read_messages(body.get("messages") or [])
    return await _find(rooms, body)


def _is_unload(body: Json) -> bool:
    return wire.parse_keep_alive(body.get("keep_alive")) == 0


def _check_common(body: Json) -> None:
    """What Ollama's decoder refuses, before it looks at anything else."""
    wire.parse_keep_alive(body.get("keep_alive"))
    wire.parse_think(body.get("think"))
    if not 0 <= body.get("top_logprobs", 0) <= 20:
        raise ApiError(400, "top_logprobs must be between 0 and 20")
    counted = {**body, "stop": (body.get("options") or {}).get("stop")}
    for key, most in MAX_COUNTS.items():
        value = counted.get(key)
        if isinstance(value, list) and len(value) > most:
            raise ApiError(400, f"more than {most} {key} in one request")


async def embed(request: Request) -> Response:
    rooms, body = _rooms(request), await _body(request, vectors.EMBED_FIELDS)
    began = rooms.clock.monotonic()
    if not body.get("model", "").strip():
        raise ApiError(404, "model '' not found")
    found, done, load_seconds = await _unless_gone(request, _embed(rooms, body))
    figures = {
        "total_duration": wire.to_nanoseconds(rooms.clock.monotonic() - began),
        "load_duration": wire.to_nanoseconds(load_seconds),
        "prompt_eval_count": done.prompt_count,
    }
    shaped = [vectors.shape_vector(values, body.get("dimensions", 0)) for values in found]
    answer = {"model": body["model"], "embeddings": shaped}
    return JsonResponse(answer | wire.without_zeros(figures))


async def embeddings(request: Request) -> Response:
    """The older form: one text, one vector, and nothing else."""
    rooms, body = _rooms(request), await _body(request, vectors.EMBEDDINGS_FIELDS)
    if not body.get("model", "").strip():
        raise ApiError(400, "model is required")
    body["input"] = body.get("prompt", "")
    try:
        found, _, _ = await _unless_gone(request, _embed(rooms, body))
    except ApiError as error:
        raise ApiError(error.status if error.status == 404 else 500, error.text) from None
    return JsonResponse({"embedding": vectors.shape_vector(found[0]) if found else []})


async def _embed(rooms: Rooms, body: Json) -> tuple[list[list[float]], Done, float]:
    """The vectors of `input`, the figures, and the seconds of loading."""
    texts = vectors.read_inputs(body.get("input"))
    keep_alive = wire.parse_keep_alive(body.get("keep_alive"))
    not_found = f'model "{body["model"]}" not found, try pulling it first'
    model = await asyncio.to_thread(rooms.library.find, body["model"], not_found)
    plan = answers.make_plan(model, answers.make_options(body, model), rooms.settings)
    if model.gguf.is_embedding_model:  # its texts are computed whole, not piece by piece
        plan = replace(plan, batch=min(2048, plan.context_length))
    if not texts:
        began = rooms.clock.monotonic()
        await rooms.engine.load(plan, keep_alive)
        return [], Done(), rooms.clock.monotonic() - began
    job = EmbedJob(texts, body.get("truncate", True))
    found: list[list[float]] = []
    load_seconds, done = 0.0, Done()
    async with contextlib.aclosing(rooms.engine.embed(plan, job, keep_alive)) as events:
        async for event in events:
            if isinstance(event, Vector):
                found.append(event.values)
            elif isinstance(event, Started):
                load_seconds = event.load_seconds
            else:
                done = event
    return found, done, load_seconds


async def tags(request: Request) -> Response:
    return JsonResponse({"models": await asyncio.to_thread(_rooms(request).library.tags)})


async def ps(request: Request) -> Response:
    rooms = _rooms(request)
    models = [await asyncio.to_thread(_running, rooms, loaded) for loaded in rooms.engine.loaded()]
    return JsonResponse({"models": models})


def _running(rooms: Rooms, loaded: Loaded) -> Json:
    plan = loaded.plan
    try:
        known = details(rooms.library.find(plan.name, "").config)
    except ApiError:  # deleted while it was loaded
        known = details({})
    seconds = min(loaded.expires_in_seconds, _YEARS_AHEAD_SECONDS)
    return {
        "name": plan.name,
        "model": plan.name,
        "size": plan.size_bytes,
        "digest": plan.digest,
        "details": known,
        "expires_at": wire.format_local(rooms.clock.wall_ns() + round(seconds * 1e9)),
        "size_vram": 0,
        "context_length": loaded.context_length,
    }


async def show(request: Request) -> Response:
    rooms, body = _rooms(request), await _body(request, wire.SHOW_FIELDS)
    name = body.get("model") or body.get("name") or ""
    if not name.strip():
        raise ApiError(400, "model is required")

    def answer() -> Json:
        short = parse_model_name(name).short
        model = rooms.library.find(name, f"model '{short}' not found")
        return rooms.library.show(model, body.get("verbose", False))

    return JsonResponse(await asyncio.to_thread(answer))


async def create(request: Request) -> Response:
    rooms, body = _rooms(request), await _body(request, wire.CREATE_FIELDS)
    items = _steps(rooms, rooms.library.create(body))
    if not body.get("stream", True):
        return JsonResponse(await _unless_gone(request, _last(items)))
    # Nothing is sent before long work begins: until then an error has a status of its own.
    head = await _unless_gone(request, _until_counted(items))
    return NdjsonResponse(head[0], _chain(head[1:], items))


async def _steps(rooms: Rooms, steps: Iterator[Json]) -> AsyncGenerator[Json]:
    """A change of the store, step by step in a thread; nobody else changes it meanwhile."""
    async with rooms.changing:
        try:
            while (item := await _whole(asyncio.to_thread(next, steps, None))) is not None:
                yield item
        finally:
            if isinstance(steps, Generator):
                await _whole(asyncio.to_thread(steps.close))


async def _whole(work: Coroutine[Any, Any, T]) -> T:
    """A thread cannot be cancelled: who leaves waits until the step is done."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise


async def _until_counted(items: AsyncGenerator[Json]) -> list[Json]:
    """The items up to the first that counts something, or all."""
    found: list[Json] = []
    async for item in items:
        found.append(item)
        if "total" in item:
            break
    return found


async def pull(request: Request) -> Response:
    rooms, body = _rooms(request), await _body(request, wire.PULL_FIELDS)
    name = body.get("model") or body.get("name") or ""
    if not name.strip():
        raise ApiError(400, "model is required")
    items = rooms.puller().pull(name, body.get("insecure", False))
    if not body.get("stream", True):
        return JsonResponse(await _unless_gone(request, _last(items)))
    return NdjsonResponse(await _unless_gone(request, _first(items)), items)


async def _last(items: AsyncGenerator[Json]) -> Json:
    async with contextlib.aclosing(items):
        return [item async for item in items][-1]


async def push(request: Request) -> Response:
    """Models go out through `jimoto mirror`; this server holds no account and no key."""
    rooms, body = _rooms(request), await _body(request, wire.PULL_FIELDS)
    name = body.get("model") or body.get("name") or ""
    if not name.strip():
        raise ApiError(400, "model is required")
    await asyncio.to_thread(rooms.library.find, name, f"model '{name}' not found")
    text = "push is not supported by Jimoto's embedded server; share models with `jimoto mirror`"
    raise ApiError(501, text)


async def copy(request: Request) -> Response:
    rooms, body = _rooms(request), await _body(request, wire.COPY_FIELDS)
    source, destination = body.get("source", ""), body.get("destination", "")
    async with rooms.changing:
        await asyncio.to_thread(rooms.library.copy, source, destination)
    return Response()


async def delete(request: Request) -> Response:
    rooms, body = _rooms(request), await _body(request, wire.DELETE_FIELDS)
    name = body.get("model") or body.get("name") or ""
    if not name.strip():
        raise ApiError(400, "model is required")
    async with rooms.changing:
        entry = await asyncio.to_thread(rooms.library.entry_to_delete, name)
        for weights in await asyncio.to_thread(rooms.library.weights_used_only_by, entry):
            await rooms.engine.unload(weights)
        await asyncio.to_thread(rooms.library.store.delete, entry)
    return Response()


async def find_blob(request: Request) -> Response:
    digest = _digest(request)
    found = await asyncio.to_thread(_rooms(request).library.store.has_blob, digest)
    return Response(status_code=200 if found else 404)


async def add_blob(request: Request) -> Response:
    rooms, digest = _rooms(request), _digest(request)
    store = rooms.library.store
    if await asyncio.to_thread(store.has_blob, digest):
        async for _ in request.stream():  # a client that is still sending would see a broken pipe
            pass
        return Response(status_code=200)
    upload = await asyncio.to_thread(store.start_upload, rooms.settings.blob_limit_bytes)
    try:
        async for piece in request.stream():
            upload.write(piece)
        await asyncio.to_thread(store.finish_upload, upload, request.path_params["digest"])
    except DigestMismatch as error:
        raise ApiError(400, str(error)) from None
    except TooLarge as error:
        raise ApiError(413, str(error)) from None
    finally:
        upload.discard()
    return Response(status_code=201)


def _digest(request: Request) -> str:
    try:
        return parse_digest(request.path_params["digest"])
    except InvalidDigest:
        raise ApiError(400, "invalid digest format") from None


async def _chain(items: list[Json], rest: AsyncGenerator[Json]) -> AsyncGenerator[Json]:
    async with contextlib.aclosing(rest):
        for item in items:
            yield item
        async for item in rest:
            yield item


# --- the same in OpenAI's dialect -----------------------------------------------------


@dataclass(frozen=True)
class V1Shape:
    """How an answer of `/api` is written for OpenAI's clients."""

    prefix: str
    dialect: answers.Dialect
    whole: Callable[[Json, str, int], Json]
    stream: Callable[[str, int, bool], Any]


V1_CHAT = V1Shape("chatcmpl", answers.CHAT, openai_v1.chat_answer, openai_v1.ChatStream)
V1_COMPLETION = V1Shape(
    "cmpl", answers.GENERATE, openai_v1.completion_answer, openai_v1.CompletionStream
)


async def v1_chat(request: Request) -> Response:
    rooms, asked = _rooms(request), await _body(request, openai_v1.CHAT_FIELDS)
    body = openai_v1.chat_request(asked)
    model = await _chat_model(rooms, body)
    answers.check_chat(body, model)
    options = answers.make_options(body, model)
    plan = answers.make_plan(model, options, rooms.settings)
    parts = _parts(rooms, body, answers.CHAT, plan, answers.chat_job(body, model, options))
    return await _v1_answer(request, asked, parts, V1_CHAT)


async def v1_completions(request: Request) -> Response:
    rooms, asked = _rooms(request), await _body(request, openai_v1.COMPLETION_FIELDS)
    body = openai_v1.completion_request(asked)
    model = await _generate_model(rooms, body)
    if not body["prompt"]:
        raise ApiError(400, "prompt is empty")
    answers.check_generate(body, model)
    options = answers.make_options(body, model)
    plan = answers.make_plan(model, options, rooms.settings)
    parts = _parts(rooms, body, answers.GENERATE, plan, answers.generate_job(body, model, options))
    return await _v1_answer(request, asked, parts, V1_COMPLETION)


async def _v1_answer(request: Request, asked: Json, parts: Any, shape: V1Shape) -> Response:
    ident = f"{shape.prefix}-{secrets.randbelow(1000)}"
    created = _rooms(request).clock.wall_ns() // 10**9
    if not asked.get("stream"):
        answer = await _unless_gone(request, _joined(parts, shape.dialect))
        return JsonResponse(shape.whole(answer, ident, created))
    stream = shape.stream(ident, created, openai_v1.wants_usage(asked))
    return SseResponse(await _unless_gone(request, _first(parts)), parts, stream)


async def v1_embeddings(request: Request) -> Response:
    rooms, body = _rooms(request), await _body(request, openai_v1.EMBEDDING_FIELDS)
    if body.get("input") in (None, "", []):
        raise ApiError(400, "invalid input")
    if not body.get("model", "").strip():
        raise ApiError(404, "model '' not found")
    found, done, _ = await _unless_gone(request, _embed(rooms, body))
    shaped = [vectors.shape_vector(values, body.get("dimensions", 0)) for values in found]
    encoding = body.get("encoding_format", "float")
    listed = openai_v1.embedding_list(body["model"], shaped, done.prompt_count, encoding)
    return JsonResponse(listed)


async def v1_models(request: Request) -> Response:
    rooms = _rooms(request)
    entries = await asyncio.to_thread(rooms.library.store.entries)
    data = [openai_v1.model_item(e.name.short, e.modified_ns // 10**9) for e in entries]
    return JsonResponse({"object": "list", "data": data})


async def v1_model(request: Request) -> Response:
    rooms, name = _rooms(request), request.path_params["model"]
    short = parse_model_name(name).short
    found = await asyncio.to_thread(rooms.library.find, name, f"model '{short}' not found")
    return JsonResponse(openai_v1.model_item(name, found.entry.modified_ns // 10**9))


ROUTES = [
    Route("/", alive, methods=["GET", "HEAD"]),
    Route("/api/version", version, methods=["GET", "HEAD"]),
    Route("/api/status", status, methods=["GET"]),
    Route("/api/tags", tags, methods=["GET", "HEAD"]),
    Route("/api/ps", ps, methods=["GET"]),
    Route("/api/show", show, methods=["POST"]),
    Route("/api/generate", generate, methods=["POST"]),
    Route("/api/chat", chat, methods=["POST"]),
    Route("/api/embed", embed, methods=["POST"]),
    Route("/api/embeddings", embeddings, methods=["POST"]),
    Route("/api/create", create, methods=["POST"]),
    Route("/api/pull", pull, methods=["POST"]),
    Route("/api/push", push, methods=["POST"]),
    Route("/api/copy", copy, methods=["POST"]),
    Route("/api/delete", delete, methods=["DELETE"]),
    Route("/api/blobs/{digest}", find_blob, methods=["HEAD"]),
    Route("/api/blobs/{digest}", add_blob, methods=["POST"]),
    Route("/v1/chat/completions", v1_chat, methods=["POST"]),
    Route("/v1/completions", v1_completions, methods=["POST"]),
    Route("/v1/embeddings", v1_embeddings, methods=["POST"]),
    Route("/v1/models", v1_models, methods=["GET"]),
    Route("/v1/models/{model:path}", v1_model, methods=["GET"]),
]


# --- errors and the whole -------------------------------------------------------------


def _error(request: Request, status: int, text: str) -> Response:
    is_openai = request.url.path.startswith("/v1/")
    body = openai_v1.error(status, text) if is_openai else {"error": text}
    return JsonResponse(body, status_code=status)


async def _on_api_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, ApiError)
    return _error(request, error.status, error.text)


async def _on_http_error(request: Request, error: Exception) -> Response:
    """Unknown path, wrong method: plain text, as Ollama's router answers."""
    assert isinstance(error, HTTPException)
    texts = {404: "404 page not found", 405: "405 method not allowed"}
    return PlainTextResponse(texts.get(error.status_code, error.detail), error.status_code)


async def _on_gone(request: Request, error: Exception) -> Response:
    return Response(status_code=499)


async def _on_bug(request: Request, error: Exception) -> Response:
    return _error(request, 500, "internal server error")


def create_app(
    settings: Settings,
    library: Library,
    engine: Engine,
    clock: Clock,
    environment: Mapping[str, str] | None = None,
) -> Starlette:
    """The server as an ASGI application; it opens no socket and starts no process by itself."""
    rooms = Rooms(settings, library, engine, clock, environment=environment or {})

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await engine.start()
        try:
            yield
        finally:
            for puller in rooms.pullers:
                await puller.aclose()
            await engine.close()

    app = Starlette(
        routes=ROUTES,
        lifespan=lifespan,
        middleware=[Middleware(Guards, origins=settings.origins)],
        exception_handlers={
            ApiError: _on_api_error,
            HTTPException: _on_http_error,
            ClientGone: _on_gone,
            ClientDisconnect: _on_gone,
            Exception: _on_bug,
        },
    )
    app.router.redirect_slashes = False
    app.state.rooms = rooms
    return app
