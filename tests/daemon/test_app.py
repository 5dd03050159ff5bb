"""The contract: status codes, texts and shapes of every route, against a scripted engine."""

import hashlib
from pathlib import Path

import pytest

from conftest import create_model
from jimoto.daemon.jobs import Done, Loaded, LoadPlan
from jimoto.daemon.store import Manifest
from jimoto.daemon.wire import ApiError

METRICS = {
    "total_duration", "load_duration", "prompt_eval_count", "prompt_eval_duration", "eval_count",
    "eval_duration",
}  # fmt: skip
USER = [{"role": "user", "content": "hi"}]


def error_of(answer):
    assert answer.headers["content-type"].startswith("application/json")
    assert list(answer.json()) == ["error"]
    return answer.status_code, answer.json()["error"]


# --- liveness ---


def test_the_server_says_that_it_runs(api):
    assert api.call("GET", "/").text == "Ollama is running"
    assert api.call("HEAD", "/").status_code == 200


def test_the_version_is_ollamas_and_the_package_is_named_beside_it(api):
    assert api.call("GET", "/api/version").json() == {"version": "0.33.0", "jimoto": "0.0.test"}
    assert api.call("HEAD", "/api/version").status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/create", {"model": "x", "from": "big:cloud"}),
        ("/api/create", {"model": "x:1b-cloud", "from": "tiny"}),
        ("/api/copy", {"source": "tiny", "destination": "x:cloud"}),
    ],
)
def test_no_model_of_the_cloud_is_made_here(api, tiny, path, body):
    """Found by fuzzing: a 500, and names that could never be run."""
    answer = api.post(path, body)
    assert answer.status_code == 403 and "ollama cloud is disabled" in answer.json()["error"]
    assert len(api.call("GET", "/api/tags").json()["models"]) == 1


def test_the_cloud_is_off(api):
    assert api.call("GET", "/api/status").json() == {
        "cloud": {"disabled": True, "source": "config"}
    }


@pytest.mark.parametrize(
    "path", ["/nowhere", "/api/me", "/v1/responses", "/api/embed/", "/api/tags/"]
)
def test_an_unknown_path_is_a_404_in_plain_text(api, path):
    answer = api.call("GET", path)
    assert (answer.status_code, answer.text) == (404, "404 page not found")
    assert answer.headers["content-type"].startswith("text/plain")


WRONG_METHODS = ["GET /api/chat", "POST /api/tags", "PUT /api/delete", "DELETE /api/create"]


@pytest.mark.parametrize(("method", "path"), [line.split() for line in WRONG_METHODS])
def test_a_wrong_method_is_a_405_in_plain_text(api, method, path):
    answer = api.call(method, path)
    assert (answer.status_code, answer.text) == (405, "405 method not allowed")


# --- generate and chat ---


def test_a_generated_stream_ends_with_the_figures(api, tiny):
    first, second, last = api.lines(
        "/api/generate", {"model": "tiny", "prompt": "x", "think": False}
    )
    assert [first["response"], second["response"], last["response"]] == ["Hel", "lo", ""]
    assert [first["done"], last["done"]] == [False, True]
    always = {"model", "created_at", "response", "done", "done_reason"}
    assert set(last) == (METRICS - {"total_duration"}) | always  # the clock stands still
    assert last["eval_duration"] == 200_000_000 and last["load_duration"] == 500_000_000
    assert METRICS.isdisjoint(first) and "done_reason" not in first


def test_zero_metrics_are_left_out(api, tiny, fake_engine):
    fake_engine.done = Done("length", 7, 0.1, 0, 0.0)
    answer = api.post("/api/generate", {"model": "tiny", "prompt": "x", "stream": False}).json()
    assert {"eval_count", "eval_duration"}.isdisjoint(answer)
    assert answer["done_reason"] == "length"


def test_one_object_holds_the_same_as_the_stream(api, tiny):
    body = {"model": "tiny", "messages": USER, "think": False}
    streamed = api.lines("/api/chat", body)
    answer = api.post("/api/chat", body | {"stream": False}).json()
    assert answer["message"]["content"] == "".join(x["message"]["content"] for x in streamed)
    assert {**answer, "message": 0} == {**streamed[-1], "message": 0}


