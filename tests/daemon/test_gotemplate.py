"""Go templates: the language, and what a stranger's template may not do."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jimoto.daemon.gochat import infer_capabilities, render_chat
from jimoto.daemon.gotemplate import Limits, TemplateError, parse_template, render

TODAY = date(2026, 3, 1)
DATA: dict[str, Any] = {
    "Name": "Mai",
    "Empty": "",
    "None": None,
    "Yes": True,
    "N": 3,
    "Half": 0.5,
    "List": ["a", "b", "c"],
    "NoList": [],
    "Map": {"z": 1, "a": {"b": "deep"}},
    "Kana": "日本",
}


def text_of(source: str, data: Any = DATA, **limits: int) -> str:
    return render(parse_template(source), data, today=TODAY, limits=Limits(**limits))


# --- the language ---------------------------------------------------------------------------------

LANGUAGE = [
    # text, comments, trimming
    ("plain", "plain"),
    ("a {{/* c }} */}} b", "a  b"),
    ("a {{- /* c */ -}} b", "ab"),
    ("a \n {{- .N -}} \t b", "a3b"),
    ("a {{ .N -}} b", "a 3b"),
    ("a {{- .N }} b", "a3 b"),
    ("a {{-3}} b", "a -3 b"),  # not a trim mark: no space follows it
    ("{{ `}}` }}{{ \"}}\" }}", "}}}}"),
    ("} {{ .N }} }", "} 3 }"),
    ("{{\n.N\n}}", "3"),
    # literals
    ("{{ 12 }} {{ -1 }} {{ 0x1F }} {{ 1_000 }} {{ 'a' }} {{ 017 }}", "12 -1 31 1000 97 15"),
    ("{{ 1.50 }} {{ 1e3 }} {{ 1e6 }} {{ .5 }} {{ 0.00001 }}", "1.5 1000 1e+06 0.5 1e-05"),
    (r'{{ "a\tb\n\"\u65e5\xe6\x9c\xac\101" }}', 'a\tb\n"日本A'),
    ("{{ `a\\n\r\nb` }}", "a\\n\nb"),
    ("{{ true }} {{ false }}", "true false"),
    # fields, variables, scope
    ("{{ .Name }} {{ $.Name }} {{ .Map.a.b }} {{ (index .Map \"a\").b }}", "Mai Mai deep deep"),
    ("{{ .Missing }}|{{ if .Missing }}x{{ else }}y{{ end }}", "<no value>|y"),
    ("{{ $x := 1 }}{{ $x }}{{ $x = 2 }}{{ $x }}", "12"),
    ("{{ $x := 1 }}{{ if true }}{{ $x := 2 }}{{ $x }}{{ end }}{{ $x }}", "21"),
    ("{{ $x := 1 }}{{ if true }}{{ $x = 2 }}{{ end }}{{ $x }}", "2"),
    ("{{ with $x := .Name }}{{ $x }}{{ . }}{{ end }}", "MaiMai"),
    ("{{ $x := .Map }}{{ $x.a.b }}", "deep"),
    # truth
    ("{{ if .Empty }}1{{ end }}{{ if .None }}2{{ end }}{{ if .NoList }}3{{ end }}{{ if 0 }}4{{ end }}", ""),  # noqa: E501
    ("{{ if .Map }}1{{ end }}{{ if .List }}2{{ end }}{{ if .Half }}3{{ end }}{{ if .Yes }}4{{ end }}", "1234"),  # noqa: E501
    # if, with, range
    ("{{ if eq .N 1 }}one{{ else if eq .N 3 }}three{{ else }}other{{ end }}", "three"),
    ("{{ if eq .N 1 }}one{{ else if eq .N 2 }}two{{ else }}other{{ end }}", "other"),
    ("{{ if eq .N 1 }}one{{ else if eq .N 2 }}two{{ end }}", ""),
    ("{{ with .Empty }}x{{ else with .Name }}{{ . }}{{ else }}y{{ end }}", "Mai"),
    ("{{ with .Empty }}x{{ else }}{{ .Name }}{{ end }}", "Mai"),
    ("{{ range .List }}<{{ . }}>{{ end }}", "<a><b><c>"),
    ("{{ range $x := .List }}{{ $x }}{{ $.N }}{{ end }}", "a3b3c3"),
    ("{{ range $i, $x := .List }}{{ $i }}{{ $x }} {{ end }}", "0a 1b 2c "),
    ("{{ range $k, $v := .Map }}{{ $k }}={{ $v }};{{ end }}", "a=map[b:deep];z=1;"),
    ("{{ range .NoList }}x{{ else }}none{{ end }}", "none"),
    ("{{ range .None }}x{{ else }}none{{ end }}", "none"),
    ("{{ range 3 }}{{ . }}{{ end }}", "012"),
    ("{{ range .List }}{{ if eq . \"b\" }}{{ break }}{{ end }}{{ . }}{{ end }}", "a"),
    ("{{ range .List }}{{ if eq . \"b\" }}{{ continue }}{{ end }}{{ . }}{{ end }}", "ac"),
    ("{{ $last := \"\" }}{{ range $last = .List }}{{ end }}{{ $last }}", "c"),
    # define, template, block
    ('{{ define "x" }}[{{ . }}]{{ end }}{{ template "x" .Name }}{{ template "x" }}', "[Mai][<no value>]"),  # noqa: E501
    ('{{ block "x" .Name }}[{{ . }}{{ $ }}]{{ end }}', "[MaiMai]"),
    ('{{ template "x" 3 }}{{ define "x" }}{{ if . }}{{ . }}{{ end }}{{ end }}', "3"),
    # pipelines and parentheses
    ("{{ .Name | printf \"%s-%s\" \"x\" }}", "x-Mai"),
    ("{{ .List | len | eq 3 }}", "true"),
    ("{{ (len .List) }} {{ eq (len (slice .List 1)) 2 }}", "3 true"),
    # functions
    ("{{ and 1 0 2 }} {{ and 1 2 }} {{ or 0 \"\" }} {{ or 0 5 6 }}", "0 2  5"),
    ("{{ and false (index .NoList 9) }}{{ or true (index .NoList 9) }}", "falsetrue"),
    ("{{ not .Empty }} {{ not 1 }}", "true false"),
    ("{{ eq 1 2 1 }} {{ ne \"a\" \"b\" }} {{ eq .None nil }} {{ eq .Missing \"x\" }}", "true true true false"),  # noqa: E501
    ("{{ lt 1 2 }} {{ le 2 2 }} {{ gt \"b\" \"a\" }} {{ ge 1 2 }} {{ lt 1 1.5 }}", "true true true false true"),  # noqa: E501
    ("{{ len .Kana }} {{ len .Map }} {{ index .Kana 0 }}", "6 2 230"),
    ("{{ index .List 1 }} {{ index .Map `a` `b` }} {{ index .Map `no` }}", "b deep <no value>"),
    ("{{ slice .List 1 2 }} {{ slice .Kana 3 }} {{ slice .List }}", "[b] 本 [a b c]"),
    ("{{ print 1 2 \"a\" 3 \"b\" \"c\" nil }}|{{ println 1 \"a\" }}|", "1 2a3bc<nil>|1 a\n|"),
    ("{{ printf \"%d|%5d|%-3d|%03d|%x\" 1 2 3 4 255 }}", "1|    2|3  |004|ff"),
    ('{{ printf "%s|%3s|%q|%v|%t|%%" "a" "b" "c\\n" .List true }}', 'a|  b|"c\\n"|[a b c]|true|%'),
    ("{{ printf \"%.2f %g %d\" 1.005 0.5 }}", "1.00 0.5 %!d(MISSING)"),
    ("{{ printf \"%d\" \"a\" 1 }}", "%!d(string=a)%!(EXTRA int=1)"),
    ("{{ html \"<a href='x'>\" }}", "&lt;a href=&#39;x&#39;&gt;"),
    ("{{ js \"it's\" }} {{ urlquery \"a b&日\" }}", "it\\'s a+b%26%E6%97%A5"),
    ("{{ json .Map }} {{ json .List }} {{ json \"<日>\" }}", '{"a":{"b":"deep"},"z":1} ["a","b","c"] "\\u003c日\\u003e"'),  # noqa: E501
    ("{{ json 1.0 }} {{ json 0.0000001 }} {{ json nil }} {{ json .Yes }}", "1 1e-7 null true"),
    ("{{ currentDate }} {{ currentDate \"2006\" }} {{ yesterdayDate }}", "2026-03-01 2026-03-01 2026-02-28"),  # noqa: E501
    ("{{ toTypeScriptType .Name }}", "any"),
    ("{{ .List }} {{ .Map }} {{ .Half }} {{ .None }}", "[a b c] map[a:map[b:deep] z:1] 0.5 <no value>"),  # noqa: E501
]  # fmt: skip


@pytest.mark.parametrize(("source", "expected"), LANGUAGE)
def test_it_reads_as_in_go(source: str, expected: str) -> None:
    assert text_of(source) == expected


BROKEN = [
    ("a\n  {{ nope }}", 'function "nope" not defined', (2, 6)),
    ("{{ .A", "unclosed action", (1, 6)),
    ("{{ if .A }}x", "{{end}} is missing", (1, 13)),
    ("x {{ end }}", "unexpected {{end}}", (1, 3)),
    ("{{ if }}x{{ end }}", "missing value for if", (1, 1)),
    ("{{ }}", "missing value for command", (1, 1)),
    ("{{ .A | }}", "missing value for command", (1, 1)),
    ("{{ $x }}", 'undefined variable "$x"', (1, 4)),
    ("{{ if true }}{{ $x := 1 }}{{ end }}{{ $x }}", "undefined variable", (1, 39)),
    ("{{ 1 | 2 }}", "non executable command in pipeline stage 2", (1, 8)),
    ("{{ (len .A }}", "unclosed left paren", (1, 4)),
    ("{{ len .A) }}", "unexpected ')'", (1, 1)),
    ('{{ "a }}', "unterminated quoted string", (1, 4)),
    (r'{{ "\q" }}', "invalid syntax", (1, 4)),
    ("{{ 1a }}", "bad number", (1, 4)),
    ("{{ 99999999999999999999 }}", "overflows", (1, 4)),
    ("{{ .A! }}", "bad character '!'", (1, 6)),
    ("{{ $x=1 }}", "bad character '='", (1, 6)),
    ("{{ /* c */ }}", "bad character '/'", (1, 4)),
    ("{{/* c }}", "bad character '/'", (1, 3)),
    ("{{ true.A }}", "unexpected . after term", (1, 4)),
    ("{{ break }}", "unexpected {{break}}", (1, 1)),
    ('{{ if true }}{{ define "x" }}{{ end }}{{ end }}', "unexpected {{define}}", (1, 14)),
    ('{{ define "x" }}1{{ end }}{{ define "x" }}2{{ end }}', "multiple definition", (1, 27)),
    ("{{ range .A }}{{ else if .B }}{{ end }}", "unexpected 'if'", (1, 15)),
    ("{{ if .A }}{{ else }}{{ else }}{{ end }}", "expected end", (1, 22)),
    ("{{ range $a, $b, $c := .A }}{{ end }}", "too many declarations", (1, 1)),
    ("{{ " + "(" * 100 + "1" + ")" * 100 + " }}", "nested too deep", (1, 64)),
    ("{{ if 1 }}" * 100 + "{{ end }}" * 100, "nested too deep", (1, 601)),
    ("x" * 300_000, "too long", (1, 1)),
]


@pytest.mark.parametrize(("source", "reason", "place"), BROKEN, ids=[row[1] for row in BROKEN])
def test_a_broken_template_is_refused_with_its_place(
    source: str, reason: str, place: tuple[int, int]
) -> None:
    with pytest.raises(TemplateError) as caught:
        parse_template(source)
    assert reason in caught.value.reason
    assert (caught.value.line, caught.value.column) == place


FAILING = [
    ("{{ .Name.X }}", "can't evaluate field X in type string"),
    ("{{ .Missing.X }}", "nil pointer evaluating"),
    ("{{ index .List 3 }}", "index out of range: 3"),
    ('{{ index .List "a" }}', "cannot index"),
    ("{{ slice .List 2 1 }}", "invalid slice index"),
    ("{{ len 3 }}", "len of int"),
    ("{{ lt .N nil }}", "invalid type for comparison"),
    ('{{ eq .N "3" }}', "incompatible types"),
    ("{{ eq .List .List }}", "non-comparable"),
    ("{{ not }}", "wrong number of args for not"),
    ("{{ .Name 1 }}", "can't give argument to non-function"),
    ("{{ nil }}", "nil is not a command"),
    ("{{ range .Name }}{{ end }}", "range can't iterate over string"),
    ('{{ template "none" }}', 'template "none" not defined'),
    ("{{ call .Name }}", "call of non-function"),
    ("{{ if false }}{{ $x := 1 }}{{ else }}{{ $x }}{{ end }}", "undefined variable"),
    ('{{ printf "%1000000d" 1 }}', "too large"),
]


@pytest.mark.parametrize(("source", "reason"), FAILING)
def test_what_fails_in_go_fails_here(source: str, reason: str) -> None:
    with pytest.raises(TemplateError) as caught:
        text_of(f"line\n{source}")
    assert reason in caught.value.reason and caught.value.line == 2


# --- a stranger's template ------------------------------------------------------------------------

HOSTILE = [
    ("{{ range 1000000000 }}x{{ end }}", "too many steps"),
    ("{{ range 700 }}{{ range 700 }}{{ end }}{{ end }}", "too many steps"),
    ('{{ $x := "0123456789" }}{{ range 60 }}{{ $x = print $x $x }}{{ end }}', "too (long|many)"),
    ('{{ $x := "aa" }}{{ range 60 }}{{ $x = printf "%s%s" $x $x }}{{ end }}', "too (long|many)"),
    ('{{ range 9999 }}{{ printf "%999d" 1 }}{{ end }}', "too long"),
    ("{{ print" + " .Big" * 30 + " }}", "too long"),
    ("{{ print" + " .BigList" * 300 + " }}", "too long"),
    ("{{ range 90000 }}{{ if eq $.Big $.Twin }}{{ end }}{{ end }}", "too many steps"),
    ('{{ define "x" }}{{ template "x" . }}{{ end }}{{ template "x" . }}', "nested too deep"),
    ('{{ define "x" }}{{ range 2 }}{{ template "x" . }}{{ end }}{{ end }}{{ template "x" . }}', "nested"),  # noqa: E501
]  # fmt: skip


@pytest.mark.parametrize(("source", "reason"), HOSTILE, ids=[row[0][:50] for row in HOSTILE])
def test_a_template_that_never_ends_is_stopped(source: str, reason: str) -> None:
    big = "x" * 40_000
    data = {"Big": big, "Twin": f"{big} "[:-1], "BigList": [big]}
    with pytest.raises(TemplateError, match=reason):
        text_of(source, data, output=2**20, steps=100_000)


def test_a_thousand_else_ifs_cost_no_depth() -> None:
    source = "{{ if false }}" + "{{ else if false }}" * 1000 + "{{ else }}x{{ end }}"
    assert text_of(source) == "x"


def test_data_that_is_nested_too_deep_is_an_error_of_its_own() -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(TemplateError, match="nested too deep"):
        text_of("{{ json .deep }}", {"deep": deep})


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=50).filter(lambda text: "{{" not in text))
def test_text_without_braces_is_itself(text: str) -> None:
    assert text_of(text) == text


WORDS = st.sampled_from(
    ["{{", "{{", "{{-", "}}", "}}", " -}}", "if", "else", "end", "end", "range", "with", "define",
     '"x"', "template", "block", "break", "$x", "$", ":=", "=", ",", "|", "(", ")", ".",
     "printf", ".Messages", ".Role", ".Tools", ".N", "eq", "and", "len", "slice", "index", "print",
     '"%5d%v"',
     "json", "1", "-1", "1e9", "nil", "true", "`", '"', "'a'", "/* c */", "text", "\n", "日本"]
)  # fmt: skip
CONDITION = st.sampled_from(
    [".N", "eq .N 3", ".Messages", "and .N .Name", "$x", "(len .List) | lt 1", "index .List 7",
     "slice .Name 1 2", "json .", "$i, $e := .List", "$x := .Map", "3", "printf `%q %x` .Name .N"]
)  # fmt: skip
BLOCKS = st.recursive(
    CONDITION.map("{{{{ {} }}}}".format) | st.sampled_from(["a ", "{{ $x = 1 }}", "{{ break }}"]),
    lambda inner: st.builds(
        "{{{{ {} {} -}}}}{}{{{{- else }}}}{}{{{{ end }}}}".format,
        st.sampled_from(["if", "range", "with"]),
        CONDITION,
        st.lists(inner, max_size=3).map("".join),
        inner,
    ),
    max_leaves=8,
).map("{{{{ $x := 0 }}}}{}".format)


TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "f", "parameters": {"properties": {"a": {"type": ["string", "null"]}}}},
}
TOOL_TALK: list[dict[str, Any]] = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {"a": "b"}}}]},
    {"role": "tool", "content": "22", "tool_name": "f"},
]


@settings(max_examples=200, deadline=None)
@given(source=st.lists(WORDS, max_size=14).map(" ".join) | BLOCKS | st.text(max_size=30))
def test_a_random_template_gives_text_or_a_template_error(source: str) -> None:
    limits = Limits(output=20_000, steps=3_000)
    try:
        template = parse_template(source)
        infer_capabilities(template)
        assert isinstance(render(template, DATA, today=TODAY, limits=limits), str)
        render_chat(template, TOOL_TALK, today=TODAY, tools=[TOOL], limits=limits)
    except TemplateError as error:
        assert error.line >= 1 and error.column >= 1
