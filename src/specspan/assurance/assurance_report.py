"""Facts of a report, from the records of one time. The same records make the same facts.

Counts are by whole hours (UTC), as stores keep them: the time begins and ends with an hour.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import yaml

from specspan.calibration.share_lift import share_record
from specspan.incidents.incident import Incident, IncidentState
from specspan.incidents.incident_log import IncidentLog
from specspan.incidents.incident_records import utc
from specspan.review.review_queue import ReviewQueue
from specspan.sqlite.model import ClauseCount
from specspan.sqlite.references import HOUR_NS
from specspan.stores.oversight_events import OversightEvent
from specspan.stores.protocols import StoreReader

Record = Mapping[str, Any]


def gather_report(
    reader: StoreReader, incidents: IncidentLog, reviews: ReviewQueue, since_unix_nano: int, until_unix_nano: int
) -> dict[str, Any]:
    """Return the facts of a report about the hours from one time to another, as JSON has them.

    Every share stands with its denominator and its interval at 95 %.

    Raises:
        StoreError: the store can no longer be read.
    """
    since, until = since_unix_nano // HOUR_NS * HOUR_NS, -(-until_unix_nano // HOUR_NS) * HOUR_NS
    hours = [each for each in reader.decision_hours(since) if each.hour_unix * 10**9 < until]
    by_service: dict[str, Counter[str]] = defaultdict(Counter)
    for hour in hours:
        by_service[hour.service or "unknown"][hour.verdict] += hour.decisions
    return {
        "v": 1,
        "type": "assurance_report",
        "since": utc(since),
        "until": utc(until),
        "texts": _texts(reader.policy_activations(), since, until),
        "decisions": {
            "total": sum(hour.decisions for hour in hours),
            "first_hour": utc(min((hour.hour_unix * 10**9 for hour in hours), default=None)),
            "by_service": {name: dict(sorted(counts.items())) for name, counts in sorted(by_service.items())},
            "clauses_considered": sum(hour.considered for hour in hours),
            "clauses_unassessed": sum(hour.unassessed for hour in hours),
        },
        "clauses": _clauses(reader.clause_counts(since), reader.clause_counts(until)),
        "reviews": {state.value: number for state, number in reviews.counts().items()},
        "incidents": [
            _incident(incident, incidents.history(incident.id))
            for incident in reversed(incidents.list())
            if incident.opened_unix_nano < until and (incident.ended_unix_nano or until) >= since
        ],
        "removals": [_removal(record) for record in reader.prunings() if since <= record["time_unix_nano"] < until],
        "evidence": evidence_map(),
        "lacking": _lacking(hours),
    }


@cache
def evidence_map() -> Sequence[Record]:
    """Return what each section is evidence for, and what it is not, with the sources."""
    text = (files("specspan.assurance") / "evidence.yaml").read_text(encoding="utf-8")
    entries: list[dict[str, Any]] = yaml.safe_load(text)
    return tuple(entries)


def _clauses(from_since: Iterable[ClauseCount], from_until: Iterable[ClauseCount]) -> list[dict[str, Any]]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for each in from_since:
        counts[each.clause][each.outcome] += each.findings
    for each in from_until:
        counts[each.clause][each.outcome] -= each.findings
    found = []
    for clause, outcomes in sorted(counts.items()):
        kept = {outcome: number for outcome, number in sorted(outcomes.items()) if number > 0}
        if kept:
            violated = kept.get("violated", 0)
            decided = violated + kept.get("complied", 0)
            violations = share_record(violated, decided, "violated")
            found.append({"clause": clause, "findings": kept, "violations": violations})
    return found


def _texts(activations: Sequence[Record], since: int, until: int) -> list[dict[str, Any]]:
    """Return each moment at which a policy came into force, and what was in force when the time began."""
    before: dict[str, Record] = {}
    within = []
    for record in activations:
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


def _lacking(hours: Sequence[Any]) -> list[str]:
    """Return what a report of these records cannot say, in sentences."""
    lacking = [
        "Shares are as the checks found them; `specspan rates` corrects those of judges for their errors.",
        "Losses and the verification of the ledger are in `specspan ledger show` and `specspan ledger verify`.",
    ]
    return lacking if hours else ["No decision is on record in this time.", *lacking]
