"""Bytes become characters and stop strings end the text, wherever the pieces are cut."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from jimoto.daemon.stopping import StopScanner


def scan(pieces, stops=()):
    scanner = StopScanner(stops)
    shown = []
    for piece in pieces:
        shown.append(scanner.feed(piece))
        if scanner.stopped:
            return shown, True
    return [*shown, scanner.finish()], False


def test_one_kanji_may_be_three_tokens():
    assert scan([bytes([b]) for b in "豆🫘".encode()])[0] == ["", "", "豆", "", "", "", "🫘", ""]


def test_half_a_character_at_the_end_is_dropped():
    assert "".join(scan(["豆".encode()[:2]])[0]) == ""


def test_what_was_never_a_character_is_shown_as_such():
    assert "".join(scan([b"\xff", b"a"])[0]) == "�a"


def test_a_stop_string_over_two_pieces_is_never_shown():
    assert scan([b"answer #", b"## user"], ["###"]) == (["answer ", ""], True)


def test_what_only_looked_like_a_stop_string_is_shown():
    assert scan([b"a #", b"b"], ["###"]) == (["a ", "#b", ""], False)


def test_the_first_stop_string_in_the_text_ends_it():
    assert scan([b"one two three"], ["three", "two"]) == (["one "], True)


@given(
    st.text("ab豆\n", max_size=30),
    st.lists(st.text("ab豆\n", min_size=1, max_size=4), max_size=3),
    st.lists(st.integers(0, 90)),
)
def test_the_text_is_the_same_however_it_is_cut(text, stops, cuts):
    raw = text.encode()
    at = [0, *sorted(min(cut, len(raw)) for cut in cuts), len(raw)]
    pieces = [raw[a:b] for a, b in pairwise(at)]
    whole, stopped = scan([raw], stops)
    cut, cut_stopped = scan(pieces, stops)
    assert cut_stopped == stopped == any(stop in text for stop in stops)
    assert "".join(whole).startswith("".join(cut)) or not stopped
    assert not any(stop in "".join(cut) for stop in stops)
    if not stopped:
        assert "".join(cut) == text
