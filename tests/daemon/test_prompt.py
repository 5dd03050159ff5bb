"""A stranger's template makes the prompt, in a sandbox; the oldest messages go first."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_gguf import TEMPLATE

from jimoto.daemon.prompt import CHATML, PromptError, compile_template, drop_oldest, render

HELLO = [{"role": "user", "content": "こんにちは"}]


def render_text(source, messages=HELLO, **variables):
    return render(compile_template(source), messages, variables)


def test_chatml_is_what_a_model_without_template_gets():
    expected = "<|im_start|>user\nこんにちは<|im_end|>\n<|im_start|>assistant\n"
    assert render_text(CHATML) == expected


def test_thinking_is_switched_by_a_variable():
    assert render_text(TEMPLATE, enable_thinking=True).endswith("<think>\n")
    assert render_text(TEMPLATE, enable_thinking=False).endswith("</think>\n\n")


def test_templates_may_use_what_transformers_offers():
    source = """
    {%- for m in messages %}
        {%- if loop.index > 1 %}{% break %}{% endif %}
        {{- m | tojson }}
    {%- endfor %}"""
    assert render_text(source, HELLO * 2) == '{"role": "user", "content": "こんにちは"}'
    assert len(render_text("{{ strftime_now('%Y') }}")) == 4


def test_a_template_may_refuse_messages_in_its_own_words():
    with pytest.raises(PromptError, match="roles must alternate"):
        render_text("{{ raise_exception('roles must alternate') }}")


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
        "{{ 'a' * 1000000000000 }}",
        "{{ 1000000000000 * 'a' }}",
        "{{ 9 ** 999999999 }}",
        "{{ '%1000000000s' % 'a' }}",
        "{% for i in range(99999999) %}a{% endfor %}",
        "{{ undefined_thing.attribute }}",
        "{{ 1 / 0 }}",
    ],
)
def test_cve_2024_34359_a_hostile_template_gets_our_error(source):
    with pytest.raises(PromptError):
        render_text(source)


@pytest.mark.parametrize("source", ["{% if %}", "{{", "{% nothing %}", "{{ 'x' | no_filter }}"])
def test_a_template_that_does_not_parse_gets_our_error(source):
    with pytest.raises(PromptError, match="does not parse"):
        compile_template(source)


def test_an_endless_prompt_is_cut_off():
    inner = "{% for i in range(9999) %}" + "a" * 1000 + "{% endfor %}"
    loops = "{% for i in range(9999) %}" + inner + "{% endfor %}"
    with pytest.raises(PromptError, match="endless"):
        render_text(loops)


messages = st.lists(
    st.builds(
        lambda role, size: {"role": role, "content": "x" * size},
        st.sampled_from(["system", "user", "assistant"]),
        st.integers(0, 30),
    ),
    min_size=1,
    max_size=12,
)


@given(messages, st.integers(0, 150))
def test_as_many_of_the_newest_messages_stay_as_fit(messages, room):
    def size(kept):
        return sum(len(m["content"]) + 1 for m in kept)

    kept = drop_oldest(messages, lambda kept: size(kept) <= room)
    assert kept[-1] is messages[-1]
    assert [m for m in messages if m["role"] == "system"] == [
        m for m in kept if m["role"] == "system"
    ]
    others = [m for m in messages if m["role"] != "system"]
    kept_others = [m for m in kept if m["role"] != "system"]
    assert others[len(others) - len(kept_others) :] == kept_others
    fits = size(kept) <= room
    one_more = (
        others[len(others) - len(kept_others) - 1 :][:1] if len(kept_others) < len(others) else []
    )
    assert not fits or not one_more or size(kept) + size(one_more) > room
