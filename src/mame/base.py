"""The shipped GGUF as a network to train on: the same weights and pieces, exactly.

An adapter belongs to the very weights it was trained on, and what a learner has is the GGUF, not
the checkpoint it came from. F16 numbers are F32 numbers too, so nothing is lost on the way here.
"""

from importlib import resources
from pathlib import Path
from typing import Any

from jimoto.adapters import gguf_llama
from mame import tokenizer as pieces


def shipped() -> Path:
    """The file that comes with the kit."""
    return Path(str(resources.files("jimoto") / "data" / "mame.gguf"))


def load(path: Path) -> tuple[Any, Any]:
    """A `LlamaForCausalLM` in F32 and its `tokenizers.Tokenizer`. Errors: CheckpointRefused."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    file = gguf_llama.read_gguf(path)
    network = LlamaForCausalLM(LlamaConfig(**file.config))
    missing, unknown = network.load_state_dict(
        {name: torch.from_numpy(values) for name, values in file.weights.items()}, strict=False
    )
    network.tie_weights()
    if unknown or set(missing) - {"lm_head.weight"}:
        raise ValueError(f"missing {missing}, unknown {unknown}")
    network.name_or_path = path.stem  # PEFT writes it beside the adapter
    return network.eval(), load_tokenizer(file)


def load_tokenizer(file: gguf_llama.Checkpoint) -> Any:
    """Byte-level BPE that cuts as Qwen 2 does, from the pieces and merges of the file."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

    merges = [tuple(pair.split(" ", 1)) for pair in file.merges]
    ids = {piece: i for i, piece in enumerate(file.pieces)}
    tokenizer = Tokenizer(models.BPE(vocab=ids, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pieces.QWEN2_PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([file.pieces[i] for i in file.special])
    return pieces.show_thoughts(tokenizer)
