"""Notice of an approval that waits, recorded by the configuration in force."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from specspan.record.notice import APPROVAL, Notice
from specspan.runtime.configuration import current_configuration

if TYPE_CHECKING:
    from specspan.approvals.approval_request import ApprovalRequest


def send_notice(request: ApprovalRequest) -> None:
    """Hand the exporters of decision records a notice of what waits. It holds neither its arguments nor the reason."""
    configuration = current_configuration()
    if configuration is None:
        return
    members = {
        "kind": request.kind,
        "name": request.name,
        "clause": request.clause,
        "decision": request.decision_id,
        "trace_id": request.trace_id,
        "expires_unix_nano": request.expires_unix_nano,
        "on_expiry": request.on_expiry,
    }
    configuration.pipeline.recorder.record_notice(Notice(APPROVAL, request.id, time.time_ns(), members))
