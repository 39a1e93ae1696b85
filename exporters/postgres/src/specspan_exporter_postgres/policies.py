"""Insertion of policy records, and of what combinations of outcomes say about the clauses of their policy."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from specspan.sqlite.expansion import outcome_and_reason, ranges
from specspan.sqlite.text import encode, integer, optional, storable
from specspan_exporter_postgres.writer import Session

Record = Mapping[str, Any]

_INSERT = """INSERT INTO specspan.policy (id, digest, clauses, record) VALUES (%s, %s, %s, %s)
    ON CONFLICT DO NOTHING"""
_ACTIVATE = "INSERT INTO specspan.policy_activation VALUES (%s, %s, %s) ON CONFLICT DO NOTHING"
_FINDINGS = "outcomes_id, clause, outcome, reason, findings"


def insert_policy(session: Session, record: Record) -> None:
    """Write a policy record once, and each moment at which it came into force.

    Combinations that came before it are expanded now, as only its list says what they are about. Names are locked.
    """
    name = storable(record["id"])
    digest = optional(_of(record.get("policy")).get("digest"))
    clauses = sorted(set(_clauses(record)))
    inserted = session.connection.execute(_INSERT, (name, digest, clauses, encode(record))).rowcount
    activation = (name, integer(record.get("time_unix_nano")), encode(_of(record.get("service"))))
    session.connection.execute(_ACTIVATE, activation)
    if inserted:
        waiting = session.connection.execute(
            "SELECT id, outcomes FROM specspan.decision_outcomes WHERE policy_record = %s AND NOT is_expanded", (name,)
        )
        combinations: dict[int, str] = dict(waiting.fetchall())
        session.copy("outcome_finding", _FINDINGS, list(_expand(combinations, record)))
        session.connection.execute(
            "UPDATE specspan.decision_outcomes SET is_expanded = true WHERE policy_record = %s AND NOT is_expanded",
            (name,),
        )


def find_policy(session: Session, name: str) -> Record | None:
    """Return the policy record of an id; None where the database lacks it."""
    found = session.connection.execute("SELECT record FROM specspan.policy WHERE id = %s", (storable(name),)).fetchone()
    return None if found is None else json.loads(found[0])


def insert_combinations(session: Session, name: str, combinations: Mapping[int, str]) -> None:
    """Write combinations of outcomes by number, under the policy record of an id. Names are locked."""
    asked = "SELECT id FROM specspan.decision_outcomes WHERE id = ANY(%s)"
    there = {row[0] for row in session.connection.execute(asked, (list(combinations),))}
    new = {each: text for each, text in combinations.items() if each not in there}
    if not new:
        return
    policy = find_policy(session, name)
    rows = [(each, storable(name), text, policy is not None) for each, text in new.items()]
    session.copy("decision_outcomes", "id, policy_record, outcomes, is_expanded", rows)
    if policy is not None:
        session.copy("outcome_finding", _FINDINGS, list(_expand(new, policy)))


def _expand(combinations: Mapping[int, str], policy: Record) -> Iterator[tuple[Any, ...]]:
    """Yield the findings that combinations name, counted by clause, outcome and reason."""
    clauses = _clauses(policy)
    for each, text in combinations.items():
        counts: Counter[tuple[str, str, str | None]] = Counter()
        for label, listed in json.loads(text).items():
            outcome, reason = outcome_and_reason(label)
            for first, last in ranges(listed):
                counts.update((clause, outcome, reason) for clause in clauses[first : last + 1])
        yield from ((each, *key, count) for key, count in counts.items())


def _clauses(policy: Record) -> list[str]:
    """Return the clause of each assessment of a policy, by its number."""
    listed = policy.get("assessments")
    found = (optional(_of(each).get("clause")) or "" for each in (listed if isinstance(listed, list) else ()))
    return [clause.replace("\0", "\ufffd") for clause in found]


def _of(value: Any) -> Record:
    return value if isinstance(value, Mapping) else {}
