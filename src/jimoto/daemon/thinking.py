"""The reasoning is split from the answer, in a stream that may be cut anywhere.

Pure text in, pure text out. Which tags a model uses, and whether it was asked to think, is decided
elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

OPENING, CLOSING = "<think>", "</think>"


def template_thinks(template: str) -> bool:
    """Whether a GGUF's Jinja template belongs to a model that thinks between tags."""
    if OPENING in template and CLOSING in template:
        return True
    splits = f"split('{CLOSING}')" in template or f'split("{CLOSING}")' in template
    return splits and "reasoning_content" not in template


def opens_thinking(prompt_tail: str, opening: str = OPENING) -> bool:
    """Whether the prompt itself ends with the opening tag, so that the model starts inside.

    >>> opens_thinking("assistant: <think> "), opens_thinking("assistant: <think> </think> ")
    (True, False)
    """
    return prompt_tail.rstrip().endswith(opening)


def held_back(text: str, tag: str) -> int:
    """How many characters at the end of `text` may be the beginning of `tag`.

    >>> held_back("so </th", "</think>")
    4
    """
    longest = min(len(text), len(tag) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(tag[:n])), 0)


class State(Enum):
    BEFORE = auto()  # nothing but whitespace so far
    ENTERED = auto()  # opening tag seen; whitespace after it is swallowed
    THINKING = auto()
    LEFT = auto()  # closing tag seen; whitespace after it is swallowed
    ANSWER = auto()


@dataclass(frozen=True)
class Split:
    thinking: str = ""
    content: str = ""


class ThinkingSplitter:
    """Feed it pieces of text; it hands back what is certainly thinking and certainly content.

    Only a block at the very beginning counts. Without one, every character is content.
    """

    def __init__(self, inside: bool = False, tags: tuple[str, str] = (OPENING, CLOSING)) -> None:
        self._opening, self._closing = tags
        self._state = State.ENTERED if inside else State.BEFORE
        self._pending = ""

    def feed(self, text: str) -> Split:
        self._pending += text
        thinking = content = ""
        if self._state is State.BEFORE:
            self._enter()
        if self._state is State.ENTERED:
            self._pending = self._pending.lstrip()
            self._state = State.THINKING if self._pending else State.ENTERED
        if self._state is State.THINKING:
            thinking = self._think()
        if self._state is State.LEFT:
            self._pending = self._pending.lstrip()
            self._state = State.ANSWER if self._pending else State.LEFT
        if self._state is State.ANSWER:
            content, self._pending = self._pending, ""
        return Split(thinking, content)

    def finish(self) -> Split:
        """What was held back: half a tag that never became one."""
        rest, self._pending = self._pending, ""
        if self._state in (State.ENTERED, State.THINKING):
            return Split(thinking=rest)
        return Split(content=rest)

    def _enter(self) -> None:
        start = self._pending.lstrip()
        if start.startswith(self._opening):
            self._pending = start[len(self._opening) :]
            self._state = State.ENTERED
        elif not self._opening.startswith(start):  # not even the beginning of the tag
            self._state = State.ANSWER

    def _think(self) -> str:
        before, tag, after = self._pending.partition(self._closing)
        if tag:
            self._state, self._pending = State.LEFT, after
            return before
        certain = len(before) - held_back(before, self._closing)
        self._pending = before[certain:]
        return before[:certain]
