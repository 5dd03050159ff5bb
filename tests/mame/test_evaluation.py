"""The evaluation: it can succeed, and it can fail."""

import dataclasses
from pathlib import Path

import pytest

from mame import corpus, evaluate
from mame.corpus import documents, fallback, fortune, tools
from mame.corpus.sample import LANGS

N = 30
SHIPPED = Path(evaluate.__file__).parents[1] / "jimoto" / "data" / "mame.gguf"
PARTS = {part.name: part for part in evaluate.PARTS}
NO_CALL = "tools: no call where none is needed"  # any sentence is right there


class Scripted:
    """Gives the same text whatever is asked."""

    def __init__(self, text, thought=""):
        self.text, self.thought = text, thought

    def reply(self, messages, tools, thinking):
        return self.thought, self.text

    def draws(self, question, n):
        return [self.text] * n


class Knowing(Scripted):
    """Looks the right answer up."""

    def __init__(self, samples):
        self.answers = {s.messages: (s.thought, s.answer) for s in samples}

    def reply(self, messages, tools, thinking):
        return self.answers[messages]


def cell(answerer, name, lang="en", thinking=False, samples=None):
    part = PARTS[name]
    samples = samples or evaluate.questions(part, lang, N, seed=1)
    return evaluate.measure(answerer, part, lang, samples, thinking)


@pytest.mark.parametrize("name", [name for name in PARTS if name != NO_CALL])
@pytest.mark.parametrize("text", ["", "xqz", "</think>", "I am a large language model."])
def test_a_model_that_knows_nothing_scores_zero(name, text):
    assert cell(Scripted(text), name).right == 0


@pytest.mark.parametrize("lang", LANGS)
def test_a_call_or_no_word_is_wrong_where_no_call_is_needed(lang):
    call = tools.write_call("calc", "expression", "347*28")
    for text, right in ((call, 0), (f"OK. {call}", 0), ("", 0), ("Good morning!", N)):
        assert cell(Scripted(text), NO_CALL, lang).right == right


def test_an_untrained_model_scores_zero(tmp_path):
    pytest.importorskip("torch", reason="needs the extra 'train'")
    from mame import model, tokenizer

    tokenizer.save(tokenizer.build(samples=500), tmp_path)
    shape = model.Shape(n_embd=64, n_layer=2, n_ff=128, n_head=2, n_kv_head=1)
    model.build(shape, 4096, seed=1).save_pretrained(tmp_path)
    answerer = evaluate.TorchAnswerer(tmp_path)
    answerer.model.generation_config.max_length = 400
    for name in ("questions, trained wordings", "document says it", "solver"):
        samples = evaluate.questions(PARTS[name], "ja", 2, seed=1)
        assert cell(answerer, name, "ja", samples=samples).right == 0


@pytest.mark.parametrize("lang", LANGS)
def test_a_model_that_always_refuses_is_right_only_about_the_unknown(lang):
    refuser = Scripted(fallback.ANSWER[lang])
    assert cell(refuser, "anything else", lang).share == 1
    faq = cell(refuser, "questions, new wordings", lang)
    assert (faq.right, faq.refused) == (0, faq.n)
    assert cell(Scripted(documents.NOT_SAID[lang]), "document does not say it", lang).share == 1
    said = cell(Scripted(documents.NOT_SAID[lang]), "document says it", lang)
    assert (said.right, said.not_said) == (0, said.n)


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("name", PARTS)
def test_a_model_that_knows_scores_full(name, lang):
    samples = evaluate.questions(PARTS[name], lang, N, seed=1)
    found = cell(Knowing(samples), name, lang, PARTS[name].modes[0], samples)
    assert found.right == found.n > 0
    if name.startswith("sums, band"):
        assert found.sound == found.n


def test_wrong_work_is_seen_even_where_the_result_is_right():
    samples = evaluate.questions(PARTS["sums, band 2"], "en", 1, seed=1)
    wrong = [dataclasses.replace(s, thought="1+1=3") for s in samples]
    found = cell(Knowing(wrong), "sums, band 2", "en", True, samples)
    assert (found.right, found.sound) == (1, 0)


def test_prompts_are_different_and_the_same_for_the_same_seed():
    part = PARTS["questions, new wordings"]
    once, again = (evaluate.questions(part, "ja", 50, seed=2) for _ in range(2))
    assert once == again
    assert len({s.messages for s in once}) == 50


