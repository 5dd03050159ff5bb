"""Records the terminal session of the README: real commands, in a real terminal, as SVG.

    python -m tools.record        writes docs/terminal_en.svg and docs/terminal_ja.svg

What is shown is what the terminal showed: nothing is typed into the picture by hand. It needs tmux.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from jimoto.connection import ensure_command, find_home
from tools.clean_room import clean_environment, temporary_home
from tools.terminal import PROMPT, Terminal

ROOT = Path(__file__).parents[1]
COLUMNS = 84
SESSION = {
    "en": [
        "ollama list",
        'ollama run mame "What is a local LLM?"',
        'echo "What is GGUF?" | ollama run mame | head -1',
        "ollama rnu mame",
        "ollama ps",
    ],
    "ja": [
        "ollama list",
        'ollama run mame "ローカルLLMとは何ですか？"',
        'echo "GGUFとは何ですか？" | ollama run mame | head -1',
        "ollama rnu mame",
        "ollama ps",
    ],
}
TITLES = {
    "en": "Jimoto: the `ollama` of this notebook",
    "ja": "Jimoto: ノートブックの中の `ollama`",
}


def picture(lang: str) -> Path:
    """Where a recording is kept."""
    return ROOT / "docs" / f"terminal_{lang}.svg"


def record(lang: str) -> list[str]:
    """Type the session; the lines of the screen at its end."""
    folder = Path(tempfile.mkdtemp(prefix="jimoto-"))
    with temporary_home() as home:
        env = clean_environment(os.environ, home) | {"JIMOTO_LANG": lang}
        stand_in = ensure_command(find_home(env), {"PATH": ""})
        env["PATH"] = os.pathsep.join([str(stand_in), env["PATH"]])
        terminal = Terminal(folder, env, COLUMNS, 60, wait_seconds=180.0)
        try:
            terminal.type("ollama --version >/dev/null; clear")  # starts the server, out of sight
            terminal.wait_for("clear")
            for count, command in enumerate(SESSION[lang], 1):
                terminal.type(command)
                terminal.wait_for(PROMPT, count + 1)
            return terminal.lines()[:-1]
        finally:
            terminal.close()
            shutil.rmtree(folder, ignore_errors=True)


def draw(lines: list[str], lang: str) -> str:
    """The screen as SVG, the prompts in colour; its fonts are the reader's own."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    for line in lines:
        text = Text(line.replace(f"{PROMPT} ", "$ ", 1))
        if line.startswith(PROMPT):
            text.stylize("bold green")
        console.print(text, overflow="ignore", no_wrap=True, crop=False, highlight=False)
    plain = re.sub(r"@font-face \{\{.*?\}\}\s*", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    svg = console.export_svg(title=TITLES[lang], code_format=plain, unique_id="session")
    return re.sub(r"[ \t]+$", "", svg, flags=re.MULTILINE).rstrip() + "\n"


def main() -> None:
    """Write both recordings."""
    for lang in SESSION:
        svg = draw(record(lang), lang)
        picture(lang).write_text(svg, encoding="utf-8", newline="\n")
        print(picture(lang).relative_to(ROOT), file=sys.stderr)


if __name__ == "__main__":
    main()
