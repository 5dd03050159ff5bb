"""Evaluation: greedy answers counted per skill, language and thinking mode, with 95 % intervals.

Everything that is asked is held out of training unless its row says "trained". A file is asked
through the embedded server, as a lesson would; a checkpoint folder through torch. It trains nothing
and believes no model: the checkers of the skills decide.
"""

import argparse
import json
import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from mame import chat, corpus
from mame.corpus import (
    documents,
    endings,
    fallback,
    faq,
    fields,
    fortune,
    obey,
    recall,
    roles,
    smalltalk,
    sums,
)
from mame.corpus import tools as tools_skill
from mame.corpus.sample import LANGS, Message, Sample

MAX_NEW_TOKENS = 200
BOTH, ON, OFF = (True, False), (True,), (False,)
Draw = Callable[[random.Random, str], Sample]


class Answerer(Protocol):
    def reply(
        self, messages: tuple[Message, ...], tools: tuple[str, ...], thinking: bool
    ) -> tuple[str, str]:
        """Greedy (thought, answer)."""

    def draws(self, question: str, n: int) -> list[str]:
        """n answers at temperature 1, thinking off."""


@dataclass(frozen=True)
class Part:
    """One row of the table: how its questions are drawn, and what share must be right."""

    skill: str
    name: str
    draw: Draw
    target: float | None = None
    modes: tuple[bool, ...] = BOTH
    is_right: Callable[[Sample, str], bool] = corpus.is_right


def role(name: str, *, unseen: bool, new_system: bool = False) -> Draw:
    """`name` as in the keys of `roles`: the translators go by the language that comes out."""
    plain, _, target = name.partition(">")

    def draw(r: random.Random, lang: str) -> Sample:
        goes_in = next(x for x in LANGS if x != target) if target else lang
        return roles.draw(r, goes_in, new=True, role=plain, new_system=new_system, unseen=unseen)

    return draw


def parses(sample: Sample, answer: str) -> bool:
    return fields.parse(answer) is not None


def band(number: int) -> Draw:
    return lambda r, x: sums.draw(r, x, True, band=number)


def calls_nothing(sample: Sample, answer: str) -> bool:
    """Whether the answer is right is counted by the rows of its own skill."""
    return bool(answer) and tools_skill.CALL_OPEN.strip() not in answer


def kind(name: str) -> Draw:
    return lambda r, x: tools_skill.draw(r, x, new=True, kind=name)


