"""Where attention has to look for what an answer takes over, shown in training to two heads.

With two entities of a kind on one page mame named the right value in 50 to 58 of 100 questions,
which is chance, after 60 million tokens: nothing told it which of its guesses came from looking at
the right place. FIND looks from the first token of a value, and from where an answer begins, back
to the entity that is spoken of; TAKE looks from where the answer begins to the value. In a trial of
27 minutes from the shipped weights, with half of all samples documents, it became 85 (English) and
90 (Japanese) of 100 (2026-11-29, two cores with AMX). In notes, tellings, tickets, sums and tasks
with unknown nouns TAKE looks from before a copied word to where it was read (not measured apart).
This module knows no training loop.
"""

import re
from typing import Any

from mame import chat
from mame.corpus.documents import DocumentSample
from mame.corpus.sample import Sample

Head = tuple[int, int]  # layer, and head in it; head 0 of most layers copies
FIND: Head = (1, 3)
TAKE: Head = (3, 3)

Look = tuple[Head, int, int]  # who looks, from which token, at which token

_USER = re.compile(f"{re.escape(chat.TURN_START)}user\n(.*?){re.escape(chat.TURN_END)}", re.DOTALL)
_ASSISTANT = re.compile(f"{re.escape(chat.TURN_START)}assistant\n")


def looks(at: chat.Encoded, sample: Sample, thinking: bool) -> tuple[Look, ...]:
    """All pairs of tokens of the sample, `at` being itself encoded in the same mode."""
    if isinstance(sample, DocumentSample):
        return on_the_page(at, sample)
    if sample.thought and not thinking:
        return ()
    return to_copies(at, sample, thinking) if sample.copied else ()


def to_copies(at: chat.Encoded, sample: Sample, thinking: bool) -> tuple[Look, ...]:
    """From before a copied word in the answer to the word itself, where only one can be meant.

    That is the one in the last turn, several of which are taken in turn; or else the last one told.
    A bare number that the last turn holds twice is left out. Of a sum the numbers stand in the
    first line of its thought, with zeros before them where the columns need some.
    """
    text = at.text
    answer = len(text) - len(chat.render_answer(sample, thinking))
    turn = text.rfind(sample.question, 0, answer)
    written = text[answer:].partition("\n")[0] if sample.thought else text[answer:]
    found: list[Look] = []
    for word in sample.copied:
        whole = re.compile(rf"(?<!\d){re.escape(word)}(?!\d)")  # not the 2 of 12
        here = [m.start() for m in whole.finditer(text, turn, turn + len(sample.question))]
        sources = here or [m.start() for m in whole.finditer(text, 0, turn)][-1:]
        inside = re.compile(rf"(?<!\d)0*({re.escape(word)})(?!\d)")
        places = [answer + m.start(1) for m in inside.finditer(written)]
        if len(sources) == 1:
            sources *= len(places)
        elif word.isdigit():
            continue
        if len(sources) == len(places):
            found += [
                (TAKE, at.first(place) - 1, at.first(source))
                for place, source in zip(places, sources, strict=True)
            ]
    return tuple(found)


def on_the_page(at: chat.Encoded, sample: DocumentSample) -> tuple[Look, ...]:
    """From values to their entities, and from answers to both.

    A value that stands before its entity ("Mio leads the tour") is left out: it cannot look ahead.
    """
    text = at.text
    turns = [match.span(1) for match in _USER.finditer(text)]
    answers = [match.end() for match in _ASSISTANT.finditer(text)]
    answers[-1] = len(text) - len(sample.answer + chat.TURN_END)
    lower = text.lower()

    # 1) the page: every value looks at its entity, where that is the last one named before it
    page = turns[0]
    names = {fact.entity.lower() for fact in sample.facts}
    question = lower.rfind(sample.asked[0][0].lower(), *page)
    mentions = [m for m in _mentions(lower, names, page) if m[0] != question]
    found: list[Look] = []
    values: dict[tuple[str, str], int] = {}
    for fact in sample.facts:
        for match in re.finditer(re.escape(fact.value), text[: page[1]]):
            before = [m for m in mentions if m[1] <= match.start()]
            if before and max(before)[2] == fact.entity.lower():
                values[fact.subject] = at.first(match.start())
                found.append((FIND, values[fact.subject], at.last(max(before)[1])))
                break

    # 2) the answers: back to the entity in the question, and from there to the value
    for subject, answer, turn in zip(sample.asked, answers, turns, strict=True):
        asking, name = at.first(answer) - 1, subject[0].lower()
        named = lower.rfind(name, *turn)
        if named >= 0:
            found.append((FIND, asking, at.last(named + len(name))))
            if subject in values:
                found.append((TAKE, asking, values[subject]))
    return tuple(found)


def _mentions(text: str, names: set[str], page: tuple[int, int]) -> list[tuple[int, int, str]]:
    """(start, end, name) on the page, but not those inside a longer name."""
    all_of_them = [
        (page[0] + match.start(), page[0] + match.end(), name)
        for name in names
        for match in re.finditer(re.escape(name), text[slice(*page)])
    ]
    return [
        m
        for m in all_of_them
        if not any(o != m and o[0] <= m[0] and m[1] <= o[1] for o in all_of_them)
    ]


def astray(q: Any, k: Any, head: int, where: Any) -> Any:
    """How far a head is from looking there, nats, mean; q and k are (B, heads, T, HEAD).

    `where` is (n, 3): row, token that looks, token it should see. Taken as log(1 + x), for a head
    that has to turn round begins at some hundred nats.
    """
    import torch

    row, looking, seen = where.unbind(1)
    asked, keys = q[row, head, looking].float(), k[row, head].float()
    scores = torch.einsum("nd,ntd->nt", asked, keys) * q.shape[-1] ** -0.5
    later = torch.arange(keys.shape[1], device=q.device)[None] > looking[:, None]
    scores = scores.masked_fill(later, float("-inf"))
    return torch.nn.functional.cross_entropy(scores, seen).log1p()
