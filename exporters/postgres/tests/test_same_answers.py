"""SQLite and PostgreSQL, given the same records, answer every question of the command line alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from benchmarks import stores
from benchmarks.stored_traffic import decision_records, policy_records
from generated_decisions import call_record, decisions, policies
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import TracerProvider
from postgres_server import Postgres

from specspan.record.decision_record import PolicyActivation, RecordBuilder, Service
from specspan.sqlite import Filter, SQLiteDecisionExporter, SQLiteSpanExporter
from specspan.sqlite import Reader as SQLiteReader
from specspan.sqlite.model import GROUPS
from specspan_exporter_postgres import PostgresDecisionExporter, PostgresSpanExporter, Reader


@pytest.mark.thorough
def test_every_question_of_the_command_line(url: str, tmp_path: Path) -> None:
    """Lists by every filter, traces, decisions, statistics by everything, and the export."""
    file = str(tmp_path / "specspan.db")
    stores.fill(SQLiteDecisionExporter(file), SQLiteSpanExporter(file), 400)
    stores.fill(PostgresDecisionExporter(url), PostgresSpanExporter(url), 400)
    differing = [words for words, _, _, is_equal in stores.compare(file, url, tmp_path) if not is_equal]
    assert differing == []


def everything(reader: Any, clauses: list[str]) -> dict[str, Any]:
    """Return a reader's answer to every question about decisions."""
    outcomes = (None, "complied", "violated", "unassessed", "uncertain", "not_applicable", "overridden")
    filters = [Filter(clause, outcome, limit=100) for clause in (None, *clauses) for outcome in outcomes]
    found: dict[str, Any] = {str(each): [record["id"] for record in reader.decisions(each)] for each in filters}
    for by in (None, *GROUPS):
        groups = reader.statistics(by)
        found[f"by {by}"] = [
            (each.name, each.calls, dict(each.verdicts), each.violations, dict(each.unassessed), dict(each.usage))
            for each in groups
        ]
    found["all"] = list(reader.iter_decisions())
    found["hours"], found["models"], found["judges"] = reader.decision_hours(), reader.models(), reader.judge_usage()
    found["counts"] = [reader.clause_counts(outcome=outcome) for outcome in outcomes]
    found["activations"] = reader.policy_activations()
    of_clause = clauses[0]
    for each in (Filter(), Filter(outcome="violated"), Filter(of_clause), Filter(of_clause, "complied")):
        found[f"pages of {each}"] = list(_pages(reader, replace(each, limit=2)))
    for model in (*reader.models(), "nobody"):
        found[f"of {model}"] = [record["id"] for record in reader.decisions(Filter(model=model))]
    return found | {"clauses": reader.clauses(), "services": reader.services()}


