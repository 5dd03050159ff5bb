"""Checkpoint → GGUF: llama.cpp computes what torch computes."""

import json

import numpy as np
import pytest

from jimoto.adapters import gguf_llama
from jimoto.errors import CheckpointRefused, QuantUnknown

ABOUT = gguf_llama.Description(
    name="tiny", license="MIT", languages=("en", "ja"), description="random"
)
QUESTION = "<|im_start|>user\nLLMとは？ 12+3 🍣<|im_end|>\n<|im_start|>assistant\n<think>\n"


def test_rows_of_two_heads_are_interleaved_head_by_head():
    rows = np.arange(8).reshape(8, 1)
    assert gguf_llama.interleave_rows(rows, n_head=2).ravel().tolist() == [0, 2, 1, 3, 4, 6, 5, 7]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointRefused) as caught:
        gguf_llama.convert(tmp_path, tmp_path / "x.gguf", ABOUT)
    assert (caught.value.cause, caught.value.detail) == ("missing", "config.json")


def test_another_family_is_refused(tmp_path):
    for name in ("model.safetensors", "tokenizer.json"):
        (tmp_path / name).touch()
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gemma3"}), encoding="utf-8")
    with pytest.raises(CheckpointRefused) as caught:
        gguf_llama.convert(tmp_path, tmp_path / "x.gguf", ABOUT)
    assert "'gemma3', not 'llama'" in caught.value.text("en")


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
    with pytest.raises(CheckpointRefused, match=r"layers\.2\."):
        gguf_llama.convert(broken, tmp_path / "x.gguf", ABOUT)
    assert not (tmp_path / "x.gguf").exists()


def test_sixteen_bit_and_split_checkpoints_give_the_same_file(checkpoint, tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file, save_file

    weights = {
        k: v.to(torch.bfloat16) for k, v in load_file(checkpoint / "model.safetensors").items()
    }
    whole, split = tmp_path / "whole", tmp_path / "split"
    for folder in (whole, split):
        folder.mkdir()
        for name in (
            "config.json",
            "tokenizer.json",
            "tokenizer_config.json",
            "chat_template.jinja",
        ):
            (folder / name).write_bytes((checkpoint / name).read_bytes())
    save_file(weights, whole / "model.safetensors")
    places = {name: f"model-{i % 2}.safetensors" for i, name in enumerate(weights)}
    for part in set(places.values()):
        save_file({n: w for n, w in weights.items() if places[n] == part}, split / part)
    index = json.dumps({"weight_map": places})
    (split / "model.safetensors.index.json").write_text(index, encoding="utf-8")
    files = [gguf_llama.convert(f, f / "x.gguf", ABOUT, "F32") for f in (whole, split)]
    assert files[0].read_bytes() == files[1].read_bytes()
    read = gguf_llama.read_gguf(files[0]).weights
    assert all((read[n] == w.float().numpy()).all() for n, w in weights.items() if n in read)


def test_reading_a_gguf_back_gives_the_checkpoint(checkpoint, tmp_path):
    from safetensors.numpy import load_file

    path = gguf_llama.convert(checkpoint, tmp_path / "tiny.gguf", ABOUT, "F32")
    back = gguf_llama.read_gguf(path)
    stored = load_file(checkpoint / "model.safetensors")
    assert back.weights.keys() == stored.keys()
    assert all((back.weights[name] == stored[name]).all() for name in stored)
    assert back.config["tie_word_embeddings"] and back.config["num_key_value_heads"] == 2


def test_llama_3_rotation_agrees_with_torch(checkpoint, tmp_path):
    torch = pytest.importorskip("torch")
    llama_cpp = pytest.importorskip("llama_cpp")
    from transformers import LlamaForCausalLM

    for file in checkpoint.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    rope = {"rope_type": "llama3", "rope_theta": 10000.0, "factor": 8.0, "low_freq_factor": 1.0}
    rope |= {"high_freq_factor": 4.0, "original_max_position_embeddings": 64}
    config["rope_parameters"] = rope
    (tmp_path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    ids = list(range(40, 140))
    with torch.no_grad():
        network = LlamaForCausalLM.from_pretrained(tmp_path)
        wanted = network(input_ids=torch.tensor([ids])).logits[0].numpy()
    path = gguf_llama.convert(tmp_path, tmp_path / "x.gguf", ABOUT, "F32")
    llama = llama_cpp.Llama(
        str(path), n_ctx=256, n_threads=1, n_threads_batch=1, logits_all=True, verbose=False,
        type_k=llama_cpp.GGML_TYPE_F32, type_v=llama_cpp.GGML_TYPE_F32,
    )  # fmt: skip
    llama.eval(ids)
    found = np.array(llama.scores[: len(ids)])
    llama.close()
    assert np.abs(found - wanted).max() < 1e-3 * np.abs(wanted).max()


def test_the_quantiser_writes_other_types(checkpoint, tmp_path):
    gguf = pytest.importorskip("gguf")
    pytest.importorskip("llama_cpp")
    source = gguf_llama.convert(checkpoint, tmp_path / "tiny.gguf", ABOUT, "F32")
    small = gguf_llama.quantise(source, tmp_path / "small.gguf", "q8_0")
    types = {t.tensor_type.name for t in gguf.GGUFReader(small).tensors}
    assert types == {"F32", "Q8_0"} and small.stat().st_size < 0.5 * source.stat().st_size
    meant = gguf_llama.read_gguf(small).weights["model.layers.0.mlp.up_proj.weight"]
    exact = gguf_llama.read_gguf(source).weights["model.layers.0.mlp.up_proj.weight"]
    assert 0 < np.abs(meant - exact).max() < 0.01 * np.abs(exact).max()


def test_an_unknown_type_is_refused_before_anything_is_written(checkpoint, tmp_path):
    pytest.importorskip("llama_cpp")
    with pytest.raises(QuantUnknown) as caught:
        gguf_llama.quantise(tmp_path / "x.gguf", tmp_path / "y.gguf", "Q9_X")
    assert "Q4_K_M" in caught.value.known and list(tmp_path.iterdir()) == []
