"""Widgets of the lessons: a chat box that streams, a Modelfile workbench, a pipe builder.

Each is a thin face over the `ollama` client and the `ollama` command, so it works with any
server. All of it can be used by keyboard, every field has a visible label, in English or Japanese.
Each also leaves a still picture in the output, for GitHub and for paper; where ipywidgets is
absent, the picture is all there is. Knows nothing of lessons.
"""

from __future__ import annotations

import html
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jimoto.errors import language
from jimoto.teaching.pictures import Box, draw

if TYPE_CHECKING:
    import ipywidgets

TEXT = {
    "en": {
        "you": "you", "model": "Model", "question": "Question", "send": "Send", "stop": "Stop",
        "stopped": "[stopped]", "chat_alt": "A chat with {model}: {n} turns.",
        "chat_empty": "Nothing has been asked yet.",
        "file": "Modelfile", "name": "Name", "create": "Create", "ask_both": "Ask both",
        "created": "{name} was created.",
        "compare_alt": "One question, answered by {a} and by {b}.",
        "no_name": "Give the model a name first.", "input": "Input", "stage": "Stage {n}",
        "run": "Run the pipe", "add": "Add a stage", "remove": "Remove the last stage",
        "none": "(none)", "pipe_alt": "A pipe of {n} stages, with the text after each.",
        "empty": "(empty)", "failed": "{where}: {what}",
    },
    "ja": {
        "you": "あなた", "model": "モデル", "question": "質問", "send": "送信", "stop": "停止",
        "stopped": "［停止しました］", "chat_alt": "{model}との対話、{n}往復。",
        "chat_empty": "まだ質問していません。",
        "file": "Modelfile", "name": "名前", "create": "作成", "ask_both": "両方に質問",
        "created": "{name}を作成しました。", "compare_alt": "同じ質問への{a}と{b}の回答。",
        "no_name": "先にモデルの名前を入力してください。", "input": "入力", "stage": "ステージ{n}",
        "run": "パイプを実行", "add": "ステージを追加", "remove": "最後のステージを削除",
        "none": "（なし）", "pipe_alt": "{n}段のパイプと、各ステージの後の文章。",
        "empty": "（空）", "failed": "{where}: {what}",
    },
}  # fmt: skip
LOOK = "border-left:3px solid #0072B2;padding:2px 10px;margin:4px 0;white-space:pre-wrap"


class Face:
    """What the three share: the language, the still picture, work beside the kernel's thread."""

    def __init__(self, lang: str | None) -> None:
        self.words = TEXT[lang or language()]
        self.worker: threading.Thread | None = None
        self._view: ipywidgets.Widget | None = None

    def picture(self) -> str:
        """What is on the screen, as SVG."""
        raise NotImplementedError

    def build(self) -> ipywidgets.Widget:
        raise NotImplementedError

    @property
    def view(self) -> ipywidgets.Widget:
        """The live widget, made once."""
        if self._view is None:
            self._view = self.build()
        return self._view

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        shown: dict[str, Any] = {"image/svg+xml": self.picture(), "text/plain": repr(self)}
        try:
            bundle = self.view._repr_mimebundle_()
        except ImportError:
            return shown
        key = "application/vnd.jupyter.widget-view+json"
        return {**shown, key: bundle[key]} if key in bundle else shown

    def start(self, work: Callable[[], None]) -> None:
        """Beside the kernel's own thread, so that the stop button is heard; one at a time."""
        if self.worker and self.worker.is_alive():
            return
        self.worker = threading.Thread(target=work, daemon=True)
        self.worker.start()

    def wait(self) -> None:
        """Until the answer is complete."""
        if self.worker:
            self.worker.join()


def say(head: str, text: str) -> str:
    return f'<div style="{LOOK}"><b>{html.escape(head)}</b><br>{html.escape(text)}</div>'


def log(content: str) -> str:
    """Read out by a screen reader as it grows."""
    return f'<div role="log" aria-live="polite">{content}</div>'


def explain(error: Exception) -> str:
    return str(getattr(error, "error", "") or error).split("\n")[0]


SETTLE_SECONDS = 0.3  # the Enter key overtakes the last letters on their way from the browser


def on_enter(field: ipywidgets.Text, work: Callable[[], None]) -> None:
    field.on_msg(lambda _, content, __: work() if content.get("event") == "submit" else None)


