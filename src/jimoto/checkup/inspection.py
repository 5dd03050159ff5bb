"""Looks at this computer: what it has, what is installed, what answers, what is in the way.

Checks that ask other programs run side by side, and none is waited for beyond a limit, so that a
report comes within seconds from any machine. Nothing is started that stays, nothing is changed.
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import platform
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from jimoto.checkup.facts import Facts, clean
from jimoto.connection import (
    DEFAULT_PORT,
    MODEL,
    Home,
    Server,
    find_home,
    mame_file,
    server_url,
)
from jimoto.errors import JimotoError
from jimoto.lab import FIRST_PORT, NEEDED, is_free, work_folder

LIMIT_SECONDS = 4.0
SITE_SECONDS = 2.5
ANSWER_SECONDS = 1.0
# What `--online` tries: where models come from, where packages come from.
SITES = {"registry.ollama.ai": "https://registry.ollama.ai/v2/", "pypi.org": "https://pypi.org/"}
PACKAGES = ("llama-cpp-python", "ollama", "jupyterlab")
MAME_LEAST_BYTES = 1_000_000
_CODE_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # none that is taken for another
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+-]{0,39}\Z")

Found = dict[str, Any]
Started = dict[str, tuple[threading.Thread, Found]]


def examine(env: Mapping[str, str], online: bool = False) -> Facts:
    """All facts about this computer, in at most about `LIMIT_SECONDS`."""
    slow: dict[str, Callable[[], Found]] = {
        "engine": try_engine,
        "gpu": look_at_gpus,
        "server": lambda: ask_server(env),
        "ports": look_at_ports,
    }
    if online:
        slow["network"] = try_sites
    started = time.monotonic()
    waiting = start_all(slow)
    found: Found = {
        "code": "".join(secrets.choice(_CODE_LETTERS) for _ in range(4)),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "python": platform.python_version(),
        **look_at_machine(),
        **look_at_kit(),
        **look_at_folders(env),
        "proxies": catching_proxies(),
    }
    late = collect(waiting, found, started + LIMIT_SECONDS)
    return Facts(**found, late=late)


# --- side by side ---


def start_all(checks: Mapping[str, Callable[[], Found]]) -> Started:
    """A thread for each; a check that fails has found nothing, and is named as late."""
    started: Started = {}
    for name, check in checks.items():
        result: Found = {}

        def work(check: Callable[[], Found] = check, result: Found = result) -> None:
            try:
                result.update(check())
                result[""] = True
            except Exception:  # a driver, a registry, a codec: whatever it is, the others go on
                pass

        thread = threading.Thread(target=work, daemon=True)  # the end of a program waits for none
        thread.start()
        started[name] = (thread, result)
    return started


def collect(waiting: Started, found: Found, deadline: float) -> list[str]:
    """Add what was found in time; the names of the checks that did not end, or failed."""
    late = []
    for name, (thread, result) in waiting.items():
        thread.join(max(0.0, deadline - time.monotonic()))
        if thread.is_alive() or "" not in result:
            late.append(name)
        else:
            found.update({key: value for key, value in result.items() if key})
    return late


# --- the machine ---


def look_at_machine() -> Found:
    """Operating system, processor, memory."""
    from jimoto.hardware.machine import own_limits, processor_name, read_memory, usable_cores

    limits = own_limits()
    total_bytes, free_bytes = read_memory(limits)
    n_core = usable_cores()
    if limits and limits.n_core:
        n_core = max(1, min(n_core, int(limits.n_core)))
    return {
        "system": clean(system_name()),
        "arch": clean(platform.machine()),
        "container": bool(limits and limits.memory_bytes == total_bytes),
        "processor": clean(processor_name()),
        "n_core": n_core,
        "memory_bytes": total_bytes,
        "free_bytes": free_bytes,
    }


def system_name() -> str:
    """The operating system in its maker's words."""
    if sys.platform == "darwin":
        return f"macOS {platform.mac_ver()[0]}"
    if sys.platform == "win32":
        return f"Windows {platform.release()} ({platform.version()})"
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        name = f"{platform.system()} {platform.release()}"
    return f"{name} (WSL)" if "microsoft" in platform.release().lower() else name


