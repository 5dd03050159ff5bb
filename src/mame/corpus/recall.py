"""Skill M8: repeats a name, number or word that the user told up to eight turns earlier, or says that it was never told.

Three kinds of sample: the telling itself (the reply repeats the value), the question after some turns, and the
question without a telling. Held out: one in eight made-up words, and a few wordings.
"""

# ruff: noqa: E501  a line of the corpus is one thing somebody may say

import random
from dataclasses import dataclass

from mame.corpus import documents, faq, fortune, smalltalk, wording
from mame.corpus.facts import split
from mame.corpus.sample import Message, Sample, normalise

SKILL = "recall"
NOT_TOLD = {"en": "You have not told me.", "ja": "まだ聞いていません。"}
MOST_TURNS = 8
LONGEST_TURN = (
    110  # characters of a turn in between: a memory is trained by distance, not by length
)


@dataclass(frozen=True)
class Topic:
    """Something one tells about oneself. `tell` and `ask` are alternatives, `reply` and `answer` fixed sentences; {v}: the value."""

    key: str
    value: str  # a key of VALUES
    tell_en: str
    reply_en: str
    ask_en: str
    answer_en: str
    tell_ja: str
    reply_ja: str
    ask_ja: str
    answer_ja: str

    def tell(self, lang: str) -> list[str]:
        return split(self.tell_en if lang == "en" else self.tell_ja)

    def reply(self, lang: str, value: str) -> str:
        return (self.reply_en if lang == "en" else self.reply_ja).format(v=value)

    def ask(self, lang: str) -> list[str]:
        return split(self.ask_en if lang == "en" else self.ask_ja)

    def answer(self, lang: str, value: str) -> str:
        return (self.answer_en if lang == "en" else self.answer_ja).format(v=value)


def thing(key: str, value: str, en: str, ja: str) -> Topic:
    """A topic in the common frames: 'My locker number is 482.'"""
    return Topic(
        key,
        value,
        f"My {en} is {{v}}.|My {en} is {{v}}.|Please remember: my {en} is {{v}}.|my {en} is {{v}}|Remember my {en}: {{v}}|By the way, my {en} is {{v}}.",
        f"OK, your {en} is {{v}}.",
        f"What is my {en}?|What is my {en}?|What's my {en}?|Do you remember my {en}?|Tell me my {en}.|What was my {en}?|what is my {en}|Remind me of my {en}.|I told you my {en}. What is it?|Say my {en}, please.|Which {en} did I mention?|Do you still know my {en}?|Earlier I gave you my {en}. What was it?",
        f"Your {en} is {{v}}.",
        f"私の{ja}は{{v}}です。|{ja}は{{v}}です。|私の{ja}は{{v}}です。覚えておいてください。|{ja}は{{v}}だよ|覚えておいて、{ja}は{{v}}です。|ちなみに、{ja}は{{v}}です。",
        f"はい、{ja}は{{v}}ですね。",
        f"私の{ja}は？|私の{ja}は何ですか？|私の{ja}を覚えていますか？|私の{ja}を教えてください。|私の{ja}は何でしたか？|私の{ja}は何だっけ？|さっき言った私の{ja}は？|私が教えた{ja}を言ってください。|前に話した私の{ja}は何ですか？|私の{ja}を確認させてください。|私の{ja}、まだ覚えてる？",
        f"{ja}は{{v}}です。",
    )


NAME = Topic(
    "name",
    "name",
    "My name is {v}.|My name is {v}.|my name is {v}|I am {v}.|I'm {v}.|Hello, my name is {v}.|Hi, I am {v}.|Hello, I'm {v}.|Please call me {v}.|This is {v}.|Hi mame, my name is {v}. Nice to meet you.",
    "Nice to meet you, {v}.",
    "What is my name?|What is my name?|What's my name?|Do you remember my name?|Tell me my name.|What was my name?|what is my name|Who am I?|Do you know my name?",
    "Your name is {v}.",
    "私の名前は{v}です。|私の名前は{v}です。|名前は{v}です。|私は{v}です。|{v}です。|{v}と申します。|こんにちは、{v}です。|はじめまして、{v}です。|{v}と呼んでください。|{v}といいます。よろしくお願いします。",
    "{v}さん、はじめまして。",
    "私の名前は？|私の名前は何ですか？|私の名前は何ですか？|私の名前を覚えていますか？|私は誰ですか？|名前を教えてください。私の名前です。|私の名前は何でしたか？|私の名前、何だっけ？|私の名前を言ってください。|私の名前がわかりますか？",
    "お名前は{v}さんです。",
)
TOPICS = (
    NAME,
    thing("locker", "number", "locker number", "ロッカー番号"),
    thing("room", "code", "room", "部屋番号"),
    thing("extension", "number", "extension", "内線番号"),
    thing("number", "number", "favourite number", "好きな数字"),
    thing("colour", "colour", "favourite colour", "好きな色"),
    thing("town", "word", "home town", "出身地"),
    thing("dog", "word", "dog's name", "犬の名前"),
    thing("cat", "word", "cat's name", "猫の名前"),
    thing("project", "word", "project", "プロジェクト名"),
    thing("order", "code", "order number", "注文番号"),
    thing("seat", "code", "seat", "座席番号"),
    thing("boss", "name", "boss's name", "上司の名前"),
    thing("password", "word", "code word", "合言葉"),
)
NEW_TELL = {  # held out
    "en": ("Just so you know, my {n} is {v}.",),
    "ja": ("お伝えしておきます。{n}は{v}です。",),
}
NEW_ASK = {
    "en": ("Can you repeat my {n}?", "Which {n} of mine did I tell you?"),
    "ja": ("私の{n}をもう一度言ってもらえますか？", "お伝えした私の{n}は何でしょうか？"),
}
NOUNS = {  # the topic's noun, for the held-out wordings
    "name": ("name", "名前"), "locker": ("locker number", "ロッカー番号"), "room": ("room", "部屋番号"),
    "extension": ("extension", "内線番号"), "number": ("favourite number", "好きな数字"), "colour": ("favourite colour", "好きな色"),
    "town": ("home town", "出身地"), "dog": ("dog's name", "犬の名前"), "cat": ("cat's name", "猫の名前"),
    "project": ("project", "プロジェクト名"), "order": ("order number", "注文番号"), "seat": ("seat", "座席番号"),
    "boss": ("boss's name", "上司の名前"), "password": ("code word", "合言葉"),
}  # fmt: skip
FIRST_NAMES = {
    "en": split("Aoi|Ken|Mika|Sora|Yuki|Haru|Rin|Taro|Emi|Jun|Anna|Ben|Carla|David|Eva|Frank|Grace|Hugo|Ida|Jack|Kate|Leo|Maria|Nick|Olga|Peter|Rosa|Sam|Tina|Will"),
    "ja": split("葵|健|美香|空|由紀|春|凛|太郎|恵美|純|田中|佐藤|鈴木|高橋|伊藤|渡辺|山本|中村|小林|加藤|花子|一郎|ケン|アンナ|マリア|トム"),
}  # fmt: skip


