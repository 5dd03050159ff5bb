"""The decks: pairs that say the same, code that lessons run, pages that a room can read."""

from __future__ import annotations

import doctest
import json
import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from jimoto.formats import text_width
from tools import slide_figures, stage, svg
from tools.deck import Block, Deck, read_deck
from tools.lesson import LANGS
from tools.numbers import unmatched
from tools.prose import patronising, pictures, typography
from tools.slides import MARP, ROOM, SLIDES, deck_paths, expected_text, install_marp, sync

MINUTES = {"00_talk": 45}
NAMES = sorted({path.stem for path in deck_paths()})
PATHS = pytest.mark.parametrize(
    "path", deck_paths(), ids=lambda path: f"{path.parent.name}/{path.stem}"
)
# Cells of lessons that are being written: compared from the day on which the lesson is there.
VOID = {"br", "hr", "img", "meta", "circle", "polygon", "polyline", "rect"}


def pair(name: str) -> tuple[Deck, Deck]:
    en, ja = (read_deck(SLIDES / lang / f"{name}.md") for lang in LANGS)
    return en, ja


# --- both languages ------------------------------------------------------------------------------


def test_the_talk_is_there_in_both_languages() -> None:
    assert [path.stem for path in deck_paths()].count("00_talk") == len(LANGS)
    assert 25 <= len(pair("00_talk")[0].slides) <= 35


@pytest.mark.parametrize("name", NAMES)
def test_both_languages_have_the_same_slides_blocks_figures_and_minutes(name: str) -> None:
    def skeleton(deck: Deck) -> list[object]:
        return [
            (
                slide.id,
                slide.directives.get("_class"),
                slide.minutes,
                [(block.kind, block.name) for block in slide.blocks],
                [Path(address).name for address, _ in slide.pictures],
                re.findall(r"DEMO \S+ -> cells? [\w, ]+", slide.notes),
                "_footer" in slide.directives,
            )
            for slide in deck.slides
        ]

    en, ja = pair(name)
    assert skeleton(en) == skeleton(ja)


@pytest.mark.parametrize("name", NAMES)
def test_both_languages_name_the_same_numbers(name: str) -> None:
    en, ja = pair(name)
    different = {
        f"{one.id}, {part}": found
        for one, two in zip(en.slides, ja.slides, strict=True)
        for part, a, b in (
            ("slide", one.body, two.body),
            ("notes", one.notes, two.notes),
            *(("picture", x[1], y[1]) for x, y in zip(one.pictures, two.pictures, strict=True)),
        )
        if any(found := unmatched(a, b))
    }
    assert not different


@PATHS
def test_the_words_keep_the_house_style(path: Path) -> None:
    deck = read_deck(path)
    said = []
    for slide in deck.slides:
        texts = [slide.body, slide.notes, *(alt for _, alt in slide.pictures)]
        for text in texts:
            remarks = patronising(text, deck.lang)
            remarks += typography(text) if deck.lang == "ja" else []
            said += [f"{slide.id}: {remark.what}" for remark in remarks]
    assert not said


# --- one deck ------------------------------------------------------------------------------------


@PATHS
def test_every_slide_has_an_id_a_title_and_notes(path: Path) -> None:
    slides = read_deck(path).slides
    ids = Counter(slide.id for slide in slides)
    assert "" not in ids and max(ids.values()) == 1
    assert not [slide.id for slide in slides if not slide.title]
    assert not [slide.id for slide in slides if "\nsay: " not in f"\n{slide.notes}"]


@PATHS
def test_the_minutes_of_the_notes_add_up(path: Path) -> None:
    deck = read_deck(path)
    assert not [slide.id for slide in deck.slides if slide.minutes is None]
    total = sum(slide.minutes or 0 for slide in deck.slides)
    assert total == deck.front["minutes"] == MINUTES[path.stem]


@PATHS
def test_every_demo_has_a_cue_and_a_fallback(path: Path) -> None:
    demos = [s for s in read_deck(path).slides if "demo" in s.directives.get("_class", "").split()]
    assert demos
    cue = re.compile(r"^DEMO (\d\d) -> cells? .+ \| rungs: .+ \| fallback: .+$", re.M)
    assert not [slide.id for slide in demos if len(cue.findall(slide.notes)) != 1]


