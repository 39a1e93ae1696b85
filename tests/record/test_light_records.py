"""Records by reference say what full records said: to readers, to SQL, to searches and in counts."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from importlib import resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jsonschema
from generated_decisions import call_record, decisions, findings_of, full_findings, make_policy, policies
from hypothesis import given, settings
from hypothesis import strategies as st
from recording import KIND, SSN, decision
from thorough import examples

from specspan.decision import Decision, Outcome
from specspan.policy.policy import Policy
from specspan.record.decision_record import PolicyActivation, RecordBuilder, Service
from specspan.record.finding_references import FindingReferences, assessment_key
from specspan.sqlite import Filter, Reader, SQLiteDecisionExporter

HOUR_NS = 3_600_000_000_000
SCHEMA = json.loads(
    resources.files("specspan.record").joinpath("schemas/decision-record-v2.json").read_text(encoding="utf-8")
)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
Record = Mapping[str, Any]


@st.composite
def recorded(draw: st.DrawFn) -> tuple[list[Record], list[Decision], list[Record]]:
    """Policy records of one or two policies, decisions under them, and the records of these, mixed."""
    builder = RecordBuilder(Service("desk"))
    policy_records: list[Record] = []
    records: list[Record] = []
    made: list[Decision] = []
    for index in range(draw(st.integers(1, 2))):
        policy = _renamed(draw(policies), f"sha256:{index}")
        activation = PolicyActivation(policy, index)
        builder.add_policy(activation)
        policy_records.append(builder.build(activation))
        for _ in range(draw(st.integers(1, 4))):
            made.append(draw(decisions(policy, len(made))))
            record = builder.build(call_record(made[-1], len(made)))
            record.pop("pending", None)  # nobody owes a finding of 1970 any more
            records.append(record)
    return policy_records, made, records


def _renamed(policy: Policy, digest: str) -> Policy:
    bound = [(name, len(each.checks), bool(each.when.facts)) for name, each in policy.clauses.items()]
    return make_policy(bound, digest)


@given(recorded(), st.booleans())
@settings(max_examples=examples(60), deadline=None)
def test_answers_are_those_of_full_records(what: tuple[list[Record], list[Decision], list[Record]], late: bool) -> None:
    """Whether the policy's record comes before or after: each record, the view, every search and every count."""
    policy_records, made, records = what
    for record in (*policy_records, *records):
        VALIDATOR.validate(record)
    expected = {each.id: full_findings(each) for each in made}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "specspan.db"
        exporter = SQLiteDecisionExporter(path)
        for batch in [records, policy_records] if late else [policy_records, records]:
            exporter.export(batch)
        exporter.export(records)
        exporter.shutdown()
        with Reader(path) as reader:
            assert {each["id"]: each["findings"] for each in reader.decisions(Filter(limit=-1))} == expected
            _compare_searches(reader, made)
        with closing(sqlite3.connect(path)) as connection:
            _compare_views(connection, made, records)


def _compare_searches(reader: Reader, made: list[Decision]) -> None:
    clauses = sorted({finding.clause for each in made for finding in each.findings})
    for clause in (None, "nowhere", *clauses):
        for outcome in (None, *Outcome):
            for limit in (1, -1):
                if clause or outcome:
                    found = reader.decisions(Filter(clause=clause, outcome=outcome, limit=limit))
                    latest_first = sorted(made, key=lambda each: (each.time_unix_nano, each.id), reverse=True)
                    matching = [each.id for each in latest_first if _has(each, clause, outcome)]
                    assert [each["id"] for each in found] == (matching if limit < 0 else matching[:limit])


def _has(made: Decision, clause: str | None, outcome: str | None) -> bool:
    return any(
        clause in (None, finding.clause) and outcome in (None, finding.outcome.value) for finding in made.findings
    )


