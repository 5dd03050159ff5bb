"""A chat through a Go template, in the library's manner; what a template says of its model."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from jimoto.daemon.gochat import infer_capabilities, render_chat
from jimoto.daemon.gotemplate import Limits, TemplateError, parse_template

TODAY = date(2026, 3, 1)

CHATML = """{{- range .Messages }}<|im_start|>{{ .Role }}
{{ .Content }}<|im_end|>
{{ end }}<|im_start|>assistant
"""

LLAMA_3 = """{{- if .System }}<|start_header_id|>system<|end_header_id|>

{{ .System }}<|eot_id|>{{ end }}
{{- range $i, $_ := .Messages }}
{{- $last := eq (len (slice $.Messages $i)) 1 }}
{{- if ne .Role "system" }}<|start_header_id|>{{ .Role }}<|end_header_id|>

{{ .Content }}<|eot_id|>
{{- if and $last (ne .Role "assistant") }}<|start_header_id|>assistant<|end_header_id|>

{{ end }}
{{- end }}
{{- end }}"""

MISTRAL = """{{- range $index, $_ := .Messages }}
{{- if eq .Role "user" }}
{{- if and (le (len (slice $.Messages $index)) 2) $.Tools }}
{{- "[AVAILABLE_TOOLS] " }}{{ $.Tools }}[/AVAILABLE_TOOLS]
{{- end }}[INST] {{ if and (eq (len (slice $.Messages $index)) 1) $.System }}{{ $.System }}

{{ end }}{{ .Content }}[/INST]
{{- else if eq .Role "assistant" }}
{{- if .Content }} {{ .Content }}</s>
{{- else if .ToolCalls }}[TOOL_CALLS] [
{{- range .ToolCalls }}{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}
{{- end }}]</s>
{{- end }}
{{- else if eq .Role "tool" }}[TOOL_RESULTS] {"content": {{ .Content }}}[/TOOL_RESULTS]
{{- end }}
{{- end }}"""

GEMMA = """{{- $system := or .System "" }}
{{- range .Messages }}
{{- if ne .Role "system" }}<start_of_turn>
{{- if eq .Role "user" }}user
{{- if $system }}
{{ $system }}
{{ $system = "" }}
{{- end }}
{{- else }}model
{{- end }}
{{ .Content }}<end_of_turn>
{{ end }}
{{- end }}<start_of_turn>model
"""

ALPACA = """{{ if .System }}{{ .System }}

{{ end }}{{ if .Prompt }}### Instruction:
{{ .Prompt }}

{{ end }}### Response:
{{ .Response }}

"""

THINKER = """{{- if or .System .Tools }}<|im_start|>system
{{ if .System }}{{ .System }}
{{ end }}
{{- if .Tools }}# Tools
<tools>
{{- range .Tools }}
{"type": "function", "function": {{ .Function }}}
{{- end }}
</tools>
{{ end }}<|im_end|>
{{ end }}
{{- range $i, $m := .Messages }}
{{- $last := eq (len (slice $.Messages $i)) 1 }}
{{- if eq .Role "user" }}<|im_start|>user
{{ .Content }}
{{- if and $.IsThinkSet $last }}{{ if $.Think }} /think{{ else }} /no_think{{ end }}
{{- end }}<|im_end|>
{{ else if eq .Role "assistant" }}<|im_start|>assistant
{{ if .Thinking }}<think>{{ .Thinking }}</think>
{{ end }}
{{- .Content }}
{{- range .ToolCalls }}<tool_call>
{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}
</tool_call>
{{- end }}<|im_end|>
{{ else if eq .Role "tool" }}<|im_start|>user
<tool_response>
{{ .Content }}
</tool_response><|im_end|>
{{ end }}
{{- if and $last (ne .Role "assistant") }}<|im_start|>assistant
{{ if and $.IsThinkSet (not $.Think) }}<think>

</think>

