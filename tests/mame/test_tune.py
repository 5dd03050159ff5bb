"""Tuning on a tiny random mame: the mechanics, in seconds. What the real one learns is measured."""

import doctest
import json
from dataclasses import replace

import pytest

from jimoto.errors import ExampleBroken
from mame import examples, tune
from mame.examples import Example

pytest.importorskip("torch", reason="needs the extra 'train'")
pytest.importorskip("peft", reason="needs the extra 'train'")

RECIPE = tune.Recipe(steps=6, batch_size=4, rate=2e-2, held_out=0.1, seconds=1e9)
FOUND = [Example(f"Question {i}?", "Always the same answer.") for i in range(50)]


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A GGUF with mame's own pieces and a network of two narrow blocks."""
    from safetensors.numpy import save_file

    from jimoto.adapters import gguf_llama
    from mame import base, model, tokenizer

    folder = tmp_path_factory.mktemp("tiny")
    pieces = base.load_tokenizer(gguf_llama.read_gguf(base.shipped()))
    tokenizer.save(pieces, folder)
    shape = model.Shape(n_embd=32, n_layer=2, n_ff=64, n_head=2, n_kv_head=1, context_length=512)
    network = model.build(shape, pieces.get_vocab_size(), seed=3)
    network.config.save_pretrained(folder)
    weights = {k: v.numpy() for k, v in network.state_dict().items() if k != "lm_head.weight"}
    save_file(weights, folder / "model.safetensors")
    about = gguf_llama.Description(name="tiny")
    return gguf_llama.convert(folder, folder / "tiny.gguf", about)


