"""The tokenizer: what goes in comes out, and digits stand alone."""

import pytest

from mame import chat, tokenizer

pytest.importorskip("tokenizers", reason="needs the extra 'train'")


@pytest.fixture(scope="module")
def small():
    return tokenizer.build(samples=1500)


@pytest.mark.parametrize(
    "text",
    [
        "What is a local LLM?",
        "ローカルLLMとは何ですか？",
        "ぷりんを食べたい。鬱",
        "🍣🐱👍 café",
        " two  spaces \n\n",
        '{"a": [1]}',
        "`ollama run`",
        "㍻①ｱ",
        "",
    ],
)
def test_any_text_comes_back_unchanged(small, text):
    assert small.decode(small.encode(text).ids) == text


def test_each_digit_is_one_token(small):
    assert small.encode("12345").tokens == list("12345")


def test_special_tokens_have_the_first_ids(small):
    assert small.encode("".join(chat.SPECIAL_TOKENS)).ids == [0, 1, 2, 3, 4]


def test_think_tags_survive_decoding_and_turn_marks_do_not(small):
    assert small.decode(small.encode("<think>\na</think>b<|im_end|>").ids) == "<think>\na</think>b"


def test_pieces_are_short_and_few(small):
    pieces = small.get_vocab()
    assert len(pieces) <= 4096
    longest = max((p for p in pieces if p not in chat.SPECIAL_TOKENS), key=len)
    assert len(longest) <= tokenizer.MAX_PIECE_BYTES


def test_the_same_seed_gives_the_same_tokenizer(small):
    assert tokenizer.build(samples=1500).to_str() == small.to_str()
