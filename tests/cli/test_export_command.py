"""`specspan export` and `specspan decisions --follow`, as their user meets them."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
from interruptible import INTERRUPTIBLE_COMMAND

from specspan.sqlite import Filter, Reader, SQLiteDecisionExporter

Run = Callable[..., Any]


def write(path: Path, *records: Any) -> None:
    exporter = SQLiteDecisionExporter(path)
    exporter.export(records)
    exporter.shutdown()


@pytest.fixture
def store(tmp_path: Path, decision: Any, finding: Any) -> Path:
    """Two decisions, of which one holds what a terminal or a spreadsheet would obey."""
    path = tmp_path / "store.db"
    usage = {"input_tokens": 7, "output_tokens": 2}
    call = {"provider": "openai", "operation": "chat", "model": "=1+1", "usage": usage}
    odd = {"verdict": "violated", "call": call, "service": {"name": "a\x1b[31m\nb"}, "time_unix_nano": 10**18}
    write(
        path,
        decision("2", finding("tone", "violated"), finding("privacy", "violated"), **odd),
        decision("1", finding("privacy", "complied")),
    )
    return path


def test_json_lines_hold_whole_records(specspan: Run, store: Path, tmp_path: Path) -> None:
    """The earliest first, with every finding, as the reader gives them."""
    ran = specspan("export", tmp_path / "out.jsonl", "--db", store)
    assert (ran.code, ran.out) == (0, "")
    assert "Wrote 2 decisions" in ran.err
    records = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    with Reader(store) as reader:
        assert records == list(reversed(reader.decisions(Filter(limit=10))))


def test_csv_is_a_row_for_each_decision(specspan: Run, store: Path, tmp_path: Path) -> None:
    """Clauses stand in the column of their outcome; no cell is a formula, a second line or a command to a terminal."""
    assert specspan("export", tmp_path / "out.csv", "--db", store).code == 0
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as stream:
        first, second = csv.DictReader(stream)
    assert (first["verdict"], first["violated"], first["model"]) == ("complied", "", "")
    assert second["violated"] == "privacy tone"
    assert second["model"] == "'=1+1"
    assert second["service"] == "a\\x1b[31m b"
    assert (second["input_tokens"], second["output_tokens"], second["spec"]) == ("7", "2", "desk 1")
    assert second["time"] == "2001-09-09T01:46:40.000000Z"


def test_standard_output_and_a_range(specspan: Run, store: Path) -> None:
    """JSON Lines unless another format is named."""
    ran = specspan("export", "-", "--db", store, "--since", "2001-01-01")
    assert [json.loads(line)["verdict"] for line in ran.out.splitlines()] == ["violated"]
    assert specspan("export", "-", "--format", "csv", "--db", store).out.startswith("id,time,")


def test_what_cannot_be_written_is_a_line(specspan: Run, store: Path, tmp_path: Path) -> None:
    """An unknown format, a file that is there, a folder that is not; nothing is written over unasked."""
    there = tmp_path / "there.jsonl"
    there.write_text("mine")
    for file, message in ((tmp_path / "x.xls", "--format"), (there, "--force"), (tmp_path / "no" / "x.csv", "written")):
        ran = specspan("export", file, "--db", store)
        assert (ran.code, ran.out) == (2, "")
        assert message in ran.err
    assert there.read_text() == "mine"
    assert specspan("export", there, "--force", "--db", store).code == 0
    assert len(there.read_text().splitlines()) == 2


def test_parquet_is_a_table_with_types(specspan: Run, store: Path, tmp_path: Path) -> None:
    """DuckDB reads times, numbers and lists of clauses, and the whole record."""
    assert specspan("export", tmp_path / "out.parquet", "--db", store).code == 0
    table = duckdb.sql(
        f"""SELECT id, epoch_ns("time"), model, input_tokens, violated, complied, record::JSON ->> 'verdict'
            FROM '{tmp_path / "out.parquet"}' ORDER BY "time" DESC"""
    )
    assert table is not None
    rows = table.fetchall()
    assert [row[1:] for row in rows] == [
        (10**18, "=1+1", 7, ["privacy", "tone"], [], "violated"),
        (1_000, None, None, [], ["privacy"], "complied"),
    ]
    with Reader(store) as reader:
        assert [row[0] for row in rows] == [record["id"] for record in reader.decisions(Filter(limit=2))]


def test_parquet_without_its_package_names_the_extra(
    specspan: Run, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is made."""
    monkeypatch.setattr("specspan.cli.parquet.find_spec", lambda _: None)
    ran = specspan("export", tmp_path / "out.parquet", "--db", store)
    assert (ran.code, "pip install 'specspan[parquet]'" in ran.err) == (2, True)
    assert not (tmp_path / "out.parquet").exists()


@pytest.mark.parametrize("as_json", [True, False])
def test_new_decisions_are_followed(store: Path, decision: Any, *, as_json: bool) -> None:
    """Those in the file first, the newest last, then each that comes, once, whenever it was made; SIGINT ends it."""
    arguments = ["decisions", "--follow", "--limit", "1", "--db", str(store), *(["--json"] if as_json else [])]
    command = [sys.executable, "-u", "-c", INTERRUPTIBLE_COMMAND, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as following:
        try:
            assert following.stdout is not None
            if not as_json:
                assert "verdict" in following.stdout.readline()
            assert "violated" in following.stdout.readline()
            for number, time in (("3", 10**18 + 1), ("4", 10**18 - 1)):
                write(store, decision(number, time_unix_nano=time, verdict="uncertain"))
                assert "uncertain" in following.stdout.readline()
            following.send_signal(signal.SIGINT)
            assert following.stdout.read() == ""
            assert following.wait() == 130
        finally:
            following.kill()
