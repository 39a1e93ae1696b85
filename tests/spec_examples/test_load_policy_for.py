"""A policy on another version of its spec."""

from __future__ import annotations

from pathlib import Path

import pytest

from specspan.errors import PolicyError
from specspan.spec.read import load_spec
from specspan.spec_examples.evaluate import load_policy_for

HEAD = "---\nladder: [owner, clerk]\n---\n"
OLD = f"{HEAD}# Kept {{#kept authority=owner}}\n\nx\n\n# Gone {{#gone authority=clerk}}\n\nx\n"
NEW = f"{HEAD}# Kept {{#kept authority=clerk}}\n\ny\n\n# New {{#new authority=clerk}}\n\nx\n"
POLICY = """\
spec: old.md
clauses:
  kept: {checks: [{pattern: bad}]}
  gone: {checks: [{pattern: bad}]}
overrides:
  - {clause: gone, by: clerk, reason: none}
"""


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two versions of a spec, and a policy for the first."""
    monkeypatch.chdir(tmp_path)
    for name, text in (("old.md", OLD), ("new.md", NEW), ("policy.yaml", POLICY)):
        Path(name).write_text(text)


def test_a_policy_for_this_version_is_taken_as_it_is() -> None:
    """Every binding and override holds."""
    policy, unbound = load_policy_for("policy.yaml", load_spec("old.md"))
    assert (list(policy.clauses), len(policy.overrides), unbound) == (["kept", "gone"], 1, ())


def test_a_policy_for_another_version_binds_what_has_the_same_id() -> None:
    """The clause is this version's, with its level; what is gone is named, and its override goes with it."""
    policy, unbound = load_policy_for("policy.yaml", load_spec("new.md"))
    assert policy.clauses["kept"].clause.authority == "clerk"
    assert len(policy.clauses["kept"].checks) == 1
    assert (list(policy.clauses), policy.overrides, unbound) == (["kept"], (), ("gone",))
    assert policy.spec.source == "new.md"


def test_a_policy_that_fits_neither_is_refused_for_this_version() -> None:
    """What is said is about the spec that was asked for."""
    Path("policy.yaml").write_text(POLICY.replace("pattern: bad", "patern: bad"))
    with pytest.raises(PolicyError) as refused:
        load_policy_for("policy.yaml", load_spec("new.md"))
    assert "clauses.gone" in {problem.key for problem in refused.value.problems}


def test_a_policy_whose_own_spec_is_nowhere_is_refused_for_this_version() -> None:
    """That its own version is missing is no help to who asked about another."""
    Path("old.md").unlink()
    with pytest.raises(PolicyError) as refused:
        load_policy_for("policy.yaml", load_spec("new.md"))
    assert refused.value.problems[0].key == "clauses.gone"
