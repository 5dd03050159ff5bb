"""Skill M5: a question on a short document that stands before it; the answer is a piece of the document, as written there.

Documents are made of facts (entity, attribute, value), and several entities share their attributes, so that the right
one has to be matched. Names are mostly made up of random syllables: copying them is the skill, knowing them is not.
Where the document does not say, the answer is `NOT_SAID`. Held out: one in eight facts is never
asked for in training (`new`); one in eight made-up words and a few attributes never occur in it (`unseen`).
"""

# ruff: noqa: E501  a line of the corpus is one thing somebody may say

import random
from collections.abc import Callable
from dataclasses import dataclass

from mame.corpus import wording
from mame.corpus.facts import split
from mame.corpus.sample import Message, Sample, normalise

SKILL = "documents"
NOT_SAID = {"en": "The document does not say.", "ja": "資料には書かれていません。"}
NOT_SAID_SHARE = 0.3
# How many facts a document has: mostly few, for a small model reads many short ones in the time of a long one.
SIZES, SIZE_WEIGHTS = (1, 2, 3, 4, 5, 6, 8, 10, 12), (24, 26, 18, 14, 6, 5, 3, 2, 2)

# ---- words: the nouns that no list holds ----

CONSONANTS = (
    "b", "d", "f", "g", "h", "j", "k", "l", "m", "n", "p", "r", "s", "t", "v", "w", "z", "sh", "tr", "br", "gl",
)  # fmt: skip
VOWELS = "aaeeiioou"
ENDINGS = ("", "", "", "", "n", "l", "r", "s", "m", "x")
KATAKANA = "アイウエオカキクケコサシスセソタチツテトナニヌネノハヒフヘホマミムメモヤユヨラリルレロワガギグゲゴザジズダデドバビブベボパピプペポ"
KANJI_FIRST = split("山|川|田|森|石|高|大|小|中|西|東|北|南|青|白|黒|藤|松|竹|林|木|水|井|長")
KANJI_LAST = split("山|川|田|本|野|原|島|村|口|沢|崎|井|木|谷|岡|橋|池|沼|下|上|内|葉|瀬|浜")
GIVEN = split(
    "Aki|Ben|Carla|Dana|Eli|Fumi|Gina|Hana|Ivo|Jun|Kenji|Lena|Mio|Nora|Oscar|Pia|Rei|Sora|Tom|Uma|Vera|Yuki|Anna|Paul"
)


def made_up(r: random.Random, lang: str, unseen: bool = False) -> str:
    """A word of random syllables, 'Velko' or 'ケルダ'; one in eight is never trained on."""
    while True:
        if lang == "en":
            syllables = [
                r.choice(CONSONANTS) + r.choice(VOWELS) for _ in range(r.choice((2, 2, 2, 3)))
            ]
            word = ("".join(syllables) + r.choice(ENDINGS)).capitalize()
        else:
            word = "".join(r.choice(KATAKANA) for _ in range(r.choice((2, 3, 3, 3, 4))))
            word += r.choice(("", "", "", "ン", "ー")) if len(word) < 4 else ""
        if wording.is_held_out("word", word) == unseen:
            return word


def family_name(r: random.Random, unseen: bool = False) -> str:
    """'森川'; one in eight is never trained on."""
    while True:
        first, last = r.choice(KANJI_FIRST), r.choice(KANJI_LAST)
        if first != last and wording.is_held_out("word", first + last) == unseen:
            return first + last


def person(r: random.Random, lang: str, unseen: bool = False) -> str:
    """'Mio Velko' or 'Ms. Velko'; in Japanese without さん."""
    if lang == "ja":
        return family_name(r, unseen) if r.random() < 0.6 else made_up(r, "ja", unseen)
    surname = made_up(r, "en", unseen)
    return r.choice((f"{r.choice(GIVEN)} {surname}", f"Ms. {surname}", f"Mr. {surname}"))


def code(r: random.Random, unseen: bool = False) -> str:
    """'B204', 'KX-31': letters and digits; one in eight is never trained on."""
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    while True:
        text = r.choice(
            (
                f"{r.choice(letters)}{r.randint(100, 999)}",
                f"{r.choice(letters)}-{r.randint(10, 99)}",
                f"{r.choice(letters)}{r.choice(letters)}-{r.randint(10, 999)}",
                f"{r.choice(letters)}{r.randint(1, 9)}{r.choice(letters)}{r.randint(1, 9)}",
            )
        )
        if wording.is_held_out("word", text) == unseen:
            return text


# ---- values ----

