"""Bodies, durations, options and dates, in Ollama's own words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jimoto.daemon import wire
from jimoto.daemon.wire import ApiError, parse_format, parse_keep_alive, parse_options, parse_think

SECONDS = {
    0: 0.0, 1.5: 1.5, 300: 300.0, -1: float("inf"), -0.5: float("inf"), "0": 0.0,
    "0s": 0.0, "300ms": 0.3, "1.5h": 5400.0, "5m0s": 300.0, "-1m": float("inf"), "1h2m3s": 3723.0,
    "2us": 2e-6, "2µs": 2e-6, "7ns": 7e-9, ".5s": 0.5, "1.s": 1.0, "+1s": 1.0, "": None, None: None,
}  # fmt: skip


@pytest.mark.parametrize(("value", "seconds"), SECONDS.items())
def test_keep_alive_is_a_number_or_a_go_duration(value, seconds):
    assert parse_keep_alive(value) == (pytest.approx(seconds) if seconds else seconds)


@pytest.mark.parametrize(
    "text", ["0" * 1_000_000 + "x", "1" * 1_000_000, "1s" * 300_000 + "q", 10**400]
)
def test_a_very_long_duration_is_refused_in_one_pass(text):
    """Trying it in all its parts took minutes for a thousand zeros, and the server stood still."""
    with pytest.raises(ApiError) as caught:
        parse_keep_alive(text)
    assert caught.value.status == 400


@pytest.mark.parametrize("value", ["10", "abc", "1x", "s", "-", "1 s", "1m ", "１s", True, [], {}])
def test_any_other_keep_alive_is_refused(value):
    with pytest.raises(ApiError) as caught:
        parse_keep_alive(value)
    assert caught.value.status == 400


@pytest.mark.parametrize("value", [True, False, "low", "medium", "high", "max", None])
def test_think_is_a_boolean_or_a_level(value):
    assert parse_think(value) == value


@pytest.mark.parametrize("value", ["", "yes", "true", 1, [], {}])
def test_any_other_think_is_refused_and_the_levels_named(value):
    with pytest.raises(ApiError, match="medium") as caught:
        parse_think(value)
    assert caught.value.status == 400


def test_a_format_is_json_or_a_schema():
    assert parse_format(None) is None and parse_format("") is None
    assert parse_format("json") == {}
    assert parse_format({"type": "object"}) == {"type": "object"}


@pytest.mark.parametrize("value", ["xml", 3, [], True])
def test_any_other_format_is_a_500(value):
    with pytest.raises(ApiError, match="invalid format") as caught:
        parse_format(value)
    assert caught.value.status == 500


def test_later_options_win_and_stop_is_replaced_as_a_whole():
    options = parse_options(
        {"stop": ["a"], "seed": 1, "top_k": 3}, {"stop": ["b", "c"], "seed": 2.9}
    )
    assert (options.stop, options.seed, options.top_k) == (("b", "c"), 2, 3)


def test_the_defaults_are_those_of_ollama():
    options = parse_options({}, {"mirostat": 1, "unknown": "x", "seed": None})
    assert (options.temperature, options.top_k, options.top_p, options.min_p) == (0.8, 40, 0.9, 0.0)
    assert (options.repeat_penalty, options.repeat_last_n, options.seed) == (1.0, 64, -1)


WRONG_OPTIONS = {
    "num_ctx": ("2048", "integer"), "seed": (True, "integer"), "top_k": (1e300, "integer"),
    "temperature": ("hot", "float32"), "top_p": (False, "float32"), "min_p": (1e39, "float32"),
    "use_mmap": (1, "boolean"), "stop": ("a", "array"),
}  # fmt: skip


@pytest.mark.parametrize(("key", "wrong"), WRONG_OPTIONS.items())
def test_an_option_of_the_wrong_type_is_a_500(key, wrong):
    with pytest.raises(ApiError) as caught:
        parse_options({key: wrong[0]})
    assert (caught.value.status, caught.value.text) == (
        500,
        f'option "{key}" must be of type {wrong[1]}',
    )


BAD_BODIES = {
    b"": "missing request body",
    b"  \n": "missing request body",
    b"{": "unexpected EOF",
    b"nope": "invalid character",
    b'{"a": NaN}': "invalid",
    b"[1]": "cannot unmarshal array",
    b'"x"': "cannot unmarshal string",
    b'{"model": 3}': "cannot unmarshal number",
    b'{"model": true}': "cannot unmarshal bool",
    b'{"stream": "yes"}': "cannot unmarshal string",
    b'{"context": [1.5]}': "cannot unmarshal array",
    b'{"images": ["x", 1]}': "cannot unmarshal array",
    b"[" * 100_000: "nested too deep",
    b'{"top_logprobs": 1%s}' % (b"0" * 5000): "out of range",
}


@pytest.mark.parametrize(("raw", "fragment"), BAD_BODIES.items(), ids=range(len(BAD_BODIES)))
def test_a_body_that_is_no_request_is_a_400(raw, fragment):
    with pytest.raises(ApiError, match=fragment) as caught:
        wire.read_body(raw, wire.GENERATE_FIELDS)
    assert caught.value.status == 400


def test_null_and_absent_are_the_same_and_unknown_keys_are_left_out():
    body = wire.read_body(b'{"model":"m","stream":null,"what":1} trailing', wire.CHAT_FIELDS)
    assert body == {"model": "m"}
    assert wire.read_body(b"null", wire.CHAT_FIELDS) == {}


def test_half_an_emoji_becomes_a_character_that_can_be_written():
    body = wire.read_body(rb'{"prompt": "\ud83d", "model": "\ud83d\ude00"}', wire.GENERATE_FIELDS)
    assert body == {"prompt": "�", "model": "😀"}


def test_messages_get_a_content_and_a_role_in_small_letters():
    assert wire.read_messages([{"role": "USER"}, {"content": "x", "role": None}]) == [
        {"role": "user", "content": ""},
        {"role": "", "content": "x"},
    ]


@given(st.integers(0, 4 * 10**18))
def test_dates_have_no_more_digits_than_needed(wall_ns):
    shown = wire.format_utc(wall_ns)
    assert shown.endswith("Z") and not shown.rstrip("Z").endswith(".")
    assert len(wire.format_local(wall_ns)) >= 25


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none() | st.lists(st.text())))
def test_any_object_is_a_body_or_a_400(value):
    raw = wire.to_json(value) if value else b"{}"
    try:
        wire.read_body(raw, wire.CREATE_FIELDS)
    except ApiError as error:
        assert error.status == 400
