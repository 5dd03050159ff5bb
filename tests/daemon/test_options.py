"""Every option of the table reaches llama.cpp, under its own name, with Ollama's default."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from types import SimpleNamespace
from typing import Any

import pytest

from conftest import create_model
from jimoto.daemon import answers, inference
from jimoto.daemon.inference import Model, Sampler, Session
from jimoto.daemon.options import OPTION_KINDS, Options


class Recorder:
    """llama.cpp's functions, as far as loading and sampling need them; remembers what it gets."""

    LLAMA_LOAD_MODE_MMAP, LLAMA_LOAD_MODE_NONE = "mmap", "none"

    def __init__(self) -> None:
        self.calls: dict[str, tuple[Any, ...]] = {}
        self.accepted: list[int] = []

    def llama_model_default_params(self) -> SimpleNamespace:
        self.model_params = SimpleNamespace()
        return self.model_params

    def llama_context_default_params(self) -> SimpleNamespace:
        self.context_params = SimpleNamespace()
        return self.context_params

    def llama_model_n_ctx_train(self, handle: Any) -> int:
        return 4096

    def llama_vocab_n_tokens(self, vocab: Any) -> int:
        return 100

    def llama_vocab_bos(self, vocab: Any) -> int:
        return -1

    def llama_model_chat_template(self, handle: Any, name: Any) -> None:
        return None

    def llama_sampler_accept(self, sampler: Any, token: int) -> None:
        self.accepted.append(token)

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("llama_"):
            raise AttributeError(name)

        def call(*arguments: Any) -> str:
            self.calls[name.removeprefix("llama_sampler_init_")] = arguments
            return name

        return call


@pytest.fixture
def reached(library, settings, tiny_gguf, monkeypatch):
    """options of a request → what llama.cpp is given."""
    create_model(library, "m", tiny_gguf)
    model = library.find("m", "")
    monkeypatch.setattr(inference.os, "cpu_count", lambda: 64)

    def reach(options: dict[str, Any], parameters: dict[str, Any] | None = None) -> Recorder:
        chosen = answers.parse_options(parameters or {}, options)
        plan = answers.make_plan(model, chosen, settings)
        body = {"model": "m", "messages": [{"role": "user", "content": "x"}], "options": options}
        job = json.loads(json.dumps(answers.chat_job(body, model, chosen).command()))
        llama = Recorder()
        loaded = Model(llama, plan.command())
        Sampler(loaded, job, None, list(range(99)))
        llama.job, llama.model = job, loaded
        return llama

    return reach


# option, a value that is no default, what llama.cpp is given by default, and with that value
REACHES = {
    "num_ctx": (128, lambda r: r.context_params.n_ctx, 512, 128),  # no more than was trained
    "num_batch": (64, lambda r: r.context_params.n_batch, 512, 64),
    "num_gpu": (3, lambda r: r.model_params.n_gpu_layers, 999, 3),
    "main_gpu": (1, lambda r: r.model_params.main_gpu, 0, 1),
    "use_mmap": (False, lambda r: r.model_params.load_mode, "mmap", "none"),
    "num_thread": (7, lambda r: r.context_params.n_threads, 1, 7),
    "num_keep": (9, lambda r: r.job["options"]["num_keep"], 4, 9),
    "seed": (42, lambda r: r.calls["dist"][0] == 42, False, True),
    "num_predict": (5, lambda r: r.job["options"]["num_predict"], -1, 5),
    "top_k": (7, lambda r: r.calls["top_k"], (40,), (7,)),
    "top_p": (0.5, lambda r: r.calls["top_p"], (0.9, 1), (0.5, 1)),
    "min_p": (0.1, lambda r: r.calls["min_p"], (0.0, 1), (0.1, 1)),
    "typical_p": (0.6, lambda r: r.calls["typical"], (1.0, 1), (0.6, 1)),
    "repeat_last_n": (3, lambda r: (r.calls["penalties"][1], r.accepted),
                      (64, [*range(35, 99)]), (3, [96, 97, 98])),
    "temperature": (0.2, lambda r: r.calls["temp"], (0.8,), (0.2,)),
    "repeat_penalty": (1.3, lambda r: r.calls["penalties"][2], 1.0, 1.3),
    "frequency_penalty": (0.4, lambda r: r.calls["penalties"][3], 0.0, 0.4),
    "presence_penalty": (0.5, lambda r: r.calls["penalties"][4], 0.0, 0.5),
    "stop": (["END"], lambda r: r.job["options"]["stop"], [], ["END"]),
}  # fmt: skip


@pytest.mark.parametrize("name", REACHES)
def test_an_option_reaches_llama_cpp_from_the_request_and_from_the_model(reached, name):
    value, look, default, given = REACHES[name]
    assert look(reached({})) == default
    assert look(reached({name: value})) == given
    assert look(reached({}, parameters={name: value})) == given
    unset = json.loads(json.dumps(getattr(Options(), name)))
    assert look(reached({name: value}, parameters={name: unset})) == given


def test_the_table_leaves_no_option_out():
    assert set(REACHES) | {"draft_num_predict"} == set(OPTION_KINDS)
    assert list(OPTION_KINDS) == [field.name for field in fields(Options)]


def test_greedy_sampling_asks_for_no_random_number(reached):
    llama = reached({"temperature": 0, "seed": 1})
    assert "greedy" in llama.calls and "dist" not in llama.calls


def test_minus_one_looks_back_over_the_whole_context_and_zero_not_at_all(reached):
    assert reached({"repeat_last_n": -1}).calls["penalties"][1] == 512
    assert reached({"repeat_last_n": 0}).accepted == []


def test_no_seed_is_another_one_each_time(reached):
    assert len({reached({}).job["seed"] for _ in range(4)}) > 1
    assert [reached({"seed": seed}).job["seed"] for seed in (7, 7, -2)] == [7, 7, 2**32 - 2]


LOAD_TIME = {"num_ctx": 128, "num_batch": 64, "num_gpu": 0, "main_gpu": 1, "use_mmap": False,
             "num_thread": 2}  # fmt: skip


@pytest.mark.parametrize("name", OPTION_KINDS)
def test_only_an_option_of_the_load_loads_again(name, library, settings, tiny_gguf):
    create_model(library, "m", tiny_gguf)
    model = library.find("m", "")

    def plan(options: dict[str, Any]) -> tuple[object, ...]:
        return answers.make_plan(model, answers.parse_options(options), settings).load_options

    other = LOAD_TIME[name] if name in LOAD_TIME else REACHES.get(name, (3,))[0]
    assert (plan({name: other}) != plan({})) == (name in LOAD_TIME)


def test_the_kept_tokens_are_those_of_num_keep(reached):
    session = Session.__new__(Session)
    session._model = SimpleNamespace(context_length=33)
    for keep, first in ((4, [0, 1, 2, 3, 72]), (0, [68, 69]), (-1, [68, 69])):
        job = {"truncate": True, "options": asdict(Options(num_keep=keep))}
        fitted = session._fitted(list(range(100)), job)
        assert (fitted[: len(first)], len(fitted), fitted[-1]) == (first, 32, 99)
