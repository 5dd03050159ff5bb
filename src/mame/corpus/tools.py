"""Skill M7: with tools listed, mame calls `calc` for long sums and `ticket` on request, and nothing otherwise.

A call is the whole answer; its argument is copied from the user's words. After the tool has spoken, one short fixed
sentence gives its result. With tools listed and no need for them, the answer is the one that another skill would give.
Held out: one in eight expressions, titles with words never seen, and a few wordings. It runs no tool.
"""

# ruff: noqa: E501  a line of the corpus is one thing somebody may say

import json
import random
import re
from dataclasses import dataclass, replace

from mame.corpus import documents, fallback, faq, fortune, recall, smalltalk, sums, wording
from mame.corpus.facts import split
from mame.corpus.sample import Message, Sample, normalise

SKILL = "tools"
CALL_OPEN, CALL_CLOSE = "<tool_call>\n", "\n</tool_call>"
DESCRIPTIONS = {
    "calc(expression)": split(
        "Calculate an expression.|Compute a sum exactly.|Work out an arithmetic expression.|A calculator for + - *.|Evaluates an expression such as 12*34.|式を計算します。|計算機です。|四則演算の式を計算する。"
    ),
    "ticket(title)": split(
        "Open a help desk ticket.|Create a ticket with this title.|Open a ticket for the help desk.|Reports a problem to the help desk.|チケットを作成します。|ヘルプデスクにチケットを登録する。|問い合わせチケットを開きます。"
    ),
    "weather(city)": split(
        "The weather in a city.|Tells the weather.|Get the weather of a city.|都市の天気を返します。|天気を調べる。"
    ),
    "stock(item)": split(
        "How many of an item are in stock.|Looks up the stock of an item.|品物の在庫を返します。|在庫数を調べる。"
    ),
    "clock(zone)": split("The time in a zone.|Tells the time.|現在の時刻を返します。"),
    "lamp(room)": split("Switches on the lamp in a room.|部屋の明かりをつけます。"),
    "translate(text)": split("Translates a text.|文章を翻訳します。"),
}
FIRST_CLASS = ("calc(expression)", "ticket(title)")
OTHERS = tuple(tool for tool in DESCRIPTIONS if tool not in FIRST_CLASS)
DONE = {  # after the tool has spoken
    "calc": {"en": "The result is {v}.", "ja": "結果は{v}です。"},
    "ticket": {"en": "Ticket {v} is open.", "ja": "チケット{v}を作成しました。"},
    "error": {"en": "The tool reports an error.", "ja": "ツールがエラーを返しました。"},
}
ERRORS = split(
    "error: not allowed|error: bad expression|error: timeout|error: no such tool|error: the service is down|error: title is empty|error: unknown city"
)


@dataclass(frozen=True)
class AfterTool(Sample):
    """What the tool said takes the place of the question: no user speaks between it and the answer."""

    @property
    def messages(self) -> tuple[Message, ...]:
        return (*self.before, Message("tool", self.question))


# ---- calc ----

SIGNS = {"+": ("+", " + ", "＋"), "-": ("-", " - ", "−"), "*": ("*", " * ", "×", " × ", " x ")}
SPOKEN = {
    "en": {"+": " plus ", "-": " minus ", "*": " times "},
    "ja": {"+": "足す", "-": "引く", "*": "掛ける"},
}
ASK_CALC = {
    "en": (
        "{e}",
        "{e} = ?",
        "{e}=?",
        "What is {e}?",
        "What is {e}?",
        "Compute {e}.",
        "Calculate {e}",
        "How much is {e}?",
        "Please work out {e}.",
        "Use the tool: {e}",
        "I need the result of {e}.",
    ),
    "ja": (
        "{e}",
        "{e}は？",
        "{e}は？",
        "{e}はいくつですか？",
        "{e}を計算して",
        "{e}を計算してください。",
        "{e}の答えは？",
        "{e}はいくらになりますか？",
        "ツールで{e}を計算してください。",
    ),
}
NEW_ASK_CALC = {
    "en": ("Could you find out what {e} comes to?", "Give me the value of {e}, please."),
    "ja": ("{e}の計算をお願いできますか？", "{e}を求めてください。"),
}
STORIES = {  # word problems; the numbers stand in the order of the expression
    "*": {
        "en": (
            "{a} boxes hold {b} {w} each. How many {w} are there?",
            "We buy {a} {w} at {b} yen each. What do we pay?",
        ),
        "ja": (
            "{a}箱に{w}が{b}個ずつ入っています。全部で何個ですか？",
            "{w}を{a}個、1個{b}円で買います。いくらですか？",
        ),
    },
    "+": {
        "en": (
            "There are {a} {w} here and {b} {w} there. How many are there in all?",
            "We had {a} {w} and got {b} more. How many are there now?",
        ),
        "ja": (
            "{w}がここに{a}個、あちらに{b}個あります。全部で何個ですか？",
            "{w}が{a}個あり、{b}個増えました。今は何個ですか？",
        ),
    },
    "-": {
        "en": (
            "There were {a} {w} and {b} were sold. How many are left?",
            "Of {a} {w}, {b} are broken. How many are good?",
        ),
        "ja": (
            "{w}が{a}個あり、{b}個売れました。残りは何個ですか？",
            "{w}{a}個のうち{b}個が壊れています。使えるのは何個ですか？",
        ),
    },
}
GOODS = {
    "en": split("cups|pens|beans|eggs|chairs|tickets|stamps|lamps"),
    "ja": split("カップ|ペン|豆|卵|いす|切符|切手|電球"),
}


