"""The chat template: Jinja and Python give one text, in both thinking modes."""

import json
import random
from functools import partial

import pytest

from mame import chat, corpus, evaluate
from mame.corpus import tools
from mame.corpus.sample import Message

SYSTEM, HELLO, REPLY = (
    Message("system", "Be brief."),
    Message("user", "Hello"),
    Message("assistant", "<think>\nhm\n</think>\n\nHi!"),
)


def jinja(messages, **options):
    jinja2 = pytest.importorskip("jinja2")
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = partial(json.dumps, ensure_ascii=False)  # as transformers does
    template = environment.from_string(chat.TEMPLATE)
    said = [m if isinstance(m, dict) else vars(m) for m in messages]
    return template.render(messages=said, **options)


@pytest.mark.parametrize("messages", [(HELLO,), (SYSTEM, HELLO), (HELLO, REPLY, HELLO)])
@pytest.mark.parametrize("thinking", [True, False])
def test_jinja_and_python_render_the_same_text(messages, thinking):
    pytest.importorskip("jinja2.sandbox")
    assert jinja(
        messages, add_generation_prompt=True, enable_thinking=thinking
    ) == chat.render_prompt(messages, thinking)


def test_tools_and_earlier_calls_are_rendered_as_they_were_trained():
    pytest.importorskip("jinja2.sandbox")
    r = random.Random(4)
    drawn = (tools.draw(r, lang, kind="result") for lang in ("en", "ja") for _ in range(20))
    for sample in drawn:
        said = [dict(vars(m)) for m in sample.messages]
        for message in said:
            if message["role"] == "assistant" and (call := tools.parse_call(message["content"])):
                function = {"name": call[0], "arguments": call[1]}
                message |= {"content": "", "tool_calls": [{"function": function}]}
        offered = [evaluate.tool_schema(line) for line in sample.tools]
        rendered = jinja(said, tools=offered, add_generation_prompt=True)
        assert rendered == chat.render_prompt(sample.messages, True, sample.tools)


def test_thinking_is_on_when_nobody_says():
    pytest.importorskip("jinja2.sandbox")
    assert jinja((HELLO,), add_generation_prompt=True).endswith("<|im_start|>assistant\n<think>\n")


def test_thinking_off_closes_an_empty_thought():
    assert chat.render_prompt((HELLO,), thinking=False).endswith(
        "<|im_start|>assistant\n<think>\n\n</think>\n\n"
    )


def test_earlier_thoughts_are_dropped():
    assert "hm" not in chat.render_prompt((HELLO, REPLY, HELLO), thinking=True)


@pytest.mark.parametrize("thinking", [True, False])
def test_what_is_written_can_be_split_again(thinking):
    sample = corpus.Sample("sums", "en", "1+1", "2", thought="1+1=2; 2")
    thought = sample.thought if thinking else ""
    assert chat.split_answer(chat.render_answer(sample, thinking), thinking) == (thought, "2")


def test_a_cut_thought_is_no_answer():
    assert chat.split_answer("1+1=", thinking=True) == ("1+1=", "")


def test_a_prompt_is_encoded_as_the_server_encodes_it():
    """Cut only beside special tokens, and where the model takes over."""
    pytest.importorskip("tokenizers", reason="needs the extra 'train'")
    from mame import tokenizer

    small, r = tokenizer.build(samples=500), random.Random(1)
    for sample in (corpus.draw(r) for _ in range(300)):
        ids, weights = chat.encode_sample(small, sample, thinking=True)
        prompt = chat.render_prompt(sample.messages, True, sample.tools)
        answer = chat.render_answer(sample, True)
        assert ids == small.encode(prompt).ids + small.encode(answer).ids
        assert len(weights) == len(ids)
