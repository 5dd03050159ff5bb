"""The meter sees memory of a process that is there, and of one that it started."""

from __future__ import annotations

import doctest
import subprocess
import sys

import pytest

from tools import measure
from tools.measure import Meter, contract_remarks

HOG = (
    "import subprocess, sys; own = bytearray(60_000_000)\n"
    "child = subprocess.Popen([sys.executable, '-c',"
    " 'x = bytearray(60_000_000); print(1, flush=True); input()'], stdin=-1, stdout=-1)\n"
    "child.stdout.readline(); print('ready', flush=True); input(); child.communicate(b'x')"
)


def test_worked_examples_hold():
    assert doctest.testmod(measure).failed == 0


def test_the_peak_holds_a_process_and_its_children(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOG], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as hog:
        hog.stdout.readline()
        meter = Meter(hog.pid, tmp_path)
        meter.stop()
        hog.communicate("x")
    assert 120e6 < meter.peak_bytes < 400e6
    assert len(meter.cpu_by_process) == 2 and meter.others_cores >= 0


def metered(tmp_path, peak_mb: float, seconds: float, others: float) -> Meter:
    meter = Meter(2**31 - 2, tmp_path)  # no such process
    meter.stop()
    meter.peak_bytes, meter.cell_seconds, meter.others_cores = int(peak_mb * 1e6), seconds, others
    return meter


@pytest.mark.parametrize(
    ("peak", "seconds", "others", "words"),
    [
        (240, 20, 0.0, []),
        (500, 20, 0.0, ["peak_ram_mb"]),
        (240, 45, 0.0, ["run_seconds"]),
        (100, 9, 0.0, ["peak_ram_mb", "run_seconds"]),
        (240, 45, 1.0, []),
    ],
)
def test_what_is_off_by_more_than_half_is_named(tmp_path, peak, seconds, others, words):
    contract = {"peak_ram_mb": 240, "run_seconds": 20}
    meter = metered(tmp_path, peak, seconds, others)
    found = contract_remarks(contract, meter, measure.YARDSTICK_SECONDS)
    assert [remark.split()[0] for remark in found] == words


def test_a_faster_machine_is_no_failure(tmp_path):
    meter = metered(tmp_path, 240, 8, 0.0)
    contract = {"run_seconds": 20}
    assert contract_remarks(contract, meter, measure.YARDSTICK_SECONDS)
    assert not contract_remarks(contract, meter, measure.YARDSTICK_SECONDS * 0.4)
