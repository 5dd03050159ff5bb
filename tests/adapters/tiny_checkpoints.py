"""Random networks of each supported architecture: transformers' own, and the same as GGUF.

The GGUF is written here, not by the kit's converter (which knows Llama only), by the name map of
the `gguf` package. Vocabulary: the 256 bytes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gguf
import numpy as np

N_BLOCK, WIDTH, N_HEAD, N_KV_HEAD, HEAD_DIM, N_FF = 3, 64, 4, 2, 16, 96
VOCABULARY, CONTEXT, WINDOW = 259, 256, 128
ARCHITECTURES = ("llama", "qwen2", "qwen3", "gemma2", "gemma3")


def build(architecture: str, seed: int = 5) -> Any:
    """A transformers model in eval mode; its weights are larger than usual, so mistakes show."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(seed)
    kind = {"gemma3": "gemma3_text"}.get(architecture, architecture)
    more: dict[str, Any] = {}
    if architecture in ("gemma2", "gemma3"):
        more = {"query_pre_attn_scalar": HEAD_DIM, "sliding_window": WINDOW}
    if architecture in ("qwen3", "gemma2", "gemma3"):
        more["head_dim"] = HEAD_DIM
    config = AutoConfig.for_model(
        kind,
        hidden_size=WIDTH,
        num_hidden_layers=N_BLOCK,
        intermediate_size=N_FF,
        num_attention_heads=N_HEAD,
        num_key_value_heads=N_KV_HEAD,
        vocab_size=VOCABULARY,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=architecture != "llama",
        **more,
    )
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    for name, parameter in model.named_parameters():
        if parameter.dim() == 2:
            parameter.data.mul_(1 if "embed" in name else 5)
        elif "bias" in name or "norm" in name:
            parameter.data.add_(0.2 * torch.randn_like(parameter))
    return model


def write_gguf(architecture: str, model: Any, path: Path) -> Path:
    """All in F32."""
    config = model.config
    writer = gguf.GGUFWriter(str(path), architecture)
    writer.add_name(f"tiny {architecture}")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(N_BLOCK)
    writer.add_feed_forward_length(N_FF)
    writer.add_head_count(N_HEAD)
    writer.add_head_count_kv(N_KV_HEAD)
    writer.add_key_length(HEAD_DIM)
    writer.add_value_length(HEAD_DIM)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    if architecture == "llama":
        writer.add_rope_dimension_count(HEAD_DIM)
    rope = config.rope_parameters
    writer.add_rope_freq_base((rope.get("full_attention") or rope)["rope_theta"])
    if architecture.startswith("gemma"):
        writer.add_sliding_window(WINDOW)
    if architecture == "gemma2":
        writer.add_attn_logit_softcapping(config.attn_logit_softcapping)
        writer.add_final_logit_softcapping(config.final_logit_softcapping)
    _add_tokenizer(writer)
    _add_tensors(writer, architecture, model)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add_tokenizer(writer: Any) -> None:
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = iter(range(256, 512))
    pieces = [chr(b) if b in plain else chr(next(others)) for b in range(256)]
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([*pieces, *special])
    writer.add_token_types([1] * 256 + [3] * 3)
    writer.add_token_merges(["h e"])
    writer.add_bos_token_id(256)
    writer.add_eos_token_id(258)
    writer.add_add_bos_token(False)


def _add_tensors(writer: Any, architecture: str, model: Any) -> None:
    kind = next(k for k, n in gguf.MODEL_ARCH_NAMES.items() if n == architecture)
    names = gguf.get_tensor_name_map(kind, N_BLOCK)
    tied = model.config.tie_word_embeddings
    for theirs, tensor in model.state_dict().items():
        if theirs.startswith("lm_head") and tied:
            continue
        values = tensor.float().numpy()
        if architecture.startswith("gemma") and "norm" in theirs:
            values = values + 1  # Gemma stores the norm's factor less one
        if architecture == "llama" and (".q_proj." in theirs or ".k_proj." in theirs):
            heads = N_HEAD if ".q_proj." in theirs else N_KV_HEAD
            half = values.shape[0] // heads // 2
            values = values.reshape(heads, 2, half, -1).swapaxes(1, 2).reshape(values.shape)
        ours = names.get_name(theirs, try_suffixes=(".weight", ".bias"))
        assert ours, theirs
        writer.add_tensor(ours, np.ascontiguousarray(values, dtype=np.float32))
