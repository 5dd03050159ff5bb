"""Embeddings: what the routes answer, and what the real engine makes of a text."""

from __future__ import annotations

import math

import numpy as np
import pytest
from ollama import Client, ResponseError
from tiny_gguf import write_tiny_gguf

from conftest import create_model
from jimoto.daemon.vectors import MAX_INPUTS, shape_vector


def post(api, body, path="/api/embed"):
    return api.post(path, body)


def test_one_text_or_several_give_vectors_of_length_one_in_their_order(api, tiny):
    one = post(api, {"model": "tiny", "input": "abc"}).json()
    assert one["model"] == "tiny" and one["embeddings"] == [[0.6, 0.8]]
    two = post(api, {"model": "tiny", "input": ["abc", ""]}).json()
    assert two["embeddings"] == [[0.6, 0.8], [0.0, 1.0]]
    assert (two["prompt_eval_count"], two["load_duration"]) == (3, 500_000_000)


def test_fewer_dimensions_are_cut_and_made_one_long_again(api, tiny):
    body = {"model": "tiny", "input": "abc"}
    for asked, vector in ((1, [1.0]), (2, [0.6, 0.8]), (9, [0.6, 0.8]), (0, [0.6, 0.8])):
        assert post(api, body | {"dimensions": asked}).json()["embeddings"] == [vector]


def test_no_input_only_loads(api, tiny, fake_engine):
    for body in ({}, {"input": ""}, {"input": []}, {"input": None}):
        answer = post(api, {"model": "tiny", "keep_alive": 7, **body}).json()
        assert answer["embeddings"] == []
    assert fake_engine.embeds == [] and [load[1] for load in fake_engine.loads] == [7.0] * 4


def test_truncate_options_and_keep_alive_reach_the_engine(api, tiny, fake_engine):
    options = {"num_ctx": 64}
    post(
        api, {"model": "tiny", "input": "a", "truncate": False, "options": options, "keep_alive": 0}
    )
    [(plan, job, keep_alive)] = fake_engine.embeds
    assert (plan.context_length, job.truncate, keep_alive) == (64, False, 0.0)


EMBED_ERRORS = [
    ({}, 404, "model '' not found"),
    ({"model": "nope", "input": "x"}, 404, 'model "nope" not found, try pulling it first'),
    ({"model": "a b", "input": "x"}, 400, "invalid model name"),
    ({"model": "tiny", "input": 3}, 400, "invalid input type"),
    ({"model": "tiny", "input": ["a", 3]}, 400, "invalid input type"),
    ({"model": "tiny", "input": {"a": 1}}, 400, "invalid input type"),
    ({"model": "tiny", "input": ["a"] * (MAX_INPUTS + 1)}, 400,
     f"more than {MAX_INPUTS} inputs in one request"),
    ({"model": "tiny", "input": "x", "options": {"num_ctx": "x"}}, 500,
     'option "num_ctx" must be of type integer'),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "text"), EMBED_ERRORS)
def test_embed_refuses_in_ollamas_words(api, tiny, body, status, text):
    answer = post(api, body)
    assert (answer.status_code, answer.json()) == (status, {"error": text})


def test_the_older_form_gives_one_vector_and_nothing_else(api, tiny):
    path = "/api/embeddings"
    assert post(api, {"model": "tiny", "prompt": "abc"}, path).json() == {"embedding": [0.6, 0.8]}
    assert post(api, {"model": "tiny"}, path).json() == {"embedding": []}
    assert post(api, {"prompt": "x"}, path).json() == {"error": "model is required"}
    answer = post(api, {"model": "nope", "prompt": "x"}, path)
    assert (answer.status_code, "not found" in answer.json()["error"]) == (404, True)


def test_an_embedding_model_embeds_and_does_not_chat(api, library, tmp_path):
    create_model(library, "e", write_tiny_gguf(tmp_path / "e.gguf", pooling=1))
    assert post(api, {"model": "e", "input": "a"}).status_code == 200
    answer = api.post("/api/chat", {"model": "e", "messages": [{"role": "user", "content": "x"}]})
    assert (answer.status_code, "does not support chat" in answer.json()["error"]) == (400, True)


