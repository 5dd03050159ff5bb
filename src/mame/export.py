"""Checkpoint → the GGUF that is shipped. `jimoto.adapters.gguf_llama` does the conversion."""

import argparse
from pathlib import Path

from jimoto.adapters import gguf_llama

DESCRIPTION = gguf_llama.Description(
    name="mame",
    license="MIT",
    languages=("en", "ja"),
    description="A tiny bilingual model organism for lessons on local LLMs. "
    "Trained on generated text only; not for any other use.",
)


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a checkpoint as GGUF.")
    parser.add_argument("--checkpoint", type=Path, default=Path("build/mame"))
    parser.add_argument("--out", type=Path, default=Path("src/jimoto/data/mame.gguf"))
    parser.add_argument("--type", choices=("F16", "F32"), default="F16")
    arguments = parser.parse_args()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    gguf_llama.convert(arguments.checkpoint, arguments.out, DESCRIPTION, arguments.type)
    print(f"{arguments.out}: {arguments.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
