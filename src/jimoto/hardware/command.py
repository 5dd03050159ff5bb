"""The commands `jimoto fit` and `jimoto trial`: arguments and printing, no decisions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from jimoto.errors import language
from jimoto.hardware import catalog, words
from jimoto.hardware.fit import Fit, fit
from jimoto.hardware.machine import Machine, find_machine, from_row
from jimoto.hardware.memory import Use, check_kv_type
from jimoto.hardware.shapes import is_known
from jimoto.hardware.subjects import find_subject, subject_of_model
from jimoto.hardware.trial import run_trial

Quant = Annotated[str, typer.Option("--quant", help="Quantisation (default: the library's)")]
Context = Annotated[int, typer.Option("--context", min=256, help="Context length in tokens")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON")]


def fit_command(
    models: Annotated[list[str] | None, typer.Argument(metavar="[MODEL…]")] = None,
    machine: Annotated[str, typer.Option("--for", help='Such as "8 GB laptop"')] = "",
    quant: Quant = "",
    context: Context = 4096,
    kv: Annotated[str, typer.Option("--kv", help="Type of the KV cache: F16, Q8_0, Q4_0")] = "F16",
    parallel: Annotated[int, typer.Option("--parallel", min=1, help="Requests at once")] = 1,
    measure: Annotated[bool, typer.Option("--measure", help="Measure the memory again")] = False,
    as_json: AsJson = False,
) -> None:
    """Predict memory and speed of models on this machine (or another), and whether they fit."""
    lang = language()
    target = choose_machine(machine, measure)
    use = Use(context, kv_type=check_kv_type(kv), n_parallel=parallel)
    subjects = [find_subject(name, quant or None) for name in models or []]
    answers = [fit(subject, target, use) for subject in subjects]
    if not models:
        answers = fit_catalogue(target, use, quant or None)
    if as_json:
        print(json.dumps([words.fit_json(answer) for answer in answers], ensure_ascii=False))
        return
    print(words.machine_text(target, lang), end="\n\n")
    print(words.fits_table(answers, lang))
    for answer in answers if models else []:
        print("\n" + words.reason_text(answer, lang))


def trial_command(
    model: Annotated[str, typer.Argument(metavar="MODEL", show_default=False)],
    quant: Quant = "",
    context: Context = 2048,
    tokens: Annotated[int, typer.Option("--tokens", min=3, help="Tokens to write")] = 24,
    threads: Annotated[int, typer.Option("--threads", min=0, help="Default: all cores")] = 0,
    folder: Annotated[str, typer.Option("--folder", help="Where the file is written")] = "",
    as_json: AsJson = False,
) -> None:
    """Try a model without its weights: memory and speed of a file of its shape, measured here."""
    lang = language()
    place = Path(folder) if folder else cache_folder()
    subject = find_subject(model, quant or None)
    target = find_machine(place, cache_folder() / "rates.json")
    trial, expected = run_trial(subject, target, place, context, tokens, threads)
    if as_json:
        said = words.trial_json(subject.name, trial, expected)
        print(json.dumps(said, ensure_ascii=False))
        return
    print(words.machine_text(target, lang), end="\n\n")
    print(words.trial_text(subject.name, trial, expected, lang))


def choose_machine(text: str, measure: bool) -> Machine:
    """A machine of the catalogue by its name, else this computer."""
    if text:
        return from_row(catalog.find_machine(text))
    kept = cache_folder() / "rates.json"
    if measure:
        kept.unlink(missing_ok=True)
    return find_machine(kept.parent, kept)


def fit_catalogue(machine: Machine, use: Use, quant: str | None) -> list[Fit]:
    """Every model that can be judged, the lightest first."""
    rows = [row for row in catalog.models() if row.listed_gb or is_known(row.architecture or "")]
    rows = [row for row in rows if row.n_params or row.size_bytes or row.listed_gb]
    answers = [fit(subject_of_model(row, quant), machine, use) for row in rows]
    return sorted(answers, key=lambda answer: answer.memory.total_bytes)


def cache_folder() -> Path:
    """Where measurements and trial files go: the system's folder for what may be thrown away."""
    from platformdirs import user_cache_path

    return user_cache_path("jimoto", False)
