"""A LoRA adapter that PEFT saved → one GGUF adapter that llama.cpp and Ollama read.

Knows names, shapes, the order of rows and the scale. What a GGUF adapter cannot express is refused:
an adapter that is quietly half there would be worse than none. It trains and serves nothing, and
never opens a pickle.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from jimoto.adapters.gguf_llama import interleave_rows
from jimoto.adapters.tensors import Array, BrokenTensors, Tensors, open_safetensors
from jimoto.errors import AdapterBaseMismatch, AdapterRefused

# model_type of transformers → architecture of GGUF
ARCHITECTURES = {
    "llama": "llama",
    "mistral": "llama",
    "qwen2": "qwen2",
    "qwen3": "qwen3",
    "gemma2": "gemma2",
    "gemma3": "gemma3",
    "gemma3_text": "gemma3",
}
PROJECTIONS = {  # matrix in transformers → its place; the shapes are those of `linear_shapes`
    "q_proj": "self_attn",
    "k_proj": "self_attn",
    "v_proj": "self_attn",
    "o_proj": "self_attn",
    "gate_proj": "mlp",
    "up_proj": "mlp",
    "down_proj": "mlp",
}
# Initialisations that subtract something from the base before training starts.
CHANGES_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")
# Options of LoraConfig that change what is computed, beside rank, alpha and rsLoRA.
OPTIONS = (
    "use_dora", "use_qalora", "lora_bias", "fan_in_fan_out", "layer_replication",
    "target_parameters", "alora_invocation_tokens", "use_bdlora", "arrow_config", "kasa_config",
    "monteclora_config", "velora_config",
)  # fmt: skip
PICKLES = ("adapter_model.bin", "adapter_model.pt", "adapter_model.pth", "pytorch_model.bin")
NAME = re.compile(
    r"(?:base_model\.model\.)?(?P<module>[\w.]+?)\.lora_(?P<half>[AB])(?:\.default)?\.weight"
)


@dataclass(frozen=True)
class Base:
    """What must be known of the model that an adapter belongs to."""

    name: str
    architecture: str  # as GGUF names it
    n_block: int
    n_head: int
    n_kv_head: int
    shapes: dict[str, tuple[int, int]]  # GGUF name → (out, in)
    tied: bool = False  # one table for embeddings and output

    def describe(self, name: str) -> str:
        """`'llama', attn_q 256 x 256`, for an error."""
        shape = self.shapes.get(name)
        said = " x ".join(map(str, shape)) if shape else "–"
        return f"'{self.architecture}', {short(name)} {said}"


@dataclass(frozen=True)
class Lora:
    """Pairs of matrices: a base matrix W acts as W + alpha / r * B A."""

    architecture: str
    alpha: float
    pairs: dict[str, tuple[Array, Array]]  # GGUF name of W → A (r, in), B (out, r)

    def scale(self, name: str) -> float:
        """alpha / r, or 1 where the file states no alpha, as llama.cpp does."""
        rank = self.pairs[name][1].shape[1]
        return self.alpha / rank if self.alpha else 1.0

    def delta(self, name: str) -> Array:
        """What the pair adds to its matrix, (out, in), F32."""
        a, b = self.pairs[name]
        added: Array = np.float32(self.scale(name)) * (
            b.astype(np.float32) @ a.astype(np.float32)
        )  # (out, in)
        return added

    @property
    def n_params(self) -> int:
        return sum(a.size + b.size for a, b in self.pairs.values())


def short(name: str) -> str:
    """'blk.0.attn_q.weight' → 'attn_q'"""
    return name.removesuffix(".weight").rsplit(".", 1)[-1]


# --- the base ------------------------------------------------------------------------------------


def read_base(path: Path) -> Base:
    """From a GGUF file, or from a folder with transformers' config.json.

    Errors: AdapterRefused for a base of another architecture or without a config.
    """
    return _base_of_folder(path) if path.is_dir() else _base_of_gguf(path)


def _base_of_folder(folder: Path) -> Base:
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise AdapterRefused(str(folder), "missing", "config.json") from None
    config = config.get("text_config") or config  # models that also see keep it there
    architecture = ARCHITECTURES.get(config.get("model_type", ""))
    if architecture is None:
        raise AdapterRefused(str(folder), "architecture", str(config.get("model_type")))
    n_block, n_head = config["num_hidden_layers"], config["num_attention_heads"]
    n_kv_head = config.get("num_key_value_heads") or n_head
    tied = bool(config.get("tie_word_embeddings", architecture.startswith("gemma")))
    shapes = dict(linear_shapes(config, architecture, n_block, n_head, n_kv_head))
    if not tied:
        shapes["output.weight"] = (config["vocab_size"], config["hidden_size"])
    return Base(folder.name, architecture, n_block, n_head, n_kv_head, shapes, tied)


def linear_shapes(
    config: dict[str, Any], architecture: str, n_block: int, n_head: int, n_kv_head: int
) -> Iterator[tuple[str, tuple[int, int]]]:
    """GGUF name and (out, in) of every matrix of attention and MLP."""
    width, hidden = config["hidden_size"], config["intermediate_size"]
    head_dim = config.get("head_dim") or width // n_head
    q, kv = n_head * head_dim, n_kv_head * head_dim
    shapes = {
        "q_proj": (q, width), "k_proj": (kv, width), "v_proj": (kv, width), "o_proj": (width, q),
        "gate_proj": (hidden, width), "up_proj": (hidden, width), "down_proj": (width, hidden),
    }  # fmt: skip
    names = tensor_names(architecture, n_block)
    for block in range(n_block):
        for projection, part in PROJECTIONS.items():
            name = names[f"model.layers.{block}.{part}.{projection}"]
            yield name, shapes[projection]


def tensor_names(architecture: str, n_block: int) -> dict[str, str]:
    """transformers' module → GGUF tensor, by the map of the `gguf` package."""
    import gguf

    kind = next(k for k, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    known = gguf.get_tensor_name_map(kind, n_block)
    modules = [
        f"model.layers.{block}.{part}.{projection}"
        for block in range(n_block)
        for projection, part in PROJECTIONS.items()
    ]
    return {m: f"{known.get_name(m)}.weight" for m in modules} | {"lm_head": "output.weight"}


def _base_of_gguf(path: Path) -> Base:
    reader = open_gguf(path)
    architecture = text_of(reader, "general.architecture")
    if architecture not in ARCHITECTURES.values():
        raise AdapterRefused(path.name, "architecture", architecture)
    n_block = number_of(reader, f"{architecture}.block_count")
    n_head = number_of(reader, f"{architecture}.attention.head_count")
    n_kv_head = number_of(reader, f"{architecture}.attention.head_count_kv") or n_head
    shapes = {
        t.name: (int(t.shape[1]), int(t.shape[0])) for t in reader.tensors if len(t.shape) == 2
    }  # ggml counts the input first
    tied = "output.weight" not in shapes
    return Base(path.name, architecture, n_block, n_head, n_kv_head, shapes, tied)


def open_gguf(path: Path) -> Any:
    """A `gguf.GGUFReader`. Errors: AdapterRefused where the file is none."""
    import gguf

    if not path.is_file():
        raise AdapterRefused(path.name, "missing", str(path))
    try:
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise ValueError("it does not start with 'GGUF'")
        return gguf.GGUFReader(path)
    except (ValueError, KeyError, IndexError, OverflowError, UnicodeDecodeError) as error:
        raise AdapterRefused(path.name, "gguf", str(error)[:100]) from None


def text_of(reader: Any, key: str) -> str:
    value = reader.fields[key].contents() if key in reader.fields else ""
    return value if isinstance(value, str) else ""


def number_of(reader: Any, key: str) -> int:
    value = reader.fields[key].contents() if key in reader.fields else 0
    return int(value) if isinstance(value, int) else 0


# --- what PEFT wrote -----------------------------------------------------------------------------


def read_peft(folder: Path, base: Base) -> Lora:
    """Every matrix checked against the base. Errors: AdapterRefused, AdapterBaseMismatch."""
    config = read_config(folder)
    tensors = read_weights(folder)

    # 1) PEFT's names → GGUF's, both halves of each pair
    halves: dict[str, dict[str, tuple[str, str]]] = {}  # GGUF name → half → (module, tensor)
    names = tensor_names(base.architecture, base.n_block)
    for tensor in tensors:
        module, half = module_of(folder, tensor)
        name = gguf_name(folder, tensor, module, names, base)
        halves.setdefault(name, {})[half] = (module, tensor)
    if not halves:
        raise AdapterRefused(folder.name, "half", "adapter_model.safetensors")

    # 2) one alpha for the file; where a matrix has a scale of its own, B carries the difference
    alpha = 0.0
    pairs = {}
    for name, pair in halves.items():
        if pair.keys() != {"A", "B"}:
            raise AdapterRefused(folder.name, "half", name)
        module = pair["A"][0]
        a, b = (tensors[pair[half][1]].astype(np.float32) for half in "AB")
        rank = check_pair(folder, name, a, b, base)
        scale = scale_of(folder, config, module, rank)
        alpha = alpha or scale * rank
        factor = scale * rank / alpha
        heads = heads_of(base, name)
        b = b if heads is None else interleave_rows(b, heads)
        pairs[name] = (a, b if math.isclose(factor, 1.0) else b * np.float32(factor))
    return Lora(base.architecture, alpha, pairs)


def read_config(folder: Path) -> dict[str, Any]:
    """adapter_config.json, once it is sure that nothing in it would be lost."""
    path = folder / "adapter_config.json"
    if not path.is_file():
        raise AdapterRefused(folder.name, "missing", "adapter_config.json")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        kind = str(config["peft_type"])
    except (ValueError, KeyError, TypeError) as error:
        raise AdapterRefused(folder.name, "config", f"{type(error).__name__}: {error}") from None
    if kind != "LORA":
        raise AdapterRefused(folder.name, "type", kind)
    for option in OPTIONS:
        if config.get(option):
            raise AdapterRefused(folder.name, "option", f"{option}={config[option]!r}")
    if config.get("bias", "none") != "none":
        raise AdapterRefused(folder.name, "option", f"bias={config['bias']!r}")
    for key in ("modules_to_save", "trainable_token_indices"):
        if config.get(key):
            raise AdapterRefused(folder.name, "whole", f"{key}: {config[key]}")
    start = str(config.get("init_lora_weights", True)).lower()
    if start.startswith(CHANGES_BASE):
        raise AdapterRefused(folder.name, "init", start)
    ranks = [config.get("r", 8), *(config.get("rank_pattern") or {}).values()]
    for rank in ranks:
        if type(rank) is not int or rank < 1:
            raise AdapterRefused(folder.name, "rank", str(rank))
    return dict(config)


def read_weights(folder: Path) -> Tensors:
    path = folder / "adapter_model.safetensors"
    if not path.is_file():
        pickle = next((name for name in PICKLES if (folder / name).exists()), None)
        if pickle:
            raise AdapterRefused(folder.name, "pickle", pickle)
        raise AdapterRefused(folder.name, "missing", path.name)
    try:
        return open_safetensors(path)
    except BrokenTensors as error:
        raise AdapterRefused(folder.name, "weights", str(error)) from None


def module_of(folder: Path, tensor: str) -> tuple[str, str]:
    """'base_model.model.model.layers.0.mlp.up_proj.lora_A.weight' → (module, 'A')"""
    if "magnitude_vector" in tensor:
        raise AdapterRefused(folder.name, "option", "use_dora=True")
    match = NAME.fullmatch(tensor)
    if match is None:  # an embedding, a bias or a whole matrix
        kind = "whole" if "embed" in tensor or "modules_to_save" in tensor else "tensor"
        raise AdapterRefused(folder.name, kind, tensor)
    return match["module"].replace("model.language_model.", "model."), match["half"]


def gguf_name(folder: Path, tensor: str, module: str, names: dict[str, str], base: Base) -> str:
    """The base's tensor that a module belongs to."""
    if module == "lm_head" and base.tied:
        raise AdapterRefused(folder.name, "tied", module)
    if module not in names:
        block = re.search(r"layers\.(\d+)\.", module)
        if block and int(block[1]) >= base.n_block:
            raise AdapterBaseMismatch(
                folder.name,
                base.name,
                f"'{base.architecture}', > {block[1]} blocks",
                f"'{base.architecture}', {base.n_block} blocks",
            )
        raise AdapterRefused(folder.name, "tensor", tensor)
    return names[module]


def check_pair(folder: Path, name: str, a: Array, b: Array, base: Base) -> int:
    """The rank, if A (r, in) and B (out, r) fit each other and the base, and all is finite."""
    if a.ndim != 2 or b.ndim != 2 or a.shape[0] != b.shape[1]:
        raise AdapterRefused(folder.name, "half", name)
    if a.shape[0] == 0:
        raise AdapterRefused(folder.name, "rank", "0")
    for half, matrix in (("lora_a", a), ("lora_b", b)):
        if not np.isfinite(matrix).all():
            raise AdapterRefused(folder.name, "nan", f"{name}.{half}")
    check_shape(folder.name, name, (b.shape[0], a.shape[1]), base)
    return int(a.shape[0])


def check_shape(adapter: str, name: str, shape: tuple[int, int], base: Base) -> None:
    if base.shapes.get(name) != shape:
        made_for = f"'{base.architecture}', {short(name)} {shape[0]} x {shape[1]}"
        raise AdapterBaseMismatch(adapter, base.name, made_for, base.describe(name))


def scale_of(folder: Path, config: dict[str, Any], module: str, rank: int) -> float:
    """alpha / r, or alpha / sqrt(r) for rsLoRA; alpha_pattern may name the module."""
    patterns = config.get("alpha_pattern") or {}
    matching = (k for k in patterns if re.match(rf"(.*\.)?({k})$", module))
    alpha = patterns.get(next(matching, ""), config.get("lora_alpha", 8))
    if not isinstance(alpha, (int, float)) or not math.isfinite(alpha) or alpha <= 0:
        raise AdapterRefused(folder.name, "alpha", str(alpha))
    return float(alpha) / (math.sqrt(rank) if config.get("use_rslora") else rank)


def heads_of(base: Base, name: str) -> int | None:
    """How many heads' rows are interleaved: q and k of the llama architecture only, and only B.

    A maps *into* the rank and knows no rotation; the other architectures turn halves, as
    transformers does.
    """
    if base.architecture != "llama":
        return None
    return {"attn_q": base.n_head, "attn_k": base.n_kv_head}.get(short(name))


# --- the GGUF adapter ----------------------------------------------------------------------------


def convert(folder: Path, base: Path, out: Path, float_type: str = "F32") -> Path:
    """PEFT's `folder` → the GGUF adapter `out`, for the model `base` (GGUF file or HF folder).

    `float_type` is F32 or F16 (half the bytes). Errors: AdapterRefused, AdapterBaseMismatch.
    """
    return write(read_peft(folder, read_base(base)), out, float_type)


def write(lora: Lora, out: Path, float_type: str = "F32") -> Path:
    """Completely or not at all."""
    import gguf

    if float_type not in ("F16", "F32"):
        raise ValueError(f"float_type is 'F16' or 'F32', not {float_type!r}")
    dtype = np.float16 if float_type == "F16" else np.float32
    part = out.with_name(out.name + ".part")
    writer = gguf.GGUFWriter(str(part), lora.architecture)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, lora.alpha)
    writer.add_name(out.stem)
    writer.add_file_type(
        gguf.LlamaFileType.MOSTLY_F16 if float_type == "F16" else gguf.LlamaFileType.ALL_F32
    )
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    for name, pair in lora.pairs.items():
        for half, matrix in zip(("lora_a", "lora_b"), pair, strict=True):
            narrow = matrix.astype(dtype)
            if not np.isfinite(narrow).all():  # F16 ends at 65504
                raise AdapterRefused(out.name, "nan", f"{name}.{half}")
            writer.add_tensor(f"{name}.{half}", np.ascontiguousarray(narrow))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(part, out)
    return out


