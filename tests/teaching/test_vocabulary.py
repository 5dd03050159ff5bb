"""predict and reveal, offline, show_source, rate: the words that lessons share."""

from __future__ import annotations

import doctest
import importlib
import socket

import pytest

import jimoto.teaching as teaching
from jimoto.errors import NetworkBlocked
from jimoto.teaching import offline, rate, show_source
from jimoto.teaching.predictions import Notebook, Prediction, form


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv("JIMOTO_LANG", "en")


@pytest.mark.parametrize("name", ["lab", "network", "predictions", "rates", "sources", "tasks",
                                  "progress", "grade"])  # fmt: skip
def test_worked_examples_hold(name):
    module = importlib.import_module(f"jimoto.teaching.{name}")
    failed, tried = doctest.testmod(module)
    assert failed == 0 and (tried or name in ("lab", "sources"))


def test_every_word_can_be_imported_and_no_other():
    assert all(getattr(teaching, name) is not None for name in teaching.__all__)
    assert set(teaching.PLACES) == set(teaching.__all__)
    with pytest.raises(AttributeError):
        teaching.predikt  # noqa: B018


# --- predict, reveal -----------------------------------------------------------------------------


def test_a_prediction_is_asked_and_shown_beside_the_measurement(capsys):
    book = Notebook()
    book.predict("lines", "JSON lines for 20 tokens?", ["1", "about 20", "about 200"], mine="b")
    book.reveal("lines", 34)
    assert capsys.readouterr().out.splitlines() == [
        "Predict. JSON lines for 20 tokens?",
        "(a) 1",
        "(b) about 20",
        "(c) about 200",
        "Prediction: about 20 · Measured: 34",
    ]


def test_nobody_has_to_choose(capsys):
    book = Notebook()
    book.predict("load", "How long?", unit="ms")
    book.reveal("load", 12.345)
    assert capsys.readouterr().out.endswith("Prediction: skipped · Measured: 12.3 ms\n")


def test_a_number_is_shown_with_its_unit_in_japanese(capsys, monkeypatch):
    monkeypatch.setenv("JIMOTO_LANG", "ja")
    book = Notebook()
    book.predict("load", "何ミリ秒でしょうか", unit="ms", mine=1500)
    book.reveal("load", 12.345)
    assert capsys.readouterr().out.endswith("予想: 1,500 ms · 測定: 12.3 ms\n")


def test_a_measurement_without_a_question_is_shown_all_the_same(capsys):
    Notebook().reveal("lines", "x")
    assert capsys.readouterr().out == "Nothing was predicted under 'lines'. Measured: x\n"


def test_an_answer_that_is_no_option_is_refused():
    with pytest.raises(ValueError, match="none of 1, 2"):
        Notebook().predict("lines", "?", ["1", "2"], mine="c")


@pytest.mark.parametrize("options", [("1", "about 20"), ()])
def test_what_is_chosen_in_the_form_is_the_prediction(options):
    prediction = Prediction("lines?", options, "")
    box = form(prediction)
    label, field = box.children
    assert "lines?" in label.value and field.description == "your prediction"
    assert prediction.mine is None
    field.value = "about 20"
    assert prediction.mine == "about 20"


# --- offline -------------------------------------------------------------------------------------


def test_nothing_leaves_and_every_try_is_on_the_list():
    with offline() as attempts, socket.socket(type=socket.SOCK_DGRAM) as datagram:
        for act in (
            lambda: socket.create_connection(("192.0.2.1", 80), timeout=1),
            lambda: socket.getaddrinfo("example.com", 443),
            lambda: datagram.sendto(b"x", ("192.0.2.2", 53)),
        ):
            with pytest.raises(NetworkBlocked):
                act()
    assert [str(a) for a in attempts] == ["192.0.2.1:80", "example.com:443", "192.0.2.2:53"]


def test_loopback_goes_through_and_after_the_block_all_is_as_before():
    with socket.create_server(("127.0.0.1", 0)) as server:
        with offline() as attempts:
            socket.create_connection(server.getsockname(), timeout=5).close()
            socket.getaddrinfo("localhost", 80)
        assert attempts == []
    with socket.socket() as probe:
        probe.settimeout(0.001)
        with pytest.raises(OSError) as caught:  # tried for real now: no answer in a millisecond
            probe.connect(("192.0.2.1", 9))
        assert not isinstance(caught.value, NetworkBlocked)


def test_a_client_sees_what_a_pulled_cable_would_show():
    import httpx

    with offline() as attempts:
        with httpx.Client(trust_env=False) as http, pytest.raises(httpx.ConnectError):
            http.get("http://192.0.2.1/")
    assert [a.host for a in attempts] == ["192.0.2.1"]


def test_blocks_may_be_nested():
    with offline() as outer:
        with offline() as inner, pytest.raises(NetworkBlocked):
            socket.create_connection(("192.0.2.1", 80))
        with pytest.raises(NetworkBlocked):
            socket.create_connection(("192.0.2.1", 81))
    assert [len(outer), len(inner)] == [2, 1]


# --- show_source, rate ---------------------------------------------------------------------------


def test_source_is_shown_as_python_with_or_without_docstrings():
    source = show_source(rate)
    assert repr(source).startswith("def rate(right: int, n: int)") and '"""' in repr(source)
    assert source._repr_markdown_().startswith("```python\ndef rate")
    assert '"""' not in repr(show_source(rate, docs=False))


def test_the_interval_of_a_rate_holds_the_share_and_shrinks_with_n():
    for n in (1, 20, 200):
        for right in (0, n // 2, n):
            found = rate(right, n)
            assert 0 <= found.low <= found.share <= found.high <= 1
    assert rate(90, 100).high - rate(90, 100).low < rate(9, 10).high - rate(9, 10).low
    with pytest.raises(ValueError):
        rate(3, 2)