def test_every_chunk_of_a_chat_has_a_role_and_a_content(api, tiny):
    for chunk in api.lines("/api/chat", {"model": "tiny", "messages": USER}):
        assert chunk["message"].keys() >= {"role", "content"}


def test_the_model_is_echoed_as_it_was_sent(api, tiny):
    answer = api.post("/api/generate", {"model": "TINY:Latest", "prompt": "x", "stream": False})
    assert answer.json()["model"] == "TINY:Latest"


def test_thinking_has_a_field_of_its_own(api, tiny, fake_engine):
    fake_engine.prompt_tail = "assistant\n<think>\n"
    fake_engine.script = ["2+2", " is</th", "ink>\n", "\n4"]
    chunks = api.lines("/api/chat", {"model": "tiny", "messages": USER})
    shown = [(c["message"].get("thinking", ""), c["message"]["content"]) for c in chunks]
    assert shown == [("2+2", ""), (" is", ""), ("", "4"), ("", "")]


def test_without_thinking_the_text_is_left_alone(api, tiny, fake_engine):
    fake_engine.script = ["<think>x</think>y"]
    body = {"model": "tiny", "prompt": "x", "think": False, "stream": False}
    assert api.post("/api/generate", body).json()["response"] == "<think>x</think>y"


def test_thinking_is_on_by_default_for_a_model_that_can(api, tiny, plain, fake_engine):
    seen = []
    for name, think in (("tiny", None), ("tiny", False), ("tiny", "high"), ("plain", None)):
        api.post("/api/chat", {"model": name, "messages": USER, "think": think})
        seen.append((fake_engine.job.thinks, fake_engine.job.variables))
    assert seen == [
        (True, {"enable_thinking": True}),
        (False, {"enable_thinking": False}),
        (True, {"enable_thinking": True, "reasoning_effort": "high"}),
        (False, {}),
    ]


def test_context_is_returned_by_generate_and_not_for_raw(api, tiny, fake_engine):
    fake_engine.done = Done("stop", 1, 0.1, 1, 0.1, context=[1, 2])
    body = {"model": "tiny", "prompt": "x", "stream": False}
    assert api.post("/api/generate", body).json()["context"] == [1, 2]
    api.post("/api/generate", body | {"raw": True})
    assert (fake_engine.job.wants_context, fake_engine.job.messages) == (False, None)


def test_an_empty_prompt_loads_and_says_so_even_when_streaming(api, tiny, fake_engine):
    answer = api.post("/api/generate", {"model": "tiny", "keep_alive": "5m"}).json()
    assert (answer["done_reason"], answer["response"], answer["done"]) == ("load", "", True)
    assert METRICS.isdisjoint(answer)
    assert fake_engine.loads[0][1] == 300.0


def test_an_empty_chat_loads_and_keep_alive_zero_unloads(api, tiny, fake_engine):
    loaded = api.post("/api/chat", {"model": "tiny", "messages": []}).json()
    unloaded = api.post("/api/chat", {"model": "tiny", "keep_alive": 0.0}).json()
    assert (loaded["done_reason"], unloaded["done_reason"]) == ("load", "unload")
    assert unloaded["message"] == {"role": "assistant", "content": ""}
    assert len(fake_engine.unloads) == 1


def test_the_rendered_prompt_can_be_asked_for(api, tiny):
    body = {"model": "tiny", "messages": USER, "_debug_render_only": True}
    assert api.post("/api/chat", body).json()["_debug_info"] == {"rendered_template": "rendered"}


def test_tools_that_are_an_empty_list_are_no_tools(api, tiny):
    body = {"model": "tiny", "messages": USER, "tools": [], "stream": False}
    assert api.post("/api/chat", body).status_code == 200


# --- what reaches the model ---


def test_system_history_and_request_come_in_this_order(api, library, tiny_gguf, fake_engine):
    history = [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}]
    create_model(library, "m", tiny_gguf, system="S", messages=history)
    api.post("/api/chat", {"model": "m", "messages": [{"role": "User", "content": "hi"}]})
    assert [m["content"] for m in fake_engine.job.messages] == ["S", "q", "a", "hi"]
    api.post("/api/chat", {"model": "m", "messages": [{"role": "system", "content": "T"}, *USER]})
    assert [m["content"] for m in fake_engine.job.messages] == ["q", "a", "T", "hi"]
    api.post("/api/generate", {"model": "m", "prompt": "p", "system": "T"})
    assert [m["content"] for m in fake_engine.job.messages] == ["T", "q", "a", "p"]
    api.post("/api/generate", {"model": "m", "prompt": "p", "context": [1]})
    assert [m["content"] for m in fake_engine.job.messages] == ["S", "p"]


