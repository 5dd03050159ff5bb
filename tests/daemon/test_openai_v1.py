"""OpenAI's dialect, spoken to by the real `openai` package and by plain HTTP."""

from __future__ import annotations

import asyncio
import base64
import json
import struct

import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from templates import JINJA_TOOLS
from tiny_gguf import write_tiny_gguf

from conftest import create_model
from jimoto.daemon.jobs import Done, Text
from jimoto.daemon.openai_v1 import ChatStream, chat_answer, chat_request, completion_request
from jimoto.daemon.wire import ApiError

USER = [{"role": "user", "content": "hi"}]


@pytest.fixture
def client(url):
    with OpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0) as client:
        yield client


def test_chat_answers_at_once(client, tiny):
    answer = client.chat.completions.create(model="tiny", messages=USER, reasoning_effort="none")
    [choice] = answer.choices
    assert (choice.message.role, choice.message.content) == ("assistant", "Hello")
    assert (answer.object, answer.model, choice.finish_reason) == (
        "chat.completion",
        "tiny",
        "stop",
    )
    assert answer.id.startswith("chatcmpl-") and answer.system_fingerprint == "fp_ollama"
    usage = answer.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (7, 2, 9)


def test_the_async_client_is_answered_alike(url, tiny):
    async def scenario():
        async with AsyncOpenAI(base_url=f"{url}/v1", api_key="unused", max_retries=0) as client:
            asked = {"model": "tiny", "messages": USER, "reasoning_effort": "none"}
            whole = await client.chat.completions.create(**asked)
            stream = await client.chat.completions.create(**asked, stream=True)
            pieces = [chunk.choices[0].delta.content or "" async for chunk in stream]
            return whole.choices[0].message.content, "".join(pieces)

    assert asyncio.run(scenario()) == ("Hello", "Hello")


def test_chat_streams_and_counts_at_the_end_if_asked(client, tiny):
    asked = {"model": "tiny", "messages": USER, "stream": True, "reasoning_effort": "none"}
    chunks = list(client.chat.completions.create(**asked, stream_options={"include_usage": True}))
    deltas = [chunk.choices[0].delta for chunk in chunks[:-1]]
    assert "".join(delta.content or "" for delta in deltas) == "Hello"
    assert [delta.role for delta in deltas] == ["assistant", None, None]
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == [] and chunks[-1].usage.total_tokens == 9
    assert all(chunk.usage is None for chunk in client.chat.completions.create(**asked))


def test_a_stream_is_server_sent_events_and_ends_with_done(api, tiny):
    answer = api.post("/v1/chat/completions", {"model": "tiny", "messages": USER, "stream": True})
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = answer.text.split("\n\n")
    assert events[-2:] == ["data: [DONE]", ""]
    assert all(json.loads(event.removeprefix("data: "))["id"] for event in events[:-2])


def test_reasoning_is_kept_apart(client, tiny, fake_engine):
    fake_engine.script = ["<think>hm</think>", "yes"]
    answer = client.chat.completions.create(model="tiny", messages=USER, reasoning_effort="high")
    assert answer.choices[0].message.reasoning == "hm"
    chunks = client.chat.completions.create(model="tiny", messages=USER, stream=True)
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert [getattr(delta, "reasoning", None) for delta in deltas] == ["hm", None, None]
    assert [delta.content for delta in deltas] == ["", "yes", None]


def test_what_is_asked_reaches_the_engine(client, tiny, fake_engine):
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    client.chat.completions.create(
        model="tiny",
        messages=USER,
        max_tokens=5,
        temperature=0.25,
        seed=3,
        stop="x",
        presence_penalty=0.5,
        frequency_penalty=0.75,
        response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": schema}},
    )
    options = fake_engine.job.options
    assert (options.num_predict, options.temperature, options.stop) == (5, 0.25, ("x",))
    assert (options.presence_penalty, options.frequency_penalty) == (0.5, 0.75)
    assert (fake_engine.job.seed, fake_engine.job.schema) == (3, schema)


