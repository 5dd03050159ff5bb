"""Training: corpus in, checkpoint out, on two cores or a GPU; can be stopped and resumed.

With `--steps` a run is the same every time on the same machine and library; with `--minutes` the
learning rate follows the clock instead, for when a deadline matters more. It knows nothing of GGUF
and measures no skill.
"""

import argparse
import json
import math
import random
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mame import base, chat, corpus, forward, pointers
from mame import model as network
from mame import tokenizer as pieces

BLOCK = 768  # samples that are sorted by length together, so that little of a batch is padding
# Which answer is right is decided in its first words; the rest is soon known by heart. So many
# answers are shown only up to there, which leaves room for more samples. Shares of whole answers:
WHOLE_ANSWERS = {"faq": 0.5, "smalltalk": 0.5, "fallback": 0.4}
BEGINNING = 13  # tokens
LONGEST = 1024  # tokens; longer conversations are rare and would fill a batch alone
MOST_SHIFT = 2.0
COPY_SHARE, COPIED_WELL = 0.08, 0.1  # share of rows of `copy_row`, until their loss is this, nats
# Fortunes are chance, and so are hard sums without a thought: they stay surprising.
NOT_SHIFTED = {"fortune", "sums"}
LET_GO = 0.2  # share of the rate under which the circuit for copying is trained like all the rest;
# at the full rate it was worn down in 100 steps, the loss of `copy_row` rose from 0.4 to 1.2
POINTED = 0.5  # weight of looking in the wrong place beside the loss of the answers
THINKING_SHARES = {"1": 0.4, "2": 0.75, "3": 0.9, "4": 0.95}  # of sums, by band


@dataclass(frozen=True)
class Recipe:
    seed: int = 1
    tokens_per_batch: int = 4096
    muon_rate: float = 0.02
    adam_rate: float = 3e-3
    warmup_steps: int = 50
    decay_from: float = 0.5  # share of the run after which the rate falls in a straight line
    last_rate: float = 0.02


@dataclass
class Progress:
    """What is written into a checkpoint beside the weights."""

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    loss: float = 0.0  # nats per answer token, running mean


MAME = network.Shape()


@dataclass(frozen=True)
class Row:
    """One sample as token ids, and for each how much predicting it counts."""

    ids: list[int]
    weights: list[float]
    skill: str
    looks: tuple[pointers.Look, ...] = ()


class Stream:
    """Batches for ever; block after block, each from a generator of its own.

    From block to block the mix shifts towards the skills whose answers are still surprising, at
    most by the factor `MOST_SHIFT` either way. `state` is all that is needed to go on elsewhere.
    """

    def __init__(self, tokenizer: Any, recipe: Recipe, state: dict[str, Any] | None = None) -> None:
        self.tokenizer, self.recipe = tokenizer, recipe
        self.block, taken = (state["block"], state["taken"]) if state else (0, 0)
        self.loss: dict[str, float] = dict(state["loss"]) if state else {}  # nats per answer token
        self.mix: dict[str, float] = dict(state["mix"]) if state else dict(corpus.MIX)
        self.cut = self.draw_block()
        self.taken = taken

    def state(self) -> dict[str, Any]:
        return {"block": self.block, "taken": self.taken, "loss": self.loss, "mix": self.mix}

    def note(self, losses: dict[str, float]) -> None:
        for skill, loss in losses.items():
            self.loss[skill] = 0.95 * self.loss.get(skill, loss) + 0.05 * loss

    def next(self) -> list[Row]:
        if self.taken >= len(self.cut):
            self.block, self.taken, self.mix = self.block + 1, 0, shifted_mix(self.loss)
            self.cut = self.draw_block()
        self.taken += 1
        return self.cut[self.taken - 1]

    def draw_block(self) -> list[list[Row]]:
        r = random.Random(f"train/{self.recipe.seed}/{self.block}")
        rows = [self.encode(r, corpus.draw(r, self.mix)) for _ in range(BLOCK)]
        often = self.loss.get("copy", math.inf) > COPIED_WELL
        shapeless = COPY_SHARE if often else COPY_SHARE / 4
        rows += [copy_row(r, tokenizer_size(self.tokenizer)) for _ in range(int(BLOCK * shapeless))]
        rows = sorted(
            (row for row in rows if len(row.ids) <= LONGEST), key=lambda row: len(row.ids)
        )
        cut: list[list[Row]] = [[]]
        for row in rows:
            if cut[-1] and len(row.ids) * (len(cut[-1]) + 1) > self.recipe.tokens_per_batch:
                cut.append([])
            cut[-1].append(row)
        r.shuffle(cut)
        return cut

    def encode(self, r: random.Random, sample: corpus.Sample) -> Row:
        """Sums are learned with their thoughts more often than without, the harder the more."""
        share = THINKING_SHARES.get(sample.key.partition(":")[0], 0.5) if sample.thought else 0.5
        thinking = r.random() < share
        encoded = chat.Encoded(self.tokenizer, sample, thinking)
        whole = r.random() < WHOLE_ANSWERS.get(sample.skill, 1)
        ids, weights = shorten((encoded.ids, encoded.weights), whole)
        skill = sample.skill + (" thought" if thinking and sample.thought else "")
        return Row(ids, weights, skill, pointers.looks(encoded, sample, thinking))