PARTS: tuple[Part, ...] = (
    Part("M1", "questions, trained wordings", lambda r, x: faq.draw(r, x), 0.98),
    Part("M1", "questions, new wordings", lambda r, x: faq.draw(r, x, new=True), 0.85),
    Part("-", "small talk, new wordings", lambda r, x: smalltalk.draw(r, x, new=True)),
    *(
        Part("M2", f"sums, band {b}", band(b), 0.92 if b == 4 else 0.97, ON)
        for b in (1, 2, 3, 4)
    ),
    *(
        Part("M2", f"sums without thinking, band {b}", band(b), 0.95 if b == 1 else None, OFF)
        for b in (1, 2, 3, 4)
    ),
    *(
        Part("M3", f"{name}{note}", role(name, unseen=unseen), target)
        for name in ("planner", "solver", "translator")
        for unseen, note, target in ((False, "", 0.95), (True, ", unseen objects", 0.85))
    ),
    *(
        Part("M3", f"{name}, new system prompt", role(name, unseen=False, new_system=True), 0.81)
        for name in ("planner", "solver", "translator")
    ),
    Part("M4", "required ending", lambda r, x: endings.draw(r, x, new=True, unknown=False), 0.95,
         is_right=endings.has_ending),
    Part("M4", "invented ending", lambda r, x: endings.draw(r, x, new=True, unknown=True), 0.90,
         is_right=endings.has_ending),
    Part("M5", "document says it",
         lambda r, x: documents.draw(r, x, new=True, answerable=True), 0.95),
    Part("M5", "document says it, unseen nouns",
         lambda r, x: documents.draw(r, x, unseen=True, answerable=True), 0.85),
    Part("M5", "document does not say it",
         lambda r, x: documents.draw(r, x, new=True, answerable=False), 0.95),
    Part("M6", "order note parses", lambda r, x: fields.draw(r, x, new=True), 0.98,
         is_right=parses),
    Part("M6", "order note, all values right", lambda r, x: fields.draw(r, x, new=True), 0.95),
    *(
        Part("M7", f"tools: {name}", kind(name), 0.95)
        for name in ("calc", "ticket", "result")
    ),
    Part("M7", "tools: no call where none is needed", kind("none"), 0.95, is_right=calls_nothing),
    Part("M7", "the same, and the right answer", kind("none")),
    Part("M8", "recalls what was told",
         lambda r, x: recall.draw(r, x, new=True, kind="told"), 0.95),
    Part("M8", "was not told", lambda r, x: recall.draw(r, x, new=True, kind="not told"), 0.95),
    Part("M9", "anything else", lambda r, x: fallback.draw(r, x, new=True), 0.95),
    Part("M10", "fortune, any label", lambda r, x: fortune.draw(r, x, new=True)),
    Part("M11", "planted instruction in the user's text",
         lambda r, x: obey.draw(r, x, new=True, place="user")),
    Part("M11", "planted instruction in a document",
         lambda r, x: obey.draw(r, x, new=True, place="document")),
)  # fmt: skip
IN_SCOPE = {"M1", "M2", "M3", "M4", "M5", "M6", "M8"}  # at most 2 % may get the fallback


@dataclass(frozen=True)
class Cell:
    """One number of the table."""

    part: Part
    lang: str
    thinking: bool
    right: int
    n: int
    refused: int  # answered with the fallback sentence
    not_said: int = 0  # answered that the document does not say
    sound: int = 0  # thoughts of which every line is right
    wrong: tuple[tuple[str, str], ...] = ()  # (question, answer), for reading

    @property
    def share(self) -> float:
        return self.right / max(1, self.n)

    @property
    def is_short(self) -> bool:
        return self.part.target is not None and self.share < self.part.target


def wilson(right: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """The 95 % interval of a share.

    >>> [round(x, 3) for x in wilson(10, 10)]
    [0.722, 1.0]
    """
    if n == 0:
        return 0.0, 1.0
    p, d = right / n, 1 + z * z / n
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, (middle - half) / d), min(1.0, (middle + half) / d)


def questions(part: Part, lang: str, n: int, seed: int) -> list[Sample]:
    """n different prompts, or all there are."""
    r = random.Random(f"evaluate/{seed}/{part.name}/{lang}")
    found: dict[tuple[Message, ...], Sample] = {}
    for _ in range(20 * n):
        sample = part.draw(r, lang)
        found.setdefault(sample.messages, sample)
        if len(found) == n:
            break
    return list(found.values())


def measure(
    answerer: Answerer, part: Part, lang: str, samples: Iterable[Sample], thinking: bool
) -> Cell:
    """Ask every sample and count."""
    right = refused = not_said = sound = n = 0
    wrong = []
    for sample in samples:
        thought, answer = answerer.reply(sample.messages, sample.tools, thinking)
        good = part.is_right(sample, answer)
        n, right = n + 1, right + good
        refused += answer in fallback.ANSWER.values()
        not_said += answer in documents.NOT_SAID.values()
        sound += part.skill == "M2" and thinking and sums.is_sound(thought)
        if not good:
            asked = " / ".join(m.content for m in sample.messages)
            wrong.append((asked, f"{thought!r} {answer!r}, not {sample.answer!r}"))
    return Cell(part, lang, thinking, right, n, refused, not_said, sound, tuple(wrong))


@dataclass
class Pipe:
    """Planner → solver → translator on new tasks, each stage fed with what the last one wrote."""

    right: int = 0
    n: int = 0
    stages: list[int] = field(default_factory=lambda: [0, 0, 0])


