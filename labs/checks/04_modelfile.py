"""Checks of lab 04: four broken Modelfiles, an acceptance test, a spread of fortunes, a grandchild."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import log2
from typing import Any

from jimoto.daemon.modelfile import parse_modelfile, to_request
from jimoto.errors import ModelfileError
from jimoto.teaching.tasks import Judgement, Task, Wrong, both, call, right, same, shown, wrong

# --- q1: four broken files -----------------------------------------------------------------------

# broken text, and the token that mends it
FILES = {
    "a": (
        both(
            "FROM mame\nPARAMETER temperature={t}\nSYSTEM Be brief.\n",
            "FROM mame\nPARAMETER temperature={t}\nSYSTEM 短く答えてください。\n",
        ),
        ("temperature=", "temperature "),
    ),
    "b": (
        both(
            "FROM mame\nSYSTM End every answer with de gozaru.\n",
            "FROM mame\nSYSTM すべての回答を「でござる」で終えてください。\n",
        ),
        ("SYSTM", "SYSTEM"),
    ),
    "c": (same("FORM mame\nPARAMETER temperature {t}\n"), ("FORM", "FROM")),
    "d": (
        same("FROM mame\nPARAMETER temprature {t}\nPARAMETER top_k 20\n"),
        ("temprature", "temperature"),
    ),
}


def make_files(rng: random.Random, lang: str) -> dict[str, str]:
    return {
        name: text[lang].format(t=rng.randrange(1, 9) / 10) for name, (text, _) in FILES.items()
    }


def commands_of(text: str) -> Any:
    """What a Modelfile asks for; ModelfileError where it cannot be built."""
    commands = parse_modelfile(text)
    to_request(commands, folder=".", exists=lambda path: False)
    return commands


def judge_files(files: dict[str, str], fixed: dict[str, str]) -> Judgement:
    expected = both(
        "four files that build and say what they meant: one word or sign changed in each",
        "4件ともモデルを作れて、元の意図どおりのファイル（変えるのは1件につき1か所）",
    )
    for name, broken in files.items():
        text = fixed.get(name, "")
        meant = broken.replace(*FILES[name][1])
        try:
            same_lines = commands_of(text) == commands_of(meant)
        except ModelfileError as error:
            first = [error.text(lang).splitlines() for lang in ("en", "ja")]
            saw = both(f"{name}: {' '.join(first[0][:2])}", f"{name}: {' '.join(first[1][:2])}")
            return wrong("not-changed" if text == broken else "", saw, expected)
        if same_lines:
            continue
        lines, wanted = text.strip().splitlines(), meant.strip().splitlines()
        saw = both(
            f"{name} has {len(lines)} lines, it had {len(wanted)}",
            f"{name} は{len(lines)}行、元は{len(wanted)}行",
        )
        if len(lines) < len(wanted):
            return wrong("deletes-the-line", saw, expected)
        if any(line.startswith("#") for line in lines):
            return wrong("comments-it-out", saw, expected)
        return wrong("", saw, expected)
    return right(both("4 files build", "4件とも作成できる"))


Q1 = Task(
    key="q1",
    title=both("four broken files", "壊れた4件のファイル"),
    takes=("fixed",),
    make=make_files,
    judge=judge_files,
    wrong=(
        Wrong(
            "deletes-the-line",
            both("the line deleted instead of mended", "行を直さずに消している"),
            both(
                "The file builds now, and the setting is gone. The message names the place; change "
                "one word there.",
                "作成はできますが、設定がなくなりました。メッセージが場所を示しています。そこの1語を変えます。",
            ),
        ),
        Wrong(
            "comments-it-out",
            both("the line made a comment", "行をコメントにしている"),
            both(
                "A comment is read by people only; the model does not get the setting.",
                "コメントを読むのは人だけです。設定はモデルに届きません。",
            ),
        ),
        Wrong(
            "not-changed",
            both("the file is as it was", "ファイルが元のまま"),
            both(
                "`replace` gives a new text and leaves the old one. Keep what it gives.",
                "`replace` は新しい文章を返し、元の文章は変えません。返り値を使ってください。",
            ),
        ),
    ),
    hints=(
        both(
            "The check says which file and what is wrong with it. Which word is that?",
            "どのファイルのどこが問題か、自動チェックが示しています。それはどの語でしょうか。",
        ),
        both(
            "An instruction is one word of capitals, a parameter is `PARAMETER name value`, with "
            "spaces between.",
            "命令は大文字の1語です。パラメータは `PARAMETER 名前 値` で、間は空白です。",
        ),
        both(
            'a: "=" becomes " "; b: SYSTM becomes SYSTEM; c: FORM becomes FROM; d: temprature '
            "becomes ____.",
            "aは「=」を空白に、bはSYSTMをSYSTEMに、cはFORMをFROMに、dはtempratureを ____ にします。",
        ),
    ),
)

# --- q2: an acceptance test ----------------------------------------------------------------------


def twenty(tokens: list[int], right_ones: int, cut: int = 0) -> list[dict[str, Any]]:
    """Twenty replies as an acceptance test sees them: made for the check, no model wrote them."""
    return [
        {
            "eval_count": tokens[i % len(tokens)],
            "right": i < right_ones,
            "done_reason": "length" if i < cut else "stop",
        }
        for i in range(20)
    ]


# id of the case → (what learners read of it, replies, may the model pass?)
CASES = {
    "good": (
        both("median 11, 19 right, none cut", "中央値11、正解19件、途中で切れた回答なし"),
        twenty([9, 11, 12], 19),
        True,
    ),
    "edge": (
        both("median exactly 12, exactly 18 right", "中央値がちょうど12、正解がちょうど18件"),
        twenty([12], 18),
        True,
    ),
    "long": (
        both("median 20, all right", "中央値20、全問正解"),
        twenty([15, 20, 30], 20),
        False,
    ),
    "wrong": (
        both("median 5, only 17 right", "中央値5、正解は17件だけ"),
        twenty([5], 17),
        False,
    ),
    "cut": (
        both("median 12, all right, 6 answers cut", "中央値12、全問正解、6件は途中で切れた回答"),
        twenty([12], 20, cut=6),
        False,
    ),
    "one-long": (
        both(
            "median 8, all right, one answer in five very long",
            "中央値8、全問正解、5件に1件は非常に長い回答",
        ),
        twenty([8, 8, 8, 8, 60], 20),
        True,
    ),
}


def judge_accept(data: Any, accept: Any) -> Judgement:
    missed = {
        key: title
        for key, (title, replies, want) in CASES.items()
        if bool(call(accept, replies)) != want
    }
    expected = both(
        "True for median 12 or less, 18 of 20 right or more, and no answer cut; else False",
        "中央値12以下、20件中18件以上が正解、途中で切れた回答がない場合にTrue。ほかはFalse",
    )
    if not missed:
        return right(both("6 of 6 cases", "6件中6件"))
    saw = both(
        f"another verdict than expected for: {'; '.join(t['en'] for t in missed.values())}",
        f"判定が違った場合: {'、'.join('「' + t['ja'] + '」' for t in missed.values())}",
    )
    for key, name in (
        ("cut", "cuts-are-short"), ("one-long", "mean-for-median"), ("edge", "limit-left-out"),
    ):  # fmt: skip
        if key in missed:
            return wrong(name, saw, expected)
    return wrong("", saw, expected)


Q2 = Task(
    key="q2",
    title=both("is `terse` good enough?", "`terse` は合格か"),
    takes=("accept",),
    judge=judge_accept,
    wrong=(
        Wrong(
            "cuts-are-short",
            both(
                "answers that were cut count as short", "途中で切れた回答を短い回答とみなしている"
            ),
            both(
                "`num_predict` makes every answer short by stopping in mid-sentence. `done_reason` "
                "says so: length instead of stop.",
                "`num_predict` を使うと、文の途中で止めるので回答は必ず短くなります。"
                "`done_reason` がstopでなくlengthになることでわかります。",
            ),
        ),
        Wrong(
            "mean-for-median",
            both("the mean taken for the median", "中央値ではなく平均を使っている"),
            both(
                "A few long answers move the mean. The median is the middle of the sorted counts.",
                "長い回答が少しあるだけで平均は動きます。中央値は、並べたときの真ん中の値です。",
            ),
        ),
        Wrong(
            "limit-left-out",
            both("the limit itself refused", "境界の値を不合格にしている"),
            both(
                "'At most 12' holds for 12, 'at least 18' for 18.",
                "「12以下」は12を、「18以上」は18を含みます。",
            ),
        ),
    ),
    hints=(
        both(
            "Three keys of a reply are needed: `eval_count`, `right`, `done_reason`.",
            "使うキーは三つです: `eval_count`、`right`、`done_reason`",
        ),
        both(
            "Three conditions joined by `and`: the median of the counts, how many are right, and "
            "all of them ended with stop.",
            "三つの条件を `and` でつなぎます。個数の中央値、正解の数、全部がstopで終わったこと。",
        ),
        both(
            'median(counts) <= 12 and right >= 18 and all(r["done_reason"] == ____ for r in '
            "replies): a cut answer says length there.",
            'median(counts) <= 12 and right >= 18 and all(r["done_reason"] == ____ for r in '
            "replies) です。途中で切れた回答では、ここがlengthになります。",
        ),
    ),
)

# --- q3: fortunes --------------------------------------------------------------------------------

# the odds that mame is trained on (SYLLABUS, M10), in the order of their frequency
ODDS = {"吉": 0.30, "大吉": 0.20, "中吉": 0.15, "小吉": 0.15, "末吉": 0.12, "凶": 0.08}
DRAWS, LOW, HIGH = 300, 1.5, 2.0


def odds_at(temperature: float, top_k: int) -> dict[str, float]:
    """The odds after the k likeliest are kept and sharpened or flattened."""
    if temperature <= 0:
        return {"吉": 1.0}
    kept = dict(list(ODDS.items())[: top_k or len(ODDS)])
    sharp = {name: p ** (1 / temperature) for name, p in kept.items()}
    return {name: p / sum(sharp.values()) for name, p in sharp.items()}


def entropy(counts: list[int]) -> float:
    """Bits of a spread of counts; zeros add nothing."""
    return -sum(n / sum(counts) * log2(n / sum(counts)) for n in counts if n)


def make_odds(rng: random.Random, lang: str) -> dict[str, Any]:
    return {"odds": dict(ODDS), "draw_seed": rng.randrange(10**6)}


def judge_fortune(data: dict[str, Any], settings: dict[str, Any]) -> Judgement:
    temperature, top_k = float(settings["temperature"]), int(settings.get("top_k", 0))
    odds = odds_at(temperature, top_k)
    drawn = random.Random(data["draw_seed"]).choices(list(odds), list(odds.values()), k=DRAWS)
    bits = entropy([drawn.count(name) for name in odds])
    saw = both(f"{bits:.2f} bits in {DRAWS} draws", f"{DRAWS}回で{bits:.2f}ビット")
    expected = both(f"between {LOW} and {HIGH} bits", f"{LOW}から{HIGH}ビット")
    if LOW <= bits <= HIGH:
        return right(saw)
    if top_k == 1 or temperature <= 0:
        return wrong("always-the-likeliest", saw, expected)
    if temperature > 1:
        return wrong("hotter-is-sharper", saw, expected)
    return wrong("", saw, expected)


Q3 = Task(
    key="q3",
    title=both("fortunes with a smaller spread", "ばらつきを抑えたおみくじ"),
    takes=("settings",),
    make=make_odds,
    judge=judge_fortune,
    wrong=(
        Wrong(
            "always-the-likeliest",
            both("only one fortune left", "いつも同じおみくじになる"),
            both(
                "`top_k` 1 and temperature 0 both take the likeliest each time: 0 bits, no "
                "surprise at all.",
                "`top_k` を1にしても温度を0にしても、毎回もっとも確からしいものを選びます。"
                "0ビット、つまりばらつきはまったくありません。",
            ),
        ),
        Wrong(
            "hotter-is-sharper",
            both("temperature turned the wrong way", "温度の向きが逆"),
            both(
                "Above 1 the odds become more equal, so the spread grows. Look at the three "
                "shapes of lesson 04.",
                "温度が1を超えると確率は均等に近づき、ばらつきが増えます。"
                "レッスン04の三つのグラフを見てください。",
            ),
        ),
    ),
    hints=(
        both(
            "Which way sharpens: temperature above or below 1? The cell above prints both.",
            "鋭くなるのは、温度を1より上げたときでしょうか、下げたときでしょうか。上のセルに両方あります。",
        ),
        both(
            "At 1.0 the spread is about 2.5 bits, at 0.2 about 0.9 bits. Where is 1.75?",
            "温度1.0では約2.5ビット、0.2では約0.9ビットです。1.75はどのあたりでしょうか。",
        ),
        both(
            'settings = {"temperature": 0.3____, "top_k": 6}: one more digit, from the middle.',
            'settings = {"temperature": 0.3____, "top_k": 6} です。もう1桁は、真ん中あたりから選びます。',
        ),
    ),
)

# --- q4: a grandchild ----------------------------------------------------------------------------


def make_layers(rng: random.Random, lang: str) -> list[dict[str, Any]]:
    """Parameters of a model, its child and its grandchild, as three Modelfiles state them."""
    return [
        {"temperature": rng.randrange(5, 10) / 10, "stop": ["###", "END"], "top_k": 40},
        {"stop": ["。"], "num_predict": rng.randrange(40, 90)},
        {"temperature": rng.randrange(0, 4) / 10},
    ]


def joined_stops(layers: list[dict[str, Any]]) -> dict[str, Any]:
    stops = [stop for layer in layers for stop in layer.get("stop", [])]
    return {**layers[0], **layers[1], **layers[2], "stop": stops}


RULES: dict[str | None, Callable[[list[dict[str, Any]]], dict[str, Any]]] = {
    None: lambda layers: {**layers[0], **layers[1], **layers[2]},
    "joins-stop-lists": joined_stops,
    "parent-wins": lambda layers: {**layers[2], **layers[1], **layers[0]},
    "only-its-own": lambda layers: dict(layers[2]),
}


def judge_params(layers: list[dict[str, Any]], params: dict[str, Any]) -> Judgement:
    saw = same(shown(params))
    expected = both(
        "a dict with the four parameters that hold for the grandchild",
        "孫のモデルで有効な、四つのパラメータの辞書",
    )
    for name, rule in RULES.items():
        if params == rule(layers):
            return right(saw) if name is None else wrong(name, saw, expected)
    return wrong("", saw, expected)


Q4 = Task(
    key="q4",
    title=both("parameters of a grandchild", "孫のモデルのパラメータ"),
    takes=("params",),
    make=make_layers,
    judge=judge_params,
    wrong=(
        Wrong(
            "joins-stop-lists",
            both("stop lists joined", "stopのリストをつないでいる"),
            both(
                "`stop` is one key, though its value is a list: a child that names it replaces the "
                "whole list.",
                "`stop` の値はリストですが、キーとしては一つです。子が指定すると、リスト全体が置き換わります。",
            ),
        ),
        Wrong(
            "parent-wins",
            both("the parent's value kept", "親の値が優先されている"),
            both(
                "A Modelfile is written to change something: what stands in the child holds.",
                "Modelfileは変えるために書くものです。子に書いた値が有効になります。",
            ),
        ),
        Wrong(
            "only-its-own",
            both("nothing inherited", "何も受け継いでいない"),
            both(
                "FROM brings the parent's parameters along, key by key.",
                "FROMを書くと、親のパラメータがキーごとに受け継がれます。",
            ),
        ),
    ),
    hints=(
        both(
            "Which of the keys has a list as its value, and who names it last?",
            "値がリストのキーはどれでしょうか。最後に指定しているのは誰でしょうか。",
        ),
        both(
            "Key by key: the last one who names a key decides, also for `stop`.",
            "キーごとに、最後に指定したものが決まります。`stop` も同じです。",
        ),
        both(
            "{**layers[0], **layers[1], **____}: later ones replace earlier ones.",
            "{**layers[0], **layers[1], **____} です。後のものが前のものを置き換えます。",
        ),
    ),
)

TASKS = (Q1, Q2, Q3, Q4)
