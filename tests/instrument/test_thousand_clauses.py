"""The widest call there is: a thousand clauses, all of them violated, from the decorated function to the span."""

from __future__ import annotations

from pathlib import Path

import specspan
from specspan.testing import recorded

CLAUSES = [f"clause_{number}" for number in range(1000)]


@specspan.observe(model="parrot")
def answer(question: str) -> str:
    return f"the word {question}"


def test_a_thousand_violations_leave_the_summary_whole_and_the_span_within_the_sdks_limits(tmp_path: Path) -> None:
    """Nothing set early is evicted by what is set late, and every clause is in the summary."""
    sections = (f"## Title {{#{clause} authority=user}}\n\nDo not.\n" for clause in CLAUSES)
    (tmp_path / "spec.md").write_text("# Spec {#spec}\n\n" + "\n".join(sections))
    bound = (f"  {clause}: {{checks: [{{pattern: {{any: [word]}}}}]}}" for clause in CLAUSES)
    (tmp_path / "policy.yaml").write_text("\n".join(("spec: spec.md", "clauses:", *bound)))

    with recorded(tmp_path / "policy.yaml") as what:
        answer("for word")

    [span] = what.spans
    found = dict(span.attributes or {})
    assert (span.dropped_attributes, span.dropped_events) == (0, 0)
    assert found["gen_ai.request.model"] == "parrot"
    assert found["specspan.clauses.violated"] == tuple(CLAUSES)
    assert found["specspan.clauses.considered"] == 1000
    assert found["specspan.decision.verdict"] == "violated"
    assert found["specspan.decision.governing_clause"] == "clause_0"
    assert sum(name.startswith("specspan.clause.") for name in found) == 32
    [decision] = what.decisions
    assert len(decision["findings"]) == 1000
