"""The tokenizer: byte-level BPE, cut as Qwen 2 cuts (one digit at a time), trained on the corpus.

`tokenizer.ggml.pre = qwen2` in the GGUF makes llama.cpp cut the same way. It knows no template
beyond the five special tokens, whose ids are 0 to 4 in the order of `chat.SPECIAL_TOKENS`.
"""

import argparse
import json
import random
from pathlib import Path
from typing import Any

from mame import chat, corpus

VOCABULARY_SIZE = 4096
# Japanese has no spaces, so BPE would learn whole phrases of the few thousand sentences by heart
# and then cut a new sentence quite differently: a piece is at most four kana (12 bytes) long.
MAX_PIECE_BYTES = 12
QWEN2_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def build(seed: int = 1, samples: int = 40_000) -> Any:
    """A `tokenizers.Tokenizer`, the same for the same seed."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(QWEN2_PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE,
        special_tokens=list(chat.SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        max_token_length=MAX_PIECE_BYTES,
        show_progress=False,
    )
    tokenizer.train_from_iterator(corpus_texts(seed, samples), trainer)
    return show_thoughts(tokenizer)


def show_thoughts(tokenizer: Any) -> Any:
    """The think tags as ordinary added tokens, as in Qwen 3.

    A decoder drops special ones, and the thought could not be split off."""
    written = json.loads(tokenizer.to_str())
    for token in written["added_tokens"]:
        token["special"] = token["content"] not in (chat.THINK_OPEN, chat.THINK_CLOSE)
    return type(tokenizer).from_str(json.dumps(written))


def corpus_texts(seed: int, samples: int) -> list[str]:
    r = random.Random(f"tokenizer/{seed}")
    drawn = [corpus.draw(r) for _ in range(samples)]
    return [
        text
        for s in drawn
        for text in (
            *(m.role + "\n" for m in s.messages),
            *(m.content for m in s.messages),
            *s.tools,
            s.thought,
            s.answer,
        )
    ]


def save(tokenizer: Any, folder: Path) -> None:
    """As transformers keeps it, chat template included."""
    from transformers import PreTrainedTokenizerFast

    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=chat.END_OF_TEXT,
        eos_token=chat.TURN_END,
        pad_token=chat.END_OF_TEXT,
        chat_template=chat.TEMPLATE,
        clean_up_tokenization_spaces=False,
    )
    wrapped.save_pretrained(folder)


def load(folder: Path) -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(folder / "tokenizer.json"))


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the tokenizer on the corpus.")
    parser.add_argument("--out", type=Path, default=Path("build/mame/tokenizer"))
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    tokenizer = build(arguments.seed)
    save(tokenizer, arguments.out)
    print(f"{tokenizer.get_vocab_size()} pieces in {arguments.out}")


if __name__ == "__main__":
    main()