@PATHS
def test_every_cell_that_a_demo_runs_exists(path: Path) -> None:
    missing = []
    for slide in read_deck(path).slides:
        for lesson, keys in re.findall(r"^DEMO (\d\d) -> cells? ([\w, ]+) \|", slide.notes, re.M):
            for name in (n for n in ROOM.lesson_names() if n.startswith(lesson)):
                cells = {c["id"] for c in _cells(name, path.parent.name)}
                missing += [f"{name}:{key}" for key in keys.split(", ") if key not in cells]
    assert not missing


def _cells(name: str, lang: str) -> list[dict[str, object]]:
    cells: list[dict[str, object]] = json.loads(
        ROOM.edition(name, lang).read_text(encoding="utf-8")
    )["cells"]
    return cells


@PATHS
def test_code_on_slides_is_the_code_of_named_cells(path: Path) -> None:
    deck = read_deck(path)
    blocks = [block for slide in deck.slides for block in slide.blocks]
    assert blocks and not [block.line for block in blocks if not block.name]
    wanted = {block: expected_text(block, deck.lang) for block in blocks}
    assert not [block.name for block, text in wanted.items() if text is None]
    stale = [b.name for b, text in wanted.items() if text is not None and text != b.text]
    assert not stale, "python -m tools.slides sync"


def test_a_cell_is_awaited_only_while_its_lesson_is_not_there() -> None:
    assert expected_text(Block("python", "99_no_lesson:cell", "", 1), "en") is None
    for kind in ("python", "output"):
        with pytest.raises(KeyError):
            expected_text(Block(kind, "02_first_run:no_such_cell", "", 1), "en")


@PATHS
def test_code_on_a_slide_is_short(path: Path) -> None:
    for slide in read_deck(path).slides:
        lines = [line for block in slide.blocks for line in block.text.split("\n")
                 if block.kind != "output"]  # fmt: skip
        assert len(lines) <= 8, slide.id
        assert not [line for line in lines if text_width(line) > 72], slide.id


@PATHS
def test_a_number_from_the_world_has_its_source_and_date_on_the_slide(path: Path) -> None:
    """Decimals, percentages and USD, in words or in a figure, want a footer that names a year."""
    bare = []
    for slide in read_deck(path).slides:
        shown = " ".join([slide.body, *(alt for _, alt in slide.pictures)])
        footer = slide.directives.get("_footer", "")
        if re.search(r"\d\.\d|\d %|USD|\d GB", re.sub(r"`[^`]*`|\d+(\.\d+){3}", "", shown)):
            dated = re.search(r"20\d\d|Computed|計算値|version|バージョン", footer)
            bare += [] if dated else [slide.id]
    assert not bare


def test_sync_puts_a_stale_block_right_and_touches_nothing_else(tmp_path: Path) -> None:
    good = SLIDES / "en" / "00_talk.md"
    spoilt = tmp_path / "00_talk.md"
    text = good.read_text(encoding="utf-8")
    assert "reply = json.loads(lines[0])\n" in text
    spoilt.write_text(
        text.replace("reply = json.loads(lines[0])\n", "reply = 1\n"), encoding="utf-8"
    )
    assert (sync(spoilt), sync(spoilt)) == (1, 0)
    assert spoilt.read_text(encoding="utf-8") == text


# --- markup and figures --------------------------------------------------------------------------


@PATHS
def test_decks_hold_no_html_and_no_inline_styles(path: Path) -> None:
    deck = read_deck(path)
    assert (deck.front["theme"], deck.front["marp"]) == ("jimoto", True)
    assert not [s.id for s in deck.slides if re.search(r"<\w|style=|^<style", s.body)]
    assert not [s.id for s in deck.slides if set(s.directives) & {"_style", "style", "_color"}]


@PATHS
def test_every_figure_exists_in_the_language_of_the_deck_and_has_alt_text(path: Path) -> None:
    for slide in read_deck(path).slides:
        for address, alt in slide.pictures:
            assert (path.parent / address).exists(), address
            assert f"/{path.parent.name}/" in address
            assert len(alt) >= 40, f"{slide.id}: say kind, axes and message"


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("name", sorted(slide_figures.FIGURES))
def test_a_figure_is_what_its_function_draws(name: str, lang: str) -> None:
    drawn = slide_figures.FIGURES[name](lang)
    committed = slide_figures.path_of(name, lang).read_text(encoding="utf-8")
    assert drawn == committed, "python -m tools.slides figures"


