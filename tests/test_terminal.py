"""The commands as a person meets them: in a real terminal (tmux), and in real pipes (bash)."""

import os
import shutil
import subprocess
import sys

import ollama
import pytest
from fake_ollama import LOREM, fake_ollama

from jimoto.commands.terminal import NOT_FIRST
from jimoto.connection import ensure_command, ensure_server, find_home
from jimoto.formats import text_width
from tools.terminal import Terminal

WAIT_SECONDS = 120.0  # a bound for what hangs on a busy machine, not a measurement
posix = pytest.mark.skipif(sys.platform == "win32", reason="bash and tmux")
needs_tmux = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


@pytest.fixture(scope="module")
def server():
    with fake_ollama() as running:
        yield running


@pytest.fixture
def env(server):
    """Of a shell that finds the stand-in `ollama`, and with it the server with a script."""
    folder = ensure_command(find_home(os.environ), {"PATH": ""})
    path = os.pathsep.join([str(folder), os.environ["PATH"]])
    server.asked.clear()
    return {**os.environ, "PATH": path, "OLLAMA_HOST": server.host, "JIMOTO_LANG": "en"}


# --- pipes ----------------------------------------------------------------------------------------


@pytest.fixture
def bash(env):
    """Runs a line of bash: → exit code, stdout, stderr."""

    def run(line, data=None):
        source = {"input": data} if data else {"stdin": subprocess.DEVNULL}
        done = subprocess.run(
            ["bash", "-c", line], env=env, capture_output=True, timeout=WAIT_SECONDS, **source
        )
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    return run


@posix
def test_each_stage_gets_the_bare_answer_of_the_one_before(bash, server):
    line = 'ollama run lorem "Plan" | ollama run mame --hidethinking "In short:"'
    assert bash(line) == (0, "It is 5.\n\n", "")
    prompts = [body["prompt"] for path, body in server.asked if path == "/api/generate"]
    assert prompts == ["Plan", f"{LOREM}It is 5.\n\n In short:"]


@posix
def test_with_pipefail_a_broken_stage_fails_the_pipe_and_names_itself(bash):
    line = "ollama run mame --hidethinking Hi | ollama run missing | ollama run mame"
    code, out, err = bash(f"set -o pipefail; {line}")
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "Error: model 'missing' not found (pull model manifest: file does not exist)"
    ]


@posix
def test_a_reader_that_has_seen_enough_meets_no_traceback(bash, server):
    line = "ollama run endless Hi | head -c 4; code=${PIPESTATUS[0]}; echo; echo $code"
    server.hung_up.clear()
    # 141 is what `yes | head -1` gives: ended by SIGPIPE, as filters do
    assert bash(line) == (0, "word\n141\n", "")
    assert server.hung_up.wait(WAIT_SECONDS)


@posix
def test_a_shift_jis_pipe_is_told_so_and_how(bash):
    code, out, err = bash("ollama run mame Translate:", "計画を立てる".encode("cp932"))
    assert (code, out) == (1, "")
    assert "Shift_JIS (CP932); put `iconv -f CP932 -t UTF-8` before this command" in err


@posix
def test_the_way_that_is_told_works(bash, server):
    text = "計画を立てる".encode("cp932")
    assert bash("iconv -f CP932 -t UTF-8 | ollama run mame", text)[0] == 0
    assert server.last("/api/generate")["prompt"] == "計画を立てる"


@posix
@pytest.mark.slow
def test_three_roles_of_mame_talk_through_a_pipe(bash, env):
    env["OLLAMA_HOST"] = ""  # the embedded server, and mame in it
    client = ollama.Client(host=ensure_server(os.environ).url)
    roles = {
        "planner": "Answer with a numbered list of steps.",
        "solver": "Work through the steps you are given.",
        "translator": "Translate what you are given into English.",
    }
    for role, system in roles.items():
        client.create(role, from_="mame", system=system)
    try:
        stages = [f"ollama run {role}" for role in roles]
        stages[0] += ' "Prepare a study meeting"'
        code, out, err = bash(f"set -o pipefail; {' | '.join(stages)}")
        assert (code, err) == (0, "") and out.strip()
        assert len(client.ps().models) == 1  # three names, one file of weights: loaded once
    finally:  # other tests and lessons use this server
        for role in roles:
            client.generate(role, keep_alive=0)
            client.delete(role)
        client.close()


