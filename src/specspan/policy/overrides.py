"""Who may set a clause aside: the chain of command's answer to overrides.

Asked when a policy is loaded and again for every call, for the overrides that the application declares while it runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from specspan.decision import Override, OverrideKind, OverrideRuling
from specspan.policy.authority import Authority

UNKNOWN_CLAUSE = "unknown_clause"
"""No spec has such a clause, or the section carries no level and so binds nobody."""
AMBIGUOUS = "ambiguous"
"""More than one spec has a clause, or a level, of that name."""
TOP_LEVEL = "top_level"
"""The clause stands at the top of its ladder: nobody sets it aside, not even that level itself."""
UNKNOWN_LEVEL = "unknown_level"
"""There is no level of the name the override was declared by."""
UNTRUSTED_SOURCE = "untrusted_source"
"""It was asked for by a tool, by the assistant or in quoted text, which have no authority."""
UNKNOWN_SOURCE = "unknown_source"
"""Its source points at nothing in the call."""
INSUFFICIENT_AUTHORITY = "insufficient_authority"
"""The level, or the message that asked for it, is weaker than the clause's level."""
NOT_EXPLICIT = "not_explicit"
"""It was only implied, and the clause is no guideline."""
EXPIRED = "expired"
"""Its last day is over."""
SUPERSEDED = "superseded"
"""A later instruction of the same level says the contrary."""
OUTRANKED = "outranked"
"""An instruction of a stronger level says the contrary."""

WITHOUT_AUTHORITY = frozenset(("assistant", "tool", "untrusted"))
"""Who has no authority at all (Model Spec, follow_all_applicable_instructions)."""


@dataclass(frozen=True, slots=True)
class OverrideSource:
    """What stands where the source of an override points."""

    place: int
    """Of two messages, the later one has the greater."""
    role: str = ""
    """Of the message, when what stands there is its own."""
    refusal: str | None = None
    """Why it has no authority."""


def rule_overrides(
    authority: Authority, overrides: Sequence[Override], today: date, asked: Sequence[OverrideSource | None] = ()
) -> tuple[OverrideRuling, ...]:
    """What becomes of some overrides on ``today`` (UTC). Never raises.

    Each has to hold on its own. Where one sets a clause aside and another revokes that, the stronger level decides, and
    within one level the later: of the messages they were asked for in, else in the order of ``overrides``.
    """
    known = (*asked, *[None] * (len(overrides) - len(asked)))
    rulings = [rule_override(authority, each, today, where) for each, where in zip(overrides, known, strict=True)]
    if any(ruling.override.kind is OverrideKind.REVOKE for ruling in rulings):
        _refuse_contradicted(authority, rulings, known)
    return tuple(rulings)


def rule_override(
    authority: Authority, override: Override, today: date, asked: OverrideSource | None = None
) -> OverrideRuling:
    """Whether ``override`` holds on ``today`` (UTC) if nothing speaks against it, and if not, why. Never raises."""
    clauses, levels = authority.find_clauses(override.clause), authority.find_levels(override.by)
    if len(clauses) == 1 and len(levels) == 1 and (clauses[0], levels[0]) != (override.clause, override.by):
        override = replace(override, clause=clauses[0], by=levels[0])
    if len(clauses) > 1:
        return OverrideRuling(override, granted=False, refusal=AMBIGUOUS)
    refusal = _refusal(authority, override, len(levels), today, asked)
    return OverrideRuling(override, granted=refusal is None, refusal=refusal)


def permitted_levels(authority: Authority, level: str) -> tuple[str, ...]:
    """The levels that may override a clause of ``level``, strongest first; none for the top of a ladder."""
    if level in authority.tops:
        return ()
    return tuple(name for name in authority.ladder if authority.ranks[name] <= authority.ranks[level])


def _refusal(
    authority: Authority, override: Override, levels: int, today: date, asked: OverrideSource | None
) -> str | None:
    """The first reason that applies, lasting ones before the passing one: an expired override may be renewed."""
    clause = authority.clauses.get(override.clause)
    if clause is None or clause.authority is None:
        return UNKNOWN_CLAUSE
    if levels != 1:
        return AMBIGUOUS if levels else UNTRUSTED_SOURCE if override.by in WITHOUT_AUTHORITY else UNKNOWN_LEVEL
    if clause.authority in authority.tops and override.kind is not OverrideKind.REVOKE:
        return TOP_LEVEL
    refusal = _source_refusal(authority, asked) or _level_refusal(authority, override, clause.authority, asked)
    if refusal is None and override.until is not None and today > override.until:
        return EXPIRED
    return refusal


def _level_refusal(authority: Authority, override: Override, level: str, asked: OverrideSource | None) -> str | None:
    if override.kind is OverrideKind.REVOKE:
        return None  # it takes nothing from the clause; whether it ends an override is for `_settle`
    if _effective_rank(authority, override, asked) > authority.ranks[level]:
        return INSUFFICIENT_AUTHORITY
    implied = override.kind is OverrideKind.IMPLICIT
    return NOT_EXPLICIT if implied and not authority.is_guideline(level) else None


def _source_refusal(authority: Authority, asked: OverrideSource | None) -> str | None:
    if asked is None:
        return None
    if asked.refusal is not None:
        return asked.refusal
    return None if authority.level_of_role(asked.role) is not None else UNTRUSTED_SOURCE


def _effective_rank(authority: Authority, override: Override, asked: OverrideSource | None) -> int:
    """The authority an override has: that of its level, and no more than that of the message that asked for it."""
    said = authority.level_of_role(asked.role) if asked is not None else None
    return max(authority.ranks[level] for level in (override.by, said) if level is not None)


def _refuse_contradicted(
    authority: Authority, rulings: list[OverrideRuling], asked: Sequence[OverrideSource | None]
) -> None:
    """Refuse what holds on its own but is contradicted."""
    times = _declaration_order(asked)
    by_clause: dict[str, list[int]] = defaultdict(list)
    for index, ruling in enumerate(rulings):
        if ruling.granted:
            by_clause[ruling.override.clause].append(index)
    for indexes in by_clause.values():
        ranks = {index: _effective_rank(authority, rulings[index].override, asked[index]) for index in indexes}
        wins = min(indexes, key=lambda index: (ranks[index], -times[index]))
        for index in indexes:
            if _revokes(rulings[index]) is not _revokes(rulings[wins]):
                refusal = SUPERSEDED if ranks[index] == ranks[wins] else OUTRANKED
                rulings[index] = replace(rulings[index], granted=False, refusal=refusal)


def _revokes(ruling: OverrideRuling) -> bool:
    return ruling.override.kind is OverrideKind.REVOKE


def _declaration_order(asked: Sequence[OverrideSource | None]) -> list[int]:
    """When each override was said. Those with a source take one another's places in the order of their messages."""
    times = list(range(len(asked)))
    places = {index: where.place for index, where in enumerate(asked) if where is not None}
    for time, index in zip(places, sorted(places, key=places.__getitem__), strict=True):
        times[index] = time
    return times
