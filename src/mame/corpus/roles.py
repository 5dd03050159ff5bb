"""Skill M3: planner, solver and translator, chosen by the system prompt alone.

The pipe of lesson 05: a task → planner → three numbered lines → solver → three sentences → translator → the same
sentences in the other language. The parts are a phrase table with places to fill:

- planner: line 2 is the task itself; what comes before and after it belongs to the verb (`TASKS`);
- solver: each line of a plan, or a bare task, as a sentence in the past, in the language it came in;
- translator: sentences, a task or a plan, phrase by phrase, into the language that its system prompt names.

Nouns in `NOUNS` are translated; every other one (invented, a name, a word in the other script) is carried through
as it stands. Held out: one in eight pairs of task and noun, one in eight invented words, and `NEW_SYSTEM`.
"""

# ruff: noqa: E501  a line of the corpus is one thing somebody may say

import itertools
import random
import re
from dataclasses import dataclass

from mame.corpus import invented, wording
from mame.corpus.role_prompts import WRITTEN
from mame.corpus.sample import Message, Sample, normalise

SKILL = "roles"
ROLES = ("planner", "solver", "translator")
OTHER = {"en": "ja", "ja": "en"}

# 1) The phrase table

# English: "verb>past rest"; Japanese: "rest verb", where a verb of the first, second or irregular kind
# ends in "る1", "る5" (or another kana and 5) or "する".
STEPS = {
    "price": ("check>checked the price", "値段を確認する"),
    "stock": ("check>checked the stock", "在庫を確認する"),
    "list": ("make>made a list", "一覧を作る5"),
    "day": ("choose>chose a day", "日を選ぶ5"),
    "tools": ("get>got the tools", "道具を用意する"),
    "gloves": ("put on>put on gloves", "手袋をはめる1"),
    "label": ("write>wrote a label", "ラベルを書く5"),
    "box": ("get>got a box", "箱を用意する"),
    "place": ("make>made some space", "場所を空ける1"),
    "address": ("check>checked the address", "宛先を確認する"),
    "manual": ("read>read the manual", "説明書を読む5"),
    "power": ("turn off>turned off the power", "電源を切る5"),
    "ask": ("ask>asked a colleague", "同僚に聞く5"),
    "search": ("search>searched the shelf", "棚を探す5"),
    "camera": ("get>got the camera", "カメラを用意する"),
    "notes": ("read>read the notes", "メモを読む5"),
    "copy": ("make>made a copy", "コピーを取る5"),
    "record": ("write>wrote it down", "記録を付ける1"),
    "report": ("report>reported the result", "結果を報告する"),
    "photo": ("take>took a photo", "写真を撮る5"),
    "waste": ("take out>took out the waste", "ごみを出す5"),
    "lock": ("lock>locked the door", "ドアに鍵をかける1"),
    "mail": ("send>sent an email", "メールを送る5"),
    "number": ("note>noted the number", "番号を控える1"),
    "date": ("note>noted the date", "日付を控える1"),
    "result": ("check>checked the result", "結果を確認する"),
    "thanks": ("say>said thank you", "お礼を言う5"),
    "tidy": ("tidy up>tidied up", "片付けをする"),
    "bill": ("keep>kept the receipt", "領収書を取っておく5"),
    "apron": ("put on>put on an apron", "エプロンを着ける1"),
    "file": ("save>saved the file", "ファイルを保存する"),
}
# key: before, English, Japanese, after, groups of nouns that suit it. {o} a noun, {n} a number, {w} a person, {p} a place.
TASKS = {
    "clean": ("tools", "clean>cleaned the {o}", "{o}を掃除する", "waste", "rt"),
    "order": ("price", "order>ordered {n} bags of {o}", "{o}を{n}袋注文する", "date", "f"),
    "prepare": ("list", "prepare>prepared the {o}", "{o}を準備する", "result", "ept"),
    "send": ("address", "send>sent the {o} to {w}", "{w}に{o}を送る5", "number", "pt"),
    "check": ("notes", "check>checked the {o}", "{o}を確認する", "report", "eprtf"),
    "move": ("place", "move>moved the {o} to {p}", "{o}を{p}に運ぶ5", "photo", "tf"),
    "buy": ("price", "buy>bought {n} boxes of {o}", "{o}を{n}箱買う5", "bill", "f"),
    "sell": ("stock", "sell>sold {n} bags of {o}", "{o}を{n}袋売る5", "record", "f"),
    "repair": ("power", "repair>repaired the {o}", "{o}を修理する", "result", "t"),
    "count": ("list", "count>counted the {o}", "{o}を数える1", "record", "tf"),
    "wash": ("gloves", "wash>washed the {o}", "{o}を洗う5", "tidy", "t"),
    "paint": ("tools", "paint>painted the {o}", "{o}を塗る5", "photo", "rt"),
    "show": ("day", "show>showed the {o} to {w}", "{w}に{o}を見せる1", "thanks", "prt"),
    "lend": ("date", "lend>lent the {o} to {w}", "{w}に{o}を貸す5", "record", "pt"),
    "borrow": ("ask", "borrow>borrowed the {o} from {w}", "{w}から{o}を借りる1", "thanks", "pt"),
    "pack": ("box", "pack>packed the {o}", "{o}を梱包する", "label", "tfp"),
    "open": ("manual", "open>opened the {o}", "{o}を開ける1", "photo", "rt"),
    "close": ("stock", "close>closed the {o}", "{o}を閉める1", "lock", "rt"),
    "find": ("ask", "find>found the {o}", "{o}を見つける1", "report", "pt"),
    "test": ("manual", "test>tested the {o}", "{o}をテストする", "report", "t"),
    "copy": ("file", "copy>copied the {o}", "{o}をコピーする", "tidy", "p"),
    "draw": ("camera", "draw>drew the {o}", "{o}を描く5", "file", "rt"),
    "sort": ("place", "sort>sorted the {o}", "{o}を分類する", "list", "pft"),
    "weigh": ("tools", "weigh>weighed the {o}", "{o}を量る5", "record", "tf"),
    "roast": ("apron", "roast>roasted {n} bags of {o}", "{o}を{n}袋焙煎する", "result", "f"),
    "return": ("address", "return>returned the {o} to {w}", "{w}に{o}を返す5", "thanks", "pt"),
    "explain": ("notes", "explain>explained the {o} to {w}", "{w}に{o}を説明する", "mail", "pe"),
    "choose": ("list", "choose>chose the {o}", "{o}を選ぶ5", "mail", "ptfe"),
    "study": ("notes", "study>studied the {o}", "{o}を調べる1", "report", "pte"),
    "replace": ("power", "replace>replaced the {o}", "{o}を交換する", "waste", "t"),
    "photograph": ("camera", "photograph>photographed the {o}", "{o}を撮影する", "file", "rtf"),
    "deliver": (
        "address",
        "deliver>delivered {n} boxes of {o} to {p}",
        "{p}に{o}を{n}箱配達する",
        "bill",
        "f",
    ),
    "store": (
        "place",
        "store>stored {n} boxes of {o} in {p}",
        "{p}に{o}を{n}箱保管する",
        "label",
        "f",
    ),
    "plan": ("day", "plan>planned the {o}", "{o}を計画する", "mail", "e"),
    "cancel": ("number", "cancel>cancelled the {o}", "{o}を取り消す5", "mail", "e"),
    "reserve": ("day", "reserve>reserved the {o}", "{o}を予約する", "number", "er"),
    "water": ("gloves", "water>watered the {o}", "{o}に水をやる5", "tidy", "g"),
    "taste": ("apron", "taste>tasted the {o}", "{o}を味見する", "record", "f"),
    "mix": ("apron", "mix>mixed {n} bags of {o}", "{o}を{n}袋混ぜる1", "tidy", "f"),
    "hang": ("tools", "hang>hung the {o} in {p}", "{p}に{o}を掛ける1", "photo", "h"),
    "bring": ("search", "bring>brought the {o} to {w}", "{w}に{o}を届ける1", "thanks", "ptf"),
    "throw": ("ask", "throw away>threw away the {o}", "{o}を捨てる1", "tidy", "pt"),
    "install": ("manual", "install>installed the {o}", "{o}を設置する", "result", "t"),
    "translate": ("notes", "translate>translated the {o}", "{o}を翻訳する", "file", "p"),
    "print": ("file", "print>printed {n} copies of the {o}", "{o}を{n}部印刷する", "copy", "p"),
}
NOUNS = {  # English: Japanese and the groups that TASKS name: food, event, room, paper, garden, to hang up, thing
    "warehouse": ("倉庫", "r"),
    "azuki": ("小豆", "f"),
    "soybeans": ("大豆", "f"),
    "coffee": ("コーヒー", "f"),
    "tea": ("お茶", "f"),
    "rice": ("米", "f"),
    "sugar": ("砂糖", "f"),
    "samples": ("見本", "t"),
    "study meeting": ("勉強会", "e"),
    "meeting room": ("会議室", "r"),
    "printer": ("プリンター", "t"),
    "server": ("サーバー", "t"),
    "laptop": ("ノートパソコン", "t"),
    "window": ("窓", "t"),
    "sign": ("看板", "ht"),
    "shelf": ("棚", "t"),
    "kitchen": ("台所", "r"),
    "office": ("事務所", "r"),
    "poster": ("ポスター", "ph"),
    "menu": ("メニュー", "p"),
    "report": ("報告書", "p"),
    "contract": ("契約書", "p"),
    "invoice": ("請求書", "p"),
    "letter": ("手紙", "p"),
    "parcel": ("小包", "t"),
    "catalogue": ("カタログ", "p"),
    "camera stand": ("三脚", "t"),
    "clock": ("時計", "ht"),
    "table": ("机", "t"),
    "chairs": ("いす", "t"),
    "cups": ("コップ", "t"),
    "plates": ("皿", "t"),
    "flowers": ("花", "gt"),
    "garden": ("庭", "rg"),
    "truck": ("トラック", "t"),
    "bicycle": ("自転車", "t"),
    "roaster": ("焙煎機", "t"),
    "scale": ("はかり", "t"),
    "machine": ("機械", "t"),
    "battery": ("電池", "t"),
    "lamp": ("ランプ", "ht"),
    "key": ("鍵", "t"),
    "map": ("地図", "ph"),
    "curtain": ("カーテン", "ht"),
    "party": ("パーティー", "e"),
    "lesson": ("授業", "e"),
    "survey": ("アンケート", "e"),
    "website": ("ウェブサイト", "p"),
    "photo album": ("アルバム", "p"),
    "recipe": ("レシピ", "p"),
    "bean cakes": ("豆菓子", "f"),
    "black beans": ("黒豆", "f"),
    "flour": ("小麦粉", "f"),
    "salt": ("塩", "f"),
    "boxes": ("箱", "t"),
    "bottles": ("瓶", "t"),
    "tickets": ("切符", "t"),
    "umbrella": ("傘", "t"),
    "first-aid kit": ("救急箱", "t"),
    "notebook": ("手帳", "p"),
    "sesame": ("ごま", "f"),
    "chickpeas": ("ひよこ豆", "f"),
    "lecture": ("講演会", "e"),
    "tour": ("見学会", "e"),
    "workshop": ("講習会", "e"),
    "interview": ("面接", "e"),
    "library": ("図書室", "r"),
    "storeroom": ("物置", "r"),
    "tree": ("木", "g"),
    "field": ("畑", "g"),
}
PEOPLE = {
    "Aoi": "葵さん",
    "Ken": "健さん",
    "Yui": "結衣さん",
    "Sato": "佐藤さん",
    "Suzuki": "鈴木さん",
    "Tanaka": "田中さん",
    "the manager": "店長",
    "the customer": "お客様",
    "the accountant": "経理",
    "the help desk": "ヘルプデスク",
}
PLACES = {
    "Osaka": "大阪",
    "Kyoto": "京都",
    "Tokyo": "東京",
    "Nagoya": "名古屋",
    "the shop": "店",
    "the entrance": "玄関",
    "the second floor": "二階",
    "the health room": "医務室",
    "the factory": "工場",
    "the cellar": "地下室",
}
NOT_IN = ("the entrance", "the second floor")  # at the one, on the other
TIMES = {  # stands last in English, first in Japanese
    "on Monday": "月曜日に",
    "on Friday": "金曜日に",
    "by noon": "正午までに",
    "by Thursday": "木曜日までに",
    "in the morning": "朝に",
    "in the evening": "夕方に",
    "after lunch": "昼食後に",
    "at 3 o'clock": "3時に",
}
ODD_NOUNS = {  # words that nothing translates, beside the invented ones
    "en": (
        "Kotatsu X",
        "Mamepon",
        "Type-B filter",
        "NX-20",
        "Lumira",
        "倉庫",
        "看板",
        "花瓶",
        "木箱",
        "Orbit 7",
    ),
    "ja": (
        "マメポン",
        "コタツX",
        "B型フィルター",
        "NX-20",
        "ルミラ",
        "warehouse",
        "poster",
        "vase",
        "オービット7",
    ),
}
NEW_ODD_NOUNS = {
    "en": ("Hinoki 3", "trellis", "QR-8", "Karuta set", "絵馬", "茶碗"),
    "ja": ("ヒノキ3", "トレリス", "QR-8", "カルタ", "風鈴", "sundial"),
}

