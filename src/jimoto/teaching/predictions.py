"""`predict` before a measurement, `reveal` after it: the learner commits to a number first.

In a notebook the question is a labelled group of radio buttons, or a field for a number; without
ipywidgets it is text, and the answer goes on paper or into `mine=`. Nobody is graded. "Run all" and
CI choose nothing, and the prediction counts as skipped. Knows no lesson and no server.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jimoto.errors import language

LETTERS = "abcdefgh"
TEXT = {
    "en": {
        "predict": "Predict.",
        "option": "({letter}) {option}",
        "yours": "your prediction",
        "line": "Prediction: {mine} · Measured: {measured}",
        "skipped": "skipped",
        "unasked": "Nothing was predicted under '{key}'. Measured: {measured}",
    },
    "ja": {
        "predict": "予想",
        "option": "（{letter}）{option}",
        "yours": "あなたの予想",
        "line": "予想: {mine} · 測定: {measured}",
        "skipped": "なし",
        "unasked": "'{key}' の予想はありません。測定: {measured}",
    },
}


@dataclass
class Prediction:
    """One question, and what was chosen so far; None while nothing was."""

    question: str
    options: tuple[str, ...]
    unit: str
    mine: str | None = None


class Notebook:
    """The predictions of one kernel, by key: what `predict` writes and `reveal` reads."""

    def __init__(self) -> None:
        self.predictions: dict[str, Prediction] = {}

    def predict(
        self,
        key: str,
        question: str,
        options: Sequence[str] = (),
        *,
        unit: str = "",
        mine: str | float | None = None,
    ) -> None:
        """Ask; with `options` a closed question, else for a number in `unit`.

        `mine` answers in code: a letter, an option's text, or a number. Errors: ValueError where
        `mine` is none of the options.
        """
        prediction = Prediction(question, tuple(str(option) for option in options), unit)
        if mine is not None:
            prediction.mine = chosen(prediction, mine)
        self.predictions[key] = prediction
        show(prediction)

    def reveal(self, key: str, measured: object, *, unit: str = "") -> None:
        """Print the prediction beside the measurement; a number is shown with three digits."""
        text = TEXT[language()]
        prediction = self.predictions.get(key)
        unit = unit or (prediction.unit if prediction else "")
        shown = f"{number_text(measured)} {unit}".strip()
        if prediction is None:
            print(text["unasked"].format(key=key, measured=shown))
            return
        mine = text["skipped"] if prediction.mine is None else prediction.mine
        if prediction.mine is not None and not prediction.options:
            mine = f"{mine} {prediction.unit}".strip()
        print(text["line"].format(mine=mine, measured=shown))


def chosen(prediction: Prediction, mine: str | float) -> str:
    """The option that a letter or a text names; any number where there are no options.

    >>> chosen(Prediction("lines?", ("1", "about 20"), ""), "b")
    'about 20'
    """
    if not prediction.options:
        return number_text(mine)
    word = str(mine).strip()
    if word in prediction.options:
        return word
    letter = word.strip("()（）").lower()
    if len(letter) == 1 and letter in LETTERS[: len(prediction.options)]:
        return prediction.options[LETTERS.index(letter)]
    raise ValueError(f"{mine!r} is none of {', '.join(prediction.options)}")


def number_text(value: object) -> str:
    """Three digits of a number; anything else as it is.

    >>> [number_text(value) for value in (63, 1234567, 0.123456, 41.27, "b", True)]
    ['63', '1,234,567', '0.123', '41.3', 'b', 'True']
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return str(value)


def question_text(prediction: Prediction) -> str:
    """The question as text, with lettered options: for paper, terminals and GitHub."""
    text = TEXT[language()]
    head = f"{text['predict']} {prediction.question}" + (
        f" ({prediction.unit})" if prediction.unit else ""
    )
    options = [
        text["option"].format(letter=letter, option=option)
        for letter, option in zip(LETTERS, prediction.options, strict=False)
    ]
    return "\n".join([head, *options])


def show(prediction: Prediction) -> None:
    """The widget where one can be shown, with the text as its other form; else the text."""
    text = question_text(prediction)
    try:
        from IPython.core.getipython import get_ipython
        from IPython.display import display

        if get_ipython() is None:
            raise ImportError
        bundle = {**form(prediction)._repr_mimebundle_(), "text/plain": text}
    except (ImportError, AttributeError):
        print(text)
        return
    display(bundle, raw=True)  # type: ignore[no-untyped-call]


def form(prediction: Prediction) -> Any:
    """An ipywidgets form with a visible label, usable by keyboard; writes into the prediction."""
    import ipywidgets as widgets

    words = TEXT[language()]
    wide = {"description_width": "initial"}
    # The question is text of its own: markup in it stays text.
    label = widgets.Label(value=f"{words['predict']} {prediction.question}")
    field: Any
    if prediction.options:
        field = widgets.RadioButtons(
            options=prediction.options,
            value=prediction.mine,
            description=words["yours"],
            style=wide,
            layout={"width": "max-content"},
        )
    else:
        unit = f" ({prediction.unit})" if prediction.unit else ""
        field = widgets.Text(
            value=prediction.mine or "", description=words["yours"] + unit, style=wide
        )

    def keep(change: Any) -> None:
        prediction.mine = str(change["new"]).strip() or None

    field.observe(keep, names="value")
    return widgets.VBox([label, field])


NOTEBOOK = Notebook()  # a prediction outlives its cell: the one state that cells share
predict, reveal = NOTEBOOK.predict, NOTEBOOK.reveal
