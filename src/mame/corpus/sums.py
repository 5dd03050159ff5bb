"""Skill M2: sums in four bands of difficulty, as plain expressions and as word problems.

| band | what |
| --- | --- |
| 1 | one digit + - × one digit; all of them are trained |
| 2 | two digits + and -, two digits × one digit |
| 3 | three digits + and -; two steps with one or two digits |
| 4 | two steps with three digits; two digits × one digit, then + or - |

Numbers reach 999, no result is negative, and the result of a first step stays below 1000. The thought is the
written method, one column a line: every number it needs stands in the line before or in the last line without "=",
and all lines of a step are equally long. The answer is the number alone.

Held out in bands 2 to 4: one in eight expressions, the same for ever, and of the word problems the last template
of each kind and the nouns and names in `NEW_*`. It knows no tokenizer.
"""

# ruff: noqa: E501  a line of the corpus is one thing somebody may say

import random
import re

from mame.corpus import wording
from mame.corpus.sample import Sample, normalise

SKILL = "sums"
BANDS = (1, 2, 3, 4)
WEIGHTS = (3, 3, 3, 3)  # of the bands in a draw that names none
FORMS = ("plain", "word")
KINDS = {  # the operators of an expression, in order
    1: ("+", "-", "*"),
    2: ("+", "-", "*"),
    3: ("+", "-", "+", "-", "+-", "-+", "*+", "*-"),
    4: ("+-", "-+", "++", "--", "+-", "-+", "*+", "*-"),
}
FRAMES = {
    "en": (
        "{e}",
        "{e}=?",
        "{e} = ?",
        "{e}=",
        "What is {e}?",
        "what is {e}",
        "What's {e}?",
        "Compute {e}.",
        "Calculate {e}",
        "Calculate {e}.",
        "How much is {e}?",
        "Solve {e}.",
        "Please compute {e}.",
        "Tell me {e}.",
        "{e}, please.",
        "Work out {e}.",
        "What does {e} make?",
        "Can you calculate {e}?",
    ),
    "ja": (
        "{e}",
        "{e}=?",
        "{e}は？",
        "{e}は?",
        "{e}=？",
        "{e}はいくつですか？",
        "{e}を計算して",
        "{e}を計算してください。",
        "{e}の答えは？",
        "{e}はいくつ？",
        "{e}は何ですか？",
        "{e}の計算をお願いします。",
        "計算してください。{e}",
        "{e}を解いてください。",
        "{e}はいくらになりますか？",
        "計算: {e}",
    ),
}
NEW_FRAMES = {
    "en": ("Could you work out {e}?", "Give me the result of {e}."),
    "ja": ("{e}の結果を教えてください。", "{e}を計算するといくつになりますか？"),
}
SPOKEN = {
    "en": {"+": " plus ", "-": " minus ", "*": " times "},
    "ja": {"+": "足す", "-": "引く", "*": "掛ける"},
}
WRITTEN = {
    "+": ("+", "+", "+", " + ", "＋"),
    "-": ("-", "-", "-", " - ", "－"),
    "*": ("*", "×", "×", " × ", " * ", "x"),
}

