"""The figures of the talk, drawn from the kit's own tables, in both languages.

    python -m tools.slide_figures      writes slides/images/en/*.svg and slides/images/ja/*.svg

A figure is a function that is given a language and returns an SVG; its words stand in the table
above it. Prices, sizes and speeds come from `jimoto/data`; the published results of DeepSeek stand
here with their source. The palette is that of the notebooks. Knows nothing of slides.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from jimoto.hardware import catalog
from jimoto.hardware.catalog import GB
from jimoto.teaching.figures import BLUE, GREEN, ORANGE, SKY, VERMILION
from tools.lesson import LANGS, replace_file
from tools.svg import GREY, INK, LINE, Sheet

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "slides" / "images"
WIDTH = 1152  # what a slide has between its margins
PALE, WHITE = "#eaf3f8", "#ffffff"
BROWN = "#8a3d00"  # vermilion, dark enough for letters: 7.6 to 1 on white

Words = dict[str, dict[str, str]]

# --- why local -----------------------------------------------------------------------------------

# Slack Workforce Lab, August 2024, 5,000 desk workers (as collected in the syllabus)
ATTITUDES = (("maximalist", 30), ("underground", 20), ("rebel", 19), ("superfan", 16),
             ("observer", 16))  # fmt: skip
ATTITUDE_WORDS: Words = {
    "en": {
        "maximalist": "Maximalist: uses it, says so",
        "underground": "Underground: uses it, hides it",
        "rebel": "Rebel: thinks it is unfair",
        "superfan": "Superfan: likes it, not yet using",
        "observer": "Observer: waits",
    },
    "ja": {
        "maximalist": "Maximalist: 使っていて、そう言う",
        "underground": "Underground: 使っていて、隠す",
        "rebel": "Rebel: 不公平だと感じる",
        "superfan": "Superfan: 好きだが、まだ使わない",
        "observer": "Observer: 様子を見る",
    },
}


def attitudes(lang: str) -> str:
    sheet = Sheet(WIDTH, 380, lang)
    for i, (key, share) in enumerate(ATTITUDES):
        y, mark = 8 + i * 74, key == "underground"
        sheet.text(0, y + 38, ATTITUDE_WORDS[lang][key], 26, bold=mark)
        sheet.rect(480, y, share * 19, 54, ORANGE if mark else SKY, INK)
        sheet.text(480 + share * 19 + 16, y + 38, f"{share} %", 28, bold=mark)
    return sheet.svg()


WALL_WORDS: Words = {
    "en": {
        "office": "Hoshimame Trading", "cloud": "a vendor's machine",
        "wall": "your wall", "model": "model on\nyour machine", "api": "model\nin the cloud",
        "payroll": "payroll", "health": "health check", "log": "roasting log",
        "prices": "price list", "stays": "stays inside", "crosses": "may cross,\nif you decide so",
    },
    "ja": {
        "office": "ほしまめ商会", "cloud": "他社のコンピューター",
        "wall": "社外との境", "model": "手元の\nモデル", "api": "クラウドの\nモデル",
        "payroll": "給与", "health": "健康診断", "log": "焙煎の記録",
        "prices": "公開価格表", "stays": "社内にとどまる",
        "crosses": "出してよいと\n決めたものだけ",
    },
}  # fmt: skip


def wall(lang: str) -> str:
    words = WALL_WORDS[lang]
    sheet = Sheet(WIDTH, 440, lang)
    sheet.rect(2, 50, 716, 384, PALE, INK, radius=14)
    sheet.rect(860, 50, 290, 384, "#fdf3e1", INK, radius=14, dash="10 7")
    sheet.text(24, 36, words["office"], 26, bold=True)
    sheet.text(1150, 36, words["cloud"], 26, anchor="end", bold=True)
    for row in range(9):  # bricks, with a gate at the foot of the wall
        for x in range(2):
            shift = 0 if row % 2 else 14
            sheet.rect(742 + shift + x * 34, 50 + row * 32, 30, 28, VERMILION, INK, 1.5)
    for i, key in enumerate(("payroll", "health", "log")):
        sheet.box(28, 76 + i * 84, 210, 62, words[key], WHITE)
        sheet.arrow((246, 107 + i * 84), (446, 160 + (i - 1) * 26), BLUE, 4)
    sheet.text(561, 256, words["stays"], 22, BLUE, "middle", bold=True)
    sheet.box(456, 96, 210, 128, words["model"], SKY, bold=True, size=26)
    sheet.box(28, 348, 210, 62, words["prices"], WHITE)
    sheet.arrow((246, 379), (888, 379), INK, 4, "14 8")
    sheet.text(300, 322, words["crosses"], 22)
    sheet.box(898, 316, 222, 108, words["api"], ORANGE, bold=True, size=26)
    sheet.text(783, 36, words["wall"], 22, BROWN, "middle", bold=True)
    return sheet.svg()


LATENCY_MACHINES = (
    ("Raspberry Pi 5 8GB", "Raspberry Pi 5"),
    ("Intel N150", "Intel N150"),
    ("Framework 13 Ryzen AI 5 340", "Ryzen AI 5 340"),
)
ROUND_TRIP_SECONDS, ANSWER_TOKENS = 0.1, 200
LATENCY_WORDS: Words = {
    "en": {"speed": "{} tokens/s", "writing": "writing {:.1f} s", "share": "network {:.1f} %",
           "network": "network: 0.1 s, the thin dark edge on the left"},
    "ja": {"speed": "毎秒{}トークン", "writing": "書く時間 {:.1f}秒", "share": "通信 {:.1f} %",
           "network": "通信は0.1秒（左端の細く暗い部分）"},
}  # fmt: skip


def latency_rows() -> list[tuple[str, float, float]]:
    """Machine, tokens per second, seconds to write the answer."""
    speeds = {row.machine: row.decode_tokens_per_second for row in catalog.speeds()
              if row.model_name == "llama3.2:3b"}  # fmt: skip
    return [(label, speeds[name], ANSWER_TOKENS / speeds[name]) for name, label in LATENCY_MACHINES]


def latency(lang: str) -> str:
    words = LATENCY_WORDS[lang]
    sheet = Sheet(WIDTH, 370, lang)
    scale = 640 / 44
    for i, (name, speed, seconds) in enumerate(latency_rows()):
        y = 10 + i * 104
        sheet.text(0, y + 30, name, 26, bold=True)
        sheet.text(0, y + 62, words["speed"].format(f"{speed:.1f}"), 22, GREY)
        sheet.rect(250, y, ROUND_TRIP_SECONDS * scale + seconds * scale, 70, SKY, INK)
        sheet.rect(250, y, max(2, ROUND_TRIP_SECONDS * scale), 70, INK, INK, 2)
        inside = seconds * scale > 300
        end = 250 + seconds * scale
        label = words["writing"].format(seconds)
        share = 100 * ROUND_TRIP_SECONDS / (ROUND_TRIP_SECONDS + seconds)
        sheet.text(272 if inside else end + 20, y + 45 if inside else y + 30, label, 24)
        sheet.text(
            end + 20, y + (45 if inside else 62), words["share"].format(share), 24, bold=True
        )
    sheet.text(250, 350, words["network"], 22, GREY)
    return sheet.svg()


CARD = "NVIDIA RTX 5090"
APIS = ("claude-opus-5-5", "gpt-4o", "claude-haiku-4-5", "gemini-2.5-flash", "gpt-4o-mini",
        "claude-haiku-5-5")  # fmt: skip
PEOPLE, QUESTIONS, READ, WRITTEN, DAYS = 100, 20, 500, 200, 22
PAYBACK_WORDS: Words = {
    "en": {"months": "{:.0f} months", "years": "{:.0f} years", "a month": "{:,.0f} USD a month"},
    "ja": {"months": "{:.0f}か月", "years": "{:.0f}年", "a month": "月に{:,.0f} USD"},
}


def payback_rows() -> list[tuple[str, float, float]]:
    """API model, USD a month, months until the card's list price has been spent on it."""
    price = catalog.find_machine(CARD).price_usd
    if price is None:
        raise ValueError(f"no price is known for {CARD}")
    rows = {row.model: row for row in catalog.prices()}
    million = PEOPLE * QUESTIONS * DAYS / 1e6
    found = []
    for name in APIS:
        row = rows[name]
        a_month = million * (READ * row.input_usd_per_mtok + WRITTEN * row.output_usd_per_mtok)
        found.append((name, a_month, price / a_month))
    return found


