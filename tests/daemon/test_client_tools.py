"""Tools, thinking, log probabilities and templates through the real `ollama` package."""

import asyncio
from contextlib import aclosing

import httpx
import pytest
from ollama import AsyncClient, Client, ResponseError

from jimoto.daemon.jobs import Text

USER = [{"role": "user", "content": "What is 2 + 3?"}]
CALL = '<tool_call>\n{"name": "add", "arguments": {"a": 2, "b": 3}}\n</tool_call>'


def add(a: int, b: int) -> int:
    """Add two numbers.

    Args:
      a: the first
      b: the second
    """
    return a + b


@pytest.fixture
def client(url, models):
    with Client(host=url) as client:
        yield client


@pytest.fixture
def ask_async(app, models):
    """Runs a coroutine function with a client of its own, in process."""

    def ask(work):
        async def scenario():
            transport = httpx.ASGITransport(app)
            async with AsyncClient(host="http://localhost", transport=transport) as client:
                return await work(client)

        return asyncio.run(scenario())

    return ask


@pytest.mark.parametrize("model", ["jinja", "go"])
def test_a_conversation_with_a_tool(client, fake_engine, model):
    fake_engine.script = ["Let me see.\n", *CALL]
    message = client.chat(model, USER, tools=[add]).message
    [call] = message.tool_calls
    assert (message.content, call.function.name) == ("Let me see.", "add")
    result = add(**call.function.arguments)
    talk = [*USER, message, {"role": "tool", "tool_name": "add", "content": str(result)}]
    fake_engine.script = ["It is 5."]
    assert client.chat(model, talk, tools=[add]).message.content == "It is 5."
    sent = fake_engine.job.messages
    assert sent[1]["tool_calls"][0]["function"]["arguments"] == {"a": 2, "b": 3}
    assert (sent[2]["role"], sent[2]["content"]) == ("tool", "5")
    [tool] = fake_engine.job.tools
    assert tool["function"]["parameters"]["required"] == ["a", "b"]


@pytest.mark.parametrize("model", ["jinja", "go"])
def test_a_streamed_call_never_shows_its_tags(client, fake_engine, model):
    fake_engine.script = list(f"I add.\n\n{CALL}")
    pieces = list(client.chat(model, USER, tools=[add], stream=True))
    assert "".join(piece.message.content for piece in pieces) == "I add."
    calls = [call for piece in pieces for call in piece.message.tool_calls or []]
    assert [(c.function.name, c.function.arguments) for c in calls] == [("add", {"a": 2, "b": 3})]
    assert pieces[-1].done_reason == "stop"


def test_the_async_client_calls_tools_alike(ask_async, fake_engine):
    fake_engine.script = list(CALL)

    async def work(client):
        whole = await client.chat("jinja", USER, tools=[add])
        async with aclosing(await client.chat("jinja", USER, tools=[add], stream=True)) as stream:
            pieces = [piece async for piece in stream]
        return whole, pieces

    whole, pieces = ask_async(work)
    assert whole.message.tool_calls[0].function.arguments == {"a": 2, "b": 3}
    calls = [call for piece in pieces for call in piece.message.tool_calls or []]
    assert [call.function.name for call in calls] == ["add"]


def test_tools_are_refused_where_the_template_knows_none(client):
    with pytest.raises(ResponseError, match="does not support tools") as caught:
        client.chat("reasons", USER, tools=[add])
    assert caught.value.status_code == 400


def test_thinking_in_a_models_own_tags(client, ask_async, fake_engine):
    fake_engine.script = list("<reason>2 and 3</reason>\n\n5")
    whole = client.chat("reasons", USER, think="high").message
    assert (whole.thinking, whole.content) == ("2 and 3", "5")
    assert fake_engine.job.think == "high"
    pieces = list(client.generate("reasons", "2 + 3", think=True, stream=True))
    assert "".join(piece.thinking or "" for piece in pieces) == "2 and 3"
    assert "".join(piece.response for piece in pieces) == "5"
    told = ask_async(lambda client: client.generate("reasons", "2 + 3", think=True))
    assert (told.thinking, told.response) == ("2 and 3", "5")
    assert client.generate("reasons", "x", think=False).response == "".join(fake_engine.script)


def test_thinking_is_refused_where_the_model_cannot(client):
    with pytest.raises(ResponseError, match='"go" does not support thinking'):
        client.chat("go", USER, think=True)


def test_log_probabilities_of_one_answer_and_of_a_stream(client, ask_async, fake_engine):
    def token(text):
        top = [{"token": text, "logprob": -0.25, "bytes": [*text.encode()]},
               {"token": "x", "logprob": -2.5, "bytes": [120]}]  # fmt: skip
        return {**top[0], "top_logprobs": top}

    fake_engine.script = [Text("2", (token("2"),)), Text("3", (token("3"),))]
    ask = {"logprobs": True, "top_logprobs": 2}
    answers = [
        client.chat("jinja", USER, **ask),
        client.generate("jinja", "x", **ask),
        ask_async(lambda client: client.chat("jinja", USER, **ask)),
        ask_async(lambda client: client.generate("jinja", "x", **ask)),
    ]
    for answer in answers:
        assert [(t.token, t.logprob) for t in answer.logprobs] == [("2", -0.25), ("3", -0.25)]
        assert [t.token for t in answer.logprobs[0].top_logprobs] == ["2", "x"]
    pieces = list(client.chat("jinja", USER, stream=True, **ask))
    assert [[t.token for t in p.logprobs or []] for p in pieces] == [["2"], ["3"], []]
    assert fake_engine.job.logprobs == 2


def test_a_template_is_created_shown_and_used(client, fake_engine):
    source = "{{ range .Messages }}[{{ .Role }}]{{ .Content }}{{ end }}"
    assert client.create("own", from_="insert", template=source).status == "success"
    assert client.show("own").template == source
    client.chat("own", USER)
    assert fake_engine.job.template == source
    client.generate("own", "x", template="{{ .Prompt }}")
    assert fake_engine.job.template == "{{ .Prompt }}"


def test_a_broken_template_is_refused_at_create_with_its_place(client):
    with pytest.raises(ResponseError, match="template error: template: :2:1") as caught:
        client.create("broken", from_="go", template="{{ if .System }}\n{{ else if }}{{ end }}")
    assert caught.value.status_code == 400
    assert "broken:latest" not in {m.model for m in client.list().models}


def test_a_suffix_is_filled_in_or_refused(client, fake_engine):
    assert client.generate("insert", "def f(", suffix="return 1").response == "Hello"
    assert (fake_engine.job.prompt, fake_engine.job.suffix) == ("def f(", "return 1")
    with pytest.raises(ResponseError, match="go:latest does not support insert"):
        client.generate("go", "x", suffix="y")


def test_capabilities_are_shown(client):
    assert client.show("jinja").capabilities == ["completion", "tools"]
    assert client.show("reasons").capabilities == ["completion", "thinking"]
