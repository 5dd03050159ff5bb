"""How a question may be put: frames around a phrase, and the small changes people make when they type.

It knows no fact and no answer; in-scope and out-of-scope questions use the same frames, so that a frame alone
tells nothing about whether mame knows the answer.
"""

# ruff: noqa: E501  a line of the corpus is one thing somebody may say

import hashlib
import random
import re

TERM = {
    "en": (
        "What is {t}?",
        "What is {t}?",
        "What's {t}?",
        "what is {t}",
        "Explain {t}.",
        "Tell me about {t}.",
        "Define {t}.",
        "{t}",
        "{t}?",
        "Can you explain {t}?",
        "What does {t} mean?",
        "Please explain {t}.",
        "I want to know about {t}.",
        "Could you tell me what {t} is?",
        "Describe {t} briefly.",
        "What exactly is {t}?",
        "In short, what is {t}?",
        "Give me a short explanation of {t}.",
        "Do you know {t}?",
        "What do you mean by {t}?",
        "Explain {t} in simple words.",
        "What is meant by {t}?",
        "Tell me what {t} is.",
        "I don't understand {t}.",
        "What are {t}?",
        "How would you define {t}?",
        "Teach me about {t}.",
        "{t}: what is it?",
    ),
    "ja": (
        "{t}とは何ですか？",
        "{t}とは何ですか？",
        "{t}とは？",
        "{t}って何？",
        "{t}って何ですか？",
        "{t}について教えてください。",
        "{t}について教えて",
        "{t}を説明してください。",
        "{t}を説明して",
        "{t}とはどういうものですか？",
        "{t}の意味は？",
        "{t}の意味を教えてください。",
        "{t}は何ですか？",
        "{t}",
        "{t}？",
        "{t}を簡単に説明してください。",
        "{t}について知りたいです。",
        "{t}がわかりません。",
        "{t}とはどういう意味ですか？",
        "{t}を一言で言うと？",
        "{t}って？",
        "{t}とは何？",
        "{t}を教えて",
        "{t}の説明をしてください。",
        "{t}は何のことですか？",
        "{t}を知っていますか？",
    ),
}
NEW_TERM = {  # held out: never seen in training with any phrase
    "en": (
        "Help me understand {t}.",
        "How would you describe {t}?",
        "I keep hearing about {t}. What is it?",
        "Say in a sentence what {t} is.",
    ),
    "ja": (
        "{t}が何なのか教えてもらえますか？",
        "{t}ってどんなもの？",
        "{t}の説明をお願いします。",
        "最近{t}という言葉を聞きます。何ですか？",
    ),
}
HOW = {
    "en": (
        "How do I {t}?",
        "How can I {t}?",
        "How to {t}?",
        "How do you {t}?",
        "What is the command to {t}?",
        "I want to {t}.",
        "Tell me how to {t}.",
        "Show me how to {t}.",
        "{t}",
        "Which command do I use to {t}?",
        "How should I {t}?",
        "Can you tell me how to {t}?",
        "I'd like to {t}.",
        "What command can {t}?",
        "Is there a command to {t}?",
    ),
    "ja": (
        "{t}にはどうすればいいですか？",
        "{t}には？",
        "{t}方法を教えてください。",
        "{t}方法は？",
        "{t}コマンドは？",
        "{t}コマンドを教えてください。",
        "{t}にはどうしますか？",
        "{t}方法を教えて",
        "どうやって{t}の？",
        "どうやって{t}のですか？",
        "{t}やり方は？",
        "{t}にはどのコマンドを使いますか？",
        "{t}にはどうしたらいい？",
    ),
}
NEW_HOW = {
    "en": ("What do I have to type to {t}?", "I need to {t}. How?", "Please help me to {t}."),
    "ja": ("{t}手順を教えてください。", "{t}ときは何と入力しますか？", "{t}のはどうやりますか？"),
}
OPENERS = {
    "en": (
        "Please tell me: ",
        "Hi, ",
        "Hello! ",
        "I have a question. ",
        "One question: ",
        "Quick question: ",
        "Sorry, ",
        "Excuse me, ",
        "Mame, ",
        "OK, ",
        "And ",
        "Now, ",
    ),
    "ja": (
        "すみません、",
        "質問です。",
        "教えてください。",
        "こんにちは。",
        "ちょっと質問です。",
        "まめさん、",
        "あの、",
        "では、",
        "次に、",
        "質問があります。",
        "ええと、",
    ),
}
CLOSERS = {
    "en": (" Thanks!", " Thank you.", " please", " Please answer briefly."),
    "ja": ("お願いします。", "よろしくお願いします。", "簡潔にお願いします。"),
}

_JAPANESE = re.compile(r"[ぁ-んァ-ヶ一-龯]")


def has_japanese(text: str) -> bool:
    return bool(_JAPANESE.search(text))


def is_held_out(*parts: str, one_in: int = 8) -> bool:
    """The same for ever, on every machine: which combinations are kept for the test."""
    return hashlib.sha256("\0".join(parts).encode()).digest()[0] % one_in == 0


def fill(frame: str, phrase: str) -> str:
    """('{t}?', 'a local LLM') → 'A local LLM?'"""
    text = frame.format(t=phrase)
    return (
        text[0].upper() + text[1:]
        if frame.startswith("{t}") and phrase.startswith(("a ", "an ", "the "))
        else text
    )


def vary(text: str, lang: str, r: random.Random) -> str:
    """What a hurried, a polite and a careful person would make of the same question."""
    opener = r.choice(OPENERS[lang]) if r.random() < 0.10 else ""
    if opener.endswith((", ", "And ")) and lang == "en" and text[1:2].islower():
        text = text[0].lower() + text[1:]
    closer = r.choice(CLOSERS[lang]) if r.random() < 0.05 and text[-1:] in "?？.。" else ""
    text = opener + text + closer
    roll = r.random()
    if roll < 0.15:
        text = text.rstrip("?？.。!！")
    elif roll < 0.25 and lang == "en":
        text = text.lower()
    elif roll < 0.25:
        text = text.replace("？", "?").replace("。", r.choice(("。", "")))
    elif roll < 0.28 and lang == "en":
        text = text.lower().rstrip("?.")
    elif roll < 0.29 and lang == "en":
        text = text.upper()
    elif roll < 0.31:
        text = text + r.choice(
            (" ", "\n", "!", "??") if lang == "en" else ("！", "\n", "？？", "　")
        )
    return text or opener or "?"
