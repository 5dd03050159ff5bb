"""The import lines of src/ against the picture in STYLE: one way only, no circle."""

import ast
import re
from pathlib import Path

SRC = Path(__file__).parents[1] / "src"

# room → what it may import. A room is a file or folder of src/jimoto, or the package mame.
ALLOWED = {
    "errors": set(),
    "formats": set(),
    "__init__": {"checkup", "connection"},
    "connection": {"errors"},
    "install": {"errors"},
    "lab": {"connection", "errors", "install"},
    "checkup": {"connection", "errors", "hardware", "install", "lab"},
    # What an instructor does with models on disk: the store and the mirror, but no engine.
    "holdings": {"connection", "daemon", "errors"},
    "mirror": {"connection", "daemon", "errors", "formats"},
    "bundle": {"daemon", "errors", "holdings", "mirror"},
    "cli": {"__init__", "commands", "connection", "errors", "hardware", "teaching"},
    "commands": {"bundle", "checkup", "connection", "daemon", "errors", "formats", "holdings"}
    | {"lab", "mirror"},
    "daemon": {"__init__", "errors", "hardware"},
    "hardware": {"errors", "formats"},
    "adapters": {"errors"},
    "teaching": {"connection", "errors", "formats", "hardware"},
    "mame": {"adapters", "errors"},
}
# Of the daemon, a command may read only what is pure text: the grammars of Modelfiles and names.
PURE_DAEMON = {"jimoto.daemon.modelfile", "jimoto.daemon.names"}
# Packages that only some rooms may name at all.
ENGINE = {
    "llama_cpp": {
        "daemon/worker.py",
        "hardware/trial.py",
        "mame/evaluate.py",
        "adapters/gguf_llama.py",  # its quantiser
        "adapters/attach.py",  # the route without a server
    }
}


def room_of(path: Path) -> str:
    parts = path.relative_to(SRC).parts
    return "mame" if parts[0] == "mame" else parts[1].removesuffix(".py")


def imported_modules(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            is_package = node.module == "jimoto"
            found |= {f"jimoto.{a.name}" if is_package else node.module for a in node.names}
        elif isinstance(node, ast.Constant) and re.fullmatch(r"jimoto[\w.]*:\w+", str(node.value)):
            found.add(node.value.partition(":")[0])  # a verb's place: imported when it is typed
    return found


def rooms_imported(path: Path) -> set[str]:
    rooms = set()
    for module in imported_modules(path):
        parts = module.split(".")
        if parts[0] == "mame":
            rooms.add("mame")
        elif parts[0] == "jimoto":
            known = len(parts) > 1 and parts[1] in ALLOWED
            rooms.add(parts[1] if known else "__init__")
    return rooms - {room_of(path)}


def test_rooms_import_only_what_the_picture_allows():
    wrong = [
        f"{path.relative_to(SRC)} imports {room}"
        for path in sorted(SRC.rglob("*.py"))
        for room in sorted(rooms_imported(path) - ALLOWED[room_of(path)])
    ]
    assert wrong == []


def test_commands_see_only_the_text_rooms_of_the_daemon():
    named = {
        module
        for path in (SRC / "jimoto" / "commands").glob("*.py")
        for module in imported_modules(path)
        if module.startswith("jimoto.daemon")
    }
    assert named == PURE_DAEMON


def test_only_the_child_processes_load_the_engine():
    wrong = [
        f"{path.relative_to(SRC)} imports {package}"
        for path in sorted(SRC.rglob("*.py"))
        for package, places in ENGINE.items()
        if package in {module.split(".")[0] for module in imported_modules(path)}
        and not any(path.as_posix().endswith(place) for place in places)
    ]
    assert wrong == []


def test_importing_jimoto_loads_nothing_heavy():
    import subprocess
    import sys

    heavy = {"ollama", "httpx", "numpy", "socket", "torch"}
    code = f"import sys, jimoto; print(sorted({heavy} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "[]"
