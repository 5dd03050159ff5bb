"""What `fit` and `trial` found, in words: tables, reasons and JSON, in English and Japanese.

Text out, nothing printed. Knows no files and no terminals.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from jimoto.formats import text_width
from jimoto.hardware.catalog import GB, GIB
from jimoto.hardware.fit import Fit
from jimoto.hardware.machine import Machine
from jimoto.hardware.speed import Range
from jimoto.hardware.trial import Prediction, Trial

VERDICT_WORDS = {
    "en": {
        "comfortable": "comfortable",
        "tight": "tight",
        "will_swap": "will swap",
        "impossible": "impossible",
        "unknown": "unknown",
    },
    "ja": {
        "comfortable": "余裕あり",
        "tight": "ぎりぎり",
        "will_swap": "スワップ発生",
        "impossible": "不可能",
        "unknown": "不明",
    },
}
_TRIAL_HEADS = {
    "en": ["", "PREDICTED", "MEASURED", "ERROR"],
    "ja": ["", "予測", "実測", "誤差"],
}
_HEADS = {
    "en": ["MODEL", "QUANT", "MEMORY", "CONTEXT", "READS tok/s", "WRITES tok/s", "VERDICT"],
    "ja": ["モデル", "量子化", "メモリ", "コンテキスト", "読む(tok/s)", "書く(tok/s)", "判定"],
}
_TEXT: dict[str, dict[str, str]] = {
    "en": {
        "machine": "{name} · {memory} GiB memory, {free} GiB free{cores}{gpu}{speed}",
        "cores": " · {n} cores",
        "gpu": " · {name} ({memory} GiB)",
        "measured": " · reads {gb_s:.1f} GB/s (measured)",
        "stated": " · reads {gb_s:g} GB/s (stated)",
        "container": "A container limits memory or cores here; its limits count.",
        "hidden_gpu": "There seems to be an NVIDIA card, but `nvidia-smi` does not answer: "
        "it is counted as none.",
        "need": "'{name}' in {quant} needs about {need} GiB; {free} GiB is free{where}: {verdict}.",
        "parts": "Weights {weights}, KV cache {kv} ({context} tokens), buffers {buffers} GiB.",
        "no_kv": "Weights {weights} GiB; its source does not give {missing}, so the KV cache is "
        "not counted.",
        "on_gpu": " on the graphics card",
        "split": "{n} of {all} blocks lie on the graphics card, the rest in main memory.",
        "experts": "All {n} experts stay in memory; a token passes {used} of them.",
        "speed": "Each token reads {active} GB of weights, so memory bandwidth bounds the writing.",
        "largest": "Largest context that still fits in {quant}: {context}.",
        "none": "In {quant} no context fits.",
        "best": "Least lossy quantisation that fits at {context} tokens: {quant}.",
        "no_best": "No quantisation fits at {context} tokens.",
        "trial": "'{name}' in {quant}, {size} GB of random weights: the words would be noise, "
        "the speed is real.",
        "extrapolated": "Too large for this machine: {tried} of {all} blocks were measured, "
        "the whole is extrapolated.",
        "reserved": "reserved (GiB)",
        "resident": "resident (GiB)",
        "prefill": "reads (tok/s)",
        "decode": "writes (tok/s)",
        "times": "Written in {write} s, loaded in {load} s; {n} threads. The file is removed.",
    },
    "ja": {
        "machine": "{name} · メモリ {memory} GiB、空き {free} GiB{cores}{gpu}{speed}",
        "cores": " · {n}コア",
        "gpu": " · {name}({memory} GiB)",
        "measured": " · 読み出し {gb_s:.1f} GB/s(実測)",
        "stated": " · 読み出し {gb_s:g} GB/s(公称)",
        "container": "コンテナーがメモリかコア数を制限しているため、その上限で計算します。",
        "hidden_gpu": "NVIDIAのカードがあるようですが、`nvidia-smi` が応答しません。"
        "GPUなしとして計算します。",
        "need": "'{name}'({quant})には約{need} GiB必要で、{where}空きは{free} GiBです: {verdict}。",
        "parts": "内訳は重み{weights}、KVキャッシュ{kv}({context}トークン)、"
        "バッファー{buffers} GiBです。",
        "no_kv": "重みは{weights} GiBです。出典に {missing} の記載がないため、"
        "KVキャッシュは含みません。",
        "on_gpu": "GPUの",
        "split": "{all}ブロックのうち{n}ブロックをGPUに、残りをメインメモリに置きます。",
        "experts": "メモリには{n}個のエキスパートすべてが載り、"
        "1トークンはそのうち{used}個を通ります。",
        "speed": "1トークンごとに重みを{active} GB読むため、書く速さはメモリ帯域幅で決まります。",
        "largest": "{quant}で収まる最大のコンテキスト長: {context}",
        "none": "{quant}ではどのコンテキスト長でも収まりません。",
        "best": "コンテキスト長{context}で収まる、最も劣化の少ない量子化: {quant}",
        "no_best": "コンテキスト長{context}で収まる量子化はありません。",
        "trial": "'{name}'({quant})、乱数の重み{size} GB。言葉はでたらめですが、速さは本物です。",
        "extrapolated": "このマシンには大きすぎるため、{all}ブロックのうち{tried}ブロックを測り、"
        "全体を外挿しました。",
        "reserved": "確保(GiB)",
        "resident": "常駐(GiB)",
        "prefill": "読む(トークン/秒)",
        "decode": "書く(トークン/秒)",
        "times": "書き込み{write}秒、読み込み{load}秒、{n}スレッド。ファイルは削除済みです。",
    },
}


def machine_text(machine: Machine, lang: str) -> str:
    """One line about a machine, and a line for each thing that is odd about it."""
    text = _TEXT[lang]
    cores = text["cores"].format(n=machine.n_core) if machine.n_core else ""
    gpu = ""
    for card in machine.gpus[:1]:
        size = f"{(card.memory_bytes or 0) / GIB:.0f}" if card.memory_bytes else "?"
        count = f"{len(machine.gpus)} × " if len(machine.gpus) > 1 else ""
        gpu = text["gpu"].format(name=count + card.name, memory=size)
    speed = ""
    bandwidth = machine.gpus[0].bandwidth_gb_s if machine.gpus else None
    if machine.rates:
        speed = text["measured"].format(gb_s=machine.rates.bandwidth_gb_s)
    elif bandwidth or machine.bandwidth_gb_s:
        speed = text["stated"].format(gb_s=bandwidth or machine.bandwidth_gb_s)
    line = text["machine"].format(
        name=machine.name,
        memory=f"{machine.memory_bytes / GIB:.1f}",
        free=f"{machine.free_bytes / GIB:.1f}",
        cores=cores,
        gpu=gpu,
        speed=speed,
    )
    return "\n".join([line, *(text[note] for note in machine.notes)])


def fits_table(fits: Iterable[Fit], lang: str) -> str:
    """One row for each answer."""
    rows = [
        [
            fit.subject.name,
            fit.subject.weights.quant,
            f"{'≥ ' if fit.memory.kv_bytes is None else ''}{fit.memory.total_bytes / GIB:.1f} GiB",
            str(fit.use.context_length),
            range_text(fit.prefill),
            range_text(fit.decode),
            VERDICT_WORDS[lang][fit.verdict],
        ]
        for fit in fits
    ]
    return table_text(_HEADS[lang], rows)


def reason_text(fit: Fit, lang: str) -> str:
    """Why a verdict is what it is, and what would fit."""
    text, subject, memory = _TEXT[lang], fit.subject, fit.memory
    quant, context = subject.weights.quant, fit.use.context_length
    whole_on_gpu = 0 < fit.placement.n_gpu_layer == fit.placement.n_layer
    lines = [
        text["need"].format(
            name=subject.name,
            quant=quant,
            need=f"{fit.need_bytes / GIB:.1f}",
            free=f"{fit.free_bytes / GIB:.1f}",
            where=text["on_gpu"] if whole_on_gpu else "",
            verdict=VERDICT_WORDS[lang][fit.verdict],
        )
    ]
    weights = f"{memory.weights_bytes / GIB:.2f}"
    if memory.kv_bytes is None:
        lines.append(text["no_kv"].format(weights=weights, missing=", ".join(subject.missing)))
    else:
        buffers = f"{(memory.compute_bytes + memory.runtime_bytes) / GIB:.2f}"
        kv = f"{memory.kv_bytes / GIB:.2f}"
        lines.append(text["parts"].format(weights=weights, kv=kv, context=context, buffers=buffers))
    if 0 < fit.placement.n_gpu_layer < fit.placement.n_layer:
        lines.append(text["split"].format(n=fit.placement.n_gpu_layer, all=fit.placement.n_layer))
    if subject.shape and subject.shape.n_expert:
        shape = subject.shape
        lines.append(text["experts"].format(n=shape.n_expert, used=shape.n_expert_used))
    if fit.decode:
        lines.append(text["speed"].format(active=f"{subject.weights.active_bytes / GB:.2f}"))
    if fit.largest_context is not None:
        key = "largest" if fit.largest_context else "none"
        lines.append(text[key].format(quant=quant, context=fit.largest_context))
        if fit.best_quant:
            lines.append(text["best"].format(context=context, quant=fit.best_quant))
        elif fit.best_quant == "":
            lines.append(text["no_best"].format(context=context))
    return "\n".join(lines)


def range_text(span: Range | None) -> str:
    """Two numbers with at most three digits.

    >>> range_text(Range(3.149, 6.72)), range_text(Range(88.2, 131.7)), range_text(None)
    ('3.1–6.7', '88–132', '?')
    """
    if span is None:
        return "?"
    return f"{_short(span.low)}–{_short(span.high)}"


def _short(value: float) -> str:
    if value >= 1000:
        return f"{round(value, 2 - len(str(int(value)))):.0f}"
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"


def trial_text(name: str, trial: Trial, expected: Prediction, lang: str) -> str:
    """Prediction beside measurement, with the error of the prediction."""
    text = _TEXT[lang]
    reserved = expected.memory.total_bytes - expected.memory.runtime_bytes
    rows = [
        _compared(text["reserved"], reserved / GIB, trial.report.total_bytes / GIB),
        _compared(text["resident"], expected.resident_bytes / GIB, trial.resident_bytes / GIB),
    ]
    for key, span, measured in (
        ("prefill", expected.prefill, trial.prefill_tokens_per_second),
        ("decode", expected.decode, trial.decode_tokens_per_second),
    ):
        middle = (span.low * span.high) ** 0.5 if span else None
        rows.append(_compared(text[key], middle, measured, range_text(span)))
    lines = [text["trial"].format(name=name, quant=trial.quant, size=_gb(trial.file_bytes))]
    if trial.is_extrapolated:
        lines.append(text["extrapolated"].format(tried=trial.n_layer_tried, all=trial.n_layer))
    lines.append(table_text(_TRIAL_HEADS[lang], rows))
    times = {"write": trial.write_seconds, "load": trial.load_seconds, "n": trial.n_thread}
    return "\n".join([*lines, text["times"].format(**times)])


def _compared(label: str, predicted: float | None, measured: float, shown: str = "") -> list[str]:
    if predicted is None:
        return [label, "?", f"{measured:.3g}", ""]
    error = f"{100 * (predicted / measured - 1):+.0f} %"
    return [label, shown or f"{predicted:.3g}", f"{measured:.3g}", error]


def _gb(n_bytes: int) -> str:
    return f"{n_bytes / GB:.2f}"


def table_text(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Left-aligned columns three spaces apart; a Japanese character is two columns wide."""
    columns = range(len(heads))
    widths = [max(text_width(row[i]) for row in [heads, *rows]) for i in columns]
    lines = (
        "   ".join(row[i] + " " * (widths[i] - text_width(row[i])) for i in columns).rstrip()
        for row in [heads, *rows]
    )
    return "\n".join(lines)


