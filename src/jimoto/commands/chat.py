"""The chat of `run` in a terminal: turns, slash commands, history. In ollama's words.

Holds one conversation. What a line does is decided by pure methods of `Session` and the small
functions below; only `chat` reads the keyboard.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jimoto.commands import server as at
from jimoto.commands.models import overview
from jimoto.commands.run import THINK_VALUES, print_answer, print_counts, take_images
from jimoto.commands.terminal import GREY, PLAIN, Output, waiting
from jimoto.daemon.modelfile import parse_modelfile, to_request
from jimoto.errors import CommandError, ModelfileError, language

if TYPE_CHECKING:
    import ollama

HISTORY_LINES = 1000
WORDS = {
    "en": {
        "hint": "Send a message (/? for help)",
        "leave": "Use Ctrl + d or /bye to exit.",
        "help": """\
Available Commands:
  /set            Set session variables
  /show           Show model information
  /load <model>   Load a session or model
  /save <model>   Save your current session
  /clear          Clear session context
  /bye            Exit
  /?, /help       Help for a command

Use \"\"\" to begin a multi-line message.
""",
        "help_set": """\
Available Commands:
  /set parameter <name> <value>  Set a parameter
  /set system <string>           Set system message
  /set history                   Enable history
  /set nohistory                 Disable history
  /set wordwrap                  Enable wordwrap
  /set nowordwrap                Disable wordwrap
  /set format json               Enable JSON mode
  /set noformat                  Disable formatting
  /set verbose                   Show LLM stats
  /set quiet                     Disable LLM stats
  /set think                     Enable thinking
  /set nothink                   Disable thinking
""",
        "help_show": """\
Available Commands:
  /show info         Show details for this model
  /show license      Show model license
  /show modelfile    Show Modelfile for this model
  /show parameters   Show parameters for this model
  /show system       Show system message
  /show template     Show prompt template
""",
    },
    "ja": {
        "hint": "メッセージを入力してください（/? でヘルプ）",
        "leave": "終了するには Ctrl + d か /bye を使ってください。",
        "help": """\
使えるコマンド:
  /set            セッションの設定を変える
  /show           モデルの情報を表示する
  /load <モデル>  モデルや保存した会話を読み込む
  /save <モデル>  いまの会話を保存する
  /clear          会話を忘れさせる
  /bye            終了する
  /?, /help       ヘルプを表示する

\"\"\" で始めると、複数行のメッセージを書けます。
""",
        "help_set": """\
使えるコマンド:
  /set parameter <名前> <値>     パラメータを設定する
  /set system <文章>             システムプロンプトを設定する
  /set history                   入力履歴を残す
  /set nohistory                 入力履歴を残さない
  /set wordwrap                  単語の途中で改行しない
  /set nowordwrap                折り返しを端末に任せる
  /set format json               JSONで答えさせる
  /set noformat                  書式の指定をやめる
  /set verbose                   トークン数と時間を表示する
  /set quiet                     トークン数と時間を表示しない
  /set think                     思考させる
  /set nothink                   思考させない
""",
        "help_show": """\
使えるコマンド:
  /show info         モデルの詳細を表示する
  /show license      ライセンスを表示する
  /show modelfile    Modelfileを表示する
  /show parameters   パラメータを表示する
  /show system       システムプロンプトを表示する
  /show template     テンプレートを表示する
""",
    },
}


class Leave(Exception):
    """/bye was typed."""


@dataclass
class Session:
    """One conversation: what each request is made of, and how answers are printed."""

    asked: dict[str, Any]  # model, and format, think, keep_alive where they were asked for
    facts: dict[str, Any]  # what /api/show says of the model
    hidethinking: bool = False
    verbose: bool = False
    wordwrap: bool = True
    history: bool = True
    system: str = ""
    options: dict[str, Any] = field(default_factory=dict)
    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def model(self) -> str:
        return str(self.asked["model"])

    def request(self) -> dict[str, Any]:
        """The next request of `/api/chat`; the model's own SYSTEM and MESSAGE the server adds."""
        first = [{"role": "system", "content": self.system}] if self.system else []
        return {**self.asked, "messages": [*first, *self.messages], "options": self.options}


