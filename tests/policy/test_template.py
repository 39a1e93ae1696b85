"""A first policy: it loads as it is, and its commented examples load once they are none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from specspan.checks.registry import kinds
from specspan.decision import CheckMechanism, Mode, Severity
from specspan.policy.load import load_policy
from specspan.policy.policy import Policy
from specspan.policy.template import starting_policy
from specspan.spec.read import load_spec
from specspan.spec.spec import Clause, Spec


def written(spec_path: Path, policy_path: Path) -> str:
    """Write the first policy for a spec; its text."""
    text = starting_policy(load_spec(spec_path), str(spec_path), kinds())
    policy_path.write_text(text, encoding="utf-8")
    return text


def bound(policy: Policy) -> list[str]:
    """The ids of the clauses a policy names, in its order."""
    return list(policy.clauses)


REVISIONS = ("2025-02-12", "2025-04-11", "2025-09-12", "2025-10-27", "2025-12-18", "2025-12-18-rev2")


@pytest.mark.parametrize("revision", REVISIONS)
def test_for_every_revision_of_the_model_spec_it_loads_as_it_is(
    revision: str, model_specs: Path, tmp_path: Path
) -> None:
    """Every clause with a level is named, in the order of the document; nothing is enforced, nothing yet checked."""
    text = written(model_specs / f"{revision}.md", tmp_path / "policy.yaml")
    policy = load_policy(tmp_path / "policy.yaml")
    assert bound(policy) == [clause.id for clause in policy.spec.binding]
    assert policy.mode is Mode.OBSERVE
    assert not any(clause.checks for clause in policy.clauses.values())
    assert max(map(len, text.splitlines())) <= 120


def test_severity_follows_the_ladder(house: Path) -> None:
    """The top level weighs more than the rest, the lowest less."""
    written(Path("house.md"), Path("policy.yaml"))
    policy = load_policy("policy.yaml")
    assert {clause.clause.authority: clause.severity for clause in policy.clauses.values()} == {
        "owner": Severity.HIGH,
        "tenant": Severity.MEDIUM,
        "guest": Severity.LOW,
    }


def test_it_is_readable(house: Path) -> None:
    """Clauses stand under the titles of their sections, with level and title in columns beside them."""
    text = written(Path("house.md"), Path("policy.yaml"))
    clauses = text[text.index("# Every clause") : text.index("# Declared")]
    assert re.sub(r"─{3,}", "──", clauses) == (
        "# Every clause that binds somebody, with the level of its authority and its title:\n"
        "# 1 owner, 1 tenant, 1 guest.\n"
        "# One without checks is recorded as unassessed, never as complied.\n"
        "# Ready-made checks are proposed below a clause by its words: take the # away from those that fit.\n"
        "# What they can say: specspan checks show KIND\n"
        "clauses:\n"
        "\n"
        "  # ── About the house ──\n"
        "  lock_door:     # owner   Lock the door\n"
        "    severity: high\n"
        "  greet_people:  # tenant  Greet people\n"
        "\n"
        "  # ── Style ──\n"
        "  be_brief:      # guest   Be brief\n"
        "    severity: low\n"
        "    # checks:\n"
        "    #   - length: {max_words: 400}  # proposed: its title says “brief”\n"
        "\n"
    )


def test_the_digest_pins_the_text(house: Path) -> None:
    """The spec it was written for is the spec it takes."""
    text = written(Path("house.md"), Path("policy.yaml"))
    assert f"  digest: {load_spec('house.md').digest}\n" in text


def test_its_commented_examples_load_where_they_are_copied_to(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example clause is put below a real one, its comment marks removed: every kind of check in it is built."""
    Path("my_checks.py").write_text(
        "def no_account_numbers(call):\n    return True\n\n\nno_competitors = no_account_numbers\n\n\n"
        "def toxicity(text):\n    return 0.0\n"
    )
    monkeypatch.syspath_prepend(str(house))
    text = written(Path("house.md"), Path("policy.yaml"))
    example = re.search(r"#   some_clause:\n((?:#.*\n)+)", text)
    assert example is not None
    copied = re.sub(r"^#(?:  )?", "", example[1], flags=re.MULTILINE)
    assert "  greet_people:  # tenant  Greet people\n" in text
    text = text.replace("  greet_people:  # tenant  Greet people\n", "  greet_people:\n" + copied)
    override = re.search(r"^#(  - \{clause.*)$", text, flags=re.MULTILINE)
    assert override is not None
    Path("policy.yaml").write_text(text.replace(override[0], override[1]))
    policy = load_policy("policy.yaml")
    people = policy.clauses["greet_people"]
    assert (people.severity, people.replacement) == (Severity.CRITICAL, "I can't help with that here.")
    assert {CheckMechanism.CODE, CheckMechanism.PATTERN} <= {binding.check.ref.mechanism for binding in people.checks}
    assert [override.clause for override in policy.overrides] == ["greet_people"]


def test_every_kind_of_ours_shows_an_example() -> None:
    """Whoever adds a kind of check is reminded that people start from examples."""
    assert [kind for kind, module in kinds().items() if not module.SCHEMA.get("examples")] == []


def test_names_that_yaml_would_misread_are_quoted(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever ids, titles, levels and paths a reader of specs hands over, the policy names them."""
    hostile = ["on", "1.5", "true", "a b", "x: y", "it's", "#c", "*a", "- d", "[e]", "é", "@f", "q" * 200]
    clauses = [Clause(id_, f"{id_}\n\x07: {{}}\u2028x", "", "le vel", "about") for id_ in hostile]
    section = Clause("about", "A\u0085b: [c", "", None)
    spec = Spec("sp\nec", "1\n2", "sha256:" + "0" * 64, ("to\np", "le vel"), {c.id: c for c in [section, *clauses]})
    monkeypatch.setattr("specspan.policy.sources.load_spec", lambda path: spec)
    Path("policy.yaml").write_text(starting_policy(spec, "my spec's: #1.md", kinds()), encoding="utf-8")
    assert bound(load_policy("policy.yaml")) == hostile


def test_a_spec_without_clauses_gives_a_policy_that_loads(house: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to bind, and that is no error."""
    spec = Spec("empty", None, "sha256:" + "0" * 64, ("top",), {})
    monkeypatch.setattr("specspan.policy.sources.load_spec", lambda path: spec)
    Path("policy.yaml").write_text(starting_policy(spec, "house.md", kinds()), encoding="utf-8")
    assert load_policy("policy.yaml").clauses == {}