def _pages(reader: Any, wanted: Filter) -> Iterator[str]:
    """Yield the ids of a list that is read page by page."""
    while page := reader.decisions(wanted):
        yield from (record["id"] for record in page)
        wanted = replace(wanted, after=(page[-1]["time_unix_nano"], page[-1]["id"]))


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_generated_decisions(server: Postgres, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """Any outcomes under any policies, whose records come before, between or after the decisions, in any batches."""
    policy = data.draw(policies)
    builder = RecordBuilder(Service("desk", "1"), digest_key=b"k")
    activation = PolicyActivation(policy, 5)
    builder.add_policy(activation)
    records = [builder.build(call_record(data.draw(decisions(policy, n)), n + 1)) for n in range(4)]
    records.insert(data.draw(st.integers(0, len(records))), builder.build(activation))
    cut = data.draw(st.integers(0, len(records)))
    file, url = tmp_path_factory.mktemp("x") / "x.db", server.new_database()
    for exporter in (SQLiteDecisionExporter(file), PostgresDecisionExporter(url)):
        for batch in (records[:cut], records[cut:], records[:2]):
            exporter.export(batch)
        exporter.shutdown()
    with SQLiteReader(file) as one, Reader(url) as other:
        clauses = [*policy.clauses, "nobody"]
        assert everything(one, clauses) == everything(other, clauses)


def test_a_policy_that_comes_late_or_never(url: str, tmp_path: Path) -> None:
    """Without its record a decision says what it says itself; once it is there, everything is counted."""
    file = tmp_path / "x.db"
    records = list(decision_records(40))
    for missing in (True, False):
        for exporter in (SQLiteDecisionExporter(file), PostgresDecisionExporter(url)):
            exporter.export(records if missing else policy_records())
            exporter.shutdown()
        with SQLiteReader(file) as one, Reader(url) as other:
            assert everything(one, ["clause_38"]) == everything(other, ["clause_38"])
            assert ("missing_policy_record" in next(iter(other.iter_decisions()))) is missing


def test_findings_that_come_late(url: str, tmp_path: Path) -> None:
    """One comes and changes the verdict, one comes twice, one is of a process that has gone, one is still awaited."""
    file = tmp_path / "x.db"
    finding = {"clause": "privacy", "outcome": "pending"}
    made = [
        {
            "v": 2, "type": "decision", "id": f"d-{n}", "time_unix_nano": n, "service": {"name": "desk"}, "policy": {},
            "verdict": "complied", "action": "allow", "findings": [{"position": 0, **finding}],
            "pending": {"until_unix_nano": 2**62 if n < 3 else 1, "process": {"host": "elsewhere", "pid": 1}},
        }
        for n in range(4)
    ]  # fmt: skip
    ruling = {"verdict": "violated", "action": "flag", "governing_clause": "privacy", "reason": "seen"}
    late = [
        {
            "v": 2, "type": "finding", "decision": f"d-{n}", "time_unix_nano": 5,
            "finding": {"position": 0, "clause": "privacy", "outcome": outcome, "score": 0.5},
            **({"amended": {"before": {"verdict": "complied"}, "after": ruling}} if outcome == "violated" else {}),
        }
        for n, outcome in ((0, "violated"), (1, "complied"), (1, "violated"))
    ]  # fmt: skip
    for exporter in (SQLiteDecisionExporter(file), PostgresDecisionExporter(url)):
        exporter.export(made)
        exporter.export(late)
        exporter.shutdown()
    for again in (SQLiteDecisionExporter(file), PostgresDecisionExporter(url)):
        again.export(late[:1])  # and settles what was lost
        again.shutdown()
    with SQLiteReader(file) as one, Reader(url) as other:
        ours, theirs = everything(one, ["privacy"]), everything(other, ["privacy"])
        for found in (ours, theirs):  # each says when it found that one was lost
            assert found["all"][3]["findings"][0].pop("late_unix_nano") > 2
        assert ours == theirs
        outcomes = [record["findings"][0]["outcome"] for record in other.iter_decisions()]
        assert outcomes == ["violated", "complied", "pending", "unassessed"]
        assert [record["verdict"] for record in other.iter_decisions()][:2] == ["violated", "complied"]


def test_findings_that_take_the_place_of_others(url: str, tmp_path: Path) -> None:
    """A second opinion counts in place of the first, and an answer in place of one that was given up as lost."""
    file = tmp_path / "x.db"
    made = [
        {
            "v": 2, "type": "decision", "id": f"d-{n}", "time_unix_nano": n, "service": {"name": "desk"}, "policy": {},
            "verdict": "unassessed", "action": "allow", "findings": [{"position": 0, "clause": "privacy", **found}],
            "pending": {"until_unix_nano": 1},
        }
        for n, found in enumerate(
            ({"outcome": "pending"}, {"outcome": "pending"}, {"outcome": "unassessed", "reason": "not_triggered"})
        )
    ]  # fmt: skip
    ruling = {"verdict": "violated", "action": "flag", "governing_clause": "privacy", "reason": "judged"}
    late = [
        {
            "v": 2, "type": "finding", "decision": f"d-{n}", "time_unix_nano": 2**61,
            "finding": {"position": 0, "clause": "privacy", "outcome": "violated", "reason": "judged"},
            "amended": {"before": {"verdict": "unassessed"}, "after": ruling},
            **({"replaces": {"outcome": "unassessed"}} if n else {}),
        }
        for n in range(3)
    ]  # fmt: skip
    for make in (lambda: SQLiteDecisionExporter(file), lambda: PostgresDecisionExporter(url)):
        for records in (made, [{"v": 2, "type": "other"}], late):
            exporter = make()
            exporter.export(records)
            exporter.shutdown()
    with SQLiteReader(file) as one, Reader(url) as other:
        assert everything(one, ["privacy"]) == everything(other, ["privacy"])
        assert [record["findings"][0]["outcome"] for record in other.iter_decisions()] == ["violated"] * 3
        for reader in (one, other):
            assert dict(reader.statistics("clause")[0].verdicts) == {"violated": 3}


def test_spans_read_back_the_same(url: str, tmp_path: Path) -> None:
    """Attributes of every type, events, links, scope, resource, and characters that PostgreSQL has not."""
    file = tmp_path / "x.db"
    provider = TracerProvider(shutdown_on_exit=False)
    tracer = provider.get_tracer("tests", "1.0", attributes={"a": 1})
    parent = tracer.start_span("work", attributes={"user.id": "u-1", "list": ["a", "b"], "float": 0.5, "yes": True})
    parent.add_event("seen", {"text": "nul \0 and ü"})
    odd = tracer.start_span("odd \0 name", attributes={"specspan.decision.verdict": "violated"})
    child = tracer.start_span("child", links=None)
    for span in (child, odd, parent):
        span.end()
    for exporter in (SQLiteSpanExporter(file), PostgresSpanExporter(url)):
        exporter.write([parent, odd, child])  # type: ignore[list-item]
        exporter.write([child])  # type: ignore[list-item]
        exporter.shutdown()
    with SQLiteReader(file) as one, Reader(url) as other:
        for span in (parent, child):
            trace_id = f"{span.get_span_context().trace_id:032x}"
            assert one.spans(trace_id) == other.spans(trace_id)
        (theirs,) = other.spans(f"{odd.get_span_context().trace_id:032x}")
        assert theirs.name == "odd \ufffd name"
        assert theirs.attributes == {"specspan.decision.verdict": "violated"}
        assert len(one.traces()) == len(other.traces()) == 3
