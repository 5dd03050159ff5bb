"""Figures of lessons 04 and 05, as SVG: a prompt under x-ray, fortunes beside their odds, rates
with their intervals, what flows through a pipe, and when each stage worked.

Each comes as a `Chart`: the picture, its numbers as a table, and the sentence that says the same.
Nothing is said by colour alone. Knows no server.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from jimoto.errors import language
from jimoto.formats import text_width
from jimoto.teaching.charts import GREY, LEFT, RIGHT, WIDTH, Chart, _svg, _text, ticks
from jimoto.teaching.figures import BLACK, BLUE, ORANGE, SKY, VERMILION
from jimoto.teaching.pictures import LETTER, LINE, MOST_LINES, Box, draw, wrap
from jimoto.teaching.pipes import Step
from jimoto.teaching.rates import Rate
from jimoto.teaching.tables import Table
from jimoto.teaching.validators import language_of

TEXT = {
    "en": {
        "xray": "What the model reads", "from": "written by", "text": "text", "place": "place",
        "template": "template",
        "xray_alt": "A prompt cut into {n} pieces, from top to bottom. In brackets and named: "
        "{parts}. All the rest was written by the template.",
        "fortunes": "Drawn, beside the odds of training", "fortune": "fortune",
        "temperature": "temperature {t:g}", "odds": "odds", "bits": "entropy (bits)",
        "other": "anything else",
        "fortunes_alt": "{n} small bar charts with the same {k} fortunes; a diamond marks the odds "
        "of training. Entropy: {bits}.",
        "rates": "Right answers (%), with 95 % intervals", "what": "what", "right": "right",
        "share": "share", "interval": "95 % interval", "predicted": "predicted",
        "rates_alt": "Horizontal bars, 0 to 100 %, with the 95 % interval as a line: {bars}.",
        "predicted_alt": " A diamond marks the prediction for {names}.",
        "stage": "stage", "language": "language", "letters": "characters", "input": "input",
        "flow_alt": "Flow from top to bottom, {n} texts joined by arrows: {names}.",
        "gantt": "When each stage worked (s from the start)", "start": "start (s)",
        "seconds": "seconds", "load": "of which load", "tokens": "tokens", "task": "task",
        "gantt_alt": "Gantt chart of {n} tasks, seconds from the start: {names} work one after "
        "the other, never at the same time. Slowest in all: {slowest} with {seconds:.2f} s.",
        "names": ("none", "en", "ja"), "comma": ", ",
    },
    "ja": {
        "xray": "モデルが読む文章", "from": "出どころ", "text": "文章", "place": "位置",
        "template": "テンプレート",
        "xray_alt": "プロンプトを{n}個に切り分けた図。上から順に並びます。"
        "括弧と名前が付いた部分は{parts}。残りはすべてテンプレートが書きました。",
        "fortunes": "引いた結果と、学習に使った確率", "fortune": "運勢",
        "temperature": "温度{t:g}", "odds": "学習時の確率", "bits": "エントロピー(ビット)",
        "other": "そのほか",
        "fortunes_alt": "同じ{k}種類の運勢を並べた小さな棒グラフが{n}枚。"
        "菱形は学習に使った確率です。エントロピーは{bits}。",
        "rates": "正答率(%)と95 %区間", "what": "対象", "right": "正解",
        "share": "割合", "interval": "95 %区間", "predicted": "予測",
        "rates_alt": "横棒グラフ(0から100 %)。線は95 %区間です。{bars}。",
        "predicted_alt": "菱形は{names}の予測値です。",
        "stage": "ステージ", "language": "言語", "letters": "文字数", "input": "入力",
        "flow_alt": "上から下への流れ図。{n}個の文章が矢印でつながります: {names}。",
        "gantt": "各ステージが働いた時間(開始からの秒)", "start": "開始(秒)",
        "seconds": "秒", "load": "うち読み込み", "tokens": "トークン数", "task": "仕事",
        "gantt_alt": "{n}件の仕事のガントチャート(開始からの秒)。"
        "{names}が順番に働き、同時には働きません。合計が最も長いのは{slowest}で、{seconds:.2f}秒です。",
        "names": ("なし", "英語", "日本語"), "comma": "、",
    },
}  # fmt: skip
SEEN = 62  # columns of a line in the x-ray


# --- the prompt ----------------------------------------------------------------------------------


def split_prompt(prompt: str, parts: Mapping[str, str]) -> list[tuple[str, str]]:
    """(name, piece) from left to right; '' names what none of the parts holds.

    >>> split_prompt("<s>Be brief.<u>Hi<a>", {"SYSTEM": "Be brief.", "user": "Hi"})
    [('', '<s>'), ('SYSTEM', 'Be brief.'), ('', '<u>'), ('user', 'Hi'), ('', '<a>')]
    """
    places, end = [], 0
    for name, part in parts.items():
        at = prompt.find(part, end) if part else -1
        if at >= 0:
            places.append((at, name, part))
            end = at + len(part)
    pieces, end = [], 0
    for at, name, part in places:
        pieces += [("", prompt[end:at]), (name, part)]
        end = at + len(part)
    return [piece for piece in [*pieces, ("", prompt[end:])] if piece[1]]


def prompt_xray(prompt: str, parts: Mapping[str, str], lang: str = "") -> Chart:
    """The rendered prompt, cut where one author ends: `parts` are name → text, in their order.

    A piece of a part stands in a thick bracket under its name, the template's between thin lines;
    a line break is shown as ↵.
    """
    words = _words(lang)
    pieces = split_prompt(prompt, parts)
    shapes = [_text(LEFT, 24, str(words["xray"]), bold=True)]
    y = 40
    for name, piece in pieces:
        lines = wrap(piece.replace("\n", "↵\n").removesuffix("\n"), SEEN)
        height = LINE * len(lines) + 8
        colour, thick = (BLUE, 4) if name else (GREY, 1)
        shapes.append(_text(LEFT + 74, y + 18, name or str(words["template"]), "end", bool(name)))
        shapes.append(
            f'<path d="M{LEFT + 92} {y + 2} h-8 v{height - 4} h8" fill="none" stroke="{colour}" '
            f'stroke-width="{thick}"/>'
        )
        shapes += [_text(LEFT + 98, y + 18 + LINE * n, line) for n, line in enumerate(lines)]
        y += height + 4
    rows = tuple(
        (f"{n}", name or str(words["template"]), piece.replace("\n", "↵"))
        for n, (name, piece) in enumerate(pieces, 1)
    )
    heads = (str(words["place"]), str(words["from"]), str(words["text"]))
    named = str(words["comma"]).join(name for name, _ in pieces if name)
    alt = str(words["xray_alt"]).format(n=len(pieces), parts=named)
    return Chart(_svg(shapes, y + 8, alt), Table(heads, rows), alt)


# --- chance --------------------------------------------------------------------------------------


def entropy_bits(counts: Mapping[str, float]) -> float:
    """Spread of what was drawn, in bits: 0 when it is always the same.

    >>> entropy_bits({"heads": 50, "tails": 50}), entropy_bits({"heads": 9, "tails": 0})
    (1.0, 0.0)
    """
    total = sum(counts.values())
    shares = [count / total for count in counts.values() if count]
    return -sum(share * math.log2(share) for share in shares) + 0.0


def fortune_panels(
    drawn: Mapping[float, Mapping[str, int]], odds: Mapping[str, float], lang: str = ""
) -> Chart:
    """Small multiples: temperature → how often each fortune came, beside `odds` (shares of 1).

    Whatever is no label of `odds` is counted together. Errors: ValueError without a draw.
    """
    if not drawn or not all(sum(counts.values()) for counts in drawn.values()):
        raise ValueError("nothing was drawn")
    words = _words(lang)
    labels = [*odds, str(words["other"])]
    shares = {t: _shares(counts, odds) for t, counts in drawn.items()}
    bits = {t: entropy_bits(counts) for t, counts in drawn.items()}
    left, each = 130, (RIGHT + 20 - 130) / len(drawn)
    shapes = [_text(20, 24, str(words["fortunes"]), bold=True)]
    shapes += [_text(left - 10, 80 + 26 * n, label, "end") for n, label in enumerate(labels)]
    wide = each - 56
    for panel, (temperature, values) in enumerate(shares.items()):
        x = left + each * panel
        shapes.append(_text(x, 52, str(words["temperature"]).format(t=temperature), bold=True))
        shapes.append(f'<path d="M{x:.1f} 62 V{70 + 26 * len(labels)}" stroke="{GREY}"/>')
        for n, value in enumerate(values):
            y = 66 + 26 * n
            shapes.append(
                f'<rect x="{x:.1f}" y="{y}" width="{value * wide:.1f}" height="18" fill="{SKY}" '
                f'stroke="{BLACK}"/>'
            )
            true = odds.get(labels[n], 0.0)  # the number stands right of both
            right = x + max(value * wide + 6, (true * wide + 12) if n < len(odds) else 0)
            shapes.append(_text(right, y + 14, f"{100 * value:.0f}"))
            if n < len(odds):
                shapes.append(_diamond(x + true * wide, y + 9))
        shapes.append(_text(x, 90 + 26 * len(labels), f"{bits[temperature]:.2f} bit"))
    heads = (
        str(words["fortune"]),
        str(words["odds"]),
        *(str(words["temperature"]).format(t=t) for t in drawn),
    )
    rows = [
        (
            label,
            f"{100 * odds[label]:.0f} %" if label in odds else "–",
            *(f"{100 * shares[t][n]:.1f} %" for t in drawn),
        )
        for n, label in enumerate(labels)
    ]
    spread = (str(words["bits"]), f"{entropy_bits(odds):.2f}", *(f"{bits[t]:.2f}" for t in drawn))
    said = str(words["comma"]).join(f"{t:g}: {bits[t]:.2f} bit" for t in drawn)
    alt = str(words["fortunes_alt"]).format(n=len(drawn), k=len(odds), bits=said)
    return Chart(_svg(shapes, 110 + 26 * len(labels), alt), Table(heads, (*rows, spread)), alt)


def _shares(counts: Mapping[str, int], odds: Mapping[str, float]) -> list[float]:
    total = sum(counts.values())
    known = [counts.get(label, 0) for label in odds]
    return [count / total for count in [*known, total - sum(known)]]


# --- rates ---------------------------------------------------------------------------------------


def rate_bars(
    rates: Mapping[str, Rate], predicted: Mapping[str, float] | None = None, lang: str = ""
) -> Chart:
    """A bar for each rate with its interval; `predicted` (shares of 1) is a diamond on its bar."""
    words, predicted = _words(lang), predicted or {}
    comma = str(words["comma"])
    left = min(260, 40 + max(int(text_width(name) * LETTER) for name in rates))
    scale = (RIGHT - 60 - left) / 100
    shapes = [_text(20, 24, str(words["rates"]), bold=True)]
    for n, (name, found) in enumerate(rates.items()):
        y, share = 44 + 44 * n, 100 * found.share
        shapes.append(_text(left - 10, y + 19, name, "end"))
        shapes.append(
            f'<rect x="{left}" y="{y}" width="{share * scale:.1f}" height="28" fill="{SKY}" '
            f'stroke="{BLACK}"/>'
        )
        low, high = left + 100 * found.low * scale, left + 100 * found.high * scale
        shapes.append(
            f'<path d="M{low:.1f} {y + 8} v12 m0 -6 H{high:.1f} m0 -6 v12" fill="none" '
            f'stroke="{BLACK}" stroke-width="2"/>'
        )
        shapes.append(_text(left + 100 * scale + 10, y + 19, f"{found.right}/{found.n}"))
        if name in predicted:
            shapes.append(_diamond(left + 100 * predicted[name] * scale, y + 14))
    bottom = 44 + 44 * len(rates)
    shapes.append(f'<path d="M{left} {bottom} h{100 * scale:.1f}" stroke="{GREY}"/>')
    for tick in range(0, 101, 25):
        shapes.append(_text(left + tick * scale, bottom + 20, f"{tick}", "middle"))
    keys = ["what", "right", "share", "interval"] + ["predicted"] * bool(predicted)
    rows = tuple(
        (
            name,
            f"{found.right}/{found.n}",
            f"{100 * found.share:.0f} %",
            f"{100 * found.low:.0f}-{100 * found.high:.0f} %",
            f"{100 * predicted[name]:.0f} %" if name in predicted else "–",
        )[: len(keys)]
        for name, found in rates.items()
    )
    alt = str(words["rates_alt"]).format(
        bars=comma.join(f"{name} {100 * found.share:.0f} %" for name, found in rates.items())
    )
    if predicted:
        alt += str(words["predicted_alt"]).format(names=comma.join(predicted))
    heads = tuple(str(words[key]) for key in keys)
    return Chart(_svg(shapes, bottom + 34, alt), Table(heads, rows), alt)


# --- pipes ---------------------------------------------------------------------------------------


def flow_picture(texts: Mapping[str, str], sent: str = "", lang: str = "") -> Chart:
    """What flows: `sent`, then stage → what it said, as boxes joined by arrows."""
    words = _words(lang)
    texts = {str(words["input"]): sent, **texts} if sent else texts
    cut = {name: "\n".join(text.strip().splitlines()[:MOST_LINES]) for name, text in texts.items()}
    alt = str(words["flow_alt"]).format(n=len(texts), names=str(words["comma"]).join(texts))
    names = dict(zip(("", "en", "ja"), words["names"], strict=True))
    rows = tuple(
        (name, names[language_of(text)], f"{len(text.strip())}") for name, text in texts.items()
    )
    heads = tuple(str(words[key]) for key in ("stage", "language", "letters"))
    picture = draw([Box(name, text) for name, text in cut.items()], alt, width=78)
    return Chart(picture, Table(heads, rows), alt)


def gantt(runs: Sequence[Sequence[Step]], lang: str = "") -> Chart:
    """Stages as rows, time as the axis; runs follow one another. Errors: ValueError without a step.

    The part of a bar that was spent on loading a model is filled in orange; the table says it too.
    """
    if not any(runs):
        raise ValueError("no stage has run")
    words = _words(lang)
    stages = list(dict.fromkeys(step.stage for run in runs for step in run))
    placed, offset = [], 0.0
    for run in runs:
        placed += [(offset + step.start_seconds, step) for step in run]
        offset += max((step.start_seconds + step.seconds for step in run), default=0.0)
    left = min(220, 30 + max(int(text_width(stage) * LETTER) for stage in stages))
    scale = (WIDTH - 20 - left) / (offset or 1.0)
    shapes = [_text(20, 24, str(words["gantt"]), bold=True)]
    shapes += [_text(left - 10, 62 + 40 * n, stage, "end") for n, stage in enumerate(stages)]
    for start, step in placed:
        x, y = left + start * scale, 44 + 40 * stages.index(step.stage)
        for seconds, fill in ((step.seconds, SKY), (min(step.load_seconds, step.seconds), ORANGE)):
            shapes.append(
                f'<rect x="{x:.1f}" y="{y}" width="{seconds * scale:.1f}" height="26" '
                f'fill="{fill}" stroke="{BLACK}" stroke-width="0.6"/>'
            )
    bottom = 44 + 40 * len(stages)
    shapes.append(f'<path d="M{left} {bottom} H{WIDTH - 20}" stroke="{GREY}"/>')
    for tick in ticks(offset):
        shapes.append(_text(left + tick * scale, bottom + 20, f"{tick:g}", "middle"))
    spent = {name: [step for _, step in placed if step.stage == name] for name in stages}
    total = {name: sum(step.seconds for step in steps) for name, steps in spent.items()}
    rows = tuple(
        (
            name,
            f"{total[name]:.2f}",
            f"{sum(step.load_seconds for step in steps):.2f}",
            f"{sum(step.tokens for step in steps)}",
        )
        for name, steps in spent.items()
    )
    heads = tuple(str(words[key]) for key in ("stage", "seconds", "load", "tokens"))
    slowest = max(total, key=lambda name: total[name])
    alt = str(words["gantt_alt"]).format(
        n=len(runs), names=str(words["comma"]).join(stages), slowest=slowest, seconds=total[slowest]
    )
    return Chart(_svg(shapes, bottom + 34, alt), Table(heads, rows), alt)


# --- shapes --------------------------------------------------------------------------------------


def _words(lang: str) -> dict[str, str | tuple[str, ...]]:
    return TEXT[lang or language()]  # type: ignore[return-value]


def _diamond(x: float, y: float, half: float = 7) -> str:
    return (
        f'<path d="M{x:.1f} {y - half} l{half} {half} l{-half} {half} l{-half} {-half} z" '
        f'fill="{VERMILION}" stroke="{BLACK}"/>'
    )