def stream(model: str, messages: list[dict[str, str]], **request: Any) -> Iterator[str]:
    """The answer in pieces, as the server sends them."""
    import ollama

    with ollama.Client() as client:
        for part in client.chat(model, messages, stream=True, **request):
            yield part.message.content or ""


def known_models() -> list[str]:
    import ollama

    with ollama.Client() as client:
        return [m.model.removesuffix(":latest") for m in client.list().models if m.model]


class ChatBox(Face):
    """A conversation with one model; the answer appears while it is written."""

    def __init__(
        self, model: str, ask: Iterable[str] = (), *, lang: str | None = None, **request: Any
    ) -> None:
        super().__init__(lang)
        self.model, self.request = model, request
        self.messages: list[dict[str, str]] = []
        self.is_stopping = threading.Event()
        for question in ask:
            self.answer(question)

    def __repr__(self) -> str:
        return "\n".join(f"{m['role']}: {m['content']}" for m in self.messages) or "ChatBox"

    def answer(self, question: str, show: Callable[[], None] = lambda: None) -> None:
        """Ask, and wait for the whole answer. A failure is shown in the answer's place."""
        self.messages += [
            {"role": "user", "content": question},
            {"role": "assistant", "content": ""},
        ]
        self.is_stopping.clear()
        try:
            for piece in stream(self.model, self.messages[:-1], **self.request):
                self.messages[-1]["content"] += piece
                show()
                if self.is_stopping.is_set():
                    self.messages[-1]["content"] += self.words["stopped"]
                    break
        except Exception as error:  # a widget's thread has nobody else to tell
            self.messages[-1]["content"] = self.words["failed"].format(
                where=self.model, what=explain(error)
            )
        show()

    def boxes(self) -> list[Box]:
        names = {"user": self.words["you"], "assistant": self.model}
        return [Box(names[m["role"]], m["content"]) for m in self.messages]

    def picture(self) -> str:
        boxes = self.boxes() or [Box(self.model, self.words["chat_empty"])]
        turns = len(self.messages) // 2
        return draw(boxes, self.words["chat_alt"].format(model=self.model, n=turns))

    def build(self) -> ipywidgets.Widget:
        import ipywidgets as w

        words = self.words
        field = w.Text(description=words["question"], layout=w.Layout(width="70%"))
        send, stop = w.Button(description=words["send"]), w.Button(description=words["stop"])
        page = w.HTML()

        def show() -> None:
            page.value = log("".join(say(b.head, b.text) for b in self.boxes()))

        def take() -> None:
            time.sleep(SETTLE_SECONDS)
            question, field.value = field.value.strip(), ""
            if question:
                self.answer(question, show)

        def ask() -> None:
            self.start(take)

        on_enter(field, ask)
        send.on_click(lambda _: ask())
        stop.on_click(lambda _: self.is_stopping.set())
        show()
        return w.VBox([page, w.HBox([field, send, stop])])


