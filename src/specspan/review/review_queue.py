"""Queue of reviews in a store, which any number of services and reviewers share."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from specspan.decision import ReviewCause
from specspan.errors import EmptyStore, OversightRefused, StoreError
from specspan.review import review_rows, review_transitions
from specspan.review.decision_amendment import Amendment, amend_decision, changed_verdicts
from specspan.review.review_task import (
    ReviewFilter,
    ReviewPage,
    ReviewState,
    ReviewTask,
    RuledTask,
    Ruling,
    RulingKind,
    RulingResult,
)
from specspan.review.review_telemetry import ReviewTelemetry, RulingWriter
from specspan.review.reviewed_decision import ReviewedDecision, find_decision, find_decision_to_rule
from specspan.sqlite.review_rows import TaskRow, insert_task
from specspan.stores.opening import open_transactions
from specspan.stores.oversight_events import OversightEvent, append_event, events_of, find_event, new_event_id
from specspan.stores.people import Person, Role
from specspan.stores.transactions import Statements

T = TypeVar("T")
PAGE = 50
"""Number of tasks in a part of a list."""


class ReviewQueue:
    """Queue of the store that an address names. Any thread may use it.

    Its methods raise `specspan.errors.StoreError` where the store is locked, read-only, of a newer version or out of
    reach, and `specspan.errors.OversightRefused` where what is asked is refused; nothing is changed then.
    """

    def __init__(self, db: str | os.PathLike[str] | None = None, *, telemetry: RulingWriter | None = None) -> None:
        """Open nothing yet.

        Args:
            db: address of the store, by default ``SPECSPAN_DB``, else ``specspan.db`` in the current folder.
            telemetry: writer of rulings to OpenTelemetry, by default one with the global providers.

        Raises:
            ConfigurationError: the address names no kind of store that is installed.
        """
        self._db = db
        self._telemetry = telemetry or ReviewTelemetry()
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
        decision_id: str,
        clause: str,
        *,
        by: Person,
        wanted_rulings: int = 1,
        expires_unix_nano: int | None = None,
    ) -> ReviewTask:
        """Ask for a review of a clause of a decision; one that was asked for already is returned as it is.

        Raises:
            OversightRefused: ``unknown_decision``, ``unknown_clause`` or ``role``.
        """
        by.require(Role.REVIEWER, "ask for a review")
        decision = find_decision(self._db, decision_id, clause)

        def work(statements: Statements) -> ReviewTask:
            causes = [ReviewCause.REQUESTED.value]
            row = TaskRow(
                decision_id,
                clause,
                decision.outcome,
                causes,
                decision.service,
                decision.record.get("trace_id"),
                statements.now_ns(),
                expires_unix_nano,
                wanted_rulings,
                decision.call is not None,
            )
            insert_task(statements.change, row, event_id=new_event_id(), person=by.name)
            return review_rows.load(statements, row.id)

        return self._transactions.write(work)

    def claim(self, task_id: str, by: Person, *, claim_s: float = review_transitions.CLAIM_S) -> ReviewTask:
        """Keep a task from other reviewers for some time, and return it.

        Raises:
            OversightRefused: ``unknown_task``, ``claimed``, ``own_ruling``, ``already_ruled``, ``expired`` or ``role``.
        """
        by.require(Role.REVIEWER, "claim a review")

        def change(task: ReviewTask, now_ns: int) -> ReviewTask:
            return review_transitions.claim(task, by.name, now_ns, claim_s)

        return self._change(task_id, "claimed", by, change)

    def release(self, task_id: str, by: Person) -> ReviewTask:
        """Give a claimed task back, and return it.

        Raises:
            OversightRefused: ``unknown_task``, ``not_claimed``, ``already_ruled``, ``expired`` or ``role``.
        """
        by.require(Role.REVIEWER, "give a review back")

        def change(task: ReviewTask, _now_ns: int) -> ReviewTask:
            return review_transitions.release(task, by.name, is_admin=by.role is Role.ADMIN)

        return self._change(task_id, "released", by, change)

    def rule(
        self,
        task_id: str,
        by: Person,
        kind: RulingKind,
        *,
        reason: str,
        outcome: str | None = None,
        ruling_id: str | None = None,
    ) -> RulingResult:
        """Rule on a task, which is claimed on the way where nobody else has it.

        The ruling that completes a task amends the decision in the same transaction.

        Args:
            task_id: the task.
            by: who rules.
            kind: what the reviewer says to the outcome that the checks found.
            reason: why, in the reviewer's words; it may quote the content, and is recorded.
            outcome: the other outcome, of a ruling that overrules.
            ruling_id: id of the ruling, so that one that is sent twice is made once; by default a new one.

        Raises:
            OversightRefused: ``unknown_task``, ``already_ruled``, ``claimed``, ``own_ruling``, ``expired``, ``role``,
                ``invalid_outcome``, ``no_reason``, ``unknown_clause``, ``decision_gone`` or ``content_gone``.
        """
        by.require(Role.REVIEWER, "rule on a review")
        if not reason.strip():
            raise OversightRefused("no_reason", "the ruling has no reason", "Say in a sentence why.")
        decision = find_decision_to_rule(self._db, self.task(task_id))
        event_id = ruling_id or new_event_id()
        announced: list[RulingResult] = []

        def work(statements: Statements) -> RulingResult | OversightRefused:
            announced.clear()
            known = find_event(statements, event_id)
            if known is not None:
                return self._made_before(statements, known, task_id, by)
            before = review_rows.lock(statements, task_id)
            now_ns = statements.now_ns()
            task = review_transitions.at_time(before, now_ns)
            try:
                claimed = review_transitions.claim(task, by.name, now_ns)
                said = review_transitions.ruled_outcome(task, kind, outcome)
            except OversightRefused as refusal:
                announced.extend(_save_expiry(statements, before, task, now_ns))
                return refusal
            if task.claimed_by is None:
                _append(statements, task_id, new_event_id(), "claimed", now_ns, by.name)
            earlier = [ruling.outcome for ruling in review_rows.rulings(statements, task_id)]
            after = review_transitions.rule(claimed, by.name, [*earlier, said], now_ns)
            amendment = self._amend(statements, after)
            detail: dict[str, Any] = {"kind": kind.value, "outcome": said, "found": task.outcome, "reason": reason}
            if amendment is not None:
                detail["amended"] = amendment.to_record()
            _append(statements, task_id, event_id, "ruled", now_ns, by.name, detail)
            review_rows.save(statements, after)
            ruling = Ruling(event_id, task_id, by.name, kind, said, reason, now_ns)
            result = RulingResult(after, ruling, None if amendment is None else amendment.verdicts)
            announced.extend(review_rows.rulings_to_announce(statements, after, result))
            return result

        result = self._transactions.write(work)
        self._announce(announced, decision.record)
        return _accepted(result)

    def expire(self) -> int:
        """Have tasks expire whose time is over, and return their number."""
        announced: list[RulingResult] = []

        def work(statements: Statements) -> int:
            announced.clear()
            now_ns = statements.now_ns()
            due = review_rows.due(statements, now_ns)
            for task_id in due:
                before = review_rows.lock(statements, task_id)
                task = review_transitions.at_time(before, now_ns)
                announced.extend(_save_expiry(statements, before, task, now_ns))
            return len(due)

        try:
            if not self._transactions.read(lambda statements: review_rows.due(statements, statements.now_ns())):
                return 0
        except EmptyStore:
            return 0
        number = self._transactions.write(work)
        self._announce(announced)
        return number

    def list(
        self,
        wanted: ReviewFilter = ReviewFilter(),  # noqa: B008 - frozen
        *,
        after: str | None = None,
        limit: int = PAGE,
        oldest_first: bool = False,
    ) -> ReviewPage:
        """Return tasks, the one opened last first, or first; ``after`` is the key of the part before.

        Raises:
            OversightRefused: ``invalid_key``.
        """

        def work(statements: Statements) -> ReviewPage:
            return review_rows.page(statements, wanted, after, limit, oldest_first=oldest_first)

        try:
            return self._transactions.read(work)
        except EmptyStore:
            return ReviewPage((), None)

    def counts(self) -> Mapping[ReviewState, int]:
        """Return the number of tasks by state."""
        try:
            return self._transactions.read(review_rows.counts)
        except EmptyStore:
            return dict.fromkeys(ReviewState, 0)

    def task(self, task_id: str) -> ReviewTask:
        """Return a task as it is now.

        Raises:
            OversightRefused: ``unknown_task``.
        """
        try:
            return self._transactions.read(lambda statements: review_rows.load(statements, task_id))
        except EmptyStore:
            raise review_rows.unknown_task(task_id) from None

    def task_ids(self, prefix: str, limit: int = 5) -> Sequence[str]:
        """Return ids of tasks that begin with ``prefix``, sorted."""
        try:
            return self._transactions.read(lambda statements: review_rows.ids(statements, prefix, limit))
        except EmptyStore:
            return ()

    def decision(self, task: ReviewTask) -> ReviewedDecision:
        """Return what a person needs to rule on a task.

        Raises:
            OversightRefused: ``unknown_decision`` or ``unknown_clause``: it is gone.
        """
        return find_decision(self._db, task.decision_id, task.clause)

    def ruled(self, clause: str | None = None) -> Sequence[RuledTask]:
        """Return every task that nobody rules on any more, with its rulings: for agreement, labels and exports."""
        try:
            return self._transactions.read(lambda statements: review_rows.ruled(statements, clause))
        except EmptyStore:
            return ()

    def rulings(self, task_id: str, viewer: str) -> Sequence[Ruling]:
        """Return the rulings on a task that a person may see: their own, and those of others once they ruled."""

        def work(statements: Statements) -> Sequence[Ruling]:
            task, found = review_rows.load(statements, task_id), review_rows.rulings(statements, task_id)
            is_visible = review_transitions.is_visible(task, viewer)
            return [ruling for ruling in found if is_visible or ruling.reviewer == viewer]

        return self._transactions.read(work)

    def history(self, task_id: str, viewer: str) -> Sequence[OversightEvent]:
        """Return every change of a task; of a ruling that a person may not see yet, only who made it and when."""

        def work(statements: Statements) -> Sequence[OversightEvent]:
            task, found = review_rows.load(statements, task_id), events_of(statements, task_id)
            if review_transitions.is_visible(task, viewer):
                return found
            return [
                replace(event, detail={}) if event.kind == "ruled" and event.person != viewer else event
                for event in found
            ]

        return self._transactions.read(work)

    def _change(
        self, task_id: str, kind: str, by: Person, change: Callable[[ReviewTask, int], ReviewTask]
    ) -> ReviewTask:
        announced: list[RulingResult] = []

        def work(statements: Statements) -> ReviewTask | OversightRefused:
            announced.clear()
            before = review_rows.lock(statements, task_id)
            now_ns = statements.now_ns()
            task = review_transitions.at_time(before, now_ns)
            try:
                after = change(task, now_ns)
            except OversightRefused as refusal:
                announced.extend(_save_expiry(statements, before, task, now_ns))
                return refusal
            _append(statements, task_id, new_event_id(), kind, now_ns, by.name)
            review_rows.save(statements, after)
            return after

        result = self._transactions.write(work)
        self._announce(announced)
        return _accepted(result)

    def _announce(self, rulings: Sequence[RulingResult], record: Mapping[str, Any] | None = None) -> None:
        """Write rulings to OpenTelemetry, where the spans of calls show them to whoever looks."""
        for each in rulings:
            self._telemetry.write(each, self._record_of(each.task) if record is None else record)

    def _record_of(self, task: ReviewTask) -> Mapping[str, Any]:
        try:
            return self.decision(task).record
        except (OversightRefused, StoreError):  # gone: there is no call to stand below
            return {}

    def _made_before(
        self, statements: Statements, known: OversightEvent, task_id: str, by: Person
    ) -> RulingResult | OversightRefused:
        if known.kind != "ruled" or known.subject_id != task_id or known.person != by.name:
            problem = f"the id {known.id!r} is that of another change"
            return OversightRefused("known_id", problem, "Choose a new id for each ruling.")
        amended = known.detail.get("amended")
        verdicts = None if amended is None else changed_verdicts(amended["before"], amended["after"])
        return RulingResult(review_rows.load(statements, task_id), review_rows.ruling(known), verdicts)

    def _amend(self, statements: Statements, task: ReviewTask) -> Amendment | None:
        """Change the verdict of the decision where the rulings on it change it; return what changed.

        The decision is read again, as a finding may have come since the ruling began. None comes while the transaction
        has the task's row.
        """
        if task.state is not ReviewState.RULED or task.ruled_outcome is None:
            return None
        decision = find_decision(self._db, task.decision_id, task.clause)
        ruled = review_rows.ruled_outcomes(statements, task.decision_id) | {task.clause: task.ruled_outcome}
        amendment = amend_decision(decision.record, ruled, decision.levels)
        if amendment is not None:
            review_rows.write_verdict(statements, task.decision_id, amendment.after)
        return amendment


def _save_expiry(statements: Statements, before: ReviewTask, after: ReviewTask, now_ns: int) -> Sequence[RulingResult]:
    """Write that a task expired, so that no clock that is behind revives it; return the rulings to announce."""
    if after.state is not ReviewState.EXPIRED or before.state is ReviewState.EXPIRED:
        return ()
    _append(statements, after.id, new_event_id(), "expired", now_ns, None)
    review_rows.save(statements, after)
    return review_rows.rulings_to_announce(statements, after)


def _append(
    statements: Statements,
    task_id: str,
    event_id: str,
    kind: str,
    now_ns: int,
    person: str | None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    number = review_rows.next_number(statements, task_id)
    append_event(statements, OversightEvent(task_id, number, event_id, kind, now_ns, person, detail or {}))


def _accepted(result: T | OversightRefused) -> T:
    if isinstance(result, OversightRefused):
        raise result
    return result
