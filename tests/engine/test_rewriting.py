"""Redaction and replacement of texts."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specspan.checks.check import TextAt
from specspan.decision import Action, Evidence, Finding, Outcome
from specspan.engine.rewriting import Rewrite, redaction_marker, replace_spans, rewrite_texts

TEXTS = (TextAt("/output/0/parts/0", "assistant", "first text"), TextAt("/output/0/parts/1", "assistant", "second"))


def redact_spans(text: str, spans: Iterable[tuple[int, int, str]]) -> str:
    """The text with a marker of its reason in place of each span."""
    return replace_spans(text, spans, lambda _start, _end, reason: redaction_marker(reason))


def redact(*evidence: Evidence, reason: str | None = "why") -> Rewrite:
    finding = Finding(Outcome.VIOLATED, reason, evidence=evidence, clause="clause")
    return Rewrite(finding, Action.REDACT, "", TEXTS)


@pytest.mark.parametrize(
    ("spans", "text"),
    [
        ([(0, 2, "a")], "[redacted:a]cdefgh"),
        ([(2, 4, "a"), (6, 8, "b")], "ab[redacted:a]ef[redacted:b]"),
        ([(2, 5, "a"), (4, 6, "b")], "ab[redacted:a]gh"),
        ([(0, 8, "a"), (3, 4, "b")], "[redacted:a]"),
        ([(0, 2, "a"), (2, 4, "b")], "[redacted:a][redacted:b]efgh"),
        ([], "abcdefgh"),
    ],
)
def test_overlapping_places_become_one_marker(spans: list[tuple[int, int, str]], text: str) -> None:
    """Each place is replaced by a marker; where places overlap, one marker stands for all."""
    assert redact_spans("abcdefgh", spans) == text


@given(st.text(alphabet="abc", max_size=30), st.data())
def test_nothing_of_a_place_is_left_and_nothing_else_is_lost(text: str, data: st.DataObject) -> None:
    """Apart from the markers, what remains is exactly the characters outside all places, in any order of them."""
    places = st.integers(0, len(text))
    drawn = data.draw(st.lists(st.tuples(places, places), max_size=6))
    spans = [(min(place), max(place), "x") for place in drawn]
    inside = {index for start, end, _ in spans for index in range(start, end)}
    remains = "".join(character for index, character in enumerate(text) if index not in inside)
    assert re.sub(r"\[redacted:x\]", "", redact_spans(text, spans)) == remains
    assert redact_spans(text, reversed(spans)) == redact_spans(text, spans)


def test_without_evidence_everything_the_check_read_is_redacted() -> None:
    """A check that cannot say where has all its texts redacted."""
    assert rewrite_texts([redact()]) == dict.fromkeys([text.pointer for text in TEXTS], "[redacted:why]")


def test_evidence_that_does_not_fit_its_text_takes_the_whole_text() -> None:
    """Offsets beyond the text redact all of it rather than nothing."""
    assert rewrite_texts([redact(Evidence("/output/0/parts/0", 3, 99))]) == {"/output/0/parts/0": "[redacted:why]"}


def test_evidence_elsewhere_adds_nothing_to_what_is_redacted_here() -> None:
    """Evidence in the question points at why, not at what to take out of the answer."""
    places = (Evidence("/input/0/parts/0", 0, 2), Evidence("/output/0/parts/1", 0, 3))
    assert rewrite_texts([redact(*places)]) == {"/output/0/parts/1": "[redacted:why]ond"}


def test_the_first_of_several_replacements_stands() -> None:
    """Two clauses that replace the same text do not both stand in it."""
    finding = Finding(Outcome.VIOLATED, clause="clause")
    rewrites = [Rewrite(finding, Action.REPLACE, text, TEXTS) for text in ("governing", "other")]
    assert set(rewrite_texts(rewrites).values()) == {"governing"}


def test_a_finding_without_reason_is_redacted_in_the_name_of_its_clause() -> None:
    """A marker always says why."""
    assert rewrite_texts([redact(reason=None)])["/output/0/parts/1"] == "[redacted:clause]"
