"""Sizes, times and tables as ollama prints them."""

import doctest
from datetime import UTC, datetime, timedelta

import pytest

from jimoto import connection, formats

NOW = datetime(2026, 11, 22, tzinfo=UTC)


@pytest.mark.parametrize("module", [formats, connection], ids=lambda module: module.__name__)
def test_the_worked_examples_hold(module):
    result = doctest.testmod(module)
    assert result.attempted and not result.failed


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "Less than a second"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "About a minute"),
        (120, "2 minutes"),
        (3600, "About an hour"),
        (47 * 3600, "47 hours"),
        (48 * 3600, "2 days"),
        (15 * 86400, "2 weeks"),
        (61 * 86400, "2 months"),
        (731 * 86400, "2 years"),
    ],
)
def test_spans_are_told_as_ollama_tells_them(seconds, text):
    assert formats.span_text(timedelta(seconds=seconds)) == text


def test_a_keep_alive_beyond_twenty_years_is_forever():
    assert formats.until_text(NOW.replace(year=2318), NOW) == "Forever"
    assert formats.until_text(NOW, NOW) == "Stopping..."


@pytest.mark.parametrize("text", ["", "5", "m", "1x", "1m 2s"])
def test_a_duration_without_a_unit_is_refused(text):
    with pytest.raises(ValueError, match="invalid duration"):
        formats.duration_seconds(text)


def test_columns_are_four_spaces_apart():
    assert formats.table_text(["A", "BB"], [["mame", "x"]]) == "A       BB\nmame    x "
