"""One short training of the shipped mame, and one server, for all tests of adapters."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Trained:
    """mame with an adapter, on the training side and as files."""

    base: Path  # the shipped GGUF
    folder: Path  # what PEFT wrote
    adapter: Path  # the same as GGUF
    network: Any  # the PeftModel
    tokenizer: Any


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """Twelve steps on the fact sheet: enough to change what mame says."""
    pytest.importorskip("torch", reason="needs the extra 'train'")
    pytest.importorskip("peft", reason="needs the extra 'train'")
    from jimoto.adapters import gguf_lora
    from mame import base, examples, tune

    folder = tmp_path_factory.mktemp("trained")
    recipe = tune.Recipe(steps=12, batch_size=4, rate=1e-2, keep=0.0, held_out=0.02, seconds=1e9)
    tune.tune(examples.fact_sheet(), folder, recipe=recipe, progress=False)
    network, tokenizer = tune.load(folder)
    adapter = gguf_lora.convert(folder, base.shipped(), folder / "sheet.gguf")
    return Trained(base.shipped(), folder, adapter, network, tokenizer)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an embedded server of its own that has mame."""
    from jimoto.connection import ensure_mame

    folder = tmp_path_factory.mktemp("server")
    ready = folder / "ready.json"
    command = [sys.executable, "-P", "-m", "jimoto.daemon", "--port", "0"]
    command += ["--models", str(folder / "models"), "--ready-file", str(ready)]
    with (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, env=dict(os.environ))
    limit = time.monotonic() + 120  # for a broken build only
    while not ready.exists() and process.poll() is None and time.monotonic() < limit:
        time.sleep(0.05)
    assert process.poll() is None and ready.exists(), (folder / "log.txt").read_text()
    url = f"http://127.0.0.1:{json.loads(ready.read_text(encoding='utf-8'))['port']}"
    ensure_mame(url)
    yield url
    process.terminate()
    process.wait(60)
