"""What is to be judged: a model of the catalogue, a config.json or a GGUF file, as one value.

Knows how heavy its weights are. Knows nothing of caches, machines and verdicts.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jimoto.errors import QuantUnknown, ShapeUnknown
from jimoto.hardware.catalog import GB, Model, find_model, find_quantisation
from jimoto.hardware.gguf_head import Head, read_head, typed_tensors
from jimoto.hardware.quants import FILE_TYPES, Weights, weigh, weigh_shape
from jimoto.hardware.shapes import Shape, is_known, parse_metadata, read_config

# general.file_type of a GGUF file → the quantisation's name
_FILE_TYPE_NUMBERS = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K",
    11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S",
    17: "Q5_K_M", 18: "Q6_K", 21: "Q2_K_S", 25: "IQ4_NL", 30: "IQ4_XS", 32: "BF16", 38: "MXFP4",
}  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """A model to be judged, whatever it was named by."""

    name: str
    weights: Weights
    shape: Shape | None  # None: its source does not give enough
    max_context: int | None = None
    is_encoder: bool = False
    extra_bytes: int = 0  # in the library's file beyond the shape: vocabulary, a vision tower
    model: Model | None = None
    missing: tuple[str, ...] = ()

    @property
    def weights_bytes(self) -> int:
        return self.weights.size_bytes + self.extra_bytes


def find_subject(text: str, quant: str | None = None) -> Subject:
    """A model by its name in the catalogue, or by the path of a config.json or GGUF file."""
    path = Path(text)
    if path.is_dir() and (path / "config.json").is_file():
        path = path / "config.json"
    if path.suffix == ".gguf":
        return subject_of_head(read_head(path), path.name)
    if path.suffix == ".json" or path.is_file():
        chosen = check_quant(quant or "Q4_K_M")
        if chosen not in FILE_TYPES:
            raise QuantUnknown(chosen, "", ", ".join(FILE_TYPES))
        shape = read_config(path)
        return Subject(path.name, weigh_shape(shape, chosen), shape, shape.n_ctx_train or None)
    return subject_of_model(find_model(text), quant)


def check_quant(quant: str) -> str:
    """The name of a quantisation as the catalogue writes it; `QuantUnknown` for another."""
    upper = quant.strip().upper()
    return upper if upper in FILE_TYPES else find_quantisation(quant).name


def subject_of_model(model: Model, quant: str | None = None) -> Subject:
    """A row of the catalogue, in the library's quantisation unless another is asked for."""
    chosen = check_quant(quant or model.default_quant or "Q4_K_M")
    shape = None if model.missing() else model.shape()
    if shape and is_known(shape.architecture) and chosen in FILE_TYPES:
        weights = weigh_shape(shape, chosen)
        own = model.default_quant
        excess = 0
        if own in FILE_TYPES and model.size_bytes:
            excess = max(0, model.size_bytes - weigh_shape(shape, own).size_bytes)
        return Subject(model.name, weights, shape, model.max_context, False, excess, model)
    return Subject(
        model.name, _rough_weights(model, chosen), shape, model.max_context, model.is_encoder,
        model=model, missing=() if shape or model.is_encoder else model.missing(),
    )  # fmt: skip


def subject_of_head(head: Head, name: str) -> Subject:
    """A GGUF file: its weights are counted, not estimated."""
    tensors = typed_tensors(head)
    shape = parse_metadata(head.metadata, tuple(t.tensor for t in tensors), name)
    most = max({t.type for t in tensors}, key=lambda kind: sum(
        t.size_bytes for t in tensors if t.type == kind))  # fmt: skip
    is_encoder = f"{shape.architecture}.pooling_type" in head.metadata
    named = _FILE_TYPE_NUMBERS.get(head.metadata.get("general.file_type", -1), most)
    weights = weigh(shape, tensors, named)
    return Subject(name, weights, shape, shape.n_ctx_train or None, is_encoder)


def _rough_weights(model: Model, quant: str) -> Weights:
    """From the size of the library's file, else from the parameters and the bits of the mix."""
    own_bytes = model.size_bytes or (round(model.listed_gb * GB) if model.listed_gb else None)
    bits = _file_bits(quant)
    if own_bytes and model.default_quant:
        total = own_bytes * bits / _file_bits(model.default_quant)
    elif model.n_params:
        total = model.n_params * bits / 8
    else:
        raise ShapeUnknown(model.name, "n_params")
    n_params = model.n_params or round(total * 8 / bits)
    active = model.n_params_active or n_params
    return Weights(
        quant=quant,
        n_params=n_params,
        size_bytes=round(total),
        active_bytes=round(total * min(1.0, active / n_params)),
        n_block_params=active,
        largest_bytes=0,
        table_bytes=0,
        table_type="",
        is_exact=False,
    )


def _file_bits(quant: str) -> float:
    row = find_quantisation("MXFP4" if quant.startswith("MXFP4") else quant)
    return row.file_bits_per_weight or row.bits_per_weight or 4.9