TE = dict(
    zip("うくぐすつぬぶむる", "って いて いで して って んで んで んで って".split(), strict=True)
)
MASU = dict(zip("うくぐすつぬぶむる", "いきぎしちにびみり", strict=True))


@dataclass(frozen=True)
class Phrase:
    """One thing to do, with its places still empty or already filled: what a line, a sentence, a task say."""

    en: str  # "send>sent the samples to Aoi"
    ja: str  # "葵さんに見本を送る5"

    def order(self, lang: str) -> str:
        """'Send the samples to Aoi', '葵さんに見本を送る'"""
        if lang == "en":
            verb, rest = self.verb_and_rest()
            return capital(verb.partition(">")[0] + rest)
        return self.ja.rstrip("15")

    def report(self, lang: str) -> str:
        """'I sent the samples to Aoi.', '葵さんに見本を送りました。'"""
        if lang == "en":
            verb, rest = self.verb_and_rest()
            return f"I {verb.partition('>')[2]}{rest}."
        if self.ja.endswith("する"):
            return self.ja[:-2] + "しました。"
        if self.ja.endswith("1"):
            return self.ja[:-2] + "ました。"
        return self.ja[:-2] + MASU[self.ja[-2]] + "ました。"

    def request(self, lang: str) -> str:
        """'Please send the samples to Aoi', '葵さんに見本を送ってください'"""
        if lang == "en":
            return "Please " + self.order("en")[:1].lower() + self.order("en")[1:]
        if self.ja.endswith("する"):
            return self.ja[:-2] + "してください"
        te = self.ja[:-2] + ("て" if self.ja.endswith("1") else TE[self.ja[-2]])
        return te + "ください"

    def verb_and_rest(self) -> tuple[str, str]:
        """'put on>put on gloves' → ('put on>put on', ' gloves'): the past has as many words as the verb."""
        base, _, tail = self.en.partition(">")
        words = tail.split(" ")
        n = len(base.split(" "))
        rest = " ".join(words[n:])
        return f"{base}>{' '.join(words[:n])}", f" {rest}" if rest else ""


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


