"""The catalogue agrees with itself: what can be derived from a row is what the row says."""

import pytest

from jimoto.errors import NotInCatalogue, QuantUnknown, ShapeUnknown
from jimoto.hardware import catalog
from jimoto.hardware.quants import BLOCKS, FILE_TYPES, weigh_shape
from jimoto.hardware.shapes import count_active_params, count_params, is_known, list_tensors

SHAPED = [row for row in catalog.models() if not row.missing() and is_known(row.architecture or "")]
SIZED = [row for row in SHAPED if row.size_bytes and row.default_quant in FILE_TYPES]


@pytest.mark.parametrize("row", SHAPED, ids=lambda row: row.name)
def test_the_parameters_of_a_shape_are_those_of_the_row(row):
    assert count_params(list_tensors(row.shape())) == pytest.approx(row.n_params, rel=0.01)


@pytest.mark.parametrize("row", SIZED, ids=lambda row: row.name)
def test_the_size_of_a_file_follows_from_its_shape_or_the_row_explains_it(row):
    derived = weigh_shape(row.shape(), row.default_quant).size_bytes
    assert row.size_note or derived == pytest.approx(row.size_bytes, rel=0.03)


def test_most_files_need_no_explanation():
    assert sum(bool(row.size_note) for row in SIZED) / len(SIZED) < 0.25


@pytest.mark.parametrize("row", [row for row in SIZED if row.listed_gb], ids=lambda row: row.name)
def test_the_listed_size_is_the_size_rounded(row):
    assert row.size_bytes / catalog.GB == pytest.approx(row.listed_gb, rel=0.06)


@pytest.mark.parametrize(
    "row",
    [row for row in SHAPED if row.n_params_active and not row.architecture == "deepseek2"],
    ids=lambda row: row.name,
)
def test_the_active_parameters_follow_from_the_experts(row):
    tensors = list_tensors(row.shape())
    assert count_active_params(row.shape(), tensors) == pytest.approx(row.n_params_active, rel=0.12)


@pytest.mark.parametrize(
    "row",
    [row for row in catalog.quantisations() if row.file_bits_per_weight and row.name in FILE_TYPES],
    ids=lambda row: row.name,
)
def test_the_mixes_of_a_real_file_are_rebuilt_exactly(row):
    weights = weigh_shape(catalog.find_model("llama3.1:8b").shape(), row.name)
    bits = 8 * weights.size_bytes / weights.n_params
    assert bits == pytest.approx(row.file_bits_per_weight, abs=1e-4)


@pytest.mark.parametrize(
    "row", [row for row in catalog.quantisations() if row.kind == "block"], ids=lambda row: row.name
)
def test_block_sizes_of_code_and_catalogue_are_the_same(row):
    assert row.bits_per_weight == 8 * row.block_bytes / row.block_values
    assert BLOCKS.get(row.name, (row.block_values, row.block_bytes)) == (
        row.block_values,
        row.block_bytes,
    )


def test_every_row_has_a_source_and_a_date():
    tables = (catalog.models, catalog.quantisations, catalog.machines, catalog.speeds)
    for table in (*tables, catalog.prices):
        assert table()
        assert all(row.source and row.date.startswith("20") for row in table())


def test_what_a_source_does_not_say_is_none_and_never_zero():
    row = catalog.find_model("gemma3n:e2b")
    assert row.n_layer is None and row.n_params is None
    numbers = [value for model in catalog.models() for value in vars(model).values()]
    assert 0 not in [value for value in numbers if type(value) in (int, float)]


def test_a_doubtful_value_is_marked():
    row = catalog.find_model("gpt-oss:20b")
    assert row.size_bytes == 13_780_154_624 and "size_bytes" in row.unconfirmed.split()


def test_a_row_with_gaps_names_them():
    with pytest.raises(ShapeUnknown) as raised:
        catalog.find_model("qwen3.5:4b").shape()
    assert "n_layer" in raised.value.missing


@pytest.mark.parametrize("given", ["llama3.1:8b", "meta-llama/llama-3.1-8b-instruct"])
def test_a_model_is_found_by_tag_and_by_repository(given):
    assert catalog.find_model(given).name == "llama3.1:8b"


def test_an_unknown_model_meets_near_names():
    with pytest.raises(NotInCatalogue) as raised:
        catalog.find_model("lama3.1:8b")
    assert raised.value.near[0] == "llama3.1:8b"
    assert "'llama3.1:8b'" in raised.value.text("en") and "llama3.1:8b" in raised.value.text("ja")


def test_an_unknown_quantisation_meets_a_near_one():
    with pytest.raises(QuantUnknown) as raised:
        catalog.find_quantisation("Q4_KM")
    assert "Q4_K_M" in raised.value.near


@pytest.mark.parametrize(
    ("text", "name", "memory_gb"),
    [
        ("8 GB laptop", "8 GB laptop", 8),
        ("16 GB Apple M2", "Apple M2 (10-core GPU)", 16),
        ("apple m2 max", "Apple M2 Max (30-core GPU)", 96),
        ("RTX 4090", "NVIDIA RTX 4090", 24),
        ("8gb rtx 4060 ti", "NVIDIA RTX 4060 Ti", 8),
        ("Raspberry Pi 5", "Raspberry Pi 5", 16),
    ],
)
def test_a_machine_is_found_by_memory_and_a_part_of_its_name(text, name, memory_gb):
    row = catalog.find_machine(text)
    assert (row.name, row.memory_gb) == (name, (memory_gb,))


def test_an_unknown_machine_meets_near_names():
    with pytest.raises(NotInCatalogue) as raised:
        catalog.find_machine("16 GB aple m2")
    assert any("Apple M2" in name for name in raised.value.near)
