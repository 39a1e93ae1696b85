"""JSON Schema of the fields of OCSF's Detection Finding that specspan writes.

Written from https://schema.ocsf.io/1.3.0/classes/detection_finding: its required fields, types and enumerations. Fields
that the class does not have are refused.
"""

from __future__ import annotations

from typing import Any

TEXT = {"type": "string", "minLength": 1}
INTEGER = {"type": "integer"}


def _object(required: str, optional: str = "", /, **properties: Any) -> dict[str, Any]:
    names = [*required.split(), *optional.split()]
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required.split(),
        "properties": {name: properties.get(name, TEXT) for name in names},
    }


_PRODUCT = _object("name vendor_name", "version uid")
_METADATA = _object(
    "product version",
    "uid profiles log_name correlation_uid",
    product=_PRODUCT,
    version={"const": "1.3.0"},
    profiles={"type": "array", "items": {"enum": ["security_control", "cloud", "host", "datetime"]}},
)
_ANALYTIC = _object("type_id", "type uid name version", type_id={"enum": [0, 1, 2, 3, 4, 99]})
_FINDING_INFO = _object(
    "uid title",
    "types created_time analytic",
    types={"type": "array", "items": TEXT},
    created_time=INTEGER,
    analytic=_ANALYTIC,
)
DETECTION_FINDING = _object(
    "activity_id category_uid class_uid finding_info metadata severity_id time type_uid",
    "activity_name category_name class_name type_name severity status_id status action_id action message"
    " confidence_score unmapped",
    activity_id={"enum": [0, 1, 2, 3, 99]},
    category_uid={"const": 2},
    class_uid={"const": 2004},
    type_uid={"enum": [200400, 200401, 200402, 200403, 200499]},
    finding_info=_FINDING_INFO,
    metadata=_METADATA,
    severity_id={"enum": [0, 1, 2, 3, 4, 5, 6, 99]},
    time={"type": "integer", "minimum": 10**12},
    status_id={"enum": [0, 1, 2, 3, 4, 99]},
    action_id={"enum": [0, 1, 2, 99]},
    confidence_score={"type": "integer", "minimum": 0, "maximum": 100},
    unmapped={"type": "object"},
)
