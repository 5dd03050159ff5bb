"""Pipes of models: stages one after the other with their times, a checked stage, a command's bytes.

A client like any other: asks through the `ollama` package, or runs the `ollama` command. A stage is
the name of a model; what it says goes to the next one as it is.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from jimoto.errors import language
from jimoto.teaching.tables import Table

ESCAPE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-Z\\-_])")
THINKING = re.compile(rb"Thinking\.\.\.\r?\n.*?\.\.\.done thinking\.\r?\n(?:\r?\n)?", re.S)
HEADS = {
    "en": ("flags", "escapes", "thinking", "line ends", "answer"),
    "ja": ("オプション", "エスケープ", "思考", "終わりの改行", "回答"),
}


@dataclass(frozen=True)
class Step:
    """What one stage got and gave, and when; seconds are counted from the start of the pipe."""

    stage: str
    sent: str
    said: str
    start_seconds: float
    seconds: float
    load_seconds: float
    tokens: int


def run_stages(stages: Sequence[str], text: str, **request: Any) -> list[Step]:
    """Ask stage after stage; each gets what the one before said. `request`: for every `generate`.

    Errors: those of the `ollama` client; ValueError, with the stage's name, where one says nothing.
    """
    import ollama

    steps: list[Step] = []
    start = time.perf_counter()
    for stage in stages:
        began = time.perf_counter()
        reply = ollama.generate(stage, text, think=False, **request)
        said, ended = reply.response or "", time.perf_counter()
        load = (reply.load_duration or 0) / 1e9
        tokens = reply.eval_count or 0
        steps.append(Step(stage, text, said, began - start, ended - began, load, tokens))
        if not said.strip():
            raise ValueError(f"the stage '{stage}' said nothing")
        text = said
    return steps


@dataclass(frozen=True)
class Checked:
    """The last answer of a stage, whether it passed, and how often the stage was asked."""

    said: str
    passed: bool
    tries: int


def ask_checked(
    stage: str, text: str, check: Callable[[str], bool], tries: int = 2, **options: Any
) -> Checked:
    """Ask until `check` accepts the answer, at most `tries` times.

    A second try must differ from the first, or it fails in the same way: from then on the
    temperature is 0.8, unless `options` names one, and each try has a seed of its own.
    """
    import ollama

    first_seed, said = int(options.pop("seed", 0)), ""
    for n in range(tries):
        warmer = {"temperature": 0.8} if n else {}
        asked = {**warmer, **options, "seed": first_seed + 1000 * n}
        said = ollama.generate(stage, text, think=False, options=asked).response or ""
        if check(said):
            return Checked(said, True, n + 1)
    return Checked(said, False, tries)


def pipe_bytes(command: Sequence[str], text: str = "") -> bytes:
    """What a command hands to the next stage: its standard output, byte by byte.

    Errors: subprocess.CalledProcessError where it ends with another status than 0.
    """
    done = subprocess.run(list(command), input=text.encode(), capture_output=True, check=True)
    return done.stdout


@dataclass(frozen=True)
class Noise:
    """Bytes of a stage's output: all of them, and those that are no answer."""

    total: int
    escapes: int
    thinking: int
    line_ends: int  # blank lines at the end, which the command adds

    @property
    def answer(self) -> int:
        return self.total - self.escapes - self.thinking - self.line_ends


def count_noise(output: bytes) -> Noise:
    r"""How many bytes steer a terminal, how many are thoughts, how many end the text.

    >>> count_noise(b"Thinking...\n2+2\n...done thinking.\n\n4\x1b[K\n\n")
    Noise(total=41, escapes=3, thinking=35, line_ends=2)
    """
    plain = ESCAPE.sub(b"", output)
    without = THINKING.sub(b"", plain, count=1)
    ends = len(without) - len(without.rstrip(b"\r\n"))
    return Noise(len(output), len(output) - len(plain), len(plain) - len(without), ends)


def noise_table(noises: Mapping[str, Noise], lang: str = "") -> Table:
    """Bytes of each kind, a row for the flags of each command.

    >>> noise_table({"": Noise(63, 0, 59, 2), "--hidethinking": Noise(4, 0, 0, 2)}, "en")
    flags           escapes  thinking  line ends  answer
    –               0        59        2          2
    --hidethinking  0        0         2          2
    """
    rows = tuple(
        (flags or "–", f"{n.escapes}", f"{n.thinking}", f"{n.line_ends}", f"{n.answer}")
        for flags, n in noises.items()
    )
    return Table(HEADS[lang or language()], rows)
