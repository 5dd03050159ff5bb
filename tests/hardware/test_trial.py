"""Random files of exact shape: written, checked, loaded by llama.cpp, removed."""

from dataclasses import replace

import numpy as np
import pytest

from jimoto.errors import DiskShort, QuantUnknown, ShapeUnknown, TrialFailed
from jimoto.hardware import trial as room
from jimoto.hardware.catalog import find_model
from jimoto.hardware.machine import Machine, Rates
from jimoto.hardware.memory import Use, compute_bytes, kv_cache_bytes
from jimoto.hardware.quants import BLOCKS, FILE_TYPES, TypedTensor, assign_types, weigh_shape
from jimoto.hardware.random_gguf import random_blocks, write_gguf
from jimoto.hardware.shapes import Shape, Tensor, list_tensors
from jimoto.hardware.subjects import find_subject
from jimoto.hardware.trial import (
    KV_TYPES,
    Plan,
    Report,
    Trial,
    child_environment,
    extrapolate,
    parse_report,
    run_child,
    run_trial,
    try_blocks,
    try_shape,
)

GIB = 2**30
TINY = Shape("llama", 2, 256, 4, 2, 64, 512, 1000, False, n_ctx_train=1024)
TINY_MOE = replace(
    TINY, architecture="qwen3moe", n_expert=4, n_expert_used=2, n_ff_expert=256, n_ff=256
)
TINY_GEMMA = replace(TINY, architecture="gemma3", is_tied=True, n_layer=6, window=256,
                     window_period=6)  # fmt: skip
TRIAL = Trial("Q4_0", 512, 2, 2, 10_000, 9_000, 0.1, 0.1, 20_000,
              Report(10_000, 4_000, 8_000, 500), 100.0, 50.0, 1)  # fmt: skip


def machine(free_bytes=8 * GIB, disk_bytes=50 * GIB):
    rates = Rates(20.0, 10.0, 50.0)
    return Machine("test", "cpu", 16 * GIB, free_bytes, 2, (), disk_bytes, rates, is_this=True)


@pytest.mark.parametrize("kind", sorted({*FILE_TYPES.values(), "F32", "Q5_1", "MXFP4"}))
def test_random_blocks_are_whole_finite_and_not_zero(kind):
    gguf = pytest.importorskip("gguf")
    typed = TypedTensor(Tensor("blk.0.attn_q.weight", (512, 64)), kind)
    raw = b"".join(chunk.tobytes() for chunk in random_blocks(typed, np.random.default_rng(0), 999))
    assert len(raw) == typed.size_bytes and raw.count(0) < len(raw) / 20
    blocks = np.frombuffer(raw, np.uint8).reshape(-1, BLOCKS[kind][1])
    if kind == "BF16":
        values = (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32)
    elif kind in ("F32", "F16"):
        values = np.frombuffer(raw, np.float32 if kind == "F32" else np.float16)
    else:
        values = gguf.quants.dequantize(blocks, gguf.GGMLQuantizationType[kind])
    assert np.isfinite(values).all()
    assert 0.002 < values.astype(np.float64).std() < 0.2


def test_a_file_has_the_exact_size_of_its_tensors_and_a_small_head(tmp_path):
    tensors = assign_types(TINY, list_tensors(TINY), "Q4_K_M")
    size = write_gguf(tmp_path / "a.gguf", TINY, tensors)
    weights = weigh_shape(TINY, "Q4_K_M").size_bytes
    assert weights < size < weights + 10_000
    assert (tmp_path / "a.gguf").stat().st_size == size


def test_a_file_may_bring_a_vocabulary(tmp_path):
    import gguf

    tensors = assign_types(TINY, list_tensors(TINY), "Q8_0")
    tokens = [f"w{i}" for i in range(TINY.n_vocab)]
    write_gguf(tmp_path / "a.gguf", TINY, tensors, sparse=True, tokens=tokens)
    fields = gguf.GGUFReader(tmp_path / "a.gguf").fields
    assert fields["tokenizer.ggml.model"].contents() == "gpt2"
    assert fields["tokenizer.ggml.tokens"].contents() == tokens


def test_a_sparse_file_has_the_same_head_and_takes_no_time(tmp_path):
    tensors = assign_types(TINY, list_tensors(TINY), "Q8_0")
    whole = write_gguf(tmp_path / "a.gguf", TINY, tensors)
    assert write_gguf(tmp_path / "b.gguf", TINY, tensors, sparse=True) == whole


def test_the_worker_waits_passively():
    assert child_environment({"PATH": "x"})["OMP_WAIT_POLICY"] == "passive"


