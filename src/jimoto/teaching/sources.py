"""`show_source`: the code of a helper, where the helper itself is the subject of a lesson."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from types import ModuleType
from typing import Any


class Source:
    """A piece of Python: highlighted in a notebook, plain in a terminal."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text

    def _repr_markdown_(self) -> str:
        fence = "```"
        while fence in self.text:  # a docstring may hold a fence of its own
            fence += "`"
        return f"{fence}python\n{self.text}\n{fence}"


def show_source(thing: Callable[..., Any] | type | ModuleType, *, docs: bool = True) -> Source:
    """The source of a function, class or module, without its common indentation.

    `docs=False` leaves the docstrings out. Errors: TypeError and OSError of `inspect`, for what was
    not written in Python.
    """
    text = textwrap.dedent(inspect.getsource(inspect.unwrap(thing) if callable(thing) else thing))
    return Source((text if docs else without_docstrings(text)).strip("\n"))


def without_docstrings(text: str) -> str:
    r"""The lines that are left when every docstring is cut out; a body is never left empty.

    >>> print(without_docstrings("def f(x):\n    'Twice.'\n    return 2 * x\n"))
    def f(x):
        return 2 * x
    """
    import ast

    lines = text.splitlines()
    cut: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            is_text = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
            if first and is_text and isinstance(first.value.value, str) and len(node.body) > 1:  # type: ignore[attr-defined]
                cut |= set(range(first.lineno - 1, first.end_lineno or first.lineno))
    kept = [line for number, line in enumerate(lines) if number not in cut]
    return "\n".join(kept)
