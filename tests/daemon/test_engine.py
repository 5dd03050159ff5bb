"""What is loaded, who waits, when it goes: scripted processes and a clock that stands still."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from jimoto.daemon.child import ChildDied
from jimoto.daemon.engine import LlamaEngine
from jimoto.daemon.jobs import Done, Job, LoadPlan, Started, Text
from jimoto.daemon.settings import Settings
from jimoto.daemon.wire import ApiError


class FakeChild:
    """A worker process without a process. Prompts are orders: what to do while answering."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.is_alive = True
        self.ended = False
        self._replies: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def send(self, command: dict[str, Any]) -> None:
        if not self.is_alive:
            raise ChildDied
        self.world.commands.append(command)
        if command["op"] == "load":
            await self.world.gate("load")
            bad = command["path"] == "bad"
            self._say(
                {"error": "no", "status": 500} if bad else {"ready": True, "context_length": 64}
            )
        elif command["op"] == "cancel":
            if not self.world.is_deaf:
                self._say({"done": {"reason": "cancelled"}})
        else:
            self._answer(command)

    def _answer(self, command: dict[str, Any]) -> None:
        order = command["prompt"]
        if order == "dead on arrival":
            self.die()
            return
        self._say({"accepted": command["id"]})
        if order == "hang in the template":
            return
        self._say({"prompt": {"count": 1, "cached": 0, "tail": ""}})
        if order == "die":
            self.die()
        elif order == "refuse":
            self._say({"error": "too long", "status": 400})
        else:
            self._say({"text": order})
            if order != "never end":
                self._say({"done": {"reason": "stop"}})

    def _say(self, reply: dict[str, Any]) -> None:
        self._replies.put_nowait(reply)

    async def receive(self) -> dict[str, Any]:
        reply = await self._replies.get()
        if "eof" in reply:
            self._say(reply)
            raise ChildDied
        return reply

    def die(self) -> None:
        self.is_alive = False
        self._say({"eof": True})

    kill = die

    async def wait(self) -> None:
        await settle()

    async def close(self, grace_seconds: float = 1.0) -> None:
        if self.world.ends_slowly:
            await settle()
        self.is_alive = False
        self.ended = True


class World:
    """Everything that a scenario can look at."""

    def __init__(self, clock: Any, **changes: Any) -> None:
        self.children: list[FakeChild] = []
        self.commands: list[dict[str, Any]] = []
        self.gates: dict[str, asyncio.Event] = {}
        self.is_deaf = False
        self.ends_slowly = False
        self.clock = clock
        settings = Settings(Path("models"), cancel_timeout_seconds=0.05, **changes)
        self.refused: dict[str, int] = {}  # path → with how many others in memory it fits not
        self.engine = LlamaEngine(settings, clock.clock, self._start, self._refusal)

    async def _start(self) -> Any:
        self.children.append(FakeChild(self))
        return self.children[-1]

    def _refusal(self, plan: LoadPlan) -> str | None:
        others = len(self.engine.loaded())
        too_many = self.refused.get(plan.path.name, 99)
        return f"'{plan.name}' does not fit" if others >= too_many else None

    async def gate(self, name: str) -> None:
        if name in self.gates:
            await self.gates[name].wait()

    @property
    def loads(self) -> list[str]:
        return [c["path"] for c in self.commands if c["op"] == "load"]

    async def ask(
        self, prompt: str = "hi", path: str = "a", keep_alive: Any = None, **plan: Any
    ) -> str:
        """The text of one answer."""
        texts = ""
        async for event in self.engine.run(make_plan(path, **plan), Job(prompt=prompt), keep_alive):
            texts += event.text if isinstance(event, Text) else ""
        return texts


def make_plan(path: str = "a", **changes: Any) -> LoadPlan:
    plan = LoadPlan(f"{path}:latest", "d" * 64, Path(path), 1_000, 64)
    return dataclasses.replace(plan, **changes)


def play(scenario: Callable[[World], Awaitable[Any]], clock: Any, **changes: Any) -> Any:
    async def run() -> Any:
        world = World(clock, **changes)
        try:
            return await scenario(world)
        finally:
            await world.engine.close()

    return asyncio.run(run())


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_events_come_in_order(clock):
    async def scenario(world):
        return [event async for event in world.engine.run(make_plan(), Job(prompt="hi"), None)]

    started, text, done = play(scenario, clock)
    assert (type(started), text, done) == (Started, Text("hi"), Done("stop"))


def test_a_loaded_model_is_not_loaded_again(clock):
    async def scenario(world):
        await world.ask()
        await world.ask()
        return world.loads

    assert play(scenario, clock) == ["a"]


def test_a_changed_load_option_loads_again_and_ends_the_old_process(clock):
    async def scenario(world):
        await world.ask()
        await world.ask(context_length=32)
        return len(world.loads), world.children[0].ended, len(world.engine.loaded())

    assert play(scenario, clock) == (2, True, 1)


