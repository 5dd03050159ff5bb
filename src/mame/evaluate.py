"""Evaluation: greedy answers counted per skill, language and thinking mode, with 95 % intervals.

Trained wordings and new ones are counted apart. Works on a checkpoint through torch and on a GGUF
through llama.cpp; both are an `Answerer`. It trains nothing and believes no model: the checkers of
the skills decide.
"""

import argparse
import itertools
import math
import random
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from mame import chat, corpus
from mame.corpus import fallback, fortune
from mame.corpus.sample import LANGS, Message, Sample

MAX_NEW_TOKENS = 120
PARTS = (
    ("faq", False),
    ("faq", True),
    ("smalltalk", False),
    ("smalltalk", True),
    ("fallback", False),
    ("fallback", True),
    ("fortune", False),
    ("fortune", True),
)


class Answerer(Protocol):
    def answer(self, prompt: str) -> str:
        """Greedy continuation of a rendered prompt, up to the end of the turn."""

    def next_token_odds(self, prompt: str, texts: list[str]) -> list[float]:
        """Probability of the first token of each text."""


@dataclass(frozen=True)
class Cell:
    """One number of the table."""

    skill: str
    new: bool  # wordings never trained on
    lang: str
    thinking: bool
    right: int
    n: int
    refused: int  # answered with the fallback sentence
    wrong: tuple[tuple[str, str], ...] = ()  # (question, answer), for reading
    setting: str = ""  # what stood before the question

    @property
    def name(self) -> str:
        return f"{self.skill}, {'new' if self.new else 'trained'} wordings{self.setting}"


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


def questions(skill: str, new: bool, lang: str, n: int, seed: int) -> list[Sample]:
    """n different questions, or all there are."""
    r = random.Random(f"evaluate/{seed}/{skill}/{new}/{lang}")
    found: dict[str, Sample] = {}
    for _ in range(20 * n):
        sample = corpus.SKILLS[skill].draw(r, lang, new=new)
        found.setdefault(sample.question, sample)
        if len(found) == n:
            break
    return list(found.values())


def measure(
    answerer: Answerer,
    samples: Iterable[Sample],
    *,
    skill: str,
    new: bool,
    lang: str,
    thinking: bool,
    setting: str = "",
) -> Cell:
    """Ask every sample and count; `samples` carry their own conversation."""
    right = refused = n = 0
    wrong = []
    for sample in samples:
        text = answerer.answer(chat.render_prompt(sample.messages, thinking))
        _, answer = chat.split_answer(text, thinking)
        good = corpus.is_right(sample, answer)
        right, n, refused = right + good, n + 1, refused + (answer in fallback.ANSWER.values())
        if not good:
            wrong.append((sample.question, answer))
    return Cell(skill, new, lang, thinking, right, n, refused, tuple(wrong), setting)


def table(cells: list[Cell]) -> str:
    """Markdown, one row per part and language, one column per thinking mode."""
    lines = ["| skill | language | thinking on | thinking off |", "| --- | --- | --- | --- |"]
    by_place = {(c.name, c.lang, c.thinking): c for c in cells}
    for name, lang in dict.fromkeys((c.name, c.lang) for c in cells):
        shown = [format_cell(by_place.get((name, lang, thinking))) for thinking in (True, False)]
        lines.append(f"| {name} | {lang} | {shown[0]} | {shown[1]} |")
    return "\n".join(lines)


def format_cell(cell: Cell | None) -> str:
    if cell is None:
        return ""
    low, high = wilson(cell.right, cell.n)
    refused = (
        f"; {cell.refused} refused" if cell.skill in ("faq", "smalltalk") and cell.refused else ""
    )
    share = 100 * cell.right / max(1, cell.n)
    return f"{share:.1f} % of {cell.n} ({100 * low:.1f}–{100 * high:.1f}{refused})"


def fortune_divergence(answerer: Answerer, lang: str, thinking: bool) -> float:
    """KL from the stated odds to the model's at temperature 1, nats, mean over new wordings."""
    odds = fortune.labels(lang)
    total = 0.0
    for question in fortune.NEW[lang]:
        prompt = chat.render_prompt((Message("user", question),), thinking) + (
            f"\n{chat.THINK_CLOSE}\n\n" if thinking else ""
        )
        model_odds = answerer.next_token_odds(prompt, list(odds))
        total += sum(
            p * math.log(p / max(q, 1e-9)) for p, q in zip(odds.values(), model_odds, strict=True)
        )
    return total / len(fortune.NEW[lang])


