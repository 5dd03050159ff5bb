"""The examples in the docstrings are true."""

import doctest
import importlib

import pytest

ROOMS = ("catalog", "fit", "machine", "memory", "quants", "shapes", "speed", "trial", "words")


@pytest.mark.parametrize("name", [*(f"jimoto.hardware.{room}" for room in ROOMS),
                                  "jimoto.teaching.figures"])  # fmt: skip
def test_the_examples_of_a_module_are_true(name):
    result = doctest.testmod(importlib.import_module(name))
    assert result.attempted > 0 and result.failed == 0
