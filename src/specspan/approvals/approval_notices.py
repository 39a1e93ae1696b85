"""Notices that something waits for an approval, sent by whoever records the decisions of this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from specspan._support.guard import guard

if TYPE_CHECKING:  # whoever configures specspan and asks nobody does not pay for approvals
    from specspan.approvals.approval_request import ApprovalRequest

_WAITING = "waiting"
_senders: list[Callable[[ApprovalRequest], None]] = []


def set_sender(send: Callable[[ApprovalRequest], None]) -> None:
    """Have notices sent by a function from now on."""
    _senders[:] = [send]


def notify(request: ApprovalRequest) -> None:
    """Send a notice of what waits; nothing is raised. Who asks again after a restart has it sent again."""
    if request.state.value == _WAITING:
        for send in _senders:
            with guard("approvals.notify"):
                send(request)
