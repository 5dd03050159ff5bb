"""ollama's verbs in this process, against a server with a script: words, columns, exit codes."""

import json
import sys
from types import SimpleNamespace

import pytest
from fake_ollama import fake_ollama

from jimoto import cli
from jimoto.commands.texts import ALIASES, HELP


@pytest.fixture
def server(monkeypatch):
    with fake_ollama() as running:
        monkeypatch.setenv("OLLAMA_HOST", running.host)
        monkeypatch.setenv("JIMOTO_LANG", "en")
        yield running


@pytest.fixture
def ollama_command(monkeypatch, capsys, server):
    """Runs the stand-in: (arguments, standard input) → exit code, stdout, stderr."""

    def run(*arguments, stdin=None, start=cli.stand_in):
        data = stdin.encode() if isinstance(stdin, str) else stdin
        buffer = SimpleNamespace(read=lambda: data)
        monkeypatch.setattr(
            sys, "stdin", SimpleNamespace(isatty=lambda: data is None, buffer=buffer)
        )
        monkeypatch.setattr(sys, "argv", ["ollama", *arguments])
        with pytest.raises(SystemExit) as ended:
            start()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


# --- what is here ---------------------------------------------------------------------------------


def test_list_prints_ollamas_columns(ollama_command):
    code, out, _ = ollama_command("list")
    head, row = out.splitlines()
    assert code == 0
    assert head.split() == ["NAME", "ID", "SIZE", "MODIFIED"]
    assert row.split("    ")[:3] == ["mame:latest", "0123456789ab", "11 MB"]


@pytest.mark.parametrize(
    ("line", "rows"), [("list MA", 1), ("ls qwen", 0), ("ps ma", 1), ("ps MA", 0)]
)
def test_a_prefix_chooses_rows(ollama_command, line, rows):
    assert len(ollama_command(*line.split())[1].splitlines()) == 1 + rows


