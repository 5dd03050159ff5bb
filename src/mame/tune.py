"""Tuning: a LoRA adapter for mame, from a file of examples, in a minute on two cores.

Trains with PEFT, scores what was held out before and after, and writes what PEFT writes; turning
that into GGUF is `jimoto.adapters.gguf_lora`'s work. It knows no server.

    python -m mame.tune polite --out build/polite        one of the worked sets
    python -m mame.tune my.jsonl --out build/mine        lines of {"user": …, "assistant": …}
"""

import argparse
import json
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from jimoto.adapters import gguf_lora
from jimoto.errors import ExampleBroken, JimotoError, PackageMissing
from mame import base as bases
from mame import chat, corpus, examples
from mame.examples import Example

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP = ("gate_proj", "up_proj", "down_proj")
LONGEST = 512  # tokens of one example
OWN_LONGEST = 80  # tokens of a question from the corpus, and of its answer
MAX_NEW_TOKENS = 120
BARS = "▁▂▃▄▅▆▇█"

Row = tuple[list[int], list[int]]  # ids of a prompt, and of the text that has to follow it
IsGood = Callable[[Example, str], bool]


@dataclass(frozen=True)
class Recipe:
    rank: int = 8
    alpha: float = 16.0
    targets: tuple[str, ...] = (*ATTENTION, *MLP)
    steps: int = 60
    batch_size: int = 8
    rate: float = 4e-3
    keep: float = 0.25  # share of a batch that is the base's own answers, against forgetting
    held_out: float = 0.2
    seconds: float = 40.0  # training ends by then, whatever the machine; scoring comes on top
    seed: int = 1


# New facts need larger and more steps than a new tone: rank 16 at alpha 64 taught 5 to 8 of 20 new
# wordings and left 68 % of other answers as they were. Three times the rate in 75 steps taught 2 to
# 6 and left 4 % (2026-11-28, two cores with AMX).
RECIPES = {
    "sheet": Recipe(
        rank=16, alpha=64.0, steps=180, batch_size=12, rate=4e-3, keep=0.3, seconds=50.0
    )
}


@dataclass(frozen=True)
class Score:
    """What the held-out examples say."""

    loss: float  # nats per answer token
    same: int  # answers equal to the taught ones, letter by letter
    good: int  # answers as the set's own check wants them
    n: int

    def __str__(self) -> str:
        return f"loss {self.loss:.3f}, {self.good} of {self.n} good, {self.same} equal"


@dataclass(frozen=True)
class Tuned:
    """A finished run; `folder` holds what PEFT saved."""

    folder: Path
    losses: tuple[float, ...]  # nats per answer token, one a step
    before: Score
    after: Score
    n_trained: int  # numbers in the adapter
    n_examples: int
    seconds: float  # training alone


def split(found: Sequence[Example], recipe: Recipe) -> tuple[list[Example], list[Example]]:
    """Examples to train on, and held-out ones; the same question never stands on both sides."""
    questions = sorted({e.user for e in found})
    random.Random(f"tune/split/{recipe.seed}").shuffle(questions)
    held_out = set(questions[: max(1, round(recipe.held_out * len(questions)))])
    return [e for e in found if e.user not in held_out], [e for e in found if e.user in held_out]


def encode(tokenizer: Any, example: Example, thinking: bool) -> Row:
    prompt = chat.render_prompt(example.sample.messages, thinking)
    answer = chat.render_answer(example.sample, thinking)
    return ids_of(tokenizer, prompt), ids_of(tokenizer, answer)


def ids_of(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer.encode(text, add_special_tokens=False).ids)


def check_lengths(tokenizer: Any, found: Sequence[Example], path: str) -> None:
    for number, example in enumerate(found, start=1):
        length = sum(map(len, encode(tokenizer, example, thinking=True)))
        if length > LONGEST:
            raise ExampleBroken(path, example.line or number, "long", str(length))


def to_tensors(rows: Sequence[Row]) -> tuple[Any, Any]:
    """(B, T) ids, and (B, T) labels that are -100 wherever nothing is to be learned.

    Padding stands on the right, where causal attention never looks.
    """
    import torch

    width = max(len(prompt) + len(answer) for prompt, answer in rows)
    x = torch.zeros(len(rows), width, dtype=torch.long)
    y = torch.full((len(rows), width), -100)
    for i, (prompt, answer) in enumerate(rows):
        end = len(prompt) + len(answer)
        x[i, :end] = torch.tensor(prompt + answer)
        y[i, len(prompt) : end] = torch.tensor(answer)
    return x, y


