"""Rulings on overrides: the chain of command says who may set a clause aside.

Policies are checked by these rules when they are loaded; overrides that the application declares, on every call.
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
"""The level that declared the override does not exist."""
UNTRUSTED_SOURCE = "untrusted_source"
"""A tool, the assistant or quoted text asked for the override, which have no authority."""
UNKNOWN_SOURCE = "unknown_source"
"""The source points at nothing in the call."""
INSUFFICIENT_AUTHORITY = "insufficient_authority"
"""The level, or the message that asked for the override, is weaker than the clause's level."""
NOT_EXPLICIT = "not_explicit"
"""The override was only implied, and its clause does not stand at a guideline's level."""
EXPIRED = "expired"
"""The last day of the override is over."""
SUPERSEDED = "superseded"
"""A later instruction of the same level says the contrary."""
OUTRANKED = "outranked"
"""An instruction of a stronger level says the contrary."""
WITHOUT_AUTHORITY = frozenset(("assistant", "tool", "untrusted"))
"""Roles without any authority (Model Spec, follow_all_applicable_instructions)."""


@dataclass(frozen=True, slots=True)
class OverrideSource:
    """Place in a call that the source of an override points at."""

    place: int
    """Position in the conversation; of two messages, the later one has the greater."""
    role: str = ""
    """Role of the message, when its own words stand there."""
    refusal: str | None = None
    """Reason why the place has no authority."""


def rule_overrides(
    authority: Authority, overrides: Sequence[Override], today: date, sources: Sequence[OverrideSource | None] = ()
) -> tuple[OverrideRuling, ...]:
    """Return the rulings on some overrides on ``today`` (UTC). Never raises.

    Each has to hold on its own. Where one sets a clause aside and another revokes that, the stronger level decides, and
    within one level the later: of the messages in ``sources``, else in the order of ``overrides``.
    """
    padded = (*sources, *[None] * (len(overrides) - len(sources)))
    rulings = [rule_override(authority, each, today, source) for each, source in zip(overrides, padded, strict=True)]
    if any(ruling.override.kind is OverrideKind.REVOKE for ruling in rulings):
        _refuse_contradicted(authority, rulings, padded)
    return tuple(rulings)


def rule_override(
    authority: Authority, override: Override, today: date, source: OverrideSource | None = None
) -> OverrideRuling:
    """Return the ruling on one override on ``today`` (UTC) if nothing speaks against it. Never raises."""
    clauses, levels = authority.find_clauses(override.clause), authority.find_levels(override.by)
    if len(clauses) == 1 and len(levels) == 1 and (clauses[0], levels[0]) != (override.clause, override.by):
        override = replace(override, clause=clauses[0], by=levels[0])
    if len(clauses) > 1:
        return OverrideRuling(override, granted=False, refusal=AMBIGUOUS)
    refusal = _refusal(authority, override, len(levels), today, source)
    return OverrideRuling(override, granted=refusal is None, refusal=refusal)


def permitted_levels(authority: Authority, level: str) -> tuple[str, ...]:
    """Return the levels that may override a clause of ``level``, strongest first; none for the top of a ladder."""
    if level in authority.tops:
        return ()
    return tuple(name for name in authority.ladder if authority.ranks[name] <= authority.ranks[level])


def _refusal(
    authority: Authority, override: Override, levels: int, today: date, source: OverrideSource | None
) -> str | None:
    """Return the first reason that applies, lasting ones before the passing one: an expired override may be renewed."""
    clause = authority.clauses.get(override.clause)
    if clause is None or clause.authority is None:
        return UNKNOWN_CLAUSE
    if levels != 1:
        return AMBIGUOUS if levels else UNTRUSTED_SOURCE if override.by in WITHOUT_AUTHORITY else UNKNOWN_LEVEL
    if clause.authority in authority.tops and override.kind is not OverrideKind.REVOKE:
        return TOP_LEVEL
    refusal = _source_refusal(authority, source) or _level_refusal(authority, override, clause.authority, source)
    if refusal is None and override.until is not None and today > override.until:
        return EXPIRED
    return refusal


def _level_refusal(authority: Authority, override: Override, level: str, source: OverrideSource | None) -> str | None:
    if override.kind is OverrideKind.REVOKE:
        return None  # it takes nothing from the clause; whether it ends an override is for `_refuse_contradicted`
    if _effective_rank(authority, override, source) > authority.ranks[level]:
        return INSUFFICIENT_AUTHORITY
    implied = override.kind is OverrideKind.IMPLICIT
    return NOT_EXPLICIT if implied and not authority.is_guideline(level) else None


def _source_refusal(authority: Authority, source: OverrideSource | None) -> str | None:
    if source is None:
        return None
    if source.refusal is not None:
        return source.refusal
    return None if authority.level_of_role(source.role) is not None else UNTRUSTED_SOURCE


def _effective_rank(authority: Authority, override: Override, source: OverrideSource | None) -> int:
    """Return the rank of an override: that of its level, and no stronger than the message that asked for it."""
    source_level = authority.level_of_role(source.role) if source is not None else None
    return max(authority.ranks[level] for level in (override.by, source_level) if level is not None)


def _refuse_contradicted(
    authority: Authority, rulings: list[OverrideRuling], sources: Sequence[OverrideSource | None]
) -> None:
    """Refuse overrides that hold on their own but are contradicted."""
    times = _declaration_order(sources)
    by_clause: dict[str, list[int]] = defaultdict(list)
    for index, ruling in enumerate(rulings):
        if ruling.granted:
            by_clause[ruling.override.clause].append(index)
    for indexes in by_clause.values():
        ranks = {index: _effective_rank(authority, rulings[index].override, sources[index]) for index in indexes}
        wins = min(indexes, key=lambda index: (ranks[index], -times[index]))
        for index in indexes:
            if _revokes(rulings[index]) is not _revokes(rulings[wins]):
                refusal = SUPERSEDED if ranks[index] == ranks[wins] else OUTRANKED
                rulings[index] = replace(rulings[index], granted=False, refusal=refusal)


def _revokes(ruling: OverrideRuling) -> bool:
    return ruling.override.kind is OverrideKind.REVOKE


def _declaration_order(sources: Sequence[OverrideSource | None]) -> list[int]:
    """Return the order in which overrides were declared; those with a source are sorted by their messages."""
    times = list(range(len(sources)))
    places = {index: source.place for index, source in enumerate(sources) if source is not None}
    for time, index in zip(places, sorted(places, key=places.__getitem__), strict=True):
        times[index] = time
    return times
