"""The loss curve of a training run, in the reader's language. Takes numbers, knows no training."""

from __future__ import annotations

from collections.abc import Sequence

from jimoto.errors import language
from jimoto.teaching.figures import BLUE, VERMILION, Drawing, _axes, _with_fonts, label_language

TEXT = {
    "en": {
        "title": "Loss while training",
        "step": "step",
        "loss": "loss (nats per answer token)",
        "each": "each step",
        "mean": "mean of {n} steps",
        "before": "held out, before",
        "after": "held out, after",
        "when": "when",
        "first": "first step",
        "last": "last step",
        "alt": "Line: the training loss falls from {first:.2f} to {last:.2f} nats in {n} steps; "
        "on held-out examples it is {before:.2f} before and {after:.2f} after.",
    },
    "ja": {
        "title": "学習中の損失",
        "step": "ステップ",
        "loss": "損失(回答1トークンあたりnat)",
        "each": "各ステップ",
        "mean": "{n}ステップの平均",
        "before": "学習前(未学習の例)",
        "after": "学習後(未学習の例)",
        "when": "時点",
        "first": "最初のステップ",
        "last": "最後のステップ",
        "alt": "折れ線グラフ。学習データの損失は{n}ステップで{first:.2f}から{last:.2f} natに"
        "下がります。学習に使わなかった例では、学習前が{before:.2f}、学習後が{after:.2f}です。",
    },
}  # fmt: skip


def running_mean(values: Sequence[float], n: int) -> list[float]:
    """Each value with up to n - 1 before it.

    >>> running_mean([4.0, 2.0, 0.0], 2)
    [4.0, 3.0, 1.0]
    """
    windows = (values[max(0, i - n + 1) : i + 1] for i in range(len(values)))
    return [sum(window) / len(window) for window in windows]


@_with_fonts
def loss_curve(
    losses: Sequence[float], before: float, after: float, lang: str = "", smooth: int = 8
) -> Drawing:
    """Loss by step, and the loss on held-out examples before and after (all in nats)."""
    lang, notes = label_language(lang or language())
    text = TEXT[lang]
    figure, axes = _axes(text["title"], text["step"], text["loss"])
    steps = range(1, len(losses) + 1)
    axes.plot(steps, losses, color="#999999", linewidth=1, label=text["each"])
    mean = running_mean(losses, smooth)
    axes.plot(steps, mean, color=BLUE, linewidth=2, label=text["mean"].format(n=smooth))
    for value, style, key in ((before, "--", "before"), (after, "-.", "after")):
        axes.axhline(value, color=VERMILION, linestyle=style, label=text[key])
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8)
    rows = tuple(
        (text[key], f"{value:.3f}")
        for key, value in (
            ("before", before), ("first", losses[0]), ("last", losses[-1]), ("after", after),
        )
    )  # fmt: skip
    alt = text["alt"].format(
        first=losses[0], last=losses[-1], n=len(losses), before=before, after=after
    )
    return Drawing(figure, (text["when"], text["loss"]), rows, alt, notes)
