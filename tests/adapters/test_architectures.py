"""Round trip on a random network of each architecture: PEFT in torch against llama.cpp."""

import numpy as np
import pytest
from tiny_checkpoints import ARCHITECTURES, build, write_gguf

from jimoto.adapters import gguf_lora

pytest.importorskip("torch", reason="needs the extra 'train'")
peft = pytest.importorskip("peft", reason="needs the extra 'train'")
llama_cpp = pytest.importorskip("llama_cpp")

IDS = [7, 104, 101, 32, 119, 200, 33, 90, 12, 150, 66, 18]
TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
TOLERANCE = 1e-3  # of the largest logit
GEMMA = 5e-3  # ggml looks its GELU up in a table of F16 values
# Each architecture takes another trap of the scale with it.
OPTIONS = {
    "llama": {},
    "qwen2": {"use_rslora": True},
    "qwen3": {"rank_pattern": {"q_proj": 2, "mlp.up_proj": 6}, "alpha_pattern": {"v_proj": 3}},
    "gemma2": {"target_modules": ["q_proj", "k_proj"], "lora_alpha": 12},
    "gemma3": {"use_rslora": True, "rank_pattern": {r"layers\.1\.mlp\.down_proj": 1}},
}


def torch_logits(model):
    import torch

    with torch.no_grad():
        return model(input_ids=torch.tensor([IDS])).logits[0].float().numpy()


def cpp_logits(path, **more):
    exact = {"type_k": 0, "type_v": 0, "flash_attn": False}  # a cache in F32, as torch has it
    llama = llama_cpp.Llama(
        str(path),
        n_ctx=64,
        n_threads=1,
        n_threads_batch=1,
        logits_all=True,
        verbose=False,
        **exact,
        **more,
    )
    llama.eval(IDS)
    found = np.array(llama.scores[: len(IDS)])
    llama.close()
    return found


def distance(found, wanted):
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


def tolerance(architecture):
    return GEMMA if architecture.startswith("gemma") else TOLERANCE


@pytest.fixture(scope="module", params=ARCHITECTURES)
def tiny(request, tmp_path_factory):
    """(architecture, GGUF, folder of config, folder of PEFT, logits of the base, with adapter)"""
    import warnings

    import torch

    folder = tmp_path_factory.mktemp(request.param)
    model = build(request.param)
    model.config.save_pretrained(folder)
    path = write_gguf(request.param, model, folder / "base.gguf")
    base = torch_logits(model)
    options = {"r": 4, "lora_alpha": 8, "target_modules": TARGETS, "task_type": "CAUSAL_LM"}
    config = peft.LoraConfig(init_lora_weights=False, **{**options, **OPTIONS[request.param]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.manual_seed(6)
        adapted = peft.get_peft_model(model, config).eval()
    for name, parameter in adapted.named_parameters():
        if "lora_" in name:
            parameter.data.mul_(3)
    adapted.save_pretrained(str(folder / "peft"), save_embedding_layers=False)
    return request.param, path, folder, folder / "peft", base, torch_logits(adapted)


def test_llama_cpp_computes_what_torch_computes(tiny):
    architecture, path, _, _, base, _ = tiny
    assert distance(cpp_logits(path), base) < tolerance(architecture)


def test_the_adapter_does_in_llama_cpp_what_it_does_in_peft(tiny, tmp_path):
    architecture, path, _, saved, base, adapted = tiny
    lora = gguf_lora.convert(saved, path, tmp_path / "x.gguf")
    found = cpp_logits(path, lora_path=str(lora))
    assert distance(found, adapted) < tolerance(architecture)
    assert distance(found, base) > 20 * TOLERANCE


def test_merged_weights_do_the_same(tiny, tmp_path):
    architecture, path, _, saved, _, adapted = tiny
    lora = gguf_lora.convert(saved, path, tmp_path / "x.gguf")
    merged = gguf_lora.merge(lora, path, tmp_path / "merged.gguf")
    assert distance(cpp_logits(merged), adapted) < tolerance(architecture)


def test_scale_zero_is_the_base(tiny, tmp_path):
    _, path, _, saved, _, _ = tiny
    lora = gguf_lora.convert(saved, path, tmp_path / "x.gguf")
    merged = gguf_lora.merge(lora, path, tmp_path / "merged.gguf", scale=0.0)
    assert merged.read_bytes() == path.read_bytes()
    assert distance(cpp_logits(path, lora_path=str(lora), lora_scale=0.0), cpp_logits(path)) < 1e-6


def test_the_base_may_be_given_as_its_config(tiny, tmp_path):
    _, path, folder, saved, _, _ = tiny
    files = [gguf_lora.convert(saved, b, tmp_path / "x.gguf").read_bytes() for b in (path, folder)]
    assert files[0] == files[1]


def test_rows_of_q_and_k_must_be_reordered_for_llama_and_for_no_other(tiny, tmp_path, monkeypatch):
    """Skipping it loads silently and is wrong; doing it elsewhere would be wrong as well."""
    architecture, path, _, saved, _, adapted = tiny
    monkeypatch.setattr(gguf_lora, "heads_of", lambda base, name: None)
    lora = gguf_lora.convert(saved, path, tmp_path / "x.gguf")
    wrong = distance(cpp_logits(path, lora_path=str(lora)), adapted)
    assert (wrong > 20 * TOLERANCE) == (architecture == "llama")


def test_an_adapter_of_another_architecture_is_refused(tiny, tmp_path):
    architecture, path, _, saved, _, _ = tiny
    other = "qwen2" if architecture != "qwen2" else "qwen3"
    lora = gguf_lora.convert(saved, path, tmp_path / "x.gguf")
    stranger = write_gguf(other, build(other), tmp_path / "other.gguf")
    with pytest.raises(gguf_lora.AdapterBaseMismatch) as caught:
        gguf_lora.check(lora, stranger)
    assert (caught.value.made_for, caught.value.base_is) == (f"'{architecture}'", f"'{other}'")
