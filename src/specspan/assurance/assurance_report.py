"""Facts of a report, from the records of one time. The same records make the same facts.

Counts are by whole hours (UTC), as stores keep them: the time begins and ends with an hour.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from specspan.approvals.approval_store import ApprovalStore
from specspan.assurance.call_counts import CallCounts, clause_records, count_approvals, count_calls, override_records
from specspan.calibration.calibration_file import Calibration
from specspan.incidents.incident import Incident, IncidentState
from specspan.incidents.incident_log import IncidentLog
from specspan.incidents.incident_records import utc
from specspan.rates.check_counts import count_by_check
from specspan.rates.rate import find_rates, rate_json
from specspan.review.review_queue import ReviewQueue
from specspan.sqlite.references import HOUR_NS
from specspan.stores.oversight_events import OversightEvent
from specspan.stores.protocols import StoreReader

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReportSources:
    """What a report is made of besides the decisions of a store."""

    incidents: IncidentLog
    reviews: ReviewQueue
    approvals: ApprovalStore
    calibrations: Sequence[Calibration] = ()
    """Calibrations of judges, by which shares are corrected; none leaves that section out."""
    ledger: Record | None = None
    """Result of the check of a ledger, as `specspan ledger verify` prints it."""


def gather_report(
    reader: StoreReader,
    sources: ReportSources,
    since_unix_nano: int,
    until_unix_nano: int,
    service: str | None = None,
) -> dict[str, Any]:
    """Return the facts of a report about the hours from one time to another, as JSON has them.

    Every share stands with its denominator and its interval at 95 %. ``service`` leaves out what is of another.

    Raises:
        StoreError: the store can no longer be read.
    """
    since, until = since_unix_nano // HOUR_NS * HOUR_NS, -(-until_unix_nano // HOUR_NS) * HOUR_NS
    hours = [
        each
        for each in reader.decision_hours(since)
        if each.hour_unix * 10**9 < until and service in (None, each.service)
    ]
    counts = count_calls(reader.call_groups(since, until), service)
    return {
        "v": 1,
        "type": "assurance_report",
        "since": utc(since),
        "until": utc(until),
        "service": service,
        "texts": _texts(reader.policy_activations(), since, until, service),
        "decisions": {
            "total": counts.calls,
            "first_hour": utc(min((hour.hour_unix * 10**9 for hour in hours), default=None)),
            "by_service": {name: dict(sorted(found.items())) for name, found in sorted(counts.verdicts.items())},
            "clauses_considered": sum(hour.considered for hour in hours),
            "clauses_unassessed": sum(hour.unassessed for hour in hours),
        },
        "clauses": clause_records(counts),
        "overrides": override_records(counts),
        "corrected": _corrected(reader, sources.calibrations, since, until, service),
        "judges": [] if service is not None else _judges(reader, since, until),
        "reviews": {state.value: number for state, number in sources.reviews.counts().items()},
        "approvals": count_approvals(sources.approvals, since, until, service),
        "incidents": [
            _incident(incident, sources.incidents.history(incident.id))
            for incident in reversed(sources.incidents.list())
            if incident.opened_unix_nano < until and (incident.ended_unix_nano or until) >= since
        ],
        "removals": [_removal(record) for record in reader.prunings() if since <= record["time_unix_nano"] < until],
        "ledger": sources.ledger,
        "evidence": evidence_map(),
        "lacking": list(_lacking(counts, sources, service)),
    }


@cache
def evidence_map() -> Sequence[Record]:
    """Return what each section is evidence for, and what it is not, with the sources."""
    text = (files("specspan.assurance") / "evidence.yaml").read_text(encoding="utf-8")
    entries: list[dict[str, Any]] = yaml.safe_load(text)
    return tuple(entries)


def _corrected(
    reader: StoreReader, calibrations: Sequence[Calibration], since: int, until: int, service: str | None
) -> list[dict[str, Any]]:
    """Return the share of violations by each check, corrected by the calibrations; nothing without any."""
    if not calibrations:
        return []
    decisions = (
        decision
        for decision in reader.iter_decisions(since)
        if decision["time_unix_nano"] < until and service in (None, (decision.get("service") or {}).get("name"))
    )
    return [rate_json(rate) for rate in find_rates(count_by_check(decisions), calibrations)]


def _judges(reader: StoreReader, since: int, until: int) -> list[dict[str, Any]]:
    """Return what judges' own calls took, by model: from the calls since either end of the time."""
    later = {each.model: each for each in reader.judge_usage(until)}
    found = []
    for each in reader.judge_usage(since):
        after = later.get(each.model)
        requests = each.requests - (after.requests if after else 0)
        if requests > 0:
            cost = None if each.cost_usd is None else each.cost_usd - ((after.cost_usd if after else 0) or 0)
            found.append({"model": each.model, "requests": requests, "cost_usd": cost})
    return found


def _texts(activations: Sequence[Record], since: int, until: int, service: str | None) -> list[dict[str, Any]]:
    """Return each moment at which a policy came into force, and what was in force when the time began."""
    before: dict[str, Record] = {}
    within = []
    for record in activations:
        if service not in (None, (record.get("service") or {}).get("name")):
            continue
        if record["time_unix_nano"] < since:
            before[str((record.get("service") or {}).get("name"))] = record
        elif record["time_unix_nano"] < until:
            within.append(record)
    return [
        {
            "since": utc(record["time_unix_nano"]),
            "service": (record.get("service") or {}).get("name"),
            "spec": [dict(spec) for spec in record.get("spec") or ()],
            "policy": (record.get("policy") or {}).get("digest"),
            "layers": [layer.get("source") for layer in (record.get("policy") or {}).get("layers") or ()],
            "clauses": len(record.get("clauses") or ()),
            "checked": sum(bool(clause.get("checked")) for clause in record.get("clauses") or ()),
        }
        for record in (*before.values(), *within)
    ]


def _incident(incident: Incident, history: Sequence[OversightEvent]) -> dict[str, Any]:
    mitigated = next((event.time_unix_nano for event in history if event.kind == "incident_mitigated"), None)
    return {
        "id": incident.id,
        "clause": incident.clause,
        "state": incident.state.value,
        "opened": utc(incident.opened_unix_nano),
        "ended": utc(incident.ended_unix_nano),
        "seconds_to_mitigation": None if mitigated is None else (mitigated - incident.opened_unix_nano) // 10**9,
        "is_closed": incident.state is IncidentState.CLOSED,
    }


def _removal(record: Record) -> dict[str, Any]:
    return {"time": utc(record["time_unix_nano"]), "by": record.get("by"), "removed": record.get("removed")}


def _lacking(counts: CallCounts, sources: ReportSources, service: str | None) -> Iterator[str]:
    """Yield what a report of these records cannot say, in sentences."""
    if not counts.calls:
        yield "No decision is on record in this time."
    if not sources.calibrations:
        yield "Shares are as the checks found them: no calibration was given, by which those of judges are corrected."
    if sources.ledger is None:
        yield "No ledger was given: that records are whole and unchanged, and what was lost, is not shown."
    if service is not None:
        yield "Reviews, incidents, removals and the ledger are those of all services; costs of judges are left out."