def payback(lang: str) -> str:
    words = PAYBACK_WORDS[lang]
    sheet = Sheet(WIDTH, 424, lang)
    for i, (name, a_month, months) in enumerate(payback_rows()):
        y = 4 + i * 70
        last = months == max(row[2] for row in payback_rows())
        sheet.text(0, y + 26, name, 24, bold=True)
        sheet.text(0, y + 54, words["a month"].format(a_month), 20, GREY)
        width = months / 12 * 26
        sheet.rect(270, y + 2, width, 52, ORANGE if last else SKY, INK)
        kind, value = ("months", months) if months < 24 else ("years", months / 12)
        sheet.text(270 + width + 14, y + 37, words[kind].format(value), 26, bold=last or i == 0)
    return sheet.svg()


# --- models --------------------------------------------------------------------------------------

NAME_PARTS = (("deepseek-r1", "family"), (":", ""), ("8b", "size"), ("-", ""),
              ("llama-distill", "base"), ("-", ""), ("q4_K_M", "quant"))  # fmt: skip
NAME_WORDS: Words = {
    "en": {"family": "family", "size": "8 billion\nweights", "base": "Llama 3.1 8B,\ntaught by R1",
           "quant": "about 4.9 bits\na weight", "file": "file: {:.1f} GB"},
    "ja": {"family": "系列", "size": "重み\n80億個", "base": "Llama 3.1 8BにR1の\n出力を学習させた",
           "quant": "重み1個\n約4.9ビット", "file": "ファイル: {:.1f} GB"},
}  # fmt: skip


