"""What a learner types into a terminal: the real `curl` against the server."""

from __future__ import annotations

import json
import shutil
import subprocess

import pytest

CURL = shutil.which("curl")
pytestmark = pytest.mark.skipif(CURL is None, reason="no curl on this machine")


def curl(*arguments: str, text: str | None = None) -> str:
    command = [str(CURL), "--silent", "--show-error", "--noproxy", "*", *arguments]
    done = subprocess.run(command, capture_output=True, input=text, encoding="utf-8", check=True)
    return done.stdout


def test_curl_reads_the_version_and_the_head(url):
    assert curl(url) == "Ollama is running"
    assert json.loads(curl(f"{url}/api/version"))["version"] == "0.33.0"
    assert curl("--head", url).startswith("HTTP/1.1 200")


def test_curl_chats_line_by_line_without_naming_a_content_type(url, tiny):
    """`-d` sends a form's content type; Ollama does not look at it."""
    body = '{"model": "tiny", "messages": [{"role": "user", "content": "hi"}], "think": false}'
    lines = [json.loads(line) for line in curl(f"{url}/api/chat", "-d", body).splitlines()]
    assert "".join(line["message"]["content"] for line in lines) == "Hello"
    assert [line["done"] for line in lines] == [False, False, True]


def test_curl_reads_a_stream_of_openais(url, tiny):
    body = {"model": "tiny", "messages": [{"role": "user", "content": "hi"}], "stream": True}
    shown = curl(f"{url}/v1/chat/completions", "--json", "@-", text=json.dumps(body))
    assert shown.startswith("data: {") and shown.endswith("data: [DONE]\n\n")


def test_curl_uploads_creates_and_deletes(url, tiny_gguf, library):
    import hashlib

    digest = f"sha256:{hashlib.sha256(tiny_gguf.read_bytes()).hexdigest()}"
    status = ("--write-out", "%{http_code}", "--output", "-")
    assert curl(f"{url}/api/blobs/{digest}", "-T", str(tiny_gguf), "-X", "POST", *status) == "201"
    body = json.dumps({"model": "m", "files": {"m.gguf": digest}, "stream": False})
    assert json.loads(curl(f"{url}/api/create", "-d", body)) == {"status": "success"}
    assert curl(f"{url}/api/delete", "-X", "DELETE", "-d", '{"model": "m"}', *status) == "200"
    assert library.store.entries() == []


def test_curl_meets_errors_as_they_are_specified(url):
    code = ("--write-out", " %{http_code}")
    assert curl(f"{url}/api/chat", "-d", "", *code) == '{"error":"missing request body"} 400'
    assert curl(f"{url}/api/chat", *code) == "405 method not allowed 405"
    assert curl(f"{url}/nowhere", *code) == "404 page not found 404"
    assert curl(url, "-H", "Host: evil.example", *code) == " 403"
    push = curl(f"{url}/api/push", "-d", '{"model": "nope"}', *code)
    assert push == '{"error":"model \'nope\' not found"} 404'
