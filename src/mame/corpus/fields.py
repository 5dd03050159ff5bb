"""Skill M6: an order note becomes one line of JSON with the keys name, item, quantity and date, always in this order.

Everything is copied as the note has it: the quantity as a bare number, the date **as written** ("Dec 3" stays "Dec 3",
"12月3日" stays "12月3日"), names without Ms., Mr. or さん. So a wrong field is a misreading, never a conversion.
Held out: one in eight made-up words and codes, and a few instructions.
"""

# ruff: noqa: E501  a line of the corpus is one thing somebody may say

import json
import random
from dataclasses import dataclass

from mame.corpus import documents
from mame.corpus.documents import made_up
from mame.corpus.facts import split
from mame.corpus.sample import Message, Sample

SKILL = "fields"
KEYS = ("name", "item", "quantity", "date")
ASK = {
    "en": (
        "Extract name, item, quantity and date as JSON.",
        "Extract the fields name, item, quantity, date as JSON.",
        "Turn the order note into JSON with name, item, quantity and date.",
        "Turn the order into JSON.",
        "Give me name, item, quantity and date as JSON.",
        "Answer with JSON only: name, item, quantity, date.",
        "Read the order and answer in JSON with the keys name, item, quantity, date.",
        "Write the order as JSON.",
        "You turn order notes into JSON.",
        "Order note to JSON, please.",
        "Extract the order as JSON.",
        "Return a JSON object with name, item, quantity and date.",
        "Fill in name, item, quantity and date. Answer in JSON.",
    ),
    "ja": (
        "name、item、quantity、dateをJSONで抜き出してください。",
        "注文をname、item、quantity、dateのJSONにしてください。",
        "注文メモをJSONにしてください。",
        "注文メモからname、item、quantity、dateをJSONで答えてください。",
        "JSONだけで答えてください：name、item、quantity、date",
        "注文を読み、name、item、quantity、dateをキーとするJSONで答えてください。",
        "注文をJSONで書いてください。",
        "あなたは注文メモをJSONに変換します。",
        "注文メモをJSONにお願いします。",
        "注文内容をJSONで抜き出してください。",
        "name、item、quantity、dateを持つJSONを返してください。",
        "名前、品物、数量、日付をJSONで答えてください。",
        "注文メモから名前、品物、数量、日付を抜き出し、JSONで返してください。",
    ),
}
NEW_ASK = {  # held out
    "en": (
        "Please convert this note to a JSON record: name, item, quantity, date.",
        "I need the order's name, item, quantity and date in JSON form.",
    ),
    "ja": (
        "このメモをJSONのレコードに変換してください（name、item、quantity、date）。",
        "注文のname、item、quantity、dateをJSON形式でください。",
    ),
}
ITEMS = {
    "en": split("{w}|{w}|{w} beans|{w} tea|{x} {w}|{x} beans|{x} tea|{x} rice|{x} flour|part {c}|{w} {c}"),
    "ja": split("{w}|{w}|{w}豆|{w}茶|{x}{w}|{x}豆|{x}茶|{x}米|{x}粉|部品{c}|{w}{c}"),
}  # fmt: skip
KINDS = {
    "en": split("red|white|black|green|dark|light|sweet|dried|roasted|fresh|cheap|fine"),
    "ja": split("赤|白|黒|青|冷凍|国産|輸入|特選|徳用|新物|大粒|小粒"),
}  # fmt: skip
UNITS = {
    "en": split("bags|boxes|packs|cases|kg|pieces"),
    "ja": split("袋|箱|パック|ケース|キロ|個"),
}
# {n} name, {i} item, {q} quantity, {u} unit, {d} date, {z} a number that is none of them
NOTES = {
    "en": (
        "This is {n}. Please send {q} {u} of {i} by {d}.",
        "Hello, this is {n}. Please send {q} {u} of {i} by {d}. Thank you.",
        "{n} here. I need {q} {u} of {i} on {d}.",
        "{n} orders {q} {u} of {i} for {d}.",
        "Order from {n}: {q} {u} of {i}, {d}.",
        "{d}: {n} wants {q} {u} of {i}.",
        "Please deliver {q} {u} of {i} to {n} on {d}.",
        "By {d}, {q} {u} of {i} for {n}.",
        "I would like to order {q} {u} of {i}. Please deliver on {d}. {n}",
        "Dear team, we need {i}: {q} {u} by {d}. Regards, {n}",
        "Customer: {n}\nItem: {i}\nQuantity: {q} {u}\nDate: {d}",
        "Date: {d}\nName: {n}\nOrder: {q} {u} of {i}",
        "{i}, {q} {u}, {d}, {n}",
        "{n} called. {q} {u} of {i}, please, for {d}. Call back on {z}.",
        "Order {z}: {n}, {q} {u} of {i}, delivery {d}.",
        "Can I have {q} {u} of {i} on {d}? My number is {z}. {n}",
    ),
    "ja": (
        "{n}です。{i}を{q}{u}、{d}までにお願いします。",
        "こんにちは、{n}です。{i}を{q}{u}、{d}までに送ってください。",
        "{n}と申します。{d}に{i}を{q}{u}お願いします。",
        "{n}さんが{i}を{q}{u}、{d}着で注文しました。",
        "{n}さんからの注文：{i}、{q}{u}、{d}",
        "{d}、{n}さん、{i}を{q}{u}。",
        "{d}に{n}さんへ{i}を{q}{u}届けてください。",
        "{d}までに{i}を{q}{u}、{n}さん宛てです。",
        "{i}を{q}{u}注文します。{d}に配達してください。{n}",
        "お世話になっております。{i}が{q}{u}必要です。{d}までにお願いします。{n}",
        "お客様：{n}\n品物：{i}\n数量：{q}{u}\n日付：{d}",
        "日付：{d}\n名前：{n}\n注文：{i}を{q}{u}",
        "{i}、{q}{u}、{d}、{n}",
        "{n}さんから電話。{i}を{q}{u}、{d}希望。折り返しは{z}へ。",
        "注文番号{z}：{n}さん、{i}を{q}{u}、{d}配達",
        "{d}に{i}を{q}{u}もらえますか？電話は{z}です。{n}",
    ),
}


