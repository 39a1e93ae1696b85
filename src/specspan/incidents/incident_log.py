"""Incidents of a store, each with a history that is only added to."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from specspan.errors import EmptyStore, OversightRefused
from specspan.incidents import incident_rows
from specspan.incidents.incident import Incident, IncidentState
from specspan.stores.opening import open_transactions
from specspan.stores.oversight_events import OversightEvent, append_event, events_of, new_event_id
from specspan.stores.people import Person, Role
from specspan.stores.transactions import Statements


@dataclass(frozen=True, slots=True)
class OpenedIncident:
    """Incident, and whether it is a new one."""

    incident: Incident
    is_new: bool
    """False where the same group of alerts had opened it before."""


class IncidentLog:
    """Incidents of the store that an address names. Any thread may use it.

    Its methods raise `specspan.errors.StoreError` where the store is locked, read-only, of a newer version or out of
    reach, and `specspan.errors.OversightRefused` where what is asked is refused; nothing is changed then.
    """

    def __init__(self, db: str | os.PathLike[str] | None = None) -> None:
        """Open nothing yet.

        Args:
            db: address of the store, by default ``SPECSPAN_DB``, else ``specspan.db`` in the current folder.

        Raises:
            ConfigurationError: the address names no kind of store that is installed.
        """
        self._transactions = open_transactions(db)

    @property
    def name(self) -> str:
        """Name of the store in messages, without a password."""
        return self._transactions.name

    def close(self) -> None:
        """Close the connections to the store; a later call opens others."""
        self._transactions.close()

    def open(
        self,
        clause: str,
        *,
        by: Person,
        since_unix_nano: int,
        baseline_unix_nano: int,
        alert_key: str | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> OpenedIncident:
        """Open an incident; a group of alerts that opened one which is not closed gets that one.

        Args:
            clause: id of the clause.
            by: who opens it.
            since_unix_nano: earliest time at which it may have begun.
            baseline_unix_nano: start of the time before, with which it is compared.
            alert_key: key of the group of alerts.
            detail: what is recorded of its opening, such as the labels of the alerts.

        Raises:
            OversightRefused: ``role``.
        """
        by.require(Role.REVIEWER, "open an incident")

        def work(statements: Statements) -> OpenedIncident:
            known = incident_rows.find_of_alert(statements, alert_key, statements.for_update)
            if known is not None and known.state is not IncidentState.CLOSED:
                return OpenedIncident(known, is_new=False)
            if known is not None:  # the group fires again: a new incident, and the key goes with it
                incident_rows.give_up_key(statements, known.id)
            now_ns = statements.now_ns()
            incident = Incident(
                id=new_event_id(),
                clause=clause,
                state=IncidentState.OPEN,
                opened_unix_nano=now_ns,
                since_unix_nano=min(since_unix_nano, now_ns),
                baseline_unix_nano=min(baseline_unix_nano, since_unix_nano, now_ns),
                ended_unix_nano=None,
                alert_key=alert_key,
                changes=1,
            )
            incident_rows.insert(statements, incident)
            append_event(
                statements,
                OversightEvent(incident.id, 1, new_event_id(), "incident_opened", now_ns, by.name, dict(detail or {})),
            )
            return OpenedIncident(incident, is_new=True)

        return self._transactions.write(work)

    def note(self, incident_id: str, by: Person, text: str, detail: Mapping[str, Any] | None = None) -> Incident:
        """Add a note to an incident, also to one that is closed.

        Raises:
            OversightRefused: ``unknown_incident``, ``no_reason`` or ``role``.
        """
        return self._change(incident_id, "incident_noted", by, text, None, detail)

    def mitigate(self, incident_id: str, by: Person, reason: str, detail: Mapping[str, Any] | None = None) -> Incident:
        """Say what holds the violations off.

        Raises:
            OversightRefused: ``unknown_incident``, ``closed``, ``no_reason`` or ``role``.
        """
        return self._change(incident_id, "incident_mitigated", by, reason, IncidentState.MITIGATED, detail)

    def end(self, incident_id: str, by: Person, reason: str) -> Incident:
        """Close an incident, with the reason why it is over.

        Raises:
            OversightRefused: ``unknown_incident``, ``closed``, ``no_reason`` or ``role``.
        """
        return self._change(incident_id, "incident_closed", by, reason, IncidentState.CLOSED)

    def list(self, *, state: IncidentState | None = None, clause: str | None = None) -> Sequence[Incident]:
        """Return incidents, the one opened last first; 1,000 at most."""
        try:
            return self._transactions.read(lambda statements: incident_rows.listed(statements, state, clause))
        except EmptyStore:
            return []

    def ids(self, prefix: str, limit: int = 5) -> Sequence[str]:
        """Return ids of incidents that begin with ``prefix``, sorted."""
        try:
            return self._transactions.read(lambda statements: incident_rows.ids(statements, prefix, limit))
        except EmptyStore:
            return []

    def incident(self, incident_id: str) -> Incident:
        """Return the incident of an id, as it is now.

        Raises:
            OversightRefused: ``unknown_incident``.
        """
        try:
            return self._transactions.read(lambda statements: incident_rows.load(statements, incident_id))
        except EmptyStore:
            raise incident_rows.unknown_incident(incident_id) from None

    def of_alert(self, alert_key: str) -> Incident | None:
        """Return the incident that a group of alerts opened last; None without one."""
        try:
            return self._transactions.read(lambda statements: incident_rows.find_of_alert(statements, alert_key))
        except EmptyStore:
            return None

    def history(self, incident_id: str) -> Sequence[OversightEvent]:
        """Return every change of an incident, the first one first."""
        try:
            return self._transactions.read(lambda statements: events_of(statements, incident_id))
        except EmptyStore:
            return []

    def _change(
        self,
        incident_id: str,
        kind: str,
        by: Person,
        text: str,
        state: IncidentState | None,
        detail: Mapping[str, Any] | None = None,
    ) -> Incident:
        by.require(Role.REVIEWER, "change an incident")
        if not text.strip():
            raise OversightRefused("no_reason", "the change has no reason", "Say in a sentence what was found or done.")

        def work(statements: Statements) -> Incident:
            before = incident_rows.load(statements, incident_id, statements.for_update)
            if state is not None and before.state is IncidentState.CLOSED:
                raise OversightRefused("closed", f"the incident {incident_id} is closed", "Open a new one.")
            now_ns = statements.now_ns()
            after = replace(before, changes=before.changes + 1, state=state or before.state)
            if state is IncidentState.CLOSED:
                after = replace(after, ended_unix_nano=now_ns)
            incident_rows.save(statements, after)
            said = {"text": text, **(detail or {})}
            event = OversightEvent(incident_id, after.changes, new_event_id(), kind, now_ns, by.name, said)
            append_event(statements, event)
            return after

        return self._transactions.write(work)
