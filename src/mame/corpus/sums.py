"""Skill M2, its easy band: sums and differences of numbers up to 99, products of two digits.

With thinking on, the thought works digit by digit; every line of it can be checked by `is_sound`.
Held out: one in eight pairs of numbers, the same for ever.
"""

import random
import re

from mame.corpus import wording
from mame.corpus.sample import Sample, normalise

SKILL = "sums"
FRAMES = {
    "en": (
        "{e}",
        "{e}=?",
        "{e} = ?",
        "{e}=",
        "What is {e}?",
        "what is {e}",
        "Compute {e}.",
        "Calculate {e}",
        "How much is {e}?",
        "Solve {e}.",
    ),
    "ja": (
        "{e}は？",
        "{e}は?",
        "{e}はいくつですか？",
        "{e}を計算して",
        "{e}を計算してください。",
        "{e}の答えは？",
        "{e}はいくつ？",
    ),
}
SPOKEN = {
    "en": {"+": "plus", "-": "minus", "*": "times"},
    "ja": {"+": "足す", "-": "引く", "*": "掛ける"},
}
WRITTEN = {
    "+": ("+", "+", " + ", "＋"),
    "-": ("-", "-", " - ", "－"),
    "*": ("*", "×", " × ", " * ", "x"),
}


def think(a: int, b: int, op: str) -> str:
    """The written method, last digit first.

    >>> think(27, 15, "+")
    '7+5=12; 2+1+1=4; 42'
    >>> think(42, 17, "-")
    '12-7=5; 4-1-1=2; 25'
    """
    steps, carry = [], 0
    if op == "*":
        steps.append(f"{a}*{b}={a * b}")
    for i in range(0 if op == "*" else max(len(str(a)), len(str(b)))):
        x, y = a // 10**i % 10, b // 10**i % 10
        if op == "+":
            total = x + y + carry
            steps.append(f"{x}+{y}{f'+{carry}' if carry else ''}={total}")
            carry = total // 10
        else:
            lend = 10 if x < y + carry else 0
            steps.append(f"{x + lend}-{y}{f'-{carry}' if carry else ''}={x + lend - y - carry}")
            carry = 1 if lend else 0
    return "; ".join([*steps, str(value(a, b, op))])


def value(a: int, b: int, op: str) -> int:
    return a + b if op == "+" else a - b if op == "-" else a * b


def is_sound(thought: str) -> bool:
    """Every step of a thought is an equation that holds."""
    steps = [s.strip() for s in thought.replace("\n", ";").split(";") if s.strip()]
    if not steps or not steps[-1].isdigit():
        return False
    return all(
        re.fullmatch(r"\d+(?:[-+*]\d+)+=\d+", s)
        and evaluate(s.split("=")[0]) == int(s.split("=")[1])
        for s in steps[:-1]
    )


def evaluate(expression: str) -> int:
    """'12-7-1' → 4; one product, or sums and differences from left to right"""
    if "*" in expression:
        a, b = expression.split("*")
        return int(a) * int(b)
    return sum(int(term) for term in re.findall(r"[-+]?\d+", expression))


def draw_numbers(r: random.Random, new: bool) -> tuple[int, int, str]:
    while True:
        op = r.choices("+-*", weights=(4, 3, 3))[0]
        top = 9 if op == "*" or r.random() < 0.3 else 99
        a, b = r.randint(0, top), r.randint(0, top)
        if op == "-" and a < b:
            a, b = b, a
        if top == 9:  # so few that all are trained
            if not new:
                return a, b, op
        elif wording.is_held_out(str(a), op, str(b)) == new:
            return a, b, op


def draw(r: random.Random, lang: str, new: bool = False) -> Sample:
    a, b, op = draw_numbers(r, new)
    sign = f" {SPOKEN['en'][op]} " if lang == "en" and r.random() < 0.15 else r.choice(WRITTEN[op])
    if lang == "ja" and r.random() < 0.15:
        sign = SPOKEN["ja"][op]
    question = r.choice(FRAMES[lang]).format(e=f"{a}{sign}{b}")
    return Sample(
        SKILL, lang, question, str(value(a, b, op)), key=f"{a}{op}{b}", thought=think(a, b, op)
    )


def is_right(sample: Sample, answer: str) -> bool:
    return normalise(answer) == sample.answer
