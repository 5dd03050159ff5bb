"""Skill M4: the system prompt demands an ending, and every answer gets it.

The rule is plain: the answer as it would be without the prompt, then the ending; in English with a space between.
'Goodbye! Come back any time.' + 'meow!' → 'Goodbye! Come back any time. meow!'
「どういたしまして！」+「でござる」→「どういたしまして！でござる」

The answers are those of other skills (`smalltalk`, `faq`, one-digit `sums`), mostly short ones. Endings are known ones
or invented. Held out: one in eight invented endings and pairs of known ending and wording, and `NEW_SYSTEM`.
"""

# ruff: noqa: E501  a line of the corpus is one thing somebody may say

import dataclasses
import random
import re

from mame.corpus import faq, invented, smalltalk, sums, wording
from mame.corpus.sample import Message, Sample, normalise

SKILL = "endings"
OTHER = {"en": "ja", "ja": "en"}
ENDINGS = {
    "en": (
        "meow",
        "meow!",
        "woof",
        "woof!",
        "ahoy!",
        "over and out",
        "-- Aoi",
        "-- mame",
        "Yours, mame",
        "beep",
        "beep boop",
        "my friend",
        "Have a nice day!",
        "Enjoy your beans!",
        "amen",
        "indeed",
        "at your service",
        "you know",
        "squeak!",
        "yay!",
        "the end",
        "[end]",
        "(smile)",
        "~",
        "***",
        "OK?",
    ),
    "ja": (
        "でござる",
        "だワン",
        "ワン！",
        "にゃ",
        "にゃん",
        "ニャー",
        "だよ",
        "なのだ",
        "ですわ",
        "ざます",
        "でございます",
        "豆！",
        "まめ",
        "ぴょん",
        "っす",
        "じゃ",
        "どすえ",
        "だっちゃ",
        "よろしく！",
        "以上",
        "(笑)",
        "【完】",
        "葵より",
        "でやんす",
        "ケロ",
        "〜",
    ),
}
# {x}: the ending, bare. Known or invented endings that hold more than letters and spaces get a quoted wording.
BARE = {
    "en": (
        "End every answer with {x}",
        "End every answer with {x}",
        "End each reply with {x}",
        "Finish every answer with {x}",
        "Always end with {x}",
        "Close each answer with {x}",
        "Your answers end with {x}",
        "Say {x} at the end of every answer",
        "Put {x} at the end of each reply",
        "Write {x} after every answer",
    ),
    "ja": (),
}
QUOTED = {
    "en": (
        'End every answer with "{x}".',
        'End every answer with "{x}".',
        "End every answer with '{x}'.",
        'End each reply with "{x}".',
        'Finish every answer with "{x}".',
        'Finish each reply with "{x}".',
        'Always end with "{x}".',
        'Close every answer with "{x}".',
        'Your answers always end with "{x}".',
        'Add "{x}" to every answer.',
        'Append "{x}" to each reply.',
        'Put "{x}" at the end of every answer.',
        'Say "{x}" at the end of each answer.',
        'Write "{x}" after every answer.',
        'Every answer must end with "{x}".',
        'The last word of every answer is "{x}".',
        'Do not forget "{x}" at the end.',
        "Ending: {x}",
        'Whatever you say, end with "{x}".',
        'Each answer has to end in "{x}".',
        'Answer the question, then write "{x}".',
        'Sign every answer with "{x}".',
        "End every answer with 「{x}」.",
    ),
    "ja": (
        "回答の最後に必ず「{x}」と付けてください。",
        "回答の最後に必ず「{x}」と付けてください。",
        "回答の最後に「{x}」を付けてください。",
        "答えの最後に「{x}」と書いてください。",
        "語尾に「{x}」を付けてください。",
        "語尾は「{x}」です。",
        "語尾は必ず「{x}」にしてください。",
        "文の最後に「{x}」を付けて答えてください。",
        "すべての回答を「{x}」で終えてください。",
        "毎回「{x}」で終わってください。",
        "必ず「{x}」で終わる答え方をしてください。",
        "答えの終わりに「{x}」と言ってください。",
        "回答の後ろに「{x}」を足してください。",
        "返事の最後は「{x}」にしてください。",
        "返答の末尾に「{x}」を付けてください。",
        "末尾に必ず「{x}」と書いてください。",
        "最後に「{x}」と付け加えてください。",
        "どの質問にも、最後に「{x}」を付けて答えてください。",
        "答えたあとに「{x}」と書いてください。",
        "回答の末尾は常に「{x}」です。",
        "「{x}」で回答を締めてください。",
        "最後の言葉は「{x}」です。",
        "話の終わりには「{x}」を付けます。",
        "答えには必ず「{x}」を添えてください。",
        "語尾: {x}",
        "文末に「{x}」を付けること。",
        "回答は「{x}」で終えること。",
        "最後に必ず「{x}」を付けて。",
        "答えの最後で「{x}」と言って。",
        '回答の最後に"{x}"を付けてください。',
        "回答の最後に『{x}』と付けてください。",
    ),
}
NEW_SYSTEM = {
    "en": (
        'Every reply you give closes with "{x}".',
        'I want "{x}" as the last thing in each answer.',
        'After each answer comes "{x}".',
        'Please make "{x}" the ending of all your answers.',
        'No answer without "{x}" at its end.',
        'You like to end with "{x}", so do it every time.',
        'Answer as usual, but finish with "{x}".',
        'Use "{x}" as the closing of every reply.',
    ),
    "ja": (
        "どの回答も「{x}」で締めくくってください。",
        "いつもの答えのあとに「{x}」を付けてください。",
        "回答の終わりには毎回「{x}」が必要です。",
        "「{x}」を最後に付けるのを忘れないでください。",
        "口ぐせは「{x}」です。答えの最後に使ってください。",
        "普段どおり答え、最後は「{x}」で終わってください。",
        "返事をするときは末尾に「{x}」を置いてください。",
        "すべての返事の最後に「{x}」をお願いします。",
    ),
}
PERSONAS = {
    "en": (
        "You are the mascot of the shop window.",
        "You are a samurai.",
        "You are a cat.",
        "You are a pirate.",
        "You are mame.",
        "You are the clerk of Hoshimame Trading.",
        "You are a friendly robot.",
        "You are a polite assistant.",
        "You help at a workshop.",
        "You answer for Aoi.",
    ),
    "ja": (
        "あなたは店先のマスコットです。",
        "あなたは侍です。",
        "あなたは猫です。",
        "あなたは海賊です。",
        "あなたはまめです。",
        "あなたはほしまめ商会の店員です。",
        "あなたは親切なロボットです。",
        "あなたは丁寧なアシスタントです。",
        "ワークショップの手伝いをしてください。",
        "葵さんの代わりに答えてください。",
    ),
}
SHORT = {"en": 62, "ja": 30}  # characters: what counts as a short answer of smalltalk


