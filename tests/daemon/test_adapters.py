"""LoRA adapters: what fits its base is applied, what does not is refused before it has a name."""

from __future__ import annotations

import numpy as np
import pytest
from ollama import Client, ResponseError
from tiny_gguf import N_EMBD, write_tiny_gguf
from tiny_lora import SHAPES, write_tiny_lora

from jimoto.daemon.adapter_check import WrongAdapter, check_adapter
from jimoto.daemon.gguf_check import check_gguf

Q = "blk.0.attn_q.weight"
GREEDY = {"temperature": 0, "num_predict": 20}


def one(value: float) -> dict[str, np.ndarray]:
    a = np.zeros((4, N_EMBD), dtype=np.float32)
    a[1, 2] = value
    return {f"{Q}.lora_a": a}


REFUSED = {
    "a whole model": ({"kind": "model"}, "it is a model, not an adapter"),
    "another method": ({"adapter_type": "lokr"}, "its kind is 'lokr'"),
    "another architecture": ({"architecture": "qwen2"}, "trained for 'qwen2'.*a 'llama' model"),
    "alpha is no number": ({"alpha": float("nan")}, "its alpha is not a number"),
    "a tensor the base lacks": ({"shapes": {"blk.9.attn_q.weight": (32, 32)}}, "has no tensor"),
    "another width": ({"shapes": {Q: (64, 32)}}, r"does not fit the base's, which is 32x32"),
    "another height": ({"shapes": {Q: (32, 48)}}, r"does not fit the base's"),
    "a rank beyond the matrix": ({"rank": 33}, "is larger than its matrix"),
    "half a pair": ({"without": f"{Q}.lora_b"}, f"one half of '{Q}' is missing"),
    "no tensors": ({"shapes": {}}, "holds no LoRA tensors"),
    "ranks that differ": ({"changed": {f"{Q}.lora_a": np.zeros((3, 32), np.float32)}}, "not fit"),
    "a vector": ({"shapes": {"output_norm.weight": (32, 32)}}, "is not a matrix"),
    "something else": ({"changed": {"x.weight": np.zeros((3, 3), np.float32)}}, "part of a LoRA"),
    "NaN": ({"changed": one(float("nan"))}, "not finite"),
    "infinity": ({"changed": one(float("inf"))}, "not finite"),
}  # fmt: skip


