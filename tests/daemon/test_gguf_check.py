"""Is this file safe to hand to llama.cpp? A stranger's bytes give our error, never another."""

import struct

import gguf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jimoto.daemon.gguf_check import (
    TENSOR_TYPES,
    BrokenGguf,
    check_gguf,
    parse_gguf,
)


@pytest.fixture(scope="module")
def tiny_bytes(tiny_gguf):
    return tiny_gguf.read_bytes()


def head(version=3, tensors=0, metadata=0):
    return b"GGUF" + struct.pack("<IQQ", version, tensors, metadata)


def text(value):
    raw = value.encode()
    return struct.pack("<Q", len(raw)) + raw


ARCHITECTURE = text("general.architecture") + struct.pack("<I", 8) + text("llama")


def test_a_sound_file_says_what_it_is(tiny_gguf):
    found = check_gguf(tiny_gguf)
    assert (found.architecture, found.file_type, found.context_length) == ("llama", "F16", 512)
    assert found.parameter_count == sum(
        int(tensor.n_elements) for tensor in gguf.GGUFReader(tiny_gguf).tensors
    )
    assert found.metadata["tokenizer.ggml.tokens"] is None
    assert "<think>" in found.chat_template


def test_arrays_are_kept_when_asked_for(tiny_gguf):
    assert len(check_gguf(tiny_gguf, keep_arrays=True).metadata["tokenizer.ggml.tokens"]) == 261


def test_the_table_of_tensor_types_is_the_one_of_the_gguf_package():
    theirs = {
        kind.value: (kind.name, *gguf.GGML_QUANT_SIZES[kind]) for kind in gguf.GGMLQuantizationType
    }
    assert {kind: theirs[kind] for kind in TENSOR_TYPES} == TENSOR_TYPES


def test_a_file_cut_anywhere_is_refused(tiny_bytes):
    for length in (0, 3, 4, 23, 24, 100, len(tiny_bytes) // 2, len(tiny_bytes) - 1):
        with pytest.raises(BrokenGguf):
            parse_gguf(tiny_bytes[:length])


def test_a_web_page_is_named_as_what_it_begins_with():
    with pytest.raises(BrokenGguf, match="<!DO"):
        parse_gguf(b"<!DOCTYPE html><html></html>")


BAD = {
    "CVE-2024-39720 four bytes": b"GGUF",
    "an unknown version": head(version=9),
    "CVE-2025-0315 endless counts": head(metadata=2**63),
    "endless tensors": head(tensors=2**60, metadata=1) + ARCHITECTURE,
    "no architecture": head(),
    "a text longer than the file": head(metadata=1) + struct.pack("<Q", 2**40),
    "a value of unknown type": head(metadata=1) + text("k") + struct.pack("<I", 99),
    "a list longer than the file": head(metadata=1) + text("k") + struct.pack("<IIQ", 9, 8, 2**25),
    "lists in lists in lists": head(metadata=1)
    + text("k")
    + struct.pack("<I", 9)
    + struct.pack("<IQ", 9, 1) * 40,
    "CVE-2025-0317 alignment zero": head(metadata=2)
    + ARCHITECTURE
    + text("general.alignment")
    + struct.pack("<II", 4, 0),
    "CVE-2024-8063 block count zero": head(metadata=2)
    + ARCHITECTURE
    + text("llama.block_count")
    + struct.pack("<II", 4, 0),
    "a key twice": head(metadata=2) + ARCHITECTURE * 2,
    "nine dimensions": head(tensors=1, metadata=1)
    + ARCHITECTURE
    + text("t")
    + struct.pack("<I9QIQ", 9, *[1] * 9, 0, 0),
    "a product that overflows": head(tensors=1, metadata=1)
    + ARCHITECTURE
    + text("t")
    + struct.pack("<I4QIQ", 4, *[2**62] * 4, 0, 0),
    "a tensor of unknown type": head(tensors=1, metadata=1)
    + ARCHITECTURE
    + text("t")
    + struct.pack("<IQIQ", 1, 32, 77, 0),
    "CVE-2026-7482 a tensor beyond the file": head(tensors=1, metadata=1)
    + ARCHITECTURE
    + text("t")
    + struct.pack("<IQIQ", 1, 32, 0, 2**40),
}


@pytest.mark.parametrize("raw", BAD.values(), ids=BAD.keys())
def test_a_hostile_file_is_refused(raw):
    with pytest.raises(BrokenGguf):
        parse_gguf(raw.ljust(24, b"\0") if not raw.startswith(b"GGUF") else raw)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_random_bytes_give_our_error(raw):
    with pytest.raises(BrokenGguf):
        parse_gguf(b"GGUF" + raw)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 12_000), st.integers(0, 255)), min_size=1, max_size=6),
    st.integers(0, 70_000),
)
def test_a_changed_file_is_sound_or_gives_our_error(tiny_bytes, changes, length):
    raw = bytearray(tiny_bytes[: max(24, length)])
    for at, value in changes:
        raw[at % len(raw)] = value
    try:
        found = parse_gguf(bytes(raw))
    except BrokenGguf:
        return
    assert found.kv_cache_bytes(10) >= 0