@pytest.fixture(scope="module")
def tuned(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tuned")
    return tune.tune(FOUND, folder, recipe=RECIPE, base=tiny, progress=False)


def test_the_shipped_file_is_loaded_exactly():
    import numpy as np

    from jimoto.adapters import gguf_llama
    from mame import base

    network, tokenizer = base.load(base.shipped())
    stored = gguf_llama.read_gguf(base.shipped())
    loaded = network.state_dict()
    assert all(np.array_equal(loaded[n].numpy(), v) for n, v in stored.weights.items())
    text = "<|im_start|>user\nLoRAとは？ 12+3 🍣<|im_end|>\n<think>\n"
    assert tokenizer.decode(tokenizer.encode(text).ids, skip_special_tokens=False) == text


def test_the_tokenizer_cuts_as_llama_cpp_does():
    llama_cpp = pytest.importorskip("llama_cpp")
    import random

    from mame import base, chat, corpus

    _, tokenizer = base.load(base.shipped())
    llama = llama_cpp.Llama(
        str(base.shipped()), n_ctx=64, n_threads=1, n_threads_batch=1, verbose=False
    )
    r = random.Random(5)
    for _ in range(60):
        text = chat.render_prompt(corpus.draw(r).messages, thinking=True)
        ids = llama.tokenize(text.encode("utf-8"), add_bos=False, special=True)
        assert tokenizer.encode(text, add_special_tokens=False).ids == ids
    llama.close()


def test_the_loss_falls_on_what_was_taught_and_on_what_was_held_out(tuned):
    assert tuned.losses[-1] < tuned.losses[0] - 0.05  # a random network has little to adapt
    assert tuned.after.loss < tuned.before.loss - 0.1
    assert (len(tuned.losses), tuned.n_examples, tuned.after.n) == (6, 45, 5)


def test_the_same_recipe_gives_the_same_adapter(tuned, tiny, tmp_path):
    again = tune.tune(FOUND, tmp_path, recipe=RECIPE, base=tiny, progress=False)
    files = [f / "adapter_model.safetensors" for f in (tuned.folder, again.folder)]
    assert again.losses == tuned.losses
    assert files[0].read_bytes() == files[1].read_bytes()


def test_what_is_saved_becomes_a_gguf_adapter_for_that_base(tuned, tiny, tmp_path):
    from jimoto.adapters import gguf_lora

    lora = gguf_lora.convert(tuned.folder, tiny, tmp_path / "x.gguf")
    assert gguf_lora.check(lora, tiny).n_params == tuned.n_trained
    assert len(gguf_lora.read(lora).pairs) == 2 * 7
    report = json.loads((tuned.folder / "tune.json").read_text(encoding="utf-8"))
    assert report["losses"] == list(tuned.losses) and report["recipe"]["rank"] == 8


def test_the_clock_ends_a_run_that_would_take_too_long(tiny, tmp_path):
    short = replace(RECIPE, steps=10_000, seconds=0.2, keep=0.0)
    tuned = tune.tune(FOUND, tmp_path, recipe=short, base=tiny, progress=False)
    assert 1 <= len(tuned.losses) < 10_000
    assert (tmp_path / "adapter_model.safetensors").is_file()


def test_an_example_that_is_too_long_stops_everything(tiny, tmp_path):
    found = [*FOUND, Example("q", "long " * 600)]
    with pytest.raises(ExampleBroken) as caught:
        tune.tune(found, tmp_path, recipe=RECIPE, base=tiny, progress=False, path="my.jsonl")
    assert (caught.value.line, caught.value.cause) == (51, "long")
    assert list(tmp_path.iterdir()) == []


def test_a_question_stands_on_one_side_only():
    twice = [Example(f"q{i % 30}", f"a{i}") for i in range(60)]
    taught, held_out = tune.split(twice, tune.Recipe())
    assert len(taught) + len(held_out) == 60 and held_out
    assert not {e.user for e in taught} & {e.user for e in held_out}


def test_only_the_answer_is_learned():
    from mame import base

    _, tokenizer = base.load(base.shipped())
    row = tune.encode(tokenizer, Example("q?", "answer"), thinking=False)
    x, y = tune.to_tensors([row, (row[0], [*row[1], 7, 7])])
    assert x.shape == y.shape == (2, len(row[0]) + len(row[1]) + 2)
    assert y[0][y[0] >= 0].tolist() == row[1] and (y[0, -2:] == -100).all()
    assert tokenizer.decode(row[1], skip_special_tokens=False) == "answer<|im_end|>"


def test_the_curve_is_one_line_of_text():
    assert doctest.testmod(tune).failed == 0
    assert len(tune.sparkline([float(i) for i in range(1000)])) <= 40


def test_the_worked_sets_are_what_the_command_offers():
    assert set(examples.SETS) == {"polite", "sheet"}


def test_the_command_trains_converts_and_prints_the_curve(tiny, tmp_path, capsys):
    file = examples.write(FOUND, tmp_path / "mine.jsonl")
    words = [str(file), "--out", str(tmp_path / "out"), "--base", str(tiny), "--steps", "2"]
    tune.run([*words, "--keep", "0", "--threads", "1"])
    said = capsys.readouterr().out
    assert "before loss" in said and "after  loss" in said and any(b in said for b in tune.BARS)
    assert (tmp_path / "out" / "adapter.gguf").is_file()


def test_the_command_trains_nothing_on_half_a_file(tiny, tmp_path, capsys, monkeypatch):
    file = examples.write(FOUND, tmp_path / "mine.jsonl")
    file.write_text(file.read_text(encoding="utf-8") + '{"user": "q"}\n', encoding="utf-8")
    words = ["tune", str(file), "--out", str(tmp_path / "out"), "--base", str(tiny)]
    monkeypatch.setattr("sys.argv", words)
    monkeypatch.setenv("JIMOTO_LANG", "ja")
    with pytest.raises(SystemExit):
        tune.main()
    assert "51行目" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_sixteen_steps_teach_the_shipped_mame_a_format(tmp_path):
    """Answers in double brackets, which no training text of mame has."""
    from mame.corpus import faq

    found = [
        Example(faq.trained_questions(fact, lang)[0], f"[[{fact.answer(lang)}]]")
        for fact in faq.FACTS[:50]
        for lang in ("en", "ja")
    ]

    def in_brackets(example: Example, answer: str) -> bool:
        return answer.startswith("[[") and answer.endswith("]]")

    recipe = tune.Recipe(
        rank=16, alpha=32.0, steps=16, batch_size=12, rate=1e-2, held_out=0.1, seconds=1e9
    )
    tuned = tune.tune(found, tmp_path, recipe=recipe, is_good=in_brackets, progress=False)
    assert tuned.before.good == 0
    assert tuned.after.good >= tuned.after.n / 2  # 7 of 10 on 2026-11-28