def name_parts(lang: str) -> str:
    words = NAME_WORDS[lang]
    sheet = Sheet(WIDTH, 250, lang)
    advance, x = 28.0, 58.0  # one letter of the monospaced font at 46 px is 28 px or less wide
    colors = iter((BLUE, VERMILION, GREEN, ORANGE))
    for part, key in NAME_PARTS:
        width = advance * len(part)
        for i, letter in enumerate(part):
            sheet.text(x + advance * (i + 0.5), 62, letter, 46, anchor="middle", mono=True,
                       bold=bool(key))  # fmt: skip
        if key:
            sheet.rect(x + 2, 82, width - 4, 10, next(colors), INK, 1)
            middle = x + width / 2
            sheet.line([(middle, 94), (middle, 124)], LINE, 2)
            sheet.text(middle, 156, words[key], 24, anchor="middle")
        x += width
    return sheet.svg()


LADDER = ("llama3.2:1b", "llama3.2:3b", "deepseek-r1:8b", "gpt-oss:20b", "deepseek-r1:32b",
          "deepseek-r1:70b", "deepseek-r1:671b")  # fmt: skip
MEMORIES = (8, 16, 24)


def ladder_rows() -> list[tuple[str, float]]:
    """Model, gigabytes of the library's file."""
    return [(name, (catalog.find_model(name).size_bytes or 0) / GB) for name in LADDER]


def ladder(lang: str) -> str:
    sheet = Sheet(WIDTH, 452, lang)
    left, top, step = 260, 44, 58

    def place(gb: float) -> float:
        return left + 250 * math.log10(gb / 1.0) + 30

    for memory in MEMORIES:
        x = place(memory)
        sheet.line([(x, top - 8), (x, top + step * len(LADDER))], VERMILION, 3, "9 6")
        edge, side = (x - 8, "start") if memory == max(MEMORIES) else (x + 8, "end")
        sheet.text(edge, top - 16, f"{memory} GB", 22, BROWN, side, bold=True)
    for i, (name, gb) in enumerate(ladder_rows()):
        y = top + i * step
        sheet.text(0, y + 32, name, 24, bold=True)
        sheet.rect(left, y + 4, place(gb) - left, 40, SKY, INK)
        label = f"{gb:.1f} GB" if gb < 100 else f"{gb:.0f} GB"
        end = place(gb) + 12
        near = [m for m in MEMORIES if -10 < place(m) - end < 112]
        if near:  # a white plate, so that the line of a memory does not run through the words
            sheet.rect(end - 4, y + 4, 112, 40, WHITE)
        sheet.text(end, y + 33, label, 26)
    return sheet.svg()