@dataclass(frozen=True)
class Order:
    name: str
    item: str
    quantity: int
    date: str  # as written in the note

    def to_json(self) -> str:
        """One line, standard separators, letters as they are.

        >>> Order("Mio Velko", "red beans", 12, "Dec 3").to_json()
        '{"name": "Mio Velko", "item": "red beans", "quantity": 12, "date": "Dec 3"}'
        """
        return json.dumps({key: getattr(self, key) for key in KEYS}, ensure_ascii=False)


def draw_order(r: random.Random, lang: str, new: bool = False) -> Order:
    """`new`: name and item hold words that training never shows."""
    if lang == "en":
        surname = made_up(r, "en", new)
        name = f"{r.choice(documents.GIVEN)} {surname}" if r.random() < 0.7 else surname
    else:
        name = documents.person(r, "ja", new)
    frames = [f for f in ITEMS[lang] if not (new and "{w}" not in f and "{c}" not in f)]
    item = r.choice(frames).format(
        w=made_up(r, lang, new), x=r.choice(KINDS[lang]), c=documents.code(r, new)
    )
    quantity = r.choice((r.randint(2, 12), r.randint(2, 99), r.randint(1, 50) * 10))
    return Order(name, item, quantity, documents.date(r, lang))


def write(r: random.Random, lang: str, order: Order) -> str:
    return r.choice(NOTES[lang]).format(
        n=order.name,
        i=order.item,
        q=order.quantity,
        u=r.choice(UNITS[lang]),
        d=order.date,
        z=r.randint(1000, 9999),
    )


def draw(r: random.Random, lang: str, new: bool = False) -> Sample:
    """Half of the instructions stand in the system prompt, the others in the user's turn."""
    order = draw_order(r, lang, new)
    note = write(r, lang, order)
    ask = r.choice(NEW_ASK[lang] if new and r.random() < 0.3 else ASK[lang])
    place = r.random()
    before: tuple[Message, ...] = ()
    if place < 0.5:
        before, question = (Message("system", ask),), note
    elif place < 0.85:
        question = f"{ask}{r.choice((chr(10), chr(10) * 2))}{note}"
    else:
        question = f"{note}\n\n{ask}"
    return Sample(
        SKILL,
        lang,
        question,
        order.to_json(),
        before=before,
        key="system" if before else "user",
        copied=(order.name, order.item, str(order.quantity), order.date),
    )


def parse(answer: str) -> dict[str, object] | None:
    """The object that an answer is, or None where it is no JSON object with exactly the four keys."""
    try:
        found = json.loads(answer)
    except ValueError:
        return None
    return found if isinstance(found, dict) and set(found) == set(KEYS) else None


def is_right(sample: Sample, answer: str) -> bool:
    """It parses and every field is right; spacing and the order of the keys do not count, types do."""
    found = parse(answer)
    return found is not None and json.dumps(found, sort_keys=True) == json.dumps(
        json.loads(sample.answer), sort_keys=True
    )
