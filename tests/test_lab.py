"""`jimoto lab`: what fails, fails before Jupyter starts; then a browser sees the answer."""

import json
import socket
from pathlib import Path

import nbformat
import pytest

from jimoto import lab
from jimoto.errors import (
    FolderMissing,
    FolderNotWritable,
    LessonUnknown,
    PackageMissing,
    PortTaken,
)
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
        lab.find_originals()


def test_the_command_ends_with_one_message_and_exit_code_1(taken_port, tmp_path):
    (tmp_path / "notebooks" / "en").mkdir(parents=True)
    out, err = browser.start_lab(tmp_path, "--port", str(taken_port)).communicate(timeout=60)
    assert out == ""
    assert f"Port {taken_port} is in use" in err and "Traceback" not in err


def expected_answer(edition):
    """What the committed notebook shows below the first question."""
    path = ROOT / "notebooks" / edition / f"{lab.FIRST_LESSON}.ipynb"
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    cell = next(c for c in cells if "MODEL, messages" in "".join(c["source"]))
    return "".join(cell["outputs"][0]["text"]).strip()


# --- working copies ---

NAMES = ["01_why_local", "02_first_run", "05_pipes"]


@pytest.fixture
def kit(tmp_path):
    """The kit's folder with three lessons in two languages, and one lab."""
    root = tmp_path / "kit"
    for lang in ("en", "ja"):
        for name in NAMES:
            path = root / "notebooks" / lang / f"{name}.ipynb"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{lang} {name}", encoding="utf-8")
        (root / "notebooks" / lang / "05_pipes.instructor.md").write_text("for the instructor")
        (root / "notebooks" / lang / "ask.json").write_text("{}")
        (root / "labs" / lang).mkdir(parents=True)
        (root / "labs" / lang / "05_pipes.ipynb").write_text(f"{lang} lab", encoding="utf-8")
    return root


def tree(folder):
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_only_the_notebooks_of_the_learners_language_are_copied(kit, tmp_path):
    assert lab.copy_lessons(kit, tmp_path / "work", "ja") == []
    copies = tree(tmp_path / "work")
    copies.pop(lab.COPIED)
    assert copies == {
        **{f"notebooks/ja/{name}.ipynb": f"ja {name}".encode() for name in NAMES},
        "labs/ja/05_pipes.ipynb": b"ja lab",
    }


def test_what_a_learner_wrote_is_never_overwritten_and_originals_stay(kit, tmp_path):
    work, before = tmp_path / "work", tree(kit)
    lab.copy_lessons(kit, work, "en")
    mine = work / "notebooks" / "en" / "05_pipes.ipynb"
    mine.write_text("my answers")
    lab.copy_lessons(kit, work, "en")
    assert mine.read_text() == "my answers" and tree(kit) == before


def test_fresh_puts_numbered_copies_beside_the_old_one(kit, tmp_path):
    work = tmp_path / "work"
    room = work / "notebooks" / "en"
    assert lab.copy_fresh(kit, work, "en", "05_pipes") == room / "05_pipes.ipynb"
    (room / "05_pipes.ipynb").write_text("my answers")
    assert lab.copy_fresh(kit, work, "en", "05_pipes") == room / "05_pipes_2.ipynb"
    assert lab.copy_fresh(kit, work, "en", "05_pipes") == room / "05_pipes_3.ipynb"
    assert (room / "05_pipes.ipynb").read_text() == "my answers"
    assert (room / "05_pipes_3.ipynb").read_text() == "en 05_pipes"
    labs = sorted(path.name for path in (work / "labs" / "en").iterdir())
    assert labs == ["05_pipes.ipynb", "05_pipes_2.ipynb", "05_pipes_3.ipynb"]


