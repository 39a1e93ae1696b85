"""Approvals in a store, which those who ask and those who approve share, whatever process they are in."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Any, TypeVar
from uuid import uuid4

from specspan.approvals.approval_request import (
    ApprovalOutcome,
    ApprovalRequest,
    ApprovalState,
    Default,
)
from specspan.errors import EmptyStore, OversightRefused
from specspan.stores.opening import open_transactions
from specspan.stores.oversight_events import OversightEvent, append_event, events_of, find_event, new_event_id
from specspan.stores.people import Person, Role
from specspan.stores.transactions import Statements

T = TypeVar("T")
_COLUMNS = """id, digest, kind, name, clause, service, decision_id, trace_id, state, on_expiry, requested_unix_nano,
    expires_unix_nano, settled_unix_nano, settled_by, record"""
_INSERT = """INSERT INTO approval VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?, ?, NULL, NULL, 1, ?)
    ON CONFLICT (id) DO NOTHING"""
_SAVE = "UPDATE approval SET state = ?, settled_unix_nano = ?, settled_by = ?, changes = changes + 1 WHERE id = ?"
_UNUSED = (ApprovalState.WAITING, ApprovalState.APPROVED)
_CHUNK = 500
_BILLION = 10**9
_LATEST = 2**63 - 1
"""Latest time that a store holds, in nanoseconds."""


@dataclass(frozen=True, slots=True)
class ApprovalPage:
    """Part of a list of approvals, the latest first."""

    approvals: Sequence[ApprovalRequest]
    next_key: str | None
    """Key of the next part; None where this is the last."""


class ApprovalStore:
    """Approvals of the store that an address names. Any thread may use it.

    Its methods raise `specspan.errors.StoreError` where the store is locked, read-only, of a newer version or out of
    reach, and `specspan.errors.OversightRefused` where what is asked is refused; nothing is changed then.
    """

    def __init__(self, db: str | os.PathLike[str] | None = None) -> None:
        """Open nothing yet. ``db`` is by default ``SPECSPAN_DB``, else ``specspan.db`` in the current folder."""
        self._transactions = open_transactions(db)

    @property
    def name(self) -> str:
        """Name of the store in messages, without a password."""
        return self._transactions.name

    def close(self) -> None:
        """Close the connections to the store; a later call opens others."""
        self._transactions.close()

    def request(
        self,
        kind: str,
        name: str,
        digest: str,
        *,
        timeout_s: float,
        on_expiry: Default = "deny",
        key: str | None = None,
        clause: str | None = None,
        service: str | None = None,
        decision_id: str | None = None,
        trace_id: str | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> ApprovalRequest:
        """Ask for an approval, and return it as it stands.

        With a ``key`` there is one approval of what the digest names, however often it is asked for: whoever asks again
        after a restart finds the same one.
        """
        approval_id = str(uuid4()) if key is None else hashlib.sha256(f"{key}\n{digest}".encode()).hexdigest()[:32]
        text = json.dumps(detail or {}, ensure_ascii=False, separators=(",", ":"))

        def work(statements: Statements) -> ApprovalRequest:
            now_ns = statements.now_ns()
            expires = now_ns + int(timeout_s * _BILLION)
            known = (approval_id, digest, kind, name, clause, service, decision_id, trace_id)
            if statements.change(_INSERT, (*known, on_expiry, now_ns, expires, text)):
                append_event(statements, OversightEvent(approval_id, 1, new_event_id(), "requested", now_ns, None))
            return self._as_now(statements, _lock(statements, approval_id))

        return self._transactions.write(work)

    def approve(
        self, approval_id: str, by: Person, *, reason: str = "", digest: str | None = None, event_id: str | None = None
    ) -> ApprovalRequest:
        """Approve what waits, and return it.

        Args:
            approval_id: the approval.
            by: who approves.
            reason: why, which is recorded.
            digest: digest of what the person was shown; another one is refused.
            event_id: id of the approval, so that one that is sent twice is made once.

        Raises:
            OversightRefused: ``unknown_approval``, ``already_settled``, ``expired``, ``changed``, ``known_id`` or
                ``role``.
        """
        return self._settle(approval_id, by, ApprovalState.APPROVED, reason, digest, event_id)

    def deny(self, approval_id: str, by: Person, *, reason: str = "", event_id: str | None = None) -> ApprovalRequest:
        """Deny what waits, and return it.

        Raises:
            OversightRefused: ``unknown_approval``, ``already_settled``, ``expired``, ``known_id`` or ``role``.
        """
        return self._settle(approval_id, by, ApprovalState.DENIED, reason, None, event_id)

    def use(self, approval_id: str, digest: str, *, resumes: bool = False) -> ApprovalOutcome:
        """Begin what was approved: of all who ask, one may go ahead. Where it may not, return what became of it.

        Args:
            approval_id: the approval.
            digest: digest of what is about to run.
            resumes: True to go ahead also where it began before and is not known to have ended, as after a crash: for
                effects that happen once however often they are begun, by the approval's id.

        Raises:
            OversightRefused: ``unknown_approval``; ``changed``: the digest is another.
        """

        def work(statements: Statements) -> ApprovalOutcome | OversightRefused:
            found = self._as_now(statements, _lock(statements, approval_id))
            if found.digest != digest:
                return _changed(approval_id)
            may_go = found.state is ApprovalState.APPROVED or (resumes and found.state is ApprovalState.USED)
            if may_go:
                self._save(statements, replace(found, state=ApprovalState.USED), "used", None, {"resumed": resumes})
                return ApprovalOutcome(approval_id, ApprovalState.USED, is_approved=True, by=found.settled_by)
            is_allowed = found.state is ApprovalState.EXPIRED and self._is_allowed_by_default(statements, found)
            return ApprovalOutcome(approval_id, found.state, is_allowed, found.settled_by)

        return _accepted(self._transactions.write(work))

    def finish(self, approval_id: str) -> None:
        """Write down that what was approved has run, so that nobody resumes it."""

        def work(statements: Statements) -> None:
            found = _lock(statements, approval_id)
            if found.state is ApprovalState.USED:
                self._save(statements, replace(found, state=ApprovalState.DONE), "done", None)

        self._transactions.write(work)

    def expire(self, approval_id: str) -> ApprovalRequest:
        """Have an approval expire that nobody gave, whatever the store's clock says: its asker waits no longer."""

        def work(statements: Statements) -> ApprovalRequest:
            found = _lock(statements, approval_id)
            if found.state is not ApprovalState.WAITING:
                return self._as_now(statements, found)
            return self._save(statements, replace(found, state=ApprovalState.EXPIRED), "expired", None)

        return self._transactions.write(work)

    def get(self, approval_id: str) -> ApprovalRequest:
        """Return an approval as it is now.

        Raises:
            OversightRefused: ``unknown_approval``.
        """
        try:
            return self._transactions.read(lambda statements: _at(_load(statements, approval_id), statements.now_ns()))
        except EmptyStore:
            raise _unknown(approval_id) from None

    def history(self, approval_id: str) -> Sequence[OversightEvent]:
        """Return every change of an approval, from the first to the last."""
        return self._transactions.read(lambda statements: events_of(statements, approval_id))

    def states(self, ids: Iterable[str]) -> Mapping[str, ApprovalState]:
        """Return the states of several approvals as they are now."""
        wanted = list(ids)

        def work(statements: Statements) -> dict[str, ApprovalState]:
            found: dict[str, ApprovalState] = {}
            for start in range(0, len(wanted), _CHUNK):
                part = wanted[start : start + _CHUNK]
                marks = ", ".join("?" * len(part))
                rows = statements.rows(f"SELECT {_COLUMNS} FROM approval WHERE id IN ({marks})", part)
                now_ns = statements.now_ns()
                found |= {each.id: _at(each, now_ns).state for each in map(_approval, rows)}
            return found

        return self._transactions.read(work)

    def ids(self, prefix: str, limit: int = 5) -> Sequence[str]:
        """Return ids of approvals that begin with ``prefix``, sorted."""
        sql = "SELECT id FROM approval WHERE id >= ? AND id < ? ORDER BY id LIMIT ?"
        try:
            return [
                row[0] for row in self._transactions.read(lambda given: given.rows(sql, (prefix, prefix + "~", limit)))
            ]
        except EmptyStore:
            return ()

    def list(self, state: ApprovalState | None = None, *, after: str | None = None, limit: int = 50) -> ApprovalPage:
        """Return approvals, the latest first; ``after`` is the key of the part before.

        Raises:
            OversightRefused: ``invalid_key``.
        """

        def work(statements: Statements) -> ApprovalPage:
            now_ns = statements.now_ns()
            conditions, values = _of_state(state, now_ns)
            if after is not None:
                conditions.append("(requested_unix_nano, id) < (?, ?)")
                values += _parse_key(after)
            where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
            order = "ORDER BY requested_unix_nano DESC, id DESC LIMIT ?"
            rows = statements.rows(f"SELECT {_COLUMNS} FROM approval {where} {order}", (*values, limit + 1))
            found = [_at(_approval(row), now_ns) for row in rows[:limit]]
            last = f"{found[-1].requested_unix_nano}~{found[-1].id}" if len(rows) > limit else None
            return ApprovalPage(found, last)

        try:
            return self._transactions.read(work)
        except EmptyStore:
            return ApprovalPage((), None)

    def _settle(
        self, approval_id: str, by: Person, state: ApprovalState, reason: str, digest: str | None, event_id: str | None
    ) -> ApprovalRequest:
        by.require(Role.APPROVER, "approve or deny")
        own_id = event_id or new_event_id()

        def work(statements: Statements) -> ApprovalRequest | OversightRefused:
            known = find_event(statements, own_id)
            found = self._as_now(statements, _lock(statements, approval_id))
            if known is not None:
                is_same = (known.subject_id, known.person, known.kind) == (approval_id, by.name, state.value)
                return found if is_same else _known_id(own_id)
            if found.state is not ApprovalState.WAITING:
                return _too_late(found)
            if digest is not None and digest != found.digest:
                return _changed(approval_id)
            now_ns = max(statements.now_ns(), found.requested_unix_nano)
            after = replace(found, state=state, settled_by=by.name, settled_unix_nano=now_ns)
            return self._save(statements, after, state.value, by.name, {"reason": reason} if reason else {}, own_id)

        return _accepted(self._transactions.write(work))

    def _as_now(self, statements: Statements, found: ApprovalRequest) -> ApprovalRequest:
        """Return an approval as it is now; where its time is over, that is written down for good."""
        after = _at(found, statements.now_ns())
        return self._save(statements, after, "expired", None) if after.state is not found.state else found

    def _is_allowed_by_default(self, statements: Statements, found: ApprovalRequest) -> bool:
        """Return whether a caller may go ahead by default, and write down that one does."""
        if found.on_expiry != "allow" or found.settled_by is not None:
            return False
        self._save(statements, replace(found, state=ApprovalState.USED), "used", None, {"by": "default"})
        return True

    def _save(
        self,
        statements: Statements,
        after: ApprovalRequest,
        kind: str,
        person: str | None,
        detail: Mapping[str, Any] | None = None,
        event_id: str | None = None,
    ) -> ApprovalRequest:
        statements.change(_SAVE, (after.state.value, after.settled_unix_nano, after.settled_by, after.id))
        ((number,),) = statements.rows("SELECT changes FROM approval WHERE id = ?", (after.id,))
        event = OversightEvent(
            after.id, number, event_id or new_event_id(), kind, statements.now_ns(), person, detail or {}
        )
        append_event(statements, event)
        return after


