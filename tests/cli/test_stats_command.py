"""`specspan stats`, as its user meets it: every number is that of the records."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from specspan.sqlite import Filter, Reader, SQLiteDecisionExporter
from specspan.sqlite.model import NO_CHECK

Run = Callable[..., Any]
DAY_NS = 86_400 * 10**9


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of the demo, whose decisions name what complied by reference."""
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-c", "from specspan.cli.main import main; main()", "demo", "--db", "demo.db"]
    subprocess.run(command, check=True, capture_output=True, cwd=folder)
    return folder / "demo.db"


@pytest.fixture
def store(tmp_path: Path, decision: Any, finding: Any) -> Path:
    """Three calls of two services on two days, written in full."""
    path = tmp_path / "store.db"
    exporter = SQLiteDecisionExporter(path)
    usage = {"input_tokens": 1000, "output_tokens": 100}
    priced = {"provider": "openai", "model": "gpt-4o", "usage": usage}
    exporter.export(
        [
            decision("1", finding("privacy", "violated"), finding("tone", "violated"), verdict="violated", call=priced),
            decision("2", finding("privacy", "complied"), time_unix_nano=DAY_NS, call=priced),
            decision(
                "3",
                finding("privacy", "unassessed", reason="content_not_understood"),
                verdict="unassessed",
                time_unix_nano=DAY_NS + 1,
                service={"name": "\x1b[31mbank"},
                call={"provider": "openai", "model": "nobody's", "usage": {"input_tokens": 7}},
                counts={"unassessed": 3},
            ),
        ]
    )
    exporter.shutdown()
    return path


def stats(specspan: Run, db: Path, *arguments: str) -> dict[str | None, dict[str, Any]]:
    ran = specspan("stats", "--db", db, "--json", *arguments)
    assert ran.code == 0, ran.err
    return {group["name"]: group for group in json.loads(ran.out)}


def test_everything_is_one_group_unasked(specspan: Run, store: Path) -> None:
    """Calls by verdict, findings that violated, what was unassessed and why, tokens, and the cost of known models."""
    (group,) = stats(specspan, store).values()
    assert group == {
        "name": None,
        "calls": 3,
        "verdicts": {"complied": 1, "unassessed": 1, "violated": 1},
        "violations": 2,
        "unassessed": {"content_not_understood": 1, NO_CHECK: 2},
        "input_tokens": 2007,
        "output_tokens": 200,
        "cost_usd": group["cost_usd"],
        "models_without_price": ["nobody's"],
        "overhead_p50_ns": None,
        "overhead_p99_ns": None,
    }
    assert group["cost_usd"] > 0


@pytest.mark.parametrize(
    ("by", "calls"),
    [
        ("service", {"support-desk": 2, "\x1b[31mbank": 1}),
        ("model", {"gpt-4o": 2, "nobody's": 1}),
        ("day", {"1970-01-01": 1, "1970-01-02": 2}),
        ("spec_version", {"desk 1": 3}),
        ("user", {None: 3}),
        ("clause", {"privacy": 3, "tone": 1}),
    ],
)
def test_groups_have_their_calls(specspan: Run, store: Path, by: str, calls: dict[str | None, int]) -> None:
    """The most first, days in their order; a clause counts its findings."""
    groups = stats(specspan, store, "--by", by)
    assert {name: group["calls"] for name, group in groups.items()} == calls
    assert list(groups) == list(calls)
    assert sum(group["violations"] for group in groups.values()) == 2


@pytest.mark.parametrize("by", ["service", "model", "day", "user", None])
def test_numbers_are_those_of_the_records(specspan: Run, demo: Path, by: str | None) -> None:
    """Of a real file, whose records name most findings by reference."""
    with Reader(demo) as reader:
        records = reader.decisions(Filter(limit=10_000))
    groups = list(stats(specspan, demo, *(["--by", by] if by else [])).values())
    findings = Counter((each["outcome"], each["reason"]) for record in records for each in record["findings"])
    violated = sum(count for (outcome, _), count in findings.items() if outcome == "violated")
    unassessed = {reason: count for (outcome, reason), count in findings.items() if outcome == "unassessed"}
    assert sum(group["calls"] for group in groups) == len(records)
    assert sum((Counter(group["verdicts"]) for group in groups), Counter()) == Counter(r["verdict"] for r in records)
    assert sum(group["violations"] for group in groups) == violated > 0
    counted: Counter[str] = sum((Counter(group["unassessed"]) for group in groups), Counter())
    assert counted.pop(NO_CHECK) == sum(r["counts"]["unassessed"] for r in records) - sum(unassessed.values())
    assert counted == unassessed
    tokens = sum(record["call"]["usage"]["input_tokens"] for record in records if record["call"].get("usage"))
    assert sum(group["input_tokens"] for group in groups) == tokens > 0


