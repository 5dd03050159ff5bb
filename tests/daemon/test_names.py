"""Model names, after the table of section 6.5 of the reference."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jimoto.daemon.names import InvalidName, ModelName, parse_name, split_source

VALID = {
    "m": "registry.ollama.ai/library/m:latest",
    "n/m:t": "registry.ollama.ai/n/m:t",
    "h:80/n/m:t": "h:80/n/m:t",
    "_a/_b/_c:_d": "_a/_b/_c:_d",
    "https://h/n/m:t": "h/n/m:t",
    "Qwen3:0.6b": "registry.ollama.ai/library/Qwen3:0.6b",
    "m:" + "t" * 80: "registry.ollama.ai/library/m:" + "t" * 80,
}
INVALID = [
    "", "m:", "/m", "//", "-m", ".m", "..", "a.b/m", "h/n:x/m:t", "m:" + "t" * 81, "a/b/c/d:t",
    "m@sha256:0", "m%2f", "a\\b", "a b", "m\n", "まめ", "m:t\n", "n//m", "h//m",
]  # fmt: skip

parts = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_\-]{0,20}", fullmatch=True)


@pytest.mark.parametrize(("text", "full"), VALID.items())
def test_a_name_is_completed_with_the_defaults(text, full):
    assert parse_name(text).full == full


@pytest.mark.parametrize("text", INVALID)
def test_what_is_not_a_name_is_refused(text):
    with pytest.raises(InvalidName):
        parse_name(text)


@given(st.builds(ModelName, parts, parts, parts, parts))
def test_a_full_name_reads_back_as_itself(name):
    assert parse_name(name.full) == name
    assert parse_name(name.short) == name


@given(st.text(max_size=40))
def test_any_text_is_a_name_or_invalid_and_never_leaves_its_folder(text):
    try:
        name = parse_name(text)
    except InvalidName:
        return
    assert not any(part in ("", ".", "..") or "/" in part or "\\" in part for part in name.parts)


def test_a_suffix_says_where_a_model_wants_to_run():
    assert split_source("mame:local") == ("mame", "local")
    assert split_source("big:120b-cloud") == ("big:120b-cloud", "cloud")
    assert split_source("mame:latest") == ("mame:latest", "")


def test_two_suffixes_contradict_each_other():
    with pytest.raises(InvalidName):
        split_source("m:cloud:local")
