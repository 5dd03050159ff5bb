"""Checkpoint → GGUF: llama.cpp computes what torch computes."""

import json

import numpy as np
import pytest

from jimoto.adapters import gguf_llama

ABOUT = gguf_llama.Description(
    name="tiny", license="MIT", languages=("en", "ja"), description="random"
)
QUESTION = "<|im_start|>user\nLLMとは？ 12+3 🍣<|im_end|>\n<|im_start|>assistant\n<think>\n"


def test_rows_of_two_heads_are_interleaved_head_by_head():
    rows = np.arange(8).reshape(8, 1)
    assert gguf_llama.interleave_rows(rows, n_head=2).ravel().tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(gguf_llama.ConversionError, match=r"'config.json' is not there") as caught:
        gguf_llama.convert(tmp_path, tmp_path / "x.gguf", ABOUT)
    assert caught.value.folder == tmp_path


def test_another_family_is_refused(tmp_path):
    for name in ("model.safetensors", "tokenizer.json"):
        (tmp_path / name).touch()
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gemma3"}), encoding="utf-8")
    with pytest.raises(gguf_llama.ConversionError, match="'gemma3', not 'llama'"):
        gguf_llama.convert(tmp_path, tmp_path / "x.gguf", ABOUT)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A tiny network with random weights, its tokenizer beside it."""
    pytest.importorskip("torch", reason="needs the extra 'train'")
    pytest.importorskip("transformers", reason="needs the extra 'train'")
    from mame import model, tokenizer

    folder = tmp_path_factory.mktemp("tiny")
    pieces = tokenizer.build(samples=800)
    tokenizer.save(pieces, folder)
    shape = model.Shape(n_embd=64, n_layer=2, n_ff=128, n_head=4, n_kv_head=2, context_length=256)
    network = model.build(shape, pieces.get_vocab_size(), seed=3)
    for parameter in network.parameters():  # larger than usual, so that a mistake shows
        parameter.data.mul_(6 if parameter.dim() == 2 else 1.1)
    network.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def torch_side(checkpoint):
    import torch

    from mame import model, tokenizer

    ids = tokenizer.load(checkpoint).encode(QUESTION).ids
    with torch.no_grad():
        return ids, model.load(checkpoint)(input_ids=torch.tensor([ids])).logits[0].numpy()


@pytest.mark.parametrize("float_type, tolerance", [("F32", 1e-3), ("F16", 5e-2)])
def test_logits_of_torch_and_llama_cpp_agree(
    checkpoint, torch_side, tmp_path, float_type, tolerance
):
    llama_cpp = pytest.importorskip("llama_cpp")
    path = gguf_llama.convert(checkpoint, tmp_path / "tiny.gguf", ABOUT, float_type)
    llama = llama_cpp.Llama(
        str(path), n_ctx=256, n_threads=1, n_threads_batch=1, logits_all=True, verbose=False
    )
    ids, logits = torch_side
    assert llama.tokenize(QUESTION.encode(), add_bos=False, special=True) == ids
    llama.eval(ids)
    theirs = np.array(llama.scores[: len(ids)])
    llama.close()
    assert np.abs(theirs - logits).max() < tolerance * np.abs(logits).max()
    assert (theirs.argmax(-1) == logits.argmax(-1)).mean() > 0.9


def test_the_file_says_what_it_is(checkpoint, tmp_path):
    gguf = pytest.importorskip("gguf")
    fields = gguf.GGUFReader(gguf_llama.convert(checkpoint, tmp_path / "tiny.gguf", ABOUT)).fields
    stated = {
        key: fields[key].contents()
        for key in (
            "general.name",
            "general.license",
            "general.languages",
            "tokenizer.ggml.pre",
            "tokenizer.ggml.eos_token_id",
        )
    }
    assert stated == {
        "general.name": "tiny",
        "general.license": "MIT",
        "general.languages": ["en", "ja"],
        "tokenizer.ggml.pre": "qwen2",
        "tokenizer.ggml.eos_token_id": 2,
    }
    assert "enable_thinking" in fields["tokenizer.chat_template"].contents()
    assert fields["tokenizer.ggml.token_type"].contents()[:6] == [3, 3, 3, 4, 4, 1]


def test_norms_stay_in_32_bits(checkpoint, tmp_path):
    gguf = pytest.importorskip("gguf")
    tensors = gguf.GGUFReader(gguf_llama.convert(checkpoint, tmp_path / "tiny.gguf", ABOUT)).tensors
    types = {t.tensor_type.name for t in tensors if "norm" in t.name}
    assert types == {"F32"}
    assert {t.tensor_type.name for t in tensors if "norm" not in t.name} == {"F16"}


def test_a_half_written_file_is_never_left_under_the_final_name(checkpoint, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    for file in checkpoint.iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    config = json.loads((broken / "config.json").read_text(encoding="utf-8"))
    (broken / "config.json").write_text(
        json.dumps({**config, "num_hidden_layers": 3}), encoding="utf-8"
    )
    with pytest.raises(gguf_llama.ConversionError, match=r"layers\.2\."):
        gguf_llama.convert(broken, tmp_path / "x.gguf", ABOUT)
    assert not (tmp_path / "x.gguf").exists()