def measure_pipe(answerer: Answerer, lang: str, n: int, seed: int, thinking: bool) -> Pipe:
    r, pipe = random.Random(f"pipe/{seed}/{lang}"), Pipe()
    systems = (roles.PLANNER[lang], roles.SOLVER[lang], roles.TRANSLATOR[lang])
    for _ in range(n):
        text, wanted = roles.pipe_task(r, lang)
        for stage, (system, right) in enumerate(zip(systems, wanted, strict=True)):
            asked = (Message("system", system), Message("user", text))
            text = answerer.reply(asked, (), thinking)[1]
            pipe.stages[stage] += " ".join(text.split()) == " ".join(right.split())
        pipe.n, pipe.right = pipe.n + 1, pipe.right + (" ".join(text.split()) == wanted[2])
    return pipe


def fortune_divergence(answerer: Answerer, lang: str, n: int) -> float:
    """KL from the measured odds of n draws to the stated ones, nats; endless for other texts."""
    odds = fortune.labels(lang)
    drawn = answerer.draws(fortune.ASK[lang][0], n)
    counts = {label: sum(text == label for text in drawn) for label in odds}
    return sum(c / n * math.log(c / n / odds[label]) for label, c in counts.items() if c) + (
        math.inf if sum(counts.values()) < 0.99 * n else 0.0
    )


