"""A sample of the walk over bodies in which something is wrong: the application sees what it would have seen.

All of it: ``python tools/enforcement_walk.py``.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from walk_bodies import MUTANT, Tried, mutants, parts_of, shortened
from walk_results import append_result, key_of, read_results
from walk_subjects import Subject, own_subjects, recorded_subjects
from walk_table import Walk, describe, distinct, take

from specspan.call import Message, Text
from specspan.instrument.providers.openai import chat
from specspan.instrument.streamed_call import StreamedCall

ROOT = Path(__file__).resolve().parents[2]
OWN = list(own_subjects())


def _held(walk: Walk) -> None:
    assert walk.is_clean, "\n".join(describe(walk, 20))


@pytest.mark.parametrize("subject", OWN, ids=lambda subject: subject.name)
@pytest.mark.table
def test_bodies_of_our_own(subject: Subject) -> None:
    """Nothing is raised, nothing is changed, and the record is true, whatever stands in place of a value."""
    walk = Walk()
    take(subject, walk, sample=3)
    _held(walk)
    assert walk.counts[subject.provider]["mutations"] == 3


@pytest.mark.thorough
def test_recorded_bodies(recordings: Path) -> None:
    """The same, over a few mutants of every tenth shape of body that was recorded."""
    walk = Walk()
    recorded = [each for _, each in recorded_subjects(recordings) if isinstance(each, Subject)]
    chosen = list(distinct(recorded, walk))[::10]
    for subject in chosen:
        take(subject, walk, sample=3)
    _held(walk)
    assert sum(counts["mutations"] for counts in walk.counts.values()) == 3 * len(chosen) > 25


def test_a_reader_that_reads_nothing_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that says ``complied`` of text that nobody read is false."""
    monkeypatch.setattr(chat, "read_choice", lambda choice, reason: Message("assistant", (Text("all is well"),)))
    (subject,) = [each for each in OWN if each.name == "own/openai_chat"]
    walk = Walk()
    take(subject, walk, sample=80)
    assert {problem.kind for _, _, problem in walk.problems} == {"false"}
    assert any(f"{MUTANT!r} was handed over, and the verdict is complied" in each for each in describe(walk, 20))


def test_a_stream_that_is_broken_off_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that the client alone does not raise is a problem, whoever raises it."""

    def fail(self: object, chunk: object) -> bool:
        raise RuntimeError(f"cannot read {type(chunk).__name__}")

    monkeypatch.setattr(StreamedCall, "accept", fail)
    (subject,) = [each for each in OWN if each.name == "own/openai_chat-stream"]
    walk = Walk()
    take(subject, walk, sample=3)
    assert "raised" in {problem.kind for _, _, problem in walk.problems}


@pytest.mark.thorough
def test_the_tool_writes_its_table_into_the_page(tmp_path: Path) -> None:
    """Between its marks, in place of the table before; all else of the page stays."""
    page = tmp_path / "enforcement.md"
    before = (ROOT / "docs" / "enforcement.md").read_text(encoding="utf-8")
    page.write_text(before, encoding="utf-8")
    walked = ["--provider", "ollama", "--sample", "2", "--recordings", str(tmp_path)]
    tool = [sys.executable, str(ROOT / "tools" / "enforcement_walk.py"), *walked, "--write", "--page", str(page)]
    subprocess.run(tool, check=True, capture_output=True, timeout=300)
    start, end = "<!-- walk -->", "<!-- end of walk -->"
    head, _, rest = page.read_text(encoding="utf-8").partition(start)
    table, _, tail = rest.partition(end)
    assert (head, tail) == (before.partition(start)[0], before.partition(end)[2])
    assert table.startswith("\n\n2 mutants at most of each shape of body:\n\n| provider | bodies |")
    rows = [line.split(" | ") for line in table.splitlines() if line.startswith(("| ollama", "| all"))]
    assert [(row[1], row[4], row[-1]) for row in rows] == [("2", "4", "0 |")] * 2


def test_every_value_of_every_event_is_replaced() -> None:
    """Values of one shape in one list, and events of one shape, are mutated once; each event of a shape may be cut."""
    body = b'data: {"a": [{"b": 1}, {"b": 2}]}\n\ndata: {"a": []}\n\ndata: [DONE]\n\n'
    found = list(mutants(parts_of(body, "text/event-stream")))
    replaced = {(each.at, each.path) for each in found if each.kind == "value"}
    assert replaced == {(0, ("a",)), (0, ("a", 0)), (0, ("a", 0, "b")), (1, ("a",))}
    assert {each.path for each in found if each.kind == "listed"} == {(), ("a",), ("a", 0), ("a", 0, "b")}
    assert {each.kind for each in found} == {"value", "listed", "cut", "lost", "repeat", "swap"}
    assert b"".join(part.wire for part in parts_of(body, "text/event-stream")) == body


def test_a_replacement_that_was_made_in_an_alike_object_is_skipped() -> None:
    """The same field of the same format, in an object of one shape; in an object of another shape it is replaced."""
    tried = Tried()
    first = list(mutants(parts_of(b'{"a": {"b": 1}}', ""), "form", tried))
    again = list(mutants(parts_of(b'{"a": {"b": 2}, "c": 1}', ""), "form", tried))
    paths = [each.path for each in again if each.kind == "value"]
    assert ("a", "b") in {each.path for each in first}
    assert {("a",), ("c",)} == set(paths)
    assert tried.skipped > 0


def test_of_alike_neighbours_three_are_sent() -> None:
    """Events that differ in their texts alone; lines that are no JSON are kept."""
    body = b"".join(b'data: {"a": "%d"}\n\n' % n for n in range(9)) + b"data: [DONE]\n\n" * 4
    assert len(shortened(parts_of(body, "text/event-stream"))) == 3 + 4


def test_a_stopped_walk_goes_on(tmp_path: Path) -> None:
    """What came of a body is read back whole; a line that was cut short is left out."""
    path = tmp_path / "walk.jsonl"
    walk = Walk()
    take(OWN[0], walk, sample=1)
    key = key_of(OWN[0], 1, is_all=False)
    append_result(path, key, walk)
    with path.open("a", encoding="utf-8") as file:
        file.write('{"key": "oth')
    (kept,) = read_results(path).values()
    assert list(read_results(path)) == [key]
    assert kept.counts == walk.counts
    assert list(kept.table()) == list(walk.table())
