"""The shape of a network: its dimensions, the tensors they imply, and how many parameters.

A shape comes from a row of the catalogue, a Hugging Face `config.json` or the head of a GGUF
file. Knows llama.cpp's names of tensors; knows nothing of bytes, quantisation, memory or
machines.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from jimoto.errors import ConfigIncomplete, ShapeFileBroken


@dataclass(frozen=True)
class Shape:
    """The dimensions of a network, under llama.cpp's names. 0: the network has none."""

    architecture: str  # as in `general.architecture`
    n_layer: int  # blocks
    n_embd: int  # width
    n_head: int
    n_kv_head: int
    head_dim: int
    n_ff: int  # of a dense block
    n_vocab: int
    is_tied: bool  # one matrix is both token embedding and output
    n_ctx_train: int = 0
    # attention that looks back only so far, in all blocks but every `window_period`-th
    window: int = 0
    window_period: int = 0
    # the blocks that see everything may have other heads, and only some blocks may keep a cache
    full_n_kv_head: int = 0
    full_head_dim: int = 0
    n_layer_kv: int = 0  # blocks with a cache, where that is not all of them
    # mixture of experts
    n_expert: int = 0
    n_expert_used: int = 0
    n_expert_shared: int = 0
    n_ff_expert: int = 0
    n_layer_dense: int = 0  # leading blocks without experts
    # multi-head latent attention
    kv_lora_rank: int = 0
    q_lora_rank: int = 0
    rope_dim: int = 0
    nope_dim: int = 0
    value_dim: int = 0

    @property
    def is_mla(self) -> bool:
        return self.kv_lora_rank > 0


@dataclass(frozen=True)
class Tensor:
    """A tensor's name and dimensions, the contiguous one (a row) first, as ggml writes them."""

    name: str
    dims: tuple[int, ...]

    @property
    def n_params(self) -> int:
        return math.prod(self.dims)

    @property
    def block(self) -> int | None:
        """The number of its block, or None for what belongs to the whole network."""
        parts = self.name.split(".")
        return int(parts[1]) if parts[0] == "blk" else None


# What sets an architecture apart from the plain block of Llama.
_FEATURES: dict[str, frozenset[str]] = {
    "llama": frozenset(),
    "mistral3": frozenset(),
    "qwen2": frozenset({"qkv_bias"}),
    "qwen3": frozenset({"qk_norm"}),
    "qwen3moe": frozenset({"qk_norm"}),
    "gemma2": frozenset({"post_norms"}),
    "gemma3": frozenset({"post_norms", "qk_norm"}),
    "phi3": frozenset({"fused"}),
    "gpt-oss": frozenset({"gpt_oss"}),
    "deepseek2": frozenset(),
}


def is_known(architecture: str) -> bool:
    """Whether the tensors of this architecture can be listed."""
    return architecture in _FEATURES


def list_tensors(shape: Shape, blocks: Sequence[int] | None = None) -> tuple[Tensor, ...]:
    """Every tensor of a GGUF file of this shape, in the order of the blocks (or of these blocks).

    >>> from jimoto.hardware.catalog import find_model
    >>> count_params(list_tensors(find_model("llama3.1:8b").shape()))
    8030261248
    """
    found = [Tensor("token_embd.weight", (shape.n_embd, shape.n_vocab))]
    found.append(Tensor("output_norm.weight", (shape.n_embd,)))
    if not shape.is_tied:
        found.append(Tensor("output.weight", (shape.n_embd, shape.n_vocab)))
    for i in range(shape.n_layer) if blocks is None else blocks:
        found += (Tensor(f"blk.{i}.{name}", dims) for name, dims in _block(shape, i))
    return tuple(found)


def count_params(tensors: tuple[Tensor, ...]) -> int:
    return sum(tensor.n_params for tensor in tensors)


def count_active_params(shape: Shape, tensors: tuple[Tensor, ...]) -> int:
    """The parameters that one token passes through; of the experts only those that are used.

    An embedding table of its own is looked up, not multiplied, and is left out.
    """
    return round(sum(tensor.n_params * read_share(shape, tensor) for tensor in tensors))


