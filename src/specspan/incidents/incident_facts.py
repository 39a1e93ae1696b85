"""Facts about an incident, gathered from the store: who was affected, how much of it, since when, and what changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from specspan.incidents.change_ranking import Change, rank_changes
from specspan.incidents.clause_history import ClauseHistory, Tally, read_history
from specspan.incidents.incident import Incident
from specspan.record.conventions import CONVERSATION_ID, USER_ID
from specspan.sqlite.references import HOUR_NS
from specspan.stores.protocols import StoreReader

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Affected:
    """Number of distinct users and conversations among violating calls, as far as spans name them."""

    looked_at: int
    """Number of violating calls whose spans were read."""
    violating: int
    """Number of violating calls."""
    users: int
    conversations: int
    without_user: int
    """Number of spans that name no user."""
    without_conversation: int


@dataclass(frozen=True, slots=True)
class IncidentFacts:
    """Everything that the store knows of an incident."""

    incident: Incident
    until_unix_nano: int
    """Time up to which the calls were read."""
    before: Tally
    """Calls from the baseline on, before the incident may have begun."""
    during: Tally
    history: ClauseHistory
    """Calls of both times together."""
    last_clean_unix_nano: int | None
    """End of the last hour before the first violation of the incident in which calls were decided and none violated."""
    changes: Sequence[Change]
    affected: Affected
    clause_record: Record
    """Clause as the latest policy's record has it, with the ``text`` in force; empty where no such record is there."""
    policy_digests: Sequence[str]
    """Policies under which the calls were decided, in the order of their first call."""


def gather_facts(reader: StoreReader, incident: Incident, now_unix_nano: int) -> IncidentFacts:
    """Return the facts about an incident, from its baseline until it was closed, or now.

    Raises:
        StoreError: the store can no longer be read.
    """
    until = incident.ended_unix_nano or now_unix_nano
    calls = reader.clause_calls(incident.clause, incident.baseline_unix_nano, until)
    history = read_history(calls, incident.clause, split_unix_nano=incident.since_unix_nano)
    during = history.after
    digests = list(history.policies)
    record = next((history.policies[digest] for digest in reversed(digests) if history.policies[digest]), {})
    clauses = record.get("clauses") or ()
    return IncidentFacts(
        incident=incident,
        until_unix_nano=until,
        before=Tally(history.total.decided - during.decided, history.total.violated - during.violated),
        during=during,
        history=history,
        last_clean_unix_nano=_last_clean(history),
        changes=rank_changes(history),
        affected=_affected(reader, history),
        clause_record=next((each for each in clauses if each.get("id") == incident.clause), {}),
        policy_digests=digests,
    )


def _last_clean(history: ClauseHistory) -> int | None:
    if history.first_unix_nano is None:
        return None
    first_hour = history.first_unix_nano // HOUR_NS * 3600
    clean = [hour for hour, tally in history.hours.items() if hour < first_hour and not tally.violated]
    return (max(clean) + 3600) * 10**9 if clean else None


def _affected(reader: StoreReader, history: ClauseHistory) -> Affected:
    users: set[str] = set()
    conversations: set[str] = set()
    found = without_user = without_conversation = 0
    for trace_id, span_id in history.violating_spans:
        span = next((each for each in reader.spans(trace_id) if each.span_id == span_id), None)
        if span is None:
            continue
        found += 1
        user, conversation = span.attributes.get(USER_ID), span.attributes.get(CONVERSATION_ID)
        without_user += user is None
        without_conversation += conversation is None
        users.update(() if user is None else (str(user),))
        conversations.update(() if conversation is None else (str(conversation),))
    violating = history.after.violated
    return Affected(found, violating, len(users), len(conversations), without_user, without_conversation)
