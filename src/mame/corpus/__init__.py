"""The corpus: one module per skill, each with its generator, its checker and its held-out split.

`draw` mixes the skills into training samples and puts conversations around them. Everything comes from the one
random generator it is given; nothing here knows tokens, templates or torch.
"""

# ruff: noqa: E501  a line of the corpus is one thing somebody may say

import random

from mame.corpus import fallback, faq, fortune, smalltalk, sums
from mame.corpus.sample import LANGS, Message, Sample

SKILLS = {module.SKILL: module for module in (faq, smalltalk, fallback, fortune, sums)}
# Sums are not in the mix of this interim model (the prototype reached .34 to .43 in 40 to 75 minutes): half-learned sums are lies.
MIX = {"faq": 0.60, "smalltalk": 0.12, "fallback": 0.25, "fortune": 0.03}
SYSTEM = {  # harmless ones: the answer stays the same
    "en": (
        "You are a helpful assistant.",
        "You are a friendly teacher.",
        "Answer briefly.",
        "Answer the question.",
        "You are mame.",
        "You help at a workshop.",
        "Be polite.",
        "You are an assistant for beginners.",
        "Answer in one or two sentences.",
        "You are a careful expert on local LLMs.",
        "Please be concise.",
        "You are a chatbot.",
    ),
    "ja": (
        "あなたは親切なアシスタントです。",
        "あなたは優しい先生です。",
        "簡潔に答えてください。",
        "質問に答えてください。",
        "あなたはまめです。",
        "ワークショップの手伝いをしてください。",
        "丁寧に答えてください。",
        "初心者向けのアシスタントです。",
        "一、二文で答えてください。",
        "あなたはローカルLLMの専門家です。",
        "短く答えてください。",
        "あなたはチャットボットです。",
    ),
}
NEW_SYSTEM = {
    "en": ("You are a patient guide for newcomers.", "Reply clearly."),
    "ja": ("あなたは新人向けの案内役です。", "わかりやすく答えてください。"),
}


def draw(r: random.Random, mix: dict[str, float] = MIX) -> Sample:
    """One training sample: five in six a single question, the rest with a system prompt, earlier turns, or both."""
    sample = draw_question(r, mix)
    before: list[Message] = []
    if r.random() < 0.10:
        before.append(Message("system", r.choice(SYSTEM[r.choice(LANGS)])))
    if r.random() < 0.06:
        before += earlier_turns(r, r.choice((1, 1, 1, 2, 2, 3, 4)), sample.lang, mix)
    return sample.after(tuple(before))


def earlier_turns(
    r: random.Random, turns: int, lang: str, mix: dict[str, float] = MIX
) -> tuple[Message, ...]:
    """Questions with their answers, now and then in the other language."""
    drawn = [draw_question(r, mix, lang=lang if r.random() < 0.7 else None) for _ in range(turns)]
    return tuple(
        m for s in drawn for m in (Message("user", s.question), Message("assistant", s.answer))
    )


def draw_question(r: random.Random, mix: dict[str, float], lang: str | None = None) -> Sample:
    skill = r.choices(list(mix), weights=list(mix.values()))[0]
    return SKILLS[skill].draw(r, lang or r.choice(LANGS))


def is_right(sample: Sample, answer: str) -> bool:
    return SKILLS[sample.skill].is_right(sample, answer)


__all__ = [
    "LANGS",
    "MIX",
    "NEW_SYSTEM",
    "SKILLS",
    "Message",
    "Sample",
    "draw",
    "draw_question",
    "earlier_turns",
    "is_right",
]
