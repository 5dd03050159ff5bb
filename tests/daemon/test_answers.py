"""Templates, tools, thinking, log probabilities: what a model is asked and a client is told."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from templates import GO_INSERT, GO_TOOLS, JINJA_TOOLS
from tiny_gguf import write_tiny_gguf

from conftest import create_model
from jimoto.daemon.answers import for_jinja
from jimoto.daemon.inference import shown_tags
from jimoto.daemon.jobs import Text
from jimoto.daemon.prompt import compile_template, render

KEYS = st.sampled_from(
    ["role", "content", "tool_calls", "function", "name", "arguments", "parameters", "properties",
     "tool_name", "tool_call_id", "thinking", "type", "images", "think", "format", "logprobs",
     "top_logprobs", "truncate", "required"]
)  # fmt: skip
USER = [{"role": "user", "content": "hi"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add two numbers.",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}}},
    },
}
CALL = '<tool_call>\n{"name": "add", "arguments": {"a": 1}}\n</tool_call>'
ADD = {"index": 0, "name": "add", "arguments": {"a": 1}}


def chat(api, model, **more):
    body = {"model": model, "messages": USER, "tools": [TOOL], **more}
    return api.lines("/api/chat", body)


def calls_in(chunk):
    return [call["function"] for call in chunk["message"].get("tool_calls", [])]


# --- templates ---


def test_a_template_is_a_layer_that_is_shown_inherited_and_replaced(api, library, models):
    shown = api.post("/api/show", {"model": "go"}).json()
    assert shown["template"] == GO_TOOLS
    assert f'TEMPLATE """{GO_TOOLS}"""\n' in shown["modelfile"]
    kinds = [la.media_type for la in library.find("go", "").entry.manifest.layers]
    assert kinds.count("application/vnd.ollama.image.template") == 1
    for name, source in (("child", None), ("other", "{{ .Prompt }}")):
        body = {"model": name, "from": "go", "template": source, "stream": False}
        assert api.post("/api/create", body).json() == {"status": "success"}
    found = [api.post("/api/show", {"model": m}).json()["template"] for m in ("child", "other")]
    assert found == [GO_TOOLS, "{{ .Prompt }}"]


def test_the_modelfile_that_is_shown_makes_the_model_again(api, models):
    from jimoto.daemon.modelfile import parse_modelfile

    commands = parse_modelfile(api.post("/api/show", {"model": "go"}).json()["modelfile"])
    assert [c.argument for c in commands if c.name == "template"] == [GO_TOOLS]


def test_the_version_that_a_model_asks_for_is_told_and_inherited(api, models):
    for body in ({"model": "a", "from": "go", "requires": "0.14.0"}, {"model": "b", "from": "a"}):
        assert api.post("/api/create", body | {"stream": False}).status_code == 200
        shown = api.post("/api/show", {"model": body["model"]}).json()
        assert shown["requires"] == "0.14.0" and "REQUIRES 0.14.0\n" in shown["modelfile"]


def test_the_models_own_jinja_speaks_where_template_can_do_less(api, library, jinja_ggufs):
    create_model(library, "m", jinja_ggufs["jinja"], template="{{ .Prompt }}")
    assert api.post("/api/show", {"model": "m"}).json()["template"] == JINJA_TOOLS


CAPABILITIES = {
    "jinja": ["completion", "tools"],
    "go": ["completion", "tools"],
    "reasons": ["completion", "thinking"],
    "insert": ["completion", "insert"],
    "tiny": ["completion", "thinking"],
    "plain": ["completion"],
}


def test_show_and_tags_say_what_a_model_can_do(api, models, tiny, plain):
    tags = {m["name"]: m["capabilities"] for m in api.call("GET", "/api/tags").json()["models"]}
    for name, capabilities in CAPABILITIES.items():
        assert api.post("/api/show", {"model": name}).json()["capabilities"] == capabilities
        assert tags[f"{name}:latest"] == capabilities


def test_chat_and_generate_go_through_the_go_template(api, models, fake_engine):
    chat(api, "go", messages=[{"role": "system", "content": "S"}, *USER])
    job = fake_engine.job
    assert (job.template, job.tools) == (GO_TOOLS, [TOOL])
    assert [m["role"] for m in job.messages] == ["system", "user"]
    api.post("/api/generate", {"model": "go", "prompt": "p", "system": "T"})
    job = fake_engine.job
    assert (job.template, [m["content"] for m in job.messages]) == (GO_TOOLS, ["T", "p"])


def test_a_template_in_the_request_is_always_gos(api, models, fake_engine):
    source = "{{ .System }} {{ .Prompt }}"
    api.post("/api/generate", {"model": "jinja", "prompt": "p", "template": source})
    assert (fake_engine.job.template, len(fake_engine.job.messages)) == (source, 1)
    api.post("/api/generate", {"model": "jinja", "prompt": "p"})
    assert fake_engine.job.template == ""


def test_a_suffix_reaches_the_template_that_fills_in(api, models, fake_engine):
    api.post("/api/generate", {"model": "insert", "prompt": "def f(", "suffix": "return 1"})
    job = fake_engine.job
    assert (job.messages, job.template) == (None, GO_INSERT)
    assert (job.prompt, job.suffix) == ("def f(", "return 1")


def test_a_template_that_broke_on_the_way_is_told_only_when_it_is_used(api, library, plain_gguf):
    from jimoto.daemon.library import TEMPLATE
    from jimoto.daemon.store import Layer, Manifest

    create_model(library, "m", plain_gguf)
    entry = library.find("m", "").entry
    digest, _ = library.store.add_blob(b"{{ newFunction }}")
    layers = (*entry.manifest.layers, Layer(TEMPLATE, digest, 17))
    library.store.write_manifest(entry.name, Manifest(entry.manifest.config, layers))
    shown = api.post("/api/show", {"model": "m"}).json()
    assert (shown["template"], shown["capabilities"]) == ("{{ newFunction }}", ["completion"])


# --- tools ---


@pytest.mark.parametrize("model", ["jinja", "go"])
def test_no_piece_of_a_call_is_shown_as_text(api, models, fake_engine, model):
    fake_engine.script = list(f"I add. {CALL}")
    chunks = chat(api, model)
    assert "".join(c["message"]["content"] for c in chunks) == "I add."
    assert [call for chunk in chunks for call in calls_in(chunk)] == [ADD]
    assert chunks[-1]["done_reason"] == "stop"


def test_a_go_templates_call_comes_when_it_is_read_and_others_at_the_end(api, models, fake_engine):
    fake_engine.script = [CALL, "\nThen."]
    seen = [
        [(calls_in(c), c["done"]) for c in chat(api, m) if calls_in(c)] for m in ("go", "jinja")
    ]
    assert seen == [[([ADD], False)], [([ADD], True)]]


def test_calls_are_counted_and_named(api, models, fake_engine):
    fake_engine.script = [CALL, CALL]
    answer = api.post("/api/chat", {"model": "jinja", "messages": USER, "tools": [TOOL],
                                    "stream": False}).json()  # fmt: skip
    calls = answer["message"]["tool_calls"]
    assert [call["function"]["index"] for call in calls] == [0, 1]
    assert all(call["id"].startswith("call_") and len(call["id"]) == 13 for call in calls)
    assert answer["message"]["content"] == "" and answer["done_reason"] == "stop"


OTHER_FORMS = [
    ("llama", '{"name": "add", "parameters": {"a": 1}}'),
    ("llama", '<|python_tag|>{"name": "add", "parameters": {"a": 1}}'),
    ("mistral", '[TOOL_CALLS][{"name": "add", "arguments": {"a": 1}}]'),
]


@pytest.mark.parametrize(("model", "written"), OTHER_FORMS)
def test_each_family_writes_calls_in_its_own_form(api, models, fake_engine, model, written):
    fake_engine.script = list(written)
    chunks = chat(api, model)
    assert [c["message"]["content"] for c in chunks] == [""]
    assert calls_in(chunks[-1]) == [ADD]


def test_without_tools_in_the_request_a_call_is_text(api, models, fake_engine):
    fake_engine.script = [CALL]
    for tools in ([], None):
        chunks = chat(api, "jinja", tools=tools)
        assert "".join(c["message"]["content"] for c in chunks) == CALL
        assert "tool_calls" not in chunks[-1]["message"]


def test_a_broken_call_is_shown_as_it_was_written(api, models, fake_engine):
    fake_engine.script = ["<tool_call>\n{'name': add}\n</tool_call>"]
    chunks = chat(api, "jinja")
    assert chunks[0]["message"]["content"] == fake_engine.script[0]
    assert calls_in(chunks[-1]) == []


def test_thoughts_about_a_call_are_thinking(api, library, jinja_ggufs, fake_engine, tmp_path):
    source = JINJA_TOOLS + "{% if false %}<think></think>{% endif %}"
    create_model(library, "m", write_tiny_gguf(tmp_path / "m.gguf", template=source))
    fake_engine.script = list(f"<think>{CALL}?</think>\n\n{CALL}")
    chunks = chat(api, "m")
    assert "".join(c["message"].get("thinking", "") for c in chunks) == f"{CALL}?"
    assert "".join(c["message"]["content"] for c in chunks) == ""
    assert calls_in(chunks[-1]) == [ADD]


def test_calls_and_results_reach_the_jinja_template(api, models, fake_engine):
    talk = [
        *USER,
        {"role": "assistant", "tool_calls": [{"function": {"name": "add", "arguments": {"a": 1}}}]},
        {"role": "tool", "content": "1", "tool_name": "add"},
    ]
    chat(api, "jinja", messages=talk)
    _, called, result = fake_engine.job.messages
    [call] = called["tool_calls"]
    assert call["function"] == {"name": "add", "arguments": {"a": 1}}
    assert (result["role"], result["name"], result["content"]) == ("tool", "add", "1")
    assert result["tool_call_id"] == call["id"] and len(call["id"]) == 9


@pytest.mark.parametrize(
    "tool",
    [{}, {"type": "function"}, {"function": {}}, {"function": {"name": "f", "parameters": None}},
     {"function": {"parameters": {"type": "object", "properties": None}}}],
)  # fmt: skip
def test_a_tool_that_says_little_is_completed_for_jinja(api, models, fake_engine, tool):
    chat(api, "jinja", tools=[tool])
    [shown] = fake_engine.job.tools
    text = render(compile_template(JINJA_TOOLS), fake_engine.job.messages, {"tools": [shown]})
    assert text.startswith("<|im_start|>system\n")


WRONG_TOOLS = [[3], {}, [{"function": 3}], [{"function": {"name": 3}}],
               [{"function": {"parameters": ["x"]}}],
               [{"function": {"parameters": {"properties": [1]}}}]]  # fmt: skip


@pytest.mark.parametrize("tools", WRONG_TOOLS)
def test_a_tool_of_the_wrong_shape_is_a_400(api, models, tools):
    answer = api.post("/api/chat", {"model": "jinja", "messages": USER, "tools": tools or {"a": 1}})
    assert answer.status_code == 400 and "tools of type api.Tools" in answer.json()["error"]


def test_results_find_their_calls_by_id_by_name_or_in_turn():
    def call(name, **more):
        return {"function": {"name": name, "arguments": {}}, **more}

    shown = for_jinja(
        [
            {"role": "assistant", "content": "", "tool_calls": [call("a"), call("b"), call("a")]},
            {"role": "tool", "content": "", "tool_name": "b"},
            {"role": "tool", "content": ""},
            {"role": "tool", "content": "", "tool_name": "a"},
            {"role": "tool", "content": "", "tool_call_id": "mine"},
            {"role": "tool", "content": "", "tool_name": "nobody"},
        ]
    )
    assert [call["id"] for call in shown[0]["tool_calls"]] == [
        "call00001",
        "call00002",
        "call00003",
    ]
    assert [m["tool_call_id"] for m in shown[1:]] == [
        "call00002", "call00001", "call00003", "mine", "call00000",
    ]  # fmt: skip


# --- thinking ---


def test_a_go_template_names_its_own_tags(api, models, fake_engine):
    fake_engine.script = list("<reason> so </reason>\nyes")
    chunks = api.lines("/api/chat", {"model": "reasons", "messages": USER})
    assert "".join(c["message"].get("thinking", "") for c in chunks) == "so "
    assert "".join(c["message"]["content"] for c in chunks) == "yes"


THINK = {None: (True, True), True: (True, True), False: (False, False), "low": ("low", True)}


@pytest.mark.parametrize(("asked", "expected"), THINK.items())
def test_a_template_is_told_how_much_to_think(api, models, fake_engine, asked, expected):
    api.lines("/api/chat", {"model": "reasons", "messages": USER, "think": asked})
    assert (fake_engine.job.think, fake_engine.job.thinks) == expected


def test_what_cannot_think_is_told_nothing(api, models, fake_engine):
    for think in (None, False):
        api.lines("/api/chat", {"model": "go", "messages": USER, "think": think})
        assert (fake_engine.job.think, fake_engine.job.thinks) == (think, False)


# --- log probabilities ---


def figures(*tokens):
    return tuple({"token": t, "logprob": -0.5, "bytes": list(t.encode())} for t in tokens)


def test_log_probabilities_come_with_their_text(api, tiny, fake_engine):
    fake_engine.script = [Text("a", figures("a")), Text("bc", figures("b", "c"))]
    body = {"model": "tiny", "prompt": "x", "think": False, "logprobs": True, "top_logprobs": 2}
    chunks = api.lines("/api/generate", body)
    told = [[item["token"] for item in c.get("logprobs", [])] for c in chunks]
    assert told == [["a"], ["b", "c"], []]
    assert fake_engine.job.logprobs == 2
    whole = api.post("/api/generate", body | {"stream": False}).json()
    assert whole["logprobs"] == list(figures("a", "b", "c")) and whole["response"] == "abc"


def test_log_probabilities_of_held_back_text_come_later_and_none_is_lost(api, tiny, fake_engine):
    pieces = ["<th", "ink>", "hm", "</think>", "\n", "yes", "\n"]
    fake_engine.script = [Text(piece, figures(piece)) for piece in pieces]
    chunks = api.lines("/api/chat", {"model": "tiny", "messages": USER, "logprobs": True})
    told = [(c["message"].get("thinking", "") + c["message"]["content"],
             [item["token"] for item in c.get("logprobs", [])]) for c in chunks]  # fmt: skip
    assert told == [
        ("hm", ["<th", "ink>", "hm"]),
        ("yes", ["</think>", "\n", "yes"]),
        ("\n", ["\n"]),
        ("", []),
    ]


def test_nobody_who_did_not_ask_is_told_log_probabilities(api, tiny, fake_engine):
    for body in ({}, {"logprobs": False, "top_logprobs": 3}, {"top_logprobs": 3}):
        chunks = api.lines("/api/chat", {"model": "tiny", "messages": USER, **body})
        assert fake_engine.job.logprobs is None
        assert not any("logprobs" in chunk for chunk in chunks)


def test_a_job_is_json_for_the_worker(api, models, fake_engine):
    chat(api, "go", logprobs=True)
    command = json.loads(json.dumps(fake_engine.job.command()))
    assert command["tool_format"] == {"opening": "<tool_call>", "closing": "</tool_call>"}
    assert command["think_tags"] == ["<think>", "</think>"] and command["logprobs"] == 0


def test_the_worker_shows_the_tags_that_the_text_is_split_by(api, models, fake_engine):
    tags = []
    for model, tools in (("go", [TOOL]), ("llama", [TOOL]), ("mistral", [TOOL]), ("reasons", [])):
        chat(api, model, tools=tools)
        tags.append(shown_tags(json.loads(json.dumps(fake_engine.job.command())))[2:])
    assert tags == [["<tool_call>", "</tool_call>"], ["<|python_tag|>"], ["[TOOL_CALLS]"], []]
    assert fake_engine.job.think_tags == ("<reason>", "</reason>")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(messages=VALUES, tools=VALUES, more=st.dictionaries(KEYS, VALUES, max_size=2))
def test_whatever_is_sent_the_answer_is_200_or_400(api, models, messages, tools, more):
    for model in ("jinja", "go"):
        body = {"messages": messages, "tools": tools, **more, "model": model, "stream": False}
        answer = api.post("/api/chat", {key: body[key] for key in body if key != "options"})
        assert answer.status_code in (200, 400) or "invalid format" in answer.text
