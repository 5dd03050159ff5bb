"""Which of two templates speaks for a model, and what is read off it."""

import pytest

from jimoto.daemon.chat_template import choose_template, read_go, read_jinja

JINJA = "{% for m in messages %}{{ m.content }}{% endfor %}"
JINJA_TOOLS = JINJA + "{{ tools }}"
JINJA_ROUND = JINJA_TOOLS + "{% if m.role == 'tool' %}{% endif %}"
JINJA_THINKS = JINJA + "<think></think>"
JINJA_ALL = JINJA_ROUND + "<think></think>"
GO = "{{ range .Messages }}{{ .Content }}{{ end }}"
GO_TOOLS = GO + "{{ .Tools }}"
GO_ROUND = GO_TOOLS + '{{ range .Messages }}{{ if eq .Role "tool" }}{{ end }}{{ end }}'
GO_THINKS = "{{ range .Messages }}<think>{{ .Thinking }}</think>{{ end }}"
GO_INSERT = "{{ .Prompt }}<FILL>{{ .Suffix }}"
BROKEN = "{{ if }}"

# jinja, go, OLLAMA_GO_TEMPLATE, which is used
CHOICES = [
    ("", "", None, ""),
    (JINJA, "", None, JINJA),
    ("", GO, None, GO),
    (JINJA, GO, None, GO),
    (JINJA_TOOLS, GO, None, JINJA_TOOLS),
    (JINJA_THINKS, GO, None, JINJA_THINKS),
    (JINJA, GO_TOOLS, None, GO_TOOLS),
    (JINJA_TOOLS, GO_TOOLS, None, GO_TOOLS),
    (JINJA_ROUND, GO_TOOLS, None, JINJA_ROUND),  # only the Jinja shows what a tool answered
    (JINJA_ROUND, GO_ROUND, None, GO_ROUND),
    (JINJA_ALL, GO_ROUND, None, JINJA_ALL),
    (JINJA_TOOLS + "<think></think>", GO_ROUND, None, GO_ROUND),  # would lose the tool's answers
    (JINJA_THINKS, GO_TOOLS, None, GO_TOOLS),  # neither can more
    (JINJA_ALL, GO, True, GO),
    (JINJA, GO_ROUND, False, JINJA),
    ("", GO, False, GO),
    (JINJA, "", True, JINJA),
    (JINJA, BROKEN, None, JINJA),
    ("", BROKEN, None, BROKEN),
]


@pytest.mark.parametrize(("jinja", "go", "prefers_go", "used"), CHOICES)
def test_template_speaks_unless_the_models_own_can_do_more(jinja, go, prefers_go, used):
    assert choose_template(jinja, go, prefers_go).source == used


def test_a_jinja_template_tells_what_its_model_can_do():
    found = [read_jinja(source).abilities for source in (JINJA, JINJA_TOOLS, JINJA_ALL)]
    assert found == [frozenset(), {"tools"}, {"tools", "thinking"}]


def test_a_go_template_tells_its_own_tags():
    found = read_go("{{ range .Messages }}<r> {{ .Thinking }} </r>{{ end }}{{ .Suffix }}")
    assert found.think_tags == ("<r>", "</r>") and found.insert_source == found.source


def test_only_a_go_template_inserts_whichever_speaks():
    chosen = choose_template(JINJA_TOOLS, GO_INSERT)
    assert (chosen.source, chosen.insert_source) == (JINJA_TOOLS, GO_INSERT)
    assert choose_template(JINJA, "").insert_source == ""