def test_requests_for_one_model_are_answered_in_turn(clock):
    async def scenario(world):
        order = []

        async def ask(number):
            await world.ask(str(number))
            order.append(number)

        await asyncio.gather(*(ask(number) for number in range(8)))
        return order, world.loads

    assert play(scenario, clock) == (list(range(8)), ["a"])


def test_two_models_are_loaded_at_once(clock):
    async def scenario(world):
        await asyncio.gather(world.ask(path="a"), world.ask(path="b"))
        return {loaded.plan.name for loaded in world.engine.loaded()}

    assert play(scenario, clock) == {"a:latest", "b:latest"}


def test_one_model_too_many_evicts_the_idle_one_with_the_shortest_keep_alive(clock):
    async def scenario(world):
        await world.ask(path="a", keep_alive=100.0)
        await world.ask(path="b", keep_alive=50.0)
        await world.ask(path="c")
        return {loaded.plan.name for loaded in world.engine.loaded()}

    assert play(scenario, clock, max_loaded_models=2) == {"a:latest", "c:latest"}


def test_a_busy_model_is_served_before_it_is_evicted(clock):
    async def scenario(world):
        first = world.engine.run(make_plan("a"), Job(prompt="never end"), None)
        await anext(first)
        second = asyncio.create_task(world.ask("b", path="b"))
        third = asyncio.create_task(world.ask("a again", path="a"))
        await settle()
        before = (second.done(), third.done(), world.loads)
        await first.aclose()
        return before, await second, await third, world.loads

    before, second, third, loads = play(scenario, clock, max_loaded_models=1)
    assert before == (False, False, ["a"])
    assert (second, third, loads) == ("b", "a again", ["a", "b", "a"])  # nobody is overtaken


def test_beyond_the_queue_a_request_gets_503(clock):
    async def scenario(world):
        world.gates["load"] = asyncio.Event()
        waiting = [asyncio.create_task(world.ask()) for _ in range(2)]
        await settle()
        with pytest.raises(ApiError) as caught:
            await world.ask()
        world.gates["load"].set()
        return caught.value.status, caught.value.text, await asyncio.gather(*waiting)

    status, text, answers = play(scenario, clock, max_queue=2)
    assert (status, answers) == (503, ["hi", "hi"]) and text.startswith("server busy")


def test_an_idle_model_goes_when_its_time_is_over(clock):
    async def scenario(world):
        await world.ask(keep_alive=60.0)
        clock.advance(59)
        await world.engine.sweep()
        still = len(world.engine.loaded())
        clock.advance(2)
        await world.engine.sweep()
        return still, len(world.engine.loaded()), world.children[0].ended

    assert play(scenario, clock) == (1, 0, True)


def test_keep_alive_begins_when_the_last_request_ends(clock):
    async def scenario(world):
        run = world.engine.run(make_plan(), Job(prompt="never end"), 10.0)
        await anext(run)
        clock.advance(100)
        await world.engine.sweep()
        busy = world.engine.loaded()[0].expires_in_seconds
        await run.aclose()
        await settle()
        clock.advance(4)
        return busy, world.engine.loaded()[0].expires_in_seconds

    assert play(scenario, clock) == (10.0, 6.0)


def test_keep_alive_zero_unloads_after_the_request(clock):
    async def scenario(world):
        text = await world.ask(keep_alive=0.0)
        await settle()
        return text, world.engine.loaded(), world.children[0].ended

    assert play(scenario, clock) == ("hi", [], True)


def test_a_negative_keep_alive_stays_for_ever(clock):
    async def scenario(world):
        await world.ask(keep_alive=float("inf"))
        clock.advance(1e9)
        await world.engine.sweep()
        return len(world.engine.loaded())

    assert play(scenario, clock) == 1


def test_the_watch_sweeps_by_itself(clock):
    async def scenario(world):
        await world.engine.start()
        await world.ask(keep_alive=0.02)
        clock.advance(1)
        while world.engine.loaded():
            await asyncio.sleep(0.005)
        return world.children[0].ended

    assert play(scenario, clock)


def test_unloading_what_is_idle_returns_when_it_is_gone(clock):
    async def scenario(world):
        await world.ask()
        await world.engine.unload(Path("a"))
        await world.engine.unload(Path("never loaded"))
        return world.children[0].ended, world.engine.loaded()

    assert play(scenario, clock) == (True, [])


def test_unloading_what_is_busy_waits_for_its_last_word(clock):
    async def scenario(world):
        run = world.engine.run(make_plan(), Job(prompt="never end"), None)
        await anext(run)
        await world.engine.unload(Path("a"))
        still = len(world.engine.loaded())
        await run.aclose()
        await settle()
        return still, len(world.engine.loaded())

    assert play(scenario, clock) == (1, 0)


def test_a_process_that_died_between_two_requests_is_replaced_unnoticed(clock):
    async def scenario(world):
        await world.ask()
        world.children[0].die()
        return await world.ask(), len(world.loads), [x.plan.name for x in world.engine.loaded()]

    assert play(scenario, clock) == ("hi", 2, ["a:latest"])


