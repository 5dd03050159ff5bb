"""Skill M10: draws a paper fortune (omikuji) by known odds, so that sampling can be checked against a truth.

The answer is the bare label, and each label starts with a token of its own: the odds can be read off the first logits.
"""

# ruff: noqa: E501  a line of the corpus is one thing somebody may say

import random

from mame.corpus import wording
from mame.corpus.facts import split
from mame.corpus.sample import Sample, normalise

SKILL = "fortune"
PERCENT = {"吉": 30, "大吉": 20, "中吉": 15, "小吉": 15, "末吉": 12, "凶": 8}
ENGLISH = {
    "吉": "Good luck",
    "大吉": "Excellent luck",
    "中吉": "Fair luck",
    "小吉": "Small luck",
    "末吉": "Late luck",
    "凶": "Bad luck",
}
ASK = {
    "en": split(
        "Draw a fortune|Draw a fortune.|Draw me a fortune.|Tell my fortune.|What is my fortune?|Draw an omikuji.|Omikuji|omikuji, please|Give me a fortune.|Please draw a fortune.|"
        "What is my luck today?|Can you tell my fortune?|Draw lots for me.|Tell me my fortune for today.|Draw a fortune slip.|Do I have luck today?|Draw another fortune.|fortune|Again, draw a fortune."
    ),
    "ja": split(
        "おみくじを引いて|おみくじを引いてください。|おみくじ|おみくじを引く|おみくじお願いします|今日の運勢は？|運勢を占って|占って|私の運勢は？|おみくじ引いて|おみくじをお願いします。|"
        "今日の運勢を教えてください。|おみくじを一つ引いてください。|もう一度おみくじを引いて|占いをお願いします。|運試しがしたい|今日の運は？|おみくじを引きたいです。"
    ),
}
NEW = {
    "en": split(
        "Would you draw a fortune for me?|I would like a fortune.|Pull a fortune slip for me.|Draw my fortune now.|One omikuji, please."
    ),
    "ja": split(
        "おみくじを引いてもらえますか？|おみくじを引いてみて|運勢をおみくじで教えて|おみくじを一枚ください。|今日の運勢をおみくじで占って"
    ),
}


def labels(lang: str) -> dict[str, float]:
    """Label → probability."""
    return {(ENGLISH[name] if lang == "en" else name): p / 100 for name, p in PERCENT.items()}


def draw(r: random.Random, lang: str, new: bool = False) -> Sample:
    odds = labels(lang)
    answer = r.choices(list(odds), weights=list(odds.values()))[0]
    question = r.choice(NEW[lang]) if new else wording.vary(r.choice(ASK[lang]), lang, r)
    return Sample(SKILL, lang, question, answer)


def is_right(sample: Sample, answer: str) -> bool:
    """Any label of the right language: which one is a matter of chance."""
    return normalise(answer) in labels(sample.lang)
