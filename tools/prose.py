"""What learners read: typography, wording, headings and pictures. Text in, remarks out.

Does not know lessons or files. Code is masked by characters of no class: positions stay true.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

MASK = "\x00"
CODE = re.compile(r"^(```+|~~~+)[^\n]*\n.*?^\1 *$|(?<!`)(`+)(?!`).+?(?<!`)\2(?!`)", re.M | re.S)
MARKUP = re.compile(
    r"(?<=\])\([^)\n]*\)|<!--.*?-->|</?[A-Za-z][^>\n]*>|<?https?://[!-;=?-~]+>?", re.S
)

LETTER = "\u3005-\u3007\u3041-\u309f\u30a0-\u30ff\u3400-\u4dbf\u4e00-\u9fff"  # kana and kanji
WIDE = LETTER + "、。「」『』（）！？【】・"
RULES: list[tuple[re.Pattern[str], str]] = [
    (re.compile(r"[\uff61-\uff9f]+"), "Half-width katakana."),
    (re.compile(r"[Ａ-Ｚａ-ｚ０-９]+"), "Full-width letters or digits."),
    (
        re.compile(
            rf"[{WIDE}][*_]*[ \u3000\t]+[*_]*[A-Za-z0-9]|[A-Za-z0-9][*_]*[ \u3000\t]+[*_]*[{WIDE}]"
        ),
        "A space between Japanese and Latin characters.",
    ),
    (
        re.compile(rf"(?<=[{LETTER}）」])[,.，．](?=[{WIDE}A-Za-z0-9\s]|$)|[，．]"),
        "A comma or full stop that is not 、。",
    ),
    (
        re.compile(rf"(?<=[{WIDE}])\(|\)(?=[{WIDE}])"),
        "A half-width bracket beside Japanese; write （）.",
    ),
]
BOLD = re.compile(r"\*\*(.+?)\*\*")
PUNCTUATION = "（）「」『』、。"
PATRONISING: dict[str, list[re.Pattern[str]]] = {
    "en": [re.compile(r"\b(simply|just|obviously)\b", re.I)],
    "ja": [re.compile(r"簡単に"), re.compile(r"(?<!い)ただ(?!し)[^。、\n]{0,20}だけ")],
}


class Remark(NamedTuple):
    what: str
    line: int  # from 0, within the text
    column: int  # from 1


def masked(text: str, *, code: bool = True) -> str:
    """The same text, at the same places, without what is not prose."""

    def blank(match: re.Match[str]) -> str:
        return re.sub(r"[^\n]", MASK, match[0])

    return MARKUP.sub(blank, CODE.sub(blank, text) if code else text)


def _remark(text: str, match: re.Match[str], what: str) -> Remark:
    before = text[: match.start()]
    line = before.count("\n")
    return Remark(what, line, match.start() - (before.rfind("\n") + 1) + 1)


def typography(text: str) -> list[Remark]:
    """Japanese typography, LESSON-GUIDE section 12.

    >>> [remark.what for remark in typography("Ollama を`ollama serve`で起動")]
    ["A space between Japanese and Latin characters. ('a を')"]
    """
    prose = masked(text)
    found = [
        _remark(prose, match, f"{what} ('{match[0]}')")
        for rule, what in RULES
        for match in rule.finditer(prose)
    ]
    return found + [
        _remark(
            prose, bold, f"Bold that begins or ends with punctuation is not seen ('{bold[0]}')."
        )
        for bold in BOLD.finditer(prose)
        if bold[1][0] in PUNCTUATION or bold[1][-1] in PUNCTUATION
    ]


def patronising(text: str, lang: str) -> list[Remark]:
    """Words that tell a learner who is stuck that it should have been easy."""
    prose = masked(text)
    return [
        _remark(prose, match, f"'{match[0]}' belittles the learner's effort.")
        for rule in PATRONISING[lang]
        for match in rule.finditer(prose)
    ]


def patronising_comments(code: str) -> list[Remark]:
    """The same in comments; a `#` within a string is taken for one as well, which costs nothing."""
    comments = re.sub(r"^[^#\n]*", lambda match: MASK * len(match[0]), code, flags=re.M)
    return patronising(comments, "en") + patronising(comments, "ja")


def _tokens(text: str) -> Iterable[Token]:
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        yield token
        yield from token.children or []


def heading_levels(text: str) -> list[int]:
    return [int(token.tag[1]) for token in _tokens(text) if token.type == "heading_open"]


def pictures(text: str) -> list[tuple[str, str]]:
    """(address, alt text) of each picture, whether written in Markdown or as an HTML tag."""
    found = []
    for token in _tokens(text):
        if token.type == "image":
            found.append((str(token.attrs["src"]), token.content))
        elif token.type in ("html_block", "html_inline"):
            for tag in re.findall(r"<img\b[^>]*>", token.content):
                attributes = dict(re.findall(r"(\w+)\s*=\s*[\"']([^\"']*)[\"']", tag))
                found.append((attributes.get("src", ""), attributes.get("alt", "")))
    return found
