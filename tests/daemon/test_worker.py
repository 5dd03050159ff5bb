"""The real engine: a llama.cpp process behind the server, killed, cancelled and asked twice."""

from __future__ import annotations

import asyncio
import codecs
import json
import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import httpx
import psutil
import pytest
import templates
from ollama import Client, ResponseError
from tiny_gguf import byte_symbols

from conftest import endless, wait_until
from jimoto.daemon.child import Child
from jimoto.daemon.gguf_check import check_gguf
from jimoto.daemon.inference import CancelFlag, Model, Session, choose_threads, common_prefix
from jimoto.daemon.jobs import Job, LoadPlan
from jimoto.daemon.options import Options

PATIENT = 120  # seconds: on a busy machine a process may take long to start
USER = [{"role": "user", "content": "hello"}]
WARM = {"temperature": 1.0, "seed": 7, "num_predict": 30}


@pytest.fixture(scope="module")
def client(daemon, tiny_gguf):
    with Client(host=daemon.url) as client:
        digest = client.create_blob(tiny_gguf)
        client.create("tiny", files={"tiny.gguf": digest})
        yield client


@pytest.fixture(scope="module")
def mame_client(client, mame):
    client.create("mame", files={"mame.gguf": client.create_blob(mame)})
    return client


def worker_of(daemon):
    """The one llama.cpp process."""
    [worker] = [p for p in daemon.children() if "jimoto.daemon.worker" in " ".join(p.cmdline())]
    return worker


@pytest.fixture
def worker(daemon, client):
    client.generate("tiny", "x", options={"num_predict": 1})
    for model in client.ps().models:
        if model.name != "tiny:latest":
            client.generate(model.name, keep_alive=0)
    return worker_of(daemon)


pytestmark = pytest.mark.slow


def test_answers_come_with_figures(client):
    answer = client.generate("tiny", "hello", options=WARM, think=False)
    assert answer.response and 0 < answer.eval_count <= 30
    assert answer.prompt_eval_count > 5 and len(answer.context) > answer.prompt_eval_count
    assert min(answer.total_duration, answer.prompt_eval_duration, answer.eval_duration) > 0
    assert answer.total_duration >= answer.prompt_eval_duration + answer.eval_duration


def test_a_stream_says_the_same_as_one_answer(client):
    whole = client.chat("tiny", USER, options=WARM)
    pieces = list(client.chat("tiny", USER, options=WARM, stream=True))
    assert "".join(p.message.content for p in pieces) == whole.message.content
    assert "".join(p.message.thinking or "" for p in pieces) == (whole.message.thinking or "")
    assert pieces[-1].eval_count == whole.eval_count


def test_the_same_seed_gives_the_same_text_whatever_was_asked_before(client):
    long = [
        {"role": "user", "content": "a question that is longer than one chunk of the prefill " * 2}
    ]
    answers = []
    for before in (USER, long, [*long, {"role": "assistant", "content": "so"}, *USER]):
        client.chat("tiny", before, options={"num_predict": 20})
        answers.append(client.chat("tiny", long, options=WARM).message)
    client.generate("tiny", keep_alive=0)
    answers.append(client.chat("tiny", long, options=WARM).message)
    assert answers[0] == answers[1] == answers[2] == answers[3]


def test_no_seed_gives_another_text_each_time(client):
    options = {"num_predict": 30, "temperature": 2.0}
    texts = {client.generate("tiny", "x", raw=True, options=options).response for _ in range(4)}
    assert len(texts) > 1


def test_num_predict_zero_says_nothing(client):
    answer = client.generate("tiny", "x", options={"num_predict": 0})
    assert (answer.response, answer.done_reason, answer.eval_count) == ("", "length", None)


def test_a_stop_string_ends_the_text_before_it(client):
    raw = {"raw": True, "options": WARM}
    text = client.generate("tiny", "x", **raw).response
    stop = text[3:5]
    cut = client.generate("tiny", "x", raw=True, options=WARM | {"stop": [stop]})
    assert cut.response == text[: text.index(stop)] and cut.done_reason == "stop"


