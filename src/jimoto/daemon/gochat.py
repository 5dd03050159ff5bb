"""A chat through a Go template: which values it sees, and what it says about its model.

Messages and tools, as they come over the wire, become the records that Ollama's templates expect.
It knows the language only through `gotemplate`, and neither models nor files nor HTTP.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from jimoto.daemon.gotemplate import (
    Action,
    Branch,
    Chain,
    Command,
    Field,
    JsonList,
    JsonMap,
    Limits,
    Node,
    Nodes,
    Pipe,
    Record,
    Template,
    TemplateError,
    Text,
    TypeNames,
    Value,
    Variable,
    Word,
    execute,
    render,
)

_LIMITS = Limits()


def render_chat(
    template: Template,
    messages: Sequence[Mapping[str, Value]],
    *,
    today: date,
    tools: Sequence[Mapping[str, Value]] = (),
    think: bool | str | None = None,
    prompt: str = "",
    suffix: str = "",
    limits: Limits = _LIMITS,
) -> str:
    """The prompt for these messages (as they come over the wire), up to where the model goes on.

    `think` is what holds for this request, level or bool; None where nobody said anything. `prompt`
    and `suffix` together ask for the text between them; then the messages do not count.
    """
    template = _with_response(template)
    always = _thinking_values(think)
    if prompt and suffix:
        values = {"Prompt": prompt, "Suffix": suffix, "Response": "", **always}
        return render(template, values, today=today, limits=limits)
    try:
        merged = merge_messages(messages)
        if "messages" in template.mentions:
            values = {
                "System": _joined_system(messages),
                "Messages": [as_message(message) for message in merged],
                "Tools": JsonList(as_tool(tool) for tool in tools),
                "Response": "",
                **always,
            }
            return render(template, values, today=today, limits=limits)
    except RecursionError:
        raise TemplateError("a message or tool is nested too deep", 1, 1) from None
    turns = legacy_turns(merged)
    ended = replace(template, nodes=_cut_after_response(template.nodes)[0])
    texts = []
    for turn in turns:
        executed = ended if turn is turns[-1] else template
        text, limits = execute(executed, turn | always, today, limits)
        texts.append(text)
    return "".join(texts)


def _with_response(template: Template) -> Template:
    """A template that names neither messages nor the response ends with the response."""
    if template.mentions & {"messages", "response"}:
        return template
    response = Action(Pipe((Command((Field(("Response",)),), len(template.source)),)))
    return replace(template, nodes=(*template.nodes, response))


def _thinking_values(think: bool | str | None) -> dict[str, Value]:
    level = think if isinstance(think, str) else "medium" if think else ""
    return {"Think": bool(think), "ThinkLevel": level, "IsThinkSet": think is not None}


def merge_messages(messages: Sequence[Mapping[str, Value]]) -> list[dict[str, Value]]:
    """Neighbours of one role become one, a blank line between them; results of tools do not."""
    merged: list[dict[str, Value]] = []
    for message in messages:
        message = {**message, "content": _string(message.get("content"))}
        role = message.get("role")
        if merged and merged[-1].get("role") == role and role != "tool":
            merged[-1]["content"] += f"\n\n{message['content']}"
        else:
            merged.append(message)
    return merged


def _joined_system(messages: Sequence[Mapping[str, Value]]) -> str:
    system = (message for message in messages if message.get("role") == "system")
    return "\n\n".join(_string(message.get("content")) for message in system)


def legacy_turns(messages: Sequence[Mapping[str, Value]]) -> list[dict[str, Value]]:
    """What a template without .Messages sees: system, prompt and response, turn after turn."""
    empty = {"System": "", "Prompt": "", "Response": ""}
    turns: list[dict[str, Value]] = []
    turn = dict(empty)
    for message in messages:
        role, content = message.get("role"), message["content"]
        ends_a_turn = turn["Response"] or (role == "system" and turn["Prompt"])
        if role in ("system", "user") and ends_a_turn:
            turns.append(turn)
            turn = dict(empty)
        if role in ("system", "user", "assistant"):
            turn[{"system": "System", "user": "Prompt"}.get(role, "Response")] = content
    return [*turns, turn]


def _cut_after_response(nodes: Nodes) -> tuple[Nodes, bool]:
    """The nodes up to .Response, and whether that was met: what follows, the model writes."""
    kept: list[Node] = []
    for node in nodes:
        cut = isinstance(node, Action) and _mentions(node.pipe, "Response")
        if isinstance(node, Branch):
            body, cut_here = _cut_after_response(node.body)
            otherwise, cut_there = _cut_after_response(node.otherwise)
            node, cut = replace(node, body=body, otherwise=otherwise), cut_here or cut_there
        kept.append(node)
        if cut:
            return tuple(kept), True
    return tuple(kept), False


def _mentions(pipe: Pipe, name: str) -> bool:
    """Whether a field of that name is asked for."""

    def within(word: Word) -> bool:
        match word:
            case Field(names) | Variable(_, names):
                return name in names
            case Chain(of, names):
                return name in names or _mentions(of, name)
            case Pipe():
                return _mentions(word, name)
        return False

    return any(within(word) for command in pipe.commands for word in command.words)


# --- what a template sees of messages and tools ---------------------------------------------------


def _string(value: Value) -> str:
    return value if isinstance(value, str) else ""


def _mapping(value: Value) -> Mapping[str, Value]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Value) -> list[Value]:
    return list(value) if isinstance(value, list | tuple) else []


def _record(kind: str, **fields: Value) -> Record:
    """A struct whose JSON shows its fields by their own names."""
    return Record(kind, fields, {name: name for name in fields})


def as_message(message: Mapping[str, Value]) -> Record:
    calls = [_as_tool_call(_mapping(call)) for call in _list(message.get("tool_calls"))]
    return _record(
        "Message",
        Role=_string(message.get("role")),
        Content=_string(message.get("content")),
        Thinking=_string(message.get("thinking")),
        Images=_list(message.get("images")),
        ToolCalls=calls,
        ToolName=_string(message.get("tool_name")),
        ToolCallID=_string(message.get("tool_call_id")),
    )


def _as_tool_call(call: Mapping[str, Value]) -> Record:
    function = _mapping(call.get("function"))
    index = function.get("index")
    called = _record(
        "ToolCallFunction",
        Index=index if isinstance(index, int) else 0,
        Name=_string(function.get("name")),
        Arguments=JsonMap(_mapping(function.get("arguments"))),
    )
    return _record("ToolCall", ID=_string(call.get("id")), Function=called)


def as_tool(tool: Mapping[str, Value]) -> Record:
    function = _mapping(tool.get("function"))
    parameters = _mapping(function.get("parameters"))
    shape = Record(
        "ToolFunctionParameters",
        {
            "Type": _string(parameters.get("type")),
            "Defs": parameters.get("$defs"),
            "Items": parameters.get("items"),
            "Required": _list(parameters.get("required")),
            "Properties": _properties(parameters.get("properties")),
        },
        {"Type": "type", "Defs": "$defs", "Items": "items", "Required": "required",
         "Properties": "properties"},
        frozenset({"Defs", "Items", "Required"}),
    )  # fmt: skip
    described = Record(
        "ToolFunction",
        {
            "Name": _string(function.get("name")),
            "Description": _string(function.get("description")),
            "Parameters": shape,
        },
        {"Name": "name", "Description": "description", "Parameters": "parameters"},
    )
    return Record(
        "Tool",
        {"Type": _string(tool.get("type")), "Items": tool.get("items"), "Function": described},
        {"Type": "type", "Items": "items", "Function": "function"},
        frozenset({"Items"}),
    )


def _properties(properties: Value) -> JsonMap:
    return JsonMap({str(name): as_property(p) for name, p in _mapping(properties).items()})


def as_property(schema: Value) -> Record:
    """One property of a tool: what Ollama keeps of its JSON Schema."""
    schema = _mapping(schema)
    kind = schema.get("type")
    properties = schema.get("properties")
    fields = {
        "AnyOf": [as_property(option) for option in _list(schema.get("anyOf"))],
        "Type": TypeNames([kind] if isinstance(kind, str) else map(str, _list(kind))),
        "Items": schema.get("items"),
        "Description": _string(schema.get("description")),
        "Enum": _list(schema.get("enum")),
        "Properties": _properties(properties) if properties else None,
        "Required": _list(schema.get("required")),
    }
    names = {name: name[0].lower() + name[1:] for name in fields}
    return Record("ToolProperty", fields, names, frozenset(fields))


# --- what a template says about its model ---------------------------------------------------------


@dataclass(frozen=True)
class Capabilities:
    tools: bool
    insert: bool
    think_tags: tuple[str, str] | None  # opening and closing

    @property
    def thinking(self) -> bool:
        return self.think_tags is not None


def infer_capabilities(template: Template) -> Capabilities:
    """What the model can do, judged by what its template asks for.

    >>> from jimoto.daemon.gotemplate import parse_template
    >>> infer_capabilities(parse_template("{{ range .Messages }}{{ end }}{{ json .Tools }}"))
    Capabilities(tools=True, insert=False, think_tags=None)
    """
    return Capabilities(
        tools="tools" in template.mentions,
        insert="suffix" in template.mentions,
        think_tags=next(_think_tags(template.nodes, in_messages=False), None),
    )


def _think_tags(nodes: Nodes, in_messages: bool) -> Iterator[tuple[str, str]]:
    """Within a range over the messages: the texts right before and after .Thinking."""
    for place, node in enumerate(nodes):
        if isinstance(node, Branch):
            is_range = node.kind == "range"
            inside = _mentions(node.pipe, "Messages") if is_range else in_messages
            yield from _think_tags(node.body, inside)
            yield from _think_tags(node.otherwise, inside)
        elif in_messages and isinstance(node, Action) and _mentions(node.pipe, "Thinking"):
            around = (nodes[place - 1] if place else None, *nodes[place + 1 : place + 2])
            tags = [n.text.strip() for n in around if isinstance(n, Text) and n.text.strip()]
            if len(tags) == 2:
                yield tags[0], tags[1]
