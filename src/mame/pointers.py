"""Where attention has to look for an answer on a page, shown in training to two heads.

With two entities of a kind on one page mame named the right value in 50 to 58 of 100 questions,
which is chance, after 60 million tokens: nothing told it which of its guesses came from looking at
the right place. FIND looks from the first token of a value, and from where an answer begins, back
to the entity that is spoken of; TAKE looks from where the answer begins to the value. In a trial of
27 minutes from the shipped weights, with half of all samples documents, it became 85 (English) and
90 (Japanese) of 100 (2026-11-29, two cores with AMX). This module knows no training loop.
"""

import re
from bisect import bisect_right
from typing import Any

from mame import chat
from mame.corpus.documents import DocumentSample

Head = tuple[int, int]  # layer, and head in it; head 0 of most layers copies
FIND: Head = (1, 3)
TAKE: Head = (3, 3)

Look = tuple[Head, int, int]  # who looks, from which token, at which token

_USER = re.compile(f"{re.escape(chat.TURN_START)}user\n(.*?){re.escape(chat.TURN_END)}", re.DOTALL)
_ASSISTANT = re.compile(f"{re.escape(chat.TURN_START)}assistant\n")


def looks(tokenizer: Any, sample: DocumentSample, thinking: bool) -> tuple[Look, ...]:
    """All pairs of tokens of the sample, as `chat.encode_sample` numbers them.

    A value that stands before its entity ("Mio leads the tour") is left out: it cannot look ahead.
    """
    text = chat.render_prompt(sample.messages, thinking, sample.tools)
    text += chat.render_answer(sample, thinking)
    starts = [start for start, _ in tokenizer.encode(text, add_special_tokens=False).offsets]
    turns = [match.span(1) for match in _USER.finditer(text)]
    answers = [match.end() for match in _ASSISTANT.finditer(text)]
    answers[-1] = len(text) - len(sample.answer + chat.TURN_END)
    lower = text.lower()

    def last_token(end: int) -> int:
        return bisect_right(starts, end - 1) - 1

    def first_token(start: int) -> int:
        token = bisect_right(starts, start) - 1
        while token and starts[token - 1] == starts[token]:  # a character of several tokens
            token -= 1
        return token

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
                values[fact.subject] = first_token(match.start())
                found.append((FIND, values[fact.subject], last_token(max(before)[1])))
                break

    # 2) the answers: back to the entity in the question, and from there to the value
    for subject, answer, turn in zip(sample.asked, answers, turns, strict=True):
        asking, name = first_token(answer) - 1, subject[0].lower()
        named = lower.rfind(name, *turn)
        if named >= 0:
            found.append((FIND, asking, last_token(named + len(name))))
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
