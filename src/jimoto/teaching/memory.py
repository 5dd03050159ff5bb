"""How much memory the server of this kernel uses: its processes, as the system sees them.

Not what a server says about itself (`ollama ps` does that). Sees only this computer.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from jimoto.connection import find_home, parse_host
from jimoto.errors import JimotoError

if TYPE_CHECKING:
    import psutil


def server_memory_mb() -> float:
    """Resident memory of the server and its engines, in MB (10⁶); 0.0 where none can be seen.

    None can be seen on another computer, in a container, or where the system keeps the processes
    of another user hidden.
    """
    import psutil

    total = 0
    for process in server_processes():
        try:
            total += process.memory_info().rss
        except psutil.Error:
            continue
    return total / 1e6


def server_processes() -> Iterator[psutil.Process]:
    """The embedded server that OLLAMA_HOST names, with its engines; else Ollama's by their name."""
    import psutil

    pid = embedded_pid()
    if pid is not None:
        try:
            top = psutil.Process(pid)
            yield from [top, *top.children(recursive=True)]
        except psutil.Error:
            pass
        return
    for process in psutil.process_iter(["name"]):
        if (process.info["name"] or "").lower().startswith("ollama"):
            yield process


def embedded_pid() -> int | None:
    """The embedded server's process, if OLLAMA_HOST names that server."""
    try:
        ready = json.loads(find_home(os.environ).ready_file.read_text(encoding="utf-8"))
        port = parse_host(os.environ.get("OLLAMA_HOST", ""))[2]
        return int(ready["pid"]) if int(ready["port"]) == port else None
    except (JimotoError, OSError, ValueError, KeyError, TypeError):
        return None
