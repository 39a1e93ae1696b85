"""`specspan import`, as its user meets it."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from benchmarks.stored_traffic import decision_records, policy_records

from specspan.sqlite import Reader, SQLiteDecisionExporter

Run = Callable[..., Any]
RECORDS = [*policy_records(), *decision_records(20)]


def any_value(value: Any) -> dict[str, Any]:
    """A value in OTLP's JSON."""
    if isinstance(value, dict):
        return {"kvlistValue": {"values": [{"key": key, "value": any_value(each)} for key, each in value.items()]}}
    if isinstance(value, list):
        return {"arrayValue": {"values": [any_value(each) for each in value]}}
    kinds = {bool: "boolValue", int: "intValue", float: "doubleValue", str: "stringValue"}
    return {kinds[type(value)]: str(value) if type(value) is int else value}


def otlp(*bodies: dict[str, Any]) -> str:
    """A line of the Collector's file exporter."""
    of_scope = {"scope": {}, "logRecords": [{"timeUnixNano": "1", "body": body} for body in bodies]}
    return json.dumps({"resourceLogs": [{"resource": {}, "scopeLogs": [of_scope]}]}) + "\n"


@pytest.fixture
def expected(tmp_path: Path) -> list[Any]:
    """What a store holds that the records were exported into."""
    exporter = SQLiteDecisionExporter(tmp_path / "expected.db")
    exporter.export(RECORDS)
    exporter.shutdown()
    return stored(tmp_path / "expected.db")


def stored(database: Path) -> list[Any]:
    """Every decision of a store."""
    with Reader(database) as reader:
        return list(reader.iter_decisions())


@pytest.mark.parametrize("form", ["records", "bodies", "texts", "gzip"])
def test_a_file_is_read_into_the_store(specspan: Run, tmp_path: Path, expected: list[Any], form: str) -> None:
    """Records on lines, log records with a body of parts or of text; a second time changes nothing."""
    lines = {
        "records": "\n".join(map(json.dumps, RECORDS)) + "\n\n",
        "bodies": otlp(*map(any_value, RECORDS[:5])) + otlp(*map(any_value, RECORDS[5:])),
        "texts": otlp(*({"stringValue": json.dumps(record)} for record in RECORDS)),
    }
    file = tmp_path / ("x.jsonl.gz" if form == "gzip" else "x.jsonl")
    text = lines.get(form, lines["records"]).encode()
    file.write_bytes(gzip.compress(text) if form == "gzip" else text)
    for _ in range(2):
        ran = specspan("import", file, "--db", tmp_path / "own.db")
        assert (ran.code, ran.err) == (0, "Read 20 decisions, 2 policy records.\n")
        assert stored(tmp_path / "own.db") == expected


def test_an_export_is_read_back(specspan: Run, tmp_path: Path, expected: list[Any]) -> None:
    """`specspan export` and `specspan import` move decisions from one store to another."""
    assert specspan("export", tmp_path / "x.jsonl", "--db", tmp_path / "expected.db").code == 0
    assert specspan("import", tmp_path / "x.jsonl", "--db", tmp_path / "own.db").code == 0
    assert stored(tmp_path / "own.db") == expected


def test_other_log_records_are_left_out(specspan: Run, tmp_path: Path) -> None:
    """A Collector's file holds those of everybody."""
    (tmp_path / "x.jsonl").write_text(otlp({"stringValue": "hello"}, {"intValue": "1"}, any_value(RECORDS[2])))
    ran = specspan("import", tmp_path / "x.jsonl", "--db", tmp_path / "own.db")
    assert ran.err == "Read 1 decision; left out 2 other log records.\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"v": 2}\nno json\n', "x.jsonl:2: invalid line"),
        (b"[]\n", "x.jsonl:1: invalid line: it is not an object"),
        (b"\xff\xfe\n", "it cannot be read"),
        (None, "No such file"),
    ],
)
def test_what_cannot_be_read_is_a_line(specspan: Run, tmp_path: Path, content: bytes | None, says: str) -> None:
    """Exit code 2, the place and a remedy; no traceback."""
    if content is not None:
        (tmp_path / "x.jsonl").write_bytes(content)
    ran = specspan("import", tmp_path / "x.jsonl", "--db", tmp_path / "own.db")
    assert (ran.code, says in ran.err) == (2, True), ran.err


def test_a_store_that_cannot_be_written_is_a_line(specspan: Run, tmp_path: Path) -> None:
    """As everywhere."""
    (tmp_path / "x.jsonl").write_text(json.dumps(RECORDS[2]))
    (tmp_path / "foreign.db").write_text("no database, but long enough to be one" * 50)
    ran = specspan("import", tmp_path / "x.jsonl", "--db", tmp_path / "foreign.db")
    assert (ran.code, "another kind of file" in ran.err) == (2, True)