def test_temperature_and_top_p_are_1_where_nothing_is_said(client, tiny, fake_engine):
    client.chat.completions.create(model="tiny", messages=USER, stop=["a", "b"])
    options = fake_engine.job.options
    assert (options.temperature, options.top_p, options.stop) == (1.0, 1.0, ("a", "b"))


def test_any_json_can_be_asked_for(client, tiny, fake_engine):
    client.chat.completions.create(
        model="tiny", messages=USER, response_format={"type": "json_object"}
    )
    assert fake_engine.job.schema == {}


def test_completions_answer_and_stream(client, tiny, fake_engine):
    fake_engine.script = ["<think></think>Hel", "lo"]
    answer = client.completions.create(model="tiny", prompt="hi", max_tokens=4)
    assert (answer.object, answer.choices[0].text) == ("text_completion", "Hello")
    assert answer.usage.total_tokens == 9
    asked = {"model": "tiny", "prompt": "hi", "stream": True}
    chunks = list(client.completions.create(**asked, stream_options={"include_usage": True}))
    assert "".join(chunk.choices[0].text for chunk in chunks[:-1]) == "Hello"
    assert [chunk.choices[0].finish_reason for chunk in chunks[:-1]] == [None, None, "stop"]
    assert chunks[-1].usage.completion_tokens == 2


def test_embeddings_come_as_numbers_or_packed(client, api, tiny):
    found = client.embeddings.create(model="tiny", input=["abc", ""], encoding_format="float")
    assert [item.embedding for item in found.data] == [[0.6, 0.8], [0.0, 1.0]]
    assert [item.index for item in found.data] == [0, 1] and found.usage.prompt_tokens == 3
    # the package itself asks for base64 and unpacks it
    again = client.embeddings.create(model="tiny", input="abc")
    assert again.data[0].embedding == pytest.approx([0.6, 0.8])
    body = {"model": "tiny", "input": "abc", "encoding_format": "base64", "dimensions": 1}
    raw = api.post("/v1/embeddings", body).json()["data"][0]["embedding"]
    assert struct.unpack("<f", base64.b64decode(raw)) == (1.0,)


def test_models_are_listed_and_found(client, library, tiny):
    library.copy("tiny", "me/copy:v1")
    models = {model.id: model for model in client.models.list()}
    assert models.keys() == {"tiny:latest", "me/copy:v1"}
    assert models["me/copy:v1"].owned_by == "me" and models["tiny:latest"].created > 1e9
    assert client.models.retrieve("tiny").owned_by == "library"
    with pytest.raises(openai.NotFoundError, match="model 'nope:latest' not found"):
        client.models.retrieve("nope")


def test_no_models_is_an_empty_list(client):
    assert list(client.models.list()) == []


def test_errors_have_openais_shape(client, tiny):
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(model="nope", messages=USER)
    assert caught.value.body == {
        "message": "model 'nope' not found", "type": "not_found_error", "param": None, "code": None
    }  # fmt: skip
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="tiny", messages=[])
    assert caught.value.type == "invalid_request_error"


def test_an_error_in_the_middle_of_a_stream_reaches_the_client(client, tiny, fake_engine):
    fake_engine.script = ["<think></think>so", ApiError(500, "it died")]
    with pytest.raises(openai.APIError, match="it died"):
        list(client.chat.completions.create(model="tiny", messages=USER, stream=True))


