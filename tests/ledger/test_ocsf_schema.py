"""Events of OCSF against the schema that OCSF publishes, with the profile that they name."""

from __future__ import annotations

from typing import Any

import pytest

from specspan.ledger.ocsf import OCSF_VERSION, detection_findings

ocsf_json_schema = pytest.importorskip("ocsf_json_schema", reason="see tests/environments/ocsf.txt")
jsonschema = pytest.importorskip("jsonschema")

FINDING: dict[str, Any] = {
    "position": 3,
    "clause": "protect_privacy",
    "authority": "root",
    "outcome": "violated",
    "severity": "high",
    "stage": "output",
    "reason": "ssn",
    "score": 0.72,
    "check": {"name": "ssn", "kind": "judge", "version": "1"},
    "evidence": [{"path": "output[0]"}],
}
DECISION: dict[str, Any] = {
    "id": "d-1",
    "type": "decision",
    "time_unix_nano": "1790000000000000001",
    "trace_id": "ab" * 16,
    "service": {"name": "shop"},
    "policy": {"digest": "sha256:7a"},
    "action": "block",
    "mode": "enforce",
    "findings": [FINDING, {**FINDING, "outcome": "uncertain", "check": {"kind": "pattern"}, "score": None}],
}
LATE = {**DECISION, "type": "finding", "findings": None, "finding": {**FINDING, "severity": None}}
BARE = {"id": "d-2", "type": "decision", "time_unix_nano": "1", "findings": [{"clause": "a", "outcome": "violated"}]}


@pytest.mark.parametrize("body", [DECISION, LATE, BARE], ids=["decision", "late", "bare"])
def test_events_are_valid_by_the_published_schema(body: dict[str, Any]) -> None:
    """Each event has what the class Detection Finding requires, and nothing that it does not have."""
    published = ocsf_json_schema.OcsfJsonSchemaEmbedded(ocsf_json_schema.get_ocsf_schema(OCSF_VERSION))
    schema = published.get_class_schema("detection_finding", ["security_control"])
    events = list(detection_findings(body, {"stream": "s", "sequence": 3, "hash": "ff"}))
    assert events
    for event in events:
        jsonschema.Draft202012Validator(schema).validate(event)
