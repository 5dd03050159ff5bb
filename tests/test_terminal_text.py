"""Word wrap while words arrive, and bytes that become text: pure, no terminal needed."""

import codecs
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jimoto.commands.terminal import (
    NOT_FIRST,
    Wrapper,
    decode_input,
    guess_encoding,
    text_width,
)
from jimoto.errors import InputNotUtf8

TEXT = st.text("ab Aの豆を、。」「ーﾏ\n\u3099😀", max_size=120)
MOVE = re.compile("\x1b\\[(\\d+)D\x1b\\[K\n")


def screen(printed):
    """What a terminal shows: `back n columns, wipe, new line` is all that it must understand."""
    lines, rest = [""], printed
    while rest:
        move = MOVE.match(rest)
        if move:
            keep = text_width(lines[-1]) - int(move[1])
            while text_width(lines[-1]) > keep:
                lines[-1] = lines[-1][:-1]
            lines.append("")
            rest = rest[move.end() :]
        elif rest[0] == "\n":
            lines.append("")
            rest = rest[1:]
        else:
            lines[-1] += rest[0]
            rest = rest[1:]
    return lines


@given(TEXT, st.integers(4, 20))
def test_no_line_is_wider_than_the_terminal_and_nothing_is_lost(text, width):
    lines = screen(Wrapper(width).feed(text))
    assert all(text_width(line) < width for line in lines)
    assert re.sub(r"\s", "", "".join(lines)) == re.sub(r"\s", "", text)


@given(TEXT, st.integers(4, 20), st.integers(1, 7))
def test_the_lines_are_the_same_however_the_text_is_cut(text, width, size):
    wrapper = Wrapper(width)
    pieces = [wrapper.feed(text[at : at + size]) for at in range(0, len(text), size)]
    assert screen("".join(pieces)) == screen(Wrapper(width).feed(text))


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("one two three", 9, ["one two ", "three"]),
        ("豆を煎る。", 9, ["豆を煎", "る。"]),
        ("豆「煎る」", 7, ["豆「煎", "る」"]),
        ("豆豆「煎る", 7, ["豆豆", "「煎る"]),
        ("abcdefgh", 5, ["abcd", "efgh"]),
        ("使うmameは小さい", 8, ["使う", "mameは", "小さい"]),
    ],
)
def test_words_and_punctuation_stay_together(text, width, lines):
    assert screen(Wrapper(width).feed(text)) == lines
    assert not any(line[0] in NOT_FIRST for line in lines)


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
def test_utf_8_is_read_as_it_is(text):
    text = text.removeprefix("\ufeff")
    assert decode_input(codecs.BOM_UTF8 + text.encode()) == text


@pytest.mark.parametrize("encoding", ["cp932", "euc_jp", "utf-16", "utf-16-le"])
def test_other_encodings_of_japanese_are_recognised(encoding):
    with pytest.raises(InputNotUtf8) as caught:
        decode_input("計画を立てて、勉強会を準備する。\n".encode(encoding))
    known = {"cp932": "CP932", "euc_jp": "EUC-JP"}.get(encoding, "UTF-16")
    assert caught.value.encoding == known


def test_the_place_of_the_first_wrong_byte_is_told():
    with pytest.raises(InputNotUtf8) as caught:
        decode_input(b"ok \xff\xfe\xfd")
    assert (caught.value.position, caught.value.byte, guess_encoding(b"\xff")) == (3, 0xFF, "")