def test_two_trials_give_the_line_to_the_whole():
    larger = replace(TRIAL, n_layer_tried=4, file_bytes=18_000, resident_bytes=30_000,
                     report=Report(18_000, 8_000, 8_000, 500),
                     decode_tokens_per_second=25.0)  # fmt: skip
    whole = extrapolate(TRIAL, larger, 10, size_bytes=42_000, active_bytes=41_000)
    assert whole.report == Report(42_000, 20_000, 8_000, 500)
    assert whole.decode_tokens_per_second == pytest.approx(10.0)  # 20 ms, 40 ms … 100 ms
    assert whole.resident_bytes == 42_000 + 20_000 + 8_500 - 4_500
    assert whole.is_extrapolated


def test_a_report_that_says_nothing_is_zero():
    assert parse_report([]).total_bytes == 0


@pytest.mark.parametrize("name", ["bge-m3", "lfm2.5:8b"])
def test_what_cannot_be_built_is_said_before_anything_is_written(name, tmp_path):
    with pytest.raises(ShapeUnknown):
        run_trial(find_subject(name), machine(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_quantisation_that_cannot_be_written_is_said(tmp_path):
    with pytest.raises(QuantUnknown):
        run_trial(find_subject("llama3.2:1b", "IQ2_XS"), machine(), tmp_path)


def test_a_full_disk_is_refused_politely(tmp_path, monkeypatch):
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _: type("Usage", (), {"free": GIB})())
    with pytest.raises(DiskShort) as raised:
        try_shape("m", find_model("llama3.2:1b").shape(), "Q8_0", Plan(tmp_path, 1))
    assert raised.value.free_gib == "1.0" and "--folder" in str(raised.value)


def test_a_folder_that_cannot_be_written_is_refused_politely(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(TrialFailed) as raised:
        try_shape("m", TINY, "Q4_0", Plan(tmp_path / "file" / "below", 1))
    assert raised.value.cause == "disk"


def test_no_memory_even_for_two_blocks_is_refused_politely(tmp_path):
    with pytest.raises(TrialFailed) as raised:
        run_trial(find_subject("llama3.1:405b"), machine(free_bytes=2 * GIB), tmp_path)
    assert raised.value.cause == "memory" and "GiB" in raised.value.detail


def test_what_a_killed_trial_left_is_removed(tmp_path):
    (tmp_path / "jimoto-trial-999999999.gguf").write_bytes(b"x")
    room.check_disk("m", tmp_path, 0)
    assert list(tmp_path.iterdir()) == []


def test_every_cache_type_of_a_trial_is_known_to_the_formulas():
    assert set(KV_TYPES) <= set(BLOCKS)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [TINY, TINY_MOE, TINY_GEMMA], ids=lambda s: s.architecture)
def test_llama_cpp_loads_a_random_file_and_reserves_what_was_predicted(shape, tmp_path):
    plan = Plan(tmp_path, 1, context_length=1024, n_decode=3)
    trial = try_shape("tiny", shape, "Q4_K_M", plan)
    weights = weigh_shape(shape, "Q4_K_M").size_bytes
    assert trial.report.weights_bytes == pytest.approx(weights, abs=30_000)
    assert trial.report.kv_bytes == pytest.approx(kv_cache_bytes(shape, Use(1024)), abs=20_000)
    assert trial.report.compute_bytes == pytest.approx(compute_bytes(shape, Use(1024)), rel=0.3)
    assert trial.decode_tokens_per_second > 0 and trial.resident_bytes > weights
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_model_too_large_is_tried_by_some_blocks_and_extrapolated(tmp_path):
    shape = replace(TINY, n_layer=12)
    budget = weigh_shape(replace(shape, n_layer=5), "Q8_0").size_bytes
    trial = try_blocks("tiny", shape, "Q8_0", Plan(tmp_path, 1, 512, n_decode=3), budget)
    assert (trial.n_layer_tried, trial.n_layer, trial.is_extrapolated) == (5, 12, True)
    whole = weigh_shape(shape, "Q8_0")
    assert trial.report.weights_bytes == pytest.approx(whole.size_bytes, rel=0.01)
    assert trial.report.kv_bytes == pytest.approx(kv_cache_bytes(shape, Use(512)), rel=0.01)


@pytest.mark.slow
def test_a_trial_that_asks_for_too_much_is_ended_and_leaves_nothing(tmp_path):
    plan = Plan(tmp_path, 1, context_length=512, n_decode=3, memory_bytes=2**20)
    with pytest.raises(TrialFailed) as raised:
        try_shape("tiny", TINY, "F16", plan)
    assert raised.value.cause == "memory"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_file_that_llama_cpp_refuses_is_one_sentence(tmp_path):
    path = tmp_path / "cut.gguf"
    write_gguf(path, TINY, assign_types(TINY, list_tensors(TINY), "F16"))
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises(TrialFailed) as raised:
        run_child("tiny", path, Plan(tmp_path, 1, context_length=512, n_decode=3))
    assert raised.value.cause == "engine" and "\n" in str(raised.value)
