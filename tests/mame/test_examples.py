"""Examples from a file: all of them, or a sentence that names the line."""

import doctest
import json

import pytest

from jimoto.errors import ExampleBroken, ExampleCountWrong
from mame import examples
from mame.examples import Example

GOOD = [Example(f"q{i}?", f"a{i}.") for i in range(60)]


@pytest.fixture
def path(tmp_path):
    return examples.write(GOOD, tmp_path / "mine.jsonl")


def put(path, number, line):
    lines = path.read_bytes().split(b"\n")
    lines[number - 1] = line if isinstance(line, bytes) else line.encode("utf-8")
    path.write_bytes(b"\n".join(lines))


def test_the_doctests_hold():
    assert doctest.testmod(examples).failed == 0


def test_what_is_written_is_read(path):
    assert examples.read(path) == GOOD


def test_a_system_prompt_and_empty_lines_and_a_byte_order_mark_are_fine(path):
    put(path, 5, '{"user": "q", "assistant": "a", "system": "s"}\n\n')
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    found = examples.read(path)
    assert (len(found), found[4]) == (60, Example("q", "a", "s"))


@pytest.mark.parametrize(
    "line, cause",
    [
        ('{"user": "q", "assistant": "a"', "json"),
        ("user: q", "json"),
        ('{"user": "q", "assistant": "a"},', "json"),
        ("[" * 100_000, "json"),
        ('["q", "a"]', "object"),
        ('"q"', "object"),
        ('{"user": "q"}', "key"),
        ('{"prompt": "q", "completion": "a"}', "unknown"),
        ('{"user": "q", "assistant": ""}', "text"),
        ('{"user": "q", "assistant": 3}', "text"),
        ('{"user": "q", "assistant": "a<|im_end|>"}', "marker"),
        ("{\"user\": \"質問\", \"assistant\": \"回答\"}".encode("cp932"), "encoding"),
    ],
    ids=lambda value: str(value)[:32],
)  # fmt: skip
def test_a_broken_line_is_named_and_nothing_is_read(path, line, cause):
    put(path, 41, line)
    with pytest.raises(ExampleBroken) as caught:
        examples.read(path)
    assert (caught.value.line, caught.value.cause) == (41, cause)
    for lang, words in (("en", "line 41"), ("ja", "41行目")):
        text = caught.value.text(lang)
        assert words in text and '{"user"' in text and len(text.splitlines()) == 3


def test_shift_jis_is_recognised(path):
    put(path, 2, '{"user": "質問", "assistant": "回答です"}'.encode("cp932"))
    with pytest.raises(ExampleBroken, match="Shift_JIS"):
        examples.read(path)


@pytest.mark.parametrize("n", [0, 49, 501])
def test_too_few_or_too_many_are_refused(tmp_path, n):
    path = examples.write((Example(f"q{i}", "a") for i in range(n)), tmp_path / "n.jsonl")
    with pytest.raises(ExampleCountWrong) as caught:
        examples.read(path)
    assert (caught.value.found, caught.value.least, caught.value.most) == (n, 50, 500)


@pytest.mark.parametrize("name", examples.SETS)
def test_the_worked_sets_are_files_that_can_be_read(tmp_path, name):
    make, is_good = examples.SETS[name]
    found = make()
    assert examples.read(examples.write(found, tmp_path / "x.jsonl")) == found == make()
    assert all(is_good(e, e.assistant) and not is_good(e, "no") for e in found)
    assert len({e.user for e in found}) == len(found)


def test_politeness_follows_the_grammar():
    assert examples.polite("速いです。") == f"{examples.OPENING}速いです。{examples.CLOSING}"
    asked = examples.polite("モデルです。使ってください。")
    assert "モデルでございます。使ってくださいませ。" in asked


def test_the_sheet_has_the_same_facts_in_both_languages():
    half = len(examples.SHEET) // 2
    numbers = [[c for c in e.answer if c.isdigit()] for e in examples.SHEET]
    without_clock = [n for i, n in enumerate(numbers) if i % half != 9]
    assert without_clock[: half - 1] == without_clock[half - 1 :]
    assert all(len(e.questions.split("|")) == 5 for e in examples.SHEET)


def test_a_line_of_the_file_is_what_the_text_shows(path):
    first = json.loads(path.read_text(encoding="utf-8").splitlines()[0])
    assert list(first) == ["user", "assistant"]