def tokenizer_size(tokenizer: Any) -> int:
    return int(tokenizer.get_vocab_size())


def copy_row(r: random.Random, vocabulary: int) -> Row:
    """Random pieces, and the same again: only the wired-in circuit can know what follows.

    Without such rows the first four hundred steps wore it down, before any skill had use for it.
    """
    first = len(chat.SPECIAL_TOKENS)
    once = [r.randrange(first, vocabulary) for _ in range(r.randint(4, 32))]
    return Row(once * 2, [0.0] * (len(once) + 1) + [1.0] * (len(once) - 1), "copy")


def shifted_mix(loss: dict[str, float]) -> dict[str, float]:
    """The start mix, with more of what is worse than the mean and less of what is better."""
    known = {k: max(loss.get(k, 0), loss.get(k + " thought", 0)) for k in corpus.MIX}
    known = {k: v for k, v in known.items() if v and k not in NOT_SHIFTED}
    middle = sum(known.values()) / max(1, len(known))
    factors = {
        k: min(MOST_SHIFT, max(1 / MOST_SHIFT, (v / middle) ** 0.5)) for k, v in known.items()
    }
    return {k: share * factors.get(k, 1) for k, share in corpus.MIX.items()}


def shorten(row: tuple[list[int], list[float]], whole: bool) -> tuple[list[int], list[float]]:
    """The row up to the first words of its answer, unless it is to stay whole."""
    ids, weights = row
    end = len(ids) if whole else weights.index(chat.ANSWER_WEIGHT) + BEGINNING
    return ids[:end], weights[:end]


def to_tensors(batch: list[Row], device: str) -> tuple[Any, Any]:
    """(B, T) ids and (B, T) weights, padded on the right, where causal attention never looks."""
    import torch

    width = max(len(row.ids) for row in batch)
    x = torch.zeros(len(batch), width, dtype=torch.long)
    w = torch.zeros(len(batch), width)
    for i, row in enumerate(batch):
        x[i, : len(row.ids)] = torch.tensor(row.ids)
        w[i, : len(row.ids)] = torch.tensor(row.weights)
    return x.to(device), w.to(device)


def to_looks(batch: list[Row], device: str) -> dict[pointers.Head, Any]:
    """By layer and head (n, 3): row, token that looks, token it should see."""
    import torch

    found: dict[pointers.Head, list[tuple[int, int, int]]] = {}
    for i, row in enumerate(batch):
        for head, looking, seen in row.looks:
            found.setdefault(head, []).append((i, looking, seen))
    return {head: torch.tensor(rows, device=device) for head, rows in found.items()}


def losses(
    body: forward.Body, head: Any, x: Any, w: Any, looks: dict[pointers.Head, Any] | None = None
) -> tuple[Any, Any]:
    """The weighted loss to descend, and per row the plain mean over its answer tokens, (B,)."""
    import torch

    target, weight = x[:, 1:], w[:, 1:]
    wanted = weight > 0  # only these positions go through the output matrix
    hidden = body(x, looks)[:, :-1][wanted].to(body.dtype)
    logits = (hidden @ head.weight.to(body.dtype).T).float()
    each = torch.nn.functional.cross_entropy(logits, target[wanted], reduction="none")
    weight = weight[wanted]
    answers = (weight == chat.ANSWER_WEIGHT).float()
    row = wanted.nonzero()[:, 0]
    total, count = torch.zeros(2, len(x), device=x.device).unbind()
    total.index_add_(0, row, each.detach() * answers)
    count.index_add_(0, row, answers)
    weight = weight * count.clamp(min=1)[row] ** -0.5  # a long answer counts more than a short one,
    answered = (each * weight).sum() / weight.sum()  # but not so much more
    return answered + POINTED * body.astray, total / count.clamp(min=1)


def by_skill(batch: list[Row], row_losses: Any) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for row, loss in zip(batch, row_losses.tolist(), strict=True):
        found.setdefault(row.skill, []).append(loss)
    return {skill: sum(values) / len(values) for skill, values in found.items()}