{{ end }}
{{- end }}
{{- end }}"""

FILL_IN = (
    "{{- if .Suffix }}<PRE> {{ .Prompt }} <SUF>{{ .Suffix }} <MID>{{ else }}{{ .Prompt }}{{ end }}"
)

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Weather <now>",
        "parameters": {
            "type": "object",
            "required": ["city"],
            "properties": {
                "unit": {"type": ["string", "null"], "enum": ["C", "F"], "default": "C"},
                "city": {"type": "string", "description": "a city"},
            },
        },
    },
}
WEATHER_PARAMETERS = (
    '{"type":"object","required":["city"],"properties":'
    '{"city":{"type":"string","description":"a city"},'
    '"unit":{"type":["string","null"],"enum":["C","F"]}}}'
)
WEATHER_FUNCTION = (
    '{"name":"weather","description":"Weather \\u003cnow\\u003e",'
    f'"parameters":{WEATHER_PARAMETERS}}}'
)
CALL = {"function": {"name": "weather", "arguments": {"unit": "C", "city": "高知"}}}


def message(role: str, content: str = "", **more: Any) -> dict[str, Any]:
    return {"role": role, "content": content, **more}


SYSTEM, HI = message("system", "Be brief."), message("user", "Hi")
HELLO, MORE = message("assistant", "Hello!"), message("user", "More")
TOOL_TALK = [
    HI,
    message("assistant", tool_calls=[CALL]),
    message("tool", "22", tool_name="weather"),
    message("tool", "23"),
]


CHATS = [
    (CHATML, [HI], {}, "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"),
    (
        CHATML,
        [SYSTEM, HI, HELLO, MORE],
        {},
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\nHello!<|im_end|>\n<|im_start|>user\nMore<|im_end|>\n"
        "<|im_start|>assistant\n",
    ),
    (
        CHATML,
        [HI, MORE],  # same role: merged with a blank line
        {},
        "<|im_start|>user\nHi\n\nMore<|im_end|>\n<|im_start|>assistant\n",
    ),
    (
        LLAMA_3,
        [SYSTEM, HI],
        {},
        "<|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
    ),
    (
        LLAMA_3,
        [HI, HELLO],  # nothing follows an answer
        {},
        "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nHello!<|eot_id|>",
    ),
    (
        LLAMA_3,
        [SYSTEM, HI, HELLO, message("system", "Be kind."), MORE],  # all system texts, joined
        {},
        "<|start_header_id|>system<|end_header_id|>\n\nBe brief.\n\nBe kind.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nHi<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\nHello!<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nMore<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
    ),
    (MISTRAL, [SYSTEM, HI], {}, "[INST] Be brief.\n\nHi[/INST]"),
    (
        MISTRAL,
        [HI],
        {"tools": [WEATHER]},
        f'[AVAILABLE_TOOLS] [{{"type":"function","function":{WEATHER_FUNCTION}}}]'
        "[/AVAILABLE_TOOLS][INST] Hi[/INST]",
    ),
    (
        MISTRAL,
        TOOL_TALK,
        {},
        "[INST] Hi[/INST][TOOL_CALLS] ["
        '{"name": "weather", "arguments": {"city":"高知","unit":"C"}}]</s>'
        '[TOOL_RESULTS] {"content": 22}[/TOOL_RESULTS]'
        '[TOOL_RESULTS] {"content": 23}[/TOOL_RESULTS]',
    ),
    (
        GEMMA,
        [SYSTEM, HI, HELLO, MORE],
        {},
        "<start_of_turn>user\nBe brief.\n\nHi<end_of_turn>\n"
        "<start_of_turn>model\nHello!<end_of_turn>\n"
        "<start_of_turn>user\nMore<end_of_turn>\n<start_of_turn>model\n",
    ),
    (ALPACA, [HI], {}, "### Instruction:\nHi\n\n### Response:\n"),
    (
        ALPACA,
        [SYSTEM, HI, HELLO, MORE],
        {},
        "Be brief.\n\n### Instruction:\nHi\n\n### Response:\nHello!\n\n"
        "### Instruction:\nMore\n\n### Response:\n",
    ),
    (ALPACA, [HI, HELLO], {}, "### Instruction:\nHi\n\n### Response:\nHello!"),
    (
        ALPACA,
        [HI, SYSTEM, MORE],  # a system message after a prompt begins a turn of its own
        {},
        "### Instruction:\nHi\n\n### Response:\n\n\n"
        "Be brief.\n\n### Instruction:\nMore\n\n### Response:\n",
    ),
    ("{{ .Prompt }}", [SYSTEM, HI], {}, "Hi"),  # the default template
    ("{{ .Prompt }}", [HI, HELLO, MORE], {}, "HiHello!More"),
    ("[{{ .Prompt }}] ", [HI, HELLO, MORE], {}, "[Hi] Hello![More] "),
    (
        "{{ if .Response }}<a>{{ .Response }}</a>{{ else }}<q>{{ .Prompt }}</q>{{ end }}.",
        [HI],
        {},
        "<q>Hi</q>",  # cut after .Response, whichever branch is taken
    ),
    (THINKER, [HI], {}, "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"),
    (
        THINKER,
        [HI],
        {"think": True},
        "<|im_start|>user\nHi /think<|im_end|>\n<|im_start|>assistant\n",
    ),
    (
        THINKER,
        [HI, message("assistant", "Hello!", thinking="A greeting."), MORE],
        {"think": False},
        "<|im_start|>user\nHi<|im_end|>\n"
        "<|im_start|>assistant\n<think>A greeting.</think>\nHello!<|im_end|>\n"
        "<|im_start|>user\nMore /no_think<|im_end|>\n"
        "<|im_start|>assistant\n<think>\n\n</think>\n\n",
    ),
    (
        THINKER,
        [SYSTEM, *TOOL_TALK],
        {"tools": [WEATHER]},
        "<|im_start|>system\nBe brief.\n# Tools\n<tools>\n"
        f'{{"type": "function", "function": {WEATHER_FUNCTION}}}\n</tools>\n<|im_end|>\n'
        "<|im_start|>user\nHi<|im_end|>\n"
        '<|im_start|>assistant\n<tool_call>\n{"name": "weather", '
        '"arguments": {"city":"高知","unit":"C"}}\n</tool_call><|im_end|>\n'
        "<|im_start|>user\n<tool_response>\n22\n</tool_response><|im_end|>\n"
        "<|im_start|>user\n<tool_response>\n23\n</tool_response><|im_end|>\n"
        "<|im_start|>assistant\n",
    ),
    (FILL_IN, [], {"prompt": "def f(", "suffix": "return x"}, "<PRE> def f( <SUF>return x <MID>"),
    (FILL_IN, [HI], {}, "Hi"),
    (CHATML, [], {}, "<|im_start|>assistant\n"),
]


@pytest.mark.parametrize(("source", "messages", "more", "expected"), CHATS)
def test_a_chat_becomes_this_prompt(
    source: str, messages: list[dict[str, Any]], more: dict[str, Any], expected: str
) -> None:
    assert render_chat(parse_template(source), messages, today=TODAY, **more) == expected


@pytest.mark.parametrize(
    ("think", "expected"),
    [
        (None, "false||false"),
        (True, "true|medium|true"),
        (False, "false||true"),
        ("high", "true|high|true"),
    ],
)
def test_a_template_sees_whether_and_how_much_to_think(
    think: bool | str | None, expected: str
) -> None:
    template = parse_template("{{ .Think }}|{{ .ThinkLevel }}|{{ .IsThinkSet }}")
    assert render_chat(template, [HI], today=TODAY, think=think) == expected


def test_the_fields_of_tools_and_messages() -> None:
    template = parse_template(
        "{{ range .Messages }}{{ .Role }} {{ .ToolName }}{{ .ToolCallID }}"
        "{{ range .ToolCalls }}{{ .ID }}{{ .Function.Index }}{{ .Function.Arguments.city }}"
        "{{ end }};{{ end }}{{ range .Tools }}{{ .Type }} {{ .Function.Parameters.Required }}"
        "{{ range $name, $p := .Function.Parameters.Properties }} {{ $name }}:"
        " {{ toTypeScriptType $p }} {{ $p.Type }} {{ $p.Enum }}{{ end }}{{ end }}"
    )
    messages = [
        message("assistant", tool_calls=[{"id": "c1", **CALL}]),
        message("tool", "22", tool_name="weather", tool_call_id="c1"),
    ]
    assert render_chat(template, messages, today=TODAY, tools=[WEATHER]) == (
        "assistant c10高知;tool weatherc1;function [city]"
        " city: string string [] unit: string | null [string null] [C F]"
    )


def test_a_message_has_no_other_fields() -> None:
    template = parse_template("{{ range .Messages }}{{ .Rolle }}{{ end }}")
    with pytest.raises(TemplateError, match="can't evaluate field Rolle in type Message"):
        render_chat(template, [HI], today=TODAY)


def test_odd_messages_and_tools_are_no_reason_to_fall_over() -> None:
    template = parse_template("{{ range .Messages }}{{ . }}{{ .ToolCalls }}{{ end }}{{ .Tools }}")
    messages = [{"role": "user", "content": None, "tool_calls": [{"function": 3}]}, {}]
    tools = [{}, {"function": {"parameters": {"properties": [1], "type": 7}}}]
    assert '"properties":{}' in render_chat(template, messages, today=TODAY, tools=tools)


@pytest.mark.parametrize(
    ("source", "tools", "insert", "tags"),
    [
        (CHATML, False, False, None),
        (MISTRAL, True, False, None),
        (FILL_IN, False, True, None),
        (THINKER, True, False, ("<think>", "</think>")),
        ("{{ .Thinking }}", False, False, None),  # not within a range over the messages
        ("{{ range .Messages }}{{ .Thinking }}{{ end }}", False, False, None),  # no tags around it
        ("{{ range $m := $.Messages }} <t> {{ $m.Thinking }} </t> {{ end }}", False, False,
         ("<t>", "</t>")),
        ('{{ define "x" }}{{ .Tools }}{{ end }}', True, False, None),
    ],
)  # fmt: skip
def test_the_template_tells_what_the_model_can_do(
    source: str, tools: bool, insert: bool, tags: tuple[str, str] | None
) -> None:
    found = infer_capabilities(parse_template(source))
    assert (found.tools, found.insert, found.think_tags) == (tools, insert, tags)


def test_all_turns_of_a_legacy_template_share_one_limit() -> None:
    template = parse_template("{{ range 900 }}{{ end }}{{ .Prompt }}{{ .Response }}")
    messages = [HI, HELLO] * 10
    assert render_chat(template, messages[:4], today=TODAY, limits=Limits(steps=10_000))
    with pytest.raises(TemplateError, match="too many steps"):
        render_chat(template, messages, today=TODAY, limits=Limits(steps=10_000))


def test_a_thousand_messages_are_well_within_the_limits() -> None:
    messages = [message("user" if n % 2 == 0 else "assistant", "word " * 20) for n in range(1000)]
    assert len(render_chat(parse_template(THINKER), messages, today=TODAY, think=True)) > 100_000
