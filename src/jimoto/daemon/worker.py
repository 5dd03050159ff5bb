"""The child process that owns one llama.cpp model: `python -m jimoto.daemon.worker`.

It reads commands and writes replies, one JSON object a line, through its own standard input and
output. It knows no HTTP, no model names and no store, and it is the only place that imports
llama_cpp. When its input closes it is gone, so nothing survives a server that was killed.

    command  {"op": "load", "path", "context_length", "batch", "gpu_layers", "threads", ...}
    reply    {"ready": true, "context_length"}
    command  {"op": "run", "id", ...the fields of jobs.Job}
    replies  {"accepted": id}  {"prompt": {...}}  {"text": "...", "logprobs"?} ...  {"done": {...}}
    command  {"op": "embed", "id", ...the fields of jobs.EmbedJob}
    replies  {"accepted": id}  {"prompt": {...}}  {"vector": [...]} ...  {"done": {...}}
    command  {"op": "quantize", "source", "target", "kind"}
    replies  {"progress": [tensors, of]} ...  {"quantized": true}
    command  {"op": "cancel", "id"}        the run ends at the next token, with reason "cancelled"
    reply    {"error": text, "status": code}   in place of any of these
"""

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, BinaryIO

from jimoto.daemon.embedding import embed
from jimoto.daemon.inference import CancelFlag, Command, Model, RunError, Session
from jimoto.daemon.memory_cap import cap_memory
from jimoto.daemon.prompt import PromptError
from jimoto.daemon.quantize import quantize_file


class Inbox:
    """Commands from the parent, read by a thread so that `cancel` is seen while a run goes on."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._commands: queue.SimpleQueue[Command] = queue.SimpleQueue()
        self._cancelled = -1
        self._current = -2
        self.flag = CancelFlag()
        threading.Thread(target=self._read, daemon=True).start()

    def next(self) -> Command:
        command = self._commands.get()
        self._current = command.get("id", -2)
        self.flag.set(self.is_cancelled())
        return command

    def is_cancelled(self) -> bool:
        return self._cancelled == self._current

    def _read(self) -> None:
        for line in self._source:
            command = json.loads(line)
            if command["op"] == "cancel":
                self._cancelled = command["id"]
                self.flag.set(self.is_cancelled())
            else:
                self._commands.put(command)
        os._exit(0)  # the parent is gone; llama.cpp may be in the middle of anything


def to_grammar(schema: Any) -> str | None:
    if schema is None:
        return None
    from llama_cpp.llama_grammar import LlamaGrammar

    try:
        text = LlamaGrammar.from_json_schema(json.dumps(schema))._grammar
    except Exception as error:  # the converter raises whatever a schema makes it stumble over
        raise RunError(f"invalid format: the JSON Schema cannot be used: {error}") from None
    return str(text)


def take_over_stdout() -> BinaryIO:
    """Replies go to the pipe; what a library prints goes to standard error, and breaks nothing."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return replies


def silence(llama: Any) -> object:
    """Turn llama.cpp's log off; what is returned must be kept as long as the library is used."""
    silent = llama.llama_log_callback(lambda level, text, data: None)
    llama.llama_log_set(silent, None)
    return silent


def load(command: Command, inbox: Inbox) -> Session:
    import llama_cpp.llama_cpp as llama

    kept = silence(llama)
    llama.llama_backend_init()
    if limit_bytes := command.get("memory_limit_bytes", 0):
        cap_memory(limit_bytes, bool(llama.llama_supports_gpu_offload()))
    return Session(Model(llama, command, kept), inbox.is_cancelled, inbox.flag)


def quantize(command: Command, reply: Callable[[Command], None]) -> None:
    import llama_cpp.llama_cpp as llama

    llama.llama_backend_init()
    cap_memory(command["memory_limit_bytes"], bool(llama.llama_supports_gpu_offload()))
    if not quantize_file(llama, command, reply):
        raise RunError("llama.cpp could not quantise this model")
    reply({"quantized": True})


def serve(inbox: Inbox, replies: BinaryIO) -> None:
    """Answer one command after another, until the input closes."""

    def reply(message: Command) -> None:
        replies.write(json.dumps(message, ensure_ascii=False).encode("utf-8") + b"\n")
        replies.flush()

    session: Session | None = None
    while True:
        command = inbox.next()
        try:
            if command["op"] == "quantize":
                quantize(command, reply)
            elif command["op"] == "load":
                session = load(command, inbox)
                reply({"ready": True, "context_length": session.context_length})
            else:
                assert session is not None
                reply({"accepted": command["id"]})
                if command["op"] == "embed":
                    for message in embed(session.lend(), command, inbox.is_cancelled):
                        reply(message)
                    continue
                command["grammar"] = to_grammar(command["schema"])
                for message in session.run(command):
                    reply(message)
        except (RunError, PromptError) as error:
            reply({"error": str(error), "status": getattr(error, "status", 500)})
        except MemoryError:
            reply({"error": "this needs more memory than the model was given", "status": 500})


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the server's business
    replies = take_over_stdout()
    try:
        serve(Inbox(sys.stdin.buffer), replies)
    except BrokenPipeError:
        os._exit(0)  # the parent went away in the middle of a sentence


if __name__ == "__main__":
    main()
