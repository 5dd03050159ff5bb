"""Fewer bits: create with `quantize`, through llama.cpp's own quantiser in a process of its own."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import gguf
import httpx
import numpy as np
import pytest
from tiny_gguf import write_tiny_gguf

from conftest import create_model, listening
from jimoto.daemon.app import create_app
from jimoto.daemon.library import Library
from jimoto.daemon.quantize import TARGETS, parse_target, run_quantizer
from jimoto.daemon.wire import ApiError


def test_types_are_known_by_ollamas_names_in_any_case():
    assert [parse_target(t) for t in ("q4_0", "Q4_K", "q4_K_M", "bf16", " F16 ")] == [
        "Q4_0", "Q4_K_M", "Q4_K_M", "BF16", "F16",
    ]  # fmt: skip
    assert {"Q2_K", "Q3_K_S", "Q4_K_S", "Q5_K_M", "Q6_K", "Q8_0", "F32"} <= TARGETS.keys()


@pytest.mark.parametrize("text", ["", "q9", "iq2_xs", "Q8_0; rm"])
def test_an_unknown_type_is_refused(text):
    with pytest.raises(ApiError, match="unsupported quantization type") as caught:
        parse_target(text)
    assert caught.value.status == 500


def statuses(library, body):
    return [item["status"] for item in library.create(body)]


def files_of(store):
    return sorted(path.name for path in store.blobs.iterdir())


def test_create_counts_while_it_quantises_and_says_what_it_became(store, tiny_gguf):
    def double(source: Path, target: Path, kind: str):
        yield 1, 2
        write_tiny_gguf(target, seed=5)
        yield 2, 2

    library = Library(store, quantizer=double)
    create_model(library, "f", tiny_gguf)
    items = list(library.create({"model": "q", "from": "f", "quantize": "q8_0"}))
    size = tiny_gguf.stat().st_size
    counted = [(i["status"], i["completed"], i["total"]) for i in items if "total" in i]
    assert counted == [
        ("quantizing F16 model to Q8_0", size // 2, size),
        ("quantizing F16 model to Q8_0", size, size),
    ]
    assert items[2]["status"] == "verifying conversion" and items[-1] == {"status": "success"}
    assert library.find("q", "").weights != library.find("f", "").weights


def test_a_quantiser_that_writes_rubbish_leaves_nothing(store, tiny_gguf):
    def rubbish(source: Path, target: Path, kind: str):
        target.write_bytes(b"GGUF" + bytes(100))
        yield 1, 1

    library = Library(store, quantizer=rubbish)
    create_model(library, "f", tiny_gguf)
    before = files_of(store)
    with pytest.raises(ApiError, match="the quantized file is broken"):
        statuses(library, {"model": "q", "from": "f", "quantize": "Q8_0"})
    assert files_of(store) == before and library.store.entries()[0].name.short == "f:latest"


def test_a_client_that_leaves_takes_the_half_written_file_with_it(store, tiny_gguf):
    ended = []

    def slow(source: Path, target: Path, kind: str):
        try:
            target.write_bytes(b"half")
            yield 1, 10
            yield 2, 10
        finally:
            ended.append(True)

    library = Library(store, quantizer=slow)
    create_model(library, "f", tiny_gguf)
    before = files_of(store)
    steps = library.create({"model": "q", "from": "f", "quantize": "Q8_0"})
    next(steps)
    steps.close()
    assert ended == [True] and files_of(store) == before


def test_a_client_that_hangs_up_stops_the_work_and_blocks_nobody(
    settings, store, fake_engine, clock, tiny_gguf
):
    ended, may_go_on = threading.Event(), threading.Event()

    def slow(source: Path, target: Path, kind: str):
        try:
            yield 1, 10
            may_go_on.wait(60)
            yield 2, 10
            yield 3, 10
        finally:
            ended.set()

    library = Library(store, quantizer=slow)
    create_model(library, "f", tiny_gguf)
    before = files_of(store)
    with listening(create_app(settings, library, fake_engine, clock.clock)) as address:
        body = {"model": "q", "from": "f", "quantize": "Q8_0"}
        with httpx.stream("POST", f"http://{address}/api/create", json=body) as answer:
            counted = json.loads(next(answer.iter_lines()))
        may_go_on.set()
        assert counted["total"] == tiny_gguf.stat().st_size and ended.wait(60)
        again = {"source": "f", "destination": "g"}  # waits for the same lock
        assert httpx.post(f"http://{address}/api/copy", json=again).status_code == 200
    assert files_of(store) == before and len(store.entries()) == 2


def test_what_has_lost_its_bits_is_not_quantised_again(api, library, tmp_path):
    path = write_tiny_gguf(tmp_path / "q.gguf", file_type=7)
    create_model(library, "q8", path)
    answer = api.post("/api/create", {"model": "x", "from": "q8", "quantize": "q4_0"})
    assert answer.status_code == 500
    text = "quantization is only supported for F16, BF16 and F32 models, not for Q8_0"
    assert answer.json() == {"error": text}


def test_the_type_it_has_already_is_no_work(library, tiny):
    steps = statuses(library, {"model": "x", "from": "tiny", "quantize": "f16"})
    assert not [step for step in steps if "quantizing" in step]


# --- llama.cpp ---


@pytest.mark.slow
def test_every_type_is_what_its_name_says(tmp_path, store, mame):
    """Of mame, whose rows are long enough for K types; the oracle is the gguf package."""
    library = Library(store)
    create_model(library, "mame", mame)
    weights = library.find("mame", "").weights
    original = {t.name: t for t in gguf.GGUFReader(weights).tensors}
    name = "blk.0.ffn_down.weight"
    wanted = np.array(original[name].data, dtype=np.float32)
    errors = []
    for kind in ("Q8_0", "Q2_K"):
        steps = list(run_quantizer(weights, tmp_path / kind, kind))
        assert steps[-1] == (len(original), len(original))
        tensor = next(t for t in gguf.GGUFReader(tmp_path / kind).tensors if t.name == name)
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        errors.append(float(np.abs(values - wanted).mean()))
    assert 0 < errors[0] < errors[1]


@pytest.mark.slow
def test_a_quantised_model_says_so_and_answers(daemon, mame):
    from ollama import Client

    with Client(host=daemon.url) as client:
        client.create("mame", files={"mame.gguf": client.create_blob(mame)})
        stream = client.create("mame-q8", from_="mame", quantize="q8_0", stream=True)
        items = list(stream)
        counted = [item for item in items if item.total]
        assert items[-1].status == "success" and counted[-1].completed == counted[-1].total
        shown = client.show("mame-q8")
        assert shown.details.quantization_level == "Q8_0"
        assert client.generate("mame-q8", "What is a token?", options={"num_predict": 8}).response
        client.generate("mame-q8", keep_alive=0)


@pytest.mark.slow
def test_a_file_that_llama_cpp_cannot_read_is_an_error(tmp_path):
    (tmp_path / "x").write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ApiError, match="could not quantise"):
        list(run_quantizer(tmp_path / "x", tmp_path / "y", "Q8_0"))


@pytest.mark.slow
def test_closing_the_iterator_ends_the_process(tmp_path, tiny_gguf):
    import psutil

    steps = run_quantizer(tiny_gguf, tmp_path / "y", "Q8_0")
    next(steps)
    steps.close()
    children = psutil.Process().children()
    assert not [child for child in children if "jimoto.daemon.worker" in " ".join(child.cmdline())]
