"""Record of a changed policy that was refused, for whoever looks at the store."""

from __future__ import annotations

import time
from uuid import uuid4

from specspan.record.notice import POLICY_REFUSAL, Notice
from specspan.record.recorder import Recorder

_MOST_CHARS = 4_000


def record_refusal(recorder: Recorder, reason: str) -> None:
    """Record that a changed policy was refused, and why."""
    recorder.record_notice(Notice(POLICY_REFUSAL, str(uuid4()), time.time_ns(), {"reason": reason[:_MOST_CHARS]}))