def read_share(shape: Shape, tensor: Tensor) -> float:
    """Which part of a tensor is read to make one token."""
    if "_exps." in tensor.name:
        return shape.n_expert_used / shape.n_expert
    if tensor.name.startswith(("token_embd.", "v.", "mm.")) and not (
        tensor.name == "token_embd.weight" and shape.is_tied
    ):
        return 0.0
    return 1.0


def _block(shape: Shape, i: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    features = _FEATURES[shape.architecture]
    yield "attn_norm.weight", (shape.n_embd,)
    yield from _attention_mla(shape) if shape.is_mla else _attention(shape, features)
    if "post_norms" in features:
        yield "post_attention_norm.weight", (shape.n_embd,)
        yield "post_ffw_norm.weight", (shape.n_embd,)
    if "gpt_oss" in features:
        yield "post_attention_norm.weight", (shape.n_embd,)
        yield "attn_sinks.weight", (shape.n_head,)
    else:
        yield "ffn_norm.weight", (shape.n_embd,)
    if shape.n_expert and i >= shape.n_layer_dense:
        yield from _experts(shape, features)
    elif "fused" in features:
        yield "ffn_up.weight", (shape.n_embd, 2 * shape.n_ff)
        yield "ffn_down.weight", (shape.n_ff, shape.n_embd)
    else:
        yield "ffn_gate.weight", (shape.n_embd, shape.n_ff)
        yield "ffn_up.weight", (shape.n_embd, shape.n_ff)
        yield "ffn_down.weight", (shape.n_ff, shape.n_embd)


def _attention(shape: Shape, features: frozenset[str]) -> Iterator[tuple[str, tuple[int, ...]]]:
    q, kv = shape.n_head * shape.head_dim, shape.n_kv_head * shape.head_dim
    if "fused" in features:
        yield "attn_qkv.weight", (shape.n_embd, q + 2 * kv)
    else:
        yield "attn_q.weight", (shape.n_embd, q)
        yield "attn_k.weight", (shape.n_embd, kv)
        yield "attn_v.weight", (shape.n_embd, kv)
    if features & {"qkv_bias", "gpt_oss"}:
        yield "attn_q.bias", (q,)
        yield "attn_k.bias", (kv,)
        yield "attn_v.bias", (kv,)
    if "gpt_oss" in features:
        yield "attn_output.bias", (shape.n_embd,)
    if "qk_norm" in features:
        yield "attn_q_norm.weight", (shape.head_dim,)
        yield "attn_k_norm.weight", (shape.head_dim,)
    yield "attn_output.weight", (q, shape.n_embd)


def _attention_mla(shape: Shape) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Keys and values pass through a narrow vector, and that is what the cache keeps."""
    heads, rank, rope = shape.n_head, shape.kv_lora_rank, shape.rope_dim
    query = shape.nope_dim + rope
    if shape.q_lora_rank:
        yield "attn_q_a_norm.weight", (shape.q_lora_rank,)
        yield "attn_q_a.weight", (shape.n_embd, shape.q_lora_rank)
        yield "attn_q_b.weight", (shape.q_lora_rank, heads * query)
    else:
        yield "attn_q.weight", (shape.n_embd, heads * query)
    yield "attn_kv_a_norm.weight", (rank,)
    yield "attn_kv_a_mqa.weight", (shape.n_embd, rank + rope)
    yield "attn_k_b.weight", (shape.nope_dim, rank, heads)
    yield "attn_v_b.weight", (rank, shape.value_dim, heads)
    yield "attn_output.weight", (heads * shape.value_dim, shape.n_embd)


def _experts(shape: Shape, features: frozenset[str]) -> Iterator[tuple[str, tuple[int, ...]]]:
    n, ff, width = shape.n_expert, shape.n_ff_expert, shape.n_embd
    yield "ffn_gate_inp.weight", (width, n)
    yield "ffn_gate_exps.weight", (width, ff, n)
    yield "ffn_up_exps.weight", (width, ff, n)
    yield "ffn_down_exps.weight", (ff, width, n)
    if "gpt_oss" in features:
        yield "ffn_gate_inp.bias", (n,)
        yield "ffn_gate_exps.bias", (ff, n)
        yield "ffn_up_exps.bias", (ff, n)
        yield "ffn_down_exps.bias", (width, n)
    if shape.n_expert_shared:
        shared = ff * shape.n_expert_shared
        yield "exp_probs_b.bias", (n,)
        yield "ffn_gate_shexp.weight", (width, shared)
        yield "ffn_up_shexp.weight", (width, shared)
        yield "ffn_down_shexp.weight", (shared, width)


# --- from a Hugging Face config.json -------------------------------------------------------------

# `model_type` → architecture of llama.cpp; anything else is read as a block of Llama.
_MODEL_TYPES = {
    "llama": "llama", "mistral": "llama", "mixtral": "llama", "ministral3": "mistral3",
    "qwen2": "qwen2", "qwen3": "qwen3", "qwen3_moe": "qwen3moe",
    "gemma2": "gemma2", "gemma3": "gemma3", "gemma3_text": "gemma3",
    "phi3": "phi3", "gpt_oss": "gpt-oss",
    "deepseek_v2": "deepseek2", "deepseek_v3": "deepseek2", "glm4_moe_lite": "deepseek2",
}  # fmt: skip
_WINDOWED = ("gemma2", "gemma3", "gpt-oss")  # for others llama.cpp keeps the whole context
_REQUIRED = ("num_hidden_layers", "hidden_size", "num_attention_heads", "vocab_size")


def parse_config(config: Mapping[str, Any], name: str = "config.json") -> Shape:
    """The shape that a Hugging Face `config.json` describes; says which keys it lacks.

    >>> small = {"num_hidden_layers": 2, "hidden_size": 64, "num_attention_heads": 4,
    ...          "vocab_size": 100, "intermediate_size": 128}
    >>> parse_config(small).head_dim
    16
    """
    # 1) a model with eyes keeps the language part one level down
    config = {**config, **(config.get("text_config") or {})}
    experts = _first(config, "num_local_experts", "num_experts", "n_routed_experts")
    width_key = "intermediate_size"
    if "moe_intermediate_size" in config:
        width_key = "moe_intermediate_size"
    missing = [key for key in (*_REQUIRED, width_key) if not _is_count(config.get(key))]
    if missing:
        raise ConfigIncomplete(name, ", ".join(missing))
    # 2) what every block has
    heads, width = config["num_attention_heads"], config["hidden_size"]
    model_type = config.get("model_type", "llama")
    architecture = _MODEL_TYPES.get(model_type, "llama")
    period = _first(config, "sliding_window_pattern", "_sliding_window_pattern")
    layer_types = config.get("layer_types") or []
    if "full_attention" in layer_types and "sliding_attention" in layer_types:
        period = layer_types.index("full_attention") + 1
    window = config.get("sliding_window") or 0
    if architecture not in _WINDOWED or config.get("use_sliding_window") is False:
        window = 0
    mla = "kv_lora_rank" in config
    return Shape(
        architecture=architecture,
        n_layer=config["num_hidden_layers"],
        n_embd=width,
        n_head=heads,
        n_kv_head=_first(config, "num_key_value_heads") or heads,
        head_dim=_first(config, "head_dim") or width // heads,
        n_ff=_first(config, "intermediate_size"),
        n_vocab=config["vocab_size"],
        is_tied=bool(config.get("tie_word_embeddings", model_type.startswith("gemma"))),
        n_ctx_train=_first(config, "max_position_embeddings"),
        window=window,
        window_period=(period or (6 if architecture == "gemma3" else 2)) if window else 0,
        # 3) experts
        n_expert=experts,
        n_expert_used=_first(config, "num_experts_per_tok", "num_experts_per_token") or experts,
        n_expert_shared=_first(config, "n_shared_experts") if experts else 0,
        n_ff_expert=config[width_key] if experts else 0,
        n_layer_dense=_first(config, "first_k_dense_replace") if experts else 0,
        # 4) latent attention
        kv_lora_rank=_first(config, "kv_lora_rank"),
        q_lora_rank=_first(config, "q_lora_rank"),
        rope_dim=_first(config, "qk_rope_head_dim") if mla else 0,
        nope_dim=_first(config, "qk_nope_head_dim") if mla else 0,
        value_dim=_first(config, "v_head_dim") if mla else 0,
    )


def read_config(path: Path) -> Shape:
    """`parse_config` of a file."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ShapeFileBroken(str(path), _clause(error)) from None
    if not isinstance(config, dict):
        raise ShapeFileBroken(str(path), "it does not hold a JSON object")
    return parse_config(config, path.name)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 < value < 2**40


def _first(config: Mapping[str, Any], *keys: str) -> int:
    """The first of these keys that holds a count, else 0."""
    return next((config[key] for key in keys if _is_count(config.get(key))), 0)


def _clause(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return text[:1].lower() + text[1:]


# --- from the head of a GGUF file ----------------------------------------------------------------


def parse_metadata(metadata: Mapping[str, Any], tensors: tuple[Tensor, ...], name: str) -> Shape:
    """The shape that a GGUF file describes. `tensors` settles what its metadata may leave open."""
    architecture = str(metadata.get("general.architecture", ""))

    def number(key: str) -> int:
        value = metadata.get(f"{architecture}.{key}")
        if isinstance(value, (list, tuple)) and False in value:  # is this block windowed?
            return list(value).index(False) + 1
        if isinstance(value, (list, tuple)):
            value = max((v for v in value if _is_count(v)), default=0)
        return value if isinstance(value, int) and _is_count(value) else 0

    missing = [k for k in ("block_count", "embedding_length") if not number(k)]
    if missing:
        raise ConfigIncomplete(name, ", ".join(f"{architecture}.{key}" for key in missing))
    dims = {tensor.name: tensor.dims for tensor in tensors}
    width, heads = number("embedding_length"), number("attention.head_count") or 1
    head_dim = number("attention.key_length") or width // heads
    keys = [t for t in tensors if t.name.endswith(".attn_k.weight") and len(t.dims) == 2]
    kv_heads = number("attention.head_count_kv") or heads
    if keys:  # a list of heads per block may have been skipped by the reader
        kv_heads = max(t.dims[1] for t in keys) // head_dim or kv_heads
    rank = number("attention.kv_lora_rank")
    window = number("attention.sliding_window")
    period = number("attention.sliding_window_pattern") or (6 if architecture == "gemma3" else 2)
    windowed = architecture in _WINDOWED
    return Shape(
        architecture=architecture,
        n_layer=number("block_count"),
        n_embd=width,
        n_head=heads,
        n_kv_head=kv_heads,
        head_dim=head_dim,
        n_ff=number("feed_forward_length"),
        n_vocab=dims.get("token_embd.weight", (0, number("vocab_size")))[-1],
        is_tied="output.weight" not in dims,
        n_ctx_train=number("context_length"),
        window=window if windowed else 0,
        window_period=period if windowed and window else 0,
        n_layer_kv=len(keys) if 0 < len(keys) < number("block_count") else 0,
        n_expert=number("expert_count"),
        n_expert_used=number("expert_used_count"),
        n_expert_shared=number("expert_shared_count"),
        n_ff_expert=number("expert_feed_forward_length"),
        n_layer_dense=number("leading_dense_block_count"),
        kv_lora_rank=rank if "attention.key_length_mla" in _tails(metadata) else 0,
        q_lora_rank=number("attention.q_lora_rank"),
        rope_dim=number("rope.dimension_count") if rank else 0,
        nope_dim=max(0, number("attention.key_length_mla") - number("rope.dimension_count")),
        value_dim=number("attention.value_length_mla"),
    )


def _tails(metadata: Mapping[str, Any]) -> set[str]:
    return {key.split(".", 1)[-1] for key in metadata}


def dimensions(shape: Shape) -> dict[str, int]:
    """The numbers of a shape that are not 0, for printing and for JSON."""
    values = {field.name: getattr(shape, field.name) for field in fields(shape)}
    return {key: value for key, value in values.items() if value and key != "architecture"}