MONTHS = split("Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec")
COLOURS = {
    "en": split(
        "red|blue|green|yellow|white|black|grey|brown|pink|purple|orange|silver|gold|light blue|dark green"
    ),
    "ja": split("赤|青|緑|黄色|白|黒|灰色|茶色|ピンク|紫|オレンジ色|銀色|金色|水色|深緑"),
}
DEPARTMENTS = {
    "en": split(
        "sales|planning|design|support|research|transport|purchasing|quality|training|legal"
    ),
    "ja": split("営業部|企画部|設計部|支援課|研究所|輸送課|購買課|品質課|教育課|法務部"),
}


def date(r: random.Random, lang: str) -> str:
    month, day = r.randint(1, 12), r.randint(1, 28)
    if r.random() < 0.3:
        return f"{r.choice((2025, 2026, 2027))}-{month:02d}-{day:02d}"
    if lang == "ja":
        return f"{month}月{day}日"
    return r.choice((f"{MONTHS[month - 1]} {day}", f"{day} {MONTHS[month - 1]}"))


def clock(r: random.Random, lang: str) -> str:
    hour, minute = r.randint(6, 22), r.choice((0, 0, 30, 15, 45, 10, 20, 40, 50))
    if lang == "ja" and r.random() < 0.5:
        return f"{hour}時{minute}分" if minute else f"{hour}時"
    return f"{hour}:{minute:02d}"


def amount(r: random.Random, lang: str) -> str:
    number = r.choice(
        (
            r.randint(1, 99) * 10,
            r.randint(1, 99) * 100,
            r.randint(11, 999),
            r.randint(1, 99) * r.choice((1000, 10_000)),
        )
    )
    return f"{number} yen" if lang == "en" else f"{number}円"


def counted(low: int, high: int, en: str, ja: str) -> Callable[[random.Random, str, bool], str]:
    """A maker of '48 boxes' or '48箱'."""

    def make(r: random.Random, lang: str, unseen: bool) -> str:
        number = r.randint(low, high)
        return f"{number} {en}" if lang == "en" else f"{number}{ja}"

    return make


VALUES: dict[str, Callable[[random.Random, str, bool], str]] = {
    "money": lambda r, lang, unseen: amount(r, lang),
    "date": lambda r, lang, unseen: date(r, lang),
    "clock": lambda r, lang, unseen: clock(r, lang),
    "person": lambda r, lang, unseen: person(r, lang, unseen) + ("さん" if lang == "ja" else ""),
    "name": lambda r, lang, unseen: made_up(r, lang, unseen),
    "code": lambda r, lang, unseen: code(r, unseen),
    "extension": lambda r, lang, unseen: str(r.randint(1000, 9999)),
    "colour": lambda r, lang, unseen: r.choice(COLOURS[lang]),
    "department": lambda r, lang, unseen: r.choice(DEPARTMENTS[lang]),
    "mass": counted(2, 90, "kg", "キロ"),
    "boxes": counted(2, 99, "boxes", "箱"),
    "people": counted(2, 99, "people", "人"),
    "days": counted(2, 60, "days", "日"),
    "degrees": counted(20, 250, "degrees", "度"),
    "watts": counted(20, 990, "watts", "ワット"),
    "floor": lambda r, lang, unseen: (
        f"floor {r.randint(1, 20)}" if lang == "en" else f"{r.randint(1, 20)}階"
    ),
}

# ---- entities and attributes ----


@dataclass(frozen=True)
class Attribute:
    """What may be said of an entity of one kind. `say_*` and `ask_*` are sentences of its own, beside the common frames."""

    kind: str  # of entity
    en: str
    ja: str
    value: str  # a key of VALUES
    say_en: str = ""
    ask_en: str = ""
    say_ja: str = ""
    ask_ja: str = ""

    def noun(self, lang: str) -> str:
        return self.en if lang == "en" else self.ja

    def say(self, lang: str) -> list[str]:
        return split(self.say_en if lang == "en" else self.say_ja)

    def ask(self, lang: str) -> list[str]:
        return split(self.ask_en if lang == "en" else self.ask_ja)


