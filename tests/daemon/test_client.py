"""The real `ollama` package cannot tell this server from Ollama, in what it uses."""

import asyncio

import httpx
import pytest
from ollama import AsyncClient, Client, ResponseError

from jimoto.daemon.jobs import Done, Loaded, LoadPlan

USER = [{"role": "user", "content": "hi"}]


@pytest.fixture
def client(url):
    with Client(host=url) as client:
        yield client


def test_chat_answers_at_once_and_in_pieces(client, tiny):
    assert client.chat("tiny", USER).message.content == "Hello"
    pieces = list(client.chat("tiny", USER, stream=True))
    assert [p.message.content for p in pieces] == ["Hel", "lo", ""]
    assert pieces[-1].done and pieces[-1].eval_count == 2


def test_generate_answers_at_once_and_in_pieces(client, tiny):
    answer = client.generate("tiny", "hi", think=False)
    assert (answer.response, answer["done_reason"]) == ("Hello", "stop")
    assert "".join(p["response"] for p in client.generate("tiny", "hi", stream=True)) == "Hello"


def test_thinking_arrives_as_thinking(client, tiny, fake_engine):
    fake_engine.script = ["<think>hm</think>", "yes"]
    message = client.chat("tiny", USER, think=True).message
    assert (message.thinking, message.content) == ("hm", "yes")


def test_a_model_is_made_listed_shown_copied_and_deleted(client, tiny_gguf):
    digest = client.create_blob(tiny_gguf)
    steps = client.create("m", files={"m.gguf": digest}, parameters={"seed": 1}, stream=True)
    assert [step.status for step in steps][-1] == "success"
    assert client.create("n", from_="m", system="S").status == "success"
    assert client.show("n").modelinfo["general.architecture"] == "llama"
    assert client.copy("m", "k").status == "success"
    assert {m.model for m in client.list().models} == {"m:latest", "n:latest", "k:latest"}
    for name in ("m", "n", "k"):
        assert client.delete(name).status == "success"
    assert client.list().models == []


def test_ps_lists_what_is_loaded(client, tiny, fake_engine, tmp_path):
    plan = LoadPlan("tiny:latest", "d" * 64, tmp_path, 1_000, 512)
    fake_engine.in_memory = [Loaded(plan, 512, 300.0)]
    [running] = client.ps().models
    assert (running.name, running.context_length, running.size_vram) == ("tiny:latest", 512, 0)


def test_a_missing_model_is_a_response_error(client):
    with pytest.raises(ResponseError, match="model 'nope' not found") as caught:
        client.chat("nope", USER)
    assert caught.value.status_code == 404


def test_an_error_in_the_middle_of_a_stream_has_no_status(client, tiny, fake_engine):
    from jimoto.daemon.wire import ApiError

    fake_engine.script = ["so", ApiError(500, "it died")]
    with pytest.raises(ResponseError, match="it died") as caught:
        list(client.generate("tiny", "hi", stream=True, think=False))
    assert caught.value.status_code == -1


def test_an_option_of_the_wrong_type_is_a_500(client, tiny):
    with pytest.raises(ResponseError) as caught:
        client.chat("tiny", USER, options={"temperature": "hot"})
    assert caught.value.status_code == 500


def test_tools_are_refused_clearly(client, tiny):
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    with pytest.raises(ResponseError, match="does not support tools"):
        client.chat("tiny", USER, tools=[add])


def test_keep_alive_reaches_the_engine_in_seconds(client, tiny, fake_engine):
    for value in (0, "10m", -1, 2.5):
        client.chat("tiny", USER, keep_alive=value)
    assert [run[2] for run in fake_engine.runs] == [0.0, 600.0, float("inf"), 2.5]


def test_the_async_client_is_answered_alike(app, tiny, tiny_gguf, fake_engine):
    async def scenario():
        transport = httpx.ASGITransport(app)
        client = AsyncClient(host="http://localhost", transport=transport)
        digest = await client.create_blob(tiny_gguf)
        await client.create("m", files={"m.gguf": digest})
        answer = await client.chat("m", USER)
        pieces = [p.response async for p in await client.generate("m", "hi", stream=True)]
        await client.close()
        return answer.message.content, pieces

    assert asyncio.run(scenario()) == ("Hello", ["Hel", "lo", ""])


def test_a_metric_that_is_zero_is_absent_to_the_client(client, tiny, fake_engine):
    fake_engine.done = Done("length", 3, 0.1, 0, 0.0)
    answer = client.generate("tiny", "hi", options={"num_predict": 0})
    assert "eval_count" not in answer and answer.eval_count is None