STEP = {key: Phrase(*pair) for key, pair in STEPS.items()}


@dataclass(frozen=True)
class Job:
    """A task with what belongs before and after it."""

    before: Phrase
    main: Phrase
    after: Phrase
    unknown: tuple[str, ...] = ()  # the noun that nothing translates

    def task(self, lang: str) -> str:
        return self.main.order(lang)

    def plan(self, lang: str) -> str:
        """'1. Check the price\\n2. Order 12 bags of azuki\\n3. Note the date'"""
        return "\n".join(f"{i}. {p.order(lang)}" for i, p in enumerate(self.phrases, 1))

    def report(self, lang: str) -> str:
        return (" " if lang == "en" else "").join(p.report(lang) for p in self.phrases)

    @property
    def phrases(self) -> tuple[Phrase, Phrase, Phrase]:
        return self.before, self.main, self.after


# 2) What fills the places


def unknown_noun(r: random.Random, lang: str, new: bool) -> str:
    """A word that nothing translates: 'zelko', 'ゼルコ', 'NX-20'; new: one that training never shows."""
    if r.random() < 0.15:
        return r.choice((NEW_ODD_NOUNS if new else ODD_NOUNS)[lang])
    return (
        invented.latin(r, (2, 2, 3), new) if lang == "en" else invented.kana(r, (2, 3, 3, 4), new)
    )