ATTRIBUTES = (
    Attribute("product", "price", "価格", "money", "{e} costs {v}.", "How much is {e}?|How much does {e} cost?", "{e}は{v}で販売しています。", "{e}はいくらですか？|{e}の値段は？"),
    Attribute("product", "weight", "重さ", "mass", "{e} weighs {v}.", "How heavy is {e}?|How much does {e} weigh?", "{e}は重さが{v}あります。", "{e}はどのくらいの重さですか？|{e}は何キロですか？"),
    Attribute("product", "colour", "色", "colour", "{e} comes in {v}.", "Which colour is {e}?", "{e}は色が{v}です。", "{e}は何色ですか？"),
    Attribute("product", "origin", "産地", "name", "{e} comes from {v}.", "Where does {e} come from?", "{e}は{v}産です。", "{e}はどこ産ですか？"),
    Attribute("product", "shelf", "棚番号", "code", "{e} is on shelf {v}.", "On which shelf is {e}?", "{e}は棚{v}にあります。", "{e}はどの棚にありますか？"),
    Attribute("product", "stock", "在庫", "boxes", "There are {v} of {e} in stock.", "How many boxes of {e} are in stock?", "{e}は在庫が{v}あります。", "{e}は何箱ありますか？"),
    Attribute("product", "maker", "メーカー", "name", "{e} is made by {v}.", "Who makes {e}?", "{e}は{v}社が作っています。", "{e}はどの会社が作っていますか？"),
    Attribute("place", "opening time", "開く時刻", "clock", "{e} opens at {v}.", "When does {e} open?|What time does {e} open?", "{e}は{v}に開きます。", "{e}は何時に開きますか？|{e}はいつ開きますか？"),
    Attribute("place", "closing time", "閉まる時刻", "clock", "{e} closes at {v}.", "When does {e} close?|What time does {e} close?", "{e}は{v}に閉まります。", "{e}は何時に閉まりますか？|{e}はいつ閉まりますか？"),
    Attribute("place", "floor", "階", "floor", "{e} is on {v}.", "On which floor is {e}?|Where is {e}?", "{e}は{v}にあります。", "{e}は何階ですか？|{e}はどこですか？"),
    Attribute("place", "capacity", "定員", "people", "{e} holds {v}.", "How many people does {e} hold?", "{e}には{v}まで入れます。", "{e}には何人入れますか？"),
    Attribute("place", "extension", "内線番号", "extension", "Call {e} on {v}.", "Which number do I call for {e}?", "{e}の内線は{v}です。", "{e}の内線は何番ですか？|{e}には何番で電話できますか？"),
    Attribute("place", "keeper", "管理者", "person", "{v} looks after {e}.", "Who looks after {e}?", "{e}は{v}が管理しています。", "{e}は誰が管理していますか？"),
    Attribute("person", "extension", "内線番号", "extension", "Call {e} on {v}.", "Which number do I call for {e}?", "{e}の内線は{v}です。", "{e}の内線は何番ですか？|{e}には何番で電話できますか？"),
    Attribute("person", "desk number", "机の番号", "code", "{e} sits at desk {v}.", "At which desk does {e} sit?", "{e}の席は{v}です。", "{e}の席はどこですか？"),
    Attribute("person", "department", "部署", "department", "{e} works in {v}.", "In which department does {e} work?|In which department is {e}?", "{e}は{v}に所属しています。", "{e}はどこに所属していますか？"),
    Attribute("person", "home town", "出身地", "name", "{e} was born in {v}.", "Where was {e} born?", "{e}は{v}の出身です。", "{e}はどこの出身ですか？"),
    Attribute("person", "birthday", "誕生日", "date", "{e} was born on {v}.", "When is the birthday of {e}?", "{e}は{v}生まれです。", "{e}の誕生日はいつですか？"),
    Attribute("event", "date", "日付", "date", "{e} is on {v}.", "When is {e}?|On which day is {e}?", "{e}は{v}に行います。", "{e}はいつですか？|{e}は何月何日ですか？"),
    Attribute("event", "starting time", "開始時刻", "clock", "{e} starts at {v}.", "What time does {e} start?", "{e}は{v}に始まります。", "{e}は何時に始まりますか？|{e}は何時からですか？"),
    Attribute("event", "room", "会場", "code", "{e} is held in {v}.", "Where is {e} held?|In which room is {e}?", "{e}の会場は{v}です。", "{e}はどこで行いますか？|{e}の場所は？"),
    Attribute("event", "host", "司会", "person", "{v} leads {e}.", "Who leads {e}?", "{e}は{v}が司会をします。", "{e}の司会は誰ですか？"),
    Attribute("event", "fee", "参加費", "money", "{e} costs {v}.", "How much is {e}?|How much does {e} cost?", "{e}の参加には{v}かかります。", "{e}にはいくらかかりますか？"),
    Attribute("machine", "temperature", "温度", "degrees", "{e} runs at {v}.", "How hot does {e} get?", "{e}は{v}で運転します。", "{e}は何度で運転しますか？"),
    Attribute("machine", "inspection date", "点検日", "date", "{e} is inspected on {v}.", "When is {e} inspected?", "{e}は{v}に点検します。", "{e}の点検はいつですか？"),
    Attribute("machine", "operator", "操作係", "person", "{v} operates {e}.", "Who operates {e}?", "{e}は{v}が操作します。", "{e}は誰が操作しますか？"),
    Attribute("machine", "power", "消費電力", "watts", "{e} needs {v}.", "How much power does {e} need?", "{e}には{v}が必要です。", "{e}は何ワット必要ですか？"),
    Attribute("machine", "part number", "部品番号", "code", "{e} uses part {v}.", "Which part does {e} use?", "{e}には部品{v}を使います。", "{e}にはどの部品を使いますか？"),
    Attribute("procedure", "deadline", "期限", "days", "Hand in {e} within {v}.|Report {e} within {v}.", "How many days do I have for {e}?|How many days do I have to report {e}?|By when must I hand in {e}?", "{e}は{v}以内に提出してください。|{e}は{v}以内に報告してください。", "{e}は何日以内ですか？|{e}は何日以内に報告すればいいですか？|{e}はいつまでですか？"),
    Attribute("procedure", "contact", "担当者", "person", "{v} handles {e}.", "Who handles {e}?|Whom do I ask about {e}?", "{e}は{v}が担当します。", "{e}の担当は誰ですか？|{e}については誰に聞けばいいですか？"),
    Attribute("procedure", "form", "用紙番号", "code", "Use form {v} for {e}.", "Which form do I use for {e}?", "{e}には用紙{v}を使います。", "{e}にはどの用紙を使いますか？"),
    Attribute("procedure", "limit", "上限", "money", "Up to {v} is paid for {e}.", "Up to how much is paid for {e}?|What is the most that is paid for {e}?", "{e}には{v}まで出ます。", "{e}はいくらまでですか？"),
    Attribute("procedure", "counter", "窓口", "code", "{e} are handled at counter {v}.", "Where do I go for {e}?", "{e}は窓口{v}で受け付けます。", "{e}はどこで受け付けていますか？"),
    Attribute("project", "leader", "責任者", "person", "{v} leads {e}.", "Who leads {e}?", "{e}は{v}が率いています。", "{e}の責任者は誰ですか？"),
    Attribute("project", "budget", "予算", "money", "{e} may spend {v}.", "How much may {e} spend?", "{e}は{v}まで使えます。", "{e}はいくら使えますか？"),
    Attribute("project", "end date", "終了日", "date", "{e} ends on {v}.", "When does {e} end?", "{e}は{v}に終わります。", "{e}はいつ終わりますか？"),
    Attribute("project", "size", "人数", "people", "{v} work on {e}.", "How many people work on {e}?", "{e}には{v}が参加しています。", "{e}には何人が参加していますか？"),
    Attribute("project", "customer", "顧客", "name", "{e} is for {v}.", "Who is {e} for?", "{e}の依頼主は{v}です。", "{e}の依頼主はどこですか？"),
)  # fmt: skip
UNSEEN_ATTRIBUTES = (  # held out
    Attribute("product", "batch number", "ロット番号", "code"),
    Attribute("place", "door code", "ドア番号", "extension"),
    Attribute("person", "locker", "ロッカー番号", "code"),
    Attribute("event", "sponsor", "協賛", "name"),
    Attribute("machine", "supplier", "仕入先", "name"),
    Attribute("procedure", "fax number", "ファクス番号", "extension"),
    Attribute("project", "password", "合言葉", "name"),
)
KINDS = tuple(dict.fromkeys(a.kind for a in ATTRIBUTES))