def orthogonalise(gradients: Any, dtype: Any, steps: int = 4) -> Any:
    """(n, rows, columns), rows <= columns: the nearest matrices with singular values of about 1.

    Newton-Schulz (Muon, K. Jordan 2024); all matrices of one shape together, in `dtype`.
    """
    import torch

    a, b, c = 3.4445, -4.7750, 2.0315
    x = (gradients / (gradients.norm(dim=(-2, -1), keepdim=True) + 1e-7)).to(dtype)
    for _ in range(steps):
        y = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(y, y, y, beta=b, alpha=c), x, beta=a)
    return x.float()


def lying(matrix: Any) -> Any:
    """A tall matrix on its side."""
    return matrix.T if matrix.size(0) > matrix.size(1) else matrix


class Optimizer:
    """Muon for the matrices inside the blocks, AdamW for embeddings and norms.

    On the prototype Muon needed about 1.3 times fewer tokens for arithmetic than AdamW alone.
    """

    def __init__(self, model: Any, recipe: Recipe, dtype: Any) -> None:
        import torch

        named = list(model.named_parameters())
        self.recipe, self.dtype = recipe, dtype
        matrices = [p for n, p in named if p.dim() == 2 and "embed" not in n and "lm_head" not in n]
        self.groups: dict[tuple[int, ...], list[Any]] = {}
        for p in matrices:
            self.groups.setdefault(tuple(lying(p).shape), []).append(p)
        self.momentum = [torch.stack([lying(torch.zeros_like(p)) for p in group])
                         for group in self.groups.values()]  # fmt: skip
        inside = {id(p) for p in matrices}
        self.others = [p for _, p in named if id(p) not in inside]
        self.adam = torch.optim.AdamW(
            self.others, lr=recipe.adam_rate, betas=(0.9, 0.98), weight_decay=0.0, fused=True
        )

    def step(self, scale: float) -> None:
        import torch

        torch.nn.utils.clip_grad_norm_(self.others, 1.0)
        for settings in self.adam.param_groups:
            settings["lr"] = self.recipe.adam_rate * scale
        self.adam.step()
        rate = self.recipe.muon_rate * scale
        with torch.no_grad():
            for group, momentum in zip(self.groups.values(), self.momentum, strict=True):
                gradients = torch.stack([lying(p.grad) for p in group])
                momentum.lerp_(gradients, 0.05)
                updates = orthogonalise(gradients.lerp_(momentum, 0.95), self.dtype)
                for p, update in zip(group, updates, strict=True):
                    tall = max(1.0, p.size(0) / p.size(1)) ** 0.5
                    lying(p).add_(update, alpha=-rate * tall)
        for p in (*self.others, *(p for group in self.groups.values() for p in group)):
            p.grad = None

    def state_dict(self) -> dict[str, Any]:
        return {"momentum": self.momentum, "adam": self.adam.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for mine, saved in zip(self.momentum, state["momentum"], strict=True):
            mine.copy_(saved)
        self.adam.load_state_dict(state["adam"])


def rate_scale(recipe: Recipe, step: int, done: float) -> float:
    """Up for a few steps, level, then down in a line; `done` is the share of the run behind us."""
    up = min(1.0, (step + 1) / recipe.warmup_steps)
    down = (
        1.0
        if done < recipe.decay_from
        else max(recipe.last_rate, (1 - done) / (1 - recipe.decay_from))
    )
    return up * down


def save(
    folder: Path, model: Any, optimizer: Optimizer, progress: Progress, stream: Stream
) -> None:
    """Complete or not at all: the new file takes the old one's place only when it is written."""
    import torch

    model.save_pretrained(folder)
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "progress": asdict(progress),
        "stream": stream.state(),
    }
    torch.save(state, folder / "state.pt.new")
    (folder / "state.pt.new").replace(folder / "state.pt")
    (folder / "progress.json").write_text(
        json.dumps({**asdict(progress), **asdict(stream.recipe)}, indent=1) + "\n",
        encoding="utf-8",
        newline="\n",
    )


