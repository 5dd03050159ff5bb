"""The lines that begin with a slash in `ollama run`, and what is sent after them."""

from types import SimpleNamespace

import pytest
from fake_ollama import SHOW

from jimoto.commands import chat
from jimoto.commands.chat import Leave, Session, obey, read_message


@pytest.fixture(autouse=True)
def english(monkeypatch):
    monkeypatch.setenv("JIMOTO_LANG", "en")


@pytest.fixture
def session():
    return Session({"model": "mame"}, dict(SHOW))


@pytest.fixture
def server():
    """A client that notes what it is asked to make or load."""
    asked = []
    answer = SimpleNamespace(is_error=False, json=lambda: {**SHOW, "system": "Other."})
    return SimpleNamespace(
        asked=asked,
        create=lambda model, **fields: asked.append((model, fields)),
        generate=lambda **fields: asked.append(fields),
        _client=SimpleNamespace(request=lambda *args, **more: answer),
    )


@pytest.mark.parametrize(
    ("line", "said", "sent"),
    [
        ("/set parameter temperature 0.2", "Set parameter 'temperature' to '0.2'", (0.2,)),
        ("/set parameter num_ctx 512", "Set parameter 'num_ctx' to '512'", (512,)),
        ("/set parameter stop END", "Set parameter 'stop' to 'END'", (["END"],)),
        ("/set parameter heat 1", "Couldn't set parameter: There is no parameter 'heat'.", ()),
        ("/set parameter seed one", "Couldn't set parameter: 'seed' takes a whole number", ()),
        ("/set parameter", "Usage:", ()),
    ],
)
def test_parameters_are_read_as_in_a_modelfile(session, line, said, sent):
    assert obey(line, session, None).startswith(said)
    assert tuple(session.request()["options"].values()) == sent


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("/set format json", "format", "json"),
        ("/set think", "think", True),
        ("/set think high", "think", "high"),
        ("/set nothink", "think", False),
    ],
)
def test_settings_go_with_the_next_request(session, line, field, value):
    obey(line, session, None)
    assert session.request()[field] == value


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("/set verbose", "verbose", True),
        ("/set nowordwrap", "wordwrap", False),
        ("/set nohistory", "history", False),
    ],
)
def test_switches_are_kept_here(session, line, name, value):
    obey(line, session, None)
    assert getattr(session, name) is value


def test_a_system_prompt_comes_first_and_outlives_clear(session):
    session.messages = [{"role": "user", "content": "Hi"}]
    obey('/set system """Be brief."""', session, None)
    assert [item["role"] for item in session.request()["messages"]] == ["system", "user"]
    assert obey("/clear", session, None) == "Cleared session context\n"
    assert session.request()["messages"] == [{"role": "system", "content": "Be brief."}]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("/show info", "  Model\n    architecture      llama"),
        ("/show template", "{{ .Prompt }}"),
        ("/show system", "No system message was specified for this model."),
        ("/show parameters", "Model defined parameters:\nstop "),
        ("/show", "Available Commands:\n  /show info"),
        ("/set", "Available Commands:\n  /set parameter"),
        ("/?", "Available Commands:\n  /set "),
        ("/? set", "Available Commands:\n  /set parameter"),
        ("/what", "Unknown command '/what'. Type /? for help"),
    ],
)
def test_what_can_be_looked_up(session, line, said):
    assert obey(line, session, None).startswith(said)


def test_save_makes_a_model_of_what_was_set_and_said(session, server):
    session.messages = [{"role": "user", "content": "Hi", "images": ["a.png"]}]
    obey("/set system Be brief.", session, server)
    obey("/set parameter seed 7", session, server)
    assert obey("/save brief", session, server) == "Created new model 'brief'\n"
    assert server.asked == [
        (
            "brief",
            {
                "from_": "mame",
                "system": "Be brief.",
                "parameters": {"seed": 7},
                "messages": [{"role": "user", "content": "Hi"}],
                "stream": False,
            },
        )
    ]


def test_load_takes_another_model_and_forgets_the_talk(session, server):
    session.messages = [{"role": "user", "content": "Hi"}]
    assert obey("/load other", session, server) == "Loading model 'other'\n"
    assert (session.model, session.messages, session.facts["system"]) == ("other", [], "Other.")


def test_bye_leaves(session):
    with pytest.raises(Leave):
        obey("/bye", session, None)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        (["one line"], "one line"),
        (['"""on one line"""'], "on one line"),
        (['"""', "a", "", 'b"""'], "a\n\nb"),
        (['"""a', '"""'], "a"),
        (['/set system """x', 'y"""'], "/set system x\ny"),
        (['say """ twice'], 'say """ twice'),
    ],
)
def test_three_quotes_hold_several_lines_together(monkeypatch, typed, message):
    lines = iter(typed)
    monkeypatch.setattr("builtins.input", lambda prompt: next(lines))
    assert read_message() == message
    assert list(lines) == []


@pytest.mark.parametrize("key", ["help", "help_set", "help_show"])
def test_both_languages_name_the_same_slash_commands(key):
    def words(lang):
        lines = chat.WORDS[lang][key].splitlines()
        return [line.split()[:2] for line in lines if line.startswith("  /")]

    english, japanese = words("en"), words("ja")
    assert [line[0] for line in english] == [line[0] for line in japanese]
    if key != "help":
        assert english == japanese
