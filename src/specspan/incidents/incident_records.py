"""Incident and its facts as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from specspan.calibration.share_lift import share_record
from specspan.incidents.change_ranking import Change
from specspan.incidents.clause_history import Tally
from specspan.incidents.incident import Incident
from specspan.incidents.incident_facts import IncidentFacts
from specspan.stores.oversight_events import OversightEvent


def incident_record(incident: Incident) -> dict[str, Any]:
    """Return an incident as JSON has it."""
    return {
        "id": incident.id,
        "clause": incident.clause,
        "state": incident.state.value,
        "opened": utc(incident.opened_unix_nano),
        "since": utc(incident.since_unix_nano),
        "baseline": utc(incident.baseline_unix_nano),
        "ended": utc(incident.ended_unix_nano),
        "alert": incident.alert_key,
        "changes": incident.changes,
    }


def facts_record(facts: IncidentFacts) -> dict[str, Any]:
    """Return the facts as JSON has them. Every share stands with its denominator and its interval at 95 %."""
    history, affected = facts.history, facts.affected
    return {
        "until": utc(facts.until_unix_nano),
        "clause": dict(facts.clause_record),
        "rate": {"during": _rate(facts.during), "before": _rate(facts.before)},
        "outcomes": dict(sorted(history.outcomes.items())),
        "first_violation": utc(history.first_unix_nano),
        "last_violation": utc(history.last_unix_nano),
        "last_clean": utc(facts.last_clean_unix_nano),
        "services": _groups(history.services),
        "models": _groups(history.models),
        "affected": {
            "violating_calls": affected.violating,
            "spans_read": affected.looked_at,
            "users": affected.users,
            "spans_without_user": affected.without_user,
            "conversations": affected.conversations,
            "spans_without_conversation": affected.without_conversation,
        },
        "changes": [change_record(change) for change in facts.changes],
        "timeline": [
            {"hour": utc(hour * 10**9), "decided": tally.decided, "violated": tally.violated}
            for hour, tally in history.hours.items()
        ],
        "policies": list(facts.policy_digests),
        "missing_policy_records": history.missing_policies,
        "examples": list(history.examples),
    }


def change_record(change: Change) -> dict[str, Any]:
    """Return a change as JSON has it."""
    lifted = change.lift
    return {
        "factor": change.version.factor,
        "version": change.version.name,
        "replaced": list(change.replaced),
        "first_seen": utc(change.first_unix_nano),
        "with": {"violated": change.with_it.violated, "of": change.with_it.decided},
        "without": {"violated": change.without_it.violated, "of": change.without_it.decided},
        "lift": None if lifted is None else {"ratio": lifted.ratio, "interval": [lifted.low, lifted.high]},
    }


def history_record(history: Sequence[OversightEvent]) -> list[dict[str, Any]]:
    """Return every change of an incident as JSON has it."""
    return [
        {"time": utc(event.time_unix_nano), "kind": event.kind, "by": event.person, **event.detail} for event in history
    ]


def utc(time_unix_nano: int | None) -> str | None:
    """Return a time in ISO 8601, UTC, to the second; None for none."""
    if time_unix_nano is None:
        return None
    return datetime.fromtimestamp(time_unix_nano / 1e9, tz=timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _groups(tallies: Mapping[str, Tally]) -> dict[str, dict[str, Any]]:
    worst_first = sorted(tallies.items(), key=lambda item: (-item[1].violated, item[0]))
    return {name: _rate(tally) for name, tally in worst_first}


def _rate(tally: Tally) -> dict[str, Any]:
    return share_record(tally.violated, tally.decided, "violated")