def _compare_views(connection: sqlite3.Connection, made: list[Decision], records: list[Record]) -> None:
    rows = connection.execute(
        """SELECT decision_id, time_unix_nano, clause, outcome, authority, severity, reason, score, stage, check_name,
           check_kind, check_version FROM finding"""
    )
    assert Counter(rows) == Counter(
        (
            *(each.id, each.time_unix_nano, finding["clause"], finding["outcome"], finding["authority"]),
            *(finding["severity"], finding["reason"], finding["score"], finding["stage"]),
            *((finding["check"] or {}).get(key) for key in ("name", "kind", "version")),
        )
        for each in made
        for finding in full_findings(each)
    )
    counts = connection.execute("SELECT hour_unix, clause, outcome, policy_digest, service, count FROM clause_count")
    assert {row[:-1]: row[-1] for row in counts} == Counter(
        (each.time_unix_nano // HOUR_NS * 3600, finding.clause, finding.outcome.value, each.policy_digest, "desk")
        for each in made
        for finding in each.findings
    )
    stored = {id_: json.loads(text) for id_, text in connection.execute("SELECT id, record FROM decision")}
    assert stored == {record["id"]: record for record in records}


def test_calls_with_the_same_findings_share_their_references() -> None:
    """References of a tuple of findings that many calls share are made once."""
    policy = make_policy([(f"clause_{number:03}", 1, False) for number in range(100)])
    builder = RecordBuilder(Service("desk"))
    builder.add_policy(PolicyActivation(policy, 0))
    findings = tuple(finding for of_clause in findings_of(policy) for finding in of_clause)
    specs = tuple(spec.ref for spec in policy.specs)
    made = [decision(*findings, policy_digest=policy.digest, specs=specs, id=name) for name in "ab"]

    first, second = (builder.build(call_record(replace(each, findings=findings))) for each in made)

    assert first["outcomes"] == {"complied": "0-99"}
    assert first["outcomes"] is second["outcomes"]
    assert "findings" not in first
    assert len(json.dumps(first, separators=(",", ":"))) < 1_300


def test_without_a_policy_that_was_announced_everything_is_said_in_full() -> None:
    """A decision whose policy nobody recorded refers to nothing."""
    record = RecordBuilder(Service("desk")).build(call_record(decision(KIND, SSN)))

    VALIDATOR.validate(record)
    assert "outcomes" not in record
    assert [finding["position"] for finding in record["findings"]] == [0, 1]
    assert record["policy"] == {"digest": "sha256:bb"}
    assert record["spec"][0]["digest"] == "sha256:aa"


def test_a_finding_of_a_clause_from_elsewhere_is_said_in_full() -> None:
    """A finding that the policy does not list, or lists otherwise, is never named by a number."""
    policy = make_policy([("clause_a", 1, False)])
    builder = RecordBuilder(Service("desk"))
    builder.add_policy(PolicyActivation(policy, 0))
    ((known,),) = findings_of(policy)
    made = decision(KIND, known, known, policy_digest=policy.digest, specs=tuple(each.ref for each in policy.specs))

    record = builder.build(call_record(made))

    assert record["outcomes"] == {"complied": "0"}
    assert [(each["position"], each["clause"]) for each in record["findings"]] == [(0, "be_kind"), (2, "clause_a")]


@given(st.data())
def test_what_is_known_of_other_calls_changes_no_references(data: st.DataObject) -> None:
    """Findings that calls share, and those that stand in for some of them, are referred to as if nothing was known."""
    policy = data.draw(policies)
    shared = [finding for of_clause in findings_of(policy) for finding in of_clause]
    keys = [assessment_key(finding) for finding in shared]
    knowing = FindingReferences(keys)
    for _ in range(data.draw(st.integers(1, 6))):
        findings = list(shared)
        for position in data.draw(st.sets(st.integers(0, len(shared) - 1), max_size=3)):
            findings[position] = replace(
                findings[position],
                outcome=data.draw(st.sampled_from(list(Outcome))),
                explanation=data.draw(st.sampled_from([None, "because"])),
                score=data.draw(st.sampled_from([None, 0.5])),
            )
        if data.draw(st.booleans()):
            findings.pop()
        governing = data.draw(st.sampled_from([None, shared[0].clause]))
        explained = data.draw(st.booleans())
        made = knowing.refer(tuple(findings), governing, with_explanations=explained)
        assert made == FindingReferences(keys).refer(tuple(findings), governing, with_explanations=explained)