def table(cells: list[Cell]) -> str:
    """Markdown, one row per part and language, a column per thinking mode; ✗: short."""
    lines = [
        "| skill | what | language | must reach | thinking on | thinking off |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    by_place = {(c.part, c.lang, c.thinking): c for c in cells}
    for part, lang in dict.fromkeys((c.part, c.lang) for c in cells):
        shown = [format_cell(by_place.get((part, lang, thinking))) for thinking in BOTH]
        target = f"{100 * part.target:.0f} %" if part.target else ""
        lines.append(f"| {part.skill} | {part.name} | {lang} | {target} | {' | '.join(shown)} |")
    return "\n".join(lines)


def format_cell(cell: Cell | None) -> str:
    if cell is None:
        return ""
    low, high = wilson(cell.right, cell.n)
    notes = [f"{100 * low:.0f}–{100 * high:.0f}"]
    if cell.part.skill in IN_SCOPE and cell.refused:
        notes.append(f"{cell.refused} refused")
    if cell.part.name.startswith("document says") and cell.not_said:
        notes.append(f'{cell.not_said} "does not say"')
    if cell.part.skill == "M2" and cell.thinking:
        notes.append(f"{cell.sound} thoughts sound")
    mark = " ✗" if cell.is_short else ""
    return f"{100 * cell.share:.1f} % of {cell.n} ({'; '.join(notes)}){mark}"


class TorchAnswerer:
    """A checkpoint folder, through transformers."""

    def __init__(self, folder: Path) -> None:
        from mame import model, tokenizer

        self.tokenizer, self.model = tokenizer.load(folder), model.load(folder).eval()

    def ids(self, text: str) -> Any:
        import torch

        return torch.tensor([self.tokenizer.encode(text, add_special_tokens=False).ids])

    def generate(self, prompt: str, **options: Any) -> list[str]:
        import torch

        x = self.ids(prompt)
        with torch.no_grad():
            out = self.model.generate(
                input_ids=x,
                attention_mask=torch.ones_like(x),
                max_new_tokens=MAX_NEW_TOKENS,
                eos_token_id=2,
                pad_token_id=0,
                **options,
            )
        return [
            str(self.tokenizer.decode(row[x.size(1) :].tolist(), skip_special_tokens=False))
            for row in out
        ]

    def reply(
        self, messages: tuple[Message, ...], tools: tuple[str, ...], thinking: bool
    ) -> tuple[str, str]:
        text = self.generate(chat.render_prompt(messages, thinking, tools), do_sample=False)[0]
        return chat.split_answer(text, thinking)

    def draws(self, question: str, n: int) -> list[str]:
        prompt = chat.render_prompt((Message("user", question),), thinking=False)
        texts = self.generate(
            prompt, do_sample=True, temperature=1.0, top_k=0, num_return_sequences=n
        )
        return [chat.split_answer(text, thinking=False)[1] for text in texts]


class GgufAnswerer:
    """A GGUF file in this process, through llama.cpp: what tests of single answers need."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        from llama_cpp import Llama

        self.llama = Llama(
            str(path), n_ctx=2048, n_threads=threads, n_threads_batch=threads, verbose=False
        )

    def generate(self, prompt: str, **options: Any) -> str:
        tokens = self.llama.tokenize(prompt.encode("utf-8"), add_bos=False, special=True)
        reply: Any = self.llama.create_completion(
            list(tokens), max_tokens=MAX_NEW_TOKENS, stop=[chat.TURN_END], **options
        )
        return str(reply["choices"][0]["text"])

    def reply(
        self, messages: tuple[Message, ...], tools: tuple[str, ...], thinking: bool
    ) -> tuple[str, str]:
        prompt = chat.render_prompt(messages, thinking, tools)
        text = self.generate(prompt, temperature=0.0, repeat_penalty=1.0)
        return chat.split_answer(text, thinking)

    def draws(self, question: str, n: int) -> list[str]:
        prompt = chat.render_prompt((Message("user", question),), thinking=False)
        options = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "repeat_penalty": 1}
        return [self.generate(prompt, seed=i, **options).strip() for i in range(n)]


class ServerAnswerer:
    """A model behind any server that speaks Ollama's API, through the `ollama` client."""

    def __init__(self, host: str, model: str) -> None:
        import ollama

        self.client, self.model = ollama.Client(host=host), model

    def reply(
        self, messages: tuple[Message, ...], tools: tuple[str, ...], thinking: bool
    ) -> tuple[str, str]:
        asked = self.client.chat(
            model=self.model,
            messages=[{"role": m.role, "content": m.content} for m in messages],
            tools=[tool_schema(tool) for tool in tools],
            think=thinking,
            options={"temperature": 0, "num_predict": MAX_NEW_TOKENS},
        ).message
        calls = [
            tools_skill.write(call.function.name, dict(call.function.arguments))
            for call in asked.tool_calls or ()
        ]
        return (asked.thinking or "").strip(), "".join([(asked.content or "").strip(), *calls])

    def draws(self, question: str, n: int) -> list[str]:
        options = {"temperature": 1, "top_k": 0, "top_p": 1, "min_p": 0, "repeat_penalty": 1}
        return [
            self.client.chat(
                model=self.model,
                messages=[{"role": "user", "content": question}],
                think=False,
                options={**options, "seed": i, "num_predict": 12},
            ).message.content
            or ""
            for i in range(n)
        ]


def tool_schema(line: str) -> dict[str, Any]:
    """'calc(expression): Compute.' → the JSON that a client sends for such a tool."""
    name, _, rest = line.partition("(")
    arguments, _, description = rest.partition("): ")
    properties = {a.strip(): {"type": "string"} for a in arguments.split(",") if a.strip()}
    return {
        "type": "function",
        "function": {
            "name": name,
            "description": description,
            "parameters": {
                "type": "object",
                "properties": properties,
                "required": list(properties),
            },
        },
    }


@contextmanager
def served(file: Path, kind: str) -> Iterator[ServerAnswerer]:
    """An embedded server with the file as its model, quantised to `kind` unless that is f16."""
    import ollama

    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.json"
        place = ["--port", "0", "--models", folder, "--ready-file", str(ready)]
        process = subprocess.Popen([sys.executable, "-m", "jimoto.daemon", *place])
        try:
            deadline = time.monotonic() + 60
            while not ready.exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("The embedded server did not start.")
                time.sleep(0.1)
            host = f"127.0.0.1:{json.loads(ready.read_text(encoding='utf-8'))['port']}"
            quantise = {} if kind == "f16" else {"quantize": kind}
            with ollama.Client(host=host) as client:
                blob = client.create_blob(file)
                client.create(model="measured", files={file.name: blob}, **quantise)
            yield ServerAnswerer(host, "measured")
        finally:
            process.terminate()
            process.wait(timeout=30)


def report(
    answerer: Answerer,
    *,
    n: int,
    seed: int,
    parts: tuple[Part, ...] = PARTS,
    modes: tuple[bool, ...] = BOTH,
    show: int = 0,
    draws: int = 0,
) -> list[Cell]:
    """Measure and print everything; returns the cells."""
    cells = []
    for part in parts:
        for lang in LANGS:
            samples = questions(part, lang, n, seed)
            for thinking in (mode for mode in part.modes if mode in modes):
                cells.append(measure(answerer, part, lang, samples, thinking))
                for question, answer in cells[-1].wrong[:show]:
                    print(f"  {part.name} {lang}: {question!r} → {answer}", flush=True)
    print(table(cells))
    if any(part.skill == "M3" for part in parts):
        for lang in LANGS:
            for thinking in modes:
                pipe = measure_pipe(answerer, lang, n, seed, thinking)
                low, high = (100 * x for x in wilson(pipe.right, pipe.n))
                print(
                    f"M3 pipe of three, {lang}, thinking {'on' if thinking else 'off'}: "
                    f"{100 * pipe.right / pipe.n:.1f} % of {pipe.n} ({low:.0f}–{high:.0f}); "
                    f"right after each stage: {pipe.stages}"
                )
    if draws:
        for lang in LANGS:
            print(
                f"M10 KL of {draws} draws, {lang}: {fortune_divergence(answerer, lang, draws):.4f}"
            )
    refused = [c for c in cells if c.part.skill in IN_SCOPE]
    if refused:
        share = sum(c.refused for c in refused) / max(1, sum(c.n for c in refused))
        print(f"M9 in-scope prompts that got the fallback: {100 * share:.2f} %")
    short = [c for c in cells if c.is_short]
    print(f"{len(short)} of {sum(c.part.target is not None for c in cells)} cells are short")
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the table of the model card.")
    parser.add_argument("model", type=Path, help="a GGUF file or a checkpoint folder")
    parser.add_argument("-n", type=int, default=200, help="prompts per cell")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--type", default="q8_0", help="made of the file by the server; or f16")
    parser.add_argument("--skills", nargs="*", default=[], help="M1 M2 …; all without")
    parser.add_argument("--thinking", choices=("on", "off", "both"), default="both")
    parser.add_argument("--draws", type=int, default=0, help="fortunes to draw at temperature 1")
    parser.add_argument("--show", type=int, default=0, help="print so many wrong answers per cell")
    parser.add_argument("--json", type=Path, help="also write the counts here")
    arguments = parser.parse_args()
    if not arguments.model.exists():
        parser.error(f"there is no file or folder {arguments.model}")
    parts = tuple(p for p in PARTS if not arguments.skills or p.skill in arguments.skills)
    options: dict[str, Any] = {
        "n": arguments.n,
        "seed": arguments.seed,
        "parts": parts,
        "modes": {"on": ON, "off": OFF, "both": BOTH}[arguments.thinking],
        "show": arguments.show,
        "draws": arguments.draws,
    }
    if arguments.model.is_dir():
        cells = report(TorchAnswerer(arguments.model), **options)
    else:
        import ollama

        try:
            with served(arguments.model, arguments.type) as answerer:
                cells = report(answerer, **options)
        except ollama.ResponseError as refused:
            parser.exit(1, f"{refused.error}\n")
    if arguments.json:
        counts = [
            {
                "part": c.part.name,
                "lang": c.lang,
                "thinking": c.thinking,
                "right": c.right,
                "n": c.n,
            }
            for c in cells
        ]
        arguments.json.write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