def look_at_gpus() -> Found:
    """Graphics cards that a model can use."""
    from jimoto.hardware.machine import find_gpus

    gpus, notes = find_gpus()
    return {
        "gpus": [clean(gpu.name) for gpu in gpus],
        "gpu_memory_bytes": sum(gpu.memory_bytes or 0 for gpu in gpus),
        "gpu_hidden": "hidden_gpu" in notes,
    }


# --- the kit ---


def look_at_kit() -> Found:
    """Packages and their versions, and the shipped model."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    versions = {}
    for package in ("jimoto", *PACKAGES):
        try:
            versions[package] = clean(metadata.version(package))
        except metadata.PackageNotFoundError:
            pass
    own = versions.pop("jimoto", "?")
    mame = look_at_mame(mame_file())
    return {"jimoto": own, "missing": missing, "versions": versions, "mame": mame}


def look_at_mame(path: Path) -> str:
    """'whole' if the head can be read and all its tensors lie within the file.

    A clone that was cut short, or one that holds a pointer instead of the file, is 'broken'.
    """
    from jimoto.hardware.gguf_head import read_head, typed_tensors

    if not path.is_file():
        return "missing"
    try:
        tensors = typed_tensors(read_head(path))
        size = path.stat().st_size
    except (JimotoError, OSError, ValueError):
        return "broken"
    needed = max(MAME_LEAST_BYTES, sum(tensor.size_bytes for tensor in tensors))
    return "whole" if size >= needed else "broken"


# What `import llama_cpp` does first, without the packages that it imports: a tenth of the time.
_LOAD_ENGINE = """
import ctypes, os, sys
folder, file = os.path.split(sys.argv[1])
if os.name == "nt":
    os.add_dll_directory(folder)
    os.environ["PATH"] = folder + os.pathsep + os.environ["PATH"]
