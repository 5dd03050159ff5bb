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

Held out in bands 2 to 4: one in eight expressions, the same for ever; everywhere the nouns and names in `NEW_*`,
and the last sentence of each kind of word problem. It knows no tokenizer.
"""

# ruff: noqa: E501  a line of the corpus is one thing somebody may say

import random
import re

from mame.corpus import wording
from mame.corpus.facts import split
from mame.corpus.sample import Sample, normalise
from mame.corpus.word_problems import WORD

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

NOUNS = {  # Japanese: noun and counter
    "en": split(
        "beans|bags of azuki|bags of soybeans|black beans|bean cakes|cups|plates|pencils|books|stamps|apples|tins of tea|"
        "cookies|notebooks|chairs|bottles|bags of rice|boxes|baskets|bowls|spoons|forks|knives|pots|"
        "pans|kettles|lamps|bulbs|cables|batteries|keyboards|mice|screens|printers|phones|clocks|"
        "watches|keys|locks|doors|windows|shelves|desks|tables|stools|rugs|towels|blankets|"
        "pillows|shirts|hats|scarves|gloves|shoes|boots|socks|buttons|needles|ribbons|balls|"
        "bats|rackets|dolls|kites|marbles|cards|coins|medals|posters|maps|letters|parcels|"
        "envelopes|folders|pens|brushes|crayons|erasers|rulers|magazines|comics|photos|pictures|records|"
        "drums|flutes|eggs|loaves of bread|cakes|pies|muffins|sandwiches|bags of flour|bags of sugar|packets of salt|jars of honey|"
        "jars of jam|cans of paint|cans of soup|cartons of milk|boxes of cocoa|sacks of rice|sacks of potatoes|potatoes|onions|carrots|tomatoes|peppers|"
        "melons|lemons|oranges|peaches|pears|plums|cherries|nuts|seeds|bulbs of garlic|roses|tulips|"
        "plants|trees|ducks|fish|bricks|tiles|planks|nails|screws|pipes|tyres|wheels|"
        "bicycles|tents|ropes|flags|signs|balloons|candies|biscuits|rice crackers|chickpeas|peas|sesame balls|"
        "raincoats|torches|tokens|forms"
    ),
    "ja": split(
        "豆菓子 個|小豆 袋|大豆 袋|黒豆 袋|まんじゅう 個|コップ 個|皿 枚|鉛筆 本|本 冊|切手 枚|りんご 個|お茶 缶|"
        "クッキー 枚|ノート 冊|封筒 枚|瓶 本|米 袋|小麦粉 袋|砂糖 袋|塩 袋|パン 個|ケーキ 個|パイ 個|プリン 個|"
        "ゼリー 個|せんべい 枚|あめ 個|チョコレート 枚|ガム 枚|牛乳 本|ジュース 本|ジャム 瓶|はちみつ 瓶|缶詰 缶|卵 個|じゃがいも 個|"
        "玉ねぎ 個|にんじん 本|大根 本|きゅうり 本|トマト 個|なす 本|キャベツ 個|レモン 個|みかん 個|もも 個|なし 個|すいか 個|"
        "バナナ 本|くり 個|くるみ 個|茶わん 個|どんぶり 個|スプーン 本|フォーク 本|はし 本|なべ 個|やかん 個|バケツ 個|かご 個|"
        "段ボール 枚|ふくろ 枚|タオル 枚|毛布 枚|座布団 枚|シャツ 枚|帽子 個|手袋 枚|ボタン 個|リボン 本|糸 本|針 本|"
        "ボール 個|バット 本|ラケット 本|こま 個|たこ 枚|カード 枚|メダル 枚|コイン 枚|ポスター 枚|地図 枚|はがき 枚|手紙 通|"
        "小包 個|ペン 本|筆 本|消しゴム 個|定規 本|絵本 冊|雑誌 冊|辞書 冊|教科書 冊|写真 枚|絵 枚|電池 本|"
        "電球 個|ランプ 個|時計 個|鍵 本|机 台|パソコン 台|電話 台|自転車 台|台車 台|タイヤ 本|れんが 個|タイル 枚|"
        "板 枚|くぎ 本|ねじ 本|ひも 本|ロープ 本|旗 本|看板 枚|風船 個|花 本|苗 本|球根 個|植木鉢 個|"
        "魚 匹|めだか 匹|にわとり 羽|申込書 枚|書類 枚|名札 枚|札 枚"
    ),
}
NEW_NOUNS = {
    "en": ("lentils", "sacks of cocoa", "umbrellas", "candles", "tickets"),
    "ja": ("えんどう豆 袋", "ようかん 本", "傘 本", "ろうそく 本", "チケット 枚"),
}
NAMES = {
    "en": split(
        "Aoi|Mame|Ken|Yui|Tom|Anna|Sora|Mika|Ben|Emma|Jun|Emi|Taro|Hana|Leo|Nina|Paul|Rosa|Sam|Tina|Hugo|Ida|Kate|Max|Eva|Noah"
    ),
    "ja": split(
        "葵さん|まめ|健さん|結衣さん|佐藤さん|鈴木さん|空さん|店長|純さん|恵美さん|太郎さん|花さん|高橋さん|伊藤さん|山本さん|中村さん|小林さん|加藤さん|先生|母|妹|友だち"
    ),
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


def ask_in_words(
    r: random.Random, lang: str, expression: str, new: bool, unseen_sentence: bool = False
) -> str:
    """new: nouns and names are held-out ones; unseen_sentence: the sentence is."""
    numbers, ops = split_expression(expression)
    *trained, held_out = WORD[lang][ops]
    noun, _, counter = r.choice((NEW_NOUNS if new else NOUNS)[lang]).partition(
        " " if lang == "ja" else "\0"
    )
    return (held_out if unseen_sentence else r.choice(trained)).format(
        **dict(zip("abc", numbers, strict=False)),
        n=noun,
        k=counter,
        w=r.choice((NEW_NAMES if new else NAMES)[lang]),
    )


def draw(
    r: random.Random,
    lang: str,
    new: bool = False,
    band: int | None = None,
    form: str | None = None,
    unseen_sentence: bool = False,
) -> Sample:
    """band: 1 to 4, form: "plain" or "word"; drawn where not said. `key` is band and expression: '3:347+285'.

    unseen_sentence: a word problem, also in its wording never seen.
    """
    band = band or r.choices(BANDS, weights=WEIGHTS)[0]
    form = "word" if unseen_sentence else form or r.choices(FORMS, weights=(5, 5))[0]
    while True:
        expression = draw_expression(r, band, new)
        numbers, _ = split_expression(expression)
        if form == "plain" or (
            min(numbers) >= 2 and evaluate(expression)
        ):  # no "1 apples", no none
            break
    if form == "word":
        question = ask_in_words(r, lang, expression, new, unseen_sentence)
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