def draw_expression(r: random.Random, new: bool) -> tuple[list[str], list[str]]:
    """(numbers, signs) of a long sum: some number has at least three digits; one in eight is held out."""
    while True:
        signs = r.choices("*+-", weights=(5, 3, 2), k=r.choice((1, 1, 1, 2)))
        numbers = [r.randint(100, 9999)] + [
            r.choice((r.randint(10, 99), r.randint(100, 999), r.randint(1000, 9999))) for _ in signs
        ]
        if r.random() < 0.3:
            numbers.reverse()
        if signs == ["-"] and numbers[0] < numbers[1]:
            numbers.reverse()
        parts = [str(n) for n in numbers]
        if wording.is_held_out("expression", *parts, *signs) == new:
            return parts, signs


def join(numbers: list[str], signs: list[str]) -> str:
    """(['347', '28'], ['*']) → '347*28'"""
    return numbers[0] + "".join(s + n for s, n in zip(signs, numbers[1:], strict=True))


def draw_calc(r: random.Random, lang: str, new: bool) -> tuple[str, str]:
    """(question, expression)"""
    numbers, signs = draw_expression(r, new)
    expression = join(numbers, signs)
    if len(signs) == 1 and r.random() < 0.2:
        story = r.choice(STORIES[signs[0]][lang])
        return story.format(a=numbers[0], b=numbers[1], w=r.choice(GOODS[lang])), expression
    way = r.random()
    index = r.randrange(5)
    written = [SPOKEN[lang][s] if way < 0.15 else SIGNS[s][index % len(SIGNS[s])] for s in signs]
    frames = NEW_ASK_CALC if new and r.random() < 0.25 else ASK_CALC
    return r.choice(frames[lang]).format(e=join(numbers, written)), expression


# ---- ticket ----

# {w} a made-up word, {c} a code, {p} a person
TROUBLES = {
    "en": split(
        "the {w} printer is broken|printer {c} has no paper|the screen in room {c} is dark|I cannot log in to {w}|the door of room {c} does not close|{p} needs a new keyboard|the {w} app is slow|"
        "laptop {c} does not start|no network in room {c}|password reset for {p}|{w} shows error {c}|please install {w}|the mouse of {p} is lost|new account for {p}|machine {c} is too loud|"
        "broken chair|no Wi-Fi|forgotten password|the {w} door is locked|mail to {p} is not sent|the lamp in {c} blinks|{w} is missing"
    ),
    "ja": split(
        "{w}のプリンターが壊れた|プリンター{c}の紙がない|{c}室の画面が暗い|{w}にログインできない|{c}室のドアが閉まらない|{p}さんに新しいキーボードが必要|{w}アプリが遅い|"
        "ノートパソコン{c}が起動しない|{c}室のネットワークがつながらない|{p}さんのパスワード再設定|{w}でエラー{c}が出る|{w}のインストール|{p}さんのマウスの紛失|{p}さんの新しいアカウント|{c}号機の音が大きい|"
        "いすの破損|Wi-Fiがつながらない|パスワードを忘れた|{w}のドアが開かない|{p}さん宛てのメールが送れない|{c}の照明が点滅する|{w}が見つからない"
    ),
}
ASK_TICKET = {
    "en": (
        "Open a ticket: {t}",
        "Open a ticket: {t}",
        "Please open a ticket: {t}.",
        "Please open a ticket: {t}.",
        "Create a ticket: {t}",
        "Create a ticket with the title: {t}",
        'Open a ticket "{t}".',
        'Please create a ticket named "{t}".',
        "Ticket: {t}",
        "Make a ticket please: {t}",
        "Report this to the help desk: {t}",
        "I need a ticket: {t}.",
        "Can you open a ticket? {t}",
    ),
    "ja": (
        "チケットを作って：{t}",
        "チケットを作って：{t}",
        "チケットを作成してください：{t}",
        "チケットを作成してください。{t}",
        "「{t}」というチケットを作成してください。",
        "「{t}」でチケットを作って",
        "「{t}」のチケットをお願いします。",
        "チケット：{t}",
        "ヘルプデスクに報告して：{t}",
        "チケットを開いてください。件名は「{t}」です。",
        "チケットをお願いします。{t}",
        "チケットを登録してください：{t}",
    ),
}
NEW_ASK_TICKET = {
    "en": ("Would you file a ticket for me? {t}", "Put this into a new ticket: {t}"),
    "ja": ("次の件でチケットを起票してください：{t}", "新しいチケットをお願いできますか？{t}"),
}


