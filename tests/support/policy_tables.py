"""A spec, a policy and a table of tests in the current directory."""

from __future__ import annotations

from pathlib import Path

SPEC = """\
---
id: desk
ladder: [owner, team, person]
---
# Desk {#desk}

## Keep numbers private {#keep_numbers authority=owner}

Never tell.

## Ask no passwords {#no_passwords authority=team}

Never ask.

## Be short {#be_short authority=person}

Mostly.

## Be kind {#be_kind authority=person}

Always.
"""

POLICY = """\
spec: desk.md
mode: enforce
clauses:
  keep_numbers:
    action: redact
    checks:
      - pattern: {stage: output, any: ['\\b\\d{4}\\b'], reason: number}
      - pattern: {stage: input, any: ['\\b\\d{4}\\b'], reason: typed_number}
  no_passwords:
    action: block
    checks:
      - pattern: {stage: output, any: ['password'], reason: asked}
  be_short:
    checks:
      - pattern: {stage: output, any: ['(\\w+\\W+){9}'], reason: wordy}
  be_kind:
"""


def write_table(tests: str, *, policy: str = POLICY, top: str = "policy: policy.yaml") -> Path:
    """Write spec, policy and a file of tests (the items under ``tests:``); give the last one's path."""
    Path("desk.md").write_text(SPEC, encoding="utf-8")
    Path("policy.yaml").write_text(policy, encoding="utf-8")
    path = Path("tests.yaml")
    path.write_text(f"{top}\ntests:\n{tests}", encoding="utf-8")
    return path