# {w} a made-up word, {c} a code, {p} a person, {x} a describing word
ENTITIES = {
    "en": {
        "product": split("{w}|{w}|{w} tea|{w} rice|the {w} lamp|the {w} chair|model {c}|the {x} cup|the {x} bag|the {x} desk"),
        "place": split("the {w} room|the {w} shop|the {w} library|the {w} hall|room {c}|the {x} kitchen|the {x} garage|the {x} office"),
        "person": split("{p}"),
        "event": split("the {w} meeting|the {w} party|the {w} course|the {w} concert|the {x} lecture|the {x} race"),
        "machine": split("the {w} pump|the {w} printer|the {w} oven|machine {c}|the {x} motor|the {x} press"),
        "procedure": split("{w} forms|{w} cards|{x} permits|{x} passes|{x} repairs|{x} invoices|{x} claims"),
        "project": split("project {w}|project {w}|project {c}|the {w} project|the {x} project"),
    },
    "ja": {
        "product": split("{w}|{w}|{w}茶|{w}米|{w}ランプ|{w}いす|型番{c}|{x}カップ|{x}かばん|{x}机"),
        "place": split("{w}室|{w}店|{w}図書館|{w}ホール|{c}室|{x}台所|{x}車庫|{x}事務所"),
        "person": split("{p}さん"),
        "event": split("{w}会議|{w}パーティー|{w}講座|{w}コンサート|{x}講演|{x}大会"),
        "machine": split("{w}ポンプ|{w}プリンター|{w}オーブン|{c}号機|{x}モーター|{x}プレス機"),
        "procedure": split("{w}申込書|{w}カード|{x}許可証|{x}通行証|{x}修理|{x}請求書|{x}申告"),
        "project": split("{w}計画|{w}計画|{c}計画|{w}プロジェクト|{x}プロジェクト"),
    },
}  # fmt: skip
DESCRIBING = {
    "en": split("round|square|long|large|small|old|new|north|south|upper|lower|summer|winter|night|guest|spare"),
    "ja": split("丸い|四角い|長い|大型の|小型の|旧型の|新型の|北の|南の|上の|下の|夏の|冬の|夜の|来客用の|予備の"),
}  # fmt: skip


