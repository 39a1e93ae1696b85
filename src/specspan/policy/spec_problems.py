"""Problems between a policy and its specs: names that the policy may not use, and overrides that the specs forbid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from itertools import islice

from specspan._support.messages import did_you_mean, format_value, quoted_list
from specspan.decision import Override, OverrideKind
from specspan.policy.authority import Authority
from specspan.policy.overrides import INSUFFICIENT_AUTHORITY, NOT_EXPLICIT, permitted_levels, rule_override
from specspan.spec.spec import Clause


def clause_problem(authority: Authority, name: str) -> tuple[str, str] | None:
    """Return why a policy cannot bind the clause of this name, and the remedy; None when it can."""
    names = authority.find_clauses(name)
    if len(names) > 1:
        return f"more than one spec has a clause {format_value(name)}", f"Write {quoted_list(names, 'or')}."
    if not names:
        binding = (clause.id for clause in authority.binding)
        sources = " or ".join(f"`specspan spec show {spec.source}`" for spec in authority.specs)
        verb = "has" if len(authority.specs) == 1 else "have"
        return f"{authority.title} {verb} no clause {format_value(name)}", did_you_mean(
            name, binding, f"{sources} lists the clauses."
        )
    clause = authority.clauses[names[0]]
    if clause.authority is None:
        within = list(
            islice(
                (other.id for other in authority.binding if clause in enclosing_sections(authority.clauses, other)), 3
            )
        )
        remedy = f"Name a clause in it, such as {quoted_list(within, 'or')}." if within else "Remove it."
        return f"the section {format_value(name)} carries no level, so it binds nobody", remedy
    return None


def enclosing_sections(clauses: Mapping[str, Clause], clause: Clause) -> Iterator[Clause]:
    """Yield the sections around a clause, from the inside out."""
    seen = {clause.id}
    section = clauses.get(clause.parent or "")
    while section is not None and section.id not in seen:
        yield section
        seen.add(section.id)
        section = clauses.get(section.parent or "")


def override_problem(authority: Authority, override: Override) -> tuple[str, str, str] | None:
    """Return the key at which an override is wrong, why, and the remedy; None when its level permits it on some day."""
    if problem := clause_problem(authority, override.clause):
        return "clause", *problem
    refusal = rule_override(authority, override, date.min).refusal
    level = authority.clauses[authority.find_clauses(override.clause)[0]].authority or ""
    levels = permitted_levels(authority, level)
    if refusal is None:
        return None
    if not levels and override.kind is not OverrideKind.REVOKE:
        message = f"{override.clause!r} stands at {level!r}, the top level, and is never overridden"
        return "clause", message, "Remove the override."
    if refusal == INSUFFICIENT_AUTHORITY:
        message = f"{override.by!r} is weaker than {level!r}, the level of {override.clause!r}"
        return "by", message, f"It takes {quoted_list(levels, 'or')}, or the override has to go."
    if refusal == NOT_EXPLICIT:
        message = f"{override.clause!r} stands at {level!r}, and only a guideline is overridden by what is implied"
        return "kind", message, "Say it explicitly and write 'kind: explicit', or remove the override."
    return "by", *_level_problem(authority, override.by, levels or authority.ladder)


def _level_problem(authority: Authority, name: str, permitted: Sequence[str]) -> tuple[str, str]:
    """Return why the name of a level is refused, and the remedy."""
    names = authority.find_levels(name)
    if names:
        return f"{format_value(name)} is a level of more than one spec", f"Write {quoted_list(names, 'or')}."
    single = len(authority.specs) == 1
    known = (
        f"its ladder is {', '.join(authority.ladder)}" if single else f"the levels are {', '.join(authority.ladder)}"
    )
    remedy = did_you_mean(name, permitted, f"This clause takes {quoted_list(permitted, 'or')}.")
    return f"unknown level {format_value(name)} of {authority.title}; {known}", remedy
