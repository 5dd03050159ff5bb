"""Texts become vectors: what a loaded model makes of a text, as one row of numbers.

It runs in the worker process, on the context that also answers questions. A model made for
embeddings says itself how the vectors of its tokens become one (mean, first, last); of any other
model the vector of the last token is taken, which has seen the whole text. Nothing here is
normalised, and nothing knows HTTP.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from jimoto.daemon.inference import Command, Model, RunError

TOO_LONG = "the input length exceeds the context length"


def embed(model: Model, job: Command, is_cancelled: Callable[[], bool]) -> Iterator[Command]:
    """Replies to one command: a vector for each text, and `done` with the number of tokens."""
    texts = [tokenize(model, text) for text in job["inputs"]]
    room = longest_input(model)
    if not job["truncate"] and any(len(tokens) > room for tokens in texts):
        raise RunError(TOO_LONG, 400)
    texts = [shorten(model, tokens, room) for tokens in texts]
    count = sum(map(len, texts))
    yield {"prompt": {"count": count, "cached": 0, "tail": ""}}
    for tokens in texts:
        if is_cancelled():
            yield {"done": {"reason": "cancelled"}}
            return
        yield {"vector": vector_of(model, tokens)}
    yield {"done": {"reason": "stop", "prompt_count": count}}


def tokenize(model: Model, text: str) -> list[int]:
    """Tokens with what the vocabulary puts around a text: BOS, or [CLS] and [SEP]."""
    raw = text.encode("utf-8")
    room = len(raw) + 16
    buffer = (model.llama.llama_token * room)()
    found = model.llama.llama_tokenize(model.vocab, raw, len(raw), buffer, room, True, True)
    if found <= 0:
        raise RunError("the input is empty: there is nothing to embed", 400)
    return list(buffer[:found])


def pooling_of(model: Model) -> int:
    """llama.cpp's number for the way of this model; 0 (none) for one not made for embeddings."""
    return int(model.llama.llama_pooling_type(model.context))


def longest_input(model: Model) -> int:
    """Tokens of one text: the context, or what is computed at once where all tokens count."""
    return min(model.batch, model.context_length) if pooling_of(model) else model.context_length


def shorten(model: Model, tokens: list[int], room: int) -> list[int]:
    """The beginning, with the closing token that the vocabulary had put at the end."""
    if len(tokens) <= room:
        return tokens
    closing = tokens[-1:] if model.is_end(tokens[-1]) else []
    return tokens[: room - len(closing)] + closing


def vector_of(model: Model, tokens: list[int]) -> list[float]:
    """The embedding of one text, `n_embd` numbers."""
    llama, context = model.llama, model.context
    llama.llama_memory_clear(model.memory, True)
    if pooling_of(model):
        _evaluate(model, tokens, wants_vector=True)
        pointer = llama.llama_get_embeddings_seq(context, 0)
    else:
        # Only the last token's vector is kept, so the rest is read as a prompt is.
        for at in range(0, len(tokens) - 1, model.batch):
            _evaluate(model, tokens[:-1][at : at + model.batch], wants_vector=False)
        _evaluate(model, tokens[-1:], wants_vector=True)
        pointer = llama.llama_get_embeddings_ith(context, -1)
    llama.llama_set_embeddings(context, False)
    llama.llama_memory_clear(model.memory, True)
    if not pointer:
        raise RunError("llama.cpp gives no embedding for this model", 400)
    values = [float(value) for value in pointer[: llama.llama_model_n_embd(model.handle)]]
    if not all(map(math.isfinite, values)):
        raise RunError("the embedding contains a number that is not finite", 400)
    return values


def _evaluate(model: Model, tokens: list[int], wants_vector: bool) -> None:
    llama = model.llama
    llama.llama_set_embeddings(model.context, wants_vector)
    array: Any = (llama.llama_token * len(tokens))(*tokens)
    status = llama.llama_decode(model.context, llama.llama_batch_get_one(array, len(tokens)))
    if status != 0:
        llama.llama_set_embeddings(model.context, False)
        raise RunError(f"llama.cpp failed to embed (code {status})", 400)
