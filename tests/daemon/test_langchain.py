"""LangChain's own client for Ollama: chat, tools, structured output and embeddings."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langchain_ollama import ChatOllama, OllamaEmbeddings, OllamaLLM
from pydantic import BaseModel
from templates import JINJA_TOOLS
from tiny_gguf import write_tiny_gguf

from conftest import create_model


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Answer(BaseModel):
    """An answer with a number."""

    number: int


@pytest.fixture
def make():
    """Makes LangChain's models and closes their connections, which they leave open themselves."""
    with contextlib.ExitStack() as stack:

        def make_one(kind, **fields):
            model = kind(**fields)
            stack.callback(model._client.close)
            return model

        yield make_one


@pytest.fixture
def tools_model(library, tmp_path):
    return create_model(library, "t", write_tiny_gguf(tmp_path / "t.gguf", template=JINJA_TOOLS))


def test_chat_answers_streams_and_counts(make, url, tiny):
    model = make(ChatOllama, model="tiny", base_url=url, reasoning=False)
    answer = model.invoke([("system", "Be brief."), ("human", "hi")])
    assert answer.content == "Hello"
    assert answer.usage_metadata["total_tokens"] == 9
    assert answer.response_metadata["done_reason"] == "stop"
    assert [piece.content for piece in model.stream("hi")][:2] == ["Hel", "lo"]


def test_chat_answers_asynchronously(make, url, tiny):
    async def scenario():
        model = make(ChatOllama, model="tiny", base_url=url, reasoning=False)
        answer = await model.ainvoke("hi")
        await model._async_client.close()
        return answer.content

    assert asyncio.run(scenario()) == "Hello"


def test_reasoning_is_kept_apart(make, url, tiny, fake_engine):
    fake_engine.script = ["<think>hm</think>", "yes"]
    answer = make(ChatOllama, model="tiny", base_url=url, reasoning=True).invoke("hi")
    assert answer.content == "yes"
    assert answer.additional_kwargs["reasoning_content"] == "hm"


def test_a_tool_is_called_and_its_result_is_read(make, url, tools_model, fake_engine):
    fake_engine.script = ['<tool_call>{"name": "add", "arguments": {"a": 2, "b": 3}}</tool_call>']
    model = make(ChatOllama, model=tools_model, base_url=url).bind_tools([add])
    question = HumanMessage("What is 2 + 3?")
    called = model.invoke([question])
    [call] = called.tool_calls
    assert (call["name"], call["args"]) == ("add", {"a": 2, "b": 3})
    fake_engine.script = ["It is 5."]
    result = ToolMessage(str(add.invoke(call["args"])), tool_call_id=call["id"])
    answer = model.invoke([question, called, result])
    assert isinstance(answer, AIMessage) and answer.content == "It is 5."
    assert [m["role"] for m in fake_engine.job.messages] == ["user", "assistant", "tool"]
    assert fake_engine.job.messages[-1]["content"] == "5"


def test_structured_output_is_an_object(make, url, tiny, fake_engine):
    fake_engine.script = ["<think></think>", '{"number": 5}']
    model = make(ChatOllama, model="tiny", base_url=url).with_structured_output(
        Answer, method="json_schema"
    )
    assert model.invoke("2 + 3?") == Answer(number=5)
    assert fake_engine.job.schema["properties"]["number"]["type"] == "integer"


def test_a_plain_completion_answers(make, url, tiny):
    assert make(OllamaLLM, model="tiny", base_url=url, reasoning=False).invoke("hi") == "Hello"


def test_embeddings_of_documents_and_questions(make, url, tiny):
    model = make(OllamaEmbeddings, model="tiny", base_url=url)
    assert model.embed_documents(["abc", ""]) == [[0.6, 0.8], [0.0, 1.0]]
    assert model.embed_query("abc") == [0.6, 0.8]


def test_a_missing_model_is_named(make, url):
    with pytest.raises(Exception, match="not found"):
        make(ChatOllama, model="nope", base_url=url).invoke("hi")


@pytest.mark.slow
def test_the_real_engine_answers_langchain(make, daemon, tiny_gguf):
    from ollama import Client

    with Client(host=daemon.url) as native:
        native.create("tiny", files={"tiny.gguf": native.create_blob(tiny_gguf)})
    options = {"model": "tiny", "base_url": daemon.url}
    more = {"seed": 1, "num_predict": 200, "temperature": 0.5}
    structured = make(ChatOllama, **options, **more, reasoning=False).with_structured_output(
        {"title": "A", "type": "object", "properties": {"a": {"enum": ["x", "y"]}},
         "required": ["a"]}, method="json_schema"
    )  # fmt: skip
    assert structured.invoke("hi")["a"] in ("x", "y")
    assert len(make(OllamaEmbeddings, **options).embed_query("hi")) == 32