def own_answers(network: Any, tokenizer: Any, seed: int, n: int = 160) -> list[Row]:
    """What the base answers to questions of its own corpus, so that it can be kept.

    Its own words, right or wrong: an adapter that repeats them leaves the rest of mame as it was.
    """
    r = random.Random(f"tune/own/{seed}")
    prompts: list[list[int]] = []
    while len(prompts) < n:
        sample, thinking = corpus.draw(r), r.random() < 0.5
        ids = ids_of(tokenizer, chat.render_prompt(sample.messages, thinking))
        if len(ids) <= OWN_LONGEST:
            prompts.append(ids)
    answers = generate(network, tokenizer, prompts, OWN_LONGEST)
    end = tokenizer.token_to_id(chat.TURN_END)
    return [
        (prompt, answer[: answer.index(end) + 1])
        for prompt, answer in zip(prompts, answers, strict=True)
        if end in answer
    ]


def draw_batch(
    tokenizer: Any, taught: Sequence[Example], own: Sequence[Row], recipe: Recipe, step: int
) -> list[Row]:
    """Half of the examples are shown with thinking on: an adapter must work in both modes."""
    r = random.Random(f"tune/{recipe.seed}/{step}")
    n_own = round(recipe.keep * recipe.batch_size) if own else 0
    rows = [
        encode(tokenizer, r.choice(taught), thinking=r.random() < 0.5)
        for _ in range(recipe.batch_size - n_own)
    ]
    return rows + [r.choice(own) for _ in range(n_own)]


def generate(
    network: Any, tokenizer: Any, prompts: Sequence[list[int]], n_new: int
) -> list[list[int]]:
    """Greedy continuations, all at once; prompts are padded on the left."""
    import torch

    width = max(map(len, prompts))
    x = torch.zeros(len(prompts), width, dtype=torch.long)
    seen = torch.zeros_like(x)
    for i, ids in enumerate(prompts):
        x[i, width - len(ids) :] = torch.tensor(ids)
        seen[i, width - len(ids) :] = 1
    with torch.no_grad():
        out = network.generate(
            input_ids=x,
            attention_mask=seen,
            max_new_tokens=n_new,
            do_sample=False,
            eos_token_id=tokenizer.token_to_id(chat.TURN_END),
            pad_token_id=tokenizer.token_to_id(chat.END_OF_TEXT),
        )
    continuations: list[list[int]] = out[:, width:].tolist()
    return continuations


def answer_all(network: Any, tokenizer: Any, asked: Sequence[Example]) -> list[str]:
    """Greedy answers with thinking off."""
    prompts = [encode(tokenizer, e, thinking=False)[0] for e in asked]
    texts = tokenizer.decode_batch(
        generate(network, tokenizer, prompts, MAX_NEW_TOKENS), skip_special_tokens=False
    )
    return [chat.split_answer(text, thinking=False)[1] for text in texts]


def score(network: Any, tokenizer: Any, held_out: Sequence[Example], is_good: IsGood) -> Score:
    import torch

    x, y = to_tensors([encode(tokenizer, e, thinking=False) for e in held_out])
    with torch.no_grad():
        loss = float(network(input_ids=x, labels=y).loss)
    answers = answer_all(network, tokenizer, held_out)
    pairs = list(zip(held_out, answers, strict=True))
    return Score(
        loss,
        sum(examples.is_same(e, a) for e, a in pairs),
        sum(is_good(e, a) for e, a in pairs),
        len(pairs),
    )


