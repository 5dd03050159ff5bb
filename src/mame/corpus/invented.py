"""Words that nobody knows, for everything that must be copied and cannot be remembered.

One in eight of them is held out, the same for ever. It knows no skill.
"""

import random

from mame.corpus import wording

HIRAGANA = (
    "あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわ"
    "がぎぐげござじずぜぞだでどばびぶべぼぱぴぷぺぽ"
)
KATAKANA = "".join(chr(ord(kana) + 0x60) for kana in HIRAGANA)
CONSONANTS, VOWELS, CODAS = "bdfghjklmnprstvwz", "aeiou", ("", "", "n", "l", "r", "k", "x")
# Not to be printed on a slide, as a whole word or within one.
UNFIT: tuple[str, ...] = ("dik", "fuk", "bitk", "nazi", "hitler", "porn", "kuso", "jap", "nigr")
UNFIT += tuple("しね くそ ばか まんこ ちんこ シネ クソ バカ マンコ チンコ".split())


def latin(r: random.Random, syllables: tuple[int, ...], new: bool) -> str:
    """'zelko'; new: one of those that are held out"""
    while True:
        word = "".join(
            r.choice(CONSONANTS) + r.choice(VOWELS) + r.choice(CODAS)
            for _ in range(r.choice(syllables))
        )
        if is_fit(word, new):
            return word


def kana(r: random.Random, letters: tuple[int, ...], new: bool, script: str = KATAKANA) -> str:
    """'ゼルコ', 'ぽみる'"""
    while True:
        word = "".join(r.choice(script) for _ in range(r.choice(letters)))
        if is_fit(word, new):
            return word


def is_fit(word: str, new: bool) -> bool:
    return wording.is_held_out("invented", word) == new and not any(bad in word for bad in UNFIT)
