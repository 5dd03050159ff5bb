"""The Host and Origin guards: a web page must not reach the models on this machine."""

import pytest

from jimoto.daemon.guards import BUILT_IN_ORIGINS, is_allowed_host, is_allowed_origin

HERE = [
    "localhost", "localhost:11434", "127.0.0.1", "127.0.0.1:80", "[::1]:11434", "[::1]", "",
    "0.0.0.0:1", "192.168.1.5:11434", "10.0.0.1", "box.local", "x.localhost:1", "a.internal",
    "LOCALHOST", "me:1",
]  # fmt: skip
ELSEWHERE = [
    "evil.example", "evil.example:11434", "localhost.evil.example", "8.8.8.8", "local", "evillocal",
    "127.0.0.1.evil.example", "[2001:4860::1]:80", "x@localhost.evil",
]  # fmt: skip


@pytest.mark.parametrize("host", HERE)
def test_hosts_that_name_this_machine_pass(host):
    assert is_allowed_host(host, machine_name="me")


@pytest.mark.parametrize("host", ELSEWHERE)
def test_cve_2024_28224_other_hosts_do_not_pass(host):
    assert not is_allowed_host(host, machine_name="me")


@pytest.mark.parametrize(
    "origin",
    ["http://localhost", "http://localhost:3000", "https://127.0.0.1:8888", "app://obsidian.md",
     "tauri://localhost", "vscode-webview://abc", "http://box.local:1"],
)  # fmt: skip
def test_origins_of_this_machine_pass(origin):
    assert is_allowed_origin(origin, "box.local:1", BUILT_IN_ORIGINS)


@pytest.mark.parametrize(
    "origin",
    ["null", "http://evil.example", "http://localhost.evil.example", "http://localhost:1@evil.example/x",
     "https://localhostevil:1", "", "http://127.0.0.1.evil.example", "http://localhost:1/x"],
)  # fmt: skip
def test_cve_2019_25211_look_alikes_do_not_pass(origin):
    assert not is_allowed_origin(origin, "localhost:11434", BUILT_IN_ORIGINS)


def test_a_single_star_allows_every_origin():
    assert is_allowed_origin("http://evil.example", "localhost", ["*"])


def test_a_foreign_host_gets_403_on_every_route(api):
    for path in ("/", "/api/version", "/api/tags", "/nowhere"):
        answer = api.call("GET", path, headers={"host": "evil.example"})
        assert (answer.status_code, answer.content) == (403, b"")


def test_a_form_that_posts_across_sites_gets_403(api, tiny, fake_engine):
    headers = {"origin": "http://evil.example", "content-type": "text/plain"}
    body = b'{"model":"tiny","prompt":"x"}'
    assert api.call("POST", "/api/generate", content=body, headers=headers).status_code == 403
    assert fake_engine.runs == []


def test_a_page_of_this_machine_is_told_that_it_may_read(api):
    origin = {"origin": "http://localhost:8888"}
    answer = api.call("GET", "/api/version", headers=origin)
    assert answer.headers["access-control-allow-origin"] == "http://localhost:8888"
    preflight = api.call("OPTIONS", "/api/chat", headers=origin)
    assert preflight.status_code == 204
    assert "POST" in preflight.headers["access-control-allow-methods"]