def tune(
    found: Sequence[Example],
    folder: Path,
    *,
    recipe: Recipe | None = None,
    base: Path | None = None,
    is_good: IsGood = examples.is_same,
    progress: bool = True,
    path: str = "examples",
) -> Tuned:
    """Train an adapter for `base` (the shipped mame) on `found` and save it to `folder`.

    `is_good` decides what a good held-out answer is; `path` names the examples in errors. With the
    same recipe and machine the result is the same, unless `recipe.seconds` ends it early.
    Errors: ExampleBroken for an example that is too long, CheckpointRefused for the base,
    PackageMissing where the extra 'train' is not installed.
    """
    try:
        import torch
        from peft import LoraConfig, get_peft_model
    except ModuleNotFoundError as error:
        raise PackageMissing(str(error.name), 'pip install -e ".[train]"') from None
    from tqdm.auto import tqdm

    # 1) base, examples, adapter: B starts at zero, so the first step is the base itself
    recipe = recipe or Recipe()
    network, tokenizer = bases.load(base or bases.shipped())
    check_lengths(tokenizer, found, path)
    taught, held_out = split(found, recipe)
    before = score(network, tokenizer, held_out, is_good)
    own = own_answers(network, tokenizer, recipe.seed) if recipe.keep else []
    torch.manual_seed(recipe.seed)
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        target_modules=list(recipe.targets),
        task_type="CAUSAL_LM",
    )
    with without_future_warnings():
        adapted = get_peft_model(network, config)
    trained = [p for p in adapted.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=recipe.rate, betas=(0.9, 0.98), weight_decay=0.0)

    # 2) the loop: the rate rises for ten steps, then falls to nothing by the last one
    losses: list[float] = []
    started = time.monotonic()
    with tqdm(total=recipe.steps, disable=not progress, mininterval=0.5, desc="LoRA") as bar:
        for step in range(recipe.steps):
            done = max(step / recipe.steps, (time.monotonic() - started) / recipe.seconds)
            if done >= 1:
                break
            for group in optimizer.param_groups:
                group["lr"] = recipe.rate * min(1.0, (step + 1) / 10) * (1 - 0.95 * done)
            x, y = to_tensors(draw_batch(tokenizer, taught, own, recipe, step))
            loss = network(input_ids=x, labels=y).loss
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.item())
            bar.set_postfix(loss=f"{losses[-1]:.3f}", refresh=False)
            bar.update()
    seconds = time.monotonic() - started

    # 3) the same questions again, and the file
    adapted.eval()
    after = score(network, tokenizer, held_out, is_good)
    adapted.save_pretrained(str(folder), save_embedding_layers=False)
    n_trained = sum(p.numel() for p in trained)
    tuned = Tuned(folder, tuple(losses), before, after, n_trained, len(taught), seconds)
    report = asdict(tuned) | {"folder": folder.name, "recipe": asdict(recipe)}
    (folder / "tune.json").write_text(
        json.dumps(report, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n"
    )
    return tuned


@contextmanager
def without_future_warnings() -> Iterator[None]:
    """PEFT 0.21 asks transformers 5 for an attribute by its old name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def load(folder: Path, base: Path | None = None) -> tuple[Any, Any]:
    """The network with a saved adapter, and the tokenizer: the training side, to compare with."""
    from peft import PeftModel

    network, tokenizer = bases.load(base or bases.shipped())
    with without_future_warnings():
        return PeftModel.from_pretrained(network, str(folder)).eval(), tokenizer


def sparkline(losses: Sequence[float], width: int = 40) -> str:
    """The loss as one line of text, from its highest to its lowest value.

    >>> sparkline([4.0, 3.0, 1.0, 0.5])
    '█▆▂▁'
    """
    size = max(1, -(-len(losses) // width))
    means = [sum(losses[i : i + size]) / len(losses[i : i + size])
             for i in range(0, len(losses), size)]  # fmt: skip
    low, high = min(means), max(means)
    steps = [round((m - low) / ((high - low) or 1) * (len(BARS) - 1)) for m in means]
    return "".join(BARS[step] for step in steps)


def main() -> None:
    """One error is one sentence and the exit code 1, not a traceback."""
    try:
        run(sys.argv[1:])
    except (JimotoError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from None


def run(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m mame.tune", description=__doc__.split("\n")[0])
    parser.add_argument("examples", help=f"{', '.join(examples.SETS)}, or a JSONL file")
    parser.add_argument("--out", type=Path, default=Path("build/adapter"))
    parser.add_argument("--base", type=Path, help="a GGUF of mame; the shipped one if not given")
    for name, kind in (("rank", int), ("steps", int), ("keep", float), ("seed", int)):
        parser.add_argument(f"--{name}", type=kind)
    parser.add_argument("--threads", type=int, help="one is best beside a busy server")
    arguments = parser.parse_args(words)
    import torch

    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    if arguments.examples in examples.SETS:
        make, is_good = examples.SETS[arguments.examples]
        found = make()
    else:
        found, is_good = examples.read(Path(arguments.examples)), examples.is_same
    said = {
        k: v for k in ("rank", "steps", "keep", "seed") if (v := getattr(arguments, k)) is not None
    }
    recipe = replace(RECIPES.get(arguments.examples, Recipe()), **said)
    base = arguments.base or bases.shipped()
    arguments.out.mkdir(parents=True, exist_ok=True)
    tuned = tune(
        found, arguments.out, recipe=recipe, base=base, is_good=is_good, path=arguments.examples
    )
    adapter = gguf_lora.convert(arguments.out, base, arguments.out / "adapter.gguf")
    print(f"loss   {sparkline(tuned.losses)}  {tuned.losses[0]:.2f} → {tuned.losses[-1]:.2f}")
    print(f"before {tuned.before}\nafter  {tuned.after}")
    print(
        f"{tuned.n_trained:,} numbers from {tuned.n_examples} examples in {tuned.seconds:.0f} s: "
        f"{adapter}, {adapter.stat().st_size / 1e6:.1f} MB"
    )


if __name__ == "__main__":
    main()
