"""The formulas of memory against the reference tables and what llama.cpp itself reported."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from jimoto.errors import QuantUnknown
from jimoto.hardware.catalog import find_model
from jimoto.hardware.memory import (
    Use,
    check_kv_type,
    compute_bytes,
    estimate_memory,
    kv_cache_bytes,
    resident_bytes,
)
from jimoto.hardware.quants import weigh_shape
from jimoto.hardware.subjects import subject_of_model

MIB = 2**20


@pytest.mark.parametrize(
    ("name", "bytes_per_token"),
    [
        ("llama2:7b", 524_288), ("llama3.2:1b", 32_768), ("llama3.2:3b", 114_688),
        ("llama3.1:8b", 131_072), ("phi4-mini:3.8b", 131_072), ("llama3.1:70b", 327_680),
        ("phi3.5:3.8b", 393_216), ("qwen2.5:7b", 57_344), ("qwen3:32b", 262_144),
        ("qwen3:8b", 147_456), ("qwen3:30b", 98_304), ("smollm2:135m", 23_040),
        ("deepseek-v3:671b", 70_272), ("llama3.1:405b", 516_096), ("qwen2.5:72b", 327_680),
    ],
)  # fmt: skip
def test_the_cache_of_a_token_is_that_of_the_reference(name, bytes_per_token):
    assert kv_cache_bytes(find_model(name).shape(), Use(4096)) == 4096 * bytes_per_token


@pytest.mark.parametrize(
    ("kv_type", "part"), [("F32", 2.0), ("Q8_0", 0.53125), ("Q5_1", 0.375), ("Q4_0", 0.28125)]
)
def test_a_quantised_cache_takes_its_part_of_f16(kv_type, part):
    shape = find_model("llama3.1:8b").shape()
    f16 = kv_cache_bytes(shape, Use(8192))
    assert kv_cache_bytes(shape, Use(8192, kv_type=kv_type)) == part * f16


def test_a_windowed_block_keeps_the_window_and_a_batch():
    # llama.cpp for Gemma 3 1B at 8192: 4 blocks of 8192 cells, 22 of 512 + 512, 256 wide, F16
    shape = find_model("gemma3:1b").shape()
    assert kv_cache_bytes(shape, Use(8192)) == (4 * 8192 + 22 * 1024) * 2 * 256 * 2


def test_a_full_window_keeps_everything_in_all_blocks():
    shape = find_model("gemma3:1b").shape()
    assert kv_cache_bytes(shape, Use(8192, full_window=True)) == 26 * 8192 * 2 * 256 * 2


def test_only_the_blocks_with_attention_of_a_hybrid_have_a_cache():
    assert kv_cache_bytes(find_model("qwen3.5:9b").shape(), Use(4096)) == 8 * 4096 * 2 * 4 * 256 * 2


def test_parallel_requests_multiply_the_cache():
    shape = find_model("llama3.2:1b").shape()
    assert kv_cache_bytes(shape, Use(2048, n_parallel=4)) == 4 * kv_cache_bytes(shape, Use(2048))


@pytest.mark.parametrize(
    ("name", "context", "mib"),
    # what llama.cpp 0c1e57098 printed on loading these shapes, flash attention on
    [
        ("llama3.2:1b", 2048, 258.5), ("llama3.1:8b", 4096, 266.5), ("llama3.1:70b", 4096, 282.5),
        ("qwen2.5:0.5b", 4096, 300.25), ("gemma3:1b", 8192, 516.5), ("gemma2:2b", 8192, 509.0),
        ("qwen3:4b", 4096, 306.75), ("qwen3:30b", 4096, 304.75), ("llama2:7b", 512, 97.01),
        ("llama2:7b", 8192, 104.51), ("llama2:7b", 32768, 128.51), ("tinyllama:1.1b", 32768, 81.01),
        ("deepseek-r1:671b", 4096, 412.01), ("gpt-oss:20b", 4096, 414.4),
        ("glm-4.7-flash:q4_K_M", 1024, 314.5), ("phi3.5:3.8b", 4096, 90.64),
        ("smollm2:135m", 4096, 98.25),
    ],
)  # fmt: skip
def test_buffers_are_what_llama_cpp_reports_within_4_percent(name, context, mib):
    predicted = compute_bytes(find_model(name).shape(), Use(context)) / MIB
    assert predicted == pytest.approx(mib, rel=0.04)


@given(first=some.integers(1, 200_000), second=some.integers(1, 200_000))
@settings(max_examples=60, deadline=None)
def test_memory_never_falls_as_the_context_grows(first, second):
    subject = subject_of_model(find_model("gemma3:1b"))
    shorter, longer = sorted((first, second))
    small, large = (estimate_memory(subject, Use(length)) for length in (shorter, longer))
    assert small.total_bytes <= large.total_bytes


def test_what_stays_resident_is_less_than_what_is_reserved():
    model = find_model("llama3.2:1b")
    weights = weigh_shape(model.shape(), "Q8_0")
    resident = resident_bytes(model.shape(), weights, Use(4096), 128)
    reserved = estimate_memory(subject_of_model(model), Use()).total_bytes
    assert weights.size_bytes < resident < reserved


def test_an_unknown_shape_has_no_cache_size_rather_than_none():
    memory = estimate_memory(subject_of_model(find_model("lfm2.5:8b")), Use())
    assert memory.kv_bytes is None and memory.weights_bytes > 5 * 10**9


def test_an_encoder_keeps_no_cache():
    assert estimate_memory(subject_of_model(find_model("bge-m3")), Use()).kv_bytes == 0


def test_a_tied_table_that_is_rearranged_is_held_twice():
    subject = subject_of_model(find_model("llama3.2:1b"))  # its table is Q8_0
    x86, arm = (estimate_memory(subject, Use(processor=name)) for name in ("x86", "arm"))
    assert arm.weights_bytes - x86.weights_bytes == subject.weights.table_bytes > 0


def test_a_cache_type_that_llama_cpp_does_not_take_is_named():
    assert check_kv_type(" q8_0 ") == "Q8_0"
    with pytest.raises(QuantUnknown):
        check_kv_type("Q6_K")