def draw_job(r: random.Random, lang: str, new: bool, unseen: bool) -> Job:
    """unseen: the noun is one that is carried through; with new, one that training never shows."""
    key = r.choice(list(TASKS))
    before, english, japanese, after, _ = TASKS[key]
    if unseen:
        nouns = (unknown_noun(r, lang, new),) * 2
    else:
        nouns = r.choice(
            suitable_nouns(
                key, new, all_groups=not new and "{n}" not in english and r.random() < 0.2
            )
        )
    if lang == "en" and r.random() < 0.3:
        english = english.replace("the {o}", article(r, nouns[0]) + " {o}")
    number = r.randint(2, 99)
    places = [p for p in PLACES.items() if " in {p}" not in english or p[0] not in NOT_IN]
    person, place = r.choice(list(PEOPLE.items())), r.choice(places)
    english, japanese = (
        text.format(o=nouns[i], n=number, w=person[i], p=place[i])
        for i, text in enumerate((english, japanese))
    )
    if r.random() < 0.15:
        time = r.choice(list(TIMES.items()))
        english, japanese = f"{english} {time[0]}", time[1] + japanese
    unknown = (nouns[0],) if unseen else ()
    return Job(STEP[before], Phrase(english, japanese), STEP[after], unknown)


def suitable_nouns(key: str, new: bool, all_groups: bool = False) -> list[tuple[str, str]]:
    """(English, Japanese) of the nouns that make sense with a task, either the trained or the held-out pairs.

    One noun in eight would leave some tasks without a pair; those give up their last one.
    """
    pairs = [
        (english, japanese)
        for english, (japanese, groups) in NOUNS.items()
        if all_groups or set(groups) & set(TASKS[key][4])
    ]
    kept = {p[0] for p in suitable_nouns_held_out(key)}
    return [p for p in pairs if (p[0] in kept) == new]