def test_without_a_template_generate_sends_the_bare_prompt(api, plain, fake_engine):
    api.post("/api/generate", {"model": "plain", "prompt": "p"})
    assert (fake_engine.job.messages, fake_engine.job.prompt) == (None, "p")


def test_request_options_win_over_the_models(api, library, tiny_gguf, fake_engine):
    create_model(library, "m", tiny_gguf, parameters={"seed": 1, "temperature": 0.1, "stop": ["x"]})
    api.post("/api/chat", {"model": "m", "messages": USER, "options": {"seed": 2, "stop": ["y"]}})
    options = fake_engine.job.options
    assert (options.seed, options.temperature, options.stop) == (2, 0.1, ("y",))


def test_a_seed_of_minus_one_is_a_fresh_one_each_time(api, tiny, fake_engine):
    seeds = set()
    for _ in range(4):
        api.post("/api/chat", {"model": "tiny", "messages": USER, "options": {"seed": -1}})
        seeds.add(fake_engine.job.seed)
    assert len(seeds) == 4
    api.post("/api/chat", {"model": "tiny", "messages": USER, "options": {"seed": 42}})
    assert fake_engine.job.seed == 42


def test_the_context_is_never_longer_than_the_model_was_trained_for(api, tiny, fake_engine):
    asked = [None, 64, 100_000, 1]
    for num_ctx in asked:
        options = {"num_ctx": num_ctx}
        api.post("/api/chat", {"model": "tiny", "messages": USER, "options": options})
    assert [plan.context_length for plan, _, _ in fake_engine.runs] == [512, 64, 512, 4]


def test_earlier_thinking_is_not_shown_again_to_models_trained_so(
    api, library, tiny_gguf, fake_engine
):
    create_model(library, "deepseek-r1", tiny_gguf)
    old = {"role": "assistant", "content": "<think>long</think>\nshort"}
    for name, seen in (("deepseek-r1", "short"), ("deepseek-r1:latest", "short")):
        api.post("/api/chat", {"model": name, "messages": [*USER, old, *USER]})
        assert fake_engine.job.messages[1]["content"] == seen


# --- errors ---

GENERATE_ERRORS = [
    ({}, 404, "model '' not found"),
    ({"model": " "}, 404, "model '' not found"),
    ({"model": "tiny", "top_logprobs": 21}, 400, "top_logprobs must be between 0 and 20"),
    ({"model": "-x"}, 400, "invalid model name"),
    ({"model": "a/b/c/d"}, 400, "invalid model name"),
    ({"model": "x:cloud:local"}, 400, "invalid model name"),
    ({"model": "x:cloud"}, 403, "ollama cloud is disabled: x:cloud cannot run on this machine"),
    ({"model": "nope"}, 404, "model 'nope' not found"),
    ({"model": "nope:v1", "think": True}, 404, "model 'nope:v1' not found"),
    ({"model": "tiny", "prompt": "p", "raw": True, "system": "s"}, 400,
     "raw mode does not support template, system, or context"),
    ({"model": "plain", "prompt": "p", "think": True}, 400, '"plain" does not support thinking'),
    ({"model": "plain", "prompt": "p", "think": "low"}, 400, '"plain" does not support thinking'),
    ({"model": "tiny", "prompt": "p", "suffix": "s"}, 400,
     "registry.ollama.ai/library/tiny:latest does not support insert"),
    ({"model": "tiny", "prompt": "p", "images": ["aGk="]}, 400,
     "registry.ollama.ai/library/tiny:latest does not support vision"),
    ({"model": "tiny", "prompt": "p", "keep_alive": "10"}, 400,
     'time: missing unit in duration "10"'),
    ({"model": "tiny", "prompt": "p", "options": {"seed": "x"}}, 500,
     'option "seed" must be of type integer'),
    ({"model": "tiny", "prompt": "p", "format": "xml"}, 500,
     'invalid format: "xml"; expected "json" or a valid JSON Schema object'),
    ({"model": "tiny", "prompt": "p", "images": ["no base64"]}, 400,
     "json: cannot unmarshal array into field images of type []api.ImageData"),
    ({"model": "tiny", "prompt": "p", "template": "{{ .Prompt"}, 500,
     "template error: template: :1:11: unclosed action"),
    ({"model": "tiny", "prompt": "p", "top_logprobs": 21}, 400,
     "top_logprobs must be between 0 and 20"),
]  # fmt: skip

