"""ollama's verbs, against a server in this process: words, columns, exit codes."""

import json
import sys
from types import SimpleNamespace

import ollama
import pytest

from jimoto import cli

DETAILS = {"family": "llama", "parameter_size": "5.84M", "quantization_level": "F16"}
SHOW = {
    "modelfile": "FROM x",
    "parameters": 'stop                           "<|im_end|>"',
    "template": "{{ .Prompt }}",
    "license": "MIT\nby us\nand more\nlines",
    "details": DETAILS,
    "model_info": {"general.architecture": "llama", "llama.context_length": 2048},
    "capabilities": ["completion", "thinking"],
}


class FakeClient:
    """Answers as the real client does, and remembers what it was asked."""

    def __init__(self):
        self.asked = []
        self._client = self

    def request(self, method, path, json):
        missing = json["model"] == "missing"
        body = {"error": "model 'missing' not found"} if missing else SHOW
        return SimpleNamespace(json=lambda: body, is_error=missing, text="")

    def show(self, model):
        if model == "missing":
            raise ollama.ResponseError("model 'missing' not found", 404)

    def list(self):
        item = {"model": "mame:latest", "digest": "0123456789abcdef", "size": 11_700_000}
        return ollama.ListResponse(models=[{**item, "modified_at": "2026-11-22T00:00:00Z"}])

    def ps(self):
        item = {"model": "mame:latest", "digest": "0123456789abcdef", "size": 15_000_000}
        item |= {"size_vram": 0, "context_length": 2048, "expires_at": "2318-01-01T00:00:00Z"}
        return ollama.ProcessResponse(models=[item])

    def generate(self, **asked):
        self.asked.append(asked)
        if asked["model"] == "missing":
            raise ollama.ResponseError("model 'missing' not found", 404)
        if not asked.get("stream"):
            return ollama.GenerateResponse(response="", done=True)
        counts = {"total_duration": 2_000_000_000, "eval_count": 20, "eval_duration": 500_000_000}
        return iter(
            [
                ollama.GenerateResponse(response="", thinking="2+3=5"),
                ollama.GenerateResponse(response="It is"),
                ollama.GenerateResponse(response=" 5.", done=True, **counts),
            ]
        )

    def copy(self, source, destination):
        self.asked.append((source, destination))

    def delete(self, model):
        self.asked.append(model)


@pytest.fixture
def server(monkeypatch):
    fake = FakeClient()
    monkeypatch.setattr(cli, "client", lambda: fake)
    return fake


@pytest.fixture
def ollama_command(monkeypatch, capsys, server):
    """Runs the stand-in: (arguments, standard input) → exit code, stdout, stderr."""

    def run(*arguments, stdin=None):
        terminal = stdin is None
        source = SimpleNamespace(isatty=lambda: terminal, read=lambda: stdin)
        monkeypatch.setattr(sys, "stdin", source)
        monkeypatch.setattr(sys, "argv", ["ollama", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.stand_in()
        said = capsys.readouterr()
        return ended.value.code or 0, said.out, said.err

    return run


def test_list_prints_ollamas_columns(ollama_command):
    code, out, _ = ollama_command("list")
    head, row = out.splitlines()
    assert code == 0
    assert head.split() == ["NAME", "ID", "SIZE", "MODIFIED"]
    assert row.split("    ")[:3] == ["mame:latest", "0123456789ab", "11 MB"]


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


@pytest.mark.parametrize("verb", [("show", "missing"), ("run", "missing", "Hi")])
def test_an_unknown_model_is_one_sentence_and_exit_code_1(ollama_command, verb):
    assert ollama_command(*verb) == (1, "", "Error: model 'missing' not found\n")


def test_an_unknown_model_cannot_be_stopped(ollama_command):
    error = 'Error: couldn\'t find model "missing" to stop\n'
    assert ollama_command("stop", "missing") == (1, "", error)


def test_the_answer_goes_to_stdout_with_its_thinking(ollama_command):
    out = ollama_command("run", "mame", "2+3?")[1]
    assert out == "Thinking...\n2+3=5\n...done thinking.\n\nIt is 5.\n\n"


def test_thinking_can_be_hidden(ollama_command, server):
    assert ollama_command("run", "mame", "--hidethinking", "2+3?")[1] == "It is 5.\n\n"
    assert "think" not in server.asked[-1]


def test_standard_input_comes_before_the_words_joined_by_a_space(ollama_command, server):
    ollama_command("run", "mame", "Summarise:", stdin="text\n")
    assert server.asked[-1]["prompt"] == "text\n Summarise:"


def test_nothing_to_ask_loads_the_model_and_prints_nothing(ollama_command, server):
    assert ollama_command("run", "mame", stdin="") == (0, "", "")
    assert server.asked[-1]["prompt"] == ""


def test_verbose_counts_go_to_stderr(ollama_command):
    err = ollama_command("run", "mame", "--verbose", "2+3?")[2]
    assert "total duration:       2s\n" in err
    assert "eval rate:            40.00 tokens/s\n" in err


@pytest.mark.parametrize(
    ("flags", "asked"),
    [
        (["--think", "false"], {"think": False}),
        (["--think", "high"], {"think": "high"}),
        (["--format", "json"], {"format": "json"}),
        (["--format", '{"type": "object"}'], {"format": {"type": "object"}}),
        (["--keepalive", "1m30s"], {"keep_alive": 90.0}),
    ],
)
def test_flags_reach_the_server(ollama_command, server, flags, asked):
    ollama_command("run", "mame", *flags, "Hi")
    assert asked.items() <= server.asked[-1].items()


@pytest.mark.parametrize(
    "flags", [["--think", "hard"], ["--keepalive", "soon"], ["--format", "{no"]]
)
def test_a_wrong_flag_value_is_said_before_the_model_is_asked(ollama_command, server, flags):
    code, out, err = ollama_command("run", "mame", *flags, "Hi")
    assert (code, out) == (1, "") and err.startswith("Error: ")
    assert server.asked == []


def test_cp_and_rm_say_what_they_did(ollama_command, server):
    assert ollama_command("cp", "mame", "copy")[1] == "copied 'mame' to 'copy'\n"
    assert ollama_command("rm", "copy")[1] == "deleted 'copy'\n"
    assert server.asked == [
        ("mame", "copy"),
        {"model": "copy", "prompt": "", "keep_alive": 0},
        "copy",
    ]


def test_rm_stops_at_the_first_failure(ollama_command, server):
    code, out, err = ollama_command("rm", "missing", "mame")
    assert (code, out, err) == (1, "", "Error: model 'missing' not found\n")
    assert server.asked == []


def test_the_schema_of_format_is_json(ollama_command, server):
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    ollama_command("run", "mame", "--format", json.dumps(schema), "Hi")
    assert server.asked[-1]["format"] == schema


def test_the_stand_in_has_no_verb_that_ollama_lacks(ollama_command):
    assert ollama_command("lab")[0] == 2
