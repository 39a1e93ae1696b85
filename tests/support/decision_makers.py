"""Decision records that tests write into a store as they need them."""

from __future__ import annotations

from typing import Any


def decision_record(decision_id: str, time_unix_nano: int, **members: Any) -> dict[str, Any]:
    """Return the record of a call that violated the clause ``privacy``, with the members that a test names."""
    return {
        "v": 2,
        "type": "decision",
        "id": decision_id,
        "time_unix_nano": time_unix_nano,
        "trace_id": f"trace-{decision_id}",
        "span_id": f"span-{decision_id}",
        "service": {"name": "desk"},
        "spec": [{"id": "desk", "version": "1", "digest": "sha256:11"}],
        "policy": {"digest": "sha256:22"},
        "call": {"provider": "openai", "operation": "chat", "model": "parrot-1"},
        "mode": "observe",
        "verdict": "violated",
        "action": "flag",
        "governing_clause": "privacy",
        "reason": "seen",
        "findings": [
            {"position": 0, "clause": "privacy", "authority": "root", "outcome": "violated", "reason": "seen"}
        ],
        "counts": {"considered": 1, "unassessed": 0},
    } | members
