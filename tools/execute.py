"""Run an edition and keep its outputs in a form that is the same on every machine.

Knows kernels and outputs. Does not know where cells come from, nor which lesson this is.
"""

from __future__ import annotations

import copy
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

CELL_TIMEOUT_SECONDS = 120
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"  # holds a random model id; its text stays
# Where a traceback passes through a library: only the part that every machine shares is kept.
FOLDER = r"(?:~|[A-Za-z]:)?[/\\](?:[^\s'\"\x1b(]*[/\\])?"
LIBRARY = re.compile(FOLDER + r"(?=site-packages[/\\])")
PYTHON = re.compile(FOLDER + r"lib[/\\]python3\.\d+[/\\]")


class RunError(Exception):
    """A cell did not do what the source says it does; knows the cell's key."""

    def __init__(self, key: str, what: str) -> None:
        super().__init__(what)
        self.key, self.what = key, what


def execute(notebook: NotebookNode, cwd: Path, env: Mapping[str, str]) -> NotebookNode:
    """A copy of the notebook with the outputs of a run in a fresh kernel, normalised."""
    running = copy.deepcopy(notebook)  # nbclient writes into it, and adds this Python's version
    _run(running, cwd, env)
    private = private_folders(cwd, env)
    done = notebook.copy()
    done.cells = [
        keep_outputs(cell, ran, private) if cell.cell_type == "code" else cell
        for cell, ran in zip(notebook.cells, running.cells, strict=True)
    ]
    return done


def _run(notebook: NotebookNode, cwd: Path, env: Mapping[str, str]) -> None:
    client = NotebookClient(
        notebook,
        timeout=CELL_TIMEOUT_SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(cwd)}},
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        extra_arguments=["--IPKernelApp.log_level=40"],  # it warns of TCP on loopback at each start
    )
    reached: list[str] = []
    client.on_cell_execute = lambda cell, cell_index: reached.append(cell.id)
    try:
        client.execute(env=dict(env))
    except CellExecutionError as error:
        what = f"It raised {error.ename}: {error.evalue}\n{_strip_ansi(error.traceback)}"
        raise RunError(reached[-1], what) from None
    except CellTimeoutError:
        raise RunError(reached[-1], f"It ran longer than {CELL_TIMEOUT_SECONDS} s.") from None
    except DeadKernelError:
        raise RunError(reached[-1] if reached else "", "Its kernel died.") from None


def keep_outputs(cell: NotebookNode, ran: NotebookNode, private: Mapping[str, str]) -> NotebookNode:
    """The cell with what it gave when it ran, normalised; refuses what no learner should see."""
    tags = cell.metadata.get("tags", [])
    outputs = [_normalised(output) for output in ran.outputs]
    outputs = [output for output in outputs if output.get("data", True)]
    if "raises-exception" in tags and all(output.output_type != "error" for output in outputs):
        raise RunError(cell.id, "It is tagged raises-exception, and nothing was raised.")
    cell = cell.copy()
    cell.execution_count = ran.execution_count
    cell.outputs = [_hide_folders(output, private, cell.id, is_strict(tags)) for output in outputs]
    return cell


def is_strict(tags: list[str]) -> bool:
    """Does nbval compare this cell's output word for word?"""
    return not {"nbval-ignore-output", "nbval-skip"} & set(tags)


def _normalised(output: NotebookNode) -> NotebookNode:
    output = output.copy()
    if "data" in output:
        output.data = {mime: value for mime, value in output.data.items() if mime != WIDGET_VIEW}
    if "traceback" in output:  # colours stay: learners see them too
        output.traceback = [
            PYTHON.sub("python/", LIBRARY.sub("", line)) for line in output.traceback
        ]
    return output


def private_folders(cwd: Path, env: Mapping[str, str]) -> dict[str, str]:
    """Folders of this machine that no learner should read, longest first, and their stand-ins."""
    repo = cwd.resolve().parents[1]
    named = {
        env.get("JIMOTO_HOME", ""): "$JIMOTO_HOME",
        str(repo): ".",
        sys.prefix: "$PYTHON",
        str(Path.home()): "~",
    }
    named = {folder: name for folder, name in named.items() if len(folder) > 1}
    return dict(sorted(named.items(), key=lambda item: -len(item[0])))


def _hide_folders(
    output: NotebookNode, private: Mapping[str, str], key: str, strict: bool
) -> NotebookNode:
    """Unstable outputs and tracebacks are cleaned; one that nbval compares must be clean itself."""

    def hide(text: str, strict: bool) -> str:
        for folder, name in private.items():
            clean = name.join(re.split(re.escape(folder) + r"(?![\w.-])", text))
            if strict and clean != text:
                raise RunError(
                    key,
                    f"Its output shows a folder of this machine, '{folder}'. "
                    "Print a relative path, or tag the cell nbval-ignore-output.",
                )
            text = clean
        return text

    output = output.copy()
    for part in ("text", "evalue"):
        if part in output:
            output[part] = hide(output[part], strict)
    if "traceback" in output:
        output.traceback = [hide(line, strict=False) for line in output.traceback]
    for mime, value in output.get("data", {}).items():
        if isinstance(value, str) and not mime.startswith("image/p"):  # base64 is not searched
            output.data[mime] = hide(value, strict)
    return output


def _strip_ansi(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)
