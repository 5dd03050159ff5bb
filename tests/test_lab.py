"""`jimoto lab`: what fails, fails before Jupyter starts; then a browser sees the answer."""

import json
import socket
from pathlib import Path

import nbformat
import pytest

from jimoto import lab
from jimoto.errors import FolderMissing, PackageMissing, PortTaken
from tools import browser

ROOT = Path(__file__).parents[1]


@pytest.fixture
def taken_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        yield held.getsockname()[1]


def test_a_port_that_is_taken_is_named(taken_port):
    with pytest.raises(PortTaken) as caught:
        lab.choose_port(taken_port)
    assert caught.value.port == taken_port


def test_without_a_wish_the_first_free_port_is_taken(monkeypatch, taken_port):
    monkeypatch.setattr(lab, "FIRST_PORT", taken_port)
    monkeypatch.setattr(lab, "LAST_PORT", taken_port + 20)
    assert taken_port < lab.choose_port(None) < taken_port + 20


def test_an_environment_with_a_missing_package_is_found_out():
    lab.check_packages(("json",))
    with pytest.raises(PackageMissing) as caught:
        lab.check_packages(("json", "no_such_package"))
    assert caught.value.package == "no_such_package"


def test_a_folder_without_lessons_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lab, "__file__", str(tmp_path / "a" / "b" / "c" / "lab.py"))
    with pytest.raises(FolderMissing):
        lab.find_notebooks()


def test_the_command_ends_with_one_message_and_exit_code_1(taken_port, tmp_path):
    (tmp_path / "notebooks" / "en").mkdir(parents=True)
    out, err = browser.start_lab(tmp_path, "--port", str(taken_port)).communicate(timeout=60)
    assert out == ""
    assert err.startswith(f"Port {taken_port} is in use") and "Traceback" not in err


def expected_answer(edition):
    """What the committed notebook shows below the first question."""
    path = ROOT / "notebooks" / edition / f"{lab.FIRST_LESSON}.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    cell = next(c for c in cells if "MODEL, messages" in "".join(c["source"]))
    return "".join(cell["outputs"][0]["text"]).strip()


@pytest.mark.browser
@pytest.mark.parametrize("edition", ["en", "ja"])
def test_all_cells_run_in_a_browser_and_the_answer_is_on_the_page(tmp_path, edition):
    with (
        browser.running_lab(tmp_path, edition) as address,
        browser.open_page(address) as page,
    ):
        browser.run_all(page)
        # every cell has run: the notebook, saved by the page, holds no gap and no error
        browser.wait_until_done(page)
        page.wait_for_selector(f"text={expected_answer(edition)}", timeout=5_000)
        page.keyboard.press("Control+s")
        page.wait_for_selector(".jp-mod-current:not(.jp-mod-dirty)", timeout=10_000)
    saved = tmp_path / "notebooks" / edition / f"{lab.FIRST_LESSON}.ipynb"
    code = [c for c in nbformat.read(saved, as_version=4).cells if c.cell_type == "code"]
    assert [c.execution_count for c in code] == list(range(1, len(code) + 1))
    assert not [o for c in code for o in c.outputs if o.output_type == "error"]
