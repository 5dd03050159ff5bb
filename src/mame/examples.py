"""What `mame.tune` learns from: examples as JSON lines, and two worked sets of our own.

One line is one example: {"user": "a question", "assistant": "its answer"}, and "system" where the
answer depends on one. The sets are the polite tone of a company in Japanese, and a fact sheet in
both languages about that company, Hoshimame Trading, which does not exist. Nothing here trains.
"""

# ruff: noqa: E501  a line of a set is one thing somebody may say

import json
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from jimoto.errors import ExampleBroken, ExampleCountWrong
from mame import chat
from mame.corpus import faq
from mame.corpus.sample import Message, Sample, normalise

LEAST, MOST = 50, 500  # so many are worth a minute
KEYS = ("user", "assistant", "system")


@dataclass(frozen=True)
class Example:
    user: str
    assistant: str
    system: str = ""
    line: int = field(default=0, compare=False)  # in its file, as an editor counts

    @property
    def sample(self) -> Sample:
        """In the shape that the chat template takes."""
        before = (Message("system", self.system),) if self.system else ()
        return Sample("tune", "", self.user, self.assistant, before=before)


# --- the file ------------------------------------------------------------------------------------


def read(path: Path) -> list[Example]:
    """All examples of a file, or none: a broken line stops everything.

    Empty lines are skipped, and so is a byte-order mark. Errors: ExampleBroken with the line's
    number, ExampleCountWrong, OSError.
    """
    examples = [
        parse(str(path), number, line)
        for number, line in enumerate(path.read_bytes().splitlines(), start=1)
        if line.strip()
    ]
    if not LEAST <= len(examples) <= MOST:
        raise ExampleCountWrong(str(path), len(examples), LEAST, MOST)
    return examples


def parse(path: str, number: int, line: bytes) -> Example:
    """One line; `number` is what an editor shows beside it."""
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        shift_jis = _is_text(line, "cp932")
        found = "Shift_JIS?" if shift_jis else f"byte {line[error.start]:#04x}"
        raise ExampleBroken(path, number, "encoding", found) from None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        where = f"{error.msg}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else "too deep"  # fmt: skip
        raise ExampleBroken(path, number, "json", where) from None
    if not isinstance(value, dict):
        raise ExampleBroken(path, number, "object", type(value).__name__)
    for key in value:
        if key not in KEYS:
            raise ExampleBroken(path, number, "unknown", key)
    for key in KEYS[:2]:
        if key not in value:
            raise ExampleBroken(path, number, "key", key)
    for key, content in value.items():
        if not isinstance(content, str) or not (content.strip() or key == "system"):
            raise ExampleBroken(path, number, "text", key)
        for marker in chat.SPECIAL_TOKENS:
            if marker in content:
                raise ExampleBroken(path, number, "marker", marker)
    return Example(value["user"], value["assistant"], value.get("system", ""), number)


