"""Do two halves name the same numbers, across 5,000,000, "5 million", "five million" and 500万?

A number in digits on one side must stand on the other side, in digits or as a word.
"""

from __future__ import annotations

import re
from decimal import Decimal

from tools.prose import masked

DIGITS = r"[0-9]+(?:[,_][0-9]{3})*(?:\.[0-9]+)?"
EN_SCALE = {
    "hundred": 10**2,
    "thousand": 10**3,
    "million": 10**6,
    "billion": 10**9,
    "trillion": 10**12,
}
JA_SCALE = {"百": 10**2, "千": 10**3, "万": 10**4, "億": 10**8, "兆": 10**12}
EN_WORDS = [
    "zero no none nothing", "one a an single once first each every",
    "two twice second both pair double", "three third thrice", "four fourth", "five fifth",
    "six sixth", "seven seventh", "eight eighth", "nine ninth", "ten tenth", "eleven",
    "twelve dozen",
]  # fmt: skip
MONTHS = (
    "january february march april may june july august september october november december".split()
)
EN_VALUE = {word: value for value, words in enumerate(EN_WORDS) for word in words.split()} | {
    month: value for value, month in enumerate(MONTHS, 1)
}
JA_VALUE = {"無": 0, "零": 0} | {
    kanji: value for value, kanji in enumerate("一二三四五六七八九十", 1)
}

EN_NUMBER = re.compile(rf"({DIGITS})(?:\s+({'|'.join(EN_SCALE)})\b)?", re.I)
EN_WORD = re.compile(rf"\b({'|'.join(EN_VALUE)})\b(?:\s+({'|'.join(EN_SCALE)})\b)?", re.I)
JA_NUMBER = re.compile(rf"(?:{DIGITS}[{''.join(JA_SCALE)}]?)+")
JA_PART = re.compile(rf"({DIGITS})([{''.join(JA_SCALE)}]?)")
JA_WORD = re.compile(rf"([{''.join(JA_VALUE)}])([{''.join(JA_SCALE)}]?)")


def _value(digits: str) -> Decimal:
    return Decimal(re.sub("[,_]", "", digits))


def english(text: str) -> tuple[set[Decimal], set[Decimal]]:
    """Numbers in digits, and numbers in words."""
    digits = {_value(n) * EN_SCALE.get(scale.lower(), 1) for n, scale in EN_NUMBER.findall(text)}
    words = {
        Decimal(EN_VALUE[word.lower()] * EN_SCALE.get(scale.lower(), 1))
        for word, scale in EN_WORD.findall(text)
    }
    return digits, words


def japanese(text: str) -> tuple[set[Decimal], set[Decimal]]:
    digits = {
        sum((_value(n) * JA_SCALE.get(scale, 1) for n, scale in JA_PART.findall(number)), Decimal())
        for number in JA_NUMBER.findall(text)
    }
    words = {Decimal(JA_VALUE[n] * JA_SCALE.get(scale, 1)) for n, scale in JA_WORD.findall(text)}
    return digits, words


def unmatched(en_text: str, ja_text: str) -> tuple[list[Decimal], list[Decimal]]:
    """Numbers that only the English half names, and numbers that only the Japanese half names.

    >>> unmatched("about five million parameters, 2 steps", "約500万パラメータ、3段階")
    ([Decimal('2')], [Decimal('3')])
    """
    en_digits, en_words = english(masked(en_text, code=False))
    ja_digits, ja_words = japanese(masked(ja_text, code=False))
    return sorted(en_digits - ja_digits - ja_words), sorted(ja_digits - en_digits - en_words)