def suitable_nouns_held_out(key: str) -> list[tuple[str, str]]:
    fitting = [(e, j) for e, (j, groups) in NOUNS.items() if set(groups) & set(TASKS[key][4])]
    return [p for p in fitting if wording.is_held_out("roles", key, p[0])] or fitting[-1:]


def article(r: random.Random, noun: str) -> str:
    """'a', 'an' or 'our', as suits: an English task need not say 'the'"""
    if noun.endswith("s") or r.random() < 0.4 or "f" in NOUNS.get(noun, ("", ""))[1]:
        return "our"
    return "an" if noun[0].lower() in "aeiou" else "a"


# 3) System prompts

PLANNER = {
    "en": "You are a planner. Answer with three numbered lines only.",
    "ja": "あなたはプランナーです。番号付きの3行だけで答えてください。",
}
SOLVER = {
    "en": "You are a solver. Carry out the plan and report.",
    "ja": "あなたは実行係です。計画を実行して報告してください。",
}
TRANSLATOR = {  # into the other language, as the pipe needs it
    "en": "You are a translator. Translate into Japanese.",
    "ja": "あなたは翻訳者です。英語に訳してください。",
}
# Who, and what to do: each of the first with each of the second, or the second alone.
WHO = {
    "planner": {
        "en": (
            "You are a planner.",
            "You are the planner of a team.",
            "You make plans.",
            "Your role is planner.",
            "Role: planner.",
            "Act as a planner.",
        ),
        "ja": (
            "あなたはプランナーです。",
            "あなたは計画係です。",
            "あなたの役割は計画を立てることです。",
            "役割: プランナー。",
            "計画の担当者です。",
        ),
    },
    "solver": {
        "en": (
            "You are a solver.",
            "You are the solver of a team.",
            "You carry out plans.",
            "Your role is solver.",
            "Role: solver.",
            "Act as a solver.",
        ),
        "ja": (
            "あなたは実行係です。",
            "あなたはソルバーです。",
            "あなたの役割は計画を実行することです。",
            "役割: 実行係。",
            "実行の担当者です。",
        ),
    },
    "translator": {
        "en": (
            "You are a translator.",
            "You are the translator of a team.",
            "You translate.",
            "Your role is translator.",
            "Role: translator.",
            "Act as a translator.",
        ),
        "ja": (
            "あなたは翻訳者です。",
            "あなたは翻訳係です。",
            "あなたの役割は翻訳です。",
            "役割: 翻訳者。",
            "翻訳の担当者です。",
        ),
    },
}
WHAT = {
    "planner": {
        "en": (
            "Answer with three numbered lines only.",
            "Write a plan of three numbered lines.",
            "Make a plan for the task.",
            "Break the task into three steps.",
            "Reply only with numbered steps.",
            "Do not do the task, plan it.",
        ),
        "ja": (
            "番号付きの3行だけで答えてください。",
            "3行の計画を書いてください。",
            "作業の計画を立ててください。",
            "作業を3つの手順に分けてください。",
            "番号付きの手順だけを書いてください。",
            "実行せずに計画だけを書いてください。",
        ),
    },
    "solver": {
        "en": (
            "Carry out the plan and report.",
            "Do what the plan says and report.",
            "Report what you did.",
            "Carry out each line.",
            "Do each step and say what you did.",
            "Work through the plan.",
        ),
        "ja": (
            "計画を実行して報告してください。",
            "計画のとおりに実行してください。",
            "何をしたかを報告してください。",
            "各行を実行してください。",
            "手順を実行し、結果を書いてください。",
            "計画をこなしてください。",
        ),
    },
    # by the target language, in both languages of the prompt
    "translator>ja": {
        "en": (
            "Translate into Japanese.",
            "Translate the text into Japanese.",
            "Put everything into Japanese.",
            "Output Japanese only.",
            "Write it in Japanese.",
            "English to Japanese.",
        ),
        "ja": (
            "日本語に訳してください。",
            "文章を日本語に翻訳してください。",
            "すべて日本語にしてください。",
            "日本語だけを出力してください。",
            "日本語で書いてください。",
            "英語から日本語へ。",
        ),
    },
    "translator>en": {
        "en": (
            "Translate into English.",
            "Translate the text into English.",
            "Put everything into English.",
            "Output English only.",
            "Write it in English.",
            "Japanese to English.",
        ),
        "ja": (
            "英語に訳してください。",
            "文章を英語に翻訳してください。",
            "すべて英語にしてください。",
            "英語だけを出力してください。",
            "英語で書いてください。",
            "日本語から英語へ。",
        ),
    },
}
NEW_SYSTEM = {
    "planner": {
        "en": (
            "As a planner, list three steps.",
            "Please plan the task the user names, in three numbered steps.",
            "You plan work for others. Give numbered lines.",
            "Turn the task into a plan with three lines.",
            "I need a planner: write numbered steps and nothing else.",
            "Planning is your job. Three numbered lines, please.",
            "Only make the plan; somebody else will do the task.",
            "You are our planner today. Number each of the three steps.",
        ),
        "ja": (
            "プランナーとして3つの手順を挙げてください。",
            "依頼された作業の計画を番号付きの3行で書いてください。",
            "あなたは計画を作る担当です。番号を付けて答えてください。",
            "作業を3行の計画にしてください。",
            "計画だけを作ってください。実行は別の人がします。",
            "計画を立てる係として、手順に番号を付けて書いてください。",
            "あなたの仕事は計画作りです。3行でお願いします。",
            "今日のプランナーはあなたです。手順は3つです。",
        ),
    },
    "solver": {
        "en": (
            "As a solver, do what the plan says.",
            "Please carry out the plan line by line and report.",
            "You do the work that others planned. Say what you did.",
            "Take the plan and carry it out.",
            "I need a solver: do the steps and report on each.",
            "Solving is your job. Report each step.",
            "Others plan, you carry out. Report in short sentences.",
            "You are our solver today. Do every step of the plan.",
        ),
        "ja": (
            "実行係として計画のとおりに進めてください。",
            "計画を1行ずつ実行し、報告してください。",
            "あなたは計画を実行する担当です。したことを報告してください。",
            "受け取った計画を実行してください。",
            "計画は別の人が作りました。実行して報告してください。",
            "実行する係として、したことを短く書いてください。",
            "あなたの仕事は計画の実行です。各行の結果を報告してください。",
            "今日の実行係はあなたです。すべての手順を実行してください。",
        ),
    },
    "translator>ja": {
        "en": (
            "As a translator, write the Japanese version.",
            "Please translate what you get into Japanese.",
            "You translate for our office in Tokyo: Japanese, please.",
            "Turn the text into Japanese.",
            "I need a translator: Japanese only.",
            "Translation is your job. The target language is Japanese.",
            "Say the same in Japanese.",
            "You are our translator today, into Japanese.",
        ),
        "ja": (
            "翻訳者として日本語版を書いてください。",
            "受け取った文章を日本語に訳してください。",
            "あなたは日本語への翻訳を担当します。",
            "次の文章を日本語に直してください。",
            "翻訳をお願いします。日本語だけで答えてください。",
            "あなたの仕事は翻訳です。訳す先は日本語です。",
            "同じ内容を日本語で述べてください。",
            "今日の翻訳者はあなたです。日本語にしてください。",
        ),
    },
    "translator>en": {
        "en": (
            "As a translator, write the English version.",
            "Please translate what you get into English.",
            "You translate for our sister company: English, please.",
            "Turn the text into English.",
            "I need a translator: English only.",
            "Translation is your job. The target language is English.",
            "Say the same in English.",
            "You are our translator today, into English.",
        ),
        "ja": (
            "翻訳者として英語版を書いてください。",
            "受け取った文章を英語に訳してください。",
            "あなたは英語への翻訳を担当します。",
            "次の文章を英語に直してください。",
            "翻訳をお願いします。英語だけで答えてください。",
            "あなたの仕事は翻訳です。訳す先は英語です。",
            "同じ内容を英語で述べてください。",
            "今日の翻訳者はあなたです。英語にしてください。",
        ),
    },
}


