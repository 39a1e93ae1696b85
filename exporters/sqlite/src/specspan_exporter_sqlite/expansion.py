"""Expansion of decision records that name most of their findings by reference. Pure.

A decision record of version 2 names findings by the numbers of the assessments that its policy's record lists. Expanded
it has the form of version 1: every finding in full, in its place, and a value or None for every member.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

Record = Mapping[str, Any]

BY_REFERENCE = 2
"""First version of decision records that refer to their policy's record."""
MISSING_POLICY = "missing_policy_record"
"""Member of an expanded decision whose policy record is missing: the id of that record."""

_CALL = dict.fromkeys(("provider", "operation", "model", "tool", "response_id", "input_digest", "output_digest"))
_RULING = dict.fromkeys(("mode", "verdict", "action", "would", "governing_clause", "reason"))
_FINDING = dict.fromkeys(("clause", "authority", "outcome", "severity", "action", "score", "reason", "stage", "check"))
_OVERRIDE = dict.fromkeys(("clause", "by", "granted", "kind", "reason", "until", "source", "refusal"))
_SERVICE = dict.fromkeys(("name", "version", "instance"))
_ORDER = ("v", "type", "id", "time_unix_nano", "trace_id", "span_id", "service", "spec", "policy", "call", *_RULING)
_REFERENCES = ("outcomes", "scores", "durations_ns")


def policy_record_of(decision: Record) -> str | None:
    """Return the id of the policy record that a decision names; None where it names none."""
    policy = decision.get("policy")
    name = policy.get("record") if isinstance(policy, Mapping) else None
    return name if decision.get("v") == BY_REFERENCE and isinstance(name, str) else None


def expand(decision: Record, policy: Record | None) -> dict[str, Any]:
    """Return a decision record with every finding in full; one of version 1 is returned as it is.

    Without its policy's record it keeps the references it has, and says under `MISSING_POLICY` what is missing.
    """
    if decision.get("v") != BY_REFERENCE:
        return dict(decision)
    name = policy_record_of(decision)
    is_missing = name is not None and policy is None
    listed = _assessments(policy)
    expanded = {
        **{key: value for key, value in decision.items() if is_missing or key not in _REFERENCES},
        "trace_id": decision.get("trace_id"),
        "span_id": decision.get("span_id"),
        "service": {**_SERVICE, **_mapping(decision.get("service"))},
        "spec": _specs(decision, policy),
        "policy": {key: value for key, value in _mapping(decision.get("policy")).items() if key != "record"},
        "call": {**_CALL, "usage": {}, "scope": None, **_mapping(decision.get("call"))},
        **{key: decision.get(key) for key in _RULING},
        "findings": _findings(decision, listed),
        "overrides": [{**_OVERRIDE, **_mapping(override)} for override in decision.get("overrides") or ()],
        "redacted": decision.get("redacted", []),
        "stream": {"released_chars": None, **_mapping(decision.get("stream"))},
    }
    if is_missing:
        expanded[MISSING_POLICY] = name
    return {key: expanded[key] for key in (*_ORDER, *expanded) if key in expanded}


def ranges(text: Any) -> Iterator[tuple[int, int]]:
    """Yield first and last number of each range in a text such as ``0-41,43``; what is no range is left out."""
    for part in str(text).split(","):
        first, _, last = part.partition("-")
        if first.isdecimal() and (last or first).isdecimal():
            yield int(first), int(last or first)


def outcome_and_reason(label: str) -> tuple[str, str | None]:
    """Return outcome and reason of a key of ``outcomes``, such as ``unassessed:not_sampled``."""
    outcome, _, reason = label.partition(":")
    return outcome, reason or None


def _findings(decision: Record, listed: list[Any]) -> list[dict[str, Any]]:
    """Return all findings in order: those in full at their positions, those by reference in between."""
    quiet = iter(sorted(_referenced(decision, listed), key=lambda item: item[0]))
    found: list[dict[str, Any]] = []
    for finding in decision.get("findings") or ():
        if isinstance(finding, Mapping):
            position = finding.get("position")
            while isinstance(position, int) and len(found) < position and (item := next(quiet, None)) is not None:
                found.append(item[1])
            own = {key: value for key, value in finding.items() if key != "position"}
            found.append({**_FINDING, "evidence": [], "duration_ns": 0, **own})
    return [*found, *(finding for _, finding in quiet)]


def _referenced(decision: Record, listed: list[Any]) -> Iterator[tuple[int, dict[str, Any]]]:
    scores, durations = _mapping(decision.get("scores")), _mapping(decision.get("durations_ns"))
    for label, text in _mapping(decision.get("outcomes")).items():
        outcome, reason = outcome_and_reason(label)
        for number in _numbers(text, len(listed)):
            finding = {**_FINDING, **_mapping(listed[number]), "outcome": outcome, "reason": reason}
            finding["score"] = scores.get(str(number))
            yield number, {**finding, "evidence": [], "duration_ns": durations.get(str(number), 0)}


def _numbers(text: Any, limit: int) -> Iterable[int]:
    for first, last in ranges(text):
        yield from range(first, min(last + 1, limit))


def _specs(decision: Record, policy: Record | None) -> Any:
    """Return the specs in force, with their digests where the policy's record has them."""
    specs = decision.get("spec") or []
    full = [] if policy is None else policy.get("spec") or []
    return [{"version": None, **spec} for spec in full or specs if isinstance(spec, Mapping)]


def _assessments(policy: Record | None) -> list[Any]:
    listed = None if policy is None else policy.get("assessments")
    return listed if isinstance(listed, list) else []


def _mapping(value: Any) -> Record:
    return value if isinstance(value, Mapping) else {}
