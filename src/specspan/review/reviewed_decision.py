"""Decision as a reviewer sees it: the call, the clause's text in force, what the checks found and where."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from specspan.bridges.stored_call import stored_call
from specspan.call import ModelCall
from specspan.errors import EmptyStore, OversightRefused
from specspan.review.decision_amendment import clause_outcome
from specspan.review.review_task import ReviewTask
from specspan.stores.opening import open_store

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReviewedDecision:
    """One clause of one decision, with what a person needs to rule on it."""

    record: Record
    """Decision record with every finding in full (docs/records.md). ``trace_id`` leads to the trace, ``call`` says what
    is known of a call whose content was not recorded."""
    outcome: str
    """Worst outcome of the clause."""
    findings: Sequence[Record]
    """Findings about the clause, each with its ``evidence`` (pointers into `call`)."""
    call: ModelCall | None
    """Call with its content; None where that was not recorded, or is gone."""
    clause_record: Record
    """Clause as its policy's record has it: ``id``, ``title``, ``authority`` and the ``text`` in force; empty where the
    record is missing."""
    levels: Mapping[str, int]
    """By level of authority, its distance from the top; empty where the policy's record does not say."""

    @property
    def service(self) -> str | None:
        """Name of the service that made the call."""
        name = (self.record.get("service") or {}).get("name")
        return None if name is None else str(name)


def find_decision(db: str | os.PathLike[str] | None, decision_id: str, clause: str) -> ReviewedDecision:
    """Return a clause of a decision in the store that an address names.

    Raises:
        OversightRefused: ``unknown_decision``, or ``unknown_clause``: the decision has no finding about it.
        StoreError: the store cannot be read.
    """
    try:
        with open_store(db) as reader:
            record = reader.decision(decision_id)
            policies = reader.policies([str((record.get("policy") or {}).get("digest"))])
            call = stored_call(reader, record)
    except (KeyError, EmptyStore):
        problem = f"no decision {decision_id!r} is in the store"
        raise OversightRefused("unknown_decision", problem, "`specspan decisions` lists them.") from None
    outcome = clause_outcome(record, clause)
    if outcome is None:
        problem = f"the decision {decision_id} has no finding about the clause {clause!r}"
        raise OversightRefused("unknown_clause", problem, "`specspan decisions show` lists its clauses.")
    policy = policies[0] if policies else {}
    levels = policy.get("levels")
    return ReviewedDecision(
        record=record,
        outcome=outcome,
        findings=[finding for finding in record.get("findings") or () if finding.get("clause") == clause],
        call=call,
        clause_record=next((each for each in policy.get("clauses") or () if each.get("id") == clause), {}),
        levels=levels if isinstance(levels, Mapping) else {},
    )


def find_decision_to_rule(db: str | os.PathLike[str] | None, task: ReviewTask) -> ReviewedDecision:
    """Return the decision of a task, with all that the reviewer was to see.

    Raises:
        OversightRefused: it, its clause or its content is gone.
    """
    try:
        decision = find_decision(db, task.decision_id, task.clause)
    except OversightRefused as refusal:
        if refusal.code != "unknown_decision":
            raise
        problem = f"the decision {task.decision_id} is gone"
        raise OversightRefused("decision_gone", problem, "It was pruned: nobody can rule on it any more.") from None
    if task.had_content and decision.call is None:
        problem = f"the content of the decision {task.decision_id} is gone"
        remedy = "It was pruned or erased: nobody can rule on it any more."
        raise OversightRefused("content_gone", problem, remedy)
    return decision