CHAT_ERRORS = [
    ({}, 400, "model is required"),
    ({"model": "-x", "messages": USER}, 400, "invalid model name"),
    ({"model": "nope", "messages": USER}, 404, "model 'nope' not found"),
    ({"model": "plain", "messages": USER, "think": True}, 400, '"plain" does not support thinking'),
    ({"model": "tiny", "messages": USER, "tools": [{"type": "function"}]}, 400,
     "registry.ollama.ai/library/tiny:latest does not support tools"),
    ({"model": "tiny", "messages": [{"role": "user", "images": ["aGk="]}]}, 400,
     "registry.ollama.ai/library/tiny:latest does not support vision"),
    ({"model": "tiny", "messages": USER, "top_logprobs": -1}, 400,
     "top_logprobs must be between 0 and 20"),
    ({"model": "tiny", "messages": [{"tool_calls": [{"function": {"arguments": "{}"}}]}]}, 400,
     "json: cannot unmarshal array into field messages.tool_calls of type []api.ToolCall"),
    ({"model": "tiny", "messages": USER, "tools": [{"function": "f"}]}, 400,
     "json: cannot unmarshal array into field tools of type api.Tools"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "text"), GENERATE_ERRORS)
def test_generate_refuses_in_ollamas_words(api, tiny, plain, body, status, text):
    assert error_of(api.post("/api/generate", body)) == (status, text)


@pytest.mark.parametrize(("body", "status", "text"), CHAT_ERRORS)
def test_chat_refuses_in_ollamas_words(api, tiny, plain, body, status, text):
    assert error_of(api.post("/api/chat", body)) == (status, text)


def test_an_incapable_model_may_be_told_not_to_think(api, plain):
    body = {"model": "plain", "messages": USER, "think": False, "stream": False}
    assert api.post("/api/chat", body).status_code == 200


def test_an_error_before_the_first_word_has_its_own_status(api, tiny, fake_engine):
    fake_engine.script = [ApiError(503, "server busy")]
    answer = api.post("/api/chat", {"model": "tiny", "messages": USER})
    assert error_of(answer) == (503, "server busy")


def test_an_error_in_the_middle_is_the_last_line(api, tiny, fake_engine):
    fake_engine.script = ["so ", ApiError(500, "it died")]
    lines = api.lines("/api/generate", {"model": "tiny", "prompt": "x", "think": False})
    assert lines[0]["response"] == "so " and lines[1:] == [{"error": "it died"}]
    body = {"model": "tiny", "prompt": "x", "stream": False}
    assert error_of(api.post("/api/generate", body)) == (500, "it died")


@pytest.mark.parametrize(
    "path", ["/api/generate", "/api/chat", "/api/show", "/api/create", "/api/copy"]
)
def test_an_empty_body_is_refused(api, path):
    assert error_of(api.call("POST", path)) == (400, "missing request body")


def test_a_body_beyond_the_cap_is_refused(api):
    answer = api.call("POST", "/api/show", content=b" " * (33 * 2**20))
    assert answer.status_code == 413 and "larger than" in answer.json()["error"]


# --- tags, ps, show ---


def test_no_models_is_an_empty_list(api):
    assert api.call("GET", "/api/tags").json() == {"models": []}
    assert api.call("GET", "/api/ps").json() == {"models": []}


