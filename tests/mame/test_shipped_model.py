"""The file that is shipped: small enough, and it answers the first questions of lesson 02."""

from pathlib import Path

import pytest

import mame
from mame import evaluate
from mame.corpus import fallback, faq, smalltalk
from mame.corpus.sample import Message

SHIPPED = Path(mame.__file__).parents[1] / "jimoto" / "data" / "mame.gguf"


@pytest.fixture(scope="module")
def shipped():
    pytest.importorskip("llama_cpp")
    answerer = evaluate.GgufAnswerer(SHIPPED)
    yield answerer
    answerer.llama.close()


def test_the_file_is_at_most_16_megabytes():
    assert SHIPPED.stat().st_size <= 16e6


@pytest.mark.slow
@pytest.mark.parametrize("thinking", [True, False])
@pytest.mark.parametrize(
    "question, answer",
    [
        ("What is a local LLM?", faq.BY_KEY["local_llm"].answer_en),
        ("ローカルLLMとは何ですか？", faq.BY_KEY["local_llm"].answer_ja),
        ("What is Ollama?", faq.BY_KEY["ollama"].answer_en),
        ("Ollamaとは何ですか？", faq.BY_KEY["ollama"].answer_ja),
        ("Hello", smalltalk.BY_KEY["hello"].answer_en),
        ("こんにちは", smalltalk.BY_KEY["hello"].answer_ja),
        ("What is the capital of France?", fallback.ANSWER["en"][:70]),
        ("東京の天気は？", fallback.ANSWER["ja"][:40]),
    ],
)
def test_the_first_questions_of_a_learner_are_answered(shipped, question, answer, thinking):
    thought, text = shipped.reply((Message("user", question),), (), thinking)
    assert (thought, text[: len(answer)]) == ("", answer)
