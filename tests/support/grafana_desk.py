"""The policy that dashboards and alerts of the tests are made from, under two versions of its spec."""

from __future__ import annotations

from pathlib import Path

SPEC = """\
---
id: desk
version: "{version}"
---
# Desk {{#desk}}

## Guard numbers {{#guard_numbers authority=root}}

Never give a number away.

## Stay polite {{#stay_polite authority=user}}

Always.

## Be brief {{#be_brief authority=user}}

Mostly.

## Be exact {{#be_exact authority=guideline}}

Where it matters.

## Be on time {{#be_on_time authority=guideline}}

Nobody checks this.
"""
POLICY = """\
spec: spec-{version}.md
mode: enforce
clauses:
  guard_numbers:
    severity: critical
    action: block
    checks: [{{pattern: {{any: ['[0-9]{{4}}'], reason: number}}}}]
  stay_polite:
    severity: high
    objective: {{target: 99.9%, window: 30d}}
    checks: [{{pattern: {{any: [stupid], reason: rude}}}}]
  be_brief:
    checks:
      - code: 'json:loads'  # which takes no model call, and raises
      - pattern: {{any: [furthermore], reason: long}}
  be_exact:
    checks: [{{pattern: {{any: [roughly], reason: vague, sample: 50%}}}}]
"""
OLD, NEW = "2026-05", "2026-11"
CLAUSES = ("guard_numbers", "stay_polite", "be_brief", "be_exact")
"""Those that have checks."""


def policy_text(version: str) -> str:
    """The policy under a version of its spec."""
    return POLICY.format(version=version)


def written_policy(folder: Path) -> Path:
    """The policy, as a file of a folder."""
    for version in (OLD, NEW):
        (folder / f"spec-{version}.md").write_text(SPEC.format(version=version))
    path = folder / "policy.yaml"
    path.write_text(policy_text(OLD))
    return path
