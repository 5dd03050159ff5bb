"""Building with real kernels, as few as possible, and what nbval then makes of the result."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tools import execute as execute_module
from tools.check import check
from tools.execute import RunError, keep_outputs
from tools.lesson import Lesson, Room
from tools.notebooks import build, main, says_the_same

NAME = "02_first_run"
ROOT = Path(__file__).parents[2]
MORE = """
```{code-cell}
:key: shell

!echo 地元 $((1 + 1))
```

```{code-cell}
:key: clock
:tags: [nbval-ignore-output]

import os, time
print(time.perf_counter_ns(), os.getcwd())
```

```{code-cell}
:key: provoked
:tags: [raises-exception]

import json
json.loads("{")
```
"""


def test_a_build_is_clean_repeatable_and_what_nbval_runs(
    room: Room, write: Callable[..., Lesson], capsys: pytest.CaptureFixture[str]
) -> None:
    """One story, because each kernel costs seconds: build, build again, then spoil and test."""
    write(more=MORE)
    # 1) Both editions, each in its language, without a trace of this machine.
    assert build(room, [NAME]) == [] and check(room, [NAME]) == []
    texts = {lang: room.edition(NAME, lang).read_text(encoding="utf-8") for lang in ("en", "ja")}
    for lang, text in texts.items():
        assert f"hello {lang}" in text and "地元 2" in text and "JSONDecodeError" in text
        assert str(room.repo) not in text and str(Path.home()) + "/" not in text
        assert sys.prefix not in text and '"version"' not in text
    # 2) Another build measures other times and still leaves every byte.
    capsys.readouterr()
    assert build(room, [NAME], ["en"]) == []
    assert capsys.readouterr().out == "notebooks/en/02_first_run.ipynb: unchanged\n"
    assert room.edition(NAME, "en").read_text(encoding="utf-8") == texts["en"]
    # 3) nbval sees a changed output and a cell that never ends, and nothing but editions.
    spoilt = texts["en"].replace("hello en", "hello you")
    room.edition(NAME, "en").write_text(spoilt, encoding="utf-8")
    room.edition(NAME, "ja").unlink()
    slow = new_code_cell("import time; time.sleep(60)", execution_count=1)
    nbformat.write(new_notebook(cells=[slow]), room.edition("03_slow", "ja"))
    for stray in ("notebooks/en/.ipynb_checkpoints/a.ipynb", "notebooks/src/b.ipynb"):
        (room.repo / stray).parent.mkdir(exist_ok=True)
        (room.repo / stray).write_text(spoilt, encoding="utf-8")
    failed, summary = nbval(room.repo)
    # and that the front matter says 700 MB, of which a lesson that prints needs far less than half
    assert failed == [
        "notebooks/en/02_first_run.ipynb::Cell 1",
        "notebooks/en/02_first_run.ipynb::contract",
        "notebooks/ja/03_slow.ipynb::Cell 0",
    ], summary
    assert "3 failed, 4 passed" in summary


def nbval(repo: Path) -> tuple[list[str], str]:
    """Run the repository's own pytest configuration over another folder."""
    for name in ("conftest.py", "pyproject.toml"):
        shutil.copy(ROOT / name, repo)
    (repo / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "nbval.cfg", repo / "tools")
    # jsonschema imports it if it is there, and its grammar takes 4 s of CPU to build.
    (repo / "rfc3987_syntax.py").write_text("raise ImportError", encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "--color=no",
        "--tb=no",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        [*command, "--nbval-cell-timeout=3", "notebooks"],
        cwd=repo,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(repo), str(ROOT)]),
            "OLLAMA_HOST": "foreign",
        },
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )
    summary = done.stdout + done.stderr
    lines = [line for line in summary.splitlines() if line.startswith("FAILED")]
    return [line.removeprefix("FAILED ").partition(" - ")[0] for line in lines], summary


