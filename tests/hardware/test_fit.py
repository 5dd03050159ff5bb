"""Verdicts, placement, and what would fit instead."""

from dataclasses import dataclass, replace

import pytest

from jimoto.errors import MemoryShort
from jimoto.hardware import catalog
from jimoto.hardware.fit import fit, gpu_free_bytes, place, refusal
from jimoto.hardware.machine import Gpu, Machine, Rates, from_row
from jimoto.hardware.memory import Use, estimate_memory
from jimoto.hardware.quants import assign_types
from jimoto.hardware.random_gguf import metadata, write_gguf
from jimoto.hardware.shapes import list_tensors
from jimoto.hardware.subjects import find_subject

GIB = 2**30
RATES = Rates(bandwidth_gb_s=40.0, core_bandwidth_gb_s=15.0, gflops=200.0)


def machine(memory_gib=16.0, free_gib=None, gpus=()):
    free = memory_gib if free_gib is None else free_gib
    return Machine(
        "test", "gpu" if gpus else "cpu", int(memory_gib * GIB), int(free * GIB), 4, gpus,
        rates=RATES,
    )  # fmt: skip


def card(gib):
    return Gpu("NVIDIA RTX 4070", "nvidia", int(gib * GIB), int(gib * GIB), 504.0, 40.0)


@pytest.mark.parametrize(
    ("memory_gib", "free_gib", "verdict"),
    [(16, 8, "comfortable"), (16, 5.5, "tight"), (16, 4, "will_swap"), (4, 4, "impossible")],
)
def test_the_verdict_compares_need_with_what_is_free_and_with_what_is_there(
    memory_gib, free_gib, verdict
):
    answer = fit(find_subject("llama3.1:8b"), machine(memory_gib, free_gib), Use())
    assert answer.verdict == verdict
    assert answer.need_bytes == pytest.approx(5.41 * GIB, rel=0.01)


def test_the_largest_context_fits_and_the_next_does_not():
    subject, here = find_subject("llama3.1:8b"), machine(16, 6)
    context = fit(subject, here, Use()).largest_context
    assert fit(subject, here, Use(context)).fits
    assert not fit(subject, here, Use(context + 256)).fits


def test_the_best_quantisation_fits_and_the_next_better_does_not():
    here = machine(16, 6)
    assert fit(find_subject("llama3.1:8b"), here, Use()).best_quant == "Q4_K_M"
    assert not fit(find_subject("llama3.1:8b", "Q5_K_M"), here, Use()).fits


def test_where_nothing_fits_the_answer_says_none():
    answer = fit(find_subject("llama3.1:70b"), machine(8, 6), Use())
    assert (answer.verdict, answer.largest_context, answer.best_quant) == ("impossible", 0, "")


def test_all_experts_are_in_memory_and_the_active_ones_are_read():
    answer = fit(find_subject("qwen3:30b"), machine(64), Use())
    assert answer.memory.weights_bytes == pytest.approx(18.56e9, rel=0.01)
    assert answer.subject.weights.active_bytes < 2.5e9
    dense = fit(find_subject("qwen3:32b"), machine(64), Use())
    assert answer.decode.low > 5 * dense.decode.high


def test_a_model_that_fits_a_card_lies_there_whole():
    answer = fit(find_subject("llama3.1:8b"), machine(16, gpus=(card(12),)), Use())
    assert answer.placement.n_gpu_layer == answer.placement.n_layer == 32
    assert answer.decode.high > 60


def test_a_model_that_does_not_is_split_and_slower():
    here = machine(32, gpus=(card(12),))
    split = fit(find_subject("qwen2.5:14b", "Q8_0"), here, Use())
    assert 0 < split.placement.n_gpu_layer < split.placement.n_layer
    assert split.placement.gpu_bytes <= gpu_free_bytes(here)
    assert split.decode.high < fit(find_subject("qwen2.5:14b"), here, Use()).decode.low


def test_on_a_card_the_largest_context_is_one_that_stays_on_it():
    here = machine(64, gpus=(card(12),))
    subject = find_subject("llama3.1:8b")
    context = fit(subject, here, Use()).largest_context
    memory = estimate_memory(subject, Use(context))
    assert place(subject, memory, here).n_gpu_layer == 32
    assert context < 131_072


def test_apple_lets_the_gpu_use_a_part_of_the_memory_and_counts_it_once():
    here = from_row(catalog.find_machine("16 GB Apple M2"))
    assert gpu_free_bytes(here) == int(0.70 * 16 * GIB)
    answer = fit(find_subject("llama3.1:8b"), here, Use())
    assert answer.placement.n_gpu_layer == 32
    assert answer.need_bytes == answer.memory.total_bytes


def test_unknown_bandwidth_gives_no_speed_rather_than_zero():
    here = replace(machine(), rates=None)
    answer = fit(find_subject("llama3.2:1b"), here, Use())
    assert answer.decode is None and answer.verdict == "comfortable"


def test_an_unknown_shape_is_refused_only_when_its_weights_alone_are_too_much():
    subject = find_subject("lfm2.5:8b")
    assert fit(subject, machine(16), Use()).verdict == "unknown"
    assert fit(subject, machine(4), Use()).verdict == "impossible"


def test_a_context_longer_than_trained_is_cut():
    assert fit(find_subject("tinyllama:1.1b"), machine(), Use(32768)).use.context_length == 2048


@dataclass(frozen=True)
class OtherTensor:
    name: str
    type: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class OtherHead:
    """As another reader would hand it over: the daemon has its own."""

    metadata: dict
    tensors: tuple


def head_of(name, quant="Q4_K_M"):
    shape = catalog.find_model(name).shape()
    said = {f"{shape.architecture}.{key}": value for key, value in metadata(shape).items()}
    typed = assign_types(shape, list_tensors(shape), quant)
    tensors = tuple(OtherTensor(t.tensor.name, t.type, t.tensor.dims) for t in typed)
    return OtherHead({"general.architecture": shape.architecture, **said}, tensors)


def test_the_guard_lets_pass_what_fits():
    assert refusal(head_of("llama3.1:8b"), 4096, 6 * GIB) is None


def test_the_guard_gives_the_numbers_and_a_context_that_would_fit():
    error = refusal(head_of("llama3.1:8b"), 32768, 6 * GIB, name="llama3.1:8b")
    assert isinstance(error, MemoryShort)
    assert (error.need_gib, error.free_gib, error.kv_gib) == ("8.9", "6.0", "4.00")
    assert "Try 'llama3.1:8b' at" in error.text("en") and "コンテキスト長" in error.text("ja")


def test_the_guard_offers_a_smaller_model_where_no_context_helps():
    error = refusal(head_of("llama3.1:70b"), 4096, 4 * GIB, name="llama3.1:70b")
    assert "Try '" in error.advice and "70b" not in error.advice


def test_the_guard_reads_a_file_itself(tmp_path):
    shape = catalog.find_model("smollm2:1.7b").shape()
    path = tmp_path / "model.gguf"
    write_gguf(path, shape, assign_types(shape, list_tensors(shape), "Q4_0"), sparse=True)
    assert refusal(path, 2048, 2 * GIB) is None
    assert refusal(path, 2048, GIB).model == "model.gguf"


def test_the_whole_catalogue_gets_an_answer():
    from jimoto.hardware.command import fit_catalogue

    answers = fit_catalogue(machine(8, 5), Use(), None)
    assert len(answers) > 80
    assert {"comfortable", "will_swap", "impossible"} <= {answer.verdict for answer in answers}
