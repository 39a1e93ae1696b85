"""Decided call as a page shows it: its findings in order, the clauses they are about, and what was recorded of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from specspan.cli.decision_view import action_text, policy_in_force
from specspan.console.call_content import CallContent, read_content
from specspan.console.known_specs import KnownSpecs
from specspan.console.outcome_words import rank
from specspan.sqlite.model import StoredSpan

Record = Mapping[str, Any]

_QUIET = ("complied", "not_applicable", "unassessed")


@dataclass(frozen=True, slots=True)
class ShownClause:
    """Clause that a finding is about."""

    id: str
    title: str | None
    authority: str | None
    text: str | None
    """None where neither the policy's record nor a spec that is at hand has the text of the version that decided."""
    spec: Record | None
    """Spec that the decision names for it."""


@dataclass(frozen=True, slots=True)
class ShownCall:
    """Decided call with all that a page says of it."""

    decision: Record
    span: StoredSpan | None
    findings: Sequence[Record]
    """Findings that say more than that a clause was kept or not looked at, the worst first."""
    quiet: Mapping[str, Sequence[str]]
    """Clauses of the other findings by outcome."""
    clauses: Sequence[ShownClause]
    """Clauses of the findings, in their order, each once."""
    content: CallContent | None
    action: str


def show_call(
    decision: Record, span: StoredSpan | None, specs: KnownSpecs, policies: Sequence[Record] = ()
) -> ShownCall:
    """Return a decided call as a page shows it.

    Args:
        decision: its record.
        span: its span, which may hold the text; None where it is not in the store.
        specs: specs whose text is at hand.
        policies: policy records, which name the clauses that no check looked at.
    """
    findings = [each for each in decision.get("findings") or () if isinstance(each, Mapping)]
    governing = decision.get("governing_clause")
    ordered = sorted(findings, key=lambda each: (rank(each.get("outcome")), each.get("clause") != governing))
    loud = [each for each in ordered if each.get("outcome") not in _QUIET]
    quiet = {
        outcome: [str(each.get("clause")) for each in ordered if each.get("outcome") == outcome] for outcome in _QUIET
    }
    policy = policy_in_force(decision, policies) or {}
    found = {each.get("clause") for each in findings}
    quiet["unassessed"] += [str(each.get("id")) for each in policy.get("clauses") or () if each.get("id") not in found]
    known = {each.get("id"): each for each in policy.get("clauses") or ()}
    clauses = [
        show_clause(str(name), decision, specs, known.get(name))
        for name in dict.fromkeys(each.get("clause") for each in loud)
    ]
    content = read_content(span, decision) if span is not None else None
    return ShownCall(decision, span, loud, quiet, clauses, content, action_text(decision))


def show_clause(name: str, decision: Record, specs: KnownSpecs, known: Record | None = None) -> ShownClause:
    """Return a clause in the version under which a decision was made.

    Args:
        name: its name in the policy.
        decision: record of the decision, which names the specs by their digests.
        specs: specs whose text is at hand.
        known: the clause as the policy's record has it.
    """
    refs = [ref for ref in decision.get("spec") or () if isinstance(ref, Mapping)]
    facts = known or {}
    for ref in refs:
        own = name.removeprefix(f"{ref.get('id')}:") if len(refs) > 1 else name
        clause = specs.find_clause(ref.get("digest"), own)
        if clause is not None:
            return ShownClause(name, clause.title, clause.authority, clause.text, ref)
    return ShownClause(
        name, facts.get("title"), facts.get("authority"), facts.get("text"), refs[0] if len(refs) == 1 else None
    )


def sentence(text: str) -> str:
    """Return the problem of a refusal as a sentence of a page."""
    return f"{text[:1].upper()}{text[1:]}."