def test_clauses_are_counted_by_outcome(specspan: Run, demo: Path) -> None:
    """As the records name them, clause by clause."""
    with Reader(demo) as reader:
        records = reader.decisions(Filter(limit=10_000))
    expected = Counter((each["clause"], each["outcome"]) for record in records for each in record["findings"])
    groups = stats(specspan, demo, "--by", "clause")
    assert {(name, outcome): n for name, g in groups.items() for outcome, n in g["verdicts"].items()} == expected


def test_a_clause_has_the_tokens_of_the_calls_that_violated_it(specspan: Run, demo: Path) -> None:
    """A call counts once, however many findings there are, and under each clause that it violated."""
    with Reader(demo) as reader:
        records = reader.decisions(Filter(limit=10_000))
    expected: Counter[str] = Counter()
    for record in records:
        violated = {each["clause"] for each in record["findings"] if each["outcome"] == "violated"}
        expected.update(dict.fromkeys(violated, record["call"].get("usage", {}).get("input_tokens", 0)))
    groups = stats(specspan, demo, "--by", "clause")
    assert {name: group["input_tokens"] for name, group in groups.items() if group["input_tokens"]} == +expected
    assert +expected
    assert "Tokens and costs are those of the calls" in specspan("stats", "--db", demo, "--by", "clause").out


def test_since_leaves_out_what_came_before(specspan: Run, store: Path) -> None:
    """The same words as those of lists."""
    (group,) = stats(specspan, store, "--since", "1970-01-02T00:00:00+00:00").values()
    assert group["calls"] == 2
    assert stats(specspan, store, "--since", "1h") == {}
    assert specspan("stats", "--db", store, "--since", "1h").out == "No decisions match.\n"
    assert specspan("stats", "--db", store, "--since", "soon").code == 2


def test_csv_has_a_column_for_everything_that_occurs(specspan: Run, store: Path) -> None:
    """A group without it has 0 there; nothing in it is obeyed by a terminal."""
    ran = specspan("stats", "--db", store, "--by", "service", "--csv")
    desk, bank = csv.DictReader(io.StringIO(ran.out))
    assert (desk["verdicts.violated"], bank["verdicts.violated"]) == ("1", "0")
    assert (desk["unassessed.no_check"], bank["unassessed.no_check"]) == ("0", "2")
    assert bank["name"] == "\\x1b[31mbank"
    assert specspan("stats", "--db", store, "--csv", "--json").code == 2


@pytest.mark.parametrize("columns", ["40", "80", "120"])
def test_a_narrow_terminal_leaves_columns_out(
    specspan: Run, demo: Path, columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Names are whole, and nothing is padded."""
    monkeypatch.setenv("COLUMNS", columns)
    for by in ("clause", "service", "day"):
        lines = specspan("stats", "--db", demo, "--by", by).out.splitlines()
        table = [line for line in lines if not line.startswith(("No price", "Tokens"))]
        assert lines == [line.rstrip() for line in lines]
        assert max(map(len, table)) <= int(columns)
    assert "protect_payment_data" in specspan("stats", "--db", demo, "--by", "clause").out


def test_without_the_extra_there_is_no_cost(specspan: Run, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The column is absent, and no price is said to be unknown."""
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    (group,) = stats(specspan, store).values()
    assert (group["cost_usd"], group["models_without_price"]) == (None, [])
    ran = specspan("stats", "--db", store)
    assert "cost" not in ran.out
    assert "price" not in ran.out


def test_days_have_a_line_of_their_calls(specspan: Run, store: Path) -> None:
    """Where the terminal can show it."""
    lines = specspan("stats", "--db", store, "--by", "day").out.splitlines()
    assert [line.split()[:3] for line in lines[1:3]] == [["1970-01-01", "▄", "1"], ["1970-01-02", "█", "2"]]


def test_what_specspan_cost_is_shown(specspan: Run, tmp_path: Path, decision: Any) -> None:
    """Half of the calls, and 99 in 100, took at most so long; decisions that do not tell it count for nothing."""
    exporter = SQLiteDecisionExporter(tmp_path / "x.db")
    exporter.export([decision(f"{n:x}", overhead_ns=n * 1_000) for n in range(1, 201)])
    exporter.export([decision("fff", service={"name": "other"})])
    exporter.shutdown()
    (group,) = stats(specspan, tmp_path / "x.db").values()
    assert (group["overhead_p50_ns"], group["overhead_p99_ns"]) == (100_000, 198_000)
    assert "100 µs  198 µs" in specspan("stats", "--db", tmp_path / "x.db").out
    by_service = stats(specspan, tmp_path / "x.db", "--by", "service")
    assert (by_service["other"]["overhead_p50_ns"], by_service["support-desk"]["overhead_p99_ns"]) == (None, 198_000)


def test_an_empty_store_says_what_to_do(specspan: Run, tmp_path: Path) -> None:
    """As lists do."""
    ran = specspan("stats", "--db", tmp_path / "none.db")
    assert ran.code == 2
    assert "Run `specspan demo`" in ran.err
