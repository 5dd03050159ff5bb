"""Weights in fewer bits: llama.cpp's own quantiser, in a process of its own.

The upper half runs in the server: names of types, and the process that does the work. The lower
half, `quantize_file`, runs in that process and is handed the llama_cpp module. Neither knows names
of models or the store.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from jimoto.daemon.child import worker_environment
from jimoto.daemon.gguf_check import FILE_TYPES
from jimoto.daemon.wire import ApiError

# Types that need no importance matrix; a source must still have all its bits.
TARGETS = {
    name: number for number, name in FILE_TYPES.items() if not name.startswith(("IQ", "TQ", "MXFP"))
}
ALIASES = {"Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M", "Q3_K": "Q3_K_M"}
SOURCES = ("F32", "F16", "BF16")

MAX_BUFFER_BYTES = 2**30  # of tensor rows held at once
_LOG_LINE = re.compile(r"\[\s*(\d+)/\s*(\d+)\]")


def parse_target(text: str) -> str:
    """The name of a type as GGUF writes it; case does not matter; raises ApiError.

    >>> parse_target("q4_k"), parse_target("Q8_0")
    ('Q4_K_M', 'Q8_0')
    """
    name = text.strip().upper()
    name = ALIASES.get(name, name)
    if name not in TARGETS:
        raise ApiError(500, f"unsupported quantization type {text[:40]!r}; try Q8_0 or Q4_K_M")
    return name


def run_quantizer(source: Path, target: Path, kind: str) -> Generator[tuple[int, int]]:
    """Write `target`, a GGUF of this type; yields tensors done and in all.

    Closing the iterator early ends the process. Raises ApiError; `target` may then be half written.
    """
    # the mapped source, as much again, and the buffers
    limit = 2 * source.stat().st_size + 3 * MAX_BUFFER_BYTES
    command = {"op": "quantize", "source": str(source), "target": str(target), "kind": kind}
    command_line = json.dumps({**command, "memory_limit_bytes": limit}).encode() + b"\n"
    process = subprocess.Popen(
        [sys.executable, "-P", "-X", "utf8", "-m", "jimoto.daemon.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=worker_environment(os.environ),
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(command_line)
        process.stdin.flush()
        for line in process.stdout:
            reply = json.loads(line)
            if "error" in reply:
                raise ApiError(reply["status"], reply["error"])
            if "quantized" in reply:
                return
            done, total = reply["progress"]
            yield done, total
        raise ApiError(500, "the quantising process ended unexpectedly")
    except (OSError, ValueError):
        raise ApiError(500, "the quantising process ended unexpectedly") from None
    finally:
        process.kill()
        with contextlib.suppress(OSError):
            process.stdin.close()
        process.stdout.close()
        process.wait()


def quantize_file(llama: Any, command: dict[str, Any], reply: Callable[[Any], None]) -> bool:
    """Do it, in the child: `progress` replies from llama.cpp's log; whether it worked."""

    def on_log(level: int, text: bytes, data: Any) -> None:
        found = _LOG_LINE.search(text.decode("utf-8", "replace"))
        if found:
            reply({"progress": [int(found[1]), int(found[2])]})

    logged = llama.llama_log_callback(on_log)
    llama.llama_log_set(logged, None)
    params = llama.llama_model_quantize_default_params()
    params.ftype = TARGETS[command["kind"]]
    params.nthread = max(1, (os.cpu_count() or 2) // 2)  # the machine stays usable
    params.max_buf_size = MAX_BUFFER_BYTES
    source, target = os.fsencode(command["source"]), os.fsencode(command["target"])
    return bool(llama.llama_model_quantize(source, target, params) == 0)
