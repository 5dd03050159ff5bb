"""Texts, and what is remarked about them."""

from __future__ import annotations

import doctest
from types import ModuleType

import pytest

from tools import contract, edition, lesson, numbers, prose
from tools.contract import card, size_text
from tools.edition import join_japanese_lines
from tools.numbers import unmatched
from tools.prose import patronising, typography

GOOD_JAPANESE = [
    "Ollamaを起動します。5MBです（約2分）。",
    "`ollama serve` を起動し、`a b` と書きます。",
    "[Ollama](https://ollama.com/a b)を使います。",
    "https://ollama.com/を見ます。",
    "```bash\nollama run mame これ は code, です\n```",
    "| 速さ | 412 tokens/s |\n| --- | --- |",
    "- Ollama\n- **地元**は町です。",
    "1. 起動します。\n2. 止めます。",
    "## 02_first_run\n\n3.1 GiBです。",
    "版は1.2、値は3,000です。",
    "**地元**は町（A）、**町**は場所です。",
    "<img src='a.png' alt='a b'>図です。",
]
BAD_JAPANESE = [
    ("ﾃｽﾄです", "Half-width katakana", 1),
    ("これはＡＢＣです", "Full-width letters or digits", 4),
    ("Ollama を起動", "A space between", 6),
    ("起動は 5 秒", "A space between", 3),
    ("**Ollama** を起動", "A space between", 8),
    ("起動します。 Ollamaが動きます", "A space between", 6),
    ("起動し,止めます", "A comma or full stop", 4),
    ("起動します.", "A comma or full stop", 6),
    ("起動し，止めます", "A comma or full stop", 4),
    ("起動します(2分)。", "A half-width bracket", 6),
    ("**「地元」**です", "Bold that begins or ends", 1),
    ("これは**地元です。**次", "Bold that begins or ends", 4),
]


@pytest.mark.parametrize("text", GOOD_JAPANESE)
def test_good_japanese_is_left_alone(text: str) -> None:
    assert typography(text) == []


@pytest.mark.parametrize(("text", "said", "column"), BAD_JAPANESE)
def test_bad_typography_is_named_where_it_stands(text: str, said: str, column: int) -> None:
    remarks = [r for r in typography("一行目\n" + text) if r.what.startswith(said)]
    assert [(r.line, r.column) for r in remarks][:1] == [(1, column)]


@pytest.mark.parametrize(
    ("text", "lang", "words"),
    [
        ("Just run it, obviously.", "en", ["'Just'", "'obviously'"]),
        ("Adjust justice in `just`.", "en", []),
        ("ただ実行するだけです。", "ja", ["'ただ実行するだけ'"]),
        ("ただし、いただいた分だけです。", "ja", []),
    ],
)
def test_words_that_belittle(text: str, lang: str, words: list[str]) -> None:
    assert [remark.what.split()[0] for remark in patronising(text, lang)] == words


@pytest.mark.parametrize(
    ("en", "ja"),
    [
        ("10 MB", "10MB"),
        ("1,000 tokens", "1000トークン"),
        ("5 million", "500万"),
        ("about five million", "約500万"),
        ("a line, twice", "1行を2回"),
        ("3 doors", "三つの入口"),
        ("2026-12-01", "2026年12月1日"),
        ("1 December 2026", "2026年12月1日"),
        ("20 thousand", "2万"),
        ("120,000,000", "1億2000万"),
        ("[a](b1.md) and `x2`", "[あ](b9.md)と`x2`"),
    ],
)
def test_the_same_numbers_in_two_languages(en: str, ja: str) -> None:
    assert unmatched(en, ja) == ([], [])


def test_different_numbers_are_named_for_each_side() -> None:
    en, ja = unmatched("30 of 40 steps, 0.5 s", "30回、0.50秒、7分")
    assert [str(n) for n in en] == ["40"] and [str(n) for n in ja] == ["7"]


@pytest.mark.parametrize(
    ("text", "joined"),
    [
        ("手元で\n動きます", "手元で動きます"),
        ("手元のOllama\nが動きます", "手元のOllamaが動きます"),
        ("- 手元で\n  動く\n- 次", "- 手元で動く\n- 次"),
        ("Local\nmodels", "Local\nmodels"),
        ("## 見出し\n本文", "## 見出し\n本文"),
        ("| 表 |\n| --- |\n| 値 |", "| 表 |\n| --- |\n| 値 |"),
        ("```\n手元\n動く\n```\n本文\n続き", "```\n手元\n動く\n```\n本文続き"),
        ("改行は  \n残す", "改行は  \n残す"),
        ("段落。\n\n次の段落。", "段落。\n\n次の段落。"),
    ],
)
def test_wrapped_japanese_is_joined_and_nothing_else(text: str, joined: str) -> None:
    assert join_japanese_lines(text) == joined
    assert join_japanese_lines(joined) == joined


@pytest.mark.parametrize("module", [contract, edition, lesson, numbers, prose])
def test_examples_in_docstrings_are_true(module: ModuleType) -> None:
    result = doctest.testmod(module)
    assert result.attempted and not result.failed


@pytest.mark.parametrize(
    ("lang", "parts"),
    [
        ("en", ["★★ Share", "core 35 min", "(estimated)", "2.02 GB", "lesson 06, 12", "a GPU"]),
        ("ja", ["★★ 分かち合う", "基本35分", "（見積もり）", "2.02 GB", "レッスン06、12", "GPU"]),
    ],
)
def test_the_card_shows_the_contract(lang: str, parts: list[str]) -> None:
    values = {
        "level": 2,
        "module": "share",
        "minutes": {"core": 35, "lesson": 60, "lab": 30, "basis": "estimate"},
        "needs": {"lessons": ["06_api", "12_limits"], "gpu": True, "os": ["linux"], "extras": []},
        "downloads": {"embedded": 0, "real": {"llama3.2:3b": 2019377376}},
        "peak_ram_mb": 700,
    }
    shown = card(values, lang)
    assert [part for part in [*parts, "700 MB"] if part not in shown] == []
    assert len({line.count("|") for line in shown.splitlines()}) == 1


def test_sizes_have_three_digits_and_decimal_units() -> None:
    assert [size_text(n) for n in (12, 1_500, 10_300_000)] == ["12 bytes", "1.5 kB", "10.3 MB"]
