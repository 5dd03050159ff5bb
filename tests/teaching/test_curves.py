"""The loss curve is drawn in both languages and says its numbers."""

import doctest
import warnings

import pytest

from jimoto.teaching import curves
from jimoto.teaching.figures import find_font

LOSSES = [4.0, 3.0, 2.0, 1.0, 0.5, 0.25]


def test_the_running_mean_is_as_its_doctest_says():
    assert doctest.testmod(curves).failed == 0


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_no_letter_is_missing_and_the_numbers_stand_in_words_too(lang):
    if lang == "ja" and find_font() is None:
        pytest.skip("no Japanese font is installed here")
    drawing = curves.loss_curve(LOSSES, 4.5, 0.6, lang)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert drawing.png().startswith(b"\x89PNG")
    assert [str(w.message) for w in seen if "lyph" in str(w.message)] == []
    assert all(number in drawing.alt for number in ("4.00", "0.25", "4.50", "0.60", "6"))
    assert [row[1] for row in drawing.rows] == ["4.500", "4.000", "0.250", "0.600"]


def test_the_line_runs_through_the_losses():
    axes = curves.loss_curve(LOSSES, 4.5, 0.6, "en").figure.axes[0]
    assert list(axes.lines[0].get_ydata()) == LOSSES
    assert {entry.get_text() for entry in axes.get_legend().get_texts()} == {
        "each step", "mean of 8 steps", "held out, before", "held out, after",
    }  # fmt: skip
