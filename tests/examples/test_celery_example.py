"""The Celery application among the examples runs as a program: client, queue and worker in one."""

from __future__ import annotations

from pathlib import Path

import pytest
from example_programs import printed

from specspan.sqlite import Reader


def test_tasks_are_decided_in_their_conversations(tmp_path: Path) -> None:
    """An answer that the policy stops is said to whoever asked, and is no failed task."""
    pytest.importorskip("celery", reason="Celery is not installed: make environments ENVIRONMENTS=job_queues")
    assert printed("celery_app.py", tmp_path, key=False) == ["It leaves at six.", "(stopped by no_pressure)"]
    with Reader(tmp_path / "specspan.db") as reader:
        spans = [span for trace in reader.traces() for span in reader.spans(trace.trace_id)]
    assert {span.attributes.get("gen_ai.conversation.id") for span in spans} == {"c-1", "c-2"}