def test_a_process_that_turns_out_to_be_dead_is_replaced_once(clock):
    async def scenario(world):
        with pytest.raises(ApiError, match="ended unexpectedly"):
            await world.ask("dead on arrival")
        return len(world.loads), await world.ask()

    assert play(scenario, clock) == (2, "hi")


def test_a_process_that_dies_under_a_request_costs_that_request_only(clock):
    async def scenario(world):
        results = await asyncio.gather(
            world.ask("die"), world.ask("next"), world.ask("last"), return_exceptions=True
        )
        return results[0].status, results[1:], len(world.loads)

    assert play(scenario, clock) == (500, ["next", "last"], 2)


def test_a_refused_request_leaves_the_process_alive(clock):
    async def scenario(world):
        with pytest.raises(ApiError) as caught:
            await world.ask("refuse")
        return caught.value.status, await world.ask(), len(world.loads)

    assert play(scenario, clock) == (400, "hi", 1)


def test_a_file_that_does_not_load_is_an_error_and_not_loaded(clock):
    async def scenario(world):
        with pytest.raises(ApiError, match="no"):
            await world.ask(path="bad")
        await settle()
        return world.engine.loaded(), world.children[0].ended, await world.ask()

    assert play(scenario, clock) == ([], True, "hi")


def test_a_client_that_goes_away_stops_the_run_and_keeps_the_process(clock):
    async def scenario(world):
        run = world.engine.run(make_plan(), Job(prompt="never end"), None)
        await anext(run)
        await run.aclose()
        text = await world.ask()
        return text, [c["op"] for c in world.commands], len(world.loads)

    assert play(scenario, clock) == ("hi", ["load", "run", "cancel", "run"], 1)


def test_a_process_that_does_not_stop_is_ended(clock):
    async def scenario(world):
        world.is_deaf = True
        run = world.engine.run(make_plan(), Job(prompt="never end"), None)
        await anext(run)
        await run.aclose()
        text = await world.ask()
        return text, len(world.loads), world.children[0].is_alive

    assert play(scenario, clock) == ("hi", 2, False)


def test_a_template_that_never_comes_back_is_ended(clock):
    async def scenario(world):
        with pytest.raises(ApiError, match="template did not finish"):
            await world.ask("hang in the template")
        return await world.ask(), len(world.loads)

    assert play(scenario, clock, prompt_timeout_seconds=0.02) == ("hi", 2)


def test_who_stops_waiting_gives_their_place_away(clock):
    async def scenario(world):
        run = world.engine.run(make_plan(), Job(prompt="never end"), None)
        await anext(run)
        waiting = asyncio.create_task(world.ask())
        await settle()
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await run.aclose()
        return await world.ask("after")

    assert play(scenario, clock, max_queue=2) == "after"


def test_closing_ends_every_process(clock):
    async def scenario(world):
        await world.ask(path="a")
        await world.ask(path="b")
        run = world.engine.run(make_plan("c"), Job(prompt="never end"), None)
        await anext(run)
        await world.engine.close()
        with pytest.raises(ApiError):
            await anext(run)
            await anext(run)
        await settle()
        return [child.is_alive for child in world.children]

    assert play(scenario, clock) == [False, False, False]


def test_closing_twice_under_a_request_comes_to_an_end(clock):
    async def scenario(world):
        world.ends_slowly = True
        asking = asyncio.create_task(world.ask("never end"))
        while not world.engine.loaded():
            await settle()
        async with asyncio.timeout(30):
            await world.engine.close()
            await world.engine.close()
        [error] = await asyncio.gather(asking, return_exceptions=True)
        return error.status, world.children[0].ended

    assert play(scenario, clock) == (500, True)


def test_a_model_that_does_not_fit_is_refused_before_a_process_starts(clock):
    async def scenario(world):
        world.refused["big"] = 0
        with pytest.raises(ApiError) as refused:
            await world.ask(path="big")
        return refused.value.status, refused.value.text, world.children

    assert play(scenario, clock) == (500, "'big:latest' does not fit", [])


def test_an_idle_model_makes_room_for_one_that_would_not_fit_beside_it(clock):
    async def scenario(world):
        world.refused["big"] = 1
        await world.ask(path="a")
        await world.ask(path="big")
        return [loaded.plan.path.name for loaded in world.engine.loaded()]

    assert play(scenario, clock) == ["big"]


def test_the_refusal_names_the_numbers_and_what_would_fit(tiny_gguf, monkeypatch):
    from jimoto.daemon.engine import find_refusal
    from jimoto.hardware import machine

    plan = make_plan(str(tiny_gguf), context_length=512)
    assert find_refusal(plan) is None
    monkeypatch.setattr(machine, "read_memory", lambda limits: (1000, 1000))
    said = find_refusal(plan)
    assert said is not None and "needs about" in said and "is free" in said and "\n" not in said


def test_a_file_that_the_prediction_cannot_read_is_left_to_llama_cpp(tmp_path):
    from jimoto.daemon.engine import find_refusal

    (tmp_path / "odd").write_bytes(b"GGUF")
    assert find_refusal(make_plan(str(tmp_path / "odd"))) is None