# --- DeepSeek ------------------------------------------------------------------------------------
# arXiv 2501.12948 v1 (January 2025), tables 4 and 5; V3: arXiv 2412.19437 (December 2024)

TREE_WORDS: Words = {
    "en": {
        "base": "V3-Base\n671 B", "v3": "V3\nchat", "zero": "R1-Zero\nRL only",
        "r1": "R1\n671 B, thinks",
        "distills": "six distills: Qwen2.5 and Llama 3\n1.5b  7b  8b  14b  32b  70b",
        "tuned": "tuning", "rl": "RL", "both": "tuning, RL,\ntuning, RL",
        "samples": "800 thousand\nsamples",
        "laptop": "laptop: up to 14b", "server": "needs a server",
    },
    "ja": {
        "base": "V3-Base\n671 B", "v3": "V3\n対話用", "zero": "R1-Zero\n強化学習のみ",
        "r1": "R1\n671 B、思考する",
        "distills": "6種の蒸留モデル（Qwen2.5とLlama 3）\n1.5b  7b  8b  14b  32b  70b",
        "tuned": "SFT", "rl": "強化学習",
        "both": "SFT→強化学習\n→SFT→強化学習",
        "samples": "サンプル\n80万件", "laptop": "ノートPC: 14bまで", "server": "サーバーが必要",
    },
}  # fmt: skip


def tree(lang: str) -> str:
    words = TREE_WORDS[lang]
    sheet = Sheet(WIDTH, 450, lang)
    sheet.rect(2, 2, 1148, 268, "#f4f4f4", None, radius=14)
    sheet.text(1132, 34, words["server"], 22, GREY, "end")
    sheet.rect(2, 330, 1148, 118, "#fdf3e1", None, radius=14)
    sheet.text(1132, 362, words["laptop"], 22, GREY, "end")
    sheet.box(28, 92, 200, 92, words["base"], WHITE, size=26, bold=True)
    sheet.box(460, 18, 220, 74, words["v3"], WHITE)
    sheet.box(460, 102, 220, 74, words["zero"], WHITE)
    sheet.box(460, 186, 300, 74, words["r1"], SKY, bold=True, size=24)
    sheet.arrow((232, 122), (454, 56), INK)
    sheet.arrow((232, 138), (454, 138), INK)
    sheet.arrow((232, 156), (454, 222), BLUE, 4)
    sheet.text(282, 72, words["tuned"], 20, GREY, "middle")
    sheet.text(330, 130, words["rl"], 20, GREY, "middle")
    sheet.text(286, 212, words["both"], 20, BLUE, "middle", bold=True)
    sheet.arrow((610, 264), (610, 344), BLUE, 4)
    sheet.text(632, 296, words["samples"], 20, BLUE, bold=True)
    sheet.box(210, 350, 660, 86, words["distills"], ORANGE, size=24)
    return sheet.svg()


EXPERTS, ROUTED, SHARED = 256, 8, 1
MOE_WORDS: Words = {
    "en": {"token": "one\ntoken", "router": "router", "experts": "256 experts in each block",
           "active": "8 chosen + 1 shared",
           "memory": "memory: all 671 B", "work": "work per token: 37 B"},
    "ja": {"token": "1\nトークン", "router": "ルーター", "experts": "ブロックごとに256の専門家",
           "active": "選ばれた8 + 共有1",
           "memory": "メモリ: 671 Bすべて", "work": "1トークンの計算: 37 B"},
}  # fmt: skip


