"""From what was found to one verdict, one command, and what is worth knowing beside. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from jimoto.checkup.facts import Facts

# Assumed: JupyterLab, a kernel, the server and mame, and a page of a browser that is open.
MEMORY_NEEDED_BYTES = 600 * 2**20
DISK_NEEDED_BYTES = 500 * 10**6
# Llama 3.2 1B in Q8_0: 1.3 GB on disk; with its cache and a browser beside it, 3 GiB.
SMALL_MODEL = "llama3.2:1b"
SMALL_MEMORY_BYTES = 3 * 2**30
SMALL_DISK_BYTES = 3 * 10**9
THINKS_SINCE = (0, 9)


@dataclass(frozen=True)
class Verdict:
    """`kind` is 'ready' (a real model is here), 'mame' (lessons run on mame) or 'not'.

    `reason` is a key of the words ('' where nothing is wrong), `command` what to type next.
    """

    kind: str
    reason: str
    command: str


def judge(facts: Facts) -> Verdict:
    """The verdict; of several faults the one that must be mended first."""
    served_elsewhere = facts.server == "ollama"
    windows = facts.system.startswith("Windows")
    install = "py src\\jimoto\\install.py install" if windows else "make lab"
    if facts.missing:
        return Verdict("not", "packages", install)
    if facts.engine in ("missing", "broken") and not served_elsewhere:
        return Verdict("not", "engine", install)
    if facts.mame in ("missing", "broken"):
        return Verdict("not", "mame", "git checkout -- src/jimoto/data/mame.gguf")
    if not facts.writable.get("data", True):
        setting = 'JIMOTO_HOME="$HOME/jimoto"'  # PowerShell takes either slash
        return Verdict("not", "data", f"$env:{setting}" if windows else f"export {setting}")
    if facts.disk_free_bytes is not None and facts.disk_free_bytes < DISK_NEEDED_BYTES:
        return Verdict("not", "disk", "jimoto doctor")
    if 0 < facts.free_bytes < MEMORY_NEEDED_BYTES:
        return Verdict("not", "memory", "jimoto doctor")
    is_real = any(name.split(":")[0] != "mame" for name in facts.models) or facts.n_other_models
    return Verdict("ready" if facts.server != "none" and is_real else "mame", "", "jimoto lab")


def notes(facts: Facts) -> list[str]:
    """What does not stop a lesson and may still surprise: keys of the words, the gravest first."""
    found = [
        ("proxy", bool(facts.proxies)),
        ("lessons", not facts.writable.get("lessons", True)),
        ("cache", not facts.writable.get("cache", True)),
        ("silent", facts.host_silent),
        ("port", facts.ports.get("11434") == "other"),
        ("old", _is_old(facts)),
        ("hidden", facts.gpu_hidden),
        ("late", bool(facts.late)),
        ("offline", any(not reached for reached in facts.network.values())),
    ]
    keys = [key for key, holds in found if holds]
    if judge(facts).kind == "mame":
        keys.append(_way_to_a_real_model(facts))
    return keys


def _is_old(facts: Facts) -> bool:
    """Real Ollama that does not know thinking yet."""
    match = re.match(r"(\d+)\.(\d+)", facts.server_version)
    numbers = (int(match[1]), int(match[2])) if match else THINKS_SINCE
    return facts.server == "ollama" and (0, 0) < numbers < THINKS_SINCE


def _way_to_a_real_model(facts: Facts) -> str:
    disk = facts.disk_free_bytes
    lacks_memory = 0 < facts.memory_bytes < SMALL_MEMORY_BYTES
    if lacks_memory or (disk is not None and disk < SMALL_DISK_BYTES):
        return "too_small"
    return "pull" if facts.server == "ollama" else "start" if facts.ollama_installed else "install"