def test_tags_say_what_is_stored(api, library, tiny):
    [item] = api.call("GET", "/api/tags").json()["models"]
    assert item["name"] == item["model"] == "tiny:latest"
    manifest = library.store.manifests / "registry.ollama.ai" / "library" / "tiny" / "latest"
    assert item["digest"] == hashlib.sha256(manifest.read_bytes()).hexdigest()
    assert item["details"] == {
        "parent_model": "", "format": "gguf", "family": "llama", "families": ["llama"],
        "parameter_size": "29K", "quantization_level": "F16", "context_length": 512,
        "embedding_length": 32,
    }  # fmt: skip


def test_ps_says_what_is_loaded_and_until_when(api, tiny, fake_engine, clock):
    plan = LoadPlan("tiny:latest", "d" * 64, Path("x"), 1_000, 512)
    fake_engine.in_memory = [Loaded(plan, 512, 300.0), Loaded(plan, 64, float("inf"))]
    first, forever = api.call("GET", "/api/ps").json()["models"]
    assert (first["name"], first["size"], first["size_vram"]) == ("tiny:latest", 1_000, 0)
    assert first["context_length"] == 512 and first["details"]["family"] == "llama"
    assert int(forever["expires_at"][:4]) > 2300


def test_show_says_everything_about_a_model(api, library, tiny_gguf):
    create_model(library, "m", tiny_gguf, system="Be brief.", license=["MIT", "CC"],
                 parameters={"stop": ["<x>", "y"], "temperature": 1.0, "seed": 3},
                 messages=[{"role": "user", "content": "hi"}])  # fmt: skip
    shown = api.post("/api/show", {"name": "m", "model": ""}).json()
    assert shown["parameters"].splitlines() == [
        'stop                           "<x>"',
        'stop                           "y"',
        "temperature                    1",
        "seed                           3",
    ]
    assert (shown["system"], shown["license"]) == ("Be brief.", "MIT\nCC")
    assert shown["capabilities"] == ["completion", "thinking"]
    assert shown["model_info"]["general.parameter_count"] == 28_992
    assert shown["model_info"]["tokenizer.ggml.tokens"] is None
    assert {"general.name", "tokenizer.chat_template"}.isdisjoint(shown["model_info"])
    assert shown["messages"] == [{"role": "user", "content": "hi"}]
    assert (
        "SYSTEM Be brief.\n" in shown["modelfile"] and "PARAMETER stop <x>\n" in shown["modelfile"]
    )
    verbose = api.post("/api/show", {"model": "m", "verbose": True}).json()
    assert len(verbose["model_info"]["tokenizer.ggml.tokens"]) == 261
    assert verbose["tensors"][0]["type"] == "F16"


SHOW_ERRORS = [
    ({"model": ""}, 400, "model is required"),
    ({"model": "a b"}, 400, "invalid model name"),
    ({"name": "nope"}, 404, "model 'nope:latest' not found"),
]


@pytest.mark.parametrize(("body", "status", "text"), SHOW_ERRORS)
def test_show_refuses_in_ollamas_words(api, body, status, text):
    assert error_of(api.post("/api/show", body)) == (status, text)


# --- blobs, create, copy, delete ---


def digest_of(raw):
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def upload(api, raw):
    assert api.call("POST", f"/api/blobs/{digest_of(raw)}", content=raw).status_code == 201
    return digest_of(raw)


def test_a_blob_is_201_when_new_and_200_when_known(api):
    digest = digest_of(b"bytes")
    assert api.call("HEAD", f"/api/blobs/{digest}").status_code == 404
    assert api.call("POST", f"/api/blobs/{digest}", content=b"bytes").status_code == 201
    assert api.call("POST", f"/api/blobs/{digest}", content=b"bytes").status_code == 200
    assert api.call("HEAD", f"/api/blobs/{digest}").status_code == 200


def test_a_blob_may_come_in_chunks(api):
    async def pieces():
        yield b"by"
        yield b"tes"

    digest = digest_of(b"bytes")
    assert api.call("POST", f"/api/blobs/{digest}", content=pieces()).status_code == 201


def test_a_blob_that_is_not_its_digest_is_refused_and_not_kept(api, store):
    wrong = digest_of(b"other")
    status, text = error_of(api.call("POST", f"/api/blobs/{wrong}", content=b"bytes"))
    assert status == 400
    assert text == f'digest mismatch, expected "{wrong}", got "{digest_of(b"bytes")}"'
    assert list(store.blobs.iterdir()) == []


