"""What a policy may say about a spec: which names it may use, and which overrides the spec permits."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import islice

from specspan.decision import Override
from specspan.policy.overrides import INSUFFICIENT_AUTHORITY, TOP_LEVEL, UNKNOWN_LEVEL, permitted_by, rule
from specspan.spec.model import Clause, Spec
from specspan.wording import did_you_mean, listed, shown


def clause_problem(spec: Spec, clause_id: str) -> tuple[str, str] | None:
    """Why a policy cannot bind this clause, and the remedy; None when it can."""
    clause = spec.clauses.get(clause_id)
    if clause is None:
        binding = (clause.id for clause in spec.binding)
        remedy = did_you_mean(clause_id, binding, f"`specspan spec show {spec.source}` lists the clauses.")
        return f"{spec.id} has no clause {shown(clause_id)}", remedy
    if clause.authority is None:
        within = list(islice((other.id for other in spec.binding if clause in enclosing(spec, other)), 3))
        remedy = f"Name a clause in it, such as {listed(within, 'or')}." if within else "Remove it."
        return f"the section {shown(clause_id)} carries no level, so it binds nobody", remedy
    return None


def enclosing(spec: Spec, clause: Clause) -> Iterator[Clause]:
    """The sections that a clause stands in, from the inside out."""
    seen = {clause.id}
    section = spec.clauses.get(clause.parent or "")
    while section is not None and section.id not in seen:
        yield section
        seen.add(section.id)
        section = spec.clauses.get(section.parent or "")


def override_problem(spec: Spec, override: Override) -> tuple[str, str, str] | None:
    """The key at which an override is wrong, why, and the remedy; None when its level permits it on some day."""
    if problem := clause_problem(spec, override.clause):
        return "clause", *problem
    refusal = rule(spec, override, date.min).refusal
    level = spec.clauses[override.clause].authority or ""
    levels = permitted_by(spec, level)
    permitted = listed(levels, "or")
    if refusal == TOP_LEVEL:
        message = f"{override.clause!r} stands at {level!r}, the top level, and is never overridden"
        return "clause", message, "Remove the override."
    if refusal == UNKNOWN_LEVEL:
        message = f"{shown(override.by)} is no level of {spec.id}; its ladder is {', '.join(spec.ladder)}"
        return "by", message, did_you_mean(override.by, levels, f"This clause takes {permitted}.")
    if refusal == INSUFFICIENT_AUTHORITY:
        message = f"{override.by!r} is weaker than {level!r}, the level of {override.clause!r}"
        return "by", message, f"It takes {permitted}, or the override has to go."
    return None
