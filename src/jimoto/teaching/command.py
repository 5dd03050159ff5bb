"""The command `jimoto grade`: arguments and printing, no decisions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from jimoto.errors import language
from jimoto.teaching.grade import CSV_NAME, HTML_NAME, PROBLEMS, grade, write_otter_tests
from jimoto.teaching.tasks import find_checks

LINES = {
    "en": {"mark": "{file}: {score} of {n}", "done": "Written: {csv} and {html}"},
    "ja": {"mark": "{file}: {n}問中{score}問", "done": "書き出しました: {csv}、{html}"},
}


def grade_command(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", show_default=False)],
    out: Annotated[Path | None, typer.Option("--out", help="Where the results go")] = None,
    otter: Annotated[str, typer.Option("--otter", help="Write otter tests of this lab")] = "",
) -> None:
    """Mark a folder of labs, each in a process of its own, without a network."""
    lang = language()
    if otter:
        checks = find_checks(otter, Path.cwd())
        for path in write_otter_tests(checks, folder):
            print(path)
        return
    for mark in grade(folder, out, lang):
        line = LINES[lang]["mark"].format(file=mark.file, score=mark.score, n=len(mark.tasks))
        print(f"{line} ({PROBLEMS[mark.problem][lang]})" if mark.problem else line)
    place = out or folder
    print(LINES[lang]["done"].format(csv=place / CSV_NAME, html=place / HTML_NAME))
