"""Report as OSCAL assessment results. Source: NIST, OSCAL 1.1.2, assessment-results model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid5

VERSION = "1.1.2"
_SPACE = UUID("5f1b1a9e-6e0b-4f0f-9a57-2f6c8f6f2a10")
"""Namespace of the ids: the same report has the same ids."""


def assessment_results(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document; every id is made from what it names, so that the same records make the same bytes."""
    whole = json.dumps(report, sort_keys=True)
    observations = [_observation(clause, report, whole) for clause in report["clauses"]]
    findings = [
        _finding(clause, observation, whole)
        for clause, observation in zip(report["clauses"], observations, strict=True)
        if clause["violations"]["of"]
    ]
    result = {
        "uuid": _id(whole, "result"),
        "title": f"Decisions from {report['since']} to {report['until']}",
        "description": f"{report['decisions']['total']} decisions on calls of models, by the records of specspan.",
        "start": report["since"],
        "end": report["until"],
        "reviewed-controls": {"control-selections": [{"description": "The clauses on record.", "include-all": {}}]},
    }
    if observations:
        result["observations"] = observations
    if findings:
        result["findings"] = findings
    return {
        "assessment-results": {
            "uuid": _id(whole, "document"),
            "metadata": {
                "title": "Assessment of an assistant against its behaviour specification",
                "last-modified": report["until"],
                "version": "1",
                "oscal-version": VERSION,
            },
            "import-ap": {"href": "#", "remarks": "Decisions are made by the policies that the records name."},
            "results": [result],
        }
    }


def _observation(clause: Mapping[str, Any], report: Mapping[str, Any], whole: str) -> dict[str, Any]:
    counts = ", ".join(f"{number} {outcome}" for outcome, number in clause["findings"].items())
    return {
        "uuid": _id(whole, "observation", clause["clause"]),
        "title": clause["clause"],
        "description": f"Findings: {counts}.",
        "methods": ["TEST"],
        "types": ["finding"],
        "collected": report["until"],
    }


def _finding(clause: Mapping[str, Any], observation: Mapping[str, Any], whole: str) -> dict[str, Any]:
    violations = clause["violations"]
    low, high = violations["interval"]
    told = f"{violations['violated']} of {violations['of']} decided calls violated it (95 %: {low:.6f} to {high:.6f})."
    return {
        "uuid": _id(whole, "finding", clause["clause"]),
        "title": clause["clause"],
        "description": told,
        "target": {
            "type": "statement-id",
            "target-id": _token(clause["clause"]),
            "status": {"state": "not-satisfied" if violations["violated"] else "satisfied"},
        },
        "related-observations": [{"observation-uuid": observation["uuid"]}],
    }


def _token(clause: str) -> str:
    """Return the id of a clause as an OSCAL token: letters, digits, ``-``, ``.``, ``_``, and no digit at its start."""
    text = "".join(character if character.isalnum() or character in "-._" else "_" for character in clause)
    return text if text[:1].isalpha() or text[:1] == "_" else f"_{text}"


def _id(whole: str, *names: str) -> str:
    """Return an id of version 4's form, which OSCAL asks for, made from a report and a name."""
    made = uuid5(_SPACE, "\n".join((whole, *names)))
    return str(UUID(bytes=made.bytes, version=4))
