"""Tool calls in what a model writes: every form of the library, cut anywhere, and what is none."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jimoto.daemon.toolcalls import (
    BARE,
    GRANITE,
    HERMES,
    MISTRAL,
    ToolCall,
    ToolCallReader,
    ToolFormat,
    find_format,
    format_tags,
)

ADD = '{"name": "add", "arguments": {"a": 1, "b": "高知"}}'
NOW = '{"name": "now", "arguments": {}}'
ADD_CALL, NOW_CALL = ToolCall("add", {"a": 1, "b": "高知"}), ToolCall("now", {})
LLAMA = ADD.replace("arguments", "parameters")


TOOLS = [
    {"function": {"name": "add", "parameters": {"properties": {
        "a": {"type": "integer"}, "b": {"type": ["number", "string"]}, "c": {"type": "array"}}}}},
    {"function": {"name": "now"}},
    {},
]  # fmt: skip


def read(kind: ToolFormat, pieces: list[str]) -> tuple[str, list[ToolCall]]:
    reader = ToolCallReader(kind, TOOLS)
    said = [*(reader.feed(piece) for piece in pieces), reader.finish()]
    return "".join(text for text, _ in said), [call for _, calls in said for call in calls]


# form, what the model writes, content, calls
WRITTEN = [
    (HERMES, f"<tool_call>\n{ADD}\n</tool_call>", "", [ADD_CALL]),
    (HERMES, f"<tool_call>{ADD}</tool_call>\n<tool_call>{NOW}</tool_call>\n", "",
     [ADD_CALL, NOW_CALL]),
    (HERMES, f"<tool_call>\n{ADD}\n{NOW}\n</tool_call>", "", [ADD_CALL, NOW_CALL]),
    (HERMES, f"Let me see.\n\n<tool_call>{NOW}</tool_call>\n\nDone.", "Let me see.Done.",
     [NOW_CALL]),
    (HERMES, f"<tool_call>\n{ADD}\n", "", [ADD_CALL]),  # no closing tag: the answer ended
    (HERMES, f"<tool_call>\n{ADD}\n</tool_", "", [ADD_CALL]),
    (HERMES, '<tool_call>{"name": "weather"}</tool_call>', "", [ToolCall("weather", {})]),
    (HERMES, '<tool_call>{"name": "now", "arguments": "{\\"a\\": 2}"}</tool_call>', "",
     [ToolCall("now", {"a": 2})]),
    (HERMES, '<tool_call>{"name": "now", "arguments": {"t": "a\nb"}}</tool_call>', "",
     [ToolCall("now", {"t": "a\nb"})]),
    (HERMES, "<tool_call>\n<function=add>\n<parameter=a>\n12\n</parameter>\n<parameter=b>\n3\n4\n"
     "</parameter>\n<parameter=c>\n[1]</parameter>\n</function>\n</tool_call>", "",
     [ToolCall("add", {"a": 12, "b": "3\n4", "c": [1]})]),
    (HERMES, "<tool_call><function=now></function></tool_call>", "", [NOW_CALL]),
    (HERMES, "<tool_call><function=add><parameter=a>x</parameter></function></tool_call>", "",
     [ToolCall("add", {"a": "x"})]),
    (MISTRAL, f"[TOOL_CALLS][{ADD}, {NOW}]", "", [ADD_CALL, NOW_CALL]),
    (MISTRAL, f"[TOOL_CALLS] [{NOW}]\n", "", [NOW_CALL]),
    (MISTRAL, 'So: [TOOL_CALLS]now[ARGS]{}[TOOL_CALLS]add[ARGS]{"a": 1}', "So:",
     [NOW_CALL, ToolCall("add", {"a": 1})]),
    (MISTRAL, "[TOOL_CALLS]now{}", "", [NOW_CALL]),
    (GRANITE, f"<|tool_call|>[{NOW}]", "", [NOW_CALL]),
    (BARE, LLAMA, "", [ADD_CALL]),
    (BARE, f"\n<|python_tag|>{LLAMA}; {NOW}", "", [ADD_CALL, NOW_CALL]),
    (BARE, f"[{LLAMA}]", "", [ADD_CALL]),
    (BARE, '{"type": "function", "function": {"name": "now", "parameters": {}}}', "", [NOW_CALL]),
    (BARE, '{"type": "function", "function": "now", "parameters": {}}', "", [NOW_CALL]),
]  # fmt: skip

# What is no call reaches the reader as it was written.
TEXTS = [
    (HERMES, "2 < 3 and a <b> tag\n"),
    (HERMES, " leading and trailing \n"),
    (HERMES, "<tool_call>\nnot JSON\n</tool_call> so"),
    (HERMES, "a <tool_call>{}</tool_call>"),
    (HERMES, '<tool_call>{"name": "add", "argum'),
    (HERMES, '<tool_call>{"name": "add", "arguments": [1]}</tool_call>'),
    (HERMES, '<tool_call>{"name": "add", "arguments": "a=1"}</tool_call>'),
    (HERMES, f"<tool_call>{ADD} and more</tool_call>"),
    (HERMES, ADD),
    (HERMES, "<tool"),
    (HERMES, "<tool_call><function=now></tool_call>"),
    (HERMES, "</tool_call>"),
    (MISTRAL, "[TOOL_CALLS] none"),
    (MISTRAL, "[TOOL_"),
    (BARE, '{"answer": 42}'),
    (BARE, LLAMA.replace('"add"', '"other"')),
    (BARE, "[1, 2]"),
    (BARE, f"The call is {LLAMA}"),
    (BARE, '{"name": "add"'),
    (BARE, "<|pyth"),
    (BARE, " \n"),
]


@pytest.mark.parametrize(("kind", "written", "content", "calls"), WRITTEN)
def test_a_call_is_read_and_none_of_it_is_content(kind, written, content, calls):
    assert read(kind, [written]) == (content, calls)
    assert read(kind, list(written)) == (content, calls)


@pytest.mark.parametrize(("kind", "written"), TEXTS)
def test_what_is_no_call_stays_as_it_was_written(kind, written):
    assert read(kind, [written]) == (written, [])
    assert read(kind, list(written)) == (written, [])


def test_no_piece_of_a_tag_is_handed_out_before_it_is_known_to_be_none():
    reader = ToolCallReader(HERMES)
    assert [reader.feed(piece)[0] for piece in ("Yes.", " \n", "<to", "ol_c", "alm>")] == [
        "Yes.", "", "", "", " \n<tool_calm>",
    ]  # fmt: skip


def test_a_tagged_call_is_handed_out_as_soon_as_its_tag_closes():
    reader = ToolCallReader(HERMES)
    assert reader.feed(f"<tool_call>{NOW}</tool_call") == ("", ())
    assert reader.feed("> and") == ("and", (NOW_CALL,))


PARTS = st.sampled_from(
    ["<tool_call>", "</tool_call>", ADD, NOW, "\n", " ", "text", "<tool", "[TOOL_CALLS]", "[", "]",
     ",", "{", "}", "<|python_tag|>", '"', "名", "now[ARGS]{}"]
)  # fmt: skip


@given(
    st.sampled_from([HERMES, MISTRAL, BARE]),
    st.lists(PARTS, max_size=12),
    st.lists(st.integers(1, 9)),
)
def test_it_reads_the_same_however_the_stream_is_cut(kind, parts, sizes):
    text = "".join(parts)
    pieces, at = [], 0
    for size in sizes:
        pieces.append(text[at : at + size])
        at += size
    assert read(kind, [*pieces, text[at:]]) == read(kind, [text])


@given(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text()))
def test_arguments_come_back_as_they_were_meant(arguments):
    call = json.dumps({"name": "add", "arguments": arguments}, ensure_ascii=False)
    if "</tool_call>" not in call:
        written = f"<tool_call>{call}</tool_call>"
        assert read(HERMES, [written]) == ("", [ToolCall("add", arguments)])


def test_the_form_is_read_off_the_template():
    templates = {
        HERMES: "{{ '<tool_call>\\n' }}{{ call | tojson }}",
        MISTRAL: "{{- '[TOOL_CALLS] [' }}",
        GRANITE: "<|tool_call|>{{ tools }}",
        BARE: '{{ range .ToolCalls }}{"name": "{{ .Function.Name }}"}{{ end }}',
    }
    for kind, template in templates.items():
        assert find_format(template) == kind
    assert format_tags(HERMES) == ("<tool_call>", "</tool_call>")
    assert format_tags(BARE) == ("<|python_tag|>",)
