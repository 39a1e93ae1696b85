"""Pages of the console over the store that the demo wrote, and over generated ones."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

from console_visits import Console
from decision_makers import decision_record

from specspan.sqlite import Filter, Reader, SQLiteDecisionExporter


def trace_with(demo_db: Path, clause: str) -> str:
    """Return the id of the demo's trace in which a clause was violated."""
    with Reader(demo_db) as reader:
        (found,) = reader.traces(Filter(clause=clause, outcome="violated"))
        return found.trace_id


def test_overview_counts_what_the_demo_wrote(console: Console) -> None:
    """Nine calls, five violations of five clauses, each with its level, and the policy that decided them."""
    words = console.text("/")
    assert "Model calls decided 9" in words
    assert "Violated 5 56% of calls" in words
    assert "keep_people_private Keep colleagues and customers private root 1" in words
    assert "By authority: root 3, system 1, developer 1." in words
    assert "First policy" in words
    assert "tallow-and-tide-support-desk 2026-11-01" in words


def test_overview_takes_the_shortest_range_with_the_newest_decision(
    tmp_path: Path, open_on: Callable[..., Console]
) -> None:
    """A store that was last written twenty days ago is not shown as empty."""
    exporter = SQLiteDecisionExporter(tmp_path / "old.db")
    exporter.export([decision_record("d-1", time.time_ns() - 20 * 86_400 * 10**9)])
    exporter.shutdown()
    page = open_on(tmp_path / "old.db").get("/")
    assert re.search(r'aria-current="true">30 days<', page)
    assert "Model calls decided" in page


def test_changes_of_policy_are_marked_once(tmp_path: Path, open_on: Callable[..., Console]) -> None:
    """A service that starts again under the same policy changed nothing; another spec is named with both versions."""
    exporter = SQLiteDecisionExporter(tmp_path / "x.db")
    now = time.time_ns()
    for number, version in enumerate(("1", "1", "2")):
        spec = {"id": "desk", "version": version, "digest": f"sha256:spec{version}"}
        digest = f"sha256:{version * 8}"
        exporter.export([
            {
                "v": 2, "type": "policy", "id": digest, "time_unix_nano": now - 10**10 + number,
                "service": {"name": "desk", "instance": str(number)}, "spec": [spec], "policy": {"digest": digest},
                "mode": "observe", "clauses": [], "assessments": [],
            }
        ])  # fmt: skip
    exporter.export([decision_record("d-1", now)])
    exporter.shutdown()
    page = open_on(tmp_path / "x.db").text("/")
    assert page.count("First policy") == 1
    assert page.count("Policy 11111111 → 22222222; spec desk 1 → 2.") == 1


def test_call_is_shown_with_its_evidence_and_the_clause(console: Console, demo_db: Path) -> None:
    """The text by which the clause was violated is marked; the clause's own text stands beside it."""
    page = console.get(f"/traces/{trace_with(demo_db, 'promise_no_dates')}")
    marked = re.findall(r"<mark[^>]*>(.*?)<span", page)
    assert marked == ["guarantee it will arrive"]
    words = console.text(f"/traces/{trace_with(demo_db, 'promise_no_dates')}")
    assert "Will it be here by Friday? It is a birthday present." in words
    assert "Promise no delivery dates" in words
    assert "tallow-and-tide-support-desk 2026-11-01" in words


def test_redacted_text_bears_no_marks(console: Console, demo_db: Path) -> None:
    """The evidence was in the text before it was redacted, so its offsets are of another text."""
    page = console.get(f"/traces/{trace_with(demo_db, 'protect_payment_data')}")
    assert "[redacted:card_number]" in page
    assert "Redacted before it was handed over." in page
    assert "<mark" not in page


def test_evidence_beyond_a_cut_stream_is_told(console: Console, demo_db: Path) -> None:
    """Where a stream was cut inside the evidence, what was recorded of it is marked."""
    page = console.get(f"/traces/{trace_with(demo_db, 'keep_people_private')}")
    assert re.findall(r"<mark[^>]*>(.*?)<span", page) == ["lives at "]


def test_search_by_what_was_decided(console: Console) -> None:
    """By clause and outcome, by verdict, by model; a clause that nobody has finds nothing and says so."""
    assert console.text("/traces?clause=agreed_limits&outcome=violated").count("chat scripted-1") == 1
    assert console.text("/traces?verdict=violated").count("chat scripted-1") == 5
    assert console.text("/traces?model=scripted-1").count("chat scripted-1") == 9
    assert "No decided call matches." in console.text("/traces?clause=nobody")
    assert "invalid time 'soon'" in console.text("/traces?since=soon")


def test_search_by_the_start_of_an_id(console: Console, demo_db: Path) -> None:
    """An id of a trace or of a decision leads to its page; one that nothing begins with is told."""
    trace_id = trace_with(demo_db, "agreed_limits")
    assert console.ask(f"/traces?id={trace_id[:12]}").headers["location"] == f"/traces/{trace_id}"
    with Reader(demo_db) as reader:
        (record,) = reader.decisions(Filter(clause="agreed_limits", outcome="violated"))
    decided = console.ask(f"/decisions/{record['id']}").headers["location"]
    assert decided == f"/traces/{trace_id}?span={record['span_id']}#s-{record['span_id']}"
    assert "No id begins with 'ffff'" in console.text("/traces?id=ffff")
    assert "No trace" in console.text("/traces/unknown", 404)


def test_pages_go_on_where_the_one_before_ended(tmp_path: Path, open_on: Callable[..., Console]) -> None:
    """Every call is on one page exactly, also where many were decided in the same nanosecond."""
    exporter = SQLiteDecisionExporter(tmp_path / "many.db")
    now = time.time_ns()
    exporter.export([decision_record(f"d-{n:03}", now - n // 30) for n in range(70)])
    exporter.shutdown()
    console, path, seen = open_on(tmp_path / "many.db"), "/traces?verdict=violated", []
    while path:
        page = console.get(path)
        seen += re.findall(r'href="/decisions/([^"]+)"', page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        path = following[1].replace("&amp;", "&") if following else ""
    assert len(seen) == 70
    assert set(seen) == {f"d-{n:03}" for n in range(70)}


def test_decision_without_a_trace_has_a_page(tmp_path: Path, open_on: Callable[..., Console]) -> None:
    """Where no tracing was set up, the decision itself is shown."""
    exporter = SQLiteDecisionExporter(tmp_path / "x.db")
    exporter.export([decision_record("d-1", time.time_ns()) | {"trace_id": None, "span_id": None}])
    exporter.shutdown()
    words = open_on(tmp_path / "x.db").text("/decisions/d-1")
    assert "violated privacy" in words
    assert "without a trace" in words


def test_refused_reloads_stand_on_the_page_of_policies(tmp_path: Path, open_on: Callable[..., Console]) -> None:
    """What a running service refused is told with its reason, from whichever machine."""
    exporter = SQLiteDecisionExporter(tmp_path / "x.db")
    refusal = {
        "v": 2, "type": "policy_refusal", "id": "r-1", "time_unix_nano": time.time_ns(), "service": {"name": "desk"},
        "reason": "policy.yaml:4: no clause <b>be_kin</b>",
    }  # fmt: skip
    exporter.export([decision_record("d-1", time.time_ns()), refusal])
    exporter.shutdown()
    page = open_on(tmp_path / "x.db").text("/policy")
    assert "Reloads that services refused" in page
    assert "desk policy.yaml:4: no clause <b>be_kin</b>" in page