@pytest.mark.parametrize(("broken", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_what_does_not_fit_is_refused_with_its_reason(tmp_path, tiny_gguf, broken, text):
    path = write_tiny_lora(tmp_path / "a.gguf", **broken)
    with pytest.raises(WrongAdapter, match=text):
        check_adapter(check_gguf(path), check_gguf(tiny_gguf), path)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_what_fits_passes(tmp_path, tiny_gguf, dtype):
    path = write_tiny_lora(tmp_path / "a.gguf", dtype=dtype)
    check_adapter(check_gguf(path), check_gguf(tiny_gguf), path)


def test_a_table_that_is_looked_up_has_its_a_the_other_way_round(tmp_path, tiny_gguf):
    a, b = np.zeros((261, 4), np.float32), np.zeros((N_EMBD, 4), np.float32)
    parts = {"token_embd.weight.lora_a": a, "token_embd.weight.lora_b": b}
    path = write_tiny_lora(tmp_path / "a.gguf", shapes={}, changed=parts)
    check_adapter(check_gguf(path), check_gguf(tiny_gguf), path)
    flipped = {"token_embd.weight.lora_a": a.T.copy(), "token_embd.weight.lora_b": b}
    path = write_tiny_lora(tmp_path / "b.gguf", shapes={}, changed=flipped)
    with pytest.raises(WrongAdapter, match="does not fit"):
        check_adapter(check_gguf(path), check_gguf(tiny_gguf), path)


def digest_of(library, path):
    return library.store.add_blob(path.read_bytes())[0]


def test_create_refuses_a_wrong_adapter_and_keeps_nothing(api, tiny, library, tmp_path):
    before = sorted(library.store.models.rglob("*"))
    digest = digest_of(library, write_tiny_lora(tmp_path / "a.gguf", architecture="qwen2"))
    answer = api.post("/api/create", {"model": "x", "from": "tiny", "adapters": {"a.gguf": digest}})
    assert answer.status_code == 400
    assert answer.json()["error"].startswith(
        "'a.gguf' is not an adapter for this base model: it was"
    )
    assert sorted(library.store.models.rglob("*")) == before


def test_create_takes_one_adapter_and_needs_a_base(api, tiny, library, tmp_path):
    digest = digest_of(library, write_tiny_lora(tmp_path / "a.gguf"))
    two = {"model": "x", "from": "tiny", "adapters": {"a": digest, "b": digest}}
    alone = {"model": "x", "adapters": {"a": digest}}
    as_model = {"model": "x", "files": {"a.gguf": digest}}
    texts = [api.post("/api/create", body).json()["error"] for body in (two, alone, as_model)]
    assert texts == [
        "only one adapter is currently supported",
        "neither 'from' or 'files' was specified",
        "'a.gguf' is an adapter; its base model goes into 'from'",
    ]


def test_adapters_are_inherited_shown_and_loaded(api, tiny, library, tmp_path, fake_engine):
    digests = [digest_of(library, write_tiny_lora(tmp_path / f"{s}", seed=s)) for s in (1, 2)]
    for name, base, digest in (("x", "tiny", digests[0]), ("y", "x", digests[1])):
        body = {"model": name, "from": base, "adapters": {"a.gguf": digest}, "stream": False}
        assert api.post("/api/create", body).json() == {"status": "success"}
    api.post("/api/generate", {"model": "y", "prompt": "p", "stream": False})
    paths = tuple(library.store.blob_path(digest) for digest in digests)
    assert fake_engine.runs[-1][0].adapters == paths
    assert f"ADAPTER {paths[0]}\n" in api.post("/api/show", {"model": "x"}).json()["modelfile"]


@pytest.fixture(scope="module")
def client(daemon, tiny_gguf):
    with Client(host=daemon.url) as client:
        digest = client.create_blob(tiny_gguf)
        client.create("tiny", files={"tiny.gguf": digest})
        yield client


def answer_of(client, name):
    return client.generate(name, "hello", raw=True, options=GREEDY).response


def create(client, name, path, base="tiny"):
    client.create(name, from_=base, adapters={"a.gguf": client.create_blob(path)})


@pytest.mark.slow
def test_an_adapter_changes_the_answer_and_one_of_zeros_does_not(client, tmp_path):
    create(client, "strong", write_tiny_lora(tmp_path / "strong.gguf"))
    create(client, "none", write_tiny_lora(tmp_path / "zero.gguf", size=0.0))
    plain, strong, none = (answer_of(client, name) for name in ("tiny", "strong", "none"))
    assert strong != plain and none == plain
    assert answer_of(client, "strong") == strong  # loaded again after the base, applied again


@pytest.mark.slow
def test_an_adapter_answers_as_its_merged_weights_do(client, tmp_path):
    """The oracle: W + (alpha / r) B A, written into a model of its own."""
    import gguf

    path = write_tiny_lora(tmp_path / "a.gguf", size=0.3, shapes={Q: (N_EMBD, N_EMBD)}, alpha=4.0)
    parts = {tensor.name: np.array(tensor.data) for tensor in gguf.GGUFReader(path).tensors}
    delta = parts[f"{Q}.lora_b"] @ parts[f"{Q}.lora_a"]  # scale alpha / r is 1
    merged = write_tiny_gguf(tmp_path / "merged.gguf", added={Q: delta})
    client.create("merged", files={"m.gguf": client.create_blob(merged)})
    create(client, "adapted", path)
    text = "a text that is long enough to be told apart"
    vectors = [
        np.array(client.embed(name, text).embeddings[0]) for name in ("tiny", "merged", "adapted")
    ]
    assert np.linalg.norm(vectors[1] - vectors[2]) < 0.01 * np.linalg.norm(vectors[0] - vectors[2])


@pytest.mark.slow
def test_an_adapter_that_llama_cpp_refuses_is_an_error_and_never_left_out(client, tmp_path, daemon):
    path = write_tiny_lora(tmp_path / "late.gguf", seed=9)
    create(client, "late", path)
    digest = client.create_blob(path)
    (daemon.models / "blobs" / digest.replace(":", "-")).write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(ResponseError, match="cannot apply the adapter"):
        answer_of(client, "late")
    assert answer_of(client, "tiny")


def test_the_shapes_of_the_tests_are_those_of_the_tiny_model(tiny_gguf):
    shapes = {tensor.name: tensor.shape for tensor in check_gguf(tiny_gguf).tensors}
    assert {name: shapes[name] for name in SHAPES} == SHAPES