class Workbench(Face):
    """Edit a Modelfile, create the model, ask it and its base one question side by side."""

    def __init__(
        self, modelfile: str, name: str, question: str, base: str, *, lang: str | None = None
    ) -> None:
        super().__init__(lang)
        self.modelfile, self.name, self.question, self.base = modelfile, name, question, base
        self.answers = {base: "", name: ""}
        self.status = ""
        if self.create():
            self.ask_both()

    def __repr__(self) -> str:
        return "\n".join([self.status, *(f"{k}: {v}" for k, v in self.answers.items())])

    def create(self) -> bool:
        """`ollama create`, as one would type it; the command's own words where it fails."""
        if not self.name.strip():
            self.status = self.words["no_name"]
            return False
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "Modelfile"
            path.write_text(self.modelfile, encoding="utf-8", newline="\n")
            done = subprocess.run(
                ["ollama", "create", self.name, "-f", str(path)],
                capture_output=True,
                text=True,
                encoding="utf-8",
            )
        last = (done.stderr.strip() or done.stdout.strip()).split("\n")
        self.status = (
            self.words["created"].format(name=self.name)
            if done.returncode == 0
            else next((line for line in last if line.strip()), str(done.returncode))
        )
        return done.returncode == 0

    def ask_both(self, show: Callable[[], None] = lambda: None) -> None:
        self.answers = {self.base: "", self.name: ""}
        for model in self.answers:
            try:
                asked = [{"role": "user", "content": self.question}]
                for piece in stream(model, asked, think=False, options={"temperature": 0}):
                    self.answers[model] += piece
                    show()
            except Exception as error:
                self.answers[model] = explain(error)
        show()

    def picture(self) -> str:
        answers = [Box(model, text) for model, text in self.answers.items()]
        alt = self.words["compare_alt"].format(a=self.base, b=self.name)
        return draw(answers, alt, beside=True)

    def build(self) -> ipywidgets.Widget:
        import ipywidgets as w

        words, wide = self.words, w.Layout(width="90%")
        file = w.Textarea(self.modelfile, description=words["file"], rows=6, layout=wide)
        name = w.Text(self.name, description=words["name"])
        question = w.Text(self.question, description=words["question"], layout=wide)
        create = w.Button(description=words["create"])
        ask = w.Button(description=words["ask_both"])
        page = w.HTML()

        def show() -> None:
            texts = "".join(
                f'<div style="flex:1">{say(model, text)}</div>'
                for model, text in self.answers.items()
            )
            status = f"<p>{html.escape(self.status)}</p>"
            page.value = log(f'{status}<div style="display:flex;gap:1em">{texts}</div>')

        def read() -> None:
            time.sleep(SETTLE_SECONDS)
            self.modelfile, self.name = file.value, name.value.strip()
            self.question = question.value

        def create_and_show() -> None:
            read()
            self.create()
            show()

        def read_and_ask() -> None:
            read()
            self.ask_both(show)

        def on_create(_: Any = None) -> None:
            self.start(create_and_show)

        def on_ask(_: Any = None) -> None:
            self.start(read_and_ask)

        create.on_click(on_create)
        ask.on_click(on_ask)
        on_enter(question, on_ask)
        show()
        return w.VBox([file, w.HBox([name, create]), question, ask, page])


class PipeBuilder(Face):
    """Choose the stages of a pipe, run it, and read what flows between them."""

    MOST = 5

    def __init__(self, text: str, stages: Iterable[str], *, lang: str | None = None) -> None:
        super().__init__(lang)
        self.text, self.stages = text, list(stages)
        self.flow: list[Box] = []
        self.run()

    def __repr__(self) -> str:
        return "\n".join(f"[{box.head}]\n{box.text}" for box in self.flow)

    def run(self, show: Callable[[], None] = lambda: None) -> None:
        """Stage after stage; it ends at the first that fails or says nothing."""
        self.flow = [Box(self.words["input"], self.text)]
        for model in self.stages:
            said = ""
            try:
                asked = [{"role": "user", "content": self.flow[-1].text}]
                for piece in stream(model, asked, think=False, options={"temperature": 0}):
                    said += piece
            except Exception as error:
                self.flow.append(Box(model, explain(error)))
                break
            self.flow.append(Box(model, said or self.words["empty"]))
            show()
            if not said:
                break
        show()

    def picture(self) -> str:
        return draw(self.flow, self.words["pipe_alt"].format(n=len(self.stages)))

    def build(self) -> ipywidgets.Widget:
        import ipywidgets as w

        words, wide = self.words, w.Layout(width="90%")
        names = sorted({*known_models(), *self.stages})
        text = w.Textarea(self.text, description=words["input"], rows=2, layout=wide)
        fields = w.VBox()
        run, add, remove = (
            w.Button(description=words[key], layout=w.Layout(width="auto"))
            for key in ("run", "add", "remove")
        )
        page = w.HTML()

        def show() -> None:
            page.value = log("".join(say(box.head, box.text) for box in self.flow))

        def field(number: int, value: str) -> ipywidgets.Widget:
            label = words["stage"].format(n=number + 1)
            return w.Dropdown(options=names, value=value, description=label)

        def set_fields(values: list[str]) -> None:
            fields.children = tuple(field(n, value) for n, value in enumerate(values))

        def values() -> list[str]:
            return [str(child.value) for child in fields.children]

        def read_and_run() -> None:
            time.sleep(SETTLE_SECONDS)
            self.text, self.stages = text.value, values()
            self.run(show)

        def on_run(_: Any) -> None:
            self.start(read_and_run)

        run.on_click(on_run)
        add.on_click(lambda _: set_fields([*values(), names[0]][: self.MOST]))
        remove.on_click(lambda _: set_fields(values()[:-1] or values()))
        set_fields(self.stages)
        show()
        return w.VBox([text, fields, w.HBox([add, remove, run]), page])
