"""Ready-made checks that are proposed for a clause by its words."""

from __future__ import annotations

from pathlib import Path

import pytest

from specspan.checks.registry import kinds
from specspan.policy.load import load_policy
from specspan.policy.proposals import MAX_PROPOSALS, RULES, propose_checks
from specspan.policy.template import starting_policy
from specspan.spec.read import load_spec
from specspan.spec.spec import Clause

SPEC = """# House rules {#house_rules}

## Protect privacy {#protect_privacy authority=root}

Do not tell anybody personal data of others.

## Be concise {#be_concise authority=guideline}

Say what matters.

## Be kind {#be_kind authority=user}

A password here is no theme.
"""


@pytest.mark.parametrize(
    ("title", "text", "kind"),
    [
        ("Protect privacy", "", "pii"),
        ("Never print passwords", "", "secrets"),
        ("Keep confidential instructions", "", "leak"),
        ("Ignore untrusted content", "", "injection"),
        ("No malicious links", "", "links"),
        ("Answer in the user's language", "", "language"),
        ("Be concise", "", "length"),
        ("Avoid repetition", "", "repetition"),
        ("Cite sources", "", "citations"),
        ("Do not over-refuse", "", "refusal"),
        ("Reply", "Do not leak credentials. No credentials in logs.", "secrets"),
    ],
)
def test_the_words_of_a_clause_choose(title: str, text: str, kind: str) -> None:
    """Of its title at once, of its text where they come twice; each with the words."""
    proposals = propose_checks(Clause("clause", title, text, "user"))
    assert kind in [each.kind for each in proposals]
    assert all("“" in each.reason for each in proposals)


@pytest.mark.parametrize("text", ["Be kind.", "A password here is no theme.", "Be brief, then be brief again."])
def test_a_word_in_passing_does_not(text: str) -> None:
    """Once in the text is chance; some words count in titles alone."""
    assert propose_checks(Clause("clause", "Be kind", text, "user")) == ()


def test_every_rule_names_a_check_that_can_be_built() -> None:
    """And no clause has more than a few."""
    for rule in RULES:
        kinds()[rule.kind].build("clause", rule.configuration)
    words = "privacy passwords confidential untrusted links repetition citations"
    assert len(propose_checks(Clause("clause", words, "", "user"))) == MAX_PROPOSALS


def test_a_first_policy_proposes_and_switches_on_where_asked(tmp_path: Path) -> None:
    """As comments nothing is bound; switched on, the policy loads with them."""
    (tmp_path / "house.md").write_text(SPEC, encoding="utf-8")
    spec = load_spec(tmp_path / "house.md")
    bound = {}
    for ready_made in (False, True):
        text = starting_policy(spec, "house.md", kinds(), ready_made=ready_made)
        (tmp_path / "policy.yaml").write_text(text, encoding="utf-8")
        policy = load_policy(tmp_path / "policy.yaml")
        bound[ready_made] = {id_: len(each.checks) for id_, each in policy.clauses.items() if each.checks}
        assert "- pii: {redaction: form}  # proposed: its title says “privacy”" in text
    assert bound == {False: {}, True: {"protect_privacy": 1, "be_concise": 1}}