def test_a_schema_is_followed(client):
    schema = {"type": "object", "properties": {"a": {"enum": ["x", "y"]}}, "required": ["a"]}
    options = {"temperature": 1.5, "num_predict": 200}
    for seed in range(3):
        answer = client.generate(
            "tiny", "x", format=schema, think=False, options={**options, "seed": seed}
        )
        assert json.loads(answer.response)["a"] in ("x", "y")


def test_a_schema_that_makes_no_grammar_is_a_500(client):
    with pytest.raises(ResponseError, match="invalid format") as caught:
        client.generate("tiny", "x", format={"$ref": "#/nowhere"})
    assert caught.value.status_code == 500


def test_the_window_shifts_when_it_is_full(client):
    options = {"num_ctx": 64, "num_predict": 150, "temperature": 2.0, "top_p": 1.0, "top_k": 0}
    counts = [
        client.generate("tiny", "x", options={**options, "seed": seed}).eval_count
        for seed in range(5)
    ]
    assert max(counts) > 64


def test_the_oldest_messages_go_when_the_window_is_too_small(client):
    many = [{"role": "user", "content": f"message number {number}"} for number in range(30)]
    answer = client.chat("tiny", many, options={"num_ctx": 128, "num_predict": 1})
    assert 40 < answer.prompt_eval_count <= 128
    shown = httpx.post(
        f"{client._client.base_url}/api/chat",
        json={
            "model": "tiny",
            "messages": many,
            "options": {"num_ctx": 128},
            "_debug_render_only": True,
        },
        timeout=PATIENT,
    ).json()["_debug_info"]["rendered_template"]
    assert "number 29" in shown and "number 0<" not in shown


def test_a_prompt_that_may_not_be_cut_is_refused(client):
    with httpx.Client(base_url=client._client.base_url, timeout=PATIENT) as http:
        body = {"model": "tiny", "prompt": "x" * 2000, "truncate": False}
        answer = http.post("/api/generate", json=body)
    assert answer.status_code == 400
    assert answer.json() == {"error": "the input length exceeds the context length"}


ADD = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Add two numbers.",
        "parameters": {"type": "object", "properties": {"a": {"type": "integer"}, "b": {}}},
    },
}
TOOL_TALK = [
    *USER,
    {"role": "assistant", "tool_calls": [{"function": {"name": "add", "arguments": {"a": "あ"}}}]},
    {"role": "tool", "content": "3", "tool_name": "add"},
]


@pytest.fixture
def make(client):
    """Makes models that are gone when the test is over, from the disk and from memory."""
    made = []

    def make_one(name, path, **more):
        client.create(name, files={path.name: client.create_blob(path)}, **more)
        made.append(name)

    yield make_one
    for name in made:
        client.generate(name, keep_alive=0)
        client.delete(name)


def rendered(client, path, **body):
    """The prompt that the worker makes of a request."""
    body |= {"_debug_render_only": True}
    answer = httpx.post(f"{client._client.base_url}{path}", json=body, timeout=PATIENT)
    return answer.json()["_debug_info"]["rendered_template"]


def test_tools_calls_and_results_are_written_by_a_jinja_template(client, make, jinja_ggufs):
    make("jinja", jinja_ggufs["jinja"])
    prompt = rendered(client, "/api/chat", model="jinja", messages=TOOL_TALK, tools=[ADD])
    assert prompt == (
        "<|im_start|>system\nadd(a, b): Add two numbers.\n<|im_end|>\n"
        "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n<tool_call>\n"
        '{"name": "add", "arguments": {"a": "あ"}}\n</tool_call><|im_end|>\n'
        "<|im_start|>tool\n3<|im_end|>\n<|im_start|>assistant\n"
    )
    without = rendered(client, "/api/chat", model="jinja", messages=USER)
    assert without == "<|im_start|>user\nhello<|im_end|>\n<|im_start|>assistant\n"


def test_a_call_that_the_engine_writes_is_read(client, make, jinja_ggufs):
    """A schema makes the babbling model write a call as Llama 3 does."""
    make("llama", jinja_ggufs["llama"])
    call = {"type": "object", "required": ["name", "parameters"], "properties": {
        "name": {"const": "add"},
        "parameters": {"type": "object", "required": ["a"], "properties": {"a": {"enum": ["あ"]}}},
    }}  # fmt: skip
    options = {"temperature": 1.0, "seed": 1, "num_predict": 200}
    pieces = list(
        client.chat("llama", USER, tools=[ADD], format=call, options=options, stream=True)
    )
    [read] = pieces[-1].message.tool_calls
    assert (read.function.name, read.function.arguments) == ("add", {"a": "あ"})
    assert "".join(piece.message.content for piece in pieces) == ""
    plain = client.chat("llama", USER, format=call, options=options).message
    assert plain.tool_calls is None and json.loads(plain.content)["name"] == "add"


