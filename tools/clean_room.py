"""The surroundings in which lessons are built and tested: the same everywhere, and tidied away.

Knows which variables and files could make one machine's outputs differ from another's.
Does not know what runs inside.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

FOREIGN = ("OLLAMA_", "JIMOTO_")  # settings of whoever runs this, such as a model of their own
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def clean_environment(outer: Mapping[str, str], home: Path) -> dict[str, str]:
    """`outer` without foreign settings, and with `home` as the kit's data folder."""
    env = {name: value for name, value in outer.items() if not name.upper().startswith(FOREIGN)}
    direct = [
        part for part in (env.get("NO_PROXY") or env.get("no_proxy") or "").split(",") if part
    ]
    direct += [host for host in LOOPBACK if host not in direct]
    return env | {
        "JIMOTO_HOME": str(home),
        "IPYTHONDIR": str(
            home.with_name("ipython")
        ),  # no start-up files and no history of the author
        "NO_PROXY": ",".join(direct),  # a company's proxy must not swallow 127.0.0.1
        "no_proxy": ",".join(direct),
        "JIMOTO_LAB_SEED": "1",  # the same numbers in every lab
        "JIMOTO_WORK": str(home.with_name("work")),  # not the documents of whoever runs this
        "PYTHONUTF8": "1",
        "PYTHONHASHSEED": "0",
    }


@contextmanager
def temporary_home() -> Iterator[Path]:
    """A data folder that is gone afterwards, and with it the embedded server started there."""
    folder = Path(tempfile.mkdtemp(prefix="jimoto-"))
    home = folder / "home"
    home.mkdir()
    try:
        yield home
    finally:
        stop_embedded_server(home)
        shutil.rmtree(folder, ignore_errors=True)


def stop_embedded_server(home: Path, wait_seconds: float = 5.0) -> None:
    """Ask the server named in `server.json` to end, then insist; its engines end with it."""
    import psutil

    try:
        pid = int(json.loads((home / "server.json").read_text(encoding="utf-8"))["pid"])
        server = psutil.Process(pid)
        family = [server, *server.children(recursive=True)]
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):
        return  # none was started, or it is gone already
    for act in (psutil.Process.terminate, psutil.Process.kill):
        for process in family:
            try:
                act(process)
            except psutil.NoSuchProcess:
                pass
        _, family = psutil.wait_procs(family, timeout=wait_seconds)
        if not family:
            return
