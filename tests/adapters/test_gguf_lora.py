"""PEFT folder → GGUF adapter: what is refused, and that it is said why."""

import json
import pickle

import gguf
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from jimoto.adapters import gguf_lora
from jimoto.adapters.tensors import BrokenTensors, open_safetensors
from jimoto.errors import AdapterBaseMismatch, AdapterRefused

WIDTH, N_HEAD, N_KV_HEAD, N_FF, RANK = 32, 4, 2, 48, 2
PREFIX = "base_model.model.model.layers.0.self_attn"
Q_A, Q_B = f"{PREFIX}.q_proj.lora_A.weight", f"{PREFIX}.q_proj.lora_B.weight"


@pytest.fixture
def base(tmp_path):
    """A folder with the config of a tiny Llama with tied embeddings."""
    folder = tmp_path / "base"
    folder.mkdir()
    config = {
        "model_type": "llama", "hidden_size": WIDTH, "num_hidden_layers": 2, "vocab_size": 64,
        "num_attention_heads": N_HEAD, "num_key_value_heads": N_KV_HEAD, "intermediate_size": N_FF,
        "tie_word_embeddings": True,
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.fixture
def saved(tmp_path):
    """What PEFT would write for q and k of the first block."""
    folder, rng = tmp_path / "peft", np.random.default_rng(0)
    folder.mkdir()
    tensors = {}
    for name, out in (("q_proj", WIDTH), ("k_proj", WIDTH // 2)):
        for half, shape in (("A", (RANK, WIDTH)), ("B", (out, RANK))):
            key = f"{PREFIX}.{name}.lora_{half}.weight"
            tensors[key] = rng.normal(0, 1, shape).astype(np.float32)
    save_file(tensors, folder / "adapter_model.safetensors")
    change_config(folder, peft_type="LORA", r=RANK, lora_alpha=8, bias="none")
    return folder


def change_config(folder, **more):
    path = folder / "adapter_config.json"
    config = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps({**config, **more}), encoding="utf-8")


def change_tensors(folder, **more):
    path = folder / "adapter_model.safetensors"
    tensors = {**load_file(path), **more}
    save_file({k: v for k, v in tensors.items() if v is not None}, path)


def refusal(saved, base, tmp_path):
    """Cause and detail; nothing may be left behind."""
    with pytest.raises(AdapterRefused) as caught:
        gguf_lora.convert(saved, base, tmp_path / "x.gguf")
    assert not list(tmp_path.glob("x.gguf*"))
    for lang in ("en", "ja"):
        assert len(caught.value.text(lang).splitlines()) == 2
    return caught.value.cause, caught.value.detail


def test_names_shapes_and_keys_are_those_of_the_format(saved, base, tmp_path):
    reader = gguf.GGUFReader(gguf_lora.convert(saved, base, tmp_path / "x.gguf"))
    stated = {k: f.contents() for k, f in reader.fields.items() if not k.startswith("GGUF.")}
    assert stated["general.type"] == "adapter" and stated["adapter.type"] == "lora"
    assert stated["general.architecture"] == "llama" and stated["adapter.lora.alpha"] == 8.0
    shapes = {t.name: tuple(map(int, t.shape)) for t in reader.tensors}  # ggml: input first
    assert shapes["blk.0.attn_q.weight.lora_a"] == (WIDTH, RANK)
    assert shapes["blk.0.attn_k.weight.lora_b"] == (RANK, WIDTH // 2)


def test_only_b_of_q_and_k_is_reordered_by_its_own_number_of_heads(saved, base, tmp_path):
    lora = gguf_lora.read(gguf_lora.convert(saved, base, tmp_path / "x.gguf"))
    given = load_file(saved / "adapter_model.safetensors")
    for name, heads in (("q", N_HEAD), ("k", N_KV_HEAD)):
        a, b = lora.pairs[f"blk.0.attn_{name}.weight"]
        assert (a == given[f"{PREFIX}.{name}_proj.lora_A.weight"]).all()
        wanted = gguf_lora.interleave_rows(given[f"{PREFIX}.{name}_proj.lora_B.weight"], heads)
        assert (b == wanted).all()


def test_rslora_is_scaled_by_the_root_of_the_rank(saved, base, tmp_path):
    plain = gguf_lora.read(gguf_lora.convert(saved, base, tmp_path / "x.gguf"))
    change_config(saved, use_rslora=True)
    root = gguf_lora.read(gguf_lora.convert(saved, base, tmp_path / "y.gguf"))
    name = "blk.0.attn_q.weight"
    assert plain.scale(name) == 8 / 2 and root.scale(name) == pytest.approx(8 / 2**0.5)


def test_f16_halves_the_bytes(saved, base, tmp_path):
    full = gguf_lora.convert(saved, base, tmp_path / "x.gguf")
    half = gguf_lora.convert(saved, base, tmp_path / "y.gguf", "F16")
    sizes = [sum(t.n_bytes for t in gguf.GGUFReader(p).tensors) for p in (full, half)]
    assert sizes[1] * 2 == sizes[0]
    a, b = (gguf_lora.read(p).delta("blk.0.attn_q.weight") for p in (full, half))
    assert np.abs(a - b).max() < 2e-3 * np.abs(a).max()


@pytest.mark.parametrize(
    "option, cause",
    [
        ({"peft_type": "IA3"}, "type"),
        ({"use_dora": True}, "option"),
        ({"lora_bias": True}, "option"),
        ({"bias": "all"}, "option"),
        ({"layer_replication": [[0, 1]]}, "option"),
        ({"modules_to_save": ["embed_tokens"]}, "whole"),
        ({"trainable_token_indices": [3]}, "whole"),
        ({"init_lora_weights": "pissa_niter_4"}, "init"),
        ({"r": 0}, "rank"),
        ({"rank_pattern": {"q_proj": 0}}, "rank"),
        ({"lora_alpha": 0}, "alpha"),
        ({"lora_alpha": float("nan")}, "alpha"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_a_gguf_adapter_cannot_say_is_refused(saved, base, tmp_path, option, cause):
    change_config(saved, **option)
    assert refusal(saved, base, tmp_path)[0] == cause


@pytest.mark.parametrize(
    "tensors, cause",
    [
        ({f"{PREFIX}.q_proj.lora_magnitude_vector": np.ones(WIDTH, np.float32)}, "option"),
        ({"base_model.model.model.embed_tokens.lora_embedding_A": np.ones((2, 2))}, "whole"),
        ({"base_model.model.lm_head.modules_to_save.weight": np.ones((2, 2))}, "whole"),
        ({"base_model.model.lm_head.lora_A.weight": np.ones((RANK, WIDTH))}, "tied"),
        ({"base_model.model.score.lora_A.weight": np.ones((RANK, WIDTH))}, "tensor"),
        ({Q_B: None}, "half"),
        ({Q_A: np.ones((RANK + 1, WIDTH), np.float32)}, "half"),
        ({Q_A: np.ones((0, WIDTH), np.float32), Q_B: np.ones((WIDTH, 0), np.float32)}, "rank"),
        ({Q_B: np.full((WIDTH, RANK), np.nan, np.float32)}, "nan"),
        ({Q_A: np.full((RANK, WIDTH), np.inf, np.float32)}, "nan"),
    ],
    ids=lambda value: ", ".join(value)[-40:] if isinstance(value, dict) else value,
)
def test_tensors_that_do_not_belong_are_named(saved, base, tmp_path, tensors, cause):
    change_tensors(saved, **tensors)
    found, detail = refusal(saved, base, tmp_path)
    assert found == cause and detail


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))  # runs when the pickle is opened


def test_a_pickle_is_never_opened(saved, base, tmp_path):
    (saved / "adapter_model.safetensors").unlink()
    (saved / "adapter_model.bin").write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))
    assert refusal(saved, base, tmp_path) == ("pickle", "adapter_model.bin")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_missing_file_is_named(saved, base, tmp_path, name):
    (saved / name).unlink()
    assert refusal(saved, base, tmp_path) == ("missing", name)


@pytest.mark.parametrize("text", ["{", "[]", '{"r": 8}', ""])
def test_a_broken_config_is_refused(saved, base, tmp_path, text):
    (saved / "adapter_config.json").write_text(text, encoding="utf-8")
    assert refusal(saved, base, tmp_path)[0] == "config"


@pytest.mark.parametrize("length", [0, 7, 40, 400, -1])
def test_weights_cut_short_are_refused(saved, base, tmp_path, length):
    path = saved / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:length])
    assert refusal(saved, base, tmp_path)[0] == "weights"


