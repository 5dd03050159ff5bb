"""One language's notebook as its source demands it: cells, ids, metadata, and no outputs.

Everything in an edition is derived, so `differences` can say where a file has left its source.
Pure: starts no kernel.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from tools.contract import card
from tools.lesson import CARD_KEY, Cell, Lesson
from tools.tasks import LEARNER, versioned

KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
# Without the version of the Python that happened to build it.
LANGUAGE_INFO = {
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "pygments_lexer": "ipython3",
}
# Kana, kanji and their punctuation.
WIDE = "\u3001-\u303f\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uff01-\uff60"
ENDS_WIDE, STARTS_WIDE = re.compile(rf"[{WIDE}][*_]*$"), re.compile(rf"^[*_]*[{WIDE}]")
FENCE = re.compile(r"^\s*(```|~~~)")
# Lines that are not the running text of a paragraph: a break beside them means something.
STANDS_ALONE = re.compile(r"^\s*(#{1,6}\s|\||<|===|---|:::|\$\$|$)")
STARTS_BLOCK = re.compile(r"^\s*([-*+]\s|\d+[.)]\s|>|#{1,6}\s|\||<|===|---|:::|\$\$|$)")


def compose(lesson: Lesson, lang: str, version: str = LEARNER) -> NotebookNode:
    """The edition without outputs. Cell ids are the keys: a diff shows only what people changed.

    Of a lab there are two versions: the learner's, with blanks, and the one with the solutions.
    """
    cells = [_compose_cell(cell, lesson, lang) for cell in versioned(lesson.edition(lang), version)]
    if all(cell.id != CARD_KEY for cell in cells):  # no place asked for: right after the title
        cells.insert(1, _markdown(CARD_KEY, card(lesson.contract, lang)))
    metadata = {
        "kernelspec": KERNELSPEC,
        "language_info": LANGUAGE_INFO,
        "jimoto": {
            **lesson.contract,
            "lang": lang,
            "derived_from": lesson.shown,
            "source_sha256": _sha256([lesson.contract, cells]),
        },
    }
    return nbformat.from_dict(
        {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    )


def _compose_cell(cell: Cell, lesson: Lesson, lang: str) -> NotebookNode:
    if cell.key == CARD_KEY:
        return _markdown(CARD_KEY, card(lesson.contract, lang))
    if cell.kind == "prose":
        node = _markdown(cell.key, join_japanese_lines(cell.text) if lang == "ja" else cell.text)
    else:
        node = nbformat.v4.new_code_cell(cell.text, id=cell.key)
    if cell.tags:
        node.metadata["tags"] = list(cell.tags)
    return node


def _markdown(key: str, text: str) -> NotebookNode:
    return nbformat.v4.new_markdown_cell(text, id=key)


def _sha256(value: Any) -> str:
    return hashlib.sha256(
        json.dumps(value, sort_keys=True, ensure_ascii=False).encode()
    ).hexdigest()


def join_japanese_lines(text: str) -> str:
    """Browsers show a line break inside a paragraph as a space, which Japanese does not have.

    >>> join_japanese_lines("手元で\\n動きます。\\n\\n- 一つ目\\n- Ollama\\n  です")
    '手元で動きます。\\n\\n- 一つ目\\n- Ollamaです'
    """
    joined: list[str] = []
    fenced = False
    for line in text.split("\n"):
        above = joined[-1] if joined else ""
        fence = bool(FENCE.match(line))
        runs_on = not (
            fence or fenced or FENCE.match(above) or STANDS_ALONE.match(above)
            or STARTS_BLOCK.match(line) or above.endswith(("  ", "\\"))
        )  # fmt: skip
        fenced ^= fence
        if runs_on and joined and (ENDS_WIDE.search(above) or STARTS_WIDE.match(line.lstrip())):
            joined[-1] += line.lstrip()
        else:
            joined.append(line)
    return "\n".join(joined)


def read_edition(path: Path) -> NotebookNode:
    return nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)


def write_text(notebook: NotebookNode) -> str:
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def differences(edition: NotebookNode, expected: NotebookNode) -> list[tuple[str, str]]:
    """(cell key, what differs) between a file and what its source demands, outputs aside."""
    found = []
    if edition.metadata != expected.metadata:
        keys = set(edition.metadata) | set(expected.metadata)
        changed = sorted(k for k in keys if edition.metadata.get(k) != expected.metadata.get(k))
        found.append(
            ("", f"The notebook's metadata differ from the source ({', '.join(changed)}).")
        )
    there = {cell.get("id", ""): cell for cell in edition.cells}
    wanted = {cell.id: cell for cell in expected.cells}
    found += [(key, "This cell is missing.") for key in wanted if key not in there]
    found += [(key, "The source has no such cell.") for key in there if key not in wanted]
    for key in wanted.keys() & there.keys():
        for part in ("cell_type", "source", "metadata"):
            if there[key][part] != wanted[key][part]:
                found.append((key, f"The cell's {part.replace('_', ' ')} differs from the source."))
    if not found and list(there) != list(wanted):
        found.append(("", "The cells stand in another order than in the source."))
    order = list(wanted)
    return sorted(found, key=lambda item: order.index(item[0]) if item[0] in order else -1)
