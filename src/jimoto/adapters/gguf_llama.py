"""A Llama checkpoint of transformers → one GGUF file that llama.cpp and Ollama read, and back.

Knows tensor names, their order and the metadata keys. It trains nothing, serves nothing and
needs no torch: the weights are read from the safetensors files directly. F16 and F32 are written
here; every other type is llama.cpp's own quantiser's work (`quantise`).
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from jimoto.adapters.tensors import Array, BrokenTensors, Tensors, open_safetensors
from jimoto.errors import CheckpointRefused, QuantUnknown

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
    Errors: CheckpointRefused.
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
    for name in ("config.json", "tokenizer.json"):
        if not (folder / name).is_file():
            raise CheckpointRefused(str(folder), "missing", name)
    weight_files(folder)
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config.get("model_type") != "llama":
        raise CheckpointRefused(str(folder), "family", str(config.get("model_type")))
    kind = rope_parameters(config).get("rope_type", "default")
    if kind not in ("default", "llama3"):
        raise CheckpointRefused(str(folder), "option", f"rope_type={kind!r}")
    for option in ("attention_bias", "mlp_bias", "quantization_config"):
        if config.get(option):
            raise CheckpointRefused(str(folder), "option", option)
    return config


def weight_files(folder: Path) -> list[Path]:
    """`model.safetensors`, or all the parts that its index names."""
    whole, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if whole.is_file() or not index.is_file():
        paths = [whole]
    else:
        parts = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        paths = [folder / Path(part).name for part in dict.fromkeys(parts)]
    for path in paths:
        if not path.is_file():
            raise CheckpointRefused(str(folder), "missing", path.name)
    return paths


def rope_parameters(config: dict[str, Any]) -> dict[str, Any]:
    return dict(config.get("rope_parameters") or config.get("rope_scaling") or {})


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
        raise CheckpointRefused(str(folder), "tokenizer", str(written["model"]["type"]))
    added = {t["id"]: t for t in written["added_tokens"]}
    by_id = {i: piece for piece, i in written["model"]["vocab"].items()} | {
        i: t["content"] for i, t in added.items()
    }
    types = {i: CONTROL if t["special"] else USER_DEFINED for i, t in added.items()}
    size = config["vocab_size"]
    if max(by_id) >= size:
        ids = f"tokenizer: {max(by_id) + 1} ids, model: {size} rows"
        raise CheckpointRefused(str(folder), "vocabulary", ids)
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
    weights = open_weights(folder)
    n_head = config["num_attention_heads"]
    n_kv_head = config.get("num_key_value_heads") or n_head
    if rope_parameters(config).get("rope_type") == "llama3":
        yield "rope_freqs.weight", rope_factors(config)
    for theirs, ours in WHOLE.items():
        if theirs in weights and not (
            theirs.startswith("lm_head") and config.get("tie_word_embeddings")
        ):
            yield ours, weights[theirs]
    for block in range(config["num_hidden_layers"]):
        for theirs, ours in PER_BLOCK.items():
            name = f"model.layers.{block}.{theirs}.weight"
            if name not in weights:
                raise CheckpointRefused(str(folder), "tensor", name)
            heads = {"attn_q": n_head, "attn_k": n_kv_head}.get(ours)
            yield (
                f"blk.{block}.{ours}.weight",
                weights[name] if heads is None else interleave_rows(weights[name], heads),
            )


def open_weights(folder: Path) -> Tensors:
    try:
        return open_safetensors(*weight_files(folder))
    except BrokenTensors as error:
        raise CheckpointRefused(str(folder), "tensor", str(error)) from None


def rope_factors(config: dict[str, Any]) -> Array:
    """Llama 3's stretched rotation: what each frequency is divided by, (head_dim / 2,), F32.

    Short wavelengths stay, long ones are stretched by `factor`, those between are blended.
    """
    rope, n_head = rope_parameters(config), config["num_attention_heads"]
    head_dim = config.get("head_dim") or config["hidden_size"] // n_head
    trained = rope["original_max_position_embeddings"]
    low, high, factor = rope["low_freq_factor"], rope["high_freq_factor"], rope["factor"]
    wavelengths = 2 * math.pi * rope_theta(config) ** (np.arange(0, head_dim, 2) / head_dim)
    share = np.clip((trained / wavelengths - low) / (high - low), 0, 1)  # 1: not stretched
    factors: Array = (1 / ((1 - share) / factor + share)).astype(np.float32)
    return factors


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


def separate_rows(matrix: Array, n_head: int) -> Array:
    """The inverse of `interleave_rows`:

    >>> separate_rows(interleave_rows(np.arange(8).reshape(8, 1), 2), 2).ravel()
    array([0, 1, 2, 3, 4, 5, 6, 7])
    """
    rows = matrix.shape[0]
    return (
        matrix.reshape(n_head, rows // n_head // 2, 2, *matrix.shape[1:])
        .swapaxes(1, 2)
        .reshape(matrix.shape)
    )  # (heads, half, 2, in)


# --- and back ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Checkpoint:
    """A Llama GGUF in transformers' terms."""

    config: dict[str, Any]  # arguments of LlamaConfig
    weights: dict[str, Array]  # name of transformers → F32
    pieces: list[str]  # byte-level, by id
    merges: list[str]
    special: list[int]  # ids of control and user-defined pieces
    template: str


