"""Small chat templates in the manner of the families that tests imitate."""

# The tools as lines, calls between tags: mame, in short.
JINJA_TOOLS = """\
{%- if tools %}{{ '<|im_start|>system\n' }}
{%- for tool in tools %}
{{- tool.function.name + '(' + tool.function.parameters.properties | join(', ') + '): ' }}
{{- tool.function.description + '\n' }}
{%- endfor %}{{ '<|im_end|>\n' }}{% endif %}
{%- for message in messages %}
{{- '<|im_start|>' + message.role + '\n' + message.content }}
{%- for call in message.tool_calls or [] %}
{{- '<tool_call>\n' + (call.function | tojson) + '\n</tool_call>' }}
{%- endfor %}
{{- '<|im_end|>\n' }}
{%- endfor %}
{{- '<|im_start|>assistant\n' }}"""
JINJA_LLAMA = "{% if tools %}{{ tools | tojson }}{% endif %}{{ messages[-1].content }}"
JINJA_MISTRAL = "[AVAILABLE_TOOLS]{{ tools }}[TOOL_CALLS]{{ messages[-1].content }}"
GO_TOOLS = """\
{{- range .Messages }}<|im_start|>{{ .Role }}
{{ if eq .Role "system" }}{{ .Content }}{{ range $.Tools }}
{{ . }}{{ end }}{{ else }}{{ .Content }}{{ end }}
{{- range .ToolCalls }}<tool_call>
{"name": "{{ .Function.Name }}", "arguments": {{ .Function.Arguments }}}
</tool_call>{{ end }}<|im_end|>
{{ end }}<|im_start|>assistant
"""
GO_REASONS = (
    "{{ range .Messages }}{{ .Role }}: {{ if .Thinking }}<reason>{{ .Thinking }}</reason>{{ end }}"
    "{{ .Content }}\n{{ end }}{{ if .Think }}think {{ .ThinkLevel }}{{ end }}"
)
GO_INSERT = "<PRE>{{ .Prompt }}<SUF>{{ .Suffix }}<MID>"

# name of a model → its template
JINJA = {"jinja": JINJA_TOOLS, "llama": JINJA_LLAMA, "mistral": JINJA_MISTRAL}
GO = {"go": GO_TOOLS, "reasons": GO_REASONS, "insert": GO_INSERT}
