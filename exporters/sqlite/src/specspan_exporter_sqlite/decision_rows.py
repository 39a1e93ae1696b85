"""Rows of one decision record: the decision, what it shares with others, and the findings it writes in full. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .bulk_insert import Row
from .expansion import BY_REFERENCE, outcome_and_reason, policy_record_of
from .text import encode, integer, optional, real, storable

Record = Mapping[str, Any]

_RANGES = re.compile(r"[0-9]{1,9}(-[0-9]{1,9})?(,[0-9]{1,9}(-[0-9]{1,9})?)*", re.ASCII)
_SHARED = ("v", "type", "service", "spec", "policy", "mode")
_COLUMNS = ("id", "trace_id", "span_id", "verdict", "action", "would", "governing_clause", "reason")
"""Members that stand in a column alone, where they are text."""


@dataclass(frozen=True, slots=True)
class SharedPart:
    """Members that many decisions have alike."""

    record: str
    """All of them as JSON."""
    service: str | None
    mode: str | None
    policy_digest: str | None
    policy_record: str | None
    """Id of the policy record, where the decisions refer to one."""


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """Row of a decision before the numbers of its shared part and its block are known."""

    time_unix_nano: int
    service: str
    policy_digest: str
    columns: Row
    """Values up to and with ``outcomes``."""
    outcomes: Mapping[str, str]
    """Ranges of assessments by outcome and reason."""
    shared: SharedPart | None
    """None for a record that is stored whole."""
    findings: list[Row]

    @property
    def all_outcomes(self) -> Iterator[str]:
        """Outcomes of its findings, by reference and in full."""
        yield from (outcome_and_reason(label)[0] for label in self.outcomes)
        yield from (finding[OUTCOME] for finding in self.findings)


CLAUSE, OUTCOME = 3, 4
"""Columns of ``finding_row``."""


class SharedParts:
    """Shared parts of the decisions of one batch: records that were made together have most members in common."""

    def __init__(self) -> None:
        self._by_identity: dict[tuple[int, ...], SharedPart] = {}

    def of(self, record: Record) -> SharedPart:
        """Return the shared part of a record that lives as long as this."""
        key = tuple([id(record.get(name)) for name in _SHARED])
        part = self._by_identity.get(key)
        if part is None:
            part = self._by_identity[key] = _shared(record)
        return part


def decision_row(record: Record, shared_parts: SharedParts) -> DecisionRow:
    """Return the rows of a decision record, whose id is a string."""
    shared = shared_parts.of(record) if record.get("v") == BY_REFERENCE and _has_time(record) else None
    service = optional(_of(record.get("service")).get("name"))
    digest = optional(_of(record.get("policy")).get("digest"))
    outcomes = _outcomes(record) if shared is not None else {}
    own = record if shared is None else _own_members(record, outcomes)
    columns = (
        storable(record["id"]),
        integer(record.get("time_unix_nano")),
        optional(record.get("trace_id")),
        optional(record.get("span_id")),
        service if shared is None else None,
        optional(record.get("verdict")),
        optional(record.get("action")),
        optional(record.get("would")),
        optional(record.get("mode")) if shared is None else None,
        optional(record.get("governing_clause")),
        optional(record.get("reason")),
        digest if shared is None else None,
        encode(own),
        encode(outcomes) if outcomes else None,
    )
    return DecisionRow(columns[1], service or "", digest or "", columns, outcomes, shared, list(_findings(record)))


def _shared(record: Record) -> SharedPart:
    return SharedPart(
        record=encode({key: record[key] for key in _SHARED if key in record}),
        service=optional(_of(record.get("service")).get("name")),
        mode=optional(record.get("mode")),
        policy_digest=optional(_of(record.get("policy")).get("digest")),
        policy_record=policy_record_of(record),
    )


def _has_time(record: Record) -> bool:
    when = record.get("time_unix_nano")
    return type(when) is int and integer(when) == when


def _outcomes(record: Record) -> Mapping[str, str]:
    """Return the references of a decision; empty where there are none, or not all of them can be read."""
    outcomes = record.get("outcomes")
    if policy_record_of(record) is None or not isinstance(outcomes, Mapping):
        return {}
    if all(isinstance(ranges, str) and _RANGES.fullmatch(ranges) for ranges in outcomes.values()):
        return outcomes
    return {}


def _own_members(record: Record, outcomes: Mapping[str, str]) -> Record:
    """Return the members of a record that stand neither in a column nor in its shared part."""
    columns = {key for key in _COLUMNS if isinstance(text := record.get(key), str) and storable(text) == text}
    columns.add("time_unix_nano")
    if outcomes:
        columns.add("outcomes")
    return {key: value for key, value in record.items() if key not in columns and key not in _SHARED}


def _findings(record: Record) -> Iterator[Row]:
    decision_id, when = storable(record["id"]), integer(record.get("time_unix_nano"))
    findings = record.get("findings") or ()
    used = set()
    for index, each in enumerate(findings if isinstance(findings, (list, tuple)) else ()):
        finding = _of(each)
        position = finding.get("position")
        ordinal = position if isinstance(position, int) and 0 <= position < 2**31 and position not in used else index
        while ordinal in used:
            ordinal += 1
        used.add(ordinal)
        yield finding_row(decision_id, ordinal, when, finding)


def finding_row(decision_id: str, ordinal: int, when: int, finding: Record) -> Row:
    """Return the row of a finding that is written in full."""
    check = _of(finding.get("check"))
    return (
        decision_id,
        ordinal,
        when,
        optional(finding.get("clause")) or "",
        optional(finding.get("outcome")) or "",
        optional(finding.get("authority")),
        optional(finding.get("severity")),
        optional(finding.get("reason")),
        real(finding.get("score")),
        optional(finding.get("stage")),
        optional(check.get("name")),
        optional(check.get("kind")),
        optional(check.get("version")),
    )


def stored_record(row: Row) -> Record:
    """Return a record from its columns, `STORED_COLUMNS` in their order, as it was handed over."""
    own, outcomes, shared, when, *texts = row
    if shared is None:
        whole: Record = own
        return whole
    columns = {key: text for key, text in zip(_COLUMNS, texts, strict=True) if text is not None}
    references = {} if outcomes is None else {"outcomes": outcomes}
    return {**shared, "id": None, "time_unix_nano": when, **columns, **references, **own}


STORED_COLUMNS = ", ".join(
    ("d.record", "d.outcomes", "s.record", "d.time_unix_nano", *(f"d.{column}" for column in _COLUMNS))
)
"""Columns of ``decision_row AS d`` and ``decision_shared AS s`` that hold a record; the first three are JSON."""


def _of(value: Any) -> Record:
    return value if isinstance(value, Mapping) else {}