def draw_value(r: random.Random, kind: str, lang: str, new: bool) -> str:
    if kind == "number":
        return str(r.choice((r.randint(2, 99), r.randint(100, 999), r.randint(1000, 9999))))
    if kind == "colour":
        return r.choice(documents.COLOURS[lang])
    if kind == "code":
        return documents.code(r, new)
    if kind == "name" and not new and r.random() < 0.35:
        return r.choice(FIRST_NAMES[lang])
    if kind == "name" and lang == "ja" and r.random() < 0.4:
        return documents.family_name(r, new)
    return documents.made_up(r, lang, new)


def in_between(r: random.Random, lang: str) -> tuple[Message, Message]:
    """A short exchange about something else, in the answers that mame gives anyway."""
    while True:
        skill = r.choices((smalltalk, faq, fortune), weights=(6, 3, 2))[0]
        sample = skill.draw(r, lang)
        if max(len(sample.question), len(sample.answer)) <= LONGEST_TURN:
            return Message("user", sample.question), Message("assistant", sample.answer)


def telling(
    r: random.Random, lang: str, topic: Topic, value: str, new: bool
) -> tuple[Message, Message]:
    frames = topic.tell(lang)
    if new and r.random() < 0.25:
        frames = [f.replace("{n}", NOUNS[topic.key][lang == "ja"]) for f in NEW_TELL[lang]]
    told = r.choice(frames).format(v=value)
    return Message("user", told), Message("assistant", topic.reply(lang, value))


def draw(
    r: random.Random,
    lang: str,
    new: bool = False,
    *,
    kind: str = "",
    distance: int | None = None,
) -> Sample:
    """`kind`: "telling", "told" or "not told" (by itself 20, 55 and 25 %); `distance`: 1 to 8 turns since the telling."""
    kind = kind or r.choices(("telling", "told", "not told"), weights=(20, 55, 25))[0]
    topic = NAME if r.random() < 0.25 else r.choice(TOPICS)
    value = draw_value(r, topic.value, lang, new)
    told, reply = telling(r, lang, topic, value, new)
    if kind == "telling":
        turns = turns_in_between(r, lang, r.choice((0, 0, 0, 1, 2)), topic, new)
        return Sample(
            SKILL, lang, told.content, reply.content, key=kind, before=turns, copied=(value,)
        )
    question = wording.vary(r.choice(topic.ask(lang)), lang, r)
    if new and r.random() < 0.25:
        question = r.choice(NEW_ASK[lang]).format(n=NOUNS[topic.key][lang == "ja"])
    distance = (
        distance or r.choices(range(1, MOST_TURNS + 1), weights=(26, 22, 14, 10, 8, 7, 7, 6))[0]
    )
    turns = turns_in_between(r, lang, distance - 1, topic, new)
    if kind == "not told":
        return Sample(SKILL, lang, question, NOT_TOLD[lang], key=kind, before=turns)
    earlier = turns_in_between(r, lang, r.choice((0, 0, 0, 0, 1)), topic, new)
    return Sample(
        SKILL,
        lang,
        question,
        topic.answer(lang, value),
        key=f"told {distance}",
        before=(*earlier, told, reply, *turns),
        copied=(value,),
    )


def turns_in_between(
    r: random.Random, lang: str, turns: int, topic: Topic, new: bool
) -> tuple[Message, ...]:
    """Small talk and, now and then, another thing that is told; never the same topic."""
    others = [other for other in TOPICS if other is not topic]
    r.shuffle(others)
    messages: list[Message] = []
    for _ in range(turns):
        if r.random() < 0.3:
            other = others.pop()
            value = draw_value(r, other.value, lang, new)
            messages += telling(r, lang, other, value, new)
        else:
            messages += in_between(r, lang)
    return tuple(messages)


def is_right(sample: Sample, answer: str) -> bool:
    return normalise(answer) == normalise(sample.answer)
