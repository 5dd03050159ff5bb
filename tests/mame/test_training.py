"""Training: it learns, it repeats itself, and it goes on where it stopped."""

import pytest

pytest.importorskip("torch", reason="needs the extra 'train'")
pytest.importorskip("transformers", reason="needs the extra 'train'")

from mame import model, tokenizer, train
from mame.corpus.sample import Message, Sample

TINY = model.Shape(n_embd=64, n_layer=2, n_ff=128, n_head=2, n_kv_head=1, context_length=1024)
RECIPE = train.Recipe(tokens_per_batch=1024, warmup_steps=5, muon_rate=0.05, adam_rate=1e-2)
SMOKE_LOSS = 6.0  # nats per answer token after 60 steps; an untrained network has log(4096) = 8.3


@pytest.fixture(autouse=True)
def one_thread():
    """Two threads that wait for each other are slower than one on a busy machine."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def small_tokenizer():
    return tokenizer.build(samples=1500)


@pytest.fixture
def folder(tmp_path, small_tokenizer):
    tokenizer.save(small_tokenizer, tmp_path)
    return tmp_path


def run(folder, steps, resume=False):
    return train.train(folder, RECIPE, steps=steps, shape=TINY, resume=resume)


def test_smoke_training_beats_the_stated_loss(folder):
    assert run(folder, steps=60).loss < SMOKE_LOSS


def test_two_runs_with_one_seed_end_alike(folder):
    assert run(folder, steps=4).loss == run(folder, steps=4).loss


def test_a_stopped_run_goes_on_where_it_was(folder):
    whole = run(folder, steps=6)
    halted = train.train(folder, RECIPE, steps=6, shape=TINY, is_stopping=lambda step: step == 3)
    assert halted.step == 3
    resumed = run(folder, steps=6, resume=True)
    assert (resumed.step, resumed.tokens, resumed.loss) == (
        6,
        whole.tokens,
        pytest.approx(whole.loss, abs=1e-4),
    )


def test_a_run_can_begin_with_a_gguf(tmp_path):
    """What a later session has of an earlier one is the shipped file."""
    import torch

    from mame import base

    begun = train.train(
        tmp_path, RECIPE, steps=1, start=base.shipped(), is_stopping=lambda step: True
    )
    assert begun.step == 0
    shipped, loaded = base.load(base.shipped())[0].state_dict(), model.load(tmp_path).state_dict()
    assert all(torch.equal(shipped[name], loaded[name]) for name in shipped)


def test_steps_or_minutes_but_not_both(folder):
    with pytest.raises(ValueError, match="either steps or minutes"):
        train.train(folder, RECIPE, shape=TINY)


def test_a_shortened_row_keeps_the_beginning_of_the_answer():
    row = (list(range(40)), [0.02] * 10 + [1.0] * 30)
    ids, weights = train.shorten(row, whole=False)
    assert ids == list(range(10 + train.BEGINNING))
    assert train.shorten(row, whole=True) == row
    assert weights[-1] == 1.0


def test_a_batch_stays_within_its_tokens(small_tokenizer):
    stream = train.Stream(small_tokenizer, RECIPE)
    for _ in range(20):
        batch = stream.next()
        assert (
            len(batch) == 1
            or len(batch) * max(len(row.ids) for row in batch) <= RECIPE.tokens_per_batch
        )


def test_a_stream_goes_on_from_its_state(small_tokenizer):
    whole = train.Stream(small_tokenizer, RECIPE)
    for _ in range(60):
        whole.next()
        whole.note({"faq": 2.0, "sums": 0.1})
    resumed = train.Stream(small_tokenizer, RECIPE, whole.state())
    assert [resumed.next() for _ in range(5)] == [whole.next() for _ in range(5)]


def test_the_mix_shifts_towards_what_is_wrong_and_leaves_chance_alone():
    from mame import corpus

    mix = train.shifted_mix({"faq": 0.01, "roles": 2.0, "fortune": 3.0, "sums thought": 0.5})
    assert mix["roles"] > corpus.MIX["roles"]
    assert mix["faq"] == corpus.MIX["faq"] / train.MOST_SHIFT
    assert mix["fortune"] == corpus.MIX["fortune"]
    assert train.shifted_mix({}) == corpus.MIX


def test_rate_rises_stays_and_falls():
    scales = [
        train.rate_scale(RECIPE, step, done)
        for step, done in ((0, 0.0), (50, 0.3), (90, 0.75), (99, 1.0))
    ]
    assert scales == pytest.approx([0.2, 1.0, 0.5, RECIPE.last_rate])


def test_mame_has_about_five_million_parameters():
    assert (
        4.5e6
        < model.n_params(model.build(model.Shape(), tokenizer.VOCABULARY_SIZE, seed=1))
        < 5.5e6
    )


def test_a_new_mame_copies_before_its_first_step():
    """The circuit for copying is wired in: repeated random tokens are continued."""
    import torch

    g = torch.Generator().manual_seed(3)
    fresh = model.build(model.Shape(), 4096, seed=1)
    once = torch.randint(10, 4096, (8, 30), generator=g)
    x = torch.cat([once, once, once], 1)
    with torch.no_grad():
        guessed = fresh(input_ids=x).logits[:, 31:-1].argmax(-1)
    assert float((guessed == x[:, 32:]).float().mean()) > 0.5


def test_a_step_wears_the_circuit_for_copying_down_and_it_can_be_restored():
    import torch

    fresh = model.build(model.Shape(), 300, seed=1)
    optimizer = train.Optimizer(fresh, RECIPE, torch.float32)
    query = fresh.model.layers[1].self_attn.q_proj.weight
    before, up = query.clone(), fresh.model.layers[1].mlp.up_proj.weight.clone()
    fresh(input_ids=torch.arange(8)[None], labels=torch.arange(8)[None]).loss.backward()
    optimizer.step(1.0)
    assert not torch.equal(query[: model.HEAD], before[: model.HEAD])
    fresh.circuit.restore()
    assert torch.equal(query[: model.HEAD], before[: model.HEAD])
    assert not torch.equal(query[model.HEAD :], before[model.HEAD :])
    assert not torch.equal(fresh.model.layers[1].mlp.up_proj.weight, up)


def test_only_answers_and_earlier_answers_count(small_tokenizer):
    from mame import chat

    sample = Sample(
        "faq", "en", "Hello", "Hi!", before=(Message("user", "a"), Message("assistant", "b"))
    )
    _, weights = chat.encode_sample(small_tokenizer, sample, thinking=False)
    assert {0.0, chat.PROMPT_WEIGHT, chat.HISTORY_WEIGHT, chat.ANSWER_WEIGHT} == set(weights)


def test_no_piece_of_the_vocabulary_is_left_untrained():
    """Rare bytes and the halves of longer pieces occur in no text, but in the rows that repeat."""
    import random

    from mame import chat

    r, seen = random.Random(1), set()
    for _ in range(60 * int(train.BLOCK * train.COPY_SHARE)):  # a training has some 400 blocks
        row = train.copy_row(r, 4096)
        seen.update(i for i, weight in zip(row.ids, row.weights, strict=True) if weight)
    assert seen == set(range(len(chat.SPECIAL_TOKENS), 4096))
