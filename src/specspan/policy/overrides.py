"""Who may set a clause aside: the chain of command's answer to an override.

Asked when a policy is loaded and again for every call, for the overrides that the application declares while it runs.
"""

from __future__ import annotations

from datetime import date

from specspan.decision import Override, OverrideRuling
from specspan.spec.model import Spec

UNKNOWN_CLAUSE = "unknown_clause"
"""The spec has no such clause, or the section carries no level and so binds nobody."""
TOP_LEVEL = "top_level"
"""The clause stands at the top of the ladder: nobody sets it aside, not even that level itself."""
UNKNOWN_LEVEL = "unknown_level"
"""The ladder has no level of the name the override was declared by."""
INSUFFICIENT_AUTHORITY = "insufficient_authority"
"""The level is weaker than the clause's."""
EXPIRED = "expired"
"""Its last day is over."""


def rule(spec: Spec, override: Override, today: date) -> OverrideRuling:
    """Whether ``override`` holds under ``spec`` on ``today`` (UTC), and if not, why. Never raises."""
    refusal = _refusal(spec, override, today)
    return OverrideRuling(override, granted=refusal is None, refusal=refusal)


def permitted_by(spec: Spec, authority: str) -> tuple[str, ...]:
    """The levels that may override a clause of level ``authority``, strongest first; none for the top level."""
    rank = spec.rank(authority)
    return spec.ladder[: rank + 1] if rank else ()


def _refusal(spec: Spec, override: Override, today: date) -> str | None:
    """The first reason that applies, lasting ones before the passing one: an expired override may be renewed."""
    clause = spec.clauses.get(override.clause)
    if clause is None or clause.authority is None:
        return UNKNOWN_CLAUSE
    levels = permitted_by(spec, clause.authority)
    if not levels:
        return TOP_LEVEL
    if override.by not in spec.ladder:
        return UNKNOWN_LEVEL
    if override.by not in levels:
        return INSUFFICIENT_AUTHORITY
    if override.until is not None and today > override.until:
        return EXPIRED
    return None
