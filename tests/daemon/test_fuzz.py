"""A few hundred cases of `make fuzz`, the same ones every time; see `fuzz.py`."""

import pytest
from fuzz import PARTS, run_chunk, sandbox
from oracle import full_name, source_of

CASES = 60


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_every_answer_is_one_that_the_specification_allows(part):
    with sandbox() as box:
        run_chunk(box, part, number=0, start=0, examples=max(6, CASES * part.share // 100))
        assert box.cases >= 6


def test_a_file_written_outside_is_noticed(tmp_path):
    """The watch itself: whatever is opened for writing elsewhere while a request is answered."""
    with sandbox() as box:
        box.app.state.rooms.library.tags = lambda: (tmp_path / "evil").write_text("x") and []
        with pytest.raises(AssertionError, match="evil"):
            box.ask("GET", "/api/tags")


@pytest.mark.parametrize(
    ("text", "full"),
    [
        ("m", "registry.ollama.ai/library/m:latest"), ("n/m:t", "registry.ollama.ai/n/m:t"),
        ("h:80/n/m:t", "h:80/n/m:t"), ("_a/_b/_c:_d", "_a/_b/_c:_d"), ("", None), ("m:", None),
        ("/m", None), ("//", None), ("-m", None), ("a.b/m", None), ("h/n:x/m:t", None),
        ("m:" + "t" * 81, None),
    ],
)  # fmt: skip
def test_the_oracle_knows_the_names_of_the_reference(text, full):
    assert full_name(text) == full


def test_the_oracle_knows_where_a_name_asks_to_be_run():
    names = {"x": "", "x:local": "local", "x:cloud": "cloud", "x:1b-cloud": "cloud",
             "x:cloud:local": "both", "x:local:cloud": "both"}  # fmt: skip
    assert {name: source_of(name) for name in names} == names
