"""Stored text is shown and never obeyed: HTML, scripts, terminal sequences, bidirectional controls, ten megabytes."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import markupsafe
import pytest
from console_visits import Console
from decision_makers import decision_record, write_call
from hypothesis import given
from hypothesis import strategies as st

from specspan.console.inert_text import Evidence, one_line, shown_text
from specspan.sqlite import SQLiteDecisionExporter

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</textarea></title><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "&lt;script&gt;",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_markup_stays_text(text: str, tmp_path: Path, open_on: Callable[..., Console]) -> None:
    """On every page that shows it: as the name of a service, of a clause, of a span, as reason, role and content."""
    trace_id = write_call(tmp_path / "x.db", text)
    console = open_on(tmp_path / "x.db")
    for path in ("/", "/traces", "/traces?verdict=violated", f"/traces/{trace_id}", "/decisions/d-1"):
        page = console.ask(path).text
        assert "<script>alert" not in page
        assert not re.search(r"<(img|svg)[^>]*\son\w+=", page)
    ours = r"</?mark(?: [^<>]*)?>|<span class=.unseen.>.*?</span>"
    shown = re.sub(ours, "", console.get(f"/traces/{trace_id}"))
    assert str(markupsafe.escape(text)) in shown


def test_controls_are_named(tmp_path: Path, open_on: Callable[..., Console]) -> None:
    """Escape sequences and characters that turn the direction of writing are visible, and move nothing."""
    trace_id = write_call(tmp_path / "x.db", "\x1b[2Jgone \N{RIGHT-TO-LEFT OVERRIDE}drow\x00 \N{ZERO WIDTH SPACE}end")
    console = open_on(tmp_path / "x.db")
    page = console.get(f"/traces/{trace_id}")
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\u202e\u200b]", page)
    assert "U+001B" in page
    assert 'title="RIGHT-TO-LEFT OVERRIDE">U+202E' in page
    assert not re.search("[\x00-\x08\x1b\u202e\u200b]", console.get("/traces"))


def test_ten_megabytes_are_shortened_with_their_length(tmp_path: Path, open_on: Callable[..., Console]) -> None:
    """The page stays small, says how much is left out, and shows evidence far inside the text."""
    text = "a" * 5_000_000 + "THE SECRET" + "b" * 5_000_000
    place = {"pointer": "/output/0/parts/0", "start": 5_000_000, "end": 5_000_010}
    finding = {"position": 0, "clause": "privacy", "outcome": "violated", "evidence": [place]}
    trace_id = write_call(tmp_path / "x.db", text)
    exporter = SQLiteDecisionExporter(tmp_path / "x.db")
    span_id = open_on(tmp_path / "x.db").ask("/decisions/d-1").headers["location"].rpartition("#s-")[2]
    exporter.export([decision_record("d-2", 1, trace_id=trace_id, span_id=span_id, findings=[finding])])
    exporter.shutdown()
    page = open_on(tmp_path / "x.db").get(f"/traces/{trace_id}")
    assert len(page) < 100_000
    assert "of 10,000,010 characters are left out" in page
    assert "<mark" in page


@given(st.text(max_size=80), st.lists(st.tuples(st.integers(-2, 90), st.integers(-2, 90)), max_size=4))
def test_no_text_and_no_evidence_breaks_a_page(text: str, places: list[tuple[int, int]]) -> None:
    """Whatever stands in a record: the HTML has no markup but ours, and all characters of the text are shown."""
    shown = shown_text(text, [Evidence(start, end, "<b>") for start, end in places])
    bare = re.sub(r"</?(?:mark|span)(?: [^<>]*)?>", "", str(shown.html))
    assert "<" not in bare
    assert shown.left_out_chars == 0
    assert one_line(text).replace("\t", " ").isprintable() or not text.isprintable()


def test_evidence_in_overlapping_places() -> None:
    """Each stretch is marked once, with every clause that it is evidence for."""
    html = str(shown_text("0123456789", [Evidence(2, 6, "one"), Evidence(4, 8, "two")]).html)
    assert re.findall(r'<mark title="([^"]+)">(\w+)<', html) == [("one", "23"), ("one, two", "45"), ("two", "67")]
