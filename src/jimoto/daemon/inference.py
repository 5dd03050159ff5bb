"""One llama.cpp model at work: prompt, prefill, decode, and what its KV cache holds.

It runs in the worker process and is handed the low-level llama_cpp module, so that this file can be
read, and its pure parts tested, without it. It does not know pipes, HTTP or model names; a run is a
plain dictionary, the fields of `jobs.Job`, and answers are plain dictionaries too.
"""

from __future__ import annotations

import ctypes
import math
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from jimoto.daemon.prompt import CHATML, compile_template, drop_oldest, go_writer, render
from jimoto.daemon.stopping import StopScanner
from jimoto.daemon.toolcalls import ToolFormat, format_tags

Command = dict[str, Any]

TINY_BYTES = 50 * 10**6
TINY_CHUNK = 32  # tokens; see `Session.prefill`


class RunError(Exception):
    """The run cannot go on; the process can."""

    def __init__(self, text: str, status: int = 500) -> None:
        super().__init__(text)
        self.status = status


def choose_threads(file_bytes: int, asked: int) -> int:
    """One for a tiny model, where a second waits more than it computes; else the physical cores."""
    if asked > 0:
        return min(asked, os.cpu_count() or 1)
    if file_bytes < TINY_BYTES:
        return 1
    import psutil

    cores: int = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    return max(1, min(cores, usable))


def common_prefix(left: Sequence[int], right: Sequence[int]) -> int:
    """How many tokens two sequences share at their beginning."""
    pairs = zip(left, right, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(left), len(right)))


class Model:
    """A GGUF file in memory, its vocabulary, and one context."""

    def __init__(self, llama: Any, command: Command, kept: object = None) -> None:
        self.llama = llama
        self._kept = kept  # what must live as long as the library is used
        path = Path(command["path"])
        file_bytes = path.stat().st_size
        self.is_tiny = file_bytes < TINY_BYTES
        # 1) weights
        params = llama.llama_model_default_params()
        params.n_gpu_layers = command["gpu_layers"] if command["gpu_layers"] >= 0 else 999
        params.main_gpu = command["main_gpu"]
        mapped = llama.LLAMA_LOAD_MODE_MMAP if command["use_mmap"] else llama.LLAMA_LOAD_MODE_NONE
        params.load_mode = mapped
        self.handle = llama.llama_model_load_from_file(os.fsencode(path), params)
        if not self.handle:
            raise RunError("llama.cpp cannot load this model file")
        self.vocab = llama.llama_model_get_vocab(self.handle)
        # 2) context
        trained = llama.llama_model_n_ctx_train(self.handle)
        self.context_length: int = max(4, min(command["context_length"], trained or 2**31))
        threads = choose_threads(file_bytes, command["threads"])
        context = llama.llama_context_default_params()
        context.n_ctx = self.context_length
        context.n_batch = context.n_ubatch = max(1, min(command["batch"], self.context_length))
        context.n_threads = context.n_threads_batch = threads
        context.no_perf = True
        self.batch = int(context.n_batch)
        self.context = llama.llama_init_from_model(self.handle, context)
        if not self.context:
            raise RunError("not enough memory for the context of this model")
        self.memory = llama.llama_get_memory(self.context)
        self._adapters = attach_adapters(llama, self.handle, self.context, command["adapters"])
        # 3) what is asked for again and again
        self.n_vocab: int = llama.llama_vocab_n_tokens(self.vocab)
        self.bos: int = llama.llama_vocab_bos(self.vocab)
        self.adds_bos = bool(llama.llama_vocab_get_add_bos(self.vocab)) and self.bos >= 0
        self._pieces: dict[tuple[int, bool], bytes] = {}
        raw_template = llama.llama_model_chat_template(self.handle, None)
        self.template = raw_template.decode("utf-8", "replace") if raw_template else None

    def tokenize(self, text: str) -> list[int]:
        """Tokens, special ones recognised, with exactly one BOS where the model wants one."""
        raw = text.encode("utf-8")
        room = len(raw) + 16
        buffer = (self.llama.llama_token * room)()
        count = self.llama.llama_tokenize(self.vocab, raw, len(raw), buffer, room, False, True)
        if count < 0:
            raise RunError("the prompt cannot be tokenised")
        tokens = list(buffer[:count])
        if self.adds_bos and tokens[:1] != [self.bos]:
            tokens.insert(0, self.bos)
        return tokens

    def piece(self, token: int, special: bool = False) -> bytes:
        """The bytes of a token; control tokens have none, unless they are asked for."""
        if (token, special) not in self._pieces:
            self._pieces[token, special] = self._read_piece(token, special)
        return self._pieces[token, special]

    def token_text(self, token: int) -> str:
        if token < 0:
            return ""
        text = self.llama.llama_vocab_get_text(self.vocab, token)
        return text.decode("utf-8", "replace") if text else ""

    def is_end(self, token: int) -> bool:
        return bool(self.llama.llama_vocab_is_eog(self.vocab, token))

    def _read_piece(self, token: int, special: bool) -> bytes:
        size = 128
        while True:
            buffer = ctypes.create_string_buffer(size)
            count = self.llama.llama_token_to_piece(self.vocab, token, buffer, size, 0, special)
            if count >= 0:
                return buffer.raw[:count]
            size = -count

    def single_tokens(self, texts: Sequence[str]) -> set[int]:
        """Those of the texts that are one token each: tags, where the vocabulary knows them."""
        tokenized = [[t for t in self.tokenize(text) if t != self.bos] for text in texts]
        return {tokens[0] for tokens in tokenized if len(tokens) == 1}


