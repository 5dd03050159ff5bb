"""The surroundings of every test and of every notebook that nbval runs: one clean room per session.

After the last cell of a lesson stands one test more: its memory and seconds against its front
matter (`tools.measure`). Knows nothing about single tests; a fixture that only some need lives
beside them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tools.clean_room import clean_environment, temporary_home
from tools.measure import Meter, contract_remarks, home_of_session, summary, yardstick_seconds

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


# --- what a lesson costs, while nbval runs it anyway -----------------------------------------


def is_cell(item: pytest.Item) -> bool:
    """One of nbval's, whether or not nbval is there."""
    return type(item).__name__ == "IPyNbCell"


class ContractItem(pytest.Item):
    """After the last cell: are the memory and the seconds as the front matter says?"""

    def runtest(self) -> None:
        meter = getattr(self.parent, "jimoto_meter", None)
        if meter is None:
            pytest.skip("no cell of this notebook has run")
        meter.stop()
        yardstick = yardstick_seconds()
        contract = self.parent.nb.metadata["jimoto"]
        self.add_report_section("call", "measured", summary(contract, meter, yardstick))
        remarks = contract_remarks(contract, meter, yardstick)
        if remarks:
            pytest.fail(
                f"{self.parent.path.name}, front matter: {'; '.join(remarks)}", pytrace=False
            )

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.parent.path, 0, self.name


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where all cells of a lesson run, the contract is measured."""
    for index in range(len(items) - 1, -1, -1):
        item: Any = items[index]
        is_last = index + 1 == len(items) or items[index + 1].parent is not item.parent
        if not (is_cell(item) and is_last):
            continue
        contract = item.parent.nb.metadata.get("jimoto", {})
        code = [cell for cell in item.parent.nb.cells if cell.cell_type == "code"]
        chosen = [other for other in items if other.parent is item.parent]
        if "peak_ram_mb" in contract and len(chosen) == len(code):
            items.insert(index + 1, ContractItem.from_parent(item.parent, name="contract"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: Any) -> Iterator[None]:
    if not is_cell(item):
        return (yield)
    if not hasattr(item.parent, "jimoto_meter"):
        pid = item.parent.kernel.km.provisioner.pid
        item.parent.jimoto_meter = Meter(pid, home_of_session())
    start = time.perf_counter()
    try:
        return (yield)
    finally:
        item.parent.jimoto_meter.cell_seconds += time.perf_counter() - start


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A meter whose contract item did not run still has its thread."""
    for item in getattr(session, "items", []):
        meter = getattr(item.parent, "jimoto_meter", None)
        if meter is not None:
            meter.stop()