def chat(server: ollama.Client, session: Session) -> None:
    """Talk until /bye or Ctrl-D; Ctrl-C stops an answer, never the chat."""
    text = WORDS[language()]
    print(f"{GREY}{text['hint']}{PLAIN}")
    print(told_before(session.facts), end="")
    with input_history(session):
        while True:
            try:
                line = read_message()
                if line.startswith("/"):
                    print(obey(line, session, server), end="")
                elif line:
                    answer(line, session, server)
            except (EOFError, Leave):
                print()
                return
            except KeyboardInterrupt:
                print(f"\n{text['leave']}")
            except CommandError as error:  # the next line may do better
                print(f"Error: {error}", file=sys.stderr)


def read_message() -> str:
    '''One line, or all lines between """ and """.'''
    line = input(">>> ").strip()
    head, quote, begun = line.partition('"""')
    if not quote or (head and not head.startswith("/set ")):
        return line
    lines = [begun]
    while not (lines[-1].rstrip().endswith('"""') and (len(lines) > 1 or begun)):
        lines.append(input("... "))
    return head + "\n".join(lines).rstrip().removesuffix('"""').strip("\n")


def answer(line: str, session: Session, server: ollama.Client) -> None:
    """Ask, print, remember; what had been said before a Ctrl-C is remembered, too."""
    text, images = take_images(line, session.facts)
    message: dict[str, Any] = {"role": "user", "content": text}
    session.messages.append(message | ({"images": images} if images else {}))
    said: list[str] = []
    last = None
    try:
        with at.told_about(session.model, "run", server), waiting() as arrived:
            last = print_answer(
                server.chat(stream=True, **session.request()),
                lambda chunk: (chunk.message.thinking, chunk.message.content),
                session.hidethinking,
                Output(session.wordwrap),
                arrived,
                said.append,
            )
    except KeyboardInterrupt:
        pass
    except CommandError:
        session.messages.pop()  # the question has no answer: it can be asked again
        raise
    print("\n")
    session.messages.append({"role": "assistant", "content": "".join(said)})
    if session.verbose and last:
        print_counts(last)


def told_before(facts: dict[str, Any]) -> str:
    """The conversation that a model brings along (MESSAGE), as it would have looked."""
    return "".join(
        f">>> {item['content']}\n" if item["role"] == "user" else f"{item['content']}\n\n"
        for item in facts.get("messages") or []
        if item["role"] != "system"
    )


# --- lines that begin with a slash ----------------------------------------------------------------


def obey(line: str, session: Session, server: ollama.Client) -> str:
    """Do what a slash command says; what to print."""
    word, _, rest = line.partition(" ")
    rest = rest.strip()
    text = WORDS[language()]
    if word in ("/bye", "/exit"):
        raise Leave
    if word in ("/?", "/help"):
        return text.get(f"help_{rest.removeprefix('/')}", text["help"]) + "\n"
    if word == "/clear":
        session.messages.clear()
        return "Cleared session context\n"
    if word == "/set":
        return set_variable(rest, session)
    if word == "/show":
        return show_part(rest, session)
    if word == "/load":
        return load(rest, session, server) if rest else "Usage:\n  /load <modelname>\n"
    if word == "/save":
        return save(rest, session, server) if rest else "Usage:\n  /save <modelname>\n"
    return f"Unknown command '{word}'. Type /? for help\n"


def set_variable(rest: str, session: Session) -> str:
    """/set …"""
    name, _, value = rest.partition(" ")
    value = value.strip()
    if name == "parameter":
        return set_parameter(value, session)
    if name == "system" and value:
        session.system = value.strip('"')
        return "Set system message.\n"
    if name == "format" and value == "json":
        session.asked["format"] = "json"
        return "Set format to 'json' mode.\n"
    if name == "noformat":
        session.asked.pop("format", None)
        return "Disabled format.\n"
    if name in ("think", "nothink"):
        if value and value not in THINK_VALUES:
            return f"Invalid think level: '{value}'\n"
        level = {"": True, "true": True, "false": False}.get(value, value)
        session.asked["think"] = name == "think" and level
        return f"Set '{name}' mode.\n"
    switches = {
        "history": ("history", True),
        "nohistory": ("history", False),
        "wordwrap": ("wordwrap", True),
        "nowordwrap": ("wordwrap", False),
        "verbose": ("verbose", True),
        "quiet": ("verbose", False),
    }
    if name in switches:
        setattr(session, *switches[name])
        return "" if name.endswith("history") else f"Set '{name}' mode.\n"
    unknown = f"Unknown command '/set {name}'. Type /? for help\n"
    return unknown if name not in ("", "system", "format") else WORDS[language()]["help_set"]


