"""The speed formulas against the published measurements, of which half were held out."""

import statistics
from dataclasses import replace

import pytest

from jimoto.hardware import catalog
from jimoto.hardware.fit import fit
from jimoto.hardware.machine import Gpu, Machine, Rates, from_row
from jimoto.hardware.memory import Use
from jimoto.hardware.speed import (
    MEASURED_SHARE,
    SHARES,
    calibrate,
    calibration_points,
    fixed_decode,
    speed_kind,
    stream_gb_s,
)
from jimoto.hardware.subjects import find_subject

POINTS = calibration_points(catalog.speeds())
KINDS = ("metal", "gpu", "hbm", "cpu")


def halves(kind):
    rows = [point for point in POINTS if point.kind == kind]
    return rows[0::2], rows[1::2]


def error(point, predicted):
    return abs(predicted / point.speed.decode_tokens_per_second - 1)


@pytest.mark.parametrize("kind", ["hbm", "cpu"])
def test_the_constants_are_those_of_the_first_half(kind):
    assert calibrate(halves(kind)[0]) == pytest.approx(SHARES[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_the_second_half_is_predicted_within_a_quarter(kind):
    errors = [error(point, point.predict(*SHARES[kind])) for point in halves(kind)[1]]
    assert statistics.median(errors) < 0.25


def test_the_formula_beats_a_fixed_share_of_the_bandwidth():
    held_out = [point for kind in KINDS for point in halves(kind)[1]]
    ours = statistics.median(error(p, p.predict(*SHARES[p.kind])) for p in held_out)
    fixed = statistics.median(
        error(p, fixed_decode(p.active_bytes, p.speed.bandwidth_gb_s)) for p in held_out
    )
    assert ours < fixed


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("Apple M2", "apple", "metal"),
        ("NVIDIA RTX 3060", "nvidia", "gpu"),
        ("AMD RX 7900 XTX", "amd", "gpu"),
        ("NVIDIA H100 SXM", "nvidia", "hbm"),
    ],
)
def test_the_kind_of_a_card_chooses_its_constants(name, kind, expected):
    assert speed_kind(Gpu(name, kind)) == expected


def processor(n_core):
    rates = Rates(bandwidth_gb_s=40.0, core_bandwidth_gb_s=15.0, gflops=200.0)
    return Machine("test", "cpu", 16 * 2**30, 8 * 2**30, n_core, rates=rates)


def test_many_cores_are_bound_by_memory_and_few_by_themselves():
    flows = [stream_gb_s(processor(n))[0] for n in (1, 2, 8, 16)]
    assert flows[1] == 2 * flows[0] and flows[2] == flows[3] == MEASURED_SHARE * 40.0


def test_what_nobody_measured_is_unknown():
    assert stream_gb_s(replace(processor(4), rates=None)) is None


@pytest.mark.parametrize(
    ("name", "measured"),
    [("Apple M2 (10-core GPU)", 21.91), ("NVIDIA RTX 4090", 186.21), ("Apple M4 Max", 69.95)],
)
def test_the_range_holds_what_was_measured(name, measured):
    here = from_row(catalog.find_machine(name))
    answer = fit(find_subject("llama2:7b"), here, Use(256))
    assert answer.decode.low < measured < answer.decode.high


def test_reading_follows_computing_power():
    ranges = [
        fit(find_subject("llama2:7b"), from_row(catalog.find_machine(name)), Use()).prefill
        for name in ("Apple M2 (10-core GPU)", "NVIDIA RTX 4090")
    ]
    assert ranges[0].low < 179.57 < ranges[0].high
    assert ranges[1].low < 11992.7 < ranges[1].high


def test_a_full_context_is_slower_than_an_empty_one():
    here = from_row(catalog.find_machine("Apple M2 (10-core GPU)"))
    short, long = (fit(find_subject("llama3.1:8b"), here, Use(n)).decode for n in (256, 32768))
    assert long.low < short.low and long.high == pytest.approx(short.high)