def test_there_are_prompts_enough_for_a_cell_of_200():
    small = {
        f"{part.name} {lang}"
        for part in evaluate.PARTS
        for lang in LANGS
        if part.target and len(evaluate.questions(part, lang, 200, seed=1)) < 200
    }
    assert small <= {f"anything else {lang}" for lang in LANGS}


class Even(Scripted):
    def draws(self, question, n):
        labels = list(fortune.labels("ja"))
        return [labels[i % len(labels)] for i in range(n)]


class Stated(Scripted):
    def draws(self, question, n):
        return [label for label, p in fortune.labels("ja").items() for _ in range(round(p * n))]


def test_an_even_draw_is_far_from_the_stated_odds():
    assert evaluate.fortune_divergence(Even(""), "ja", 600) > 0.05
    assert evaluate.fortune_divergence(Stated(""), "ja", 1000) == pytest.approx(0, abs=1e-9)
    assert evaluate.fortune_divergence(Scripted("吉"), "ja", 100) > 1
    assert evaluate.fortune_divergence(Scripted("?"), "ja", 100) == float("inf")


class PipeOf(Scripted):
    def __init__(self, lang, n, broken=None):
        import random

        from mame.corpus import roles

        r, self.wanted = random.Random(f"pipe/1/{lang}"), {}
        for _ in range(n):
            task, (plan, text, end) = roles.pipe_task(r, lang)
            self.wanted |= {(0, task): plan, (1, plan): text, (2, text): end}
        self.systems = [roles.PLANNER[lang], roles.SOLVER[lang], roles.TRANSLATOR[lang]]
        self.broken = broken

    def reply(self, messages, tools, thinking):
        stage = self.systems.index(messages[0].content)
        return "", "?" if stage == self.broken else self.wanted.get(
            (stage, messages[1].content), ""
        )


@pytest.mark.parametrize("lang", LANGS)
def test_a_pipe_counts_only_when_its_end_is_right(lang):
    assert evaluate.measure_pipe(PipeOf(lang, 5), lang, 5, 1, False).right == 5
    dead = evaluate.measure_pipe(PipeOf(lang, 5, broken=1), lang, 5, 1, False)
    assert (dead.right, dead.stages) == (0, [5, 0, 0])


@pytest.mark.parametrize(
    "right, n, low, high", [(10, 10, 0.722, 1.0), (0, 10, 0.0, 0.278), (50, 100, 0.404, 0.596)]
)
def test_wilson_interval(right, n, low, high):
    assert evaluate.wilson(right, n) == pytest.approx((low, high), abs=0.001)


def test_the_table_marks_what_is_short():
    name = "questions, new wordings"
    samples = evaluate.questions(PARTS[name], "en", 10, seed=1)
    good = cell(Knowing(samples), name, "en", True, samples)
    bad = cell(Scripted("?"), name, "en", False, samples)
    shown = "85 % | 100.0 % of 10 (72–100) | 0.0 % of 10 (0–28) ✗ |"
    assert f"| M1 | {name} | en | {shown}" in evaluate.table([good, bad])


def test_every_skill_of_the_mix_is_measured():
    drawn = {evaluate.questions(part, "en", 1, seed=1)[0].skill for part in evaluate.PARTS}
    assert drawn == set(corpus.MIX)


def test_a_tool_line_becomes_the_schema_that_the_template_turns_into_the_line_again():
    schema = evaluate.tool_schema("move(from, to): Move a box.")
    assert schema["function"]["parameters"]["properties"].keys() == {"from", "to"}
    assert schema["function"]["description"] == "Move a box."


@pytest.mark.slow
@pytest.mark.parametrize("size, said", [(None, "there is no file"), (5000, "is cut short")])
def test_a_file_that_cannot_be_asked_is_refused_in_one_sentence(
    tmp_path, monkeypatch, capsys, size, said
):
    path = tmp_path / "broken.gguf"
    if size:
        path.write_bytes(SHIPPED.read_bytes()[:size])
    monkeypatch.setattr("sys.argv", ["mame.evaluate", str(path), "-n", "1"])
    with pytest.raises(SystemExit) as ended:
        evaluate.main()
    assert ended.value.code
    assert said in capsys.readouterr().err.splitlines()[-1]