# Word problems: {a} {b} {c} the numbers, {n} a noun, {k} its Japanese counter, {w} a person.
# The last template of each kind is held out.
WORD = {
    "en": {
        "+": (
            "{w} has {a} {n} and gets {b} more. How many {n} does {w} have?",
            "There are {a} {n} in the shop and {b} {n} in the store. How many are there?",
            "A box holds {a} {n}. {w} adds {b}. How many {n} are in it?",
            "{w} sold {a} {n} on Monday and {b} on Tuesday. How many in all?",
            "Hoshimame had {a} {n} and bought {b}. How many {n} are there now?",
            "{a} {n} came in the morning and {b} in the evening. How many {n} came?",
        ),
        "-": (
            "{w} has {a} {n} and gives away {b}. How many {n} are left?",
            "There are {a} {n} on the shelf. {w} takes {b}. How many are left?",
            "Hoshimame had {a} {n} and sold {b}. How many {n} are left?",
            "Of {a} {n}, {b} are broken. How many {n} are good?",
            "{w} needs {a} {n} and has {b}. How many are missing?",
            "{a} {n} were ordered and {b} have come. How many {n} are still to come?",
        ),
        "*": (
            "There are {a} {n} in each box. How many {n} are in {b} boxes?",
            "{w} packs {a} {n} a day. How many in {b} days?",
            "A shelf holds {a} {n}. How many {n} do {b} shelves hold?",
            "{b} shops order {a} {n} each. How many {n} is that?",
            "{w} buys {a} {n} every week. How many {n} in {b} weeks?",
            "Each of {b} carts carries {a} {n}. How many {n} in all?",
        ),
        "+-": (
            "{w} has {a} {n}, gets {b} and gives away {c}. How many {n} are left?",
            "Hoshimame had {a} {n}, bought {b} and sold {c}. How many are left?",
            "{a} {n} are on the shelf, {b} come and {c} go. How many are there?",
            "A room has {a} {n}. {b} are brought in and {c} taken out. How many {n} are there?",
        ),
        "-+": (
            "{w} had {a} {n}, sold {b} and bought {c}. How many {n} does {w} have?",
            "Of {a} {n}, {b} were used; then {c} came. How many are there?",
            "The shop had {a} {n}. {b} were sold and {c} came in. How many {n} now?",
            "From {a} {n}, {w} takes {b} away and puts {c} back. How many are there?",
        ),
        "++": (
            "{w} sold {a} {n} on Monday, {b} on Tuesday and {c} on Friday. How many in all?",
            "Three boxes hold {a}, {b} and {c} {n}. How many {n} in all?",
            "Three shops have {a}, {b} and {c} {n}. How many {n} is that?",
        ),
        "--": (
            "{w} had {a} {n}, sold {b} and gave away {c}. How many are left?",
            "Of {a} {n}, {b} go to Osaka and {c} to Kyoto. How many are left?",
            "{a} {n} were here; {b} left in the morning and {c} at noon. How many remain?",
        ),
        "*+": (
            "{b} boxes hold {a} {n} each, and there are {c} more. How many {n} in all?",
            "{w} packs {a} {n} a day for {b} days, then {c} more. How many in all?",
            "{b} shops order {a} {n} each and one orders {c}. How many {n} is that?",
        ),
        "*-": (
            "{b} boxes hold {a} {n} each. {c} are sold. How many {n} are left?",
            "{w} buys {a} {n} a day for {b} days and uses {c}. How many are left?",
            "{b} shelves hold {a} {n} each. {w} takes {c}. How many are left?",
        ),
    },
    "ja": {
        "+": (
            "{w}は{n}を{a}{k}持っています。{b}{k}もらうと何{k}ですか？",
            "店に{n}が{a}{k}、倉庫に{b}{k}あります。全部で何{k}ですか？",
            "箱に{n}が{a}{k}あります。{b}{k}入れると何{k}になりますか？",
            "{n}が月曜日に{a}{k}、火曜日に{b}{k}売れました。合わせて何{k}ですか？",
            "ほしまめ商会は{n}を{a}{k}持っていて、{b}{k}買いました。全部で何{k}ですか？",
            "朝に{n}が{a}{k}、夕方に{b}{k}届きました。合計で何{k}ですか？",
        ),
        "-": (
            "{w}は{n}を{a}{k}持っています。{b}{k}あげると残りは何{k}ですか？",
            "棚に{n}が{a}{k}あります。{b}{k}取ると残りは何{k}ですか？",
            "ほしまめ商会は{n}{a}{k}のうち{b}{k}を売りました。残りは何{k}ですか？",
            "{n}{a}{k}のうち{b}{k}が不良品です。良品は何{k}ですか？",
            "{n}が{a}{k}必要で、{b}{k}あります。あと何{k}必要ですか？",
            "{n}を{a}{k}注文して{b}{k}届きました。まだ届かないのは何{k}ですか？",
        ),
        "*": (
            "1箱に{n}が{a}{k}入っています。{b}箱では何{k}ですか？",
            "{w}は1日に{n}を{a}{k}詰めます。{b}日では何{k}ですか？",
            "1つの棚に{n}が{a}{k}あります。{b}つの棚では何{k}ですか？",
            "{b}店が{n}を{a}{k}ずつ注文しました。全部で何{k}ですか？",
            "{w}は毎週{n}を{a}{k}買います。{b}週間で何{k}ですか？",
            "台車1台に{n}を{a}{k}載せます。{b}台では何{k}ですか？",
        ),
        "+-": (
            "{w}は{n}を{a}{k}持っていて、{b}{k}もらい、{c}{k}あげました。残りは何{k}ですか？",
            "ほしまめ商会は{n}が{a}{k}あり、{b}{k}買い、{c}{k}売りました。残りは何{k}ですか？",
            "棚に{n}が{a}{k}あり、{b}{k}入れて{c}{k}出しました。今は何{k}ですか？",
            "部屋に{n}が{a}{k}あります。{b}{k}運び入れ、{c}{k}運び出すと何{k}ですか？",
        ),
        "-+": (
            "{w}は{n}{a}{k}のうち{b}{k}を売り、{c}{k}買いました。今は何{k}ですか？",
            "{n}{a}{k}から{b}{k}使い、そのあと{c}{k}届きました。何{k}ありますか？",
            "店に{n}が{a}{k}ありました。{b}{k}売れて{c}{k}入りました。今は何{k}ですか？",
            "{n}{a}{k}から{b}{k}取り、{c}{k}戻しました。何{k}ありますか？",
        ),
        "++": (
            "{n}が月曜日に{a}{k}、火曜日に{b}{k}、金曜日に{c}{k}売れました。合わせて何{k}ですか？",
            "3つの箱に{n}が{a}{k}、{b}{k}、{c}{k}あります。全部で何{k}ですか？",
            "3つの店に{n}が{a}{k}、{b}{k}、{c}{k}あります。合計で何{k}ですか？",
        ),
        "--": (
            "{w}は{n}{a}{k}のうち{b}{k}を売り、{c}{k}をあげました。残りは何{k}ですか？",
            "{n}{a}{k}のうち{b}{k}を大阪に、{c}{k}を京都に送りました。残りは何{k}ですか？",
            "{n}が{a}{k}あり、朝に{b}{k}、昼に{c}{k}出荷しました。残りは何{k}ですか？",
        ),
        "*+": (
            "{n}が{a}{k}入った箱が{b}箱と、ほかに{c}{k}あります。全部で何{k}ですか？",
            "{w}は{n}を1日{a}{k}ずつ{b}日詰め、さらに{c}{k}詰めました。合計で何{k}ですか？",
            "{b}店が{n}を{a}{k}ずつ、1店が{c}{k}注文しました。全部で何{k}ですか？",
        ),
        "*-": (
            "{n}が{a}{k}入った箱が{b}箱あり、{c}{k}売れました。残りは何{k}ですか？",
            "{w}は{n}を1日{a}{k}ずつ{b}日買い、{c}{k}使いました。残りは何{k}ですか？",
            "{n}が{a}{k}ある棚が{b}つあります。{c}{k}取ると残りは何{k}ですか？",
        ),
    },
}
NOUNS = {  # Japanese: noun and counter
    "en": (
        "beans",
        "bags of azuki",
        "bags of soybeans",
        "black beans",
        "bean cakes",
        "cups",
        "plates",
        "pencils",
        "books",
        "stamps",
        "apples",
        "boxes of tea",
        "cookies",
        "notebooks",
        "chairs",
        "bottles",
    ),
    "ja": (
        "豆菓子 個",
        "小豆 袋",
        "大豆 袋",
        "黒豆 袋",
        "まんじゅう 個",
        "コップ 個",
        "皿 枚",
        "鉛筆 本",
        "本 冊",
        "切手 枚",
        "りんご 個",
        "お茶 箱",
        "クッキー 枚",
        "ノート 冊",
        "封筒 枚",
        "瓶 本",
    ),
}
NEW_NOUNS = {
    "en": ("lentils", "sacks of cocoa", "umbrellas", "candles", "tickets"),
    "ja": ("えんどう豆 袋", "ようかん 本", "傘 本", "ろうそく 本", "チケット 枚"),
}
NAMES = {
    "en": ("Aoi", "Mame", "Ken", "Yui", "Tom", "Anna", "Sora", "Mika", "Ben", "Emma"),
    "ja": ("葵さん", "まめ", "健さん", "結衣さん", "佐藤さん", "鈴木さん", "空さん", "店長"),
}
NEW_NAMES = {"en": ("Haruto", "Olga", "Rin"), "ja": ("陽斗さん", "渡辺さん", "凛さん")}