def moe(lang: str) -> str:
    words = MOE_WORDS[lang]
    sheet = Sheet(WIDTH, 424, lang)
    sheet.box(2, 140, 130, 100, words["token"], WHITE, size=26)
    sheet.arrow((134, 190), (182, 190))
    sheet.box(190, 150, 150, 80, words["router"], PALE, bold=True)
    chosen = {(17 * i * i + 41 * i + 23) % EXPERTS for i in range(ROUTED)}
    for i in range(EXPERTS):
        column, row = i % 32, i // 32
        x, y = 430 + column * 22, 52 + row * 34
        lit = i in chosen
        sheet.rect(x, y, 17, 28, ORANGE if lit else WHITE, INK if lit else LINE, 2.5 if lit else 1)
    sheet.rect(430, 334, 60, 28, BLUE, INK, 2.5)
    sheet.arrow((344, 180), (422, 150), INK)
    sheet.arrow((344, 206), (422, 340), BLUE)
    sheet.text(430, 34, words["experts"], 24)
    sheet.text(510, 358, words["active"], 24, bold=True)
    sheet.text(430, 412, words["memory"], 26, bold=True)
    sheet.text(1134, 412, words["work"], 26, BLUE, "end", bold=True)
    assert len(chosen) == ROUTED
    return sheet.svg()


# arXiv 2505.09343 (May 2025): bytes that one token leaves in the KV cache, at 16 bits
KV_BYTES = (("DeepSeek-V3 (MLA)", 70_272), ("Qwen2.5-72B (GQA)", 327_680),
            ("Llama-3.1-405B (GQA)", 516_096))  # fmt: skip
MLA_WORDS: Words = {
    "en": {"kb": "{:.0f} kB a token"},
    "ja": {"kb": "1トークン {:.0f} kB"},
}


def mla(lang: str) -> str:
    sheet = Sheet(WIDTH, 290, lang)
    for i, (name, size) in enumerate(KV_BYTES):
        y = 12 + i * 96
        sheet.text(0, y + 44, name, 26, bold=True)
        width = size / 516_096 * 560
        sheet.rect(330, y, width, 66, BLUE if i == 0 else SKY, INK)
        label = MLA_WORDS[lang]["kb"].format(size / 1000)
        sheet.text(330 + width + 16, y + 43, label, 26, bold=i == 0)
    return sheet.svg()


# AIME 2024, pass@1; arXiv 2501.12948 v1, tables 4-6
AIME = (("Qwen 1.5B", 28.9), ("Llama 8B", 50.4), ("Qwen 7B", 55.5), ("Qwen 14B", 69.7),
        ("Llama 70B", 70.0), ("Qwen 32B", 72.6))  # fmt: skip
AIME_RL_ONLY, AIME_R1 = 47.0, 79.8
DISTILL_WORDS: Words = {
    "en": {"rl": "Qwen 32B, RL alone", "r1": "R1 itself", "distill": "{} distill"},
    "ja": {"rl": "Qwen 32B、強化学習のみ", "r1": "R1本体", "distill": "{}蒸留"},
}


def distills(lang: str) -> str:
    words = DISTILL_WORDS[lang]
    rows = [(words["distill"].format(name), value, SKY) for name, value in AIME]
    rows += [(words["rl"], AIME_RL_ONLY, ORANGE), (words["r1"], AIME_R1, BLUE)]
    sheet = Sheet(WIDTH, 446, lang)
    for i, (name, value, color) in enumerate(rows):
        y = 4 + i * 56
        strong = color != SKY or "32B" in name
        sheet.text(300, y + 31, name, 24, anchor="end", bold=strong)
        sheet.rect(318, y, value * 9, 44, color, INK)
        sheet.text(318 + value * 9 + 14, y + 32, f"{value:.1f}", 26, bold=strong)
    return sheet.svg()


# arXiv 2501.12948 v1, table 4: R1, o1-1217
RESULTS = (("MATH-500", 97.3, 96.4), ("AIME 2024", 79.8, 79.2), ("LiveCodeBench", 65.9, 63.4),
           ("SWE-bench Verified", 49.2, 48.9), ("MMLU", 90.8, 91.8),
           ("GPQA Diamond", 71.5, 75.7))  # fmt: skip
RESULT_WORDS: Words = {
    "en": {"r1": "● R1", "o1": "◆ o1-1217", "difference": "R1 minus o1"},
    "ja": {"r1": "● R1", "o1": "◆ o1-1217", "difference": "R1とo1の差"},
}