def test_a_revised_lesson_is_named_until_its_new_edition_was_taken(kit, tmp_path):
    work = tmp_path / "work"
    lab.copy_lessons(kit, work, "en")
    (kit / "notebooks" / "en" / "05_pipes.ipynb").write_text("second edition")
    assert lab.copy_lessons(kit, work, "en") == ["05_pipes"]
    lab.copy_fresh(kit, work, "en", "05_pipes")
    assert lab.copy_lessons(kit, work, "en") == []
    (work / lab.COPIED).write_text("{ half")  # forgotten: then nothing is known, nothing is lost
    assert lab.copy_lessons(kit, work, "en") == []


def test_a_copy_appears_whole_even_where_there_are_no_links(kit, tmp_path, monkeypatch):
    def no_links(source, target):
        raise OSError(1, "not supported")

    monkeypatch.setattr("os.link", no_links)
    original = kit / "notebooks" / "en" / "05_pipes.ipynb"
    target = tmp_path / "work" / "x.ipynb"
    assert lab.place_copy(original, target) and not lab.place_copy(original, target)
    assert [path.name for path in target.parent.iterdir()] == ["x.ipynb"]


def test_a_name_that_is_taken_meanwhile_is_left_alone(kit, tmp_path, monkeypatch):
    target = tmp_path / "work" / "x.ipynb"

    def taken(source, place):
        Path(place).write_text("another program's")
        raise FileExistsError(17, "exists")

    monkeypatch.setattr("os.link", taken)
    assert lab.place_copy(kit / "notebooks" / "en" / "05_pipes.ipynb", target) is False
    assert tree(target.parent) == {"x.ipynb": b"another program's"}


def test_a_working_folder_that_is_closed_is_named_with_its_variable(kit, tmp_path):
    (tmp_path / "file").write_text("in the way")
    for copy in (lab.copy_lessons, lambda *a: lab.copy_fresh(*a, "05_pipes")):
        with pytest.raises(FolderNotWritable) as caught:
            copy(kit, tmp_path / "file", "en")
        assert caught.value.variable == "JIMOTO_WORK" and "JIMOTO_WORK" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["05_pipes", "05_Pipes", "pipes", "05", "5", "05-pipes", "05_pipes.ipynb",
     "notebooks/en/05_pipes.ipynb", "notebooks\\ja\\05_pipes.ipynb"],
)  # fmt: skip
def test_a_lesson_is_found_by_whatever_one_calls_it(text):
    assert lab.find_lesson(text, NAMES) == "05_pipes"


@pytest.mark.parametrize(
    ("text", "near"),
    [("pipe", "05_pipes"), ("02_frist_run", "02_first_run"), ("why-locl", "01_why_local")],
)
def test_a_misspelt_lesson_is_answered_with_the_nearest(text, near):
    with pytest.raises(LessonUnknown) as caught:
        lab.find_lesson(text, NAMES)
    assert caught.value.near[0] == near and near in str(caught.value)


@pytest.mark.parametrize("text", ["", "99", "quantum", "../../etc/passwd"])
def test_a_lesson_that_is_like_none_is_answered_with_all(text):
    with pytest.raises(LessonUnknown) as caught:
        lab.find_lesson(text, NAMES)
    assert caught.value.near == () and all(name in str(caught.value) for name in NAMES)


def test_the_working_folder_is_chosen_by_a_variable_else_in_the_documents(tmp_path):
    assert lab.work_folder({"JIMOTO_WORK": str(tmp_path)}) == tmp_path
    assert lab.work_folder({}).name == "jimoto" and lab.work_folder({}).is_absolute()


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
    place = Path("notebooks", edition, f"{lab.FIRST_LESSON}.ipynb")
    saved = tmp_path / "work" / place
    original = nbformat.read(tmp_path / place, as_version=4)
    assert not [c for c in original.cells if c.get("outputs")]  # the learner worked on a copy
    code = [c for c in nbformat.read(saved, as_version=4).cells if c.cell_type == "code"]
    assert [c.execution_count for c in code] == list(range(1, len(code) + 1))
    assert not [o for c in code for o in c.outputs if o.output_type == "error"]
