"""Waiting for approvals: one thread of the process asks each store about all that wait, and wakes them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from typing import Any

from specspan._support import process
from specspan._support.alarm import Alarm
from specspan._support.background import start_thread
from specspan._support.drop_counts import count
from specspan._support.guard import guard
from specspan.approvals.approval_request import ApprovalOutcome, ApprovalRequest, ApprovalState
from specspan.approvals.approval_store import ApprovalStore
from specspan.engine.event_loops import make_alarm
from specspan.errors import OversightRefused, StoreError
from specspan.stores.people import Person

INTERVAL_S = 0.2
"""Time between two looks at a store."""
_GIVEN_UP = "unreachable"


class Watch:
    """Looks at one store for all who wait for its approvals."""

    def __init__(self, store: ApprovalStore) -> None:
        self._store = store
        process.after_fork(self)
        self.after_fork()

    def after_fork(self) -> None:
        """Begin anew in a forked child: the thread is the parent's, and so are those who waited."""
        self._lock = threading.Lock()
        self._waiting: dict[str, list[Callable[[], None]]] = {}
        self._thread: threading.Thread | None = None

    def add(self, approval_id: str, wake: Callable[[], None]) -> None:
        """Have ``wake`` called once the approval is no longer waiting for anybody."""
        with self._lock:
            self._waiting.setdefault(approval_id, []).append(wake)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="specspan-approvals", daemon=True)
                if not start_thread(self._thread, "who waits for an approval looks for itself when its time is over"):
                    self._thread = None

    def remove(self, approval_id: str, wake: Callable[[], None]) -> None:
        """Leave one who waits alone."""
        with self._lock, suppress(ValueError):
            left = self._waiting.get(approval_id, [])
            left.remove(wake)
            if not left:
                self._waiting.pop(approval_id, None)

    def _run(self) -> None:
        while True:
            time.sleep(INTERVAL_S)
            with self._lock:
                wanted = list(self._waiting)
                if not wanted:
                    self._thread = None
                    return
            with guard("approvals.watch"), suppress(StoreError):
                for approval_id, state in self._store.states(wanted).items():
                    if state is not ApprovalState.WAITING:
                        self._wake(approval_id)

    def _wake(self, approval_id: str) -> None:
        with self._lock:
            waiting = list(self._waiting.get(approval_id, ()))
        for wake in waiting:
            wake()


class PendingApproval:
    """Approval that was asked for: ``await`` it, or call `wait`. Who is told that it is approved may go ahead, once."""

    def __init__(
        self, watch: Watch, store: ApprovalStore, request: ApprovalRequest, *, resumes: bool, timeout_s: float
    ) -> None:
        self._watch, self._store, self._resumes = watch, store, resumes
        self._deadline_s = time.monotonic() + timeout_s
        self.request = request
        """Approval as it stood when it was asked for."""
        self.outcome: ApprovalOutcome | None = None
        """Result, once it is waited for."""

    @property
    def id(self) -> str:
        """Id of the approval, by which a person approves or denies it."""
        return self.request.id

    def wait(self) -> ApprovalOutcome:
        """Wait on this thread until the approval is settled or its time is over, and use it where it may be."""
        alarm = Alarm()
        self._watch.add(self.id, alarm.ring)
        try:
            if self._is_waiting():
                alarm.wait(max(0.0, self._deadline_s - time.monotonic()))
        finally:
            self._watch.remove(self.id, alarm.ring)
        return self._settle()

    async def wait_async(self) -> ApprovalOutcome:
        """Wait as `wait` does, without blocking the event loop while nobody has said anything."""
        alarm = make_alarm()
        self._watch.add(self.id, alarm.ring)
        try:
            if self._is_waiting():
                await alarm.wait(max(0.0, self._deadline_s - time.monotonic()))
        finally:
            self._watch.remove(self.id, alarm.ring)
        return self._settle()

    def __await__(self) -> Generator[Any, None, ApprovalOutcome]:
        """Let ``await`` on this object wait as `wait_async` does."""
        return self.wait_async().__await__()

    def settle(self, by: Person, *, is_approved: bool, reason: str = "") -> None:
        """Approve or deny on behalf of a person who was asked here; somebody who was first stays so.

        Raises:
            StoreError: the store cannot be written.
        """
        act = self._store.approve if is_approved else self._store.deny
        with suppress(OversightRefused):
            act(self.id, by, reason=reason)

    @property
    def is_approved(self) -> bool:
        """True once it was waited for, and its caller may go ahead."""
        return self.outcome is not None and self.outcome.is_approved

    def finish(self) -> None:
        """Write down that what was approved has run, so that no restart resumes it."""
        with guard("approvals.finish"):
            self._store.finish(self.id)

    def _is_waiting(self) -> bool:
        return self.request.state is ApprovalState.WAITING and self.outcome is None

    def _settle(self) -> ApprovalOutcome:
        """Use the approval, or have it expire; a store that cannot be reached approves nothing."""
        if self.outcome is None:
            try:
                if time.monotonic() >= self._deadline_s:
                    self._store.expire(self.id)
                self.outcome = self._store.use(self.id, self.request.digest, resumes=self._resumes)
            except StoreError:
                count("approval", _GIVEN_UP)
                self.outcome = ApprovalOutcome(self.id, ApprovalState.EXPIRED, is_approved=False)
        return self.outcome