def entity(r: random.Random, lang: str, kind: str, unseen: bool = False) -> str:
    """'the Velko room', '型番B204'; unseen ones always hold a word that is never trained on."""
    frames = [f for f in ENTITIES[lang][kind] if not (unseen and "{x}" in f)]
    text = r.choice(frames)
    if "{w}" in text:
        return text.format(w=made_up(r, lang, unseen))
    if "{c}" in text:
        return text.format(c=code(r, unseen))
    if "{p}" in text:
        return text.format(p=person(r, lang, unseen))
    return text.format(x=r.choice(DESCRIBING[lang]))


# ---- facts ----


@dataclass(frozen=True)
class Fact:
    """One thing that a document says."""

    entity: str
    attribute: Attribute
    value: str

    @property
    def subject(self) -> tuple[str, str]:
        return self.entity, self.attribute.en

    @property
    def is_held_out(self) -> bool:
        """In training it may stand in a document, and nobody asks for it."""
        return wording.is_held_out("fact", self.entity, self.attribute.en, self.value)


def draw_facts(
    r: random.Random, lang: str, size: int, unseen: bool, alike: bool = False
) -> tuple[list[Fact], list[tuple[str, Attribute]]]:
    """(facts, what the document leaves out though it names both the entity and, if it can, the attribute).

    alike: as many entities as facts, so that only the entity tells which value is meant.
    """
    kind = r.choice(KINDS)
    attributes = [a for a in ATTRIBUTES if a.kind == kind]
    if unseen and r.random() < 0.3:
        attributes += [a for a in UNSEEN_ATTRIBUTES if a.kind == kind]
    n_entities = min(size, r.choice((1, 2, 2, 2, 3))) if size < 6 else r.choice((3, 4))
    n_entities = size if alike else n_entities
    entities = list(dict.fromkeys(entity(r, lang, kind, unseen) for _ in range(n_entities)))
    width = -(-size // len(entities)) + (r.random() < 0.5)
    chosen = r.sample(attributes, min(width, len(attributes)))
    grid = [(e, a) for e in entities for a in chosen]
    kept = set(r.sample(range(len(grid)), min(size, len(grid))))
    facts = [
        Fact(e, a, VALUES[a.value](r, lang, unseen)) for i, (e, a) in enumerate(grid) if i in kept
    ]
    named = list(dict.fromkeys(f.entity for f in facts))
    left_out = [(e, a) for i, (e, a) in enumerate(grid) if i not in kept and e in named]
    others = [a for a in attributes if a not in chosen]
    left_out = left_out or [(e, r.choice(others)) for e in named if others]
    stated = {f.subject for f in facts}  # "When is it?" is answered by a starting time
    left_out = [x for x in left_out if x[1].en != "date" or (x[0], "starting time") not in stated]
    stranger = entity(r, lang, kind, unseen)
    if stranger not in named:
        left_out.append((stranger, facts[0].attribute))
    return facts, left_out


@dataclass(frozen=True)
class DocumentSample(Sample):
    """With what training needs to show where an answer stands (`mame.pointers`)."""

    facts: tuple[Fact, ...] = ()
    asked: tuple[tuple[str, str], ...] = ()  # entity and attribute of each question, in turn


# ---- from facts to text ----

SAY = {
    "en": ("The {a} of {e} is {v}.", "The {a} of {e} is {v}.", "For {e}, the {a} is {v}."),
    "ja": ("{e}の{a}は{v}です。", "{e}の{a}は{v}です。", "{e}は、{a}が{v}です。"),
}
ASK = {
    "en": (
        "What is the {a} of {e}?",
        "What is the {a} of {e}?",
        "What is the {a} of {e}?",
        "Tell me the {a} of {e}.",
        "The {a} of {e}?",
        "What {a} does the document give for {e}?",
        "Please look up the {a} of {e}.",
        "Find the {a} of {e}.",
        "{e}: {a}?",
        "Could you tell me the {a} of {e}?",
        "According to this, what is the {a} of {e}?",
        "What does it say about the {a} of {e}?",
        "I am looking for the {a} of {e}.",
        "Do you see the {a} of {e}?",
        "Give me the {a} of {e}, please.",
    ),
    "ja": (
        "{e}の{a}は？",
        "{e}の{a}は？",
        "{e}の{a}を教えてください。",
        "{e}の{a}は何ですか？",
        "{e}の{a}を答えてください。",
        "{e}の{a}はどう書かれていますか？",
        "{e}の{a}がわかりますか？",
        "{e}の{a}を調べてください。",
        "{e}：{a}は？",
        "{e}について、{a}を教えてください。",
        "これによると、{e}の{a}は何ですか？",
        "{e}の{a}を確認したいです。",
        "{e}の{a}は何と書いてありますか？",
        "{e}の{a}を探しています。",
        "{e}の{a}をお願いします。",
    ),
}
ASK_TYPE = {  # by what the value is
    "en": {
        "person": "Who is the {a} of {e}?",
        "date": "When is the {a} of {e}?",
        "money": "How much is the {a} of {e}?",
        "clock": "What time is the {a} of {e}?",
    },
    "ja": {
        "person": "{e}の{a}は誰ですか？",
        "date": "{e}の{a}はいつですか？",
        "money": "{e}の{a}はいくらですか？",
        "clock": "{e}の{a}は何時ですか？",
        "extension": "{e}の{a}は何番ですか？",
        "code": "{e}の{a}は何番ですか？",
        "mass": "{e}の{a}は何キロですか？",
        "people": "{e}の{a}は何人ですか？",
        "days": "{e}の{a}は何日ですか？",
        "degrees": "{e}の{a}は何度ですか？",
        "watts": "{e}の{a}は何ワットですか？",
    },
}
NEW_ASK = {  # held out
    "en": ("I need the {a} of {e}.", "Which {a} is written down for {e}?"),
    "ja": ("{e}の{a}が知りたいです。", "{e}の{a}はどうなっていますか？"),
}
CHATTER = {  # sentences that answer nothing
    "en": split(
        "Please read this page with care.|Thank you for your help.|This page was checked last week.|Questions are welcome.|We wish you a good day.|Please keep this page.|"
        "There was a small change in spring.|Nothing else has changed.|Everybody was happy with it.|Please tell your colleagues.|More will follow soon.|The rest stays as it was."
    ),
    "ja": split(
        "このページをよくお読みください。|ご協力ありがとうございます。|先週、内容を確認しました。|質問を歓迎します。|よい一日をお過ごしください。|このページは保管してください。|"
        "春に少し変更がありました。|ほかに変更はありません。|皆さんに好評でした。|同僚にも伝えてください。|詳しくは後日お知らせします。|そのほかは従来どおりです。"
    ),
}
TITLES = {
    "en": split("Notice|Memo|Guide|Information|Overview|Notes|List|Handbook|Page 3|Update"),
    "ja": split("お知らせ|メモ|案内|情報|概要|覚え書き|一覧|手引き|3ページ|連絡"),
}


def upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


def state(frame: str, fact: Fact, lang: str) -> str:
    """('The {a} of {e} is {v}.', fact) → 'The price of Velko is 340 yen.'"""
    text = frame.format(e=fact.entity, a=fact.attribute.noun(lang), v=fact.value)
    return text if frame.startswith("{v}") else upper_first(text)


def write(r: random.Random, lang: str, facts: list[Fact]) -> str:
    """The document: sentences, or a card or a list with one entity in each block."""
    style = r.random()
    if style < 0.62:
        own = r.random() < 0.5  # one way of speaking throughout
        sentences = [
            state(r.choice((own and f.attribute.say(lang)) or SAY[lang]), f, lang) for f in facts
        ]
        if r.random() < 0.3:
            r.shuffle(sentences)
        for _ in range(r.choice((0, 0, 0, 1, 1, 2))):
            sentences.insert(r.randint(0, len(sentences)), r.choice(CHATTER[lang]))
        text = r.choice((" ", " ", "\n") if lang == "en" else ("", "", "\n")).join(sentences)
        return f"{r.choice(TITLES[lang])}\n{text}" if r.random() < 0.15 else text
    colon, comma = (": ", ", ") if lang == "en" else ("：", "、")
    blocks = []
    for name in dict.fromkeys(f.entity for f in facts):
        own_facts = [f for f in facts if f.entity == name]
        if style < 0.82:
            lines = [upper_first(f.attribute.noun(lang)) + colon + f.value for f in own_facts]
            blocks.append("\n".join([upper_first(name), *lines]))
        else:
            space = " " if lang == "en" else ""
            items = [f"{f.attribute.noun(lang)}{space or ' '}{f.value}" for f in own_facts]
            blocks.append(f"- {upper_first(name)}{colon}{comma.join(items)}")
    return ("\n\n" if style < 0.82 else "\n").join(blocks)


def ask(r: random.Random, lang: str, name: str, attribute: Attribute, new: bool = False) -> str:
    frames: tuple[str, ...] | list[str] = NEW_ASK[lang] if new else ASK[lang]
    if not new and attribute.ask(lang) and r.random() < 0.5:
        frames = attribute.ask(lang)
    elif not new and attribute.value in ASK_TYPE[lang] and r.random() < 0.3:
        frames = (ASK_TYPE[lang][attribute.value],)
    text = upper_first(r.choice(frames).format(e=name, a=attribute.noun(lang)))
    return text.rstrip("?？") if not new and r.random() < 0.08 else text


FORMS = {  # how document and question share the user's turn
    "en": (
        "Document:\n{d}\n\nQuestion: {q}",
        "Document:\n{d}\n\nQuestion: {q}",
        "Document: {d}\nQuestion: {q}",
        "{d}\n\nQuestion: {q}",
        "{d}\n\n{q}",
        "Text:\n{d}\n\nQuestion: {q}",
        "Context: {d}\nQuestion: {q}",
        "<document>\n{d}\n</document>\n\nQuestion: {q}",
        "Read the document and answer the question.\n\n{d}\n\nQuestion: {q}",
        "Answer only from the document.\n\nDocument:\n{d}\n\nQuestion: {q}",
        "Use this document.\n{d}\n\n{q}",
        "[{id}]\n{d}\n\nQuestion: {q}",
        "Document [{id}]:\n{d}\n\nQuestion: {q}",
        "This is the page:\n{d}\n\nWhat I want to know: {q}",
        "Please answer from the text below.\n\n{d}\n\n{q}",
        "Page:\n{d}\n\nPlease answer: {q}",
        "{q}\n\nDocument:\n{d}",
        "Notes:\n{d}\n---\n{q}",
        "I have this memo:\n{d}\n\nMy colleague asks: {q}",
        "Look into this text and answer.\n{d}\n\nQuestion: {q}",
    ),
    "ja": (
        "資料：\n{d}\n\n質問：{q}",
        "資料：\n{d}\n\n質問：{q}",
        "資料：{d}\n質問：{q}",
        "{d}\n\n質問：{q}",
        "{d}\n\n{q}",
        "文章：\n{d}\n\n質問：{q}",
        "文書：{d}\n質問：{q}",
        "<document>\n{d}\n</document>\n\n質問：{q}",
        "資料を読んで質問に答えてください。\n\n{d}\n\n質問：{q}",
        "資料だけを使って答えてください。\n\n資料：\n{d}\n\n質問：{q}",
        "次の資料を使ってください。\n{d}\n\n{q}",
        "[{id}]\n{d}\n\n質問：{q}",
        "資料[{id}]：\n{d}\n\n質問：{q}",
        "次のページを見てください。\n{d}\n\n聞きたいこと：{q}",
        "下の文章から答えてください。\n\n{d}\n\n{q}",
        "ページ：\n{d}\n\n次に答えてください：{q}",
        "{q}\n\n資料：\n{d}",
        "メモ：\n{d}\n---\n{q}",
        "手元にこのメモがあります。\n{d}\n\n同僚からの質問：{q}",
        "この文章で調べて答えてください。\n{d}\n\n質問：{q}",
    ),
}
NEW_FORMS = {  # held out
    "en": (
        "Here is a document:\n{d}\n\nMy question: {q}",
        "Source:\n{d}\n\nPlease answer this question from the source: {q}",
    ),
    "ja": (
        "資料は次のとおりです。\n{d}\n\n知りたいこと：{q}",
        "参考資料：\n{d}\n\nこの資料をもとに答えてください：{q}",
    ),
}
SYSTEM = {
    "en": (
        "Answer only from the document.",
        "Answer only from the document. If it does not say, say so.",
        "Use only the document to answer.",
        "Answer with the words of the document.",
        "You answer questions about documents.",
        "You are the help desk. Answer from the document.",
        "Answer the question from the document, briefly.",
        "You look things up in documents.",
        "Only what the document states counts. Answer from it.",
        "Quote the value from the text, nothing else.",
        "Do not use your own knowledge: the answer stands in the document.",
        "Be a search assistant for our documents.",
        "Read carefully and answer with what is written.",
        "If something is missing from the document, say so.",
    ),
    "ja": (
        "資料だけをもとに答えてください。",
        "資料だけをもとに答えてください。書かれていなければ、そう答えてください。",
        "資料の内容だけを使って答えてください。",
        "資料の言葉で答えてください。",
        "資料についての質問に答えてください。",
        "あなたはヘルプデスクです。資料をもとに答えてください。",
        "資料を読んで、質問に短く答えてください。",
        "あなたは資料を調べる係です。",
        "資料に書かれたことだけを答えてください。",
        "文章にある値だけを答えてください。",
        "自分の知識は使わず、資料から答えてください。",
        "あなたは社内文書の検索係です。",
        "よく読んで、書いてあるとおりに答えてください。",
        "資料にないことは、ないと答えてください。",
    ),
}
NEW_SYSTEM = {  # held out
    "en": ("Take every answer from the given document and from nowhere else.",),
    "ja": ("与えられた資料以外の知識は使わずに答えてください。",),
}


def put(r: random.Random, lang: str, document: str, question: str, new: bool = False) -> str:
    """The user's turn."""
    form = r.choice(NEW_FORMS[lang] if new else FORMS[lang])
    return form.format(d=document, q=question, id=f"{r.choice('ABDHR')}{r.randint(1, 99):02d}")


def beside_another(r: random.Random, lang: str, page: str, entities: set[str], unseen: bool) -> str:
    """As a search hands pages over: the right one and one about other things, half of the time each under its id."""
    while True:
        facts, _ = draw_facts(r, lang, r.choice((1, 2, 3)), unseen)
        if not entities & {f.entity for f in facts}:
            break
    pages = [page, write(r, lang, facts)]
    r.shuffle(pages)
    if r.random() < 0.5:
        first = r.randint(1, 90)
        pages = [f"[D{first + 3 * i:02d}]\n{text}" for i, text in enumerate(pages)]
    return "\n\n".join(pages)


def draw(
    r: random.Random,
    lang: str,
    new: bool = False,
    *,
    unseen: bool = False,
    facts: int | None = None,
    answerable: bool | None = None,
    earlier: int = 0,
    alike: bool = False,
) -> Sample:
    """A document with its question, after `earlier` other questions about the same document.

    `new` holds out the fact that is asked for, `unseen` also every name in the document; `facts` sets how many facts
    it has (1 to 12; by itself mostly 1 to 4), `answerable` whether it says what is asked (by itself 70 % of the time);
    `alike` gives every fact another entity, often with one attribute for all.
    """
    new = new or unseen
    if answerable is None:
        answerable = r.random() >= NOT_SAID_SHARE
    size = facts or r.choices(SIZES, weights=SIZE_WEIGHTS)[0]
    while True:
        stated, left_out = draw_facts(r, lang, size, unseen, alike)
        asked = [f for f in stated if f.is_held_out == new] if answerable else []
        if asked if answerable else left_out:
            break
    fact = r.choice(asked) if answerable else None
    name, attribute = (fact.entity, fact.attribute) if fact else r.choice(left_out)
    question = ask(r, lang, name, attribute, new=new and r.random() < 0.25)
    document = write(r, lang, stated)
    if 2 < size < 8 and r.random() < 0.2:
        document = beside_another(r, lang, document, {name, *(f.entity for f in stated)}, unseen)
    systems = NEW_SYSTEM[lang] if new and r.random() < 0.5 else SYSTEM[lang]
    before = [Message("system", r.choice(systems))] if r.random() < 0.3 else []
    trained = [(f.entity, f.attribute, f.value) for f in stated if not f.is_held_out]
    trained += [(e, a, NOT_SAID[lang]) for e, a in r.sample(left_out, min(2, len(left_out)))]
    others = [x for x in trained if x[:2] != (name, attribute)]
    others = r.sample(others, min(earlier, len(others)))
    asked_in_turn = [ask(r, lang, e, a) for e, a, _ in others] + [question]
    asked_in_turn[0] = put(r, lang, document, asked_in_turn[0], new=new and r.random() < 0.25)
    for (_, _, value), earlier_question in zip(others, asked_in_turn, strict=False):
        before += [Message("user", earlier_question), Message("assistant", value)]
    return DocumentSample(
        SKILL,
        lang,
        asked_in_turn[-1],
        fact.value if fact else NOT_SAID[lang],
        key="said" if fact else "not said",
        before=tuple(before),
        facts=tuple(stated),
        asked=(*((e, a.en) for e, a, _ in others), (name, attribute.en)),
    )


def bare(answer: str) -> str:
    """'14:30.' → '14:30'; '340円です。' → '340円': a full stop or です around the value is no mistake."""
    return normalise(answer).removesuffix("。").removesuffix(".").removesuffix("です")


def is_right(sample: Sample, answer: str) -> bool:
    return bare(answer) == bare(sample.answer)
