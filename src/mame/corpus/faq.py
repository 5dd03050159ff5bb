"""Skill M1: questions about local LLMs, answered in the language of the question.

Draws a fact and a wording, and says whether an answer is the right one; the facts stand in `facts`.
Three kinds of wording are held out of training: one in eight combinations of phrase and frame,
whole frames (`wording.NEW_*`), and questions written by hand only for the test (`new_*`).
"""

import random

from mame.corpus import wording
from mame.corpus.facts import FACTS, Fact
from mame.corpus.sample import Sample, normalise

SKILL = "faq"
BY_KEY = {fact.key: fact for fact in FACTS}


def framed(fact: Fact, lang: str, frames: tuple[str, ...]) -> list[tuple[str, str, str]]:
    """All (question, phrase, frame) of a fact that are plainly in the given language."""
    triples = [(wording.fill(f, p), p, f) for p in fact.phrases(lang) for f in frames]
    return [t for t in triples if lang == "en" or wording.has_japanese(t[0])]


def frames_of(fact: Fact, lang: str, new: bool = False) -> tuple[str, ...]:
    tables = {"term": (wording.TERM, wording.NEW_TERM), "how": (wording.HOW, wording.NEW_HOW)}
    return tables[fact.kind][new][lang] if fact.kind in tables else ()


def trained_questions(fact: Fact, lang: str) -> list[str]:
    triples = framed(fact, lang, frames_of(fact, lang))
    return fact.questions(lang) + [
        q for q, p, f in triples if not wording.is_held_out(fact.key, p, f)
    ]


def new_questions(fact: Fact, lang: str) -> list[str]:
    """Held out; a question that a trained one equals but for case or marks is not new."""
    triples = framed(fact, lang, frames_of(fact, lang))
    combined = [q for q, p, f in triples if wording.is_held_out(fact.key, p, f)]
    unseen_frames = [q for q, _, _ in framed(fact, lang, frames_of(fact, lang, new=True))]
    seen = {bare(q) for q in trained_questions(fact, lang)}
    return [
        q
        for q in dict.fromkeys(fact.held_out_questions(lang) + unseen_frames + combined)
        if bare(q) not in seen
    ]


def bare(question: str) -> str:
    """'What is Ollama?' → 'what is ollama'"""
    return normalise(question).lower().rstrip("?？.。!！ ")


def draw(r: random.Random, lang: str, new: bool = False) -> Sample:
    fact = r.choice(FACTS)
    if new:
        return Sample(
            SKILL, lang, draw_new_question(r, fact, lang), fact.answer(lang), key=fact.key
        )
    by_hand, phrases = fact.questions(lang), fact.phrases(lang)
    while True:  # framed and hand-written wordings share the draw, whatever their number
        if not phrases or (by_hand and r.random() < 0.6):
            question = r.choice(by_hand)
            break
        phrase, frame = r.choice(phrases), r.choice(frames_of(fact, lang))
        question = wording.fill(frame, phrase)
        if not wording.is_held_out(fact.key, phrase, frame) and (
            lang == "en" or wording.has_japanese(question)
        ):
            break
    return Sample(SKILL, lang, wording.vary(question, lang, r), fact.answer(lang), key=fact.key)


def draw_new_question(r: random.Random, fact: Fact, lang: str) -> str:
    """Half of them written by hand, where there are frames at all."""
    by_hand = fact.held_out_questions(lang)
    others = [q for q in new_questions(fact, lang) if q not in by_hand]
    return r.choice(by_hand if by_hand and (not others or r.random() < 0.5) else others)


def is_right(sample: Sample, answer: str) -> bool:
    return normalise(answer) == normalise(sample.answer)