def read(path: Path) -> Lora:
    """A GGUF adapter. Errors: AdapterRefused where it is none, or not whole, or not finite."""
    reader = open_gguf(path)
    for key, wanted in (("general.type", "adapter"), ("adapter.type", "lora")):
        if text_of(reader, key) != wanted:
            raise AdapterRefused(path.name, "gguf", f"{key} = {text_of(reader, key) or '–'!r}")
    alpha = reader.fields["adapter.lora.alpha"].contents() if (
        "adapter.lora.alpha" in reader.fields
    ) else 0.0  # fmt: skip
    halves: dict[str, dict[str, Array]] = {}
    for tensor in reader.tensors:
        name, _, half = tensor.name.rpartition(".")
        if half not in ("lora_a", "lora_b") or len(tensor.shape) != 2:
            raise AdapterRefused(path.name, "tensor", tensor.name)
        halves.setdefault(name, {})[half] = _numbers(path, tensor)
    pairs = {}
    for name, pair in halves.items():
        a, b = pair.get("lora_a"), pair.get("lora_b")
        if a is None or b is None or a.shape[0] != b.shape[1]:
            raise AdapterRefused(path.name, "half", name)
        pairs[name] = (a, b)
    if not pairs:
        raise AdapterRefused(path.name, "gguf", "no tensors")
    return Lora(text_of(reader, "general.architecture"), float(alpha), pairs)


