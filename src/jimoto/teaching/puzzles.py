"""Parsons puzzles: the lines of a file or a function in a wrong order, some of them not needed.

A learner writes the letters of the lines in their order; the answer names what went wrong. Every
order that works is right. Knows no server: what was put together is built and run in the lesson.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import permutations

from jimoto.errors import language

LETTERS = "ABCDEFGHIJ"
TEXT = {
    "en": {
        "empty": "Not tried yet: write letters between the quotes, for example \"BA\".",
        "unknown": "There is no line {letters}.",
        "twice": "Line {letters} stands there twice.",
        "missing": "So far no line stands in a wrong place, but something is missing.",
        "order": "These are the right lines, in an order that does not work.",
        "right": "✓ This works.",
        "trap": "✗ Line {letter}: {why}",
    },
    "ja": {
        "empty": "まだ試していません。引用符の間に、たとえば \"BA\" のように記号を書いてください。",
        "unknown": "{letters}という行はありません。",
        "twice": "{letters}の行が2回あります。",
        "missing": "余計な行はありませんが、足りない行があります。",
        "order": "行は合っていますが、この順番では動きません。",
        "right": "✓ これで動きます。",
        "trap": "✗ {letter}の行: {why}",
    },
}  # fmt: skip


@dataclass(frozen=True)
class Puzzle:
    """Lettered lines, the orders that work, and why a line that is not needed does harm."""

    lines: tuple[str, ...]
    right: frozenset[str]
    traps: Mapping[str, str]  # letter → why not
    lang: str

    def __repr__(self) -> str:
        return "\n".join(f"{LETTERS[i]}  {line}" for i, line in enumerate(self.lines))

    @property
    def solution(self) -> str:
        """One order that works, as letters."""
        return min(self.right)

    def text(self, letters: str) -> str:
        """The lines that these letters name, one below the other."""
        return "".join(f"{self.lines[LETTERS.index(letter)]}\n" for letter in clean(letters))

    def check(self, letters: str) -> str:
        """What is right or wrong with an order, in one sentence of the learner's language."""
        words, mine = TEXT[self.lang], clean(letters)
        known = LETTERS[: len(self.lines)]
        if not mine:
            return words["empty"]
        if unknown := [letter for letter in mine if letter not in known]:
            return words["unknown"].format(letters=", ".join(dict.fromkeys(unknown)))
        if twice := [letter for letter in known if mine.count(letter) > 1]:
            return words["twice"].format(letters=", ".join(twice))
        if mine in self.right:
            return words["right"]
        for letter, why in self.traps.items():
            if letter in mine:
                return words["trap"].format(letter=letter, why=why)
        return words["missing" if len(mine) < len(self.solution) else "order"]


def clean(letters: str) -> str:
    """'c, b d' → 'CBD'"""
    return "".join(letter for letter in letters.upper() if letter.isalnum())


def modelfile_puzzle(model: str, demand: str, lang: str = "") -> Puzzle:
    """A Modelfile with a SYSTEM on three lines; `demand` is the sentence in its middle."""
    lang = lang or language()
    lines = (
        "PARAMETER temperature=0",
        'SYSTEM """',
        f"FROM {model}",
        demand,
        "PARAMETER temperature 0",
        '"""',
        "TEMPLATE {{ .Prompt }}",
    )
    traps = {
        "en": {
            "A": "between name and value stands a space, not '='.",
            "G": "this template holds no .System and no role marks: SYSTEM would never arrive.",
        },
        "ja": {
            "A": "名前と値の間は '=' ではなく空白です。",
            "G": "このテンプレートには .System もロールの印もなく、SYSTEMが届きません。",
        },
    }
    # the three lines of SYSTEM stay together; the three instructions may come in any order
    right = frozenset("".join(order) for order in permutations(("C", "E", "BDF")))
    return Puzzle(lines, right, traps[lang], lang)


def pipe_puzzle(lang: str = "") -> Puzzle:
    """A pipe in Python that names the stage which says nothing."""
    lang = lang or language()
    lines = (
        "        if not text.strip():",
        "    return text",
        "        text = ollama.generate(stage, text).response",
        "def honest(stages, text):",
        "            raise ValueError(stage)",
        '            return ""',
        "    for stage in stages:",
        "        text = ollama.generate(stages[-1], text).response",
    )
    traps = {
        "en": {
            "F": "an empty text is handed on, and nobody learns that a stage failed.",
            "H": "this asks the last stage every time; the others never get a word.",
        },
        "ja": {
            "F": "空の文章が黙って次に渡り、ステージの失敗に誰も気づきません。",
            "H": "毎回、最後のステージに質問しています。ほかのステージは呼ばれません。",
        },
    }
    return Puzzle(lines, frozenset({"DGCAEB"}), traps[lang], lang)
