"""What the server costs beside llama.cpp in one's own process: `python benchmarks/server.py`.

Prints one table: decoding and the time to the first token against `llama_cpp.Llama`, sixteen
clients at once, decoding while both cores are busy, what the prompt cache saves, memory and start.
Every figure that is a ratio comes from pairs measured in turn (A B B A …), and the middle one
counts, so that a machine that gets slower hits both sides. What depends on the machine being quiet
is marked where it was not. Needs about 2 GB of memory and 600 MB of disk; nothing is asserted.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ollama
import psutil

from jimoto.connection import mame_file
from jimoto.daemon.engine import LlamaEngine
from jimoto.daemon.inference import choose_threads
from jimoto.daemon.jobs import Done, Job, LoadPlan, Started
from jimoto.daemon.options import Options
from jimoto.daemon.settings import Clock, Settings
from jimoto.hardware import words
from jimoto.hardware.catalog import find_model
from jimoto.hardware.machine import find_machine
from jimoto.hardware.quants import assign_types
from jimoto.hardware.random_gguf import write_gguf
from jimoto.hardware.shapes import list_tensors

MIB = 2**20
GREEDY = {"temperature": 0.0, "repeat_penalty": 1.0}
CONTEXT = 1024
TURN = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n<think>\n"
LARGER = "qwen2.5:0.5b"  # a shape; its weights are random
PLAIN_TEMPLATE = (
    "{{ range .Messages }}<|im_start|>{{ .Role }}\n{{ .Content }}<|im_end|>\n{{ end }}"
    "<|im_start|>assistant\n"
)
CLIENTS, REQUESTS, REQUEST_TOKENS = 16, 20, 16
QUIET_LOAD = 0.5  # load average above which a figure is marked


@dataclass(frozen=True)
class Row:
    """A line of the table: what, how much, what it should be, and whether it is."""

    what: str
    value: str
    target: str
    reached: bool
    note: str = ""


# --- the two sides --------------------------------------------------------------------


class InProcess:
    """`llama_cpp.Llama` in a Python process of its own, which answers one line at a time."""

    def __init__(self, path: Path, threads: int) -> None:
        command = [sys.executable, __file__, "--in-process", str(path), str(threads)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )

    def decode(self, prompt: str, count: int) -> tuple[float, float, int]:
        """(seconds to the first piece, seconds of the others, tokens)."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps([prompt, count]).encode() + b"\n")
        self._process.stdin.flush()
        first, rest, tokens = json.loads(self._process.stdout.readline())
        return float(first), float(rest), int(tokens)

    def close(self) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def answer_in_process(path: str, threads: str) -> None:
    """The other end of `InProcess`."""
    from llama_cpp import Llama

    count = int(threads)
    # as many threads for the prompt, or two that spin would make a busy machine crawl
    llama = Llama(path, n_ctx=CONTEXT, n_threads=count, n_threads_batch=count, verbose=False)
    for line in sys.stdin:
        prompt, count = json.loads(line)
        tokens = llama.tokenize(prompt.encode(), add_bos=False, special=True)
        began = time.perf_counter()
        times = []
        for _ in llama.create_completion(
            tokens, max_tokens=count, stream=True, temperature=0.0, repeat_penalty=1.0
        ):
            times.append(time.perf_counter())
        made = llama.n_tokens - len(tokens) + 1  # the last one is never computed
        print(json.dumps([times[0] - began, times[-1] - times[0], made]), flush=True)


def decode_served(
    client: ollama.Client, model: str, prompt: str, count: int
) -> tuple[float, float, int]:
    """The same through the server, as its client sees it."""
    began = time.perf_counter()
    times, tokens = [], 0
    options = {**GREEDY, "num_predict": count, "num_ctx": CONTEXT}
    for piece in client.generate(model, prompt, raw=True, stream=True, options=options):
        times.append(time.perf_counter())
        tokens = piece.eval_count or tokens
    return times[0] - began, times[-1] - times[0], tokens


@contextlib.contextmanager
def served(folder: Path) -> Iterator[tuple[ollama.Client, int]]:
    """A server on an empty folder: a client, and the process id."""
    ready = folder / "ready.json"
    arguments = ["--port", "0", "--models", str(folder / "models"), "--ready-file", str(ready)]
    command = [sys.executable, "-P", "-m", "jimoto.daemon", *arguments]
    process = subprocess.Popen([*command, "--log", str(folder / "log.txt")])
    try:
        while not ready.exists():
            assert process.poll() is None, "the server did not start"
            time.sleep(0.01)
        host = f"http://127.0.0.1:{json.loads(ready.read_text())['port']}"
        with ollama.Client(host) as client:
            yield client, process.pid
    finally:
        process.terminate()
        process.wait()