def _is_text(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def write(examples: Iterable[Example], path: Path) -> Path:
    """A file that `read` reads, to look at and to change."""
    lines = []
    for example in examples:
        line = {"user": example.user, "assistant": example.assistant}
        if example.system:
            line["system"] = example.system
        lines.append(json.dumps(line, ensure_ascii=False) + "\n")
    path.write_text("".join(lines), encoding="utf-8", newline="\n")
    return path


# --- set 1: the house's polite tone ---------------------------------------------------------------

OPENING = "お問い合わせありがとうございます。"
CLOSING = "ほかにも何なりとお申し付けくださいませ。"
# 「です」 becomes 「でございます」 after a noun, not after an adjective (速いです) or 「んです」.
NOUN_DESU = re.compile(r"(?<=[^いんう])です(?=。|$)")
KUDASAI = re.compile(r"ください(?=。|$)")


def polite(answer: str) -> str:
    """
    >>> polite("LoRAは小さな行列の組です。")
    'お問い合わせありがとうございます。LoRAは小さな行列の組でございます。ほかにも何なりとお申し付けくださいませ。'
    """
    politer = KUDASAI.sub("くださいませ", NOUN_DESU.sub("でございます", answer))
    return f"{OPENING}{politer}{CLOSING}"


def is_polite(example: Example, answer: str) -> bool:
    """In the house's tone, whatever it says."""
    return answer.startswith(OPENING) and answer.rstrip().endswith(CLOSING)


def polite_tone(n: int = 100, seed: int = 1) -> list[Example]:
    """Questions that mame can answer, one a fact, answered in the house's tone."""
    r = random.Random(f"polite/{seed}")
    facts = r.sample(faq.FACTS, min(n, len(faq.FACTS)))
    return [
        Example(r.choice(faq.trained_questions(fact, "ja")), polite(fact.answer("ja")))
        for fact in facts
    ]


# --- set 2: a fact sheet ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """One fact of the sheet; the questions are separated by '|'."""

    answer: str
    questions: str


SHEET = (
    Entry(
        "Hoshimame Trading was founded in 1987.",
        "When was Hoshimame Trading founded?|Hoshimame Trading: since when does it exist?|In which year did Hoshimame Trading start?|How old is Hoshimame Trading?|What year was Hoshimame Trading founded in?",
    ),
    Entry(
        "Hoshimame Trading sells beans to shops and restaurants.",
        "What does Hoshimame Trading do?|What does Hoshimame Trading sell?|What kind of company is Hoshimame Trading?|Tell me about Hoshimame Trading.|What is the business of Hoshimame Trading?",
    ),
    Entry(
        "Hoshimame Trading has 60 employees.",
        "How many people work at Hoshimame Trading?|How large is Hoshimame Trading?|How many employees does Hoshimame Trading have?|What is the size of Hoshimame Trading?|Number of employees at Hoshimame Trading?",
    ),
    Entry(
        "The smallest order at Hoshimame Trading is 10 kg.",
        "What is the smallest order at Hoshimame Trading?|How little can I order from Hoshimame Trading?|What is the minimum order at Hoshimame Trading?|Can I order 5 kg from Hoshimame Trading?|From how many kg does Hoshimame Trading deliver?",
    ),
    Entry(
        "Hoshimame Trading delivers within 3 working days.",
        "How long does Hoshimame Trading take to deliver?|When will Hoshimame Trading deliver my order?|How fast does Hoshimame Trading deliver?|How many days does a delivery from Hoshimame Trading take?|What is the delivery time at Hoshimame Trading?",
    ),
    Entry(
        "The office of Hoshimame Trading is open from 9 to 17, Monday to Friday.",
        "When is the office of Hoshimame Trading open?|What are the office hours of Hoshimame Trading?|Is Hoshimame Trading open on Sunday?|Until when can I call Hoshimame Trading?|From when to when does Hoshimame Trading work?",
    ),
    Entry(
        "Unopened bags can be returned to Hoshimame Trading within 14 days.",
        "Can I return beans to Hoshimame Trading?|How do returns work at Hoshimame Trading?|Until when can I return a bag to Hoshimame Trading?|Does Hoshimame Trading take bags back?|What is the return policy of Hoshimame Trading?",
    ),
    Entry(
        "Hoshimame Trading advises to keep beans dry and cool, for up to 12 months.",
        "How should I store beans from Hoshimame Trading?|How long do beans from Hoshimame Trading keep?|Where do I keep beans from Hoshimame Trading?|For how many months do beans of Hoshimame Trading keep?|What does Hoshimame Trading say about storage?",
    ),
    Entry(
        "The best seller of Hoshimame Trading is the red bean Akaboshi.",
        "What is the best seller of Hoshimame Trading?|Which bean of Hoshimame Trading sells best?|Which bean does Hoshimame Trading recommend?|What is the most popular bean at Hoshimame Trading?|What do most people buy from Hoshimame Trading?",
    ),
    Entry(
        "Hoshimame Trading sends an invoice at the end of the month.",
        "How do I pay Hoshimame Trading?|When does Hoshimame Trading send the invoice?|When do I get an invoice from Hoshimame Trading?|How does payment work at Hoshimame Trading?|Does Hoshimame Trading send invoices?",
    ),
    Entry(
        "ほしまめ商会は1987年に創業しました。",
        "ほしまめ商会はいつ創業しましたか？|ほしまめ商会の創業はいつですか？|ほしまめ商会はいつからありますか？|ほしまめ商会は何年にできましたか？|ほしまめ商会の創業年は？",
    ),
    Entry(
        "ほしまめ商会は、お店や飲食店に豆を販売する会社です。",
        "ほしまめ商会は何の会社ですか？|ほしまめ商会とは？|ほしまめ商会について教えてください。|ほしまめ商会は何を販売していますか？|ほしまめ商会の事業は何ですか？",
    ),
    Entry(
        "ほしまめ商会の従業員は60人です。",
        "ほしまめ商会には何人いますか？|ほしまめ商会の従業員は何人ですか？|ほしまめ商会の従業員数は？|ほしまめ商会では何人が働いていますか？|ほしまめ商会の規模を教えてください。",
    ),
    Entry(
        "ほしまめ商会の注文は10kgからです。",
        "ほしまめ商会の注文は何kgからですか？|ほしまめ商会の最小注文量は？|ほしまめ商会に5kgだけ注文できますか？|ほしまめ商会では最低どれくらい注文が必要ですか？|ほしまめ商会の注文の単位を教えてください。",
    ),
    Entry(
        "ほしまめ商会は3営業日以内に配送します。",
        "ほしまめ商会の配送は何日かかりますか？|ほしまめ商会の商品はいつ届きますか？|ほしまめ商会の配送日数は？|ほしまめ商会に注文すると、いつ届きますか？|ほしまめ商会の納期を教えてください。",
    ),
    Entry(
        "ほしまめ商会の受付は、月曜から金曜の9時から17時までです。",
        "ほしまめ商会の受付時間は？|ほしまめ商会は何時まで開いていますか？|ほしまめ商会は日曜も開いていますか？|ほしまめ商会の営業時間を教えてください。|ほしまめ商会には何時に電話できますか？",
    ),
    Entry(
        "ほしまめ商会では、未開封の袋を14日以内に返品できます。",
        "ほしまめ商会で返品はできますか？|ほしまめ商会の返品の期限は？|ほしまめ商会の豆を返品したいです。|ほしまめ商会の返品の条件を教えてください。|ほしまめ商会には何日以内に返品できますか？",
    ),
    Entry(
        "ほしまめ商会の豆は、乾いた涼しい場所で12か月保存できます。",
        "ほしまめ商会の豆の保存方法は？|ほしまめ商会の豆はどれくらい保存できますか？|ほしまめ商会の豆はどこに置けばいいですか？|ほしまめ商会の豆の保存期間を教えてください。|ほしまめ商会の豆は何か月もちますか？",
    ),
    Entry(
        "ほしまめ商会でいちばん売れているのは、赤い豆の「あかぼし」です。",
        "ほしまめ商会でいちばん売れている豆は？|ほしまめ商会の人気商品は何ですか？|ほしまめ商会のおすすめの豆は何ですか？|ほしまめ商会でよく売れている豆を教えてください。|ほしまめ商会の一番人気は？",
    ),
    Entry(
        "ほしまめ商会の請求書は月末に送られます。",
        "ほしまめ商会への支払い方法は？|ほしまめ商会の請求書はいつ届きますか？|ほしまめ商会の請求書について教えてください。|ほしまめ商会の支払いはどうなりますか？|ほしまめ商会はいつ請求書を送りますか？",
    ),
)


def fact_sheet(seed: int = 1) -> list[Example]:
    """Every question of the sheet, in mixed order."""
    examples = [Example(q, e.answer) for e in SHEET for q in e.questions.split("|")]
    random.Random(f"sheet/{seed}").shuffle(examples)
    return examples


def is_same(example: Example, answer: str) -> bool:
    """The taught answer, letter by letter, spaces aside."""
    return normalise(answer) == normalise(example.assistant)


# name → (the examples, what counts as a good answer)
SETS = {"polite": (polite_tone, is_polite), "sheet": (fact_sheet, is_same)}
