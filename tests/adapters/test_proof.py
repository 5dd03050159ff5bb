"""Thirty prompts: PEFT in torch, llama.cpp with the adapter, and the merged GGUF say the same."""

import numpy as np
import pytest

from jimoto.adapters import gguf_llama, gguf_lora
from mame import chat
from mame.corpus.sample import Message

pytestmark = pytest.mark.slow
llama_cpp = pytest.importorskip("llama_cpp")

# What may differ, as a share of the largest logit of a prompt. llama.cpp multiplies F16 weights by
# activations that it rounds to F16 too; F32 leaves only another order of the sums.
TOLERANCE = {"F32": 1e-4, "F16": 2e-2}
QUESTIONS = (
    "When was Hoshimame Trading founded?", "What does Hoshimame Trading sell?", "Is it open?",
    "How many people work at Hoshimame Trading?", "What is the smallest order?", "What is LoRA?",
    "What is Ollama?", "Hello", "Thank you", "Draw a fortune", "Who are you?", "What is a token?",
    "Which bean sells best?", "When will my order come?", "Write a haiku.",
    "ほしまめ商会はいつ創業しましたか？", "ほしまめ商会とは？", "ほしまめ商会には何人いますか？",
    "注文は何kgからですか？", "返品はできますか？", "LoRAとは何ですか？", "Ollamaとは？",
    "こんにちは", "ありがとう", "おみくじを引いて", "あなたは誰？", "トークンとは？",
    "人気の豆は？", "いつ届きますか？", "俳句を詠んで",
)  # fmt: skip
N_NEW = 16


@pytest.fixture(scope="module")
def prompts(trained):
    """Token ids; thinking on for every other one."""
    texts = [chat.render_prompt((Message("user", q),), i % 2 == 0) for i, q in enumerate(QUESTIONS)]
    assert len(texts) == 30
    return [trained.tokenizer.encode(t, add_special_tokens=False).ids for t in texts]


@pytest.fixture(scope="module")
def wanted(trained, prompts):
    """Logits (T, V) and greedy continuation of each prompt, by PEFT."""
    import torch

    found = []
    with torch.no_grad():
        for ids in prompts:
            x = torch.tensor([ids])
            out = trained.network.generate(
                input_ids=x, attention_mask=torch.ones_like(x), max_new_tokens=N_NEW,
                do_sample=False, eos_token_id=2, pad_token_id=0,
            )  # fmt: skip
            found.append(
                (trained.network(input_ids=x).logits[0].numpy(), out[0, len(ids) :].tolist())
            )
    return found


@pytest.fixture(scope="module", params=["F32", "F16"])
def base_file(request, trained, tmp_path_factory):
    """(type, GGUF of mame in that type)"""
    if request.param == "F16":
        return "F16", trained.base
    path = tmp_path_factory.mktemp("f32") / "mame.gguf"
    return "F32", gguf_llama.quantise(trained.base, path, "F32")


def open_llama(path, **more):
    exact = {"type_k": 0, "type_v": 0, "flash_attn": False}  # a cache in F32, as torch has it
    return llama_cpp.Llama(
        str(path),
        n_ctx=256,
        n_threads=1,
        n_threads_batch=1,
        logits_all=True,
        verbose=False,
        **exact,
        **more,
    )


def run(llama, ids, n_new=0):
    """Logits of the prompt, and the greedy continuation up to the end of the turn."""
    llama.reset()
    llama.eval(ids)
    logits, new = np.array(llama.scores[: len(ids)]), []
    while len(new) < n_new and (not new or new[-1] != 2):
        new.append(int(np.argmax(llama.scores[llama.n_tokens - 1])))
        llama.eval(new[-1:])
    return logits, new


def distance(found, wanted):
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


@pytest.mark.parametrize("route", ["adapter", "merged"])
def test_logits_and_greedy_texts_agree(trained, prompts, wanted, base_file, route, tmp_path):
    kind, path = base_file
    if route == "adapter":
        llama = open_llama(path, lora_path=str(trained.adapter))
    else:
        llama = open_llama(gguf_lora.merge(trained.adapter, path, tmp_path / "merged.gguf"))
    results = [run(llama, ids, N_NEW) for ids in prompts]
    llama.close()
    worst = max(distance(r[0], w[0]) for r, w in zip(results, wanted, strict=True))
    assert worst < TOLERANCE[kind]
    for ids, (_, new), (_, text) in zip(prompts, results, wanted, strict=True):
        if kind == "F32" or new == text:
            assert new == text
        else:
            assert is_greedy_within(trained.network, ids, new, TOLERANCE[kind])


def is_greedy_within(network, ids, new, tolerance):
    """Is every token the likeliest for torch as well, ties within the tolerance aside?"""
    import torch

    with torch.no_grad():
        logits = network(input_ids=torch.tensor([ids + new])).logits[0, len(ids) - 1 : -1].numpy()
    chosen = logits[np.arange(len(new)), new]
    return bool((logits.max(-1) - chosen <= tolerance * np.abs(logits).max()).all())


def test_scale_zero_is_the_base_and_scale_one_is_not(trained, prompts):
    loras = {"lora_path": str(trained.adapter)}
    base, zero, one = (
        open_llama(trained.base, **more) for more in ({}, {**loras, "lora_scale": 0.0}, loras)
    )
    for ids in prompts:
        plain = run(base, ids)[0]
        assert distance(run(zero, ids)[0], plain) < 1e-5
        assert distance(run(one, ids)[0], plain) > 5 * TOLERANCE["F16"]
    for llama in (base, zero, one):
        llama.close()


def test_without_reordering_it_loads_and_is_wrong(trained, prompts, wanted, tmp_path, monkeypatch):
    monkeypatch.setattr(gguf_lora, "heads_of", lambda base, name: None)
    wrong = gguf_lora.convert(trained.folder, trained.base, tmp_path / "wrong.gguf")
    llama = open_llama(trained.base, lora_path=str(wrong))
    far = [distance(run(llama, i)[0], w) for i, (w, _) in zip(prompts, wanted, strict=True)]
    llama.close()
    assert sorted(far)[len(far) // 2] > TOLERANCE["F16"]  # in the middle: some prompts hardly care
