"""How long the command takes: `python -m benchmarks.command`.

Prints wall and processor seconds of a start, of one answer and of a pipe of three models on mame,
with the load of the machine beside them: on a busy machine the wall clock says little, and the
processor's time per stage says most. Needs bash. A data folder of its own, gone afterwards.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time

import ollama

from jimoto.connection import ensure_command, ensure_server, find_home
from tools.clean_room import clean_environment, temporary_home

ROLES = {
    "planner": "Answer with a numbered list of steps.",
    "solver": "Work through the steps you are given.",
    "translator": "Translate what you are given into English.",
}
LINES = {
    "jimoto --version": "{python} -m jimoto.cli --version",
    "one answer": 'ollama run mame "What is GGUF?"',
    "pipe of three": 'ollama run planner "Prepare a study meeting" | ollama run solver | '
    "ollama run translator",
}
REPEATS = 3


def measure(line: str, env: dict[str, str]) -> tuple[float, float]:
    """Wall and processor seconds of a line of bash; the server's time is in the first alone."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(
        ["bash", "-c", f"set -o pipefail; {line}"], env=env, check=True, stdout=subprocess.DEVNULL
    )
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return wall, spent


def main() -> None:
    """Measure each line a few times, print the medians."""
    with temporary_home() as home:
        env = clean_environment(os.environ, home)
        os.environ.update(env)
        folder = ensure_command(find_home(env), {"PATH": ""})
        env["PATH"] = os.pathsep.join([str(folder), env["PATH"]])
        client = ollama.Client(host=ensure_server(env).url)
        for role, system in ROLES.items():
            client.create(role, from_="mame", system=system)
        client.generate("mame")  # loaded: what is measured is the command
        print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} when it began")
        for name, line in LINES.items():
            runs = [measure(line.format(python=sys.executable), env) for _ in range(REPEATS)]
            wall, spent = (statistics.median(values) for values in zip(*runs, strict=True))
            print(f"{name:<18} {wall:6.2f} s wall {spent:6.2f} s processor")
        print(f"load {os.getloadavg()[0]:.1f} when it ended")


if __name__ == "__main__":
    main()