def test_a_vector_of_zeros_stays_one():
    assert shape_vector([0.0, 0.0]) == [0.0, 0.0]


# --- the real engine ---


@pytest.fixture(scope="module")
def client(daemon, tiny_gguf, tmp_path_factory):
    folder = tmp_path_factory.mktemp("embed")
    with Client(host=daemon.url) as client:
        client.create("tiny", files={"tiny.gguf": client.create_blob(tiny_gguf)})
        for name, pooling in (("mean", 1), ("last", 3)):
            path = write_tiny_gguf(folder / f"{name}.gguf", pooling=pooling)
            client.create(name, files={"m.gguf": client.create_blob(path)})
        yield client


def vectors(client, name, *texts, **more):
    return np.array(client.embed(name, list(texts), **more).embeddings)


@pytest.mark.slow
def test_a_text_has_one_vector_whatever_was_asked_before_or_beside_it(client):
    alone = vectors(client, "tiny", "hello")
    client.generate("tiny", "something else", options={"num_predict": 5})
    together = vectors(client, "tiny", "another", "hello", "hello again")
    assert together.shape == (3, 32)
    np.testing.assert_array_equal(alone[0], together[1])
    assert not np.allclose(together[1], together[2])
    assert [math.isclose(float(np.linalg.norm(v)), 1, abs_tol=1e-6) for v in together] == [True] * 3


@pytest.mark.slow
def test_embedding_between_two_questions_changes_no_answer(client):
    options = {"temperature": 0, "num_predict": 20}
    before = client.generate("tiny", "hello", options=options).response
    vectors(client, "tiny", "in between")
    assert client.generate("tiny", "hello", options=options).response == before


@pytest.mark.slow
def test_a_model_made_for_embeddings_pools_as_it_says(client):
    """The same weights: the last token's vector is what a chat model gives, the mean is not."""
    text = "pooled"
    tiny, last, mean = (vectors(client, name, text)[0] for name in ("tiny", "last", "mean"))
    np.testing.assert_allclose(last, tiny, atol=1e-5)
    assert np.linalg.norm(mean - tiny) > 0.1


@pytest.mark.slow
def test_tokens_are_counted_over_all_inputs(client):
    one = client.embed("tiny", "ab").prompt_eval_count
    two = client.embed("tiny", "abcd").prompt_eval_count
    assert (one, two) == (2, 4)  # a byte-level vocabulary without these merges
    assert client.embed("tiny", ["ab", "abcd"]).prompt_eval_count == 6


@pytest.mark.slow
@pytest.mark.parametrize("name", ["tiny", "mean"])
def test_a_text_that_is_too_long_is_cut_or_refused(client, name):
    options = {"num_ctx": 64}
    long = client.embed(name, "a" * 200, options=options)
    assert long.prompt_eval_count == 64
    np.testing.assert_array_equal(long.embeddings, vectors(client, name, "a" * 64, options=options))
    with pytest.raises(
        ResponseError, match="the input length exceeds the context length"
    ) as caught:
        client.embed(name, "a" * 200, truncate=False, options=options)
    assert caught.value.status_code == 400


@pytest.mark.slow
def test_nothing_to_embed_is_a_400(client):
    with pytest.raises(ResponseError, match="nothing to embed") as caught:
        client.embed("tiny", ["a", ""])
    assert caught.value.status_code == 400


@pytest.mark.slow
def test_mame_finds_like_texts_alike(client, mame):
    client.create("mame", files={"mame.gguf": client.create_blob(mame)})
    a, same, other = vectors(
        client, "mame", "What is a token?", "What is a token?", "おみくじを引いてください。"
    )
    assert a @ same == pytest.approx(1, abs=1e-6) and a @ other < 0.99