def write_larger(path: Path) -> Path:
    """The 0.5B shape with random weights, and a vocabulary of bytes and numbered words."""
    shape = find_model(LARGER).shape()
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    symbols = [chr(b) if b in plain else chr(next(others)) for b in range(256)]
    tokens = [*symbols, *(f"w{i}" for i in range(256, shape.n_vocab))]
    write_gguf(path, shape, assign_types(shape, list_tensors(shape), "Q8_0"), tokens=tokens)
    return path


# --- measuring ------------------------------------------------------------------------


def in_turn(left: Callable[[], Any], right: Callable[[], Any], pairs: int) -> list[tuple[Any, Any]]:
    """Both, so many times: A B, B A, A B …"""
    found = []
    for number in range(pairs):
        if number % 2:
            second = right()
            found.append((left(), second))
        else:
            first = left()
            found.append((first, right()))
    return found


def rate(measured: tuple[float, float, int]) -> float:
    """Tokens a second after the first piece."""
    _, rest, tokens = measured
    return (tokens - 1) / rest if rest else 0.0


def middle(values: Sequence[float]) -> float:
    return statistics.median(values)


def bench_decode(
    client: ollama.Client, model: str, label: str, path: Path, count: int, pairs: int, target: float
) -> Row:
    """Tokens a second through the server, as a part of those in process."""
    threads = choose_threads(path.stat().st_size, 0)
    own = InProcess(path, threads)
    prompt = TURN.format("Tell me a long story.")
    try:
        own.decode(prompt, 8)  # both are loaded and warm
        decode_served(client, model, prompt, 8)
        found = in_turn(
            lambda: rate(own.decode(prompt, count)),
            lambda: rate(decode_served(client, model, prompt, count)),
            pairs,
        )
    finally:
        own.close()
    share = middle([right / left for left, right in found])
    note = (
        f"in process {middle([a for a, _ in found]):.0f}, served "
        f"{middle([b for _, b in found]):.0f} tokens/s, {threads} threads, {pairs} pairs"
    )
    return Row(f"decoding, {label}", f"{share:.2f}", f"≥ {target:.2f}", share >= target, note)


def bench_first_token(client: ollama.Client, model: str, path: Path, pairs: int) -> Row:
    """How much later the first token comes; a new prompt each time, so nothing is cached."""
    own = InProcess(path, choose_threads(path.stat().st_size, 0))
    numbers = iter(range(10**6))

    def prompt() -> str:
        return (
            f"<|im_start|>user\n{next(numbers)}: What is 2 + 3?<|im_end|>\n<|im_start|>assistant\n"
        )

    try:
        own.decode(prompt(), 2)
        decode_served(client, model, prompt(), 2)
        found = in_turn(
            lambda: own.decode(prompt(), 2)[0],
            lambda: decode_served(client, model, prompt(), 2)[0],
            pairs,
        )
    finally:
        own.close()
    more = 1e3 * middle([right - left for left, right in found])
    # the least of each side: what is left of the difference when nobody else wants the cores
    least = 1e3 * (min(right for _, right in found) - min(left for left, _ in found))
    own_ms = 1e3 * middle([left for left, _ in found])
    note = f"in process {own_ms:.1f} ms, {pairs} pairs; the least of each side: {least:+.1f} ms"
    return Row("time to the first token, mame", f"{more:+.1f} ms", "≤ 8 ms", more <= 8, note)


@dataclass
class Asked:
    """What one client saw."""

    waits: list[float]  # seconds, of each request
    tokens: int = 0
    failures: int = 0


def ask_often(host: str, model: str, number: int) -> Asked:
    seen = Asked([])
    with ollama.Client(host) as client:
        for turn in range(REQUESTS):
            prompt = (
                f"<|im_start|>user\n{number} + {turn}<|im_end|>\n<|im_start|>assistant\n<think>\n"
            )
            options = {**GREEDY, "num_predict": REQUEST_TOKENS, "num_ctx": CONTEXT}
            began = time.perf_counter()
            try:
                answer = client.generate(model, prompt, raw=True, options=options)
                seen.tokens += answer.eval_count or 0
            except Exception:  # whatever it is, it counts as a failure
                seen.failures += 1
            seen.waits.append(time.perf_counter() - began)
    return seen


