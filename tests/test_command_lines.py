"""Every `ollama …` and `jimoto …` that a learner is told to type, against the real parser.

A verb or flag that is not there fails, and the message names the file and the line. In a block that
can be copied, and in a cell that runs, the line must be complete; in running text a command may be
named in part (`ollama show --modelfile`).
"""

from __future__ import annotations

import ast
import functools
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from jimoto import cli
from jimoto.errors import CallWrong, CommandError

ROOT = Path(__file__).parents[1]
SHELLS = {"sh", "bash", "console", "powershell", "cmd", "bat", "text", ""}
PROGRAMS = ("ollama", "jimoto")
# Ollama has these, the stand-in has not: a text may tell of them.
ONLY_OLLAMA = {"signin", "signout", "launch"}
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})\s*\{?([\w-]*)", re.MULTILINE)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_KEY = re.compile(r"^:\w+:")


@dataclass(frozen=True)
class Line:
    """A command as it is shown; `whole` when it stands there to be run."""

    place: str  # file:line
    text: str
    whole: bool


def sources() -> list[Path]:
    """What learners read: READMEs, lessons, labs, slides, and docs beside them."""
    found = [*ROOT.glob("README*.md"), *ROOT.glob("docs/*.md")]
    for pattern in ("notebooks/src/*.md", "labs/src/*.md", "slides/??/*.md"):
        found += ROOT.glob(pattern)
    return sorted(found)


def shown_lines(text: str, name: str) -> Iterator[Line]:
    """Every line of shell in a Markdown text: fenced blocks, `!` in code cells, code in prose."""
    fence, language, code, begun = "", "", [], 0
    for number, line in enumerate(text.split("\n"), 1):
        marks = _FENCE.match(line)
        if fence:
            if line.strip().startswith(fence):
                yield from block_lines(code, language, name, begun)
                fence, code = "", []
            else:
                code.append(line)
        elif marks:
            fence, language, begun = marks[1], marks[2].lower(), number
        else:
            for span in _SPAN.findall(line):
                yield Line(f"{name}:{number}", span, whole=False)


def block_lines(code: list[str], language: str, name: str, begun: int) -> Iterator[Line]:
    """The lines of shell in one fenced block that begins after line `begun`."""
    shell = language in SHELLS or any(line.startswith("%%bash") for line in code)
    joined = ""
    for number, line in enumerate(code, begun + 1):
        joined += line.strip().removeprefix("$ ").removeprefix("PS> ").removeprefix(">>> ")
        if joined.endswith("\\"):
            joined = joined[:-1]
            continue
        if shell and not joined.startswith("#"):
            yield Line(f"{name}:{number}", joined, whole=language not in ("text", ""))
        elif not shell and joined.startswith("!"):
            yield Line(f"{name}:{number}", joined[1:], whole=True)
        joined = ""
    if not shell:
        yield from python_lines(code, name, begun)


def python_lines(code: list[str], name: str, begun: int) -> Iterator[Line]:
    """`["ollama", "run", …]` in Python: what `subprocess` would start."""
    kept = ["" if _KEY.match(line) or line.lstrip()[:1] in ("!", "%") else line for line in code]
    try:
        tree = ast.parse("\n".join(kept))
    except SyntaxError:  # not Python, or a line of shell within a block: its lines were read above
        return
    for node in ast.walk(tree):
        if not isinstance(node, ast.List) or len(node.elts) < 2:
            continue
        words = [item.value if isinstance(item, ast.Constant) else "x" for item in node.elts]
        if words[0] in PROGRAMS:
            text = shlex.join(str(word) for word in words)
            yield Line(f"{name}:{begun + node.lineno}", text, whole=True)


def commands_in(text: str) -> Iterator[list[str]]:
    """The words of each `ollama` or `jimoto` in a line of shell, the program first.

    >>> list(commands_in('! VAR=1 ollama run a "b | c" | jimoto fit && ls'))
    [['ollama', 'run', 'a', 'b | c'], ['jimoto', 'fit']]
    """
    splitter = shlex.shlex(text.replace("…", "..."), posix=True, punctuation_chars="|&;()<>")
    splitter.whitespace_split = True
    splitter.commenters = ""
    splitter.escape = ""  # in a path of Windows the backslash is a backslash
    try:
        words = list(splitter)
    except ValueError:  # an apostrophe in a comment: no command of ours
        words = text.split()
    stage: list[str] = []
    for word in [*words, ";"]:
        if word and set(word) <= set("|&;()"):
            yield from filter(None, [own_words(stage)])
            stage = []
        else:
            stage.append(word)


def own_words(stage: list[str]) -> list[str]:
    """One command of a pipe from its program on, or nothing when it is not one of ours."""
    for skip, word in enumerate(stage):
        program = re.split(r"[\\/]", word)[-1].removesuffix(".exe")
        if program in PROGRAMS:
            words, redirected = [program], False
            for part in stage[skip + 1 :]:
                if not redirected and not set(part) <= set("<>"):
                    words.append(part)
                redirected = bool(set(part) <= set("<>"))
            return words
        if "=" not in word and word not in ("!", "time", "sudo", "exec"):
            return []
    return []


def complaint(line: Line) -> str:
    """What the parser says against a line, with its place; empty when all is well."""
    for program, *args in commands_in(line.text):
        if not args or args[0] in ONLY_OLLAMA or args[0].startswith("..."):
            continue
        try:
            check(program, args)
        except CommandError as error:
            error.program = program
            if line.whole or not isinstance(error, CallWrong):
                return f"{line.place}: {error}"
    return ""


build = functools.cache(cli.build)  # the parser is the same for every line


def check(program: str, args: list[str]) -> None:
    """Read a command line without running it, or raise what the command would say."""
    command = build(program)
    names = ["-h", "--help"]
    args = [arg for arg in args if arg not in names]
    context = command.make_context(program, list(args), help_option_names=names)
    while hasattr(context.command, "commands"):
        rest = [*context._protected_args, *context.args]
        if not rest:
            return
        name, verb, left = context.command.resolve_command(context, rest)
        context = verb.make_context(name, left, parent=context)


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_line_that_is_shown_is_known_to_the_parser(path):
    name = str(path.relative_to(ROOT))
    lines = shown_lines(path.read_text(encoding="utf-8"), name)
    assert [said for line in lines if (said := complaint(line))] == []


def test_the_texts_do_show_commands():
    shown = {
        tuple(words[:2])
        for path in sources()
        for line in shown_lines(path.read_text(encoding="utf-8"), path.name)
        for words in commands_in(line.text)
    }
    assert {("ollama", "run"), ("ollama", "list"), ("jimoto", "fit")} <= shown


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("one\n\n```sh\nollama run mame --wordwrap Hi\n```", "x.md:4: unknown flag: --wordwrap"),
        ("```bash\nset -o pipefail; ls | ollama rnu a\n```", 'x.md:2: unknown command "rnu"'),
        ("Type `.venv/bin/jimoto fti x`.", 'x.md:1: unknown command "fti" for "jimoto"'),
        ("Type `ollama lab`.", 'x.md:1: unknown command "lab" for "ollama"'),
        (
            "```{code-cell} ipython3\n:key: a\n!ollama show {MODEL} --modelfil\n```",
            "x.md:3: unknown",
        ),
        ('```python\nx(["ollama", "run", m, "--no"])\n```', "x.md:2: unknown flag: --no"),
        ("```powershell\nollama cp a\n```", "x.md:2: accepts 2 arg(s), received 1"),
        ("```sh\nollama run a \\\n  --nowrap\n```", "x.md:3: unknown flag: --nowrap"),
        ("```sh\n.venv\\Scripts\\jimoto.exe run a --nope\n```", "x.md:2: unknown flag: --nope"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(monkeypatch, text, said):
    monkeypatch.setenv("JIMOTO_LANG", "en")
    found = [complaint(line) for line in shown_lines(text, "x.md")]
    assert [line.startswith(said) for line in found if line] == [True]


@pytest.mark.parametrize(
    "text",
    [
        "`ollama show --modelfile` and `ollama ps` and `ollama run deepseek-r1 --think=false`",
        "`model '…' not found` and `ollama: command not found` and `import ollama`",
        '```sh\nprintf "a|b" | ollama run mame "x > y" > out.txt 2>&1\n```',
        "```sh\njimoto fit --for '8 GB laptop' llama3.2:3b  # how much?\n```",
        "```python\nimport ollama\nollama.list()\n```",
        "`docker exec -it ollama ollama run llama3.2:3b`, `ollama run …`, `ollama signin`",
    ],
)
def test_what_is_right_or_no_command_is_left_alone(text):
    assert [said for line in shown_lines(text, "x.md") if (said := complaint(line))] == []