def train(
    folder: Path,
    recipe: Recipe,
    *,
    steps: int | None = None,
    minutes: float | None = None,
    shape: network.Shape = MAME,
    resume: bool = False,
    start: Path | None = None,
    save_minutes: float = 5.0,
    print_every: int = 50,
    compiled: bool = False,
    is_stopping: Callable[[int], bool] = lambda step: False,
) -> Progress:
    """Train until the steps or minutes are used up; `folder` then loads as a transformers model.

    `start` is a GGUF of mame whose weights and pieces a new run begins with, say the shipped one.
    `is_stopping` ends a run early without changing its plan; the checkpoint is written anyway.
    """
    import torch

    if (steps is None) == (minutes is None):
        raise ValueError("Give either steps or minutes.")
    device = "cuda" if torch.cuda.is_available() else "cpu"

    # 1) tokenizer and network: from the folder when resuming, else from `start`, else new
    folder.mkdir(parents=True, exist_ok=True)
    started_with = base.load(start) if start else None
    if not (folder / "tokenizer.json").exists():
        pieces.save(started_with[1] if started_with else pieces.build(), folder)
    (folder / "chat_template.jinja").write_text(chat.TEMPLATE, encoding="utf-8", newline="\n")
    tokenizer = pieces.load(folder)
    model = network.build(shape, tokenizer.get_vocab_size(), recipe.seed).to(device)
    if started_with:
        model.load_state_dict(started_with[0].state_dict())
        if model.circuit:
            model.circuit.keep_present()
    low = forward.has_fast_bfloat16()
    body = forward.Body(model, recipe.tokens_per_batch, low=low, compiled=compiled)
    optimizer, progress, reached = Optimizer(model, recipe, body.dtype), Progress(), None
    if resume and (folder / "state.pt").exists():
        state = torch.load(folder / "state.pt", map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        progress, reached = Progress(**state["progress"]), state["stream"]
    print(
        f"{network.n_params(model):,} parameters, {tokenizer.get_vocab_size()} pieces, {device}, "
        f"{'bfloat16' if low else 'float32'}, "
        f"from step {progress.step}",
        flush=True,
    )

    # 2) the loop
    stream = Stream(tokenizer, recipe, reached)
    before, started, saved = progress.seconds, time.monotonic(), time.monotonic()
    while True:
        progress.seconds = before + time.monotonic() - started
        done = progress.step / steps if steps else progress.seconds / 60 / (minutes or 1)
        if done >= 1 or is_stopping(progress.step):
            break
        batch = stream.next()
        x, w = to_tensors(batch, device)
        looks = to_looks(batch, device) if model.circuit else None  # a tiny one lacks those heads
        loss, row_losses = losses(body, model.lm_head, x, w, looks)
        loss.backward()
        stream.note(by_skill(batch, row_losses))
        scale = rate_scale(recipe, progress.step, done)
        optimizer.step(scale)
        if model.circuit and (done < recipe.decay_from or scale > LET_GO):
            model.circuit.restore()
        progress.step += 1
        progress.tokens += int((w >= 0).sum())
        answer_loss = float(row_losses.mean())
        progress.loss += max(0.02, 1 / progress.step) * (answer_loss - progress.loss)
        if progress.step % print_every == 0:
            speed = progress.tokens / progress.seconds
            print(
                f"{progress.seconds:6.0f} s  step {progress.step:6d}"
                f"  {progress.tokens / 1e6:6.2f} M tokens"
                f"  {speed:5.0f} tokens/s  loss {progress.loss:.4f}  "
                + " ".join(f"{k} {v:.3f}" for k, v in sorted(stream.loss.items())),
                flush=True,
            )
        if time.monotonic() - saved > save_minutes * 60:
            save(folder, model, optimizer, progress, stream)
            saved = time.monotonic()
    save(folder, model, optimizer, progress, stream)
    return progress


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Train mame from scratch, or go on with a checkpoint."
    )
    parser.add_argument("--out", type=Path, default=Path("build/mame"))
    parser.add_argument("--steps", type=int)
    parser.add_argument("--minutes", type=float)
    parser.add_argument(
        "--threads", type=int, default=1, help="one is best while other programs use the cores"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tokens-per-batch", type=int, default=Recipe.tokens_per_batch)
    parser.add_argument("--muon-rate", type=float, default=Recipe.muon_rate)
    parser.add_argument("--adam-rate", type=float, default=Recipe.adam_rate)
    parser.add_argument(
        "--decay-from",
        type=float,
        default=Recipe.decay_from,
        help="share of the run after which the rate falls; 1 holds it for a later leg",
    )
    parser.add_argument("--save-minutes", type=float, default=5.0)
    parser.add_argument("--resume", action="store_true")
    parser.add_argument("--start", type=Path, help="a GGUF of mame to begin a new run with")
    parser.add_argument(
        "--compile", action="store_true", help="ten seconds at the start, then half as fast again"
    )
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(arguments.threads)
    asked_to_stop: list[int] = []  # Ctrl-C and `kill` end the step first, then save
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda received, frame: asked_to_stop.append(received))
    recipe = Recipe(
        arguments.seed,
        arguments.tokens_per_batch,
        arguments.muon_rate,
        arguments.adam_rate,
        decay_from=arguments.decay_from,
    )
    progress = train(
        arguments.out,
        recipe,
        steps=arguments.steps,
        minutes=arguments.minutes,
        resume=arguments.resume,
        start=arguments.start,
        save_minutes=arguments.save_minutes,
        compiled=arguments.compile,
        is_stopping=lambda step: bool(asked_to_stop),
    )
    print(
        f"{'stopped' if asked_to_stop else 'done'}: {progress.step} steps, "
        f"{progress.tokens / 1e6:.2f} M tokens, {progress.seconds / 60:.1f} minutes, "
        f"loss {progress.loss:.4f}"
    )


if __name__ == "__main__":
    main()
