"""`jimoto doctor --merge`: a room's reports in one page; what is no report is named."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from jimoto.checkup import Checkup
from jimoto.checkup.facts import Facts
from jimoto.checkup.room import MARK, Seat, find_files, read_seats, room_page, write_room
from jimoto.errors import FileIsThere, FileNotWritten

GIB, GB = 2**30, 10**9
MAME = Facts(
    code="ABCD", system="Windows 11 (10.0.26100)", arch="AMD64", processor="Intel Core i5",
    n_core=4, memory_bytes=8 * GIB, free_bytes=3 * GIB, disk_free_bytes=50 * GB, python="3.12.4",
    jimoto="0.1.0", engine="loads", mame="whole",
)  # fmt: skip
READY = replace(MAME, code="EFGH", server="ollama", server_version="0.33.0", models=["llama3.2:1b"])
NOT = replace(MAME, code="JKLM", missing=["ollama"])
ROOM = [Seat("seat-02", READY), Seat("seat-03", NOT), Seat("seat-01", MAME)]


class Page(HTMLParser):
    """What a browser would find: tags with their attributes, and the cells' text by row."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "br"):
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data


def test_every_machine_has_a_row_and_those_who_need_help_come_first() -> None:
    page = Page(room_page(ROOM))
    assert page.open == []
    assert [row[0] for row in page.rows[1:]] == ["seat-03 JKLM", "seat-01 ABCD", "seat-02 EFGH"]
    assert len({len(row) for row in page.rows}) == 1
    verdicts = [row[1] for row in page.rows[1:]]
    assert "✗ NOT READY" in verdicts[0] and "準備未完了" in verdicts[0]
    assert "src\\jimoto\\install.py" in verdicts[0]  # the command that mends a Windows machine
    assert "◐ READY WITH MAME" in verdicts[1] and "✓ READY" in verdicts[2]


def test_the_page_loads_nothing_and_can_be_read_aloud() -> None:
    html = room_page(ROOM)
    page = Page(html)
    names = [tag for tag, _ in page.tags]
    assert not {"script", "link", "img", "iframe"} & set(names)
    assert not [attrs for _, attrs in page.tags if {"src", "href", "style"} & attrs.keys()]
    assert "url(" not in html and "@import" not in html
    assert ("html", {"lang": "en"}) in page.tags and names.count("h1") == 1
    scopes = [attrs.get("scope") for tag, attrs in page.tags if tag == "th"]
    assert None not in scopes and {"col", "row"} == set(scopes)
    assert "caption" in names and "main" in names
    japanese = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
    outside = re.sub(r'<(span) lang="ja">.*?</\1>|<title>.*?</title>|<style>.*?</style>', "",
                     html, flags=re.DOTALL)  # fmt: skip
    assert not japanese.search(outside)  # every Japanese word is marked as one


def test_what_a_report_or_file_name_holds_is_shown_as_text() -> None:
    evil = "<script>alert(1)</script>"
    html = room_page([Seat(evil, replace(MAME, processor=evil, code="<b>"))])
    assert "<script>" not in html and "<b>" not in html
    assert "&lt;script&gt;" in html


def test_an_empty_room_is_a_page_too() -> None:
    assert "No reports yet" in room_page([])


BROKEN = {
    "empty.json": (b"", "cut"),
    "half.json": (json.dumps(Checkup(MAME).as_json()).encode()[:200], "cut"),
    "list.json": (b"[1, 2]", "other"),
    "other.json": (b'{"format": "something"}', "other"),
    "newer.json": (b'{"format": "jimoto-doctor", "version": 99}', "newer"),
    "fields.json": (b'{"format": "jimoto-doctor", "version": 1}', "other"),
    "picture.json": (b"\x89PNG\r\n\x1a\n" * 20, "other"),
    "deep.json": (b"[" * 200_000, "other"),
    "sjis.json": ("診断".encode("cp932"), "other"),
    "large.json": (b" " * 1_000_001, "other"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_file_that_is_no_report_is_named_with_its_reason(tmp_path: Path, name: str) -> None:
    raw, cause = BROKEN[name]
    (tmp_path / name).write_bytes(raw)
    (tmp_path / "seat-01.json").write_text(json.dumps(Checkup(MAME).as_json()))
    seats, [error] = read_seats(find_files([str(tmp_path / "*.json")]))
    assert [seat.label for seat in seats] == ["seat-01"]
    assert (Path(error.path).name, error.cause) == (name, cause)
    html = room_page(seats, [error])
    assert name in html and error.text("ja").splitlines()[0].split(": ")[-1] in html


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.json", tmp_path):
        seats, [error] = read_seats(find_files([str(path)]))
        assert seats == [] and (error.path, error.cause) == (str(path), "absent")


def test_an_older_page_is_replaced_and_no_other_file(tmp_path: Path) -> None:
    target = tmp_path / "room.html"
    write_room(room_page([]), target)
    write_room(room_page(ROOM), target)
    assert MARK in target.read_text("utf-8").splitlines()[0] and "seat-03" in target.read_text(
        "utf-8"
    )
    target.write_text("<p>my own page</p>")
    with pytest.raises(FileIsThere):
        write_room(room_page([]), target)
    assert target.read_text() == "<p>my own page</p>"
    with pytest.raises(FileNotWritten):
        write_room(room_page([]), tmp_path / "none" / "room.html")
    assert [path.name for path in tmp_path.iterdir()] == ["room.html"]