def read_gguf(path: Path) -> Checkpoint:
    """The exact weights of an F16 or F32 file (of a quantised one: what it stands for).

    Errors: CheckpointRefused.
    """
    import gguf

    try:
        reader = gguf.GGUFReader(path)
    except (ValueError, IndexError, OSError, UnicodeDecodeError) as error:
        raise CheckpointRefused(str(path), "tensor", str(error)[:100]) from None
    fields = {key: f.contents() for key, f in reader.fields.items() if not key.startswith("GGUF.")}
    if fields.get("general.architecture") != "llama":
        raise CheckpointRefused(str(path), "family", str(fields.get("general.architecture")))
    found: dict[str, Array] = {
        t.name: gguf.dequantize(t.data, t.tensor_type).astype(np.float32) for t in reader.tensors
    }
    if "rope_freqs.weight" in found:
        raise CheckpointRefused(str(path), "option", "rope_freqs")
    config = _config_of(fields, tied="output.weight" not in found)
    return Checkpoint(
        config,
        _weights_of(path, found, config),
        fields["tokenizer.ggml.tokens"],
        fields["tokenizer.ggml.merges"],
        [
            i
            for i, kind in enumerate(fields["tokenizer.ggml.token_type"])
            if kind in (CONTROL, USER_DEFINED)
        ],
        fields.get("tokenizer.chat_template", ""),
    )


def _config_of(fields: dict[str, Any], tied: bool) -> dict[str, Any]:
    n_head = fields["llama.attention.head_count"]
    return {
        "hidden_size": fields["llama.embedding_length"],
        "num_hidden_layers": fields["llama.block_count"],
        "intermediate_size": fields["llama.feed_forward_length"],
        "num_attention_heads": n_head,
        "num_key_value_heads": fields.get("llama.attention.head_count_kv", n_head),
        "vocab_size": len(fields["tokenizer.ggml.tokens"]),
        "max_position_embeddings": fields["llama.context_length"],
        "rms_norm_eps": fields["llama.attention.layer_norm_rms_epsilon"],
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": fields.get("llama.rope.freq_base", 10000.0),
        },
        "tie_word_embeddings": tied,
        "bos_token_id": fields.get("tokenizer.ggml.bos_token_id"),
        "eos_token_id": fields.get("tokenizer.ggml.eos_token_id"),
        "pad_token_id": fields.get("tokenizer.ggml.padding_token_id"),
    }


def _weights_of(path: Path, found: dict[str, Array], config: dict[str, Any]) -> dict[str, Array]:
    heads = {
        "attn_q": config["num_attention_heads"],
        "attn_k": config["num_key_value_heads"],
    }
    weights = {theirs: found[ours] for theirs, ours in WHOLE.items() if ours in found}
    for block in range(config["num_hidden_layers"]):
        for theirs, ours in PER_BLOCK.items():
            name = f"blk.{block}.{ours}.weight"
            if name not in found:
                raise CheckpointRefused(str(path), "tensor", name)
            weights[f"model.layers.{block}.{theirs}.weight"] = (
                separate_rows(found[name], heads[ours]) if ours in heads else found[name]
            )
    return weights


# --- other types ---------------------------------------------------------------------------------


def quantise(source: Path, out: Path, quant: str, threads: int = 1) -> Path:
    """An F16 or F32 GGUF in another type (Q8_0, Q4_K_M …), by llama.cpp's own quantiser.

    Completely or not at all. Errors: QuantUnknown, CheckpointRefused.
    """
    import ctypes

    import llama_cpp.llama_cpp as llama
    from llama_cpp._logger import set_verbose

    known = {
        name.split("_", 3)[3]: value
        for name, value in vars(llama).items()
        if name.startswith("LLAMA_FTYPE_MOSTLY_")
    }
    known["F32"] = llama.LLAMA_FTYPE_ALL_F32
    if quant.upper() not in known:
        raise QuantUnknown(quant, "", ", ".join(known))
    if not source.is_file():
        raise CheckpointRefused(str(source), "missing", source.name)
    set_verbose(False)  # it would print a line for each tensor
    parameters = llama.llama_model_quantize_default_params()
    parameters.ftype, parameters.nthread = known[quant.upper()], threads
    part = out.with_name(out.name + ".part")
    try:
        code = llama.llama_model_quantize(
            os.fsencode(source), os.fsencode(part), ctypes.byref(parameters)
        )
        if code != 0:
            raise CheckpointRefused(str(source), "quant", f"{quant.upper()}, {code}")
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)
    return out