def fit_json(fit: Fit) -> dict[str, Any]:
    """One answer as plain values; what is unknown is null."""
    subject, memory = fit.subject, fit.memory
    return {
        "model": subject.name,
        "quant": subject.weights.quant,
        "context_length": fit.use.context_length,
        "verdict": fit.verdict,
        "weights_bytes": memory.weights_bytes,
        "kv_bytes": memory.kv_bytes,
        "compute_bytes": memory.compute_bytes,
        "runtime_bytes": memory.runtime_bytes,
        "total_bytes": memory.total_bytes,
        "need_bytes": fit.need_bytes,
        "free_bytes": fit.free_bytes,
        "n_gpu_layer": fit.placement.n_gpu_layer,
        "n_layer": subject.shape.n_layer if subject.shape else None,
        "active_bytes": subject.weights.active_bytes,
        "prefill_tokens_per_second": _pair(fit.prefill),
        "decode_tokens_per_second": _pair(fit.decode),
        "largest_context": fit.largest_context,
        "best_quant": fit.best_quant,
        "is_exact": subject.weights.is_exact,
        "missing": list(subject.missing),
    }


def trial_json(name: str, trial: Trial, expected: Prediction) -> dict[str, Any]:
    """A trial and what was expected of it, as plain values."""
    return {
        "model": name,
        "quant": trial.quant,
        "context_length": trial.context_length,
        "is_extrapolated": trial.is_extrapolated,
        "n_layer": trial.n_layer,
        "n_layer_tried": trial.n_layer_tried,
        "predicted": {
            "reserved_bytes": expected.memory.total_bytes - expected.memory.runtime_bytes,
            "resident_bytes": expected.resident_bytes,
            "prefill_tokens_per_second": _pair(expected.prefill),
            "decode_tokens_per_second": _pair(expected.decode),
        },
        "measured": {
            "reserved_bytes": trial.report.total_bytes,
            "resident_bytes": trial.resident_bytes,
            "prefill_tokens_per_second": trial.prefill_tokens_per_second,
            "decode_tokens_per_second": trial.decode_tokens_per_second,
            "write_seconds": trial.write_seconds,
            "load_seconds": trial.load_seconds,
            "n_thread": trial.n_thread,
        },
    }


def _pair(span: Range | None) -> list[float] | None:
    return [round(span.low, 3), round(span.high, 3)] if span else None