V1_ERRORS = [
    ("/v1/chat/completions", {"messages": USER}, 400),
    ("/v1/chat/completions", {"model": "tiny"}, 400),
    ("/v1/chat/completions", {"model": "tiny", "messages": [{"role": "user"}]}, 400),
    ("/v1/chat/completions", {"model": "tiny", "messages": [{"role": "user", "content": 3}]}, 400),
    ("/v1/chat/completions", {"model": "tiny", "messages": [{"role": "user", "content": []}]}, 400),
    ("/v1/completions", {"model": "tiny", "prompt": "", "stop": {}}, 400),
    ("/v1/chat/completions", {"model": "tiny", "messages": USER, "stop": 3}, 400),
    ("/v1/chat/completions", {"model": "tiny", "messages": USER, "temperature": "hot"}, 400),
    ("/v1/chat/completions", {"model": "tiny", "messages": USER, "reasoning_effort": "big"}, 400),
    ("/v1/chat/completions", {"model": "tiny", "messages": USER, "max_tokens": "many"}, 400),
    ("/v1/chat/completions", {"model": "tiny", "messages": USER,
     "response_format": {"type": "json_schema"}}, 400),
    ("/v1/completions", {"model": "tiny", "prompt": ["a", "b"]}, 400),
    ("/v1/completions", {"model": "", "prompt": "a"}, 404),
    ("/v1/embeddings", {"model": "tiny"}, 400),
    ("/v1/embeddings", {"model": "tiny", "input": [1, 2]}, 400),
    ("/v1/embeddings", {"model": "nope", "input": "a"}, 404),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "status"), V1_ERRORS)
def test_bad_requests_are_refused(api, tiny, path, body, status):
    answer = api.post(path, body)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}


def parts(*items):
    return {"model": "m", "messages": [{"role": "user", "content": list(items)}]}


def test_parts_of_a_message_become_messages():
    text = {"type": "text", "text": "a"}
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    assert chat_request(parts(text, image))["messages"] == [
        {"role": "user", "content": "a"},
        {"role": "user", "content": "", "images": ["aGk="]},
    ]


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1/x.png", "file:///etc/passwd", "data:text/html;base64,aGk=", None]
)
def test_no_picture_is_fetched_from_anywhere(address):
    with pytest.raises(ApiError, match="invalid image input"):
        chat_request(parts({"type": "image_url", "image_url": {"url": address}}))


CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": '{"a": 1}'}}


def test_tool_calls_and_their_results_are_translated():
    asked = [*USER, {"role": "assistant", "tool_calls": [CALL]},
             {"role": "tool", "tool_call_id": "c1", "content": "3"}]  # fmt: skip
    _, called, result = chat_request({"model": "m", "messages": asked})["messages"]
    assert called["tool_calls"] == [
        {"id": "c1", "function": {"name": "add", "arguments": {"a": 1}}}
    ]
    assert (result["tool_call_id"], result["tool_name"]) == ("c1", "add")


@pytest.mark.parametrize("arguments", ["{", "[1]", "3", None, {"a": 1}])
def test_arguments_that_are_no_json_object_are_refused(arguments):
    call = {**CALL, "function": {"name": "add", "arguments": arguments}}
    body = {"model": "m", "messages": [{"role": "assistant", "tool_calls": [call]}]}
    if arguments is None:  # left out: a tool without arguments
        assert chat_request(body)["messages"][0]["tool_calls"][0]["function"]["arguments"] == {}
    else:
        with pytest.raises(ApiError, match="invalid tool call arguments"):
            chat_request(body)


