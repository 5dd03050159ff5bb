"""The surroundings of every test and of every notebook that nbval runs: one clean room per session.

Knows nothing about single tests; a fixture that only some need lives beside them.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from tools.clean_room import clean_environment, temporary_home

ROOMS = ("notebooks", "labs")
LANGS = ("en", "ja")


def pytest_configure(config: pytest.Config) -> None:
    """Before anything is collected: kernels and servers inherit this environment."""
    stack = ExitStack()
    config.add_cleanup(stack.close)  # runs however the session ends
    outer = dict(os.environ)
    home = stack.enter_context(temporary_home())
    stack.callback(_set_environment, outer)
    _set_environment(clean_environment(outer, home))


def _set_environment(env: dict[str, str]) -> None:
    for name in os.environ.keys() - env.keys():
        del os.environ[name]
    os.environ.update(env)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """nbval takes every .ipynb for a test; only editions are."""
    if collection_path.suffix != ".ipynb":
        return None
    room, lang = collection_path.parent.parent, collection_path.parent.name
    is_edition = room.parent == config.rootpath and room.name in ROOMS and lang in LANGS
    return None if is_edition else True