def system_prompts(role: str, lang: str, target: str = "") -> list[str]:
    """All the trained ones, written in `lang`; a translator's also by the language it translates into."""
    name = named(role, target)
    what = WHAT[name][lang]
    joined = [
        f"{a}{' ' if lang == 'en' else ''}{b}" for a, b in itertools.product(WHO[role][lang], what)
    ]
    return [*joined, *what, *WRITTEN[name][lang]]


def named(role: str, target: str) -> str:
    return f"translator>{target}" if role == "translator" else role


# 4) Samples


def draw(
    r: random.Random,
    lang: str,
    new: bool = False,
    role: str | None = None,
    new_system: bool = False,
    unseen: bool | None = None,
) -> Sample:
    """`lang`: the language that goes in; a translator's answer is in the other one.

    new: task and noun were never trained together, or the noun is an unknown one (`unseen`).
    `key`: 'planner', 'solver', 'translator>en' or 'translator>ja', then ' unseen' where it applies.
    """
    role = role or r.choices(ROLES, weights=(2, 2, 4))[0]
    unseen = r.random() < 0.5 if unseen is None else unseen
    job = draw_job(r, lang, new, unseen)
    target = OTHER[lang]
    question, answer = draw_turn(r, job, role, lang, always_main=new)
    system_lang = lang if r.random() < 0.75 else OTHER[lang]
    prompts = (
        NEW_SYSTEM[named(role, target)][system_lang]
        if new_system
        else canonical_or_any(r, role, system_lang, target)
    )
    key = named(role, target) + (" unseen" if unseen else "")
    return Sample(SKILL, lang, question, answer, key=key, copied=job.unknown).after(
        (Message("system", r.choice(prompts)),)
    )