def test_a_go_template_is_run_where_it_speaks(client, make, plain_gguf):
    for name, template in templates.GO.items():
        make(name, plain_gguf, template=template)
    prompt = rendered(client, "/api/chat", model="go", messages=TOOL_TALK, tools=[ADD])
    assert '{"name": "add", "arguments": {"a":"あ"}}\n</tool_call><|im_end|>' in prompt
    fill = rendered(client, "/api/generate", model="insert", prompt="a", suffix="b")
    assert fill == "<PRE>a<SUF>b<MID>"
    asked = [{"think": think} if think is not None else {} for think in (None, False, "high")]
    ends = [rendered(client, "/api/chat", model="reasons", messages=USER, **a) for a in asked]
    assert [text.removeprefix("user: hello\n") for text in ends] == [
        "think medium",
        "",
        "think high",
    ]
    own = rendered(client, "/api/generate", model="go", prompt="p", template="<{{ .Prompt }}>")
    assert own == "<p>"


def test_a_go_template_that_fails_is_a_500_and_the_next_request_is_answered(client):
    with pytest.raises(ResponseError, match=r"template error: .*Nowhere") as caught:
        client.generate("tiny", "x", template="{{ range .Messages }}{{ .Nowhere }}{{ end }}")
    assert caught.value.status_code == 500
    assert client.generate("tiny", "x", options={"num_predict": 1}).done_reason == "length"


def test_log_probabilities_are_those_of_the_tokens(client):
    options = {"temperature": 0, "num_predict": 8}
    ask = {"logprobs": True, "top_logprobs": 5, "options": options}
    answer = client.generate("tiny", "x", raw=True, **ask)
    told = answer.logprobs
    assert len(told) == answer.eval_count == 8
    for token in told:
        likely = [other.logprob for other in token.top_logprobs]
        assert likely == sorted(likely, reverse=True) and len(likely) == 5
        # greedy: the likeliest token is the one that was taken
        assert (token.token, token.logprob) == (token.top_logprobs[0].token, likely[0])
        assert 0 < sum(math.exp(value) for value in likely) <= 1
    pieces = list(client.generate("tiny", "x", raw=True, stream=True, **ask))
    assert [t.token for p in pieces for t in p.logprobs or []] == [t.token for t in told]


def test_log_probabilities_are_shares_of_one(daemon, client):
    options = {"num_predict": 1, "seed": 1, "temperature": 5.0}
    body = {"model": "tiny", "prompt": "x", "raw": True, "stream": False, "options": options}
    body |= {"logprobs": True, "top_logprobs": 20}
    answer = httpx.post(f"{daemon.url}/api/generate", json=body, timeout=PATIENT)
    [token] = answer.json()["logprobs"]
    assert bytes(token["bytes"]).decode("utf-8", "replace") == token["token"]
    total = sum(math.exp(other["logprob"]) for other in token["top_logprobs"])
    assert 20 / 261 < total < 1  # 20 of the 261 tokens: more than their share, and not all


def test_a_stop_string_takes_its_log_probabilities_with_it(client):
    text = client.generate("tiny", "x", raw=True, options=WARM).response
    options = WARM | {"stop": [text[3:5]]}
    cut = client.generate("tiny", "x", raw=True, options=options, logprobs=True)
    told = "".join(token.token for token in cut.logprobs or [])
    assert told.startswith(cut.response) and text[3:5] not in told


def test_a_schema_holds_for_an_answer_without_a_thought(client):
    schema = {"type": "object", "properties": {"a": {"enum": ["x"]}}, "required": ["a"]}
    own = "{{ range .Messages }}{{ .Content }}{{ end }}"  # opens no thought, and tiny writes none
    for seed in range(3):
        options = {"temperature": 1.5, "num_predict": 200, "seed": seed}
        answer = client.generate(
            "tiny", "x", format=schema, think=True, template=own, options=options
        )
        assert not answer.thinking and json.loads(answer.response) == {"a": "x"}