def results(lang: str) -> str:
    words = RESULT_WORDS[lang]
    sheet = Sheet(WIDTH, 440, lang)
    left, unit = 290, 8.8

    def place(value: float) -> float:
        return left + (value - 40) * unit

    for value in range(40, 101, 20):
        sheet.line([(place(value), 50), (place(value), 404)], "#cccccc", 2)
        sheet.text(place(value), 434, str(value), 22, GREY, "middle")
    sheet.text(left, 30, words["r1"], 24, BLUE, bold=True)
    sheet.text(left + 90, 30, words["o1"], 24, BROWN, bold=True)
    sheet.text(1148, 30, words["difference"], 22, GREY, "end")
    for i, (name, r1, o1) in enumerate(RESULTS):
        y = 80 + i * 60
        sheet.text(0, y + 9, name, 26)
        x = place(o1)
        sheet.shape([(x, y - 15), (x + 15, y), (x, y + 15), (x - 15, y)], VERMILION, INK)
        sheet.circle(place(r1), y, 11, BLUE, INK)
        sheet.text(934, y + 9, f"{r1:.1f}", 24, BLUE, "end")
        sheet.text(1016, y + 9, f"{o1:.1f}", 24, BROWN, "end")
        sheet.text(1148, y + 9, f"{r1 - o1:+.1f}".replace("-", "−"), 28, anchor="end", bold=True)
    return sheet.svg()


# GPU hours in thousands; arXiv 2412.19437 table 1, and Nature 645 (September 2025) for R1
HOURS = (("pretraining", 2664), ("context", 119), ("post", 5), ("r1", 147))
USD_PER_HOUR = 2
MONEY_WORDS: Words = {
    "en": {"pretraining": "V3 pre-training", "context": "V3 longer context",
           "post": "V3 post-training", "r1": "R1 on top of V3",
           "label": "{} M USD, {} M GPU hours", "total": "V3 together: 5.576 M USD",
           "missing": "not in any bar: research and trial runs before the final ones"},
    "ja": {"pretraining": "V3の事前学習", "context": "V3のコンテキスト拡張",
           "post": "V3の事後学習", "r1": "R1の追加分",
           "label": "{}万USD、{}万GPU時間", "total": "V3の合計: 557.6万USD",
           "missing": "どの棒にもない費用: 最終実行より前の研究と試行"},
}  # fmt: skip


def money(lang: str) -> str:
    words = MONEY_WORDS[lang]
    sheet = Sheet(WIDTH, 420, lang)
    for i, (key, hours) in enumerate(HOURS):
        y = 4 + i * 76 + (26 if key == "r1" else 0)
        millions = hours * USD_PER_HOUR / 1000
        color = ORANGE if key == "r1" else SKY
        sheet.text(0, y + 39, words[key], 26, bold=key == "r1")
        width = millions * 80
        sheet.rect(300, y, max(2, width), 54, color, INK)
        shown = (
            (f"{millions * 100:.1f}", f"{hours / 10:.1f}")
            if lang == "ja"
            else (f"{millions:.3f}", f"{hours / 1000:.3f}")
        )
        sheet.text(300 + width + 16, y + 37, words["label"].format(*shown), 24, bold=key == "r1")
    sheet.line([(1134, 86), (1146, 86), (1146, 206), (1134, 206)], BLUE, 3)
    sheet.text(1124, 154, words["total"], 24, BLUE, "end", bold=True)
    sheet.text(0, 400, words["missing"], 24, GREY)
    return sheet.svg()


# --- Ollama, Modelfile, pipes --------------------------------------------------------------------

DOOR_WORDS: Words = {
    "en": {"terminal": "terminal", "http": "HTTP", "python": "Python", "server": "Ollama server",
           "engine": "llama.cpp", "store": "models\non disk", "machine": "your machine"},
    "ja": {"terminal": "ターミナル", "http": "HTTP", "python": "Python", "server": "Ollamaサーバー",
           "engine": "llama.cpp", "store": "ディスク上の\nモデル",
           "machine": "手元のコンピューター"},
}  # fmt: skip
DOORS = (("terminal", "ollama run"), ("http", "curl"), ("python", "ollama.chat"))