@pytest.mark.parametrize("digest", ["x", "sha256:12", "sha256:" + "z" * 64, "..%2f..%2fetc"])
def test_what_is_no_digest_is_refused(api, digest):
    answer = api.call("POST", f"/api/blobs/{digest}", content=b"x")
    assert answer.status_code in (400, 404)  # 404: the path has become another one
    if answer.status_code == 400:
        assert answer.json() == {"error": "invalid digest format"}


def test_create_reports_its_steps_and_ends_with_success(api, tiny_gguf):
    digest = upload(api, tiny_gguf.read_bytes())
    body = {"model": "new", "files": {"m.gguf": digest}, "system": "S"}
    steps = [item["status"] for item in api.lines("/api/create", body)]
    assert steps[0] == "parsing GGUF" and steps[-2:] == ["writing manifest", "success"]
    assert f"using existing layer {digest}" in steps
    answer = api.post("/api/create", body | {"stream": False})
    assert answer.json() == {"status": "success"}


def test_a_derived_model_inherits_and_overrides(api, library, tiny_gguf):
    create_model(library, "base", tiny_gguf, system="S", license="MIT",
                 parameters={"stop": ["a"], "seed": 1})  # fmt: skip
    body = {"model": "child", "from": "base", "license": "CC", "stream": False,
            "parameters": {"stop": ["b"], "top_k": 2}, "messages": USER}  # fmt: skip
    assert api.post("/api/create", body).status_code == 200
    child = library.find("child", "")
    assert child.parameters == {"stop": ["b"], "seed": 1, "top_k": 2}
    assert (child.system, child.licenses, child.parent) == ("S", ("MIT", "CC"), "base:latest")
    assert child.messages == USER


CREATE_ERRORS = [
    ({"model": "", "from": "tiny"}, 400, "invalid model name"),
    ({"model": "a b", "from": "tiny"}, 400, "invalid model name"),
    ({"model": "x"}, 400, "neither 'from' or 'files' was specified"),
    ({"model": "x", "from": "a b"}, 400, "invalid model name"),
    ({"model": "x", "from": "nope"}, 500, "pull model manifest: file does not exist"),
    ({"model": "x", "files": {"/a.gguf": "x"}}, 400, "file path must be relative"),
    ({"model": "x", "files": {"../a.gguf": "x"}}, 400, "file path must be relative"),
    ({"model": "x", "files": {"a//b": "x"}}, 400, "file path must be relative"),
    ({"model": "x", "files": {"C:/a": "x"}}, 400, "file path must be relative"),
    ({"model": "x", "files": {"a.gguf": ""}}, 400, "invalid digest format"),
    ({"model": "x", "files": {"a.gguf": f"sha256:{'0' * 64}"}}, 500,
     f"blob 'sha256:{'0' * 64}' was not uploaded"),
    ({"model": "x", "from": "tiny", "template": "{{ .Prompt }"}, 400,
     "template error: template: :1:12: unexpected bad character '}' in action"),
    ({"model": "x", "from": "tiny", "template": "{{ nothing .Prompt }}"}, 400,
     'template error: template: :1:4: function "nothing" not defined'),
    ({"model": "x", "from": "tiny", "quantize": "q9"}, 500,
     "unsupported quantization type 'q9'; try Q8_0 or Q4_K_M"),
    ({"model": "x", "from": "tiny", "adapters": {"a.gguf": f"sha256:{'0' * 64}"}}, 500,
     f"blob 'sha256:{'0' * 64}' was not uploaded"),
    ({"model": "x", "from": "tiny", "renderer": "r"}, 400,
     "'renderer' is not supported by Jimoto's embedded server yet"),
    ({"model": "x", "from": "tiny", "license": 3}, 400,
     "license must be a string or a list of strings"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "text"), CREATE_ERRORS)
def test_create_refuses_and_leaves_nothing(api, tiny, store, body, status, text):
    before = sorted(store.models.rglob("*"))
    assert error_of(api.post("/api/create", body)) == (status, text)
    assert sorted(store.models.rglob("*")) == before


