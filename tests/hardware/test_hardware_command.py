"""`jimoto fit` and `jimoto trial`: arguments in, text or JSON out."""

import json

import pytest
import typer
from typer.testing import CliRunner

from jimoto.errors import NotInCatalogue
from jimoto.hardware import command
from jimoto.hardware.machine import Machine, Rates
from jimoto.hardware.trial import Report, Trial, predict_trial

GIB = 2**30
HERE = Machine(
    "test chip", "cpu", 16 * GIB, 12 * GIB, 4, (), 50 * GIB, Rates(20.0, 10.0, 50.0), is_this=True
)


@pytest.fixture
def run(monkeypatch, tmp_path):
    monkeypatch.setenv("JIMOTO_LANG", "en")
    monkeypatch.setattr(command, "find_machine", lambda *_: HERE)
    monkeypatch.setattr(command, "cache_folder", lambda: tmp_path)
    app = typer.Typer(rich_markup_mode=None)
    app.command("fit")(command.fit_command)
    app.command("trial")(command.trial_command)
    return lambda *words: CliRunner().invoke(app, words)


def test_fit_prints_the_machine_a_row_and_the_reason(run):
    out = run("fit", "llama3.1:8b").stdout
    assert out.startswith("test chip · 16.0 GiB memory, 12.0 GiB free · 4 cores · reads 20.0 GB/s")
    assert "needs about 5.4 GiB; 12.0 GiB is free: comfortable." in out
    assert "Weights 4.58, KV cache 0.50 (4096 tokens)" in out


def test_fit_without_a_model_lists_the_catalogue_lightest_first(run):
    lines = run("fit").stdout.splitlines()
    assert len(lines) > 80
    assert lines[2].split()[0] == "MODEL" and "llama3.1:405b" in lines[-1] + lines[-3] + lines[-4]


def test_fit_for_another_machine(run):
    out = run("fit", "llama3.1:8b", "--for", "8 GB laptop", "--context", "8192").stdout
    assert out.startswith("8 GB laptop · 8.0 GiB memory") and "will swap" in out


def test_fit_speaks_japanese(run, monkeypatch):
    monkeypatch.setenv("JIMOTO_LANG", "ja")
    out = run("fit", "llama3.1:8b").stdout
    assert "余裕あり" in out and "KVキャッシュ0.50(4096トークン)" in out


def test_fit_as_json_keeps_unknown_null(run):
    rows = json.loads(run("fit", "lfm2.5:8b", "llama3.2:1b", "--json").stdout)
    assert rows[0]["kv_bytes"] is None and "n_layer" in rows[0]["missing"]
    assert rows[1]["verdict"] == "comfortable" and rows[1]["total_bytes"] > 10**9


def test_fit_takes_a_quantisation_and_a_cache_type(run):
    row = json.loads(run("fit", "llama3.1:8b", "--quant", "q8_0", "--kv", "q8_0", "--json").stdout)
    assert row[0]["quant"] == "Q8_0" and row[0]["kv_bytes"] == 0.53125 * GIB / 2


def test_an_unknown_name_is_an_error_of_ours(run):
    assert isinstance(run("fit", "lama3").exception, NotInCatalogue)


def test_trial_prints_prediction_measurement_and_error(run, monkeypatch):
    def fake(subject, machine, folder, context, tokens, threads):
        from jimoto.hardware.memory import Use

        expected = predict_trial(subject, subject.shape, Use(context), machine)
        report = Report(1_313_251_456, 67_108_864, 271_056_896, 513_024)
        trial = Trial("Q8_0", context, 16, 16, 1_313_258_496, 1_313_251_456, 6.1, 1.2,
                      1_421_000_000, report, 25.0, 12.0, 2)  # fmt: skip
        return trial, expected

    monkeypatch.setattr(command, "run_trial", fake)
    out = run("trial", "llama3.2:1b").stdout
    assert "the words would be noise, the speed is real" in out
    row = next(line for line in out.splitlines() if line.startswith("resident"))
    assert row.split()[-2] in ("+0", "-0", "-1", "+1", "+2")
    said = json.loads(run("trial", "llama3.2:1b", "--json").stdout)
    assert said["measured"]["decode_tokens_per_second"] == 12.0