def test_ps_prints_ollamas_columns(ollama_command):
    head, row = ollama_command("ps")[1].splitlines()
    assert head.split() == ["NAME", "ID", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL"]
    assert row.split()[3:] == ["MB", "100%", "CPU", "2048", "Forever"]


def test_show_prints_headings_and_rows(ollama_command):
    out = ollama_command("show", "mame")[1]
    assert "  Model\n    architecture      llama\n" in out
    assert "    context length    2048\n" in out
    assert "  License\n    MIT\n    by us\n    ...\n" in out


def test_show_prints_one_part_alone(ollama_command):
    assert ollama_command("show", "mame", "--template")[1] == "{{ .Prompt }}\n"
    assert ollama_command("show", "mame", "--template", "--system")[0] == 1


def test_verbose_show_adds_the_metadata(ollama_command, server):
    out = ollama_command("show", "-v", "mame")[1]
    assert "  Metadata\n    general.architecture    llama\n" in out
    assert server.last("/api/show")["verbose"] is True


def test_cp_and_rm_say_what_they_did(ollama_command, server):
    assert ollama_command("cp", "mame", "copy")[1] == "copied 'mame' to 'copy'\n"
    assert ollama_command("rm", "copy")[1] == "deleted 'copy'\n"
    unload = {"model": "copy", "prompt": "", "stream": False, "keep_alive": 0.0}
    assert [body for path, body in server.asked if path != "/api/show"] == [
        {"source": "mame", "destination": "copy"},
        unload,
        {"model": "copy"},
    ]


def test_rm_stops_at_the_first_failure(ollama_command, server):
    code, out, err = ollama_command("rm", "missing", "mame")
    assert (code, out, err) == (1, "", "Error: model 'missing' not found\n")
    assert [path for path, _ in server.asked] == ["/api/show"]


# --- run ------------------------------------------------------------------------------------------


def test_the_answer_goes_to_stdout_with_its_thinking(ollama_command):
    out = ollama_command("run", "mame", "2+3?")[1]
    assert out == "Thinking...\n2+3=5\n...done thinking.\n\nIt is 5.\n\n"


def test_thinking_can_be_hidden(ollama_command, server):
    assert ollama_command("run", "mame", "--hidethinking", "2+3?")[1] == "It is 5.\n\n"
    assert "think" not in server.last("/api/generate")


def test_standard_input_comes_before_the_words_joined_by_a_space(ollama_command, server):
    ollama_command("run", "mame", "Summarise:", "this", stdin="text\n")
    assert server.last("/api/generate")["prompt"] == "text\n Summarise: this"


def test_nothing_to_ask_loads_the_model_and_prints_nothing(ollama_command, server):
    assert ollama_command("run", "mame", stdin="") == (0, "", "")
    assert server.last("/api/generate")["prompt"] == ""


def test_a_mark_of_utf_8_is_no_part_of_the_question(ollama_command, server):
    ollama_command("run", "mame", stdin=b"\xef\xbb\xbf" + "豆".encode())
    assert server.last("/api/generate")["prompt"] == "豆"


def test_verbose_counts_go_to_stderr(ollama_command):
    err = ollama_command("run", "mame", "--verbose", "2+3?")[2]
    assert "total duration:       2s\n" in err
    assert "eval rate:            40.00 tokens/s\n" in err


@pytest.mark.parametrize(
    ("flags", "asked"),
    [
        (["--think"], {"think": True, "prompt": "Hi"}),
        (["--think=false"], {"think": False}),
        (["--think=high"], {"think": "high"}),
        (["--verbose=false"], {"prompt": "Hi"}),
        (["--format", "json"], {"format": "json"}),
        (["--format", '{"type": "object"}'], {"format": {"type": "object"}}),
        (["--keepalive", "1m30s"], {"keep_alive": 90.0}),
        (["--nowordwrap", "--", "--think"], {"prompt": "--think Hi"}),
    ],
)
def test_flags_reach_the_server(ollama_command, server, flags, asked):
    ollama_command("run", "mame", *flags, "Hi")
    assert asked.items() <= server.last("/api/generate").items()


@pytest.mark.parametrize("flag", ["--think=hard", "--keepalive=soon", "--format={no"])
def test_a_wrong_flag_value_is_said_before_the_model_is_asked(ollama_command, server, flag):
    code, out, err = ollama_command("run", "mame", flag, "Hi")
    assert (code, out) == (1, "")
    assert err.startswith(f"Error: invalid value for {flag.partition('=')[0]}: ")
    assert server.asked == []


def test_the_schema_of_format_is_json(ollama_command, server):
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    ollama_command("run", "mame", "--format", json.dumps(schema), "Hi")
    assert server.last("/api/generate")["format"] == schema


def test_a_model_that_is_not_here_is_pulled_first(ollama_command):
    assert ollama_command("run", "arriving", "Hi") == (0, "It is 5.\n\n", "")


def test_an_embedding_model_prints_its_vector(ollama_command, server):
    assert ollama_command("run", "vector", "--dimensions", "2", "豆")[1] == "[0.5, -0.25]\n"
    assert server.last("/api/embed")["dimensions"] == 2
    assert ollama_command("run", "vector", stdin="")[0] == 1


# --- create, pull, push ---------------------------------------------------------------------------


def test_create_sends_a_request_and_the_files_but_no_modelfile(ollama_command, server, tmp_path):
    (tmp_path / "tiny.gguf").write_bytes(b"GGUF")
    lines = ["FROM ./tiny.gguf", "PARAMETER temperature 0.5", "SYSTEM Be brief.", "RENDERER r"]
    (tmp_path / "mine").write_text("\n".join(lines), encoding="utf-8")
    code, out, err = ollama_command("create", "-f", str(tmp_path / "mine"), "bean", "-q", "Q8_0")
    asked = server.last("/api/create")
    digest = asked.pop("files")["tiny.gguf"]
    assert (code, out, err.splitlines()[-1]) == (0, "", "success")
    assert (f"/api/blobs/{digest}", b"GGUF") in server.asked
    assert asked == {
        "model": "bean",
        "parameters": {"temperature": 0.5},
        "system": "Be brief.",
        "renderer": "r",
        "quantize": "Q8_0",
        "stream": True,
    }


def test_create_takes_the_weights_out_of_a_folder(ollama_command, server, tmp_path):
    (tmp_path / "weights").mkdir()
    for name in ("model.safetensors", "config.json", "README.md"):
        (tmp_path / "weights" / name).write_text(name, encoding="utf-8")
    (tmp_path / "Modelfile").write_text("FROM mame\nADAPTER ./weights\n", encoding="utf-8")
    ollama_command("create", "bean", "--file", str(tmp_path / "Modelfile"))
    assert set(server.last("/api/create")["adapters"]) == {"model.safetensors", "config.json"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "FROM mame\nPARAMETER temperature=0.7\n",
            "line 2: `PARAMETER temperature=0.7`",
        ),
        ("FROM mame\nSYTEM Hi\n", "'SYTEM' is not an instruction"),
        ("FROM ./no.gguf\n", "Modelfile, line 1: `FROM ./no.gguf`"),
        ("# nothing\n", "The Modelfile has no FROM line."),
        (
            "FROM mame\nSYSTEM 豆\n".encode("cp932"),
            "byte 17 is 0x93, as in Shift_JIS",
        ),
        (b"FROM ./folder\n", "no Modelfile or safetensors files found in this folder"),
    ],
)
def test_a_modelfile_that_cannot_be_used_is_told_by_line_and_word(
    ollama_command, server, tmp_path, text, said
):
    (tmp_path / "folder").mkdir()
    data = text.encode() if isinstance(text, str) else text
    (tmp_path / "m").write_bytes(data)
    code, out, err = ollama_command("create", "bean", "-f", str(tmp_path / "m"))
    assert (code, out) == (1, "") and said in err
    assert not any(path == "/api/create" for path, _ in server.asked)