def bench_crowd(client: ollama.Client, model: str) -> list[Row]:
    """Sixteen clients with twenty requests each, between two runs of one client alone."""
    host = str(client._client.base_url)

    def alone() -> float:
        began = time.perf_counter()
        return ask_often(host, model, 99).tokens / (time.perf_counter() - began)

    before = alone()
    seen: list[Asked] = []
    threads = [
        threading.Thread(target=lambda n=number: seen.append(ask_often(host, model, n)))
        for number in range(CLIENTS)
    ]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    after = alone()
    failures = sum(asked.failures for asked in seen)
    fair = seconds / REQUESTS  # in turn, every client is served once in that time
    # the first requests of all arrive at once, in any order; fairness shows over a client's twenty
    longest = max(max(asked.waits) for asked in seen) / fair
    together = sum(asked.tokens for asked in seen) / seconds
    share = together / ((before + after) / 2)
    each = f"{CLIENTS} clients, {REQUESTS} requests each"
    return [
        Row(each, f"{failures} failed", "none", failures == 0),
        Row("… the longest wait", f"{longest:.2f} fair shares", "≤ 2", longest <= 2),
        Row("… tokens/s of all, to one client's", f"{share:.2f}", "≥ 0.90", share >= 0.9,
            f"{together:.0f} to {before:.0f} and {after:.0f} tokens/s"),
    ]  # fmt: skip


@contextlib.contextmanager
def busy_cores() -> Iterator[None]:
    """Another program on every core."""
    command = [sys.executable, "-c", "while True: pass"]
    spinning = [subprocess.Popen(command) for _ in range(os.cpu_count() or 1)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


def bench_busy(client: ollama.Client, model: str, label: str, count: int, pairs: int) -> Row:
    """Decoding with another program on every core, as a part of decoding without."""
    prompt = TURN.format("Tell me a story.")

    def quiet() -> float:
        return rate(decode_served(client, model, prompt, count))

    def busy() -> float:
        with busy_cores():
            time.sleep(0.3)
            return quiet()

    quiet()
    found = in_turn(quiet, busy, pairs)
    share = middle([right / left for left, right in found])
    note = f"{middle([a for a, _ in found]):.0f} tokens/s without"
    what = f"decoding, {label}, all cores busy, to not busy"
    return Row(what, f"{share:.2f}", "≥ 0.30", share >= 0.3, note)


async def cached_counts(path: Path) -> list[tuple[int, int, int]]:
    """(tokens of the prompt, of which cached, tokens written) of three questions in one chat."""
    engine = LlamaEngine(Settings(path.parent), Clock())
    plan = LoadPlan("mame", "", path, 10**7, CONTEXT)
    messages: list[dict[str, Any]] = []
    counts = []
    try:
        for question in ("What is 2 + 3?", "And 4 + 5?", "日本の首都は?"):
            messages.append({"role": "user", "content": question})
            # mame's own template leaves the empty thought of earlier answers out: not what was read
            options = replace(Options(), temperature=0.0, num_predict=12)
            job = Job(list(messages), template=PLAIN_TEMPLATE, options=options)
            text, cached = "", 0
            async for event in engine.run(plan, job, None):
                if isinstance(event, Started):
                    cached = event.cached_count
                elif isinstance(event, Done):
                    counts.append((event.prompt_count, cached, event.eval_count))
                else:
                    text += event.text
            messages.append({"role": "assistant", "content": text})
    finally:
        await engine.close()
    return counts


def bench_cache(mame: Path, folder: Path) -> list[Row]:
    """What of the next question's prompt is read again, beyond what is new in it.

    A file below 50 MB is read in whole chunks of 32 tokens, so that the same seed gives the same
    text whatever was asked before; so mame's weights are measured in a larger file, too.
    """
    larger = folder / "mame-with-a-tail.gguf"
    larger.write_bytes(mame.read_bytes())
    with larger.open("ab") as file:
        file.truncate(60 * 10**6)
    rows = []
    for label, path, spare in (("mame", mame, 32), ("the same in a file of 60 MB", larger, 4)):
        counts = asyncio.run(cached_counts(path))
        read = [prompt - cached for prompt, cached, _ in counts]
        new = [
            now[0] - before[0] - (before[2] if spare < 32 else 0)
            for before, now in itertools.pairwise(counts)
        ]
        enough = all(some <= most + spare for some, most in zip(read[1:], new, strict=True))
        what = f"prompt cache, {label}: tokens read of each prompt in one chat"
        value = ", ".join(f"{r} of {c[0]}" for r, c in zip(read, counts, strict=True))
        target = f"new {', '.join(map(str, new))}, and up to {spare}"
        rows.append(Row(what, value, target, enough))
    return rows


def bench_idle(folder: Path) -> Row:
    """Resident memory of a server without a model, after it has answered."""
    with served(folder) as (client, pid):
        client.list()
        client.ps()
        resident = psutil.Process(pid).memory_info().rss / MIB
    return Row("memory of the idle server", f"{resident:.0f} MiB", "≤ 80 MB", resident <= 76.3)


def bench_start(folder: Path, times: int) -> Row:
    """From `jimoto serve` until it answers `/api/version`; the first run warms the disk."""
    import httpx

    seconds, worked = [], []
    for number in range(times + 1):
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            port = found.getsockname()[1]
        environment = {**os.environ, "OLLAMA_HOST": f"127.0.0.1:{port}"}
        environment |= {"JIMOTO_HOME": str(folder / "home")}
        command = [sys.executable, "-c", "from jimoto.cli import main; main()", "serve"]
        began = time.perf_counter()
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/api/version").raise_for_status()
                break
            except httpx.HTTPError:
                assert process.poll() is None, "the server did not start"
                time.sleep(0.005)
        if number:
            seconds.append(time.perf_counter() - began)
            both = [psutil.Process(process.pid), *psutil.Process(process.pid).children()]
            worked.append(sum(sum(p.cpu_times()[:2]) for p in both))
        for child in psutil.Process(process.pid).children():
            child.terminate()
        process.terminate()
        process.wait()
    best = min(seconds)
    note = f"middle {middle(seconds):.2f} s, of which work {middle(worked):.2f} s"
    return Row("`jimoto serve` to its first answer", f"{best:.2f} s", "≤ 1.5 s", best <= 1.5, note)


# --- the table ------------------------------------------------------------------------


def main(arguments: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["--in-process"]:
        answer_in_process(*given[1:])
        return 0
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0] if __doc__ else None)
    parser.add_argument("--quick", action="store_true", help="fewer pairs, no 0.5B shape")
    parser.add_argument("--larger", action="store_true", help="only the 0.5B shape")
    asked = parser.parse_args(given)
    pairs = 3 if asked.quick else 9
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    with tempfile.TemporaryDirectory(prefix="jimoto-bench-") as name:
        folder = Path(name)
        machine = words.machine_text(find_machine(folder, measure=False), "en")
        print(f"# {datetime.now(UTC):%Y-%m-%d %H:%M} UTC · {machine}")
        print(f"# load average at the start {load:.1f}"
              + (": THE MACHINE WAS BUSY, times are not its own" if load > QUIET_LOAD else ""),
              flush=True)  # fmt: skip
        rows = measure_larger(folder) if asked.larger else measure(folder, pairs, asked.quick)
        for row in rows:
            missed = "MISSED, on a busy machine" if load > QUIET_LOAD else "MISSED"
            verdict = "reached" if row.reached else missed
            print(f"{row.what}: {row.value} ({row.target}): {verdict}"
                  + (f"; {row.note}" if row.note else ""), flush=True)  # fmt: skip
        if hasattr(os, "getloadavg"):
            print(f"# load average at the end {os.getloadavg()[0]:.1f}")
    return 0