def attach_adapters(llama: Any, handle: Any, context: Any, paths: Sequence[str]) -> list[Any]:
    """Apply LoRA files to a context, each with scale 1; or fail, never answer without them."""
    if not paths:
        return []
    adapters = [llama.llama_adapter_lora_init(handle, os.fsencode(path)) for path in paths]
    if not all(adapters):
        raise RunError("llama.cpp cannot apply the adapter of this model")
    count = len(adapters)
    handles = (llama.llama_adapter_lora_p_ctypes * count)(*adapters)
    scales = (ctypes.c_float * count)(*[1.0] * count)
    if llama.llama_set_adapters_lora(context, handles, count, scales) != 0:
        raise RunError("llama.cpp cannot apply the adapter of this model")
    return adapters


class Sampler:
    """A chain of llama.cpp samplers with Ollama's values; with a grammar, only what it allows."""

    def __init__(self, model: Model, job: Command, grammar: str | None, prompt: list[int]) -> None:
        llama = self._llama = model.llama
        self._chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
        if grammar is not None:
            root = llama.llama_sampler_init_grammar(model.vocab, grammar.encode(), b"root")
            if not root:
                self.close()
                raise RunError("invalid format: the JSON Schema has no grammar")
            self._add(root)
        options = job["options"]
        last_n = options["repeat_last_n"]
        last_n = model.context_length if last_n < 0 else last_n
        penalties = llama.llama_sampler_init_penalties(
            model.n_vocab,
            last_n,
            options["repeat_penalty"],
            options["frequency_penalty"],
            options["presence_penalty"],
        )
        if not penalties:
            self.close()
            raise RunError('option "repeat_penalty" must be greater than 0')
        for token in prompt[-last_n:] if last_n else []:
            llama.llama_sampler_accept(penalties, token)
        self._add(penalties)
        if options["temperature"] <= 0:
            self._add(llama.llama_sampler_init_greedy())
            return
        self._add(llama.llama_sampler_init_top_k(options["top_k"]))
        self._add(llama.llama_sampler_init_typical(options["typical_p"], 1))
        self._add(llama.llama_sampler_init_top_p(options["top_p"], 1))
        self._add(llama.llama_sampler_init_min_p(options["min_p"], 1))
        self._add(llama.llama_sampler_init_temp(options["temperature"]))
        self._add(llama.llama_sampler_init_dist(job["seed"]))

    def sample(self, context: Any) -> int:
        return int(self._llama.llama_sampler_sample(self._chain, context, -1))

    def close(self) -> None:
        self._llama.llama_sampler_free(self._chain)

    def _add(self, sampler: Any) -> None:
        self._llama.llama_sampler_chain_add(self._chain, sampler)


