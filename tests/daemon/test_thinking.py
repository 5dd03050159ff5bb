"""The reasoning is split from the answer, however the stream is cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jimoto.daemon.thinking import Split, ThinkingSplitter, opens_thinking, template_thinks

CASES = [
    ("<think> a </think> b", "a ", "b"),
    ("<think>x</think><think>y</think>z", "x", "<think>y</think>z"),
    (" hi", "", " hi"),
    ("", "", ""),
    ("  \n", "", "  \n"),
    ("\n <think>\n\nwell</think>\n\nyes\n", "well", "yes\n"),
    ("<think>never closed", "never closed", ""),
    ("<think>half </thi", "half </thi", ""),
    ("<thin", "", "<thin"),
    ("so <think>x</think>", "", "so <think>x</think>"),
    ("<think></think>答えは三つ", "", "答えは三つ"),
]


def split_in_pieces(pieces, inside=False):
    splitter = ThinkingSplitter(inside)
    splits = [*map(splitter.feed, pieces), splitter.finish()]
    return "".join(s.thinking for s in splits), "".join(s.content for s in splits)


@pytest.mark.parametrize(("text", "thinking", "content"), CASES)
def test_one_block_at_the_beginning_is_thinking(text, thinking, content):
    assert split_in_pieces([text]) == (thinking, content)
    assert split_in_pieces(text) == (thinking, content)


def test_half_a_tag_is_held_back():
    splitter = ThinkingSplitter()
    steps = [("<th", Split()), ("ink>a</", Split("a")), ("think", Split()), (">b", Split("", "b"))]
    assert [splitter.feed(fed) for fed, _ in steps] == [split for _, split in steps]


def test_a_prompt_that_opens_the_tag_starts_inside():
    assert split_in_pieces(["\nwell", "</think>", "\n\nyes"], inside=True) == ("well", "yes")


@given(
    st.text("<>/think ab\n答", max_size=40)
    | st.lists(st.sampled_from(["<think>", "</think>", " ", "a", "<"])).map("".join),
    st.lists(st.integers(0, 40)),
    st.booleans(),
)
def test_thinking_splits_the_same_however_the_stream_is_cut(text, cuts, inside):
    at = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    pieces = [text[a:b] for a, b in pairwise(at)]
    assert split_in_pieces(pieces, inside) == split_in_pieces([text], inside)


def test_templates_of_thinking_models_are_recognised():
    assert template_thinks("... '<think>\n' ... '</think>' ...")
    assert template_thinks("{{ m.content.split('</think>')[-1] }}")
    assert not template_thinks("{{ m.content.split('</think>')[-1] }} reasoning_content")
    assert not template_thinks("{{ m.content }}")


def test_only_an_open_tag_at_the_end_of_the_prompt_opens_thinking():
    assert opens_thinking("assistant\n<think>\n")
    assert not opens_thinking("assistant\n<think>\n\n</think>\n\n")
    assert not opens_thinking("what is <think>?")
