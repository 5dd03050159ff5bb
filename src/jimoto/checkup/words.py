"""The page that `jimoto doctor` prints, in English and Japanese. Pure: facts in, text out."""

from __future__ import annotations

from jimoto.checkup.facts import Facts
from jimoto.checkup.verdict import SMALL_MODEL, Verdict, judge, notes
from jimoto.install import fit_width

GIB, GB = 2**30, 10**9
LABEL_COLUMNS = 15

LABELS = {
    "en": {
        "system": "System", "processor": "Processor", "memory": "Memory", "disk": "Disk",
        "gpu": "Graphics card", "python": "Python", "kit": "Kit", "mame": "mame",
        "ollama": "Server", "models": "Models", "ports": "Ports", "proxy": "Proxies",
        "write": "Write access", "network": "Network",
    },
    "ja": {
        "system": "OS", "processor": "CPU", "memory": "メモリ", "disk": "ディスク",
        "gpu": "GPU", "python": "Python", "kit": "キット", "mame": "mame",
        "ollama": "サーバー", "models": "モデル", "ports": "ポート", "proxy": "プロキシ",
        "write": "書き込み", "network": "ネットワーク",
    },
}  # fmt: skip

WORDS = {
    "en": {
        "title": "Jimoto's check-up of this computer, {date}, code {code}",
        "container": ", in a container",
        "cores": "{name}, {n} cores", "memory": "{total:.1f} GiB, {free:.1f} GiB free",
        "disk": "{gb:.0f} GB free", "unknown": "unknown",
        "gpu_memory": "{names}, {gib:.0f} GiB", "gpu_none": "none (no lesson needs one)",
        "engine_loads": "loads", "engine_missing": "missing", "engine_broken": "does not load",
        "engine_unknown": "not tried in time", "lacks": "missing: {names}",
        "mame_whole": "whole", "mame_missing": "missing", "mame_broken": "broken",
        "mame_unknown": "unknown",
        "installed": "Ollama is installed", "not_installed": "Ollama is not installed",
        "server_ollama": "Ollama {version} runs",
        "server_embedded": "Jimoto's own runs (API {version})",
        "server_none": "none runs now (`jimoto lab` starts one)",
        "others": "{n} more", "no_models": "none yet (mame comes with the kit)",
        "free": "free", "port_ollama": "Ollama", "port_jimoto": "Jimoto", "other": "taken",
        "proxy_none": "none in the way of 127.0.0.1", "proxy_some": "in the way of 127.0.0.1",
        "yes": "yes", "no": "NO", "data": "data", "lessons": "lessons", "cache": "cache",
        "untried": "not tried (`--online` does)", "reached": "reached", "not_reached": "not reached",
    },
    "ja": {
        "title": "このコンピューターの診断結果 {date} 識別コード {code}",
        "container": "、コンテナー内",
        "cores": "{name}、{n}コア", "memory": "{total:.1f} GiB、空き {free:.1f} GiB",
        "disk": "空き {gb:.0f} GB", "unknown": "不明",
        "gpu_memory": "{names}、{gib:.0f} GiB", "gpu_none": "なし(どのレッスンにも不要です)",
        "engine_loads": "読み込めます", "engine_missing": "ありません",
        "engine_broken": "読み込めません", "engine_unknown": "時間内に確認できませんでした",
        "lacks": "不足: {names}",
        "mame_whole": "正常", "mame_missing": "ありません", "mame_broken": "壊れています",
        "mame_unknown": "不明",
        "installed": "Ollamaは導入済み", "not_installed": "Ollamaは未導入",
        "server_ollama": "Ollama {version} が起動中",
        "server_embedded": "Jimotoの内蔵サーバーが起動中(API {version})",
        "server_none": "起動していません(`jimoto lab` で起動します)",
        "others": "ほか{n}個", "no_models": "まだありません(mameはキットに含まれています)",
        "free": "空き", "port_ollama": "Ollama", "port_jimoto": "Jimoto", "other": "使用中",
        "proxy_none": "127.0.0.1を妨げる設定はありません", "proxy_some": "127.0.0.1を妨げます",
        "yes": "可", "no": "不可", "data": "データ", "lessons": "レッスン", "cache": "キャッシュ",
        "untried": "未確認(`--online` で確認)", "reached": "接続できます",
        "not_reached": "接続できません",
    },
}  # fmt: skip