@pytest.mark.parametrize(("name", "why"), [("none", "no such file"), ("-", "standard input")])
def test_a_modelfile_that_is_not_there_is_said_so(ollama_command, server, tmp_path, name, why):
    file = name if name == "-" else str(tmp_path / name)
    code, _, err = ollama_command("create", "bean", "-f", file)
    assert code == 1 and why in err and server.asked == []


def test_progress_is_plain_lines_on_stderr_where_there_is_no_terminal(ollama_command):
    assert ollama_command("pull", "arriving") == (0, "", "pulling manifest\nsuccess\n")


def test_a_server_that_cannot_push_is_said_so(ollama_command, server):
    code, _, err = ollama_command("push", "mame")
    assert code == 1 and f"http://{server.host} has no `push` (404)" in err


# --- what goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("show missing", "model 'missing' not found"),
        ("run missing Hi", "model 'missing' not found (pull model manifest: file does not exist)"),
        (
            "show ./mame.gguf",
            "invalid model name: './mame.gguf' is a path; write `FROM",
        ),
        ("run ../x.gguf Hi", "invalid model name: '../x.gguf' is a path"),
        ("stop missing", 'couldn\'t find model "missing" to stop'),
        ("pull full", "'full': no space left on device; nothing is lost: free some space"),
        ("run full Hi", "'full': no space left on device; nothing is lost: free some space"),
        ("rnu mame Hi", 'unknown command "rnu" for "ollama"; did you mean `ollama run`?'),
        ("lab", 'unknown command "lab" for "ollama"'),
        ("run mame --wordwrap Hi", "unknown flag: --wordwrap; did you mean `--nowordwrap`?"),
        ("--modelfile", "unknown flag: --modelfile"),
        ("run", "requires at least 1 arg(s), only received 0; write `ollama run MODEL"),
        ("cp mame", "accepts 2 arg(s), received 1; write `ollama cp SOURCE DESTINATION`"),
        ("show mame mame", "accepts 1 arg(s), received 2"),
        ("run mame --format", "flag needs an argument: --format"),
        ("run vector --dimensions many Hi", 'invalid argument for "--dimensions" flag'),
    ],
)
def test_a_mistake_is_one_sentence_on_stderr_and_exit_code_1(ollama_command, line, said):
    code, out, err = ollama_command(*line.split())
    assert (code, out) == (1, "")
    assert err.removeprefix("pulling manifest\n").startswith(f"Error: {said}")
    assert err.count("Error: ") == 1 and err.endswith("\n")