class CancelFlag:
    """One byte of memory that llama.cpp reads at every node of its graph, to know when to stop.

    A Python function, called 700 times a token from a thread that must first get the interpreter,
    would cost a 0.5B model a tenth of its speed. The C library's `strlen` looks at the byte as
    well: an empty string has length 0, which is false; a longer one is true.
    """

    def __init__(self) -> None:
        self._text = ctypes.create_string_buffer(2)

    def set(self, is_cancelled: bool) -> None:
        self._text[0] = b"!" if is_cancelled else b"\0"

    def attach(self, llama: Any, context: Any) -> None:
        library = ctypes.CDLL("msvcrt" if os.name == "nt" else None)
        self._strlen = ctypes.cast(library.strlen, llama.ggml_abort_callback)
        llama.llama_set_abort_callback(context, self._strlen, ctypes.addressof(self._text))


class Session:
    """One run after another over one model: prompt, prefill, decode; knows what is cached."""

    def __init__(self, model: Model, is_cancelled: Callable[[], bool], flag: CancelFlag) -> None:
        self._model = model
        self._llama = model.llama
        self._is_cancelled = is_cancelled
        self._cached: list[int] = []  # the tokens whose keys and values are in memory
        self._prefilled = 0  # how many of them were computed as whole chunks of a prompt
        self._templates: dict[str, Any] = {}
        self._flag = flag
        flag.attach(self._llama, model.context)

    @property
    def _prompt_room(self) -> int:
        """Tokens that a prompt may have: one position stays for the first new token."""
        return self._model.context_length - 1

    @property
    def context_length(self) -> int:
        return self._model.context_length

    def lend(self) -> Model:
        """The model, for work that fills its cache with something else."""
        del self._cached[:]
        self._prefilled = 0
        self._llama.llama_memory_clear(self._model.memory, True)
        return self._model

    def run(self, job: Command) -> Iterator[Command]:
        """Replies to one command, the last of them `done`."""
        # 1) the prompt
        text, tokens = self._prompt(job)
        if job["render_only"]:
            yield {"done": {"rendered": text}}
            return
        tokens = self._fitted(tokens, job)
        began = time.perf_counter()
        reused = self._reuse(tokens)
        yield {"prompt": {"count": len(tokens), "cached": reused, "tail": text[-64:]}}
        # 2) prefill
        if not self._prefill(tokens, reused):
            yield {"done": {"reason": "cancelled"}}
            return
        prefilled = time.perf_counter()
        # 3) decode
        generated: list[int] = []
        reason, count = "length", 0
        scanner = StopScanner(job["options"]["stop"])
        shown = self._model.single_tokens(shown_tags(job))
        figures = TokenFigures(self._model, job["logprobs"])
        for token in self._decode(tokens, job, text):
            if isinstance(token, str):
                reason = token
                count += token == "stop"  # the end token was computed, like any other
                break
            count += 1
            generated.append(token)
            raw = self._model.piece(token, token in shown)
            figures.note(token, raw)
            if piece := scanner.feed(raw):
                yield {"text": piece, **figures.of(piece)}
            if scanner.stopped:
                reason = "stop"
                break
        rest = "" if scanner.stopped else scanner.finish()
        last = {} if scanner.stopped else figures.rest()
        if rest or last:
            yield {"text": rest, **last}
        yield {
            "done": {
                "reason": reason,
                "prompt_count": len(tokens),
                "prompt_seconds": prefilled - began,
                "eval_count": count,
                "eval_seconds": time.perf_counter() - prefilled,
                "context": [*tokens, *generated] if job["wants_context"] else None,
            }
        }

    # --- prompt ---

    def _prompt(self, job: Command) -> tuple[str, list[int]]:
        """The text that reaches the model, and its tokens; the oldest messages go if need be."""
        model = self._model
        before = self._detokenize(job["context"])
        if job["messages"] is None and not job["template"]:
            text = before + job["prompt"]
            return text, model.tokenize(text)
        write = self._writer(job)

        def tokens_of(messages: list[Any]) -> tuple[str, list[int]]:
            text = before + write(messages)
            return text, model.tokenize(text)

        messages = job["messages"] or []
        if job["truncate"]:
            room = self._prompt_room
            messages = drop_oldest(messages, lambda kept: len(tokens_of(kept)[1]) <= room)
        return tokens_of(messages)

    def _writer(self, job: Command) -> Callable[[list[Any]], str]:
        """What makes messages the prompt: TEMPLATE, or the Jinja text that came with the model."""
        if job["template"]:
            names = ("tools", "think", "prompt", "suffix")
            return go_writer(job["template"], **{name: job[name] for name in names})
        source = self._model.template or CHATML
        if source not in self._templates:
            self._templates[source] = compile_template(source)
        template, variables = self._templates[source], self._variables(job)
        return lambda messages: render(template, messages, variables)

    def _variables(self, job: Command) -> dict[str, Any]:
        model, llama = self._model, self._llama
        return {
            "bos_token": model.token_text(model.bos),
            "eos_token": model.token_text(llama.llama_vocab_eos(model.vocab)),
            "tools": job["tools"] or None,  # as transformers does
            **job["variables"],
        }

    def _detokenize(self, tokens: Sequence[int] | None) -> str:
        known = [t for t in tokens or () if 0 <= t < self._model.n_vocab and t != self._model.bos]
        pieces = (self._model._read_piece(token, True) for token in known)
        return b"".join(pieces).decode("utf-8", "replace")

    def _fitted(self, tokens: list[int], job: Command) -> list[int]:
        """No longer than the context: the first `num_keep` stay, then the oldest go."""
        room = self._prompt_room
        if not tokens:
            raise RunError("the prompt is empty", 400)
        if len(tokens) <= room:
            return tokens
        if not job["truncate"]:
            raise RunError("the input length exceeds the context length", 400)
        keep = max(0, min(job["options"]["num_keep"], room // 2))
        return tokens[:keep] + tokens[len(tokens) - room + keep :]

    # --- llama.cpp ---

    def _reuse(self, tokens: list[int]) -> int:
        """Keep what the cache shares with this prompt; how many tokens that is."""
        shared = min(common_prefix(self._cached, tokens), len(tokens) - 1)
        if self._model.is_tiny:
            # Only whole chunks that a prefill computed: then a prompt is computed in the same
            # steps, and so to the same bits, whatever was asked before. A tiny model reads the
            # rest again in a moment.
            shared = min(shared, self._prefilled) // TINY_CHUNK * TINY_CHUNK
        if not self._llama.llama_memory_seq_rm(self._model.memory, -1, shared, -1):
            self._llama.llama_memory_clear(self._model.memory, True)
            shared = 0
        del self._cached[shared:]
        self._prefilled = min(self._prefilled, shared)
        return shared

    def _prefill(self, tokens: list[int], start: int) -> bool:
        """Read the prompt in chunks; False if it was cancelled on the way."""
        chunk = TINY_CHUNK if self._model.is_tiny else self._model.batch
        chunk = min(chunk, self._model.batch)
        for at in range(start, len(tokens), chunk):
            if self._is_cancelled() or not self._evaluate(tokens[at : at + chunk]):
                return False
        self._prefilled = len(tokens)
        return True

    def _decode(self, prompt: list[int], job: Command, text: str) -> Iterator[int | str]:
        """Tokens one by one; a text says why they end before `num_predict` is reached."""
        model, options = self._model, job["options"]
        asked, most = options["num_predict"], 10 * model.context_length
        limit = min(asked, most) if asked >= 0 else most
        grammar: str | None = job["grammar"]
        # A thinking model thinks freely first; the grammar begins after its closing tag.
        opening, closing = (tag.encode() for tag in job["think_tags"])
        tail = text.rstrip().encode()
        waits = grammar is not None and job["thinks"] and not tail.endswith(closing)
        inside = tail.endswith(opening)
        sampler = Sampler(model, job, None if waits else grammar, prompt)
        tags = model.single_tokens(job["think_tags"]) if waits else set()
        seen = b""
        try:
            for count in range(limit):
                token = sampler.sample(model.context)
                if waits:
                    written = seen + model.piece(token, token in tags)
                    ends = model.is_end(token)
                    if not inside and (ends or _is_answer(written.lstrip(), opening)):
                        # It answers without a thought, so this is the first token of the answer.
                        waits = False
                        sampler.close()
                        sampler = Sampler(model, job, grammar, prompt)
                        token = sampler.sample(model.context)
                if model.is_end(token):
                    yield "stop"
                    return
                yield token
                if self._is_cancelled():
                    yield "cancelled"
                    return
                if waits:
                    inside = inside or written.lstrip().startswith(opening)
                    seen = written[-256:] if inside else written
                    if closing in seen:
                        waits = False
                        sampler.close()
                        sampler = Sampler(model, job, _after_whitespace(grammar), prompt)
                if count + 1 == limit:
                    return
                if len(self._cached) >= model.context_length and not self._shift(job):
                    return
                if not self._evaluate([token]):
                    yield "cancelled"
                    return
        finally:
            sampler.close()

    def _shift(self, job: Command) -> bool:
        """The window is full: forget half of what follows the first `num_keep` tokens."""
        memory = self._model.memory
        if not job["shift"] or not self._llama.llama_memory_can_shift(memory):
            return False
        full = len(self._cached)
        keep = max(0, min(job["options"]["num_keep"], full // 2))
        discard = max(1, (full - keep) // 2)
        self._llama.llama_memory_seq_rm(memory, 0, keep, keep + discard)
        self._llama.llama_memory_seq_add(memory, 0, keep + discard, full, -discard)
        # What was moved is never again the beginning of a prompt.
        self._cached[keep:] = [-1] * (full - keep - discard)
        self._prefilled = min(self._prefilled, keep)
        return True

    def _evaluate(self, tokens: list[int]) -> bool:
        """Compute these tokens after what is cached; False if it was aborted."""
        array = (self._llama.llama_token * len(tokens))(*tokens)
        batch = self._llama.llama_batch_get_one(array, len(tokens))
        status = self._llama.llama_decode(self._model.context, batch)
        if status == 0:
            self._cached.extend(tokens)
            return True
        self._llama.llama_memory_seq_rm(self._model.memory, -1, len(self._cached), -1)
        if status == 2:
            return False
        raise RunError(f"llama.cpp failed to decode (code {status})")


def shown_tags(job: Command) -> list[str]:
    """Tags that may be control tokens, and that the text is split by."""
    calls = job["tool_format"]
    return [*job["think_tags"], *(format_tags(ToolFormat(**calls)) if calls else ())]


def _is_answer(written: bytes, opening: bytes) -> bool:
    """Whether this cannot become the opening tag any more."""
    return not opening.startswith(written[: len(opening)])


class TokenFigures:
    """Log probabilities of tokens, handed out with the text that they became.

    They are those of the model, before penalties, temperature and grammar change them.
    """

    def __init__(self, model: Model, alternatives: int | None) -> None:
        self._model = model
        self._alternatives = alternatives
        self._waiting: list[tuple[int, Command]] = []  # where the token's text begins, in bytes
        self._written = self._told = 0  # bytes

    def note(self, token: int, raw: bytes) -> None:
        """The token that was just sampled; the context still holds what it was chosen from."""
        if self._alternatives is None:
            return
        self._waiting.append((self._written, self._figures(token, self._alternatives)))
        self._written += len(raw)

    def of(self, text: str) -> Command:
        """The figures of the tokens whose text begins within what is now told."""
        if self._alternatives is None:
            return {}
        self._told += len(text.encode("utf-8"))
        ready = [figures for begin, figures in self._waiting if begin < self._told]
        self._waiting = self._waiting[len(ready) :]
        return {"logprobs": ready}

    def rest(self) -> Command:
        """The figures of tokens without a text of their own, at the very end."""
        return {"logprobs": [figures for _, figures in self._waiting]} if self._waiting else {}

    def _figures(self, token: int, alternatives: int) -> Command:
        import numpy as np

        model = self._model
        pointer = model.llama.llama_get_logits_ith(model.context, -1)
        logits = np.ctypeslib.as_array(pointer, (model.n_vocab,)).astype(np.float64)
        logits -= logits.max()
        logits -= np.log(np.exp(logits).sum())
        found = self._figure(token, logits)
        if alternatives:
            most = np.argsort(-logits, kind="stable")[:alternatives]
            found["top_logprobs"] = [self._figure(int(other), logits) for other in most]
        return found

    def _figure(self, token: int, logprobs: Any) -> Command:
        raw = self._model.piece(token, special=True)
        value = float(logprobs[token])
        text = raw.decode("utf-8", "replace")
        # JSON has no infinity: what is impossible is merely very unlikely.
        value = value if math.isfinite(value) else -9999.0
        return {"token": text, "logprob": value, "bytes": list(raw)}


def _after_whitespace(grammar: str | None) -> str | None:
    """The same grammar, with the few line breaks that stand between thinking and answer."""
    if grammar is None:
        return None
    renamed = re.sub(r"^root ", "answer ", grammar, flags=re.MULTILINE)
    return "root ::= [ \\t\\n]{0,4} answer\n" + renamed