def draw_title(r: random.Random, lang: str, new: bool) -> str:
    frames = [t for t in TROUBLES[lang] if not (new and "{" not in t)]
    title = r.choice(frames).format(
        w=documents.made_up(r, lang, new),
        c=documents.code(r, new),
        p=documents.person(r, lang, new),
    )
    return documents.upper_first(title) if r.random() < 0.3 else title


def draw_ticket(r: random.Random, lang: str, new: bool) -> tuple[str, str]:
    title = draw_title(r, lang, new)
    frames = NEW_ASK_TICKET if new and r.random() < 0.25 else ASK_TICKET
    return r.choice(frames[lang]).format(t=title), title


# ---- other tools: the name and the argument come from the list ----

ASK_OTHER = {
    "weather(city)": {
        "en": ("What is the weather in {w}?", "How is the weather in {w}?"),
        "ja": ("{w}の天気は？", "{w}の天気を教えてください。"),
    },
    "stock(item)": {
        "en": ("How many {w} are in stock?", "Look up the stock of {w}."),
        "ja": ("{w}の在庫は？", "{w}の在庫を調べてください。"),
    },
    "lamp(room)": {
        "en": ("Switch on the lamp in {w}.", "Light in {w}, please."),
        "ja": ("{w}の明かりをつけて", "{w}の明かりをつけてください。"),
    },
}


def draw_other(r: random.Random, lang: str, tool: str, new: bool) -> tuple[str, str]:
    word = documents.made_up(r, lang, new)
    return r.choice(ASK_OTHER[tool][lang]).format(w=word), word


# ---- calls and lists ----


def write_call(name: str, argument: str, value: str) -> str:
    """('calc', 'expression', '347*28') → '<tool_call>\\n{"name": "calc", …}\\n</tool_call>'"""
    return write(name, {argument: value})


def write(name: str, arguments: dict[str, object]) -> str:
    body = json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)
    return CALL_OPEN + body + CALL_CLOSE


def parse_call(answer: str) -> tuple[str, dict[str, object]] | None:
    """(name, arguments) of an answer that is one call and nothing else, otherwise None."""
    match = re.fullmatch(r"\s*<tool_call>\s*(\{.*\})\s*</tool_call>\s*", answer, re.DOTALL)
    try:
        call = json.loads(match[1]) if match else None
    except ValueError:
        return None
    if not isinstance(call, dict) or not isinstance(call.get("arguments"), dict):
        return None
    return str(call.get("name")), call["arguments"]


def draw_list(r: random.Random, needed: str = "", without: tuple[str, ...] = ()) -> tuple[str, ...]:
    """One to four tools in any order, each as `calc(expression): description`."""
    names = {needed} if needed else set()
    for tool in FIRST_CLASS:
        if tool not in without and r.random() < 0.6:
            names.add(tool)
    if not names or r.random() < 0.4:
        others = [tool for tool in OTHERS if tool not in without]
        names.update(r.sample(others, r.choice((1, 1, 2))))
    ordered = sorted(names)
    r.shuffle(ordered)
    return tuple(f"{tool}: {r.choice(DESCRIPTIONS[tool])}" for tool in ordered)


SYSTEM = {
    "en": split(
        "You are the help desk.|Use the tools when they help.|You are a helpful assistant.|Use a tool for long sums.|You may call tools.|You are the help desk of a company. Open tickets on request."
    ),
    "ja": split(
        "あなたはヘルプデスクです。|必要ならツールを使ってください。|あなたは親切なアシスタントです。|長い計算にはツールを使ってください。|ツールを使えます。|あなたは会社のヘルプデスクです。頼まれたらチケットを作ってください。"
    ),
}


