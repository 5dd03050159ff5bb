"""A Llama checkpoint of transformers → one GGUF file that llama.cpp and Ollama read.

Knows tensor names, their order and the metadata keys. It trains nothing, serves nothing and
needs no torch: the weights are read from `model.safetensors` directly.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

PER_BLOCK = {  # name in transformers → name in GGUF
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
WHOLE = {
    "model.embed_tokens.weight": "token_embd.weight",
    "model.norm.weight": "output_norm.weight",
    "lm_head.weight": "output.weight",
}
NORMAL, CONTROL, USER_DEFINED, UNUSED = (
    1,
    3,
    4,
    5,
)  # token types of the format; control tokens are never printed


class ConversionError(ValueError):
    """The folder cannot become a GGUF; `folder` and `missing` say where and what."""

    def __init__(self, folder: Path, missing: str, remedy: str) -> None:
        super().__init__(f"'{folder}' cannot be converted: {missing}.\n{remedy}")
        self.folder, self.missing, self.remedy = folder, missing, remedy


@dataclass(frozen=True)
class Description:
    """What the file says about itself."""

    name: str
    license: str = ""
    languages: tuple[str, ...] = ()
    description: str = ""
    pre_tokenizer: str = "qwen2"
    extra: dict[str, str] = field(default_factory=dict)


def convert(folder: Path, out: Path, description: Description, float_type: str = "F16") -> Path:
    """Write `out` completely or not at all.

    Matrices become F16 (or F32), norms stay F32: llama.cpp requires it, and they are tiny.
    """
    import gguf

    if float_type not in ("F16", "F32"):
        raise ValueError(f"float_type is 'F16' or 'F32', not {float_type!r}")
    config = read_config(folder)
    dtype = np.float16 if float_type == "F16" else np.float32
    part = out.with_name(out.name + ".part")
    writer = gguf.GGUFWriter(str(part), "llama")
    write_shape(writer, config)
    write_description(writer, description)
    writer.add_file_type(
        gguf.LlamaFileType.MOSTLY_F16 if float_type == "F16" else gguf.LlamaFileType.ALL_F32
    )
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    write_tokenizer(writer, folder, config, description.pre_tokenizer)
    for name, tensor in tensors(folder, config):
        writer.add_tensor(
            name, np.ascontiguousarray(tensor.astype(np.float32 if tensor.ndim == 1 else dtype))
        )
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(part, out)
    return out


def read_config(folder: Path) -> dict[str, Any]:
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        if not (folder / name).is_file():
            raise ConversionError(
                folder,
                f"'{name}' is not there",
                "Give the folder that save_pretrained() wrote, with model and tokenizer.",
            )
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config.get("model_type") != "llama":
        raise ConversionError(
            folder,
            f"its model_type is '{config.get('model_type')}', not 'llama'",
            "Use llama.cpp's convert_hf_to_gguf.py for other families.",
        )
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    if rope.get("rope_type", "default") != "default":
        raise ConversionError(
            folder,
            f"it scales RoPE ('{rope['rope_type']}'), which this converter does not write",
            "Use llama.cpp's convert_hf_to_gguf.py.",
        )
    return config


def rope_theta(config: dict[str, Any]) -> float:
    """transformers 5 keeps it in rope_parameters, transformers 4 beside it."""
    return float(
        (config.get("rope_parameters") or {}).get("rope_theta")
        or config.get("rope_theta")
        or 10000.0
    )


def write_shape(writer: Any, config: dict[str, Any]) -> None:
    n_head, width = config["num_attention_heads"], config["hidden_size"]
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(width)
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(n_head)
    writer.add_head_count_kv(config.get("num_key_value_heads") or n_head)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(config.get("head_dim") or width // n_head)
    writer.add_rope_freq_base(rope_theta(config))
    writer.add_vocab_size(config["vocab_size"])


def write_description(writer: Any, description: Description) -> None:
    writer.add_name(description.name)
    if description.license:
        writer.add_license(description.license)
    if description.languages:
        writer.add_languages(list(description.languages))
    if description.description:
        writer.add_description(description.description)
    for key, value in description.extra.items():
        writer.add_string(key, value)


def write_tokenizer(writer: Any, folder: Path, config: dict[str, Any], pre_tokenizer: str) -> None:
    """Byte-level BPE; without `tokenizer.ggml.pre` llama.cpp cuts text wrongly and only warns."""
    written = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    if written["model"]["type"] != "BPE":
        raise ConversionError(
            folder,
            f"its tokenizer is {written['model']['type']}, not byte-level BPE",
            "Only byte-level BPE is supported.",
        )
    added = {t["id"]: t for t in written["added_tokens"]}
    by_id = {i: piece for piece, i in written["model"]["vocab"].items()} | {
        i: t["content"] for i, t in added.items()
    }
    types = {i: CONTROL if t["special"] else USER_DEFINED for i, t in added.items()}
    size = config["vocab_size"]
    if max(by_id) >= size:
        raise ConversionError(
            folder,
            f"the tokenizer has id {max(by_id)}, the model only {size} rows",
            "Train model and tokenizer together.",
        )
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(pre_tokenizer)
    writer.add_token_list([by_id.get(i, f"[PAD{i}]") for i in range(size)])
    writer.add_token_types([types.get(i, NORMAL if i in by_id else UNUSED) for i in range(size)])
    writer.add_token_merges(
        [pair if isinstance(pair, str) else " ".join(pair) for pair in written["model"]["merges"]]
    )
    writer.add_bos_token_id(
        first(config["bos_token_id"])
    )  # the format's own defaults (11) would be wrong
    writer.add_eos_token_id(first(config["eos_token_id"]))
    writer.add_pad_token_id(first(config.get("pad_token_id") or 0))
    writer.add_add_bos_token(False)
    if template := read_template(folder):
        writer.add_chat_template(template)


def first(token_id: int | list[int]) -> int:
    return token_id[0] if isinstance(token_id, list) else token_id


def read_template(folder: Path) -> str:
    """transformers 5 writes chat_template.jinja, older ones put it into tokenizer_config.json."""
    if (folder / "chat_template.jinja").is_file():
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    if (folder / "tokenizer_config.json").is_file():
        return str(
            json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8")).get(
                "chat_template"
            )
            or ""
        )
    return ""


def tensors(folder: Path, config: dict[str, Any]) -> Iterator[tuple[str, Array]]:
    """GGUF name and values, in the order of the file."""
    from safetensors.numpy import load_file

    weights = load_file(folder / "model.safetensors")
    n_head = config["num_attention_heads"]
    n_kv_head = config.get("num_key_value_heads") or n_head
    for theirs, ours in WHOLE.items():
        if theirs in weights and not (
            theirs.startswith("lm_head") and config.get("tie_word_embeddings")
        ):
            yield ours, weights[theirs]
    for block in range(config["num_hidden_layers"]):
        for theirs, ours in PER_BLOCK.items():
            name = f"model.layers.{block}.{theirs}.weight"
            if name not in weights:
                raise ConversionError(
                    folder,
                    f"the tensor '{name}' is not there",
                    "The checkpoint is incomplete: save it again.",
                )
            heads = {"attn_q": n_head, "attn_k": n_kv_head}.get(ours)
            yield (
                f"blk.{block}.{ours}.weight",
                weights[name] if heads is None else interleave_rows(weights[name], heads),
            )


def interleave_rows(matrix: Array, n_head: int) -> Array:
    """Rows of q and k in the order that llama.cpp's rotation expects.

    transformers turns row i of a head with row i + half, llama.cpp neighbours with each other:

    >>> interleave_rows(np.arange(4).reshape(4, 1), n_head=1).ravel()
    array([0, 2, 1, 3])
    """
    rows = matrix.shape[0]
    return (
        matrix.reshape(n_head, 2, rows // n_head // 2, *matrix.shape[1:])
        .swapaxes(1, 2)
        .reshape(matrix.shape)
    )  # (heads, half, 2, in)