def measure(folder: Path, pairs: int, quick: bool) -> Iterator[Row]:
    """Every line of the table, as it is measured."""
    yield bench_idle(folder)
    yield bench_start(folder, 2 if quick else 5)
    with served(folder) as (client, _):
        digest = client.create_blob(mame_file())
        client.create("mame", files={"mame.gguf": digest}, quantize="q8_0")
        mame = weights_of(client, "mame")
        yield from bench_cache(mame, folder)
        yield bench_first_token(client, "mame", mame, 3 * pairs)
        yield bench_decode(client, "mame", "mame Q8_0", mame, 200, pairs, 0.80)
        yield bench_busy(client, "mame", "mame Q8_0", 100, pairs)
        yield from bench_crowd(client, "mame")
    if not quick:
        yield from measure_larger(folder)


def measure_larger(folder: Path) -> Iterator[Row]:
    """The lines about a model that takes longer for a token than the server does."""
    room = folder / "larger"
    room.mkdir()
    with served(room) as (client, _):
        path = write_larger(room / "larger.gguf")
        client.create("larger", files={"larger.gguf": client.create_blob(path)})
        path.unlink()
        larger = weights_of(client, "larger")
        label = f"{LARGER} shape, Q8_0"
        yield bench_decode(client, "larger", label, larger, 16, 5, 0.95)
        yield bench_busy(client, "larger", label, 12, 3)


def weights_of(client: ollama.Client, model: str) -> Path:
    """The file that the server loads for this model."""
    lines = (client.show(model).modelfile or "").splitlines()
    return Path(next(line for line in lines if line.startswith("FROM ")).removeprefix("FROM "))


if __name__ == "__main__":
    sys.exit(main())
