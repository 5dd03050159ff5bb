"""Which models are loaded, who waits for them, and when they go.

One child process per loaded model; requests for one model are answered in turn, first come, first
served. The engine knows neither HTTP nor the store: it is handed a file to load (`LoadPlan`) and
work to do on it (`Job`). Time comes from a clock and processes from a function, both of which tests
replace.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from jimoto.daemon.child import Child, ChildDied
from jimoto.daemon.jobs import (
    Done,
    EmbedEvent,
    EmbedJob,
    Event,
    Job,
    Loaded,
    LoadPlan,
    Started,
    Text,
    Vector,
)
from jimoto.daemon.settings import FOREVER, Clock, Settings
from jimoto.daemon.wire import ApiError


@dataclass(eq=False)
class Runner:
    """A loaded model: its process, and who uses it."""

    plan: LoadPlan
    child: Child
    context_length: int
    keep_alive_seconds: float
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    users: int = 0  # requests that hold it or wait for their turn
    idle_since: float = 0.0
    job: int | None = None  # the run that the child is busy with
    broken: bool = False  # it did not obey and was ended
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_usable(self) -> bool:
        return not self.broken and self.child.is_alive

    @property
    def expires_at(self) -> float:
        return self.idle_since + self.keep_alive_seconds


def find_refusal(plan: LoadPlan) -> str | None:
    """Why this model must not be loaded now, with the numbers and what would fit; else None."""
    # imported late: it reads tables, and the server should answer before that
    import platform

    from jimoto.errors import MemoryShort, ModelError
    from jimoto.hardware.fit import refusal
    from jimoto.hardware.machine import own_limits, read_memory
    from jimoto.hardware.memory import processor_family

    _, free_bytes = read_memory(own_limits())
    kind = processor_family(platform.machine())
    context, batch = plan.context_length, plan.batch
    try:
        short: MemoryShort | None = refusal(
            plan.path, context, free_bytes, name=plan.name, batch=batch, processor=kind
        )
    except ModelError:  # a shape that the prediction does not know: llama.cpp will say
        return None
    return short.text("en").replace("\n", " ") if short else None


def memory_limit(plan: LoadPlan) -> int:
    """Bytes that the process of this model may take: what is predicted, and half as much again.

    The spare GiB is for what a prediction does not see: schemas, templates, long prompts.
    """
    import platform

    from jimoto.errors import ModelError
    from jimoto.hardware.gguf_head import read_head
    from jimoto.hardware.memory import Use, estimate_memory, processor_family
    from jimoto.hardware.subjects import subject_of_head

    use = Use(
        plan.context_length,
        batch=plan.batch,
        full_window=True,
        processor=processor_family(platform.machine()),
    )
    try:
        subject = subject_of_head(read_head(plan.path), plan.name)
        predicted = estimate_memory(subject, use).total_bytes
        predicted += sum(path.stat().st_size for path in plan.adapters)
    except (ModelError, OSError):
        predicted = 2 * plan.size_bytes
    return predicted * 3 // 2 + 2**30


BUSY = "server busy, please try again.  maximum pending requests exceeded"
DIED = "the model's process ended unexpectedly; the next request starts a new one"


class LlamaEngine:
    """The engine that runs llama.cpp, one process per model."""

    def __init__(
        self,
        settings: Settings,
        clock: Clock,
        start_child: Callable[[], Awaitable[Child]] = Child.start,
        refuse: Callable[[LoadPlan], str | None] = find_refusal,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._start_child = start_child
        self._refuse = refuse
        self._runners: dict[Path, Runner] = {}
        self._retired: set[Runner] = set()  # no longer offered, not yet ended
        self._loading = asyncio.Lock()  # one load at a time; fair, so nobody is overtaken
        self._waiting = 0
        self._next_id = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._watching: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    # --- what the routes call ---

    async def load(self, plan: LoadPlan, keep_alive: float | None) -> None:
        async with self._in_turn(plan, keep_alive):
            pass

    def run(self, plan: LoadPlan, job: Job, keep_alive: float | None) -> AsyncGenerator[Event]:
        """Events of one job. Closing the generator early stops the work."""
        return cast(AsyncGenerator[Event], self._work(plan, job, keep_alive))

    def embed(
        self, plan: LoadPlan, job: EmbedJob, keep_alive: float | None
    ) -> AsyncGenerator[EmbedEvent]:
        """The same for texts that become vectors."""
        return cast(AsyncGenerator[EmbedEvent], self._work(plan, job, keep_alive))

    async def _work(
        self, plan: LoadPlan, job: Job | EmbedJob, keep_alive: float | None
    ) -> AsyncGenerator[Event | Vector]:
        began = self._clock.monotonic()
        for attempt in (1, 2):
            async with self._in_turn(plan, keep_alive) as runner:
                try:
                    await self._submit(runner, job)
                except ChildDied:
                    # It had died before this request came: a new process answers. A request that
                    # was accepted is never repeated, since it may be what ended the process.
                    if attempt == 2:
                        raise ApiError(500, DIED) from None
                    continue
                load_seconds = self._clock.monotonic() - began
                async for event in self._events(runner, load_seconds):
                    yield event
                return

    async def unload(self, path: Path) -> None:
        """Let a model go: at once if it is idle, else when its last request is answered."""
        runner = self._runners.get(path)
        if runner is None:
            return
        runner.keep_alive_seconds = 0.0
        if runner.users == 0:
            self._retire(runner)
            await runner.gone.wait()

    def loaded(self) -> list[Loaded]:
        """The models in memory, the one that stays longest first."""
        now = self._clock.monotonic()
        found = [
            Loaded(
                runner.plan,
                runner.context_length,
                (now if runner.users else runner.idle_since) + runner.keep_alive_seconds - now,
            )
            for runner in self._runners.values()
            if runner.is_usable
        ]
        return sorted(found, key=lambda entry: -entry.expires_in_seconds)

    async def start(self) -> None:
        """Begin to watch the clock."""
        self._watching = self._spawn(self._watch())

    async def close(self) -> None:
        """End every process, whoever still waits for its words."""
        runners = [*self._runners.values(), *self._retired]
        for runner in runners:
            self._give_up(runner)
        for runner in runners:
            if runner.users == 0:
                await runner.gone.wait()
            else:
                await runner.child.wait()
        if self._watching is not None:
            self._watching.cancel()
        # The rest end by themselves now: every process they could wait for is gone.
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def sweep(self) -> None:
        """Let go what nobody has used for its keep-alive time."""
        now = self._clock.monotonic()
        for runner in list(self._runners.values()):
            if runner.users == 0 and (runner.expires_at <= now or not runner.is_usable):
                self._retire(runner)
                await runner.gone.wait()

    # --- turns ---

    @contextlib.asynccontextmanager
    async def _in_turn(self, plan: LoadPlan, keep_alive: float | None) -> AsyncIterator[Runner]:
        """A loaded runner that is ours alone until we leave."""
        runner = await self._acquire(plan)
        if keep_alive is not None:
            runner.keep_alive_seconds = keep_alive
        try:
            yield runner
        finally:
            if runner.job is None:
                self._release(runner)
            else:  # nobody wants the rest; our turn ends when the child has stopped
                self._spawn(self._settle(runner))

    async def _acquire(self, plan: LoadPlan) -> Runner:
        if self._waiting >= self._settings.max_queue:
            raise ApiError(503, BUSY)
        self._waiting += 1
        try:
            while True:
                runner = self._usable(plan) or await self._loaded_in_turn(plan)
                runner.users += 1
                try:
                    await runner.turn.acquire()
                except asyncio.CancelledError:
                    self._leave(runner)
                    raise
                if runner.is_usable:
                    return runner
                self._release(runner)  # it died while we waited: somebody else's request was hit
        finally:
            self._waiting -= 1

    def _release(self, runner: Runner) -> None:
        runner.turn.release()
        self._leave(runner)

    def _leave(self, runner: Runner) -> None:
        runner.users -= 1
        if runner.users:
            return
        runner.idle_since = self._clock.monotonic()
        self._changed.set()
        if runner in self._retired:
            self._spawn(self._end(runner))
        elif runner.keep_alive_seconds <= 0 or not runner.is_usable:
            self._retire(runner)

    def _usable(self, plan: LoadPlan) -> Runner | None:
        runner = self._runners.get(plan.path)
        if runner is None:
            return None
        if runner.is_usable and runner.plan.load_options == plan.load_options:
            return runner
        self._retire(runner)
        return None

    # --- loading and letting go ---

    async def _loaded_in_turn(self, plan: LoadPlan) -> Runner:
        async with self._loading:
            runner = self._usable(plan)  # whoever was before us may have loaded it
            if runner is None:
                await self._make_room(plan)
                runner = await self._load(plan)
                self._runners[plan.path] = runner
                self._changed.set()
            return runner

    async def _make_room(self, plan: LoadPlan) -> None:
        """Wait until the old process of this file is gone, and until one more may be loaded."""
        for runner in [r for r in self._retired if r.plan.path == plan.path]:
            await runner.gone.wait()
        while len(self._runners) >= self._settings.max_loaded_models:
            await self._evict(list(self._runners.values()))
        while reason := await asyncio.to_thread(self._refuse, plan):
            idle = [runner for runner in self._runners.values() if runner.users == 0]
            if not idle:
                raise ApiError(500, reason)
            await self._evict(idle)

    async def _evict(self, runners: list[Runner]) -> None:
        """Let one of these go: an idle one before a busy one, then the one that would go first."""
        victim = min(runners, key=lambda r: (r.users > 0, r.keep_alive_seconds, str(r.plan.path)))
        self._retire(victim)
        await victim.gone.wait()

    async def _load(self, plan: LoadPlan) -> Runner:
        child = await self._start_child()
        try:
            limit = await asyncio.to_thread(memory_limit, plan)
            await child.send(plan.command() | {"memory_limit_bytes": limit})
            reply = await asyncio.wait_for(child.receive(), self._settings.load_timeout_seconds)
            if "error" in reply:
                raise ApiError(reply["status"], reply["error"])
        except BaseException as error:
            child.kill()
            self._spawn(child.close())
            if isinstance(error, ChildDied):
                raise ApiError(500, "the model's process ended while it was loading") from None
            if isinstance(error, TimeoutError):
                raise ApiError(500, "timed out waiting for the model to load") from None
            raise
        keep_alive = self._settings.keep_alive_seconds
        return Runner(plan, child, reply["context_length"], keep_alive)

    def _retire(self, runner: Runner) -> None:
        """Offer it to nobody any more, and end it as soon as its last user is served."""
        if self._runners.get(runner.plan.path) is runner:
            del self._runners[runner.plan.path]
        if runner not in self._retired and not runner.gone.is_set():
            self._retired.add(runner)
            if runner.users == 0:
                self._spawn(self._end(runner))

    async def _end(self, runner: Runner) -> None:
        await runner.child.close()
        self._retired.discard(runner)
        runner.gone.set()

    # --- one job ---

    async def _submit(self, runner: Runner, job: Job | EmbedJob) -> None:
        self._next_id += 1
        runner.job = self._next_id
        try:
            await runner.child.send({"id": runner.job, **job.command()})
            reply = await runner.child.receive()
            if reply.get("accepted") != runner.job:
                raise ChildDied
        except ChildDied:
            self._give_up(runner)
            raise

    async def _events(self, runner: Runner, load_seconds: float) -> AsyncGenerator[Event | Vector]:
        """The child's replies as events, up to the last one."""
        # The template is a stranger's program: it gets so much time and no more.
        timeout: float | None = self._settings.prompt_timeout_seconds
        try:
            while True:
                reply = await asyncio.wait_for(runner.child.receive(), timeout)
                if "text" in reply:
                    yield Text(reply["text"], tuple(reply.get("logprobs", ())))
                elif "vector" in reply:
                    yield Vector(reply["vector"])
                elif "prompt" in reply:
                    timeout = None
                    prompt = reply["prompt"]
                    yield Started(load_seconds, prompt["tail"], prompt["cached"])
                else:
                    break
        except ChildDied:
            self._give_up(runner)
            raise ApiError(500, DIED) from None
        except TimeoutError:
            self._give_up(runner)
            raise ApiError(500, "the model's chat template did not finish in time") from None
        runner.job = None
        if "error" in reply:
            raise ApiError(reply["status"], reply["error"])
        yield Done(**reply["done"])

    async def _settle(self, runner: Runner) -> None:
        """Stop the run that nobody wants, or else the process; then pass the turn on."""
        try:
            async with asyncio.timeout(self._settings.cancel_timeout_seconds):
                await runner.child.send({"op": "cancel", "id": runner.job})
                reply: dict[str, Any] = {}
                while not reply.keys() & {"done", "error"}:
                    reply = await runner.child.receive()
            runner.job = None
        except (ChildDied, TimeoutError):
            self._give_up(runner)
        finally:
            self._release(runner)

    def _give_up(self, runner: Runner) -> None:
        """This process is dead, or will be in a moment; nobody is sent to it any more."""
        runner.job = None
        runner.broken = True
        runner.child.kill()
        self._retire(runner)

    # --- background ---

    async def _watch(self) -> None:
        while True:
            self._changed.clear()
            await self.sweep()
            idle = [r.expires_at for r in self._runners.values() if r.users == 0]
            wait = min(idle, default=FOREVER) - self._clock.monotonic()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(None if wait == FOREVER else max(wait, 0.01)):
                    await self._changed.wait()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