def set_parameter(text: str, session: Session) -> str:
    """`temperature 0.2`: read as the Modelfile reads it, with the same errors."""
    name, _, value = text.partition(" ")
    if not value.strip():
        return "Usage:\n  /set parameter <name> <value>\n"
    try:
        commands = parse_modelfile(f"FROM {session.model}\nPARAMETER {name} {value.strip()}\n")
        request = to_request(commands, folder="", exists=lambda path: False)
    except ModelfileError as error:
        why = str(error).partition("\n")[2] or str(error)
        return f"Couldn't set parameter: {why}\n"
    for key, typed in request.parameters.items():
        if key == "stop":  # each /set adds one
            typed = [*session.options.get("stop", []), value.strip().strip('"')]
        session.options[key] = typed
    return f"Set parameter '{name}' to '{value.strip()}'\n"


def show_part(part: str, session: Session) -> str:
    """/show …"""
    facts = session.facts
    own = "\n".join(f"{name:<30} {value}" for name, value in session.options.items())
    parts = {
        "license": (facts.get("license"), "No license was specified for this model."),
        "modelfile": (facts.get("modelfile"), "No Modelfile is known for this model."),
        "system": (
            session.system or facts.get("system"),
            "No system message was specified for this model.",
        ),
        "template": (facts.get("template"), "No prompt template was specified for this model."),
    }
    if part == "info":
        return overview(facts) + "\n"
    if part in ("parameters", "parameter"):
        model = facts.get("parameters") or "  No additional parameters were specified."
        return f"Model defined parameters:\n{model}\n\n" + (
            f"User defined parameters:\n{own}\n\n" if own else ""
        )
    if part in parts:
        text, absent = parts[part]
        return f"{text or absent}\n\n"
    unknown = f"Unknown command '/show {part}'. Type /? for help\n"
    return unknown if part else WORDS[language()]["help_show"]


def load(model: str, session: Session, server: ollama.Client) -> str:
    """Another model, or a session that was saved as one; what was said so far is forgotten."""
    with at.told_about(model, "run", server):
        session.facts = at.facts_of(server, model)
        server.generate(model=model, prompt="")
    session.asked["model"] = model
    session.messages.clear()
    session.options.clear()
    session.system = ""
    return f"Loading model '{model}'\n{told_before(session.facts)}"


def save(model: str, session: Session, server: ollama.Client) -> str:
    """The session as a model: its base, and what was set and said."""
    said = [*(session.facts.get("messages") or []), *session.messages]
    fields: dict[str, Any] = {"from_": session.model}
    if session.system:
        fields["system"] = session.system
    if session.options:
        fields["parameters"] = session.options
    if said:
        keep = ("role", "content")
        fields["messages"] = [{name: item[name] for name in keep} for item in said]
    with at.told_about(model, "run", server):
        server.create(model, stream=False, **fields)
    return f"Created new model '{model}'\n"


# --- the keyboard ---------------------------------------------------------------------------------


@contextmanager
def input_history(session: Session) -> Iterator[None]:
    """Arrow keys bring back earlier lines, those of earlier chats as well.

    Windows has no `readline`; its console keeps the lines of one chat by itself.
    """
    try:
        import readline
    except ImportError:
        yield
        return
    import os

    from jimoto.connection import find_home

    file: Path = find_home(os.environ).root / "history"
    readline.set_auto_history(True)
    readline.set_history_length(HISTORY_LINES)
    with suppress(OSError):
        readline.read_history_file(file)
    before = readline.get_current_history_length()
    try:
        yield
    finally:
        if session.history and readline.get_current_history_length() != before:
            with suppress(OSError):
                file.touch(mode=0o600)  # it holds what a learner wrote
                readline.write_history_file(file)