# 1) The written method


def split_expression(expression: str) -> tuple[list[int], str]:
    """'347+285-29' → ([347, 285, 29], '+-')"""
    return [int(d) for d in re.findall(r"\d+", expression)], "".join(
        re.findall(r"[-+*]", expression)
    )


def evaluate(expression: str) -> int:
    """From left to right; a product may only stand first: '128-45+370' → 453, '47*6+12' → 294"""
    (result, *others), ops = split_expression(expression)
    for op, number in zip(ops, others, strict=True):
        result = value(result, number, op)
    return result


def value(a: int, b: int, op: str) -> int:
    return a + b if op == "+" else a - b if op == "-" else a * b


def think(expression: str) -> str:
    """One step after the other, each column by column from the right.

    >>> print(think("347+85"))
    347+085
    7+5+0=12
    4+8+1=13
    3+0+1=04
    432
    >>> print(think("43-17+5"))
    43-17+5
    43-17
    3-7-0+10=06
    4-1-1+00=02
    26+05
    6+5+0=11
    2+0+1=03
    31
    >>> print(think("47*6"))
    47*6
    7*6+0=42
    4*6+4=28
    282
    """
    (result, *others), ops = split_expression(expression)
    lines = [expression] if len(ops) > 1 else []
    for op, number in zip(ops, others, strict=True):
        lines += columns(result, number, op)
        result = value(result, number, op)
    return "\n".join([*lines, str(result)])


