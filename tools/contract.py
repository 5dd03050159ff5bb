"""The front matter of a lesson: is the contract complete, and the card that learners see of it.

Does not know the cells, except that one of them may be the place of the card.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tools.lesson import CARD_KEY, LANGS, Finding, Lesson

LAB_NEEDED = ("id", "title", "minutes", "needs", "tasks")
NEEDED = ("id", "level", "title", "minutes", "needs", "downloads", "peak_ram_mb", "goals")
MODULES = ("start", "shape", "deep", "share")
OS_NAMES = {"linux": "Linux", "macos": "macOS", "windows": "Windows"}

# Every word of the card, so that a third language is one more column.
TEXTS: dict[str, dict[str, str]] = {
    "en": {
        "head": "| Level | Time | Download | Memory | You need | Network |",
        "start": "Start", "shape": "Shape", "deep": "Deep", "share": "Share",
        "minutes": "core {core} min, whole lesson {lesson} min, lab {lab} min{basis}",
        "estimate": " (estimated)", "pilot": " (measured with learners)",
        "none": "none", "with_real": "{embedded}; with real models: {real}",
        "ram": "{ram} MB", "no_gpu": "no GPU", "gpu": "a GPU", "lessons": "lesson {lessons}",
        "extras": "the extra {extras}", "comma": ", ",
        "offline": "works offline", "online": "downloads once",
        "lab_head": "| Lab | Time | You need | Network |", "tasks": "{n} tasks",
        "lab_minutes": "{lab} min{basis}",
    },
    "ja": {
        "head": "| 段階 | 時間 | ダウンロード | メモリ | 必要なもの | ネットワーク |",
        "start": "はじめる", "shape": "形づくる", "deep": "掘り下げる", "share": "分かち合う",
        "minutes": "基本{core}分、全体{lesson}分、演習{lab}分{basis}",
        "estimate": "（見積もり）", "pilot": "（受講者で実測）",
        "none": "なし", "with_real": "{embedded}（実用モデルを使う場合: {real}）",
        "ram": "{ram} MB", "no_gpu": "GPUは不要", "gpu": "GPU", "lessons": "レッスン{lessons}",
        "extras": "追加パッケージ{extras}", "comma": "、",
        "offline": "オフラインで動作", "online": "初回のみダウンロード",
        "lab_head": "| 演習 | 時間 | 必要なもの | ネットワーク |", "tasks": "{n}問",
        "lab_minutes": "{lab}分{basis}",
    },
}  # fmt: skip


def contract_findings(lesson: Lesson) -> list[Finding]:
    contract, found = lesson.contract, []

    def wrong(what: str, mend: str) -> None:
        found.append(lesson.finding(f"Front matter: {what}", mend))

    lab = is_lab(contract)
    missing = [word for word in (LAB_NEEDED if lab else NEEDED) if word not in contract]
    if missing:
        wrong(f"{', '.join(missing)} missing.", "write it, as LESSON-GUIDE section 2 shows")
        return found
    if contract["id"] != lesson.name:
        wrong(f"the id is '{contract['id']}', the file '{lesson.name}'.", "make them equal")
    if not lab and contract["level"] not in (1, 2, 3):
        wrong(f"level is {contract['level']!r}.", "write 1, 2 or 3")
    if contract.get("module", "start") not in MODULES:
        wrong(f"module is {contract['module']!r}.", f"write one of {', '.join(MODULES)}")
    for word in ("title",) if lab else ("title", "goals"):
        if not isinstance(contract[word], Mapping) or set(contract[word]) != set(LANGS):
            wrong(f"{word} is not in both languages.", f"write {word}: {{en: …, ja: …}}")
    goals = contract.get("goals", {})
    if isinstance(goals, Mapping) and len({len(goals[lang]) for lang in goals}) > 1:
        wrong("the languages have different numbers of goals.", "give each goal in both")
    counts = {"minutes": ("core", "lesson", "lab"), "downloads": ("embedded",)}
    for word, parts in ({"minutes": ("lab",)} if lab else counts).items():
        if not isinstance(contract[word], Mapping) or any(
            not isinstance(contract[word].get(p), int) for p in parts
        ):
            wrong(f"{word} needs whole numbers for {', '.join(parts)}.", "write them")
    if not isinstance(contract["needs"], Mapping):
        wrong(
            "needs is not a table.",
            "write needs: {lessons: [], gpu: false, os: [linux, macos, windows], extras: []}",
        )
    surprise = contract.get("surprise")
    if surprise and surprise not in {cell.key for cell in lesson.cells}:
        wrong(
            f"the surprise '{surprise}' is no cell's key.",
            "name the cell of the one staged measurement",
        )
    if any(cell.key == CARD_KEY and cell.lang for cell in lesson.cells):
        wrong(
            "the card is generated, it has no halves.",
            f'write +++ {{"key": "{CARD_KEY}"}} once, without lang',
        )
    return found


def is_lab(contract: Mapping[str, Any]) -> bool:
    """A lab's contract says `kind: lab`; everything else is a lesson."""
    return contract.get("kind") == "lab"


def card(contract: Mapping[str, Any], lang: str) -> str:
    """The card as a Markdown table whose header row a screen reader can announce."""
    text = TEXTS[lang]
    if is_lab(contract):
        return _lab_card(contract, text)
    level, minutes, downloads = contract["level"], contract["minutes"], contract["downloads"]
    module = contract.get("module", MODULES[level - 1])
    real = text["comma"].join(
        f"{name} {size_text(size)}" for name, size in downloads.get("real", {}).items()
    )
    embedded = size_text(downloads["embedded"]) if downloads["embedded"] else text["none"]
    cells = [
        f"{'★' * level} {text[module]}",
        text["minutes"].format(**{**minutes, "basis": text.get(minutes.get("basis", ""), "")}),
        text["with_real"].format(embedded=embedded, real=real) if real else embedded,
        text["ram"].format(ram=contract["peak_ram_mb"]),
        _needs(contract["needs"], text),
        text["online" if downloads["embedded"] else "offline"],
    ]
    return "\n".join([text["head"], "| --- " * len(cells) + "|", f"| {' | '.join(cells)} |"])


def _lab_card(contract: Mapping[str, Any], text: Mapping[str, str]) -> str:
    minutes = contract["minutes"]
    cells = [
        text["tasks"].format(n=len(contract["tasks"])),
        text["lab_minutes"].format(lab=minutes["lab"], basis=text.get(minutes.get("basis"), "")),
        _needs(contract["needs"], text),
        text["offline"],
    ]
    return "\n".join([text["lab_head"], "| --- " * len(cells) + "|", f"| {' | '.join(cells)} |"])


def _needs(needs: Mapping[str, Any], text: Mapping[str, str]) -> str:
    comma = text["comma"]
    parts = [comma.join(OS_NAMES.get(name, name) for name in needs.get("os", []))]
    if needs.get("lessons"):
        parts.append(
            text["lessons"].format(lessons=comma.join(name[:2] for name in needs["lessons"]))
        )
    if needs.get("extras"):
        parts.append(
            text["extras"].format(extras=comma.join(f"`{name}`" for name in needs["extras"]))
        )
    parts.append(text["gpu" if needs.get("gpu") else "no_gpu"])
    return comma.join(part for part in parts if part)


def size_text(size_bytes: int) -> str:
    """Bytes in decimal units, three digits.

    >>> size_text(2019377376), size_text(10300000), size_text(900)
    ('2.02 GB', '10.3 MB', '900 bytes')
    """
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= factor:
            return f"{size_bytes / factor:.3g} {unit}"
    return f"{size_bytes} bytes"
