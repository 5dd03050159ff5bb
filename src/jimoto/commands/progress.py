"""Progress of create, pull and push, on stderr: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from jimoto.commands.terminal import is_terminal

if TYPE_CHECKING:
    import ollama


def items_of(answers: Iterable[ollama.ProgressResponse]) -> Iterator[dict[str, Any]]:
    """The client's progress objects as plain values."""
    for item in answers:
        yield item.model_dump(exclude_none=True)


def show_progress(items: Iterable[dict[str, Any]], quiet: bool = False) -> None:
    """Bars on a terminal; elsewhere each new status on a line of its own, or nothing if quiet.

    An item is `{status, digest?, total?, completed?}`, sizes in bytes.
    """
    if is_terminal(sys.stderr):
        _show_bars(items)
        return
    shown = ""
    for item in items:
        if item.get("status", "") != shown and not quiet:
            print(item.get("status", ""), file=sys.stderr)
        shown = item.get("status", "")


def _show_bars(items: Iterable[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    # Digests are not mark-up, and numbers need no colour: the text is printed as it came.
    console = Console(stderr=True, markup=False, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    tasks: dict[str, Any] = {}
    shown = ""
    with Progress(*columns, TransferSpeedColumn(), console=console) as progress:
        for item in items:
            status, total = item.get("status", ""), item.get("total")
            if total:
                if status not in tasks:
                    tasks[status] = progress.add_task(status, total=total)
                progress.update(tasks[status], completed=item.get("completed", 0), total=total)
            elif status != shown:
                progress.console.print(status)
            shown = status