def doors(lang: str) -> str:
    words = DOOR_WORDS[lang]
    sheet = Sheet(WIDTH, 430, lang)
    sheet.rect(2, 40, 1148, 386, "#f7f7f7", LINE, radius=16)
    sheet.text(24, 28, words["machine"], 24, bold=True)
    for i, (key, code) in enumerate(DOORS):
        y = 62 + i * 120
        sheet.rect(28, y, 290, 96, WHITE, INK, radius=10)
        sheet.text(173, y + 38, words[key], 24, anchor="middle", bold=True)
        sheet.text(173, y + 74, code, 24, anchor="middle", mono=True)
        sheet.arrow((324, y + 48), (464, 230 + (i - 1) * 44), BLUE, 4)
    sheet.rect(474, 130, 290, 200, PALE, INK, radius=10)
    sheet.text(619, 204, words["server"], 28, anchor="middle", bold=True)
    sheet.text(619, 254, "127.0.0.1:11434", 24, anchor="middle", mono=True)
    sheet.arrow((770, 200), (850, 140), INK)
    sheet.arrow((770, 260), (850, 320), INK)
    sheet.box(858, 84, 262, 100, words["engine"], ORANGE, size=28, bold=True)
    sheet.box(858, 276, 262, 100, words["store"], WHITE, size=26)
    return sheet.svg()


RECIPE_WORDS: Words = {
    "en": {"FROM": "which weights", "SYSTEM": "what stands before every talk",
           "TEMPLATE": "how turns become one text", "PARAMETER": "how the next token is drawn",
           "ADAPTER": "a LoRA, for exactly this base", "prompt": "text the model reads",
           "weights": "weights", "draw": "next token", "role": "End every answer with …",
           "user": "When do you open?"},
    "ja": {"FROM": "どの重みを使うか", "SYSTEM": "会話の前に置く文章",
           "TEMPLATE": "会話を1つの文章にする形", "PARAMETER": "次のトークンの選び方",
           "ADAPTER": "このベース専用のLoRA", "prompt": "モデルが読む文章",
           "weights": "重み", "draw": "次のトークン", "role": "文の最後に…を付ける",
           "user": "営業は何時からですか"},
}  # fmt: skip


def recipe(lang: str) -> str:
    words = RECIPE_WORDS[lang]
    sheet = Sheet(WIDTH, 440, lang)
    for i, key in enumerate(("SYSTEM", "TEMPLATE", "FROM", "ADAPTER", "PARAMETER")):
        y = 6 + i * 88
        sheet.rect(2, y, 400, 74, WHITE, INK, radius=8)
        sheet.text(16, y + 31, key, 24, mono=True, bold=True)
        sheet.text(16, y + 61, words[key], 21)
    # the prompt, with its marks
    sheet.rect(560, 6, 560, 172, PALE, INK, radius=10)
    sheet.text(580, 36, words["prompt"], 20, GREY)
    sheet.text(580, 76, "<|system|>", 22, BROWN, mono=True)
    sheet.text(732, 76, words["role"], 24, BLUE, bold=True)
    sheet.text(580, 116, "<|user|>", 22, BROWN, mono=True)
    sheet.text(732, 116, words["user"], 24)
    sheet.text(580, 156, "<|assistant|>", 22, BROWN, mono=True)
    sheet.arrow((404, 42), (552, 66), BLUE, 4)
    sheet.arrow((404, 130), (552, 144), VERMILION, 4)
    sheet.arrow((840, 182), (840, 212))
    sheet.box(690, 220, 300, 90, words["weights"], ORANGE, bold=True, size=28)
    sheet.arrow((404, 218), (682, 252), INK)
    sheet.arrow((404, 306), (682, 282), INK, 3, "10 6")
    sheet.arrow((840, 314), (840, 344))
    sheet.box(690, 352, 300, 80, words["draw"], SKY, bold=True, size=26)
    sheet.arrow((404, 394), (682, 394), INK)
    return sheet.svg()


FLOW_WORDS: Words = {
    "en": {"ask": "Plan the\nstudy meeting", "planner": "planner", "solver": "solver",
           "translator": "translator", "plan": "numbered\nsteps", "text": "finished\ntext",
           "out": "報告\n(ja)"},
    "ja": {"ask": "勉強会の\n計画を立てて", "planner": "planner", "solver": "solver",
           "translator": "translator", "plan": "番号つきの\n手順", "text": "できた\n文章",
           "out": "report\n(en)"},
}  # fmt: skip