NOTES = {
    "en": {
        "proxy": "A proxy setting would catch 127.0.0.1. Notebooks avoid it by themselves; for curl "
        "in a terminal: {no_proxy}",
        "lessons": "Lessons cannot be copied to your documents: set JIMOTO_WORK to a folder of yours.",
        "cache": "The cache folder is closed: measurements are made anew each time.",
        "silent": "Nothing answers at the address in OLLAMA_HOST; lessons use another server.",
        "port": "Port 11434 belongs to a program that is not Ollama; lessons use another port.",
        "old": "This Ollama is older than 0.9: lessons on thinking need a newer one.",
        "hidden": "There seems to be an NVIDIA card, but `nvidia-smi` does not answer: lessons run "
        "without it.",
        "late": "Did not answer in time, or failed: {late}.",
        "offline": "A site was not reached. Lessons need no network; `ollama pull` does.",
        "pull": "A real model as well: `ollama pull {model}`.",
        "start": "A real model as well: start Ollama, then `ollama pull {model}`.",
        "install": "For real models, install Ollama (https://ollama.com/download).",
        "too_small": "Memory or disk is short for a real model (3 GiB and 3 GB for a small one).",
    },
    "ja": {
        "proxy": "プロキシの設定が127.0.0.1にも及んでいます。ノートブックは自動で避けます。"
        "ターミナルのcurlでは次を実行してください: {no_proxy}",
        "lessons": "レッスンをドキュメントにコピーできません。環境変数JIMOTO_WORKに自分のフォルダーを"
        "指定してください。",
        "cache": "キャッシュフォルダーに書き込めないため、測定は毎回やり直します。",
        "silent": "OLLAMA_HOSTのアドレスは応答しません。レッスンは別のサーバーを使います。",
        "port": "ポート11434はOllamaではないプログラムが使用中です。レッスンは別のポートを使います。",
        "old": "Ollamaが0.9より古いため、思考のレッスンには新しい版が必要です。",
        "hidden": "NVIDIAのGPUがあるようですが、`nvidia-smi` が応答しません。"
        "レッスンはGPUなしで動きます。",
        "late": "時間内に応答しなかった、または失敗した項目: {late}",
        "offline": "接続できないサイトがあります。レッスンにネットワークは不要ですが、"
        "`ollama pull` には必要です。",
        "pull": "実用モデルも使うには `ollama pull {model}` を実行してください。",
        "start": "実用モデルも使うには、Ollamaを起動して `ollama pull {model}` を実行してください。",
        "install": "実用モデルを使うには、Ollamaを導入してください(https://ollama.com/download)。",
        "too_small": "実用モデルにはメモリかディスクが足りません(小さいもので3 GiBと3 GB)。",
    },
}

KINDS = {
    "en": {"ready": "READY", "mame": "READY WITH MAME", "not": "NOT READY"},
    "ja": {"ready": "準備完了", "mame": "mameで準備完了", "not": "準備未完了"},
}
REASONS = {
    "en": {
        "packages": "packages are missing", "engine": "the engine does not load",
        "mame": "mame's file is not whole", "data": "the data folder cannot be written to",
        "disk": "the disk is nearly full; free 1 GB, then look again",
        "memory": "memory is nearly used up; close other programs, then look again",
    },
    "ja": {
        "packages": "パッケージが不足しています", "engine": "推論エンジンを読み込めません",
        "mame": "mameのファイルが壊れています", "data": "データフォルダーに書き込めません",
        "disk": "ディスクの空きがわずかです。1 GB空けてから再確認してください",
        "memory": "メモリの空きがわずかです。ほかのプログラムを終了してから再確認してください",
    },
}  # fmt: skip


def page_text(facts: Facts, lang: str) -> str:
    """The whole page; its last line is the verdict."""
    words = WORDS[lang]
    lines = [words["title"].format(date=facts.date, code=facts.code), ""]
    lines += [fit_width(label, LABEL_COLUMNS) + value for label, value in rows(facts, lang)]
    said = [f"! {note_text(key, facts, lang)}" for key in notes(facts)]
    return "\n".join([*lines, "", *said, *([""] if said else []), verdict_text(facts, lang)])


def verdict_text(facts: Facts, lang: str) -> str:
    """One line: ready, ready with mame or not ready, and the command.

    >>> verdict_text(Facts(missing=["ollama"]), "en")
    'NOT READY: packages are missing: `make lab`'
    """
    verdict: Verdict = judge(facts)
    reason = REASONS[lang].get(verdict.reason, "")
    kind = KINDS[lang][verdict.kind]
    return ": ".join(part for part in (kind, reason, f"`{verdict.command}`") if part)


