"""Findings of the ledger as events of OCSF, class Detection Finding (2004), which SIEMs read. Pure.

Source: https://schema.ocsf.io/1.3.0/classes/detection_finding, with the profile Security Control.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from specspan.version import __version__

OCSF_VERSION: Final = "1.3.0"
_REPORTED: Final = {"violated": "Violation", "uncertain": "Uncertain"}
_SEVERITIES: Final = {"low": (2, "Low"), "medium": (3, "Medium"), "high": (4, "High"), "critical": (5, "Critical")}
_UNKNOWN_SEVERITY: Final = (0, "Unknown")
_LEARNED: Final = ("judge", "classifier")
_RULE, _LEARNING = 1, 4  # analytic.type_id
_DENIED: Final = ("block", "replace", "redact")


def detection_findings(body: Mapping[str, Any], place: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield an event for each finding of a decision's record that is a violation, or may be one.

    Args:
        body: the record of a decision, or of a finding that came late.
        place: where the ledger has it: stream, sequence and hash.
    """
    late = body.get("finding")
    findings = body.get("findings") or ([late] if isinstance(late, Mapping) else [])
    for finding in findings:
        if finding.get("outcome") in _REPORTED:
            yield _event(body, finding, place)


def _event(body: Mapping[str, Any], finding: Mapping[str, Any], place: Mapping[str, Any]) -> dict[str, Any]:
    time_ms = int(body["time_unix_nano"]) // 1_000_000
    severity_id, severity = _SEVERITIES.get(str(finding.get("severity")), _UNKNOWN_SEVERITY)
    uid = str(body["id"]) if body.get("type") == "finding" else f"{body['id']}/{finding.get('position', 0)}"
    action, mode = str(body.get("action", "allow")), str(body.get("mode", ""))
    is_denied = mode == "enforce" and action in _DENIED
    clause = str(finding.get("clause"))
    event: dict[str, Any] = {
        "activity_id": 1,
        "activity_name": "Create",
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": 2004,
        "class_name": "Detection Finding",
        "type_uid": 200401,
        "type_name": "Detection Finding: Create",
        "time": time_ms,
        "severity_id": severity_id,
        "severity": severity,
        "status_id": 1,
        "status": "New",
        "action_id": 2 if is_denied else 1,
        "action": "Denied" if is_denied else "Allowed",
        "message": f"{clause}: {finding.get('reason') or finding['outcome']}",
        "metadata": _metadata(body, uid),
        "finding_info": {
            "uid": uid,
            "title": f"{_REPORTED[finding['outcome']]} of {clause}",
            "types": [str(finding["outcome"])],
            "created_time": time_ms,
            "analytic": _analytic(clause, finding.get("check") or {}),
        },
        "unmapped": {
            "authority": finding.get("authority"),
            "stage": finding.get("stage"),
            "action": action,
            "mode": mode,
            "policy": (body.get("policy") or {}).get("digest"),
            "evidence": finding.get("evidence") or [],
            "ledger": dict(place),
        },
    }
    if isinstance(score := finding.get("score"), (int, float)) and 0 <= score <= 1:
        event["confidence_score"] = round(100 * score)
    return event


def _metadata(body: Mapping[str, Any], uid: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {
        "version": OCSF_VERSION,
        "uid": uid,
        "profiles": ["security_control"],
        "log_name": str((body.get("service") or {}).get("name", "unknown_service")),
        "product": {"name": "specspan", "vendor_name": "specspan", "version": __version__},
    }
    if "trace_id" in body:
        metadata["correlation_uid"] = body["trace_id"]
    return metadata


def _analytic(clause: str, check: Mapping[str, Any]) -> dict[str, Any]:
    kind = str(check.get("kind", ""))
    is_learned = kind in _LEARNED
    analytic: dict[str, Any] = {
        "uid": clause,
        "name": str(check.get("name") or clause),
        "type_id": _LEARNING if is_learned else _RULE,
        "type": "Learning (ML/DL)" if is_learned else "Rule",
    }
    if check.get("version"):
        analytic["version"] = str(check["version"])
    return analytic