def invent(r: random.Random, lang: str, new: bool) -> str:
    """An ending that nobody uses: 'zaru', 'ぽみる', 'ギョラ！'; 2 to 10 characters; new: held out."""
    if lang == "en":
        word, mark = invented.latin(r, (1, 2, 2, 3), new), "!"
    else:
        script = r.choice((invented.HIRAGANA, invented.KATAKANA))
        word, mark = invented.kana(r, (2, 2, 3, 3, 4), new, script), "！"
    return word[:9] + (mark if r.random() < 0.2 else "")


def draw_base(r: random.Random, lang: str) -> Sample:
    """An ordinary question with its answer, mostly a short one."""
    roll = r.random()
    if roll < 0.12:
        return sums.draw(r, lang, band=1, form="plain")
    if roll < 0.45:
        return faq.draw(r, lang)
    while True:
        sample = smalltalk.draw(r, lang)
        if roll < 0.55 or len(sample.answer) <= SHORT[lang]:
            return sample


def draw_ending(r: random.Random, lang: str, new: bool, unknown: bool) -> str:
    """One in six is of the other language: an English answer, too, can end in でござる, which lesson 04 asks for."""
    lang = lang if r.random() < 0.83 else OTHER[lang]
    if unknown:
        return invent(r, lang, new)
    return r.choice((*ENDINGS[lang], *(("でござる",) * 8 if lang == "ja" else ())))


def system_prompt(r: random.Random, lang: str, ending: str, new_frame: bool) -> str:
    """The demand, in a third of the draws behind a persona."""
    frames = NEW_SYSTEM[lang] if new_frame else QUOTED[lang]
    if not new_frame and lang == "en" and re.fullmatch(r"[A-Za-z ]+", ending) and r.random() < 0.6:
        frames = tuple(f + "." for f in BARE[lang])
    demand = r.choice(frames).format(x=ending)
    if r.random() < 0.33:
        return r.choice(PERSONAS[lang]) + (" " if lang == "en" else "") + demand
    return demand


def draw(
    r: random.Random,
    lang: str,
    new: bool = False,
    unknown: bool | None = None,
    new_system: bool = False,
) -> Sample:
    """`key`: 'known:でござる' or 'invented:ぽみる'.

    unknown: whether the ending is an invented one; drawn where not said.
    new: pairs of known ending and wording, and invented endings, that training never shows. The question keeps a
    trained wording: what is measured is the ending.
    """
    unknown = r.random() < 0.5 if unknown is None else unknown
    base = draw_base(r, lang)
    while True:
        ending = draw_ending(r, lang, new, unknown)
        prompt = system_prompt(r, lang if r.random() < 0.9 else OTHER[lang], ending, new_system)
        if unknown or wording.is_held_out("ending", prompt) == new:
            break
    return dataclasses.replace(
        base,
        skill=SKILL,
        answer=join(base.answer, ending, lang),
        key=f"{'invented' if unknown else 'known'}:{ending}",
    ).after((Message("system", prompt),))


def join(answer: str, ending: str, lang: str) -> str:
    """The one rule for where an ending goes."""
    return f"{answer} {ending}" if lang == "en" else answer + ending


def ending_of(sample: Sample) -> str:
    return sample.key.partition(":")[2]


def has_ending(sample: Sample, answer: str) -> bool:
    """Only the ending is looked at; what stands before it may be wrong, but must be there."""
    text = normalise(answer)
    return text.endswith(ending_of(sample)) and text != ending_of(sample)


def is_right(sample: Sample, answer: str) -> bool:
    """The right answer, then the ending."""
    return normalise(answer) == normalise(sample.answer)
