"""What a terminal needs and a pipe must not get: word wrap, colour; and bytes that become text.

Knows nothing of models or servers. A pipe, a file and a notebook cell get the bare text.
"""

from __future__ import annotations

import codecs
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from jimoto.errors import InputNotUtf8
from jimoto.formats import text_width

GREY, PLAIN = "\x1b[90m", "\x1b[0m"
# A Japanese line neither begins with these nor ends with those (the basic rules of JIS X 4051).
NOT_FIRST = frozenset(
    "、。，．・：；？！」』）］｝〉》】〕ーぁぃぅぇぉっゃゅょァィゥェォッャュョ,.:;?!)]}々…"
)
NOT_LAST = frozenset("「『（［｛〈《【〔([{")


def is_terminal(stream: TextIO | None) -> bool:
    """Whether control codes do any good there.

    A notebook runs `!ollama …` in a terminal of its own making, which shows no cursor movement.
    """
    if stream is None or not stream.isatty():
        return False
    return os.environ.get("TERM") != "dumb" and "JPY_PARENT_PID" not in os.environ


def may_break(before: str, after: str) -> bool:
    """Whether a line may end between two characters.

    >>> may_break("l", "o"), may_break("豆", "は"), may_break("豆", "。"), may_break("「", "豆")
    (False, True, False, False)
    """
    if after in NOT_FIRST or before in NOT_LAST or not text_width(after):
        return False
    return text_width(before) == 2 or text_width(after) == 2


class Wrapper:
    """Breaks lines between words while the words are still arriving, piece by piece.

    What has been printed cannot be known to cross the edge before it does: the started word is then
    wiped off the end of its line and put on the next one.
    """

    def __init__(self, width: int) -> None:
        self.width = max(width - 1, 2)  # the last column stays free: a full line moves the cursor
        self.column = 0
        self.word = ""  # what may not be parted from the next character

    def feed(self, text: str) -> str:
        """What to print for the next piece of text."""
        return "".join(map(self._step, text))

    def _step(self, char: str) -> str:
        if char == "\n":
            self.column, self.word = 0, ""
            return char
        if char in " \t\u3000":
            self.word = ""
        elif self.word and may_break(self.word[-1], char):
            self.word = ""
        wide = text_width(char)
        if self.column + wide <= self.width:
            self.column += wide
            self.word += "" if char in " \t\u3000" else char
            return char
        if char in " \t\u3000":  # the space at the edge is the break
            self.column = 0
            return "\n"
        back = text_width(self.word)
        if not 0 < back < self.column or back + wide > self.width:
            self.word, back = "", 0  # it began the line, or would not fit on the next one either
        self.word += char
        self.column = back + wide
        return (f"\x1b[{back}D\x1b[K" if back else "") + "\n" + self.word


class Output:
    """Standard output: wrapped and coloured on a terminal, bare anywhere else."""

    def __init__(self, wrap: bool = True) -> None:
        self.terminal = is_terminal(sys.stdout)
        self.wrapper: Wrapper | None = None
        if wrap and self.terminal:
            self.wrapper = Wrapper(os.get_terminal_size(sys.stdout.fileno()).columns or 80)

    def put(self, text: str) -> None:
        """Print a piece at once."""
        print(self.wrapper.feed(text) if self.wrapper else text, end="", flush=True)

    @contextmanager
    def grey(self) -> Iterator[None]:
        """What is printed meanwhile is grey on a terminal; a Ctrl-C does not leave it so."""
        if self.terminal:
            print(GREY, end="", flush=True)
        try:
            yield
        finally:
            if self.terminal:
                print(PLAIN, end="", flush=True)


@contextmanager
def waiting() -> Iterator[Any]:
    """A sign of life on a terminal's stderr until something can be shown; call what it gives."""
    if not is_terminal(sys.stderr):
        yield lambda: None
        return
    from rich.console import Console

    status = Console(stderr=True).status("")
    status.start()
    try:
        yield status.stop
    finally:
        status.stop()


def decode_input(data: bytes, what: str = "") -> str:
    """UTF-8, with or without its mark, as text; anything else is an InputNotUtf8 that says what.

    `what` names a file; empty, it is standard input.

    >>> decode_input("豆\\n".encode())
    '豆\\n'
    """
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        place = error.start
        raise InputNotUtf8(what, place, data[place], guess_encoding(data)) from None
    if "\0" in text:
        place = data.index(0)
        raise InputNotUtf8(what, place, 0, guess_encoding(data))
    return text


def guess_encoding(data: bytes) -> str:
    """The encoding in which bytes read most like Japanese: 'CP932', 'EUC-JP', 'UTF-16' or ''.

    >>> guess_encoding("豆を煎る".encode("cp932")), guess_encoding("豆を煎る".encode("euc_jp"))
    ('CP932', 'EUC-JP')
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in data:
        return "UTF-16"
    scores = {"CP932": _japanese_share(data, "cp932"), "EUC-JP": _japanese_share(data, "euc_jp")}
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] > 0 else ""


def _japanese_share(data: bytes, encoding: str) -> float:
    """How much of what is not ASCII is kana and kanji; half-width kana speaks against it."""
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        return 0.0
    others = [char for char in text if char > "\x7f"]
    good = [char for char in others if "\u3000" <= char <= "\u9fff" or char in "！？（）"]
    return len(good) / len(others) if others else 0.0