def _numbers(path: Path, tensor: Any) -> Array:
    import gguf

    values: Array = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
    if not np.isfinite(values).all():
        raise AdapterRefused(path.name, "nan", tensor.name)
    return values


def check(adapter: Path, base: Path) -> Lora:
    """The GGUF adapter, if it belongs to the GGUF model `base`.

    Errors: AdapterRefused, AdapterBaseMismatch.
    """
    lora, model = read(adapter), read_base(base)
    if lora.architecture != model.architecture:
        raise AdapterBaseMismatch(
            adapter.name, base.name, f"'{lora.architecture}'", f"'{model.architecture}'"
        )
    for name, (a, b) in lora.pairs.items():
        check_shape(adapter.name, name, (b.shape[0], a.shape[1]), model)
    return lora


def merge(adapter: Path, base: Path, out: Path, scale: float = 1.0) -> Path:
    """`base` with `scale` times the adapter added to its weights: a model of its own, in `out`.

    Only the adapted matrices change, in their own type; all other bytes are the base's. Errors:
    AdapterRefused (also for a quantised base), AdapterBaseMismatch.
    """
    import shutil

    import gguf

    lora = check(adapter, base)
    tensors = {t.name: t for t in open_gguf(base).tensors}
    kinds = gguf.GGMLQuantizationType
    part = out.with_name(out.name + ".part")
    shutil.copyfile(base, part)
    try:
        with part.open("r+b") as file:
            for name in lora.pairs:
                tensor = tensors[name]
                kind = tensor.tensor_type
                if kind not in (kinds.F32, kinds.F16, kinds.BF16):
                    raise AdapterRefused(adapter.name, "quantised", kind.name)
                merged = gguf.dequantize(tensor.data, kind) + np.float32(scale) * lora.delta(name)
                file.seek(tensor.data_offset)
                file.write(np.ascontiguousarray(gguf.quantize(merged, kind)).tobytes())
        os.replace(part, out)
    finally:
        part.unlink(missing_ok=True)
    return out
