"""A policy with objectives, as its rules are made from it."""

from __future__ import annotations

from pathlib import Path

import pytest

SPEC = """\
---
id: desk
version: "2026-11"
---
# Desk {#desk}

## Guard numbers {#guard_numbers authority=root}

Never give a number away.

## Stay polite {#stay_polite authority=user}

Always.

## Be brief {#be_brief authority=user}

Mostly.
"""

POLICY = """\
spec: spec.md
clauses:
  guard_numbers:
    severity: critical
    checks: [{pattern: {any: ['[0-9]{4}'], reason: number}}]
  stay_polite:
    severity: high
    objective: {target: 99.9%, window: 30d}
    checks: [{pattern: {any: [stupid], reason: rude}}]
  be_brief:
    checks: [{pattern: {any: [furthermore], reason: long}}]
"""


@pytest.fixture
def policy_file(tmp_path: Path) -> Path:
    """The policy's file, beside its spec."""
    (tmp_path / "spec.md").write_text(SPEC)
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path