def columns(a: int, b: int, op: str) -> list[str]:
    """The step itself, equally long numbers, then one line a column; what is carried is always written.

    A column ends in two digits: the right one belongs to the result, the left one is carried.
    A difference adds ten where it must, and the next column pays for it.
    """
    if op == "*":
        lines, carry = [f"{a}*{b}"], 0
        for x in digits(a, len(str(a))):
            total = x * b + carry
            lines.append(f"{x}*{b}+{carry}={total:02}")
            carry = total // 10
        return lines
    width = max(len(str(a)), len(str(b)))
    lines, carry = [f"{a:0{width}}{op}{b:0{width}}"], 0
    for x, y in zip(digits(a, width), digits(b, width), strict=True):
        if op == "+":
            lines.append(f"{x}+{y}+{carry}={x + y + carry:02}")
            carry = (x + y + carry) // 10
        else:
            lend = 10 if x < y + carry else 0
            lines.append(f"{x}-{y}-{carry}+{lend:02}={x - y - carry + lend:02}")
            carry = lend // 10
    return lines


def digits(number: int, width: int) -> list[int]:
    """From the right: (85, 3) → [5, 8, 0]"""
    return [number // 10**i % 10 for i in range(width)]


_EXPRESSION = re.compile(r"\d{1,4}[-+*]\d{1,4}(?:[-+]\d{1,4})?")


def first_error(thought: str) -> int | None:
    """The index of the first line that does not follow from the expression in line 0; None: there is no such line.

    >>> first_error("7+5\\n7+5+0=13\\n13")
    1
    """
    lines = thought.strip().split("\n")
    if not _EXPRESSION.fullmatch(lines[0]):
        return 0
    right = think(lines[0]).split("\n")
    for i, line in enumerate(lines):
        if i >= len(right) or line != right[i]:
            return i
    return None if len(lines) == len(right) else len(lines)


def is_sound(thought: str) -> bool:
    """Every line follows from the first, down to the result. Whether the first is the right question, it cannot know."""
    return first_error(thought) is None


# 2) Which numbers


def draw_expression(r: random.Random, band: int, new: bool) -> str:
    while True:
        kind = r.choice(KINDS[band])
        expression = "".join(
            part
            for pair in zip(draw_numbers(r, band, kind), (*kind, ""), strict=True)
            for part in pair
        )
        if is_allowed(expression) and (band == 1 or is_held_out(expression) == new):
            return expression


def draw_numbers(r: random.Random, band: int, kind: str) -> list[str]:
    def number(*lengths: int) -> str:
        length = r.choice(lengths)
        return str(r.randint(10 ** (length - 1) if length > 1 else 0, 10**length - 1))

    match band, kind[0]:
        case 1, _:
            return [number(1), number(1)]
        case 2, "*":
            return [number(2), number(1)]
        case 2, _:
            return [number(2), number(2, 2, 2, 1)]
        case 3, "*":
            return [number(1), number(1), number(1, 2, 2)]
        case 3, _:
            if len(kind) == 1:
                return [number(3), number(3, 3, 2)]
            return [number(2), number(1, 2, 2), number(1, 2, 2)]
        case _, "*":
            return [number(2), number(1), number(2, 3)]
        case _:
            return [number(3), number(3, 3, 2), number(3, 2)]


def is_allowed(expression: str) -> bool:
    """Nothing below zero on the way, and a first result that is still below 1000."""
    (first, *others), ops = split_expression(expression)
    so_far = value(first, others[0], ops[0])
    if so_far < 0 or (len(ops) > 1 and so_far > 999):
        return False
    return evaluate(expression) >= 0


def is_held_out(expression: str) -> bool:
    return not re.fullmatch(r"\d[-+*]\d", expression) and wording.is_held_out("sums", expression)


# 3) How it is asked


def ask_plainly(r: random.Random, lang: str, expression: str, frames: tuple[str, ...]) -> str:
    numbers, ops = split_expression(expression)
    roll, spaced = r.random(), r.random() < 0.15
    parts = [str(numbers[0])]
    for op, number in zip(ops, numbers[1:], strict=True):
        if roll < 0.12:
            sign = SPOKEN[lang][op]
        elif len(ops) > 1:  # one hand throughout
            sign = f" {op} " if spaced else op
        else:
            sign = r.choice(WRITTEN[op])
        parts += [sign, str(number)]
    text = "".join(parts)
    if len(ops) > 1 and "*" in text and r.random() < 0.6:
        text = text.replace("*", "×")
    return r.choice(frames).format(e=text)


def ask_in_words(r: random.Random, lang: str, expression: str, new: bool) -> str:
    """new: in half of the draws the template is one that is held out, otherwise the nouns and names are."""
    numbers, ops = split_expression(expression)
    templates = WORD[lang][ops]
    unseen_template = new and r.random() < 0.5
    template = templates[-1] if unseen_template else r.choice(templates[:-1])
    unseen_nouns = new and not unseen_template
    noun, _, counter = r.choice((NEW_NOUNS if unseen_nouns else NOUNS)[lang]).partition(
        " " if lang == "ja" else "\0"
    )
    return template.format(
        **dict(zip("abc", numbers, strict=False)),
        n=noun,
        k=counter,
        w=r.choice((NEW_NAMES if unseen_nouns else NAMES)[lang]),
    )


def draw(
    r: random.Random, lang: str, new: bool = False, band: int | None = None, form: str | None = None
) -> Sample:
    """band: 1 to 4, form: "plain" or "word"; drawn where not said. `key` is band and expression: '3:347+285'."""
    band = band or r.choices(BANDS, weights=WEIGHTS)[0]
    form = form or r.choices(FORMS, weights=(6, 4))[0]
    while True:
        expression = draw_expression(r, band, new)
        numbers, _ = split_expression(expression)
        if form == "plain" or min(numbers) >= 2:  # no "1 apples"
            break
    if form == "word":
        question = ask_in_words(r, lang, expression, new)
    else:
        frames = (*FRAMES[lang], *NEW_FRAMES[lang] * 4) if new else FRAMES[lang]
        question = ask_plainly(r, lang, expression, frames)
    return Sample(
        SKILL,
        lang,
        question,
        str(evaluate(expression)),
        key=f"{band}:{expression}",
        thought=think(expression),
        copied=tuple(map(str, numbers)),
    )


def is_right(sample: Sample, answer: str) -> bool:
    """The number, and nothing but the number."""
    return normalise(answer) == sample.answer
