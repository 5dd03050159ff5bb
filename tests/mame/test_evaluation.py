"""The evaluation: it can succeed, and it can fail."""

import pytest

from mame import corpus, evaluate
from mame.corpus import fallback


class Scripted:
    """Gives the same text whatever is asked."""

    def __init__(self, text):
        self.text = text

    def answer(self, prompt):
        return self.text

    def next_token_odds(self, prompt, texts):
        return [1 / len(texts)] * len(texts)


class Knowing(Scripted):
    """Looks the right answer up."""

    def __init__(self, samples):
        self.answers = {s.question: s.answer for s in samples}

    def answer(self, prompt):
        question = prompt.split("<|im_start|>user\n")[-1].split("<|im_end|>")[0]
        return ("\n</think>\n\n" if prompt.endswith("<think>\n") else "") + self.answers[question]


def cell(answerer, skill, thinking=False, samples=None):
    samples = samples or evaluate.questions(skill, True, "en", 40, seed=1)
    return evaluate.measure(answerer, samples, skill=skill, new=True, lang="en", thinking=thinking)


@pytest.mark.parametrize("skill", ["faq", "smalltalk", "fallback", "fortune"])
@pytest.mark.parametrize("text", ["", "xqz", "</think>", "I am a large language model."])
def test_a_model_that_knows_nothing_scores_zero(skill, text):
    assert cell(Scripted(text), skill).right == 0


def test_a_model_that_always_refuses_is_right_only_about_the_unknown():
    refuser = Scripted(fallback.ANSWER["en"])
    assert cell(refuser, "fallback").right == 40
    faq = cell(refuser, "faq")
    assert (faq.right, faq.refused) == (0, faq.n)


@pytest.mark.parametrize("thinking", [True, False])
def test_a_model_that_knows_scores_full(thinking):
    samples = evaluate.questions("faq", True, "en", 40, seed=1)
    assert cell(Knowing(samples), "faq", thinking, samples).right == 40


def test_questions_are_different_and_the_same_for_the_same_seed():
    once, again = (evaluate.questions("faq", True, "ja", 50, seed=2) for _ in range(2))
    assert once == again
    assert len({s.question for s in once}) == 50


def test_an_even_draw_is_far_from_the_stated_odds():
    assert evaluate.fortune_divergence(Scripted(""), "ja", thinking=False) > 0.05


@pytest.mark.parametrize(
    "right, n, low, high", [(10, 10, 0.722, 1.0), (0, 10, 0.0, 0.278), (50, 100, 0.404, 0.596)]
)
def test_wilson_interval(right, n, low, high):
    assert evaluate.wilson(right, n) == pytest.approx((low, high), abs=0.001)


def test_the_table_names_both_modes():
    samples = evaluate.questions("faq", True, "en", 10, seed=1)
    cells = [cell(Knowing(samples), "faq", thinking, samples) for thinking in (True, False)]
    assert (
        "| faq, new wordings | en | 100.0 % of 10 (72.2–100.0) | 100.0 % of 10 (72.2–100.0) |"
        in evaluate.table(cells)
    )


def test_every_skill_of_the_mix_is_measured():
    assert {skill for skill, _ in evaluate.PARTS} == set(corpus.MIX)