ctypes.CDLL(sys.argv[1]).llama_backend_init()
"""


def try_engine() -> Found:
    """Load llama.cpp in a process of its own: a build for another processor ends it, not us."""
    spec = importlib.util.find_spec("llama_cpp")
    if spec is None or not spec.origin:
        return {"engine": "missing"}
    folder = Path(spec.origin).parent / "lib"
    names = ("libllama.so", "libllama.dylib", "llama.dll", "libllama.dll")
    library = next((folder / name for name in names if (folder / name).is_file()), None)
    if library is None:
        return {"engine": "broken"}
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _LOAD_ENGINE, str(library)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=LIMIT_SECONDS,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    return {"engine": "broken" if done.returncode else "loads"}


def look_at_folders(env: Mapping[str, str]) -> Found:
    """Can the kit write where it must, and how much room is there for models?"""
    from platformdirs import user_cache_path

    try:
        home: Home | None = find_home(env)
    except JimotoError:
        home = None
    models = home.models(env) if home else Path.home()
    return {
        "writable": {
            "data": home is not None,
            "lessons": can_write(work_folder(env)),
            "cache": can_write(user_cache_path("jimoto", False)),
        },
        "disk_free_bytes": free_space(models),
    }


def can_write(folder: Path) -> bool:
    """Could a file be made there, or in the nearest folder above that exists?"""
    try:
        place = next(p for p in (folder, *folder.absolute().parents) if p.is_dir())
        with tempfile.TemporaryFile(dir=place):
            return True
    except (OSError, StopIteration):
        return False


def free_space(folder: Path) -> int | None:
    """Bytes free on the disk of a folder that need not exist yet."""
    for place in (folder, *folder.absolute().parents):
        try:
            return shutil.disk_usage(place).free
        except OSError:
            continue
    return None


# --- what answers ---


def ask_server(env: Mapping[str, str]) -> Found:
    """The server that lessons would use, as `connect` looks for it, but without starting one."""
    named = env.get("OLLAMA_HOST", "").strip()
    server = find_server(server_url(named)) if named else None
    found: Found = {"host_silent": bool(named and server is None)}
    server = server or find_server(server_url("")) or _embedded(env)
    found["ollama_installed"] = has_ollama(env)
    if server is None:
        return found
    known, n_others = sort_models(model_names(server.url))
    return found | {
        "server": "embedded" if server.embedded else "ollama",
        "server_version": server.version if _VERSION.match(server.version) else "?",
        "models": known,
        "n_other_models": n_others,
    }


def fetch(url: str) -> bytes:
    """What a server on this computer answers, at most a megabyte; OSError or ValueError if nothing.

    With the standard library: to import httpx takes longer than all other checks together.
    """
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=ANSWER_SECONDS) as answer:
            return bytes(answer.read(1_000_000))
    except http.client.HTTPException as error:
        raise ValueError(str(error)) from None


def find_server(url: str) -> Server | None:
    """What answers there, if it answers as Ollama does."""
    try:
        if fetch(f"{url}/").strip() != b"Ollama is running":
            return None
        about = json.loads(fetch(f"{url}/api/version"))
        return Server(url, str(about["version"]), embedded="jimoto" in about)
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _embedded(env: Mapping[str, str]) -> Server | None:
    """The server that an earlier lesson left running."""
    try:
        ready = json.loads(find_home(env).ready_file.read_text(encoding="utf-8"))
        return find_server(f"http://127.0.0.1:{int(ready['port'])}")
    except (JimotoError, OSError, ValueError, LookupError, TypeError):
        return None


def has_ollama(env: Mapping[str, str]) -> bool:
    """Is a real `ollama` on the PATH? The stand-in lies in a folder of ours."""
    found = shutil.which("ollama", path=env.get("PATH"))
    try:
        own = find_home(env).bin.resolve()
    except JimotoError:
        own = None
    return bool(found and Path(found).parent.resolve() != own)


def model_names(url: str) -> list[str]:
    """The names in `/api/tags`; none where the answer cannot be read."""
    try:
        return [str(item["name"]) for item in json.loads(fetch(f"{url}/api/tags"))["models"]]
    except (OSError, ValueError, LookupError, TypeError):
        return []


def sort_models(names: list[str]) -> tuple[list[str], int]:
    """mame and the models of the catalogue by name; the others, named by their owner, by number.

    >>> sort_models(["mame:latest", "llama3.2:1b", "aoi-diary:latest", "192.168.0.7/x/y:z"])
    (['mame', 'llama3.2:1b'], 2)
    """
    from jimoto.hardware.catalog import models

    public = {row.name for row in models()} | {MODEL}
    short = [name.removesuffix(":latest") for name in names]
    known = [name for name in short if name in public]
    return known, len(short) - len(known)


def look_at_ports() -> Found:
    """Who holds the ports that lessons use."""
    found = {}
    for port in (DEFAULT_PORT, FIRST_PORT):
        holder = "free" if is_free(port) else "other"
        if port == DEFAULT_PORT and holder == "other":
            server = find_server(f"http://127.0.0.1:{port}")
            holder = ("jimoto" if server.embedded else "ollama") if server else "other"
        found[str(port)] = holder
    return {"ports": found}


def catching_proxies() -> list[str]:
    """Settings that would send 127.0.0.1 or localhost through a proxy: their names, not values."""
    proxies = urllib.request.getproxies()  # variables, else what macOS or Windows is set to
    caught = [host for host in ("127.0.0.1", "localhost") if not urllib.request.proxy_bypass(host)]
    return sorted({"http", "all"} & set(proxies)) if caught else []


def try_sites() -> Found:
    """Which of the sites answers at all, through the proxies that are set."""

    def reached(url: str) -> bool:
        request = urllib.request.Request(url, method="HEAD", headers={"User-Agent": "jimoto"})
        try:
            urllib.request.urlopen(request, timeout=SITE_SECONDS).close()
        except urllib.error.HTTPError as error:  # an answer, if not the wished one
            error.close()
        except (OSError, ValueError, http.client.HTTPException):
            return False
        return True

    results: dict[str, bool] = dict.fromkeys(SITES, False)

    def work(name: str, url: str) -> None:
        results[name] = reached(url)

    threads = [threading.Thread(target=work, args=item, daemon=True) for item in SITES.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SITE_SECONDS)
    return {"network": dict(results)}