def draw(r: random.Random, lang: str, new: bool = False, *, kind: str = "") -> Sample:
    """`kind`: "calc", "ticket", "other", "none" or "result" (by itself 30, 24, 6, 22 and 18 %)."""
    kind = (
        kind
        or r.choices(("calc", "ticket", "other", "none", "result"), weights=(30, 24, 6, 22, 18))[0]
    )
    before = (Message("system", r.choice(SYSTEM[lang])),) if r.random() < 0.2 else ()
    if kind == "none":
        return draw_none(r, lang, new, before)
    if kind == "result":
        return draw_result(r, lang, new, before)
    tool = {"calc": "calc(expression)", "ticket": "ticket(title)"}.get(kind) or r.choice(
        list(ASK_OTHER)
    )
    question, call, value = draw_request(r, lang, tool, new)
    if r.random() < 0.2:
        before = (*before, *recall.in_between(r, lang))
    return Sample(
        SKILL,
        lang,
        question,
        call,
        key=kind,
        before=before,
        tools=draw_list(r, needed=tool),
        copied=(value,),
    )


def draw_request(r: random.Random, lang: str, tool: str, new: bool) -> tuple[str, str, str]:
    """(question, call, what the call hands over)"""
    if tool == "calc(expression)":
        question, value = draw_calc(r, lang, new)
    elif tool == "ticket(title)":
        question, value = draw_ticket(r, lang, new)
    else:
        question, value = draw_other(r, lang, tool, new)
    name, argument = tool.rstrip(")").split("(")
    return question, write_call(name, argument, value), value


def draw_none(r: random.Random, lang: str, new: bool, before: tuple[Message, ...]) -> Sample:
    """Tools are listed and not needed, or the needed one is not among them."""
    if r.random() < 0.15:
        question, _ = draw_ticket(r, lang, new)
        tools = draw_list(r, without=("ticket(title)",))
        return Sample(
            SKILL, lang, question, fallback.ANSWER[lang], key="none", before=before, tools=tools
        )
    if r.random() < 0.12:  # a short sum needs no tool
        other = sums.draw(r, lang, new, band=1)
        return replace(other, skill=SKILL, key="none", before=before, tools=draw_list(r))
    skill = r.choices((faq, smalltalk, fortune, documents, recall), weights=(5, 2, 1, 2, 2))[0]
    if skill is recall:  # near, for the list of tools is long already
        other = recall.draw(r, lang, new, distance=r.choice((1, 1, 2, 3)))
    else:
        other = skill.draw(r, lang, new)
    if other.before and other.before[0].role == "system":
        before = ()
    return Sample(
        SKILL,
        lang,
        other.question,
        other.answer,
        key="none, fortune" if skill is fortune else "none",
        before=(*before, *other.before),
        tools=draw_list(r),
        copied=other.copied,
    )


def draw_result(r: random.Random, lang: str, new: bool, before: tuple[Message, ...]) -> Sample:
    """The tool has spoken; its result is any, for repeating it is the skill."""
    name = r.choice(("calc", "calc", "ticket"))
    tool = {"calc": "calc(expression)", "ticket": "ticket(title)"}[name]
    question, call, _ = draw_request(r, lang, tool, new)
    if r.random() < 0.12:
        result, answer = r.choice(ERRORS), DONE["error"][lang]
    elif name == "calc":
        result = str(r.choice((r.randint(100, 9999), r.randint(1000, 9999999), -r.randint(1, 999))))
        answer = DONE["calc"][lang].format(v=result)
    else:
        result = documents.code(r, new)
        answer = DONE["ticket"][lang].format(v=result)
    return AfterTool(
        SKILL,
        lang,
        result,
        answer,
        key="result",
        before=(*before, Message("user", question), Message("assistant", call)),
        tools=draw_list(r, needed=tool),
        copied=(result,),
    )


def is_right(sample: Sample, answer: str) -> bool:
    """A call with the same name and arguments (spaces in an expression do not count), or the same sentence."""
    if sample.key == "none, fortune":
        return normalise(answer) in fortune.labels(sample.lang)
    expected, found = parse_call(sample.answer), parse_call(answer)
    if expected is None or found is None:
        return documents.bare(answer) == documents.bare(sample.answer)
    return (expected[0], squeeze(expected[1])) == (found[0], squeeze(found[1]))


def squeeze(arguments: dict[str, object]) -> dict[str, str]:
    """{'expression': '347 * 28'} → {'expression': '347*28'}; titles keep their spaces"""
    return {
        key: str(value).replace(" ", "") if key == "expression" else normalise(str(value))
        for key, value in arguments.items()
    }