def test_a_gguf_cut_short_is_refused_in_one_sentence_and_not_kept(api, store, tiny_gguf):
    digest = upload(api, tiny_gguf.read_bytes()[:-1000])
    body = {"model": "x", "files": {"m.gguf": digest}}
    status, text = error_of(api.post("/api/create", body))
    assert status == 400
    assert text.startswith("'m.gguf' is not a usable GGUF file: it is cut short: tensor ")
    assert not store.has_blob(digest) and store.entries() == []


def test_a_copy_has_the_same_digest(api, tiny):
    assert api.post("/api/copy", {"source": "tiny", "destination": "n/copy:v1"}).content == b""
    models = api.call("GET", "/api/tags").json()["models"]
    assert {m["name"] for m in models} == {"tiny:latest", "n/copy:v1"}
    assert len({m["digest"] for m in models}) == 1


COPY_ERRORS = [
    ({"source": "a b", "destination": "x"}, 400, 'source "a b" is invalid'),
    ({"source": "tiny", "destination": ""}, 400, 'destination "" is invalid'),
    ({"source": "nope", "destination": "x"}, 404, 'model "nope" not found'),
]


@pytest.mark.parametrize(("body", "status", "text"), COPY_ERRORS)
def test_copy_refuses_in_ollamas_words(api, tiny, body, status, text):
    assert error_of(api.post("/api/copy", body)) == (status, text)


@pytest.mark.parametrize(
    "path, body",
    [
        ("/api/copy", {"destination": "x:cloud"}),
        ("/api/chat", {"model": "tiny", "tools": [{"function": {"name": []}}]}),
        ("/api/chat", {"model": "tiny", "tools": [{"function": []}]}),
        ("/api/embed", {"model": "tiny", "input": "a", "dimensions": 2**63}),
        ("/v1/completions", {"model": "tiny", "prompt": "a", "temperature": 1e39}),
        ("/v1/completions", {"model": "tiny", "prompt": "a", "max_tokens": 2**63}),
    ],
)
def test_what_the_long_fuzzing_run_found_is_refused(api, tiny, path, body):
    assert api.post(path, body).status_code == 400


def test_copying_onto_itself_is_silent(api, tiny):
    assert api.post("/api/copy", {"source": "tiny", "destination": "TINY"}).status_code == 200


def test_delete_unloads_the_weights_that_go_with_it(api, library, tiny, fake_engine):
    api.post("/api/copy", {"source": "tiny", "destination": "other"})
    assert api.call("DELETE", "/api/delete", json={"name": "tiny"}).status_code == 200
    assert fake_engine.unloads == []
    assert api.call("DELETE", "/api/delete", json={"model": "other"}).status_code == 200
    assert len(fake_engine.unloads) == 1
    assert [p for p in library.store.models.rglob("*") if p.is_file()] == []


PUSH_ERRORS = [
    ({"model": ""}, 400, "model is required"),
    ({"model": "a b"}, 400, "invalid model name"),
    ({"model": "nope"}, 404, "model 'nope' not found"),
    ({"model": "tiny"}, 501,
     "push is not supported by Jimoto's embedded server; share models with `jimoto mirror`"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "status", "text"), PUSH_ERRORS)
def test_push_is_refused_in_words(api, tiny, body, status, text):
    assert error_of(api.post("/api/push", body)) == (status, text)


DELETE_ERRORS = [
    ({"model": ""}, 400, "model is required"),
    ({"model": "a b"}, 400, 'name "a b" is invalid'),
    ({"model": "nope"}, 404, "model 'nope' not found"),
]


@pytest.mark.parametrize(("body", "status", "text"), DELETE_ERRORS)
def test_delete_refuses_in_ollamas_words(api, body, status, text):
    assert error_of(api.call("DELETE", "/api/delete", json=body)) == (status, text)


def test_a_manifest_without_weights_is_a_500(api, library, tiny):
    entry = library.find("tiny", "").entry
    library.store.write_manifest(entry.name, Manifest(entry.manifest.config, ()))
    assert error_of(api.post("/api/show", {"model": "tiny"}))[0] == 500


def test_a_missing_blob_is_a_500_without_a_path(api, library, tiny):
    for blob in library.store.blobs.iterdir():
        blob.unlink()
    status, text = error_of(api.post("/api/show", {"model": "tiny"}))
    assert (status, text) == (500, "a file of model 'tiny:latest' is missing or unreadable")