def _lock(statements: Statements, approval_id: str) -> ApprovalRequest:
    return _load(statements, approval_id, statements.for_update)


def _load(statements: Statements, approval_id: str, ending: str = "") -> ApprovalRequest:
    found = statements.rows(f"SELECT {_COLUMNS} FROM approval WHERE id = ?{ending}", (approval_id,))
    if not found:
        raise _unknown(approval_id)
    return _approval(found[0])


def _approval(row: Sequence[Any]) -> ApprovalRequest:
    values = dict(zip(map(str.strip, _COLUMNS.split(",")), row, strict=True))
    record = json.loads(values.pop("record"))
    return ApprovalRequest(**{**values, "state": ApprovalState(values["state"]), "detail": record})


def _at(found: ApprovalRequest, now_ns: int) -> ApprovalRequest:
    is_over = found.state in _UNUSED and now_ns >= found.expires_unix_nano
    return replace(found, state=ApprovalState.EXPIRED) if is_over else found


def _of_state(state: ApprovalState | None, now_ns: int) -> tuple[list[str], list[Any]]:
    if state is None:
        return [], []
    if state is ApprovalState.EXPIRED:
        return ["(state = 'expired' OR (state IN ('waiting', 'approved') AND expires_unix_nano <= ?))"], [now_ns]
    if state in _UNUSED:
        return ["state = ?", "expires_unix_nano > ?"], [state.value, now_ns]
    return ["state = ?"], [state.value]


