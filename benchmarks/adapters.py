"""What adapters cost and what they do, measured here: `python benchmarks/adapters.py`.

For each worked set: seconds and peak memory of training, seconds to convert, merge and attach by
each route, bytes, agreement of the routes with PEFT, and what mame can do before and after. All
tables are Markdown, with machine and date, ready for the model card. `-n` sets how many questions a
cell of the last table has, `--sets` which sets. Needs a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jimoto.adapters import attach as routes
from jimoto.adapters import gguf_lora
from jimoto.connection import ensure_mame
from mame import base as bases
from mame import chat, evaluate, examples, tune
from mame.corpus.sample import LANGS, Message

N_PROMPTS = 30
N_NEW = 32


@dataclass(frozen=True)
class Run:
    """One training, in a process of its own."""

    folder: Path
    report: dict[str, Any]  # what `mame.tune` wrote
    wall_seconds: float  # imports, loading, scoring twice, and training
    cpu_seconds: float
    peak_bytes: int


def train(name: str, folder: Path, threads: int) -> Run:
    command = [sys.executable, "-m", "mame.tune", name, "--out", str(folder)]
    started = time.perf_counter()
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(
            [*command, "--threads", str(threads)], stdout=log, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(process.pid, 0)  # not on Windows
    process.returncode = os.waitstatus_to_exitcode(status)
    wall = time.perf_counter() - started
    if process.returncode:
        raise SystemExit((folder / "log.txt").read_text(encoding="utf-8"))
    report = json.loads((folder / "tune.json").read_text(encoding="utf-8"))
    unit = 1 if sys.platform == "darwin" else 1024
    return Run(folder, report, wall, used.ru_utime + used.ru_stime, used.ru_maxrss * unit)


@contextmanager
def server() -> Iterator[Any]:
    """A client of an embedded server of its own, with mame in it."""
    import ollama

    with tempfile.TemporaryDirectory() as home:
        ready = Path(home) / "ready.json"
        command = [sys.executable, "-P", "-m", "jimoto.daemon", "--port", "0", "--ready-file"]
        command += [str(ready), "--models", str(Path(home) / "models")]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            while not ready.exists():
                if process.poll() is not None:
                    raise SystemExit("the embedded server did not start")
                time.sleep(0.05)
            port = json.loads(ready.read_text(encoding="utf-8"))["port"]
            ensure_mame(f"http://127.0.0.1:{port}")
            with ollama.Client(host=f"http://127.0.0.1:{port}", trust_env=False) as client:
                yield client
        finally:
            process.terminate()
            process.wait(60)


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    started = time.perf_counter()
    result = work()
    return time.perf_counter() - started, result


def peft_answers(folder: Path, base: Path, prompts: Sequence[str]) -> list[str]:
    adapted, tokenizer = tune.load(folder, base)
    ids = [tune.ids_of(tokenizer, prompt) for prompt in prompts]
    new = [tune.generate(adapted, tokenizer, [one], N_NEW)[0] for one in ids]
    texts = tokenizer.decode_batch(new, skip_special_tokens=False)
    return [text.split(chat.TURN_END)[0] for text in texts]


def prompts_of(name: str) -> list[str]:
    asked = [e.user for e in examples.SETS[name][0]()][:N_PROMPTS]
    return [chat.render_prompt((Message("user", user),), thinking=False) for user in asked]


def route_rows(run: Run, name: str, base: Path, client: Any) -> Iterator[tuple[str, ...]]:
    """Seconds until the first answer, bytes, and agreement with PEFT, for each route."""
    prompts = prompts_of(name)
    wanted = peft_answers(run.folder, base, prompts)
    plain = [routes._greedy(client, "mame", prompt, N_NEW) for prompt in prompts]
    adapter = run.folder / "adapter.gguf"
    for route in routes.ROUTES:

        def begin(route: str = route) -> tuple[routes.Attached, str]:
            model = routes.attach(adapter, base, name=f"{name}-{route}", client=client, route=route)
            return model, model.answer(prompts[0], N_NEW)

        seconds, (model, _) = timed(begin)
        with model:
            answers = [model.answer(prompt, N_NEW) for prompt in prompts]
        proof = routes.prove(plain, answers, wanted)
        changed, agree = f"{proof.changed} of {proof.n}", f"{proof.agree} of {proof.n}"
        yield name, route, f"{seconds:.2f}", megabytes(model.size_bytes), changed, agree


def skill_rows(files: dict[str, Path], n: int) -> Iterator[tuple[str, ...]]:
    """Share of right answers of each file, thinking on; rows where the base knows nothing go."""
    first = {part.skill: part for part in reversed(evaluate.PARTS)}
    parts = [part for part in evaluate.PARTS if part is first[part.skill]]
    answerers = {name: evaluate.GgufAnswerer(path) for name, path in files.items()}
    for part in parts:
        for lang in LANGS:
            samples = evaluate.questions(part, lang, n, seed=1)
            cells = [
                evaluate.measure(answerer, part, lang, samples, part.modes[0])
                for answerer in answerers.values()
            ]
            if cells[0].right:
                yield part.name, lang, *(f"{100 * c.right / c.n:.0f} % of {c.n}" for c in cells)


def print_table(title: str, heads: Sequence[str], rows: Iterator[tuple[str, ...]]) -> None:
    print(f"\n## {title}\n\n| {' | '.join(heads)} |\n|{' --- |' * len(heads)}", flush=True)
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)


def megabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e6:.2f} MB"


def train_row(name: str, run: Run) -> tuple[str, ...]:
    report = run.report
    before, after = report["before"], report["after"]
    return (
        name,
        f"{len(report['losses'])} of {report['recipe']['steps']}",
        f"{report['seconds']:.1f}",
        f"{run.wall_seconds:.1f}",
        f"{run.cpu_seconds:.1f}",
        megabytes(run.peak_bytes),
        f"{before['loss']:.2f} → {after['loss']:.2f}",
        f"{before['good']} → {after['good']} of {after['n']}",
        f"{before['same']} → {after['same']} of {after['n']}",
    )


def convert_row(name: str, run: Run, base: Path) -> tuple[str, ...]:
    adapter = run.folder / "adapter.gguf"
    convert_seconds, _ = timed(lambda: gguf_lora.convert(run.folder, base, adapter))
    merged = run.folder / "merged.gguf"
    merge_seconds, _ = timed(lambda: gguf_lora.merge(adapter, base, merged))
    sizes = [path.stat().st_size for path in (adapter, base)]
    share = f"{100 * sizes[0] / sizes[1]:.1f} %"
    seconds = (f"{convert_seconds:.2f}", f"{merge_seconds:.2f}")
    return name, f"{run.report['n_trained']:,}", *seconds, *map(megabytes, sizes), share


def main() -> None:
    parser = argparse.ArgumentParser(description="Measure training and use of adapters.")
    parser.add_argument("-n", type=int, default=20, help="questions a cell of the last table")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--sets", nargs="*", default=list(examples.SETS))
    arguments = parser.parse_args()
    base = bases.shipped()
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    print(
        f"# Adapters\n\n{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {platform.machine()}, "
        f"{os.cpu_count()} cores, {arguments.threads} threads for training, load {load:.1f}"
    )
    with tempfile.TemporaryDirectory() as folder:
        runs = {}
        for name in arguments.sets:
            (Path(folder) / name).mkdir()
            runs[name] = train(name, Path(folder) / name, arguments.threads)
        heads = ("set", "steps", "training s", "whole command s", "CPU s", "peak memory",
                 "held-out loss, nats", "good", "equal to the taught answer")  # fmt: skip
        print_table("Training", heads, (train_row(n, run) for n, run in runs.items()))
        heads = ("set", "numbers", "convert s", "merge s", "adapter", "model", "share")
        print_table("Files", heads, (convert_row(n, run, base) for n, run in runs.items()))
        heads = ("set", "route", "s to the first answer", "on disk", "changed", "equal to PEFT")
        with server() as client:
            rows = (row for n, run in runs.items() for row in route_rows(run, n, base, client))
            print_table("Routes", heads, rows)
        files = {"base": base} | {n: run.folder / "merged.gguf" for n, run in runs.items()}
        heads = ("skill", "language", *files)
        print_table("Skills before and after", heads, skill_rows(files, arguments.n))


if __name__ == "__main__":
    main()