def test_a_near_model_is_offered(ollama_command, monkeypatch):
    from fake_ollama import Handler

    def unknown(self, body, model):
        self.answer({"error": f"model '{model}' not found"}, 404)

    monkeypatch.setattr(Handler, "show", unknown)
    said = "Error: model 'mmae' not found; did you mean `mame`?\n"
    assert ollama_command("show", "mmae")[2] == said


@pytest.mark.parametrize(
    ("encoding", "known"),
    [("cp932", "Shift_JIS (CP932)"), ("euc_jp", "EUC-JP"), ("utf-16", "UTF-16")],
)
def test_input_that_is_not_utf_8_is_told_by_its_encoding(ollama_command, server, encoding, known):
    code, out, err = ollama_command("run", "mame", stdin="計画を立てる".encode(encoding))
    assert (code, out) == (1, "") and f"as in {known}; put `iconv -f" in err
    assert server.asked == []


@pytest.mark.parametrize(
    ("model", "said"),
    [("dying", "went away in the middle of the answer"), ("failing", "the runner has stopped")],
)
def test_half_an_answer_is_kept_and_the_stage_is_named(ollama_command, model, said):
    code, out, err = ollama_command("run", model, "Hi")
    assert (code, out) == (1, "Half of \n\n")
    assert err.startswith(f"Error: '{model}': ") and said in err


def test_the_sentence_comes_in_japanese_after_ollamas_own_words(ollama_command, monkeypatch):
    monkeypatch.setenv("JIMOTO_LANG", "ja")
    err = ollama_command("rnu", start=cli.main)[2]
    assert err.startswith('Error: unknown command "rnu" for "jimoto": そのような')
    assert "`jimoto run` のことですか" in err


# --- help -----------------------------------------------------------------------------------------


def test_the_stand_in_says_what_it_is(ollama_command):
    code, out, _ = ollama_command("--version")
    assert code == 0 and out.startswith("ollama version is 0.33.0 (Jimoto's stand-in ")


def verbs_of(program):
    return [name for name, verb in cli.build(program).commands.items() if not verb.hidden]


def test_the_stand_in_has_exactly_the_verbs_of_the_issue():
    wanted = "serve create show run stop pull push list ps cp rm".split()
    assert verbs_of("ollama") == wanted == verbs_of("jimoto")[: len(wanted)]


@pytest.mark.parametrize("lang", ["en", "ja"])
def test_help_comes_in_the_learners_language(ollama_command, monkeypatch, lang):
    monkeypatch.setenv("JIMOTO_LANG", lang)
    for line in ("--help", "run --help", "help run", "run -h", ""):
        code, out, _ = ollama_command(*line.split(), start=cli.main)
        japanese = any("ぁ" <= char <= "ヿ" for char in out)
        assert code == 0 and japanese == (lang == "ja")
        assert not {"Usage", "Flags", "Commands"} & set(out.split()) or lang == "en"


def flags_of(command, key=""):
    """(key, flag) of everything that `--help` describes; the key of the program itself is ''."""
    for param in command.params:
        if param.param_type_name == "option":
            yield key, next(name for name in param.opts if name.startswith("--"))
    for name, verb in getattr(command, "commands", {}).items():
        yield f"{key} {name}".strip(), ""
        yield from flags_of(verb, f"{key} {name}".strip())


def test_every_verb_and_flag_is_described_in_both_languages_and_nothing_else_is():
    described = set()
    for key, flag in flags_of(cli.build("jimoto")):
        key = ALIASES.get(key, key)
        found = {f"{key} {flag}".strip(), flag} & set(HELP)
        assert found, f"commands/texts.py says nothing about `{key} {flag}`"
        described |= found
    assert set(HELP) - described == {"jimoto", "ollama", "--help"}


def test_texts_are_pairs_and_the_second_is_japanese():
    for key, (english, japanese) in HELP.items():
        assert english.isascii() and any("ぁ" <= char <= "龥" for char in japanese), key