def flow(lang: str) -> str:
    words = FLOW_WORDS[lang]
    sheet = Sheet(WIDTH, 112, lang)
    sheet.box(2, 10, 160, 92, words["ask"], WHITE, LINE, size=21)
    x = 162.0
    for key, after in (("planner", "plan"), ("solver", "text"), ("translator", "out")):
        sheet.arrow((x + 4, 56), (x + 32, 56))
        sheet.box(x + 38, 10, 138, 92, words[key], SKY, bold=True, size=23)
        sheet.arrow((x + 180, 56), (x + 208, 56))
        sheet.text(x + 268, 50, words[after], 21, anchor="middle")
        x += 330
    return sheet.svg()


STAGES = 5
RATE = 0.9
COMPOUND_WORDS: Words = {
    "en": {"stages": "stages in the pipe"},
    "ja": {"stages": "パイプの段数"},
}


def compound(lang: str) -> str:
    sheet = Sheet(WIDTH, 420, lang)
    for n in range(1, STAGES + 1):
        share = 100 * RATE**n
        x, height = 120 + (n - 1) * 190, share * 3.1
        sheet.rect(x, 340 - height, 120, height, ORANGE if n == 3 else SKY, INK)
        sheet.text(x + 60, 340 - height - 14, f"{share:.0f} %", 30, anchor="middle", bold=n == 3)
        sheet.text(x + 60, 374, str(n), 28, anchor="middle", bold=n == 3)
    sheet.line([(80, 341), (1060, 341)], INK, 2)
    sheet.text(570, 410, COMPOUND_WORDS[lang]["stages"], 24, GREY, "middle")
    return sheet.svg()


# --- summary -------------------------------------------------------------------------------------

DECISION_WORDS: Words = {
    "en": {"q1": "May the text leave\nthe house?", "q2": "Is there always\na network?",
           "q3": "Does a small model\npass your own test?", "q4": "Is the volume\nhigh and steady?",
           "local": "local", "cloud": "cloud", "both": "mix", "yes": "yes", "no": "no"},
    "ja": {"q1": "文章を社外に\n出してよいか", "q2": "いつも通信\nできるか",
           "q3": "小さなモデルが自社の\nテストに通るか", "q4": "量が多く\n一定か",
           "local": "手元", "cloud": "クラウド", "both": "併用", "yes": "はい", "no": "いいえ"},
}  # fmt: skip


def decision(lang: str) -> str:
    words = DECISION_WORDS[lang]
    sheet = Sheet(WIDTH, 350, lang)
    places = (2, 307, 612, 916)
    ends = (("local", "no", SKY), ("local", "no", SKY), ("cloud", "no", ORANGE),
            ("both", "no", "#f4f4f4"))  # fmt: skip
    for i, x in enumerate(places):
        sheet.box(x, 20, 234, 120, words[f"q{i + 1}"], WHITE, size=22, bold=True)
        end, answer, fill = ends[i]
        sheet.arrow((x + 117, 144), (x + 117, 262))
        sheet.text(x + 131, 208, words[answer], 22)
        sheet.box(x + 27, 272, 180, 74, words[end], fill, bold=True, size=26)
        if i < 3:
            sheet.arrow((x + 238, 80), (places[i + 1] - 6, 80))
            sheet.text(x + 270, 64, words["yes"], 22, anchor="middle")
    return sheet.svg()


FIGURES: dict[str, Callable[[str], str]] = {
    draw.__name__: draw
    for draw in (
        attitudes, wall, latency, payback, name_parts, ladder, tree, moe, mla, distills,
        results, money, doors, recipe, flow, compound, decision,
    )
}  # fmt: skip


def path_of(name: str, lang: str) -> Path:
    return IMAGES / lang / f"{name}.svg"


def main() -> None:
    """Draw everything again; what no function draws is removed."""
    for lang in LANGS:
        for name, draw in FIGURES.items():
            replace_file(path_of(name, lang), draw(lang))
        for path in (IMAGES / lang).glob("*.svg"):
            if path.stem not in FIGURES:
                path.unlink()
    print(f"{len(FIGURES)} figures in {len(LANGS)} languages")


if __name__ == "__main__":
    main()