def canonical_or_any(r: random.Random, role: str, lang: str, target: str) -> list[str]:
    """A quarter of the time the prompt that the lessons use."""
    by_role = {"planner": PLANNER, "solver": SOLVER, "translator": TRANSLATOR}[role]
    if r.random() < 0.25 and (role != "translator" or OTHER[lang] == target):
        return [by_role[lang]]
    return system_prompts(role, lang, target)


def draw_turn(
    r: random.Random, job: Job, role: str, lang: str, always_main: bool = False
) -> tuple[str, str]:
    """What goes in and what comes out. Tasks and plans reach several roles: only the system prompt tells which."""
    target, roll = OTHER[lang], r.random()
    if role == "planner":
        return ask(r, job, lang), job.plan(lang)
    if role == "solver":
        return (
            (job.plan(lang), job.report(lang))
            if roll < 0.7
            else (ask(r, job, lang), job.main.report(lang))
        )
    if roll < 0.5:
        return job.report(lang), job.report(target)
    if roll < 0.65:
        return job.plan(lang), job.plan(target)
    if roll < 0.8:
        return job.task(lang), job.task(target)
    phrase = job.main if always_main else r.choice((job.main, job.main, job.before, job.after))
    return phrase.report(lang), phrase.report(target)


def ask(r: random.Random, job: Job, lang: str) -> str:
    """The task, one time in five as a request, with or without a full stop."""
    text = job.main.request(lang) if r.random() < 0.2 else job.task(lang)
    return text + r.choice(("", ".") if lang == "en" else ("", "。"))


def pipe_task(
    r: random.Random, lang: str, new: bool = True, unseen: bool | None = None
) -> tuple[str, tuple[str, str, str]]:
    """A task in `lang`, and what planner, solver and translator (into the other language) must make of it."""
    job = draw_job(r, lang, new, r.random() < 0.5 if unseen is None else unseen)
    return job.task(lang), (job.plan(lang), job.report(lang), job.report(OTHER[lang]))


_NUMBERED = re.compile(r"1\. [^\n]+\n2\. [^\n]+\n3\. [^\n]+")


def is_plan(text: str) -> bool:
    """Three numbered lines, and nothing else."""
    return bool(_NUMBERED.fullmatch(text.strip()))


def is_right(sample: Sample, answer: str) -> bool:
    """Word for word, whatever the white space; a plan must also stand on three lines."""
    if is_plan(sample.answer) and not is_plan(answer):
        return False
    return normalise(answer) == normalise(sample.answer)