def _parse_key(key: str) -> tuple[int, str]:
    time, _, approval_id = key.partition("~")
    if not time.isdecimal() or not approval_id or len(time) > 19:
        raise OversightRefused("invalid_key", f"invalid key of a page {key[:40]!r}", "Begin with the first page.")
    return min(int(time), _LATEST), approval_id


def _too_late(found: ApprovalRequest) -> OversightRefused:
    if found.state is ApprovalState.EXPIRED:
        problem = f"{found.id} expired at {_clock(found.expires_unix_nano)}"
        return OversightRefused("expired", problem, "It has to be asked for anew.")
    said = "denied" if found.state is ApprovalState.DENIED else "approved"
    who = "the default" if found.settled_by is None else repr(found.settled_by)
    problem = f"{who} {said} {found.id} first, at {_clock(found.settled_unix_nano or 0)}"
    return OversightRefused("already_settled", problem, "It holds; nobody approves or denies twice.")


def _known_id(event_id: str) -> OversightRefused:
    problem = f"the id {event_id[:80]!r} is that of another change"
    return OversightRefused("known_id", problem, "Choose a new id for each approval.")


def _changed(approval_id: str) -> OversightRefused:
    problem = f"{approval_id} is about something else: its digest is another"
    return OversightRefused("changed", problem, "Ask for an approval of exactly what is to run.")


def _unknown(approval_id: str) -> OversightRefused:
    return OversightRefused("unknown_approval", f"no approval {approval_id!r}", "`specspan approvals` lists them.")


def _clock(unix_nano: int) -> str:
    return datetime.fromtimestamp(unix_nano / _BILLION, timezone.utc).strftime("%Y-%m-%d %H:%M:%SZ")


def _accepted(result: T | OversightRefused) -> T:
    if isinstance(result, OversightRefused):
        raise result
    return result