@pytest.mark.parametrize("lang", LANGS)
def test_every_figure_is_shown_and_none_is_left_over(lang: str) -> None:
    shown = {
        Path(address).stem
        for path in deck_paths() if path.parent.name == lang
        for slide in read_deck(path).slides
        for address, _ in slide.pictures
    }  # fmt: skip
    there = {path.stem for path in (slide_figures.IMAGES / lang).iterdir()}
    assert shown == there == set(slide_figures.FIGURES)


@PATHS
def test_the_alt_text_gives_the_numbers_that_the_figure_shows(path: Path) -> None:
    """A result that is drawn with one decimal stands in the alt text, rounded the same way."""
    for slide in read_deck(path).slides:
        for address, alt in slide.pictures:
            svg = (path.parent / address).read_text(encoding="utf-8")
            drawn = set(re.findall(r">(\d+\.\d)</text>", svg))
            assert drawn <= set(re.findall(r"\d+\.\d", alt)), slide.id


# --- in the browser ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pages() -> dict[Path, str]:
    install_marp()
    return stage.render(deck_paths())


class Balance(HTMLParser):
    """Which tags are closed by another one, or not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID and (not self.open or self.open.pop() != tag):
            self.wrong.append(tag)


@PATHS
def test_the_pages_are_balanced_html(path: Path, pages: dict[Path, str]) -> None:
    balance = Balance()
    balance.feed(pages[path].partition("</style>")[2])
    assert (balance.wrong, balance.open) == ([], [])
    assert len(read_deck(path).slides) == pages[path].count("<section")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with stage.chromium() as browser:
        yield browser


@pytest.mark.browser
def test_no_slide_overflows_or_is_too_small_or_too_pale(
    browser: Browser, pages: dict[Path, str]
) -> None:
    found = {p: stage.measure(stage.open_deck(browser, text)) for p, text in pages.items()}
    assert not {path.parent.name: faults for path, faults in found.items() if faults}


BAD = {
    "overflow": "<p>" + "long text " * 400 + "</p>",
    "small": '<p><svg viewBox="0 0 2000 50" width="1000" height="25">'
    '<text y="30" font-size="30">small</text></svg></p>',
    "contrast": "<p><code>CONTRAST</code></p>",
    "contrast: 2": '<p><svg viewBox="0 0 900 90" width="900" height="90">'
    '<rect width="900" height="90" fill="#e69f00"/>'
    '<text y="50" x="9" font-size="30" fill="#ffffff">pale</text></svg></p>',
    "over one another": '<p><svg viewBox="0 0 900 90" width="900" height="90">'
    '<text y="50" font-size="30">one</text><text y="50" x="20" font-size="30">two</text></svg></p>',
    "over an edge": '<p><svg viewBox="0 0 900 90" width="900" height="90">'
    '<rect width="90" height="90" fill="none"/><text y="50" font-size="30">too wide a word</text>'
    "</svg></p>",
}


@pytest.mark.browser
def test_the_measuring_finds_each_fault(browser: Browser, pages: dict[Path, str]) -> None:
    """Oracle: slides that are spoilt on purpose, under the same theme."""
    head = next(iter(pages.values())).partition("</style>")[0]
    head += " .marpit code { color: #999999 !important; }</style>"
    body = "".join(f"<section><h1>Title</h1>{bad}</section>" for bad in BAD.values())
    page = stage.open_deck(browser, f'{head}<div class="marpit">{body}</div>')
    found = stage.measure(page)
    for number, what in enumerate(BAD, 1):
        assert [line for line in found if line.startswith(f"slide {number}: {what}")], (what, found)


def test_the_examples_in_docstrings_hold() -> None:
    assert doctest.testmod(svg).failed == 0


def test_marp_is_pinned() -> None:
    wanted = json.loads((SLIDES / "package.json").read_text(encoding="utf-8"))["devDependencies"]
    lock = json.loads((SLIDES / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    for name, version in wanted.items():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
        assert lock[f"node_modules/{name}"]["version"] == version
        assert lock[f"node_modules/{name}"]["integrity"]
    assert MARP.is_relative_to(SLIDES / "node_modules")


@pytest.mark.parametrize("lang", LANGS)
def test_pictures_are_found_by_the_same_rules_as_in_lessons(lang: str) -> None:
    path = SLIDES / lang / "00_talk.md"
    ours = [address for slide in read_deck(path).slides for address, _ in slide.pictures]
    assert ours == [address for address, _ in pictures(path.read_text(encoding="utf-8"))]