def test_a_model_can_be_loaded_and_let_go(client, daemon):
    for other in client.ps().models:  # other files use this server too
        client.generate(other.model, keep_alive=0)
    client.generate("tiny", keep_alive="10m")
    assert [m.model for m in client.ps().models] == ["tiny:latest"]
    pid = worker_of(daemon).pid
    assert client.generate("tiny", keep_alive=0).done_reason == "unload"
    assert client.ps().models == [] and not psutil.pid_exists(pid)


def test_killed_between_two_requests_the_second_is_answered(client, worker):
    worker.kill()
    assert client.generate("tiny", "x", options={"num_predict": 3}).done_reason == "length"


def test_the_endless_run_does_not_stop_by_itself(client):
    assert endless(client, stream=False).eval_count == 5000


def test_killed_under_a_stream_it_ends_with_an_error_line_and_the_next_is_answered(client, worker):
    with pytest.raises(ResponseError, match="ended unexpectedly") as caught:
        for number, _ in enumerate(endless(client)):
            if number == 3:
                worker.kill()
    assert caught.value.status_code == -1
    assert client.generate("tiny", "x", options={"num_predict": 3}).done_reason == "length"


def test_killed_under_a_request_that_one_gets_500_and_the_next_is_answered(client, worker):
    before = worker.cpu_times().user
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(endless, client, stream=False)
        wait_until(lambda: worker.cpu_times().user > before + 0.1 or answer.done())
        assert not answer.done()
        worker.kill()
        with pytest.raises(ResponseError, match="ended unexpectedly") as caught:
            answer.result()
    assert caught.value.status_code == 500
    assert client.generate("tiny", "x", options={"num_predict": 3}).done_reason == "length"


def test_a_client_that_goes_away_stops_the_generation(client, worker, daemon):
    with httpx.stream(
        "POST",
        f"{daemon.url}/api/generate",
        json={"model": "tiny", "prompt": "x", "raw": True, "options": {"num_predict": 5000}},
        timeout=PATIENT,
    ) as answer:
        next(answer.iter_lines())
    assert client.generate("tiny", "x", options={"num_predict": 3}).done_reason == "length"
    assert worker_of(daemon).pid == worker.pid


def test_no_process_survives_a_killed_server(start, tiny_gguf):
    daemon = start()
    with Client(host=daemon.url) as client:
        client.create("tiny", files={"t.gguf": client.create_blob(tiny_gguf)})
        client.generate("tiny", "x", options={"num_predict": 1})
    worker = worker_of(daemon)
    daemon.process.kill()
    daemon.process.wait()
    wait_until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)


def test_the_second_question_of_a_chat_reads_only_what_is_new(tiny_gguf):
    first = [{"role": "user", "content": "What is a llama? Please say it in one long sentence."}]
    second = [*first, {"role": "assistant", "content": "An animal."}, *USER]

    async def scenario():
        child = await Child.start()
        plan = LoadPlan("t", "", tiny_gguf, 0, 512)
        await child.send(plan.command())
        assert (await child.receive())["ready"]
        prompts = []
        for number, messages in enumerate((first, second, second)):
            job = Job(messages=messages, options=Options(num_predict=1))
            await child.send({"op": "run", "id": number, **as_command(job)})
            prompts += [r["prompt"] for r in await replies(child) if "prompt" in r]
        await child.close()
        return [(p["count"], p["cached"]) for p in prompts]

    (n1, cached1), (n2, cached2), (n3, cached3) = asyncio.run(scenario())
    assert cached1 == 0 and n2 > n1
    assert n1 - 64 < cached2 <= n1 and cached2 % 32 == 0
    assert n3 == n2 and cached3 > cached2


def test_a_cancelled_run_stops_within_a_computation(tiny_gguf):
    import llama_cpp.llama_cpp as llama

    flag = CancelFlag()
    model = Model(llama, LoadPlan("t", "", tiny_gguf, 0, 512).command())
    session = Session(model, is_cancelled=lambda: False, flag=flag)
    job = as_command(Job(prompt="hello", options=Options(num_predict=4)))
    job |= {"render_only": False, "grammar": None}

    def reason():
        return list(session.run(job))[-1]["done"]["reason"]

    assert reason() == "length"
    flag.set(True)
    assert reason() == "cancelled"
    flag.set(False)
    assert reason() == "length"


