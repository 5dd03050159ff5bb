"""Shapes from config files and from the heads of GGUF files."""

import json
import os
from dataclasses import replace

import pytest

from jimoto.errors import ConfigIncomplete, QuantUnknown, ShapeFileBroken
from jimoto.hardware.catalog import find_model
from jimoto.hardware.memory import Use, kv_cache_bytes
from jimoto.hardware.quants import assign_types, weigh_shape
from jimoto.hardware.random_gguf import write_gguf
from jimoto.hardware.shapes import list_tensors, parse_config, read_config
from jimoto.hardware.subjects import find_subject

LLAMA_8B = {
    "model_type": "llama", "num_hidden_layers": 32, "hidden_size": 4096,
    "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336,
    "vocab_size": 128256, "max_position_embeddings": 131072, "tie_word_embeddings": False,
}  # fmt: skip
GEMMA3_4B = {  # the language part of a model with eyes lies one level down
    "model_type": "gemma3",
    "text_config": {
        "num_hidden_layers": 34, "hidden_size": 2560, "num_attention_heads": 8, "head_dim": 256,
        "num_key_value_heads": 4, "intermediate_size": 10240, "vocab_size": 262144,
        "sliding_window": 1024, "max_position_embeddings": 131072,
    },
}  # fmt: skip
QWEN3_30B = {
    "model_type": "qwen3_moe", "num_hidden_layers": 48, "hidden_size": 2048,
    "num_attention_heads": 32, "num_key_value_heads": 4, "head_dim": 128,
    "intermediate_size": 768, "moe_intermediate_size": 768, "num_experts": 128,
    "num_experts_per_tok": 8, "vocab_size": 151936, "max_position_embeddings": 262144,
}  # fmt: skip
DEEPSEEK_V3 = {
    "model_type": "deepseek_v3", "num_hidden_layers": 61, "hidden_size": 7168,
    "num_attention_heads": 128, "num_key_value_heads": 128, "intermediate_size": 18432,
    "moe_intermediate_size": 2048, "n_routed_experts": 256, "n_shared_experts": 1,
    "num_experts_per_tok": 8, "first_k_dense_replace": 3, "vocab_size": 129280,
    "kv_lora_rank": 512, "q_lora_rank": 1536, "qk_rope_head_dim": 64, "qk_nope_head_dim": 128,
    "v_head_dim": 128, "max_position_embeddings": 163840,
}  # fmt: skip
KNOWN = [
    ("llama3.1:8b", LLAMA_8B),
    ("gemma3:4b", GEMMA3_4B),
    ("qwen3:30b", QWEN3_30B),
    ("deepseek-r1:671b", DEEPSEEK_V3),
]


@pytest.mark.parametrize(("name", "config"), KNOWN, ids=[name for name, _ in KNOWN])
def test_a_config_gives_the_tensors_and_the_cache_of_the_catalogue(name, config):
    shape, known = parse_config(config), find_model(name).shape()
    assert list_tensors(shape) == list_tensors(known)
    assert kv_cache_bytes(shape, Use(8192)) == kv_cache_bytes(known, Use(8192))


@pytest.mark.parametrize("name", ["llama3.1:8b", "gemma3:4b", "qwen3:30b", "deepseek-r1:671b"])
def test_a_gguf_file_gives_back_the_shape_it_was_written_from(name, tmp_path):
    full = find_model(name).shape()
    shape = replace(full, n_layer=6, n_vocab=1000, n_expert=min(full.n_expert, 4),
                    n_expert_used=min(full.n_expert_used, 2))  # fmt: skip
    tensors = assign_types(shape, list_tensors(shape), "Q4_K_M")
    write_gguf(tmp_path / "model.gguf", shape, tensors, sparse=True)
    subject = find_subject(str(tmp_path / "model.gguf"))
    assert subject.weights.size_bytes == weigh_shape(shape, "Q4_K_M").size_bytes
    assert kv_cache_bytes(subject.shape, Use(8192)) == kv_cache_bytes(shape, Use(8192))
    assert subject.weights.active_bytes == weigh_shape(shape, "Q4_K_M").active_bytes


def test_a_config_says_which_keys_it_lacks():
    with pytest.raises(ConfigIncomplete) as raised:
        parse_config({"hidden_size": 64, "vocab_size": 100})
    assert raised.value.missing == ("num_hidden_layers, num_attention_heads, intermediate_size")


@pytest.mark.parametrize("value", [None, "32", -1, 0, True, 2**50])
def test_a_dimension_that_makes_no_sense_counts_as_missing(value):
    with pytest.raises(ConfigIncomplete):
        parse_config({**LLAMA_8B, "num_hidden_layers": value})


def test_an_unknown_model_type_is_read_as_a_block_of_llama():
    shape = parse_config({**LLAMA_8B, "model_type": "llama9"})
    assert list_tensors(shape) == list_tensors(find_model("llama3.1:8b").shape())


@pytest.mark.parametrize("text", ["", "[1]", "{", "\x00"])
def test_a_config_that_is_no_json_object_is_one_clear_error(text, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ShapeFileBroken):
        read_config(path)


def test_a_file_that_is_not_there_is_one_clear_error(tmp_path):
    with pytest.raises(ShapeFileBroken) as raised:
        find_subject(str(tmp_path / "config.json"))
    assert "no such file" in str(raised.value.cause)


def test_a_config_file_is_judged_like_any_model(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps(LLAMA_8B), encoding="utf-8")
    subject = find_subject(str(path), "Q4_K_M")
    assert subject.weights_bytes == pytest.approx(4.58 * 2**30, rel=0.01)


@pytest.mark.parametrize("kept", [10, 30, 200, 5_000, 1_000_000])
def test_a_gguf_file_cut_short_says_so(kept, tmp_path):
    path, shape = tmp_path / "cut.gguf", find_model("smollm2:135m").shape()
    write_gguf(path, shape, assign_types(shape, list_tensors(shape), "Q4_0"), sparse=True)
    os.truncate(path, kept)
    with pytest.raises(ShapeFileBroken) as raised:
        find_subject(str(path))
    assert "short" in raised.value.cause


def test_a_web_page_is_not_a_gguf_file(tmp_path):
    path = tmp_path / "page.gguf"
    path.write_bytes(b"<!DOCTYPE html><html>.......................</html>")
    with pytest.raises(ShapeFileBroken) as raised:
        find_subject(str(path))
    assert "'<!DO'" in raised.value.cause


def test_the_folder_of_a_downloaded_model_is_enough(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(LLAMA_8B), encoding="utf-8")
    assert find_subject(str(tmp_path)).shape.n_layer == 32


def test_a_gguf_file_that_is_not_there_is_one_clear_error(tmp_path):
    with pytest.raises(ShapeFileBroken):
        find_subject(str(tmp_path / "model.gguf"))


def test_a_quantisation_without_rules_is_refused_for_a_bare_shape(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(LLAMA_8B), encoding="utf-8")
    with pytest.raises(QuantUnknown):
        find_subject(str(tmp_path), "IQ2_XS")