# --- a terminal -----------------------------------------------------------------------------------


@pytest.fixture
def terminal(tmp_path, env):
    opened = Terminal(tmp_path, env, wait_seconds=WAIT_SECONDS)
    yield opened
    opened.close()


@needs_tmux
def test_a_terminal_wraps_between_words_and_japanese_by_its_rules(terminal):
    terminal.type('clear; ollama run lorem "Go"; echo END')
    terminal.wait_for("END")
    shown = terminal.lines()
    text = shown[: shown.index("END") - 1]
    assert all(text_width(line) < 60 for line in text)
    assert "".join(text).replace(" ", "") == f"{LOREM}It is 5.".replace(" ", "")
    assert not any(line[0] in NOT_FIRST for line in text)
    english = [line.split() for line in text if line.isascii()]
    assert english and all({words[0], words[-1]} <= set(LOREM.split()) for words in english)


@needs_tmux
def test_a_chat_remembers_and_ctrl_d_ends_it(terminal, server):
    terminal.type("ollama run mame")
    terminal.wait_for(">>>")
    terminal.type("豆は何色？")
    terminal.wait_for("user=豆は何色？\n")
    terminal.type('"""first line')
    terminal.wait_for("\n...")
    terminal.type('second line"""')
    terminal.wait_for(">>>", times=3)
    messages = server.last("/api/chat")["messages"]
    assert [item["role"] for item in messages] == ["user", "assistant", "user"]
    assert messages[-1]["content"] == "first line\nsecond line"
    terminal.press("C-d")
    terminal.wait_for("@@", times=2)


@needs_tmux
def test_ctrl_c_stops_the_answer_and_not_the_chat(terminal, server):
    server.hung_up.clear()
    terminal.type("ollama run endless")
    terminal.wait_for(">>>")
    terminal.type("Go on")
    terminal.wait_for("word word")
    terminal.press("C-c")
    terminal.wait_for(">>>", times=2)
    assert server.hung_up.wait(WAIT_SECONDS)
    terminal.press("C-c")
    terminal.wait_for("Use Ctrl + d or /bye to exit.")
    terminal.type("/bye")
    terminal.wait_for("@@", times=2)


@needs_tmux
def test_the_next_chat_knows_the_lines_of_the_last_one(terminal, server):
    terminal.type("ollama run mame")
    terminal.wait_for(">>>")
    terminal.type("a line to come back to")
    terminal.wait_for(">>>", times=2)
    terminal.type("/bye")
    terminal.wait_for("@@", times=2)
    terminal.type("clear; ollama run mame")
    terminal.wait_for("Send a message")
    terminal.press("Up")  # /bye
    terminal.press("Up")
    terminal.wait_for("a line to come back to")


@needs_tmux
def test_a_misspelt_verb_on_a_terminal_is_one_line(terminal):
    terminal.type("clear; ollama rnu mame; echo code $?")
    screen = terminal.wait_for("code 1")
    assert 'Error: unknown command "rnu" for "ollama"; did you mean' in screen
    assert "Traceback" not in screen


@needs_tmux
def test_ctrl_c_ends_a_single_answer_without_an_error(terminal, server):
    server.hung_up.clear()
    terminal.type("clear; ollama run endless Hi; echo code $?")
    terminal.wait_for("word word")
    terminal.press("C-c")
    assert "Traceback" not in terminal.wait_for("code 0")
    assert server.hung_up.wait(WAIT_SECONDS)


@needs_tmux
def test_a_pull_on_a_terminal_ends_with_success(terminal):
    terminal.type("clear; ollama pull arriving; echo code $?")
    screen = terminal.wait_for("code 0")
    assert "pulling manifest" in screen and "success" in screen