@pytest.mark.parametrize(
    "head",
    [
        {"x": {"dtype": "F32", "shape": [4], "data_offsets": [0, 8]}},
        {"x": {"dtype": "F32", "shape": [-1, -1], "data_offsets": [0, 4]}},
        {"x": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}},
        {"x": {"dtype": "F8_E4M3", "shape": [8], "data_offsets": [0, 8]}},
        {"x": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}},
        {"x": 3},
        [1],
    ],
    ids=str,
)
def test_a_lying_head_is_not_believed(tmp_path, head):
    table = json.dumps(head).encode()
    path = tmp_path / "x.safetensors"
    path.write_bytes(len(table).to_bytes(8, "little") + table + bytes(8))
    with pytest.raises(BrokenTensors):
        open_safetensors(path)


def test_another_width_is_another_base(saved, base, tmp_path):
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    text = json.dumps({**config, "hidden_size": 64})
    (base / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(AdapterBaseMismatch) as caught:
        gguf_lora.convert(saved, base, tmp_path / "x.gguf")
    stated = (caught.value.made_for, caught.value.base_is)
    assert stated == ("'llama', attn_k 16 x 32", "'llama', attn_k 32 x 64")


def test_too_few_blocks_is_another_base(saved, base, tmp_path):
    tensors = load_file(saved / "adapter_model.safetensors")
    change_tensors(saved, **{k.replace("layers.0", "layers.7"): v for k, v in tensors.items()})
    with pytest.raises(AdapterBaseMismatch, match="7"):
        gguf_lora.convert(saved, base, tmp_path / "x.gguf")


def test_an_unknown_architecture_is_named(saved, base, tmp_path):
    (base / "config.json").write_text('{"model_type": "mamba"}', encoding="utf-8")
    assert refusal(saved, base, tmp_path) == ("architecture", "mamba")


def test_a_model_is_no_adapter(saved, base, tmp_path):
    path = tmp_path / "model.gguf"
    writer = gguf.GGUFWriter(str(path), "llama")
    writer.add_tensor("token_embd.weight", np.ones((4, 4), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    with pytest.raises(AdapterRefused, match=r"general\.type"):
        gguf_lora.read(path)


@pytest.mark.parametrize("content", [b"<!DOCTYPE html>", b"GGUF", b"GGUF\x03\0\0\0" + b"\xff" * 40])
def test_what_is_no_gguf_is_refused(tmp_path, content):
    (tmp_path / "x.gguf").write_bytes(content)
    with pytest.raises(AdapterRefused) as caught:
        gguf_lora.read(tmp_path / "x.gguf")
    assert caught.value.cause == "gguf"