def note_text(key: str, facts: Facts, lang: str) -> str:
    """One note; `key` is one of `verdict.notes`."""
    windows = facts.system.startswith("Windows")
    hosts = "localhost,127.0.0.1,::1"
    no_proxy = f'`$env:NO_PROXY="{hosts}"`' if windows else f"`export NO_PROXY={hosts}`"
    return NOTES[lang][key].format(no_proxy=no_proxy, late=", ".join(facts.late), model=SMALL_MODEL)


def rows(facts: Facts, lang: str) -> list[tuple[str, str]]:
    """(label, value) for each line of the page."""
    words, labels = WORDS[lang], LABELS[lang]
    comma = "、" if lang == "ja" else ", "
    values = {
        "system": _system(facts, words),
        "processor": words["cores"].format(name=facts.processor, n=facts.n_core)
        if facts.n_core
        else words["unknown"],
        "memory": memory_text(facts, lang),
        "disk": disk_text(facts, lang),
        "gpu": gpu_text(facts, lang),
        "python": facts.python,
        "kit": comma.join([*_kit(facts, words)]),
        "mame": words[f"mame_{facts.mame}"],
        "ollama": server_text(facts, lang),
        "models": models_text(facts, lang),
        "ports": " · ".join(_ports(facts, words)) or words["unknown"],
        "proxy": words["proxy_some" if facts.proxies else "proxy_none"],
        "write": " · ".join(
            f"{words[key]} {words['yes' if allowed else 'no']}"
            for key, allowed in facts.writable.items()
            if key in words
        ),
        "network": " · ".join(
            f"{site} {words['reached' if reached else 'not_reached']}"
            for site, reached in facts.network.items()
        )
        or words["untried"],
    }
    return [(labels[key], value) for key, value in values.items()]


def memory_text(facts: Facts, lang: str) -> str:
    """Total and free."""
    if not facts.memory_bytes:
        return WORDS[lang]["unknown"]
    total, free = facts.memory_bytes / GIB, facts.free_bytes / GIB
    return WORDS[lang]["memory"].format(total=total, free=free)


def disk_text(facts: Facts, lang: str) -> str:
    """Free where models go."""
    if facts.disk_free_bytes is None:
        return WORDS[lang]["unknown"]
    return WORDS[lang]["disk"].format(gb=facts.disk_free_bytes / GB)


def gpu_text(facts: Facts, lang: str) -> str:
    """The cards and their memory in all; Apple's is the machine's own."""
    if not facts.gpus:
        return WORDS[lang]["unknown" if "gpu" in facts.late else "gpu_none"]
    names = ", ".join(facts.gpus)
    if not facts.gpu_memory_bytes:
        return names
    return WORDS[lang]["gpu_memory"].format(names=names, gib=facts.gpu_memory_bytes / GIB)


def server_text(facts: Facts, lang: str) -> str:
    """What answers, and whether real Ollama is installed."""
    words = WORDS[lang]
    running = words.get(f"server_{facts.server}", words["unknown"])
    if "server" in facts.late:
        return words["unknown"]
    installed = words["installed" if facts.ollama_installed else "not_installed"]
    running = running.format(version=facts.server_version)
    return running if facts.server == "ollama" else f"{running} · {installed}"


def models_text(facts: Facts, lang: str) -> str:
    """The public names of the models; the learner's own only by number."""
    words = WORDS[lang]
    names = list(facts.models)
    if facts.n_other_models:
        names.append(words["others"].format(n=facts.n_other_models))
    return ("、" if lang == "ja" else ", ").join(names) or words["no_models"]


def _system(facts: Facts, words: dict[str, str]) -> str:
    if not facts.system:
        return words["unknown"]
    return f"{facts.system} {facts.arch}" + words["container"] * facts.container


def _kit(facts: Facts, words: dict[str, str]) -> list[str]:
    parts = [f"jimoto {facts.jimoto}"]
    for package, version in facts.versions.items():
        engine = f" ({words[f'engine_{facts.engine}']})" if package == "llama-cpp-python" else ""
        parts.append(f"{package} {version}{engine}")
    if facts.missing:
        parts.append(words["lacks"].format(names=", ".join(facts.missing)))
    return parts


def _ports(facts: Facts, words: dict[str, str]) -> list[str]:
    return [
        f"{port} {words.get(holder, words.get(f'port_{holder}', holder))}"
        for port, holder in facts.ports.items()
    ]