def in_settings(samples: list[Sample], lang: str, seed: int) -> dict[str, list[Sample]]:
    """The same questions under an unseen system prompt, and after two other turns."""
    r = random.Random(f"settings/{seed}/{lang}")
    systems = corpus.NEW_SYSTEM[lang]
    return {
        ", unseen system prompt": [
            s.after((Message("system", systems[i % len(systems)]),)) for i, s in enumerate(samples)
        ],
        ", after two other turns": [s.after(corpus.earlier_turns(r, 2, lang)) for s in samples],
    }


class TorchAnswerer:
    """A checkpoint folder, through transformers."""

    def __init__(self, folder: Path) -> None:
        from mame import model, tokenizer

        self.tokenizer, self.model = tokenizer.load(folder), model.load(folder).eval()

    def ids(self, text: str) -> Any:
        import torch

        return torch.tensor([self.tokenizer.encode(text, add_special_tokens=False).ids])

    def answer(self, prompt: str) -> str:
        import torch

        x = self.ids(prompt)
        with torch.no_grad():
            out = self.model.generate(
                input_ids=x,
                attention_mask=torch.ones_like(x),
                max_new_tokens=MAX_NEW_TOKENS,
                do_sample=False,
                eos_token_id=2,
                pad_token_id=0,
            )
        return str(self.tokenizer.decode(out[0, x.size(1) :].tolist(), skip_special_tokens=False))

    def next_token_odds(self, prompt: str, texts: list[str]) -> list[float]:
        import torch

        with torch.no_grad():
            odds = self.model(input_ids=self.ids(prompt)).logits[0, -1].softmax(-1)
        return [
            float(odds[self.tokenizer.encode(t, add_special_tokens=False).ids[0]]) for t in texts
        ]


class GgufAnswerer:
    """A GGUF file, through llama.cpp."""

    def __init__(self, path: Path, threads: int = 1) -> None:
        from llama_cpp import Llama

        self.llama = Llama(
            str(path),
            n_ctx=2048,
            n_batch=512,
            n_threads=threads,
            n_threads_batch=threads,
            logits_all=True,
            verbose=False,
        )

    def tokens(self, text: str) -> list[int]:
        return list(self.llama.tokenize(text.encode("utf-8"), add_bos=False, special=True))

    def answer(self, prompt: str) -> str:
        reply: Any = self.llama.create_completion(
            self.tokens(prompt),
            max_tokens=MAX_NEW_TOKENS,
            temperature=0.0,
            repeat_penalty=1.0,
            stop=[chat.TURN_END],
        )
        return str(reply["choices"][0]["text"])

    def next_token_odds(self, prompt: str, texts: list[str]) -> list[float]:
        import numpy as np

        self.llama.reset()
        tokens = self.tokens(prompt)
        self.llama.eval(tokens)
        logits = np.asarray(self.llama.scores[len(tokens) - 1], dtype=np.float64)
        odds = np.exp(logits - logits.max())
        odds /= odds.sum()
        return [float(odds[self.tokens(t)[0]]) for t in texts]


def main() -> None:
    parser = argparse.ArgumentParser(description="Print the table of the model card.")
    parser.add_argument("model", type=Path, help="a GGUF file or a checkpoint folder")
    parser.add_argument("-n", type=int, default=100, help="questions per cell")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--skills", nargs="*", default=[])
    parser.add_argument("--thinking", choices=("on", "off", "both"), default="both")
    parser.add_argument("--settings", action="store_true", help="also with something before it")
    parser.add_argument("--show", type=int, default=0, help="print so many wrong answers per cell")
    arguments = parser.parse_args()
    answerer: Answerer = (
        TorchAnswerer(arguments.model)
        if arguments.model.is_dir()
        else GgufAnswerer(arguments.model, arguments.threads)
    )
    modes = {"on": (True,), "off": (False,), "both": (True, False)}[arguments.thinking]
    cells = []
    for skill, new in PARTS:
        for lang in LANGS if not arguments.skills or skill in arguments.skills else ():
            samples = questions(skill, new, lang, arguments.n, arguments.seed)
            parts = {"": samples}
            if skill in ("faq", "fallback") and not new and arguments.settings:
                parts |= in_settings(samples, lang, arguments.seed)
            for (setting, asked), thinking in itertools.product(parts.items(), modes):
                place = {"skill": skill, "new": new, "lang": lang, "setting": setting}
                cells.append(measure(answerer, asked, thinking=thinking, **place))
                for question, answer in cells[-1].wrong[: arguments.show]:
                    print(f"  {skill} {lang}: {question!r} → {answer!r}", flush=True)
    print(table(cells))
    for lang in LANGS:
        print(
            f"fortune, KL at temperature 1, {lang}: "
            + ", ".join(
                f"thinking {'on' if t else 'off'} {fortune_divergence(answerer, lang, t):.4f}"
                for t in modes
            )
        )


if __name__ == "__main__":
    main()
