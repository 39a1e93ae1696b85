"""Opening of an incident by a group of alerts."""

from __future__ import annotations

from specspan.incidents.alert_groups import AlertGroup
from specspan.incidents.incident_log import IncidentLog, OpenedIncident
from specspan.stores.people import Person

_HOUR_NS = 3600 * 10**9
BASELINE_NS = 7 * 24 * _HOUR_NS
"""Time before an incident with which it is compared."""
LEAD_NS = 6 * _HOUR_NS
"""Time before an alert in which what it is about may have begun: the longest window of a paging rule."""


def open_for_alert(log: IncidentLog, group: AlertGroup, by: Person) -> OpenedIncident:
    """Open the incident of a group of alerts, or return the one that it opened before.

    Raises:
        OversightRefused, StoreError: as `IncidentLog.open`.
    """
    since = group.starts_unix_nano - LEAD_NS
    return log.open(
        group.clause,
        by=by,
        since_unix_nano=since,
        baseline_unix_nano=since - BASELINE_NS,
        alert_key=group.key,
        detail={"text": group.summary, "labels": dict(group.labels), "alerts": group.alerts},
    )


def note_resolved(log: IncidentLog, group: AlertGroup, by: Person) -> None:
    """Put into the history of the incident of a group that its alerts are resolved, once; without one do nothing.

    Raises:
        OversightRefused, StoreError: as `IncidentLog.note`.
    """
    incident = log.of_alert(group.key)
    if incident is None:
        return
    events = log.history(incident.id)
    if all(event.detail.get("resolved") != group.starts_unix_nano for event in events):
        log.note(incident.id, by, "its alerts are resolved", {"resolved": group.starts_unix_nano})