def as_command(job):
    return json.loads(json.dumps(asdict(job)))


async def replies(child):
    found = [await child.receive()]
    while not found[-1].keys() & {"done", "error"}:
        found.append(await child.receive())
    return found


def text_of(tokens, path):
    """What a byte-level vocabulary says of these tokens: the oracle for the worker's own way."""
    metadata = check_gguf(path, keep_arrays=True).metadata
    kinds, words = metadata["tokenizer.ggml.token_type"], metadata["tokenizer.ggml.tokens"]
    to_byte = {symbol: byte for byte, symbol in enumerate(byte_symbols())}
    shown = [words[t] for t in tokens if kinds[t] == 1 or words[t] in ("<think>", "</think>")]
    raw = b"".join(
        word.encode() if word.endswith("think>") else bytes(to_byte[symbol] for symbol in word)
        for word in shown
    )
    return codecs.getincrementaldecoder("utf-8")("replace").decode(raw)


@pytest.mark.parametrize("name", ["tiny", "mame"])
def test_a_character_of_several_tokens_arrives_whole(mame_client, mame, tiny_gguf, name):
    options = {"temperature": 1.0, "seed": 5, "num_predict": 80}
    question = "<|im_start|>user\nおみくじを引いて<|im_end|>\n<|im_start|>assistant\n"
    request = {
        "model": name,
        "prompt": question,
        "options": options,
        "think": False,
        "stream": True,
    }
    pieces = list(mame_client.generate(**request))
    answer = pieces[-1]
    text = "".join(piece.response for piece in pieces)
    tokens = answer.context[answer.prompt_eval_count :]
    assert text == text_of(tokens, mame if name == "mame" else tiny_gguf)


def test_mame_answers_in_both_languages(mame_client):
    for question in ("What is a token?", "トークンとは何ですか?"):
        chat = [{"role": "user", "content": question}]
        answer = mame_client.chat("mame", chat, options={"temperature": 0})
        again = mame_client.chat("mame", chat, options={"temperature": 0}, stream=True)
        text = answer.message.content
        assert text
        assert "".join(piece.message.content for piece in again) == text


def test_mame_thinks_in_a_field_of_its_own(mame_client):
    chat = [{"role": "user", "content": "What is 23 + 45?"}]
    for think in (True, False):
        message = mame_client.chat("mame", chat, think=think, options={"temperature": 0}).message
        assert "<think>" not in message.content and "</think>" not in message.content
        assert think or not message.thinking


def test_json_after_thinking_is_json(mame_client):
    chat = [{"role": "user", "content": "What is 23 + 45?"}]
    schema = {
        "type": "object",
        "properties": {"answer": {"type": "integer"}},
        "required": ["answer"],
    }
    options = {"temperature": 0, "num_predict": 300}
    answer = mame_client.chat("mame", chat, think=True, format=schema, options=options)
    if answer.done_reason == "stop":
        assert isinstance(json.loads(answer.message.content)["answer"], int)


def test_a_learners_file_named_like_a_module_does_no_harm(tmp_path, monkeypatch, tiny_gguf):
    (tmp_path / "queue.py").write_text("raise SystemExit('the wrong queue')")
    monkeypatch.chdir(tmp_path)

    async def scenario():
        child = await Child.start()
        await child.send(LoadPlan("t", "", tiny_gguf, 0, 512).command())
        reply = await child.receive()
        await child.close()
        return reply

    assert asyncio.run(scenario()) == {"ready": True, "context_length": 512}


def test_one_thread_is_enough_for_a_tiny_model():
    assert choose_threads(10_000_000, asked=0) == 1
    assert choose_threads(10_000_000, asked=1) == 1
    assert 1 <= choose_threads(500_000_000, asked=0) <= (os.cpu_count() or 1)


def test_the_common_prefix_ends_at_the_first_difference():
    assert [common_prefix([1, 2, 3], other) for other in ([1, 2, 4], [1], [], [1, 2, 3, 4])] == [
        2,
        1,
        0,
        3,
    ]
