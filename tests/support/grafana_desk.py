"""The policy that dashboards and alerts of the tests are made from, under two versions of its spec."""

from __future__ import annotations

from pathlib import Path

from desk import Traffic
from prometheus_server import speaking

from specspan_exporter_grafana import Naming

APPLICATION = Path(__file__).with_name("grafana_application.py")
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

## Be brief {{#be:brief-1.a authority=user}}

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
  be:brief-1.a:
    checks:
      - code: 'json:loads'  # which takes no model call, and raises
      - pattern: {{any: [furthermore], reason: long}}
  be_exact:
    checks: [{{pattern: {{any: [roughly], reason: vague, sample: 50%}}}}]
"""
OLD, NEW = "2026-05", "2026-11"
CLAUSES = ("guard_numbers", "stay_polite", "be:brief-1.a", "be_exact")
"""Those that have checks; one whose id is no plain name."""


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


def calls_under_both(folder: Path, traces: str) -> Traffic:
    """Rounds of calls under each version of the spec, spans sent to ``traces`` and decisions to SQLite."""
    policy, db = written_policy(folder), folder / "specspan.db"
    for version in (OLD, NEW):
        policy.write_text(policy_text(version))
        with speaking([APPLICATION, policy, "desk"], OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=traces, SPECSPAN_DB=str(db)):
            pass  # it ends when it has called
    return Traffic("desk", db, {})


def page_of(clause: str) -> str:
    """The file of a clause's page."""
    return f"{Naming().uid('clause', clause)}.json"
