"""What a computer tells about itself, and what it hides."""

import sys

import pytest

from jimoto.hardware import machine as room
from jimoto.hardware.catalog import find_machine as find_row
from jimoto.hardware.machine import (
    Gpu,
    Rates,
    find_gpus,
    find_machine,
    from_row,
    keep_rates,
    kept_rates,
    match_row,
    measure_rates,
    parse_nvidia,
    read_limits,
)

GIB = 2**30
RATES = Rates(20.0, 10.0, 50.0)


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n", encoding="ascii")


def test_this_computer_has_memory_cores_and_a_disk(tmp_path):
    here = find_machine(tmp_path, measure=False)
    assert 0 < here.free_bytes <= here.memory_bytes
    assert here.n_core >= 1 and here.disk_free_bytes > 0
    assert here.rates is None and here.is_this


def test_memory_and_matrices_are_measured():
    rates = measure_rates(2, free_bytes=GIB // 2, seconds=0.05)
    assert 0.1 < rates.core_bandwidth_gb_s <= rates.bandwidth_gb_s < 5000
    assert rates.gflops > 0.1


def test_a_limit_of_control_groups_version_2_counts(tmp_path):
    group = tmp_path / "a" / "b"
    write(group / "memory.max", "max")
    write(tmp_path / "a" / "memory.max", 4 * GIB)
    write(tmp_path / "a" / "memory.current", 3 * GIB)
    write(tmp_path / "a" / "memory.stat", f"anon 5\ninactive_file {GIB}")
    write(tmp_path / "a" / "cpu.max", "150000 100000")
    limits = read_limits(tmp_path, "0::/a/b")
    assert (limits.memory_bytes, limits.used_bytes, limits.n_core) == (4 * GIB, 2 * GIB, 1.5)


def test_a_limit_of_control_groups_version_1_counts(tmp_path):
    write(tmp_path / "memory" / "box" / "memory.limit_in_bytes", 2 * GIB)
    write(tmp_path / "memory" / "box" / "memory.usage_in_bytes", GIB)
    write(tmp_path / "memory" / "box" / "memory.stat", "total_inactive_file 1024")
    write(tmp_path / "memory" / "memory.limit_in_bytes", 2**63 - 4096)  # no limit
    write(tmp_path / "cpu,cpuacct" / "box" / "cpu.cfs_quota_us", 200000)
    write(tmp_path / "cpu,cpuacct" / "box" / "cpu.cfs_period_us", 100000)
    limits = read_limits(tmp_path, "7:memory:/box\n3:cpu,cpuacct:/box\n")
    assert (limits.memory_bytes, limits.used_bytes) == (2 * GIB, GIB - 1024)
    assert limits.n_core == 2.0


@pytest.mark.parametrize("group", ["", "0::/", "0::/not/there"])
def test_no_limit_is_none(group, tmp_path):
    limits = read_limits(tmp_path, group)
    assert (limits.memory_bytes, limits.n_core) == (None, None)


@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac's GPU is part of its chip")
def test_a_card_that_cannot_be_asked_is_mentioned_and_not_counted(tmp_path):
    write(tmp_path / "card0" / "device" / "vendor", "0x10de")
    assert find_gpus(run=lambda *_: "", drm=tmp_path) == ([], ["hidden_gpu"])


@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac's GPU is part of its chip")
def test_an_amd_card_is_read_from_the_system(tmp_path):
    write(tmp_path / "card1" / "device" / "vendor", "0x1002")
    write(tmp_path / "card1" / "device" / "mem_info_vram_total", 16 * GIB)
    write(tmp_path / "card1" / "device" / "mem_info_vram_used", GIB)
    gpus, notes = find_gpus(run=lambda *_: "", drm=tmp_path)
    assert gpus == [Gpu("AMD GPU", "amd", 16 * GIB, 15 * GIB)] and notes == []


@pytest.mark.parametrize("text", ["", "NVIDIA-SMI has failed", "a, b", "x, [N/A], [N/A]"])
def test_odd_answers_of_a_driver_do_no_harm(text):
    assert all(gpu.memory_bytes is None for gpu in parse_nvidia(text))


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("NVIDIA GeForce RTX 4070 Ti SUPER", "NVIDIA RTX 4070 Ti SUPER"),
        ("NVIDIA GeForce RTX 4070", "NVIDIA RTX 4070"),
        ("NVIDIA A100-SXM4-80GB", "NVIDIA A100 80GB SXM"),
        ("NVIDIA H100 80GB HBM3", "NVIDIA H100 SXM"),
        ("Tesla T4", "NVIDIA T4"),
        ("Apple M3 Max", "Apple M3 Max (30-core GPU)"),
        ("NVIDIA GeForce RTX 3060 Ti", None),
        ("NVIDIA GeForce RTX 4090 Laptop GPU", None),
        ("AMD GPU", None),
    ],
)
def test_a_card_is_matched_to_its_own_row_or_to_none(name, row):
    found = match_row(name)
    assert (found and found.name) == row


def test_a_measurement_is_kept_for_a_week_and_for_its_processor(tmp_path):
    path = tmp_path / "a" / "rates.json"
    keep_rates(path, "chip", 4, RATES)
    assert kept_rates(path, "chip", 4) == RATES
    assert kept_rates(path, "chip", 8) is None and kept_rates(path, "other", 4) is None
    assert kept_rates(path, "chip", 4, now=4e9) is None


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"at": "x"}', "\x00"])
def test_a_broken_file_of_measurements_is_measured_again(text, tmp_path):
    path = tmp_path / "rates.json"
    path.write_text(text, encoding="utf-8")
    assert kept_rates(path, "chip", 4) is None


def test_a_folder_that_refuses_is_no_reason_to_stop(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    keep_rates(tmp_path / "file" / "rates.json", "chip", 4, RATES)


def test_a_command_that_is_missing_says_nothing():
    assert room._run("jimoto-no-such-command") == ""


def test_a_laptop_of_the_catalogue_leaves_room_for_the_desktop():
    here = from_row(find_row("8 GB laptop"))
    assert here.memory_bytes == 8 * GIB and 4 * GIB < here.free_bytes < 6 * GIB
    assert here.gpus == () and here.bandwidth_gb_s == 51.2


def test_a_card_of_the_catalogue_says_nothing_about_main_memory():
    here = from_row(find_row("RTX 4090"))
    assert here.bandwidth_gb_s is None and here.gpus[0].bandwidth_gb_s == 1008