def test_calls_are_answered_as_text_and_finish_as_calls():
    calls = [{"id": "call_1", "function": {"index": 0, "name": "add", "arguments": {"b": "é"}}}]
    message = {"role": "assistant", "content": "", "tool_calls": calls}
    done = {"model": "m", "message": message, "done": True, "done_reason": "stop"}
    choice = chat_answer(done, "id", 1)["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["tool_calls"][0]["function"]["arguments"] == '{"b": "é"}'
    called, finished = ChatStream("id", 1, with_usage=False).feed(done)
    assert called["choices"][0]["delta"]["tool_calls"][0]["id"] == "call_1"
    assert finished["choices"][0]["finish_reason"] == "tool_calls"


def test_a_suffix_and_logprobs_are_passed_on():
    request = completion_request({"model": "m", "prompt": "a", "suffix": "b", "logprobs": 2})
    assert (request["suffix"], request["logprobs"], request["top_logprobs"]) == ("b", True, 2)


def test_a_length_that_was_reached_is_said(client, tiny, fake_engine):
    fake_engine.done = Done("length", 1, 0.1, 1, 0.1)
    answer = client.chat.completions.create(model="tiny", messages=USER, max_tokens=1)
    assert answer.choices[0].finish_reason == "length"


@pytest.mark.slow
def test_the_real_engine_answers_the_real_package(daemon, tiny_gguf):
    from ollama import Client

    with Client(host=daemon.url) as native:
        native.create("tiny", files={"tiny.gguf": native.create_blob(tiny_gguf)})
    with OpenAI(base_url=f"{daemon.url}/v1", api_key="unused", max_retries=0) as client:
        schema = {"type": "object", "properties": {"a": {"enum": ["x", "y"]}}, "required": ["a"]}
        kind = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
        asked = {"model": "tiny", "messages": USER, "seed": 1, "reasoning_effort": "none"}
        whole = client.chat.completions.create(**asked, response_format=kind, max_tokens=200)
        assert json.loads(whole.choices[0].message.content)["a"] in ("x", "y")
        text = client.chat.completions.create(**asked, max_tokens=9).choices[0].message.content
        stream = client.chat.completions.create(**asked, max_tokens=9, stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == text
        assert len(client.embeddings.create(model="tiny", input="hi").data[0].embedding) == 32


@pytest.fixture
def tools_model(library, tmp_path):
    return create_model(library, "t", write_tiny_gguf(tmp_path / "t.gguf", template=JINJA_TOOLS))


def test_a_tool_is_called_answered_and_streamed(client, tools_model, fake_engine):
    fake_engine.script = ['<tool_call>{"name": "add", "arguments": {"a": 2}}</tool_call>']
    function = {"name": "add", "description": "Add.", "parameters": {"type": "object",
                "properties": {"a": {"type": "integer"}}}}  # fmt: skip
    asked = {"model": tools_model, "tools": [{"type": "function", "function": function}]}
    [choice] = client.chat.completions.create(**asked, messages=USER).choices
    [call] = choice.message.tool_calls
    assert (call.function.name, json.loads(call.function.arguments)) == ("add", {"a": 2})
    assert choice.finish_reason == "tool_calls"
    chunks = list(client.chat.completions.create(**asked, messages=USER, stream=True))
    called = [d for chunk in chunks if (d := chunk.choices[0].delta.tool_calls)]
    assert called[0][0].function.name == "add"
    assert chunks[-1].choices[0].finish_reason == "tool_calls"
    result = {"role": "tool", "tool_call_id": call.id, "content": "5"}
    client.chat.completions.create(**asked, messages=[*USER, choice.message, result])
    assert fake_engine.job.messages[-1]["content"] == "5"


def test_log_probabilities_come_in_openais_shape(client, tiny, fake_engine):
    figure = {"token": "so", "logprob": -0.5, "bytes": [115, 111], "top_logprobs": []}
    fake_engine.script = [Text("so", (figure,))]
    asked = {"model": "tiny", "messages": USER, "reasoning_effort": "none", "logprobs": True}
    [choice] = client.chat.completions.create(**asked, top_logprobs=1).choices
    assert [(item.token, item.logprob) for item in choice.logprobs.content] == [("so", -0.5)]
    chunks = list(client.chat.completions.create(**asked, stream=True))
    assert chunks[0].choices[0].logprobs.content[0].token == "so"
    fake_engine.script = ["<think></think>", Text("so", (figure,))]
    legacy = client.completions.create(model="tiny", prompt="x", logprobs=1).choices[0].logprobs
    assert (legacy.tokens, legacy.token_logprobs, legacy.text_offset) == (["so"], [-0.5], [0])
