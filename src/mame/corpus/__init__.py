"""The corpus: one module per skill, each with its generator, its checker and its held-out split.

`draw` mixes the skills into training samples and puts conversations around them. Everything comes from the one
random generator it is given; nothing here knows tokens, templates or torch.
"""

# ruff: noqa: E501  a line of the corpus is one thing somebody may say

import random

from mame.corpus import (
    documents,
    endings,
    fallback,
    faq,
    fields,
    fortune,
    obey,
    recall,
    roles,
    smalltalk,
    sums,
    tools,
)
from mame.corpus.sample import LANGS, Message, Sample

SKILLS = {
    module.SKILL: module
    for module in (
        faq, smalltalk, fallback, fortune, sums, roles, endings,
        documents, fields, tools, recall, obey,
    )
}  # fmt: skip
MIX = {  # shares of samples at the start; training then shifts them towards what is still wrong
    "faq": 0.28, "smalltalk": 0.04, "fallback": 0.08, "fortune": 0.02, "sums": 0.20, "roles": 0.15,
    "endings": 0.05, "documents": 0.26, "fields": 0.05, "tools": 0.06, "recall": 0.05, "obey": 0.02,
}  # fmt: skip
OWN_SETTING = {"roles", "endings", "documents", "fields", "tools", "recall", "obey"}
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
    is_easy_sum = sample.skill == "sums" and sample.key.startswith("1:")
    if sample.skill in OWN_SETTING or (is_easy_sum and r.random() < 0.6):
        return with_more_turns(r, sample)  # what stands before the question belongs to the skill
    before: list[Message] = []
    if r.random() < 0.10:
        before.append(Message("system", r.choice(SYSTEM[r.choice(LANGS)])))
    if r.random() < 0.06:
        before += earlier_turns(r, r.choice((1, 1, 1, 2, 2, 3, 4)), sample.lang, mix)
    return sample.after(tuple(before))


def with_more_turns(r: random.Random, sample: Sample) -> Sample:
    """Often one or two other questions in the same setting: one prompt then teaches several answers."""
    if sample.skill == "documents" and r.random() < 0.4:  # which entity is all that matters here
        size = r.choice((2, 2, 3, 3, 4, 5, 6))
        return documents.draw(r, sample.lang, facts=size, earlier=size - 1, alike=True)
    if sample.skill == "documents" and r.random() < 0.7:
        size = r.choice((1, 2, 2, 3, 3, 3, 4, 4, 5, 6))
        return documents.draw(r, sample.lang, facts=size, earlier=r.choice((2, 3, 4, 5)))
    if r.random() < 0.5:
        return sample
    turns = r.choice((1, 1, 2))
    more: list[tuple[str, str]] = []
    for _ in range(turns):
        if sample.skill == "roles":
            role = sample.key.partition(">")[0].partition(" ")[0]
            job = roles.draw_job(r, sample.lang, False, r.random() < 0.5)
            more.append(roles.draw_turn(r, job, role, sample.lang))
        elif sample.skill == "sums":
            for _ in range(2):
                easy = sums.draw(r, sample.lang, band=1)
                more.append((easy.question, easy.answer))
        elif sample.skill == "endings":
            base, ending = endings.draw_base(r, sample.lang), endings.ending_of(sample)
            more.append((base.question, endings.join(base.answer, ending, sample.lang)))
    turned = (m for q, a in more for m in (Message("user", q), Message("assistant", a)))
    return sample.after((*sample.before, *turned))


def earlier_turns(
    r: random.Random, turns: int, lang: str, mix: dict[str, float] = MIX
) -> tuple[Message, ...]:
    """Questions with their answers, now and then in the other language."""
    short = {k: v for k, v in mix.items() if k not in OWN_SETTING}
    drawn = [draw_question(r, short, lang=lang if r.random() < 0.7 else None) for _ in range(turns)]
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
