"""`specspan.approval`: calls and tools that wait for a person instead of being stopped."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from types import TracebackType
from typing import Any, final

from opentelemetry import trace
from opentelemetry.trace import format_trace_id

from specspan._support import drop_counts, process
from specspan._support.guard import guard
from specspan._support.process import ForkedLock
from specspan.approvals.approval_notices import notify
from specspan.approvals.approval_request import Default, plain, request_digest
from specspan.approvals.approval_store import ApprovalStore
from specspan.approvals.approval_wait import PendingApproval, Watch
from specspan.call import ModelCall, ToolCall
from specspan.decision import Finding
from specspan.engine.approver import Approver, current_approver
from specspan.errors import ConfigurationError, Problem, StoreError
from specspan.stores.opening import absolute_address, application_address

_MAX_TIMEOUT_S = 30 * 86_400.0
_outer: ContextVar[tuple[Approver | None, ...]] = ContextVar("specspan.outer_approvers", default=())


@final
class Approval:
    """Way to ask people, for a time. As a ``with`` block it holds for the calls in it that a policy escalates."""

    def __init__(
        self, timeout_s: float, default: Default, db: str | os.PathLike[str] | None, *, record_content: bool
    ) -> None:
        self.timeout_s = timeout_s
        self.default = default
        self.record_content = record_content
        self._db = db

    def request(
        self,
        name: str,
        arguments: Any = None,
        *,
        kind: str = "tool",
        key: str | None = None,
        resumes: bool = False,
        clause: str | None = None,
        reason: str | None = None,
        decision_id: str | None = None,
        trace_id: str | None = None,
        record_arguments: bool = True,
    ) -> PendingApproval:
        """Ask people to approve something, and return what can be waited for.

        Args:
            name: name of the tool, or of the model.
            arguments: what it is called with. The approval holds for exactly this.
            kind: ``tool`` or ``call``.
            key: name of this one occasion, such as the id of a job or of a tool call. Who asks again with it, after a
                restart, finds the same approval. Without it every request is a new one.
            resumes: True to go ahead also with an approval that was used and is not known to be done, as after a crash,
                where the effect happens once however often it is begun.
            clause: clause over which people are asked.
            reason: why they are asked, which is recorded.
            decision_id: id of the decision.
            trace_id: trace in which the question came up.
            record_arguments: False to record their digest alone; then people approve what they cannot see.

        Raises:
            StoreError: the store cannot be written.
            ConfigurationError: the address names no kind of store that is installed.
        """
        digest = request_digest(kind, name, arguments, clause, key)
        detail = {"arguments": plain(arguments)} if record_arguments else {}
        if reason is not None:
            detail["reason"] = reason
        store, watch = _store_of(self._db)
        request = store.request(
            kind,
            name,
            digest,
            timeout_s=self.timeout_s,
            on_expiry=self.default,
            key=key,
            clause=clause,
            service=os.environ.get("OTEL_SERVICE_NAME") or None,
            decision_id=decision_id,
            trace_id=trace_id,
            detail=detail,
        )
        notify(request)
        return PendingApproval(watch, store, request, resumes=resumes, timeout_s=self.timeout_s)

    def ask(self, call: ModelCall, findings: Iterable[Finding]) -> PendingApproval | None:
        """Ask whether a call may go on over findings that escalate it; None where nobody can be asked."""
        with guard("approvals.ask"):
            found = list(findings)
            tool = call.request.executes or next(iter(_tool_calls(call)), None)
            kind, name = ("call", call.request.model or "") if tool is None else ("tool", tool.name)
            context = trace.get_current_span().get_span_context()
            try:
                return self.request(
                    name,
                    call if tool is None else tool.arguments,
                    kind=kind,
                    clause=found[0].clause if found else None,
                    reason=", ".join(sorted({each.reason for each in found if each.reason})) or None,
                    trace_id=format_trace_id(context.trace_id) if context.is_valid else None,
                    record_arguments=self.record_content,
                )
            except (StoreError, ConfigurationError) as error:
                drop_counts.count("approval", "not_asked")
                _log.warning("nobody can be asked for approval: %s", error)
        return None

    def __enter__(self) -> Approval:
        """Have calls wait that a policy escalates, until the block ends."""
        _outer.set((*_outer.get(), current_approver.get()))
        current_approver.set(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Have such calls stopped again."""
        *outer, before = _outer.get() or (None,)
        _outer.set(tuple(outer))
        current_approver.set(before)

    async def __aenter__(self) -> Approval:
        """Have calls wait that a policy escalates, until the block ends."""
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Have such calls stopped again."""
        self.__exit__(kind, error, trace)


def approval(
    *,
    timeout_s: float = 300.0,
    default: Default = "deny",
    db: str | os.PathLike[str] | None = None,
    record_content: bool = False,
) -> Approval:
    """Return a way to ask people for approval.

    ::

        with specspan.approval(timeout_s=600):  # a call that the policy escalates waits
            answer(question)

        pending = specspan.approval().request("refund", {"order": 7, "amount": 120}, key="job-31")
        if pending.wait().is_approved:  # or: (await pending).is_approved
            refund(order=7, amount=120)

    Args:
        timeout_s: seconds until the approval expires, at most 30 days.
        default: what holds then: ``"deny"``, or ``"allow"``.
        db: address of the store, by default that of `specspan.configure`, else ``SPECSPAN_DB``, else ``specspan.db`` in
            the current folder.
        record_content: True to record what an escalated call holds, for people to see. A request of your own records
            its arguments unless it says otherwise.

    Raises:
        ConfigurationError: the time or the default is invalid.
    """
    if not 0 < timeout_s <= _MAX_TIMEOUT_S:
        problem = Problem(f"invalid timeout_s {timeout_s!r}", "Give seconds above 0, at most 30 days.")
        raise ConfigurationError("approval", problem)
    if default not in ("deny", "allow"):
        problem = Problem(f"unknown default {default!r}", "Write 'deny' or 'allow'.")
        raise ConfigurationError("approval", problem)
    return Approval(timeout_s, default, db, record_content=record_content)


def _tool_calls(call: ModelCall) -> Iterator[ToolCall]:
    """Yield the calls of tools in an answer."""
    for message in call.output:
        yield from (part for part in message.parts if isinstance(part, ToolCall))


_log = logging.getLogger("specspan")
_stores: dict[str, tuple[ApprovalStore, Watch]] = {}
_lock = ForkedLock()


def _store_of(db: str | os.PathLike[str] | None) -> tuple[ApprovalStore, Watch]:
    """Return the store of an address and the one who looks at it, which the whole process shares."""
    address = absolute_address(application_address(db))
    with _lock.held:
        if address not in _stores:
            store = ApprovalStore(address)
            process.at_exit(store.close)
            _stores[address] = store, Watch(store)
        return _stores[address]
