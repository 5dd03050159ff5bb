"""Every error says the same in both languages, in at most three lines."""

import dataclasses
import re

import pytest

from jimoto import errors


def families(base):
    return {base}.union(*(families(child) for child in base.__subclasses__()))


KINDS = sorted(
    (kind for kind in families(errors.JimotoError) if hasattr(kind, "en")),
    key=lambda kind: kind.__name__,
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_both_languages_use_the_same_fields_in_at_most_three_lines(kind):
    fields = {field.name for field in dataclasses.fields(kind)}
    used = [set(re.findall(r"{(\w+)", text)) for text in (kind.en, kind.ja)]
    computed = kind.text is not errors.JimotoError.text  # it fills in more than its own fields
    assert used[0] == used[1] and (computed or used[0] <= fields)
    assert len(kind.en.splitlines()) <= 3 and len(kind.ja.splitlines()) <= 3


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_docstring_of_the_module_names_every_error(kind):
    assert re.search(rf"\b{kind.__name__}\b", errors.__doc__)


@pytest.mark.parametrize(
    ("env", "lang"),
    [
        ({"JIMOTO_LANG": "ja", "LANG": "en_US.UTF-8"}, "ja"),
        ({"LANG": "ja_JP.UTF-8"}, "ja"),
        ({"LC_ALL": "C.UTF-8", "LANG": "ja_JP.UTF-8"}, "en"),
    ],
)
def test_the_language_follows_the_environment(monkeypatch, env, lang):
    for name in ("JIMOTO_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert errors.language() == lang


def test_an_error_names_the_thing_and_the_way_out(monkeypatch):
    monkeypatch.setenv("JIMOTO_LANG", "en")
    text = str(errors.PortTaken(8899, "jimoto lab --port 8900"))
    assert "8899" in text and "`jimoto lab --port 8900`" in text