def test_a_cell_that_fails_or_hangs_is_named_and_no_edition_is_written(
    room: Room, write: Callable[..., Lesson], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(execute_module, "CELL_TIMEOUT_SECONDS", 1)
    write(
        (
            'print("hello", LANG)',
            '{"ja": lambda: 1 / 0, "en": lambda: [0 for _ in iter(int, 1)]}[LANG]()',
        )
    )
    hangs, fails = build(room, [NAME])
    assert hangs.key == fails.key == "greet"
    assert "(en) It ran longer than 1 s." in hangs.what
    assert "(ja) It raised ZeroDivisionError" in fails.what
    assert fails.mend == "put the cell right, then python -m tools.notebooks build 02_first_run"
    assert list((room.repo / "notebooks").rglob("*.ipynb")) == []


def ran(output: nbformat.NotebookNode, *tags: str) -> nbformat.NotebookNode:
    cell = new_code_cell("1", id="k", metadata={"tags": list(tags)})
    after = new_code_cell("1", id="k", outputs=[output], execution_count=1)
    return keep_outputs(cell, after, {"/home/aoi/jimoto": ".", "/home/aoi": "~"})


def printed(text: str) -> nbformat.NotebookNode:
    return new_output("stream", name="stdout", text=text)


def test_a_private_folder_in_a_compared_output_stops_the_build() -> None:
    with pytest.raises(
        RunError, match=r"'/home/aoi/jimoto'\. Print a relative path, or tag"
    ) as info:
        ran(printed("in /home/aoi/jimoto/notebooks"))
    assert info.value.key == "k"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("/home/aoi/jimoto/x /home/aoi/y", "./x ~/y"),
        ("/home/aoirose/y", "/home/aoirose/y"),
    ],
)
def test_a_private_folder_in_an_unstable_output_is_replaced(text: str, kept: str) -> None:
    assert ran(printed(text), "nbval-ignore-output").outputs[0].text == kept


def test_a_promised_exception_must_come() -> None:
    with pytest.raises(RunError, match="tagged raises-exception, and nothing was raised"):
        ran(printed("fine"), "raises-exception")


def test_a_traceback_shows_the_library_but_not_where_it_is_installed() -> None:
    lines = [
        "File \x1b[32m~/jimoto/.venv/lib/python3.12/site-packages/ollama/_client.py:9\x1b[39m",
        "File \x1b[32m/usr/lib/python3.11/json/decoder.py:337\x1b[39m",
        "File \x1b[32m/home/aoi/jimoto/src/jimoto/connect.py:5\x1b[39m",
    ]
    error = new_output("error", ename="E", evalue="no", traceback=lines)
    assert ran(error, "raises-exception").outputs[0].traceback == [
        "File \x1b[32msite-packages/ollama/_client.py:9\x1b[39m",
        "File \x1b[32mpython/json/decoder.py:337\x1b[39m",
        "File \x1b[32m./src/jimoto/connect.py:5\x1b[39m",
    ]


def test_a_widget_keeps_its_text_and_loses_its_random_id() -> None:
    view = "application/vnd.jupyter.widget-view+json"
    shown = new_output("display_data", data={view: {"model_id": "5f"}, "text/plain": "Dropdown()"})
    assert ran(shown).outputs[0].data == {"text/plain": "Dropdown()"}
    assert ran(new_output("display_data", data={view: {"model_id": "5f"}})).outputs == []


@pytest.mark.parametrize(("tags", "same"), [(["nbval-ignore-output"], True), ([], False)])
def test_only_unstable_outputs_may_change_without_a_new_file(tags: list[str], same: bool) -> None:
    old, new = (
        new_notebook(
            cells=[new_code_cell("t", id="k", metadata={"tags": tags}, outputs=[printed(text)])]
        )
        for text in ("1.2 s", "1.3 s")
    )
    assert says_the_same(old, new) is same


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ["check", "02_frist_run"],
            2,
            "There is no lesson '02_frist_run'. Was '02_first_run' meant?",
        ),
        (["check", "story"], 2, "'story' is no lesson."),
        (["stamp", "story"], 2, "Keys follow one lesson"),
        (["stamp", "02_first_run", "stroy"], 1, "has no pair with the key 'stroy'"),
        (["stamp", "notebooks/src/02_first_run.md"], 0, ""),
        (["check"], 1, "notebooks/en/02_first_run.ipynb This edition has not been built."),
    ],
)
def test_the_command_says_what_it_wants(
    room: Room,
    write: Callable[..., Lesson],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    write()
    monkeypatch.chdir(room.repo)
    assert main(arguments) == code
    shown = capsys.readouterr()
    assert said in shown.out + shown.err


def test_an_empty_room_is_called_by_its_name(
    room: Room, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(room.repo)
    assert main(["build"]) == 2
    assert "There is no lesson in notebooks/src." in capsys.readouterr().err
