"""Notices that something waits for an approval, sent by whoever records the decisions of this process."""

from __future__ import annotations

from collections.abc import Callable

from specspan._support.guard import guard
from specspan.approvals.approval_request import ApprovalRequest, ApprovalState

_senders: list[Callable[[ApprovalRequest], None]] = []


def set_sender(send: Callable[[ApprovalRequest], None]) -> None:
    """Have notices sent by a function from now on."""
    _senders[:] = [send]


def notify(request: ApprovalRequest) -> None:
    """Send a notice of what waits; nothing is raised. Who asks again after a restart has it sent again."""
    if request.state is ApprovalState.WAITING:
        for send in _senders:
            with guard("approvals.notify"):
                send(request)
