"""Counts of decisions in groups: the SQL of `Reader.statistics`, and its answers put together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .references import HOUR_NS

Rows = Callable[[str, tuple[Any, ...]], list[tuple[Any, ...]]]
"""Function that runs a statement with its parameters."""

NO_CHECK = "no_check"
"""Reason of clauses that have no check, which no finding names."""
_KEYS = {
    "service": "d.service",
    "model": "json_extract(d.record, '$.call.model')",
    "day": "date(d.time_unix_nano / 1000000000, 'unixepoch')",
    "spec_version": """(SELECT group_concat(json_extract(value, '$.id') || ' ' || coalesce(
        json_extract(value, '$.version'), substr(json_extract(value, '$.digest'), 1, 19)), ', ')
        FROM json_each(d.record, '$.spec'))""",
    "user": """(SELECT json_extract(s.attributes, '$."user.id"') FROM span AS s
        WHERE s.trace_id = d.trace_id AND s.span_id = d.span_id)""",
}
GROUPS = ("clause", *_KEYS)
"""Names of what decisions can be grouped by."""


@dataclass(slots=True)
class ModelUsage:
    """Tokens that calls of one model took, as far as they were told."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0


@dataclass(slots=True)
class Statistics:
    """Counts of one group of decisions; grouped by clause, of the findings about it."""

    name: str | None
    """Name of the group; None for decisions that have none, and where all are one group."""
    calls: int = 0
    """Number of decisions; grouped by clause, of findings."""
    verdicts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Number of decisions by verdict; grouped by clause, of findings by outcome."""
    violations: int = 0
    """Number of findings that violated a clause."""
    unassessed: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Number of findings that assessed nothing by reason, and of clauses without a check."""
    usage: dict[tuple[str, str], ModelUsage] = field(default_factory=lambda: defaultdict(ModelUsage))
    """Tokens by provider and model."""


def count(rows: Rows, by: str | None, since_unix_nano: int) -> list[Statistics]:
    """Return counts of each group, the one with the most calls first; days in their order.

    Args:
        rows: runs a statement.
        by: one of `GROUPS`; None for one group of all.
        since_unix_nano: the earliest time. Grouped by clause, its hour counts whole.
    """
    found: dict[str | None, Statistics] = {}
    groups = _by_clause(rows, since_unix_nano, found) if by == "clause" else _by_key(rows, by, since_unix_nano, found)
    ordered = sorted(groups, key=lambda group: (-group.calls, group.name or ""))
    return sorted(ordered, key=lambda group: group.name or "") if by == "day" else ordered


def _by_key(rows: Rows, by: str | None, since: int, found: dict[str | None, Statistics]) -> Iterable[Statistics]:
    key = "NULL" if by is None else _KEYS[by]
    unassessed: Mapping[str | None, int]
    unassessed = defaultdict(int)
    for name, verdict, provider, model, calls, not_assessed, *tokens in rows(
        f"""SELECT {key}, d.verdict, json_extract(d.record, '$.call.provider'), json_extract(d.record, '$.call.model'),
                count(*), sum(json_extract(d.record, '$.counts.unassessed')),
                sum(json_extract(d.record, '$.call.usage.input_tokens')),
                sum(json_extract(d.record, '$.call.usage.output_tokens')),
                sum(json_extract(d.record, '$.call.usage.cache_read_input_tokens'))
            FROM decision AS d WHERE d.time_unix_nano >= ? GROUP BY 1, 2, 3, 4""",
        (since,),
    ):
        group = found.setdefault(name, Statistics(name))
        group.calls += calls
        group.verdicts[str(verdict)] += calls
        unassessed[name] += not_assessed or 0
        usage = group.usage[str(provider), str(model)]
        usage.input_tokens += tokens[0] or 0
        usage.output_tokens += tokens[1] or 0
        usage.cache_read_input_tokens += tokens[2] or 0
    for name, outcome, reason, findings, clauses in _findings(rows, key, since):
        group = found.setdefault(name, Statistics(name))
        if outcome == "violated":
            group.violations += findings
        else:
            group.unassessed[reason or "unknown"] += findings
            unassessed[name] -= clauses
    for name, group in found.items():
        if unassessed[name] > 0:
            group.unassessed[NO_CHECK] = unassessed[name]
    return found.values()


def _findings(rows: Rows, key: str, since: int) -> list[tuple[Any, ...]]:
    """Return findings that are violations or assessed nothing, by group, outcome and reason, and how many clauses."""
    return [
        row
        for outcome in ("violated", "unassessed")  # each by itself: the view then expands no other
        for row in rows(
            f"""SELECT {key}, f.outcome, f.reason, count(*), count(DISTINCT f.decision_id || ' ' || f.clause)
                FROM finding AS f JOIN decision AS d ON d.id = f.decision_id
                WHERE f.outcome = '{outcome}' AND f.time_unix_nano >= ? GROUP BY 1, 2, 3""",
            (since,),
        )
    ]


def _by_clause(rows: Rows, since: int, found: dict[str | None, Statistics]) -> Iterable[Statistics]:
    counted = """SELECT clause, outcome, sum(count) FROM clause_count WHERE hour_unix >= ? GROUP BY 1, 2"""
    hour = since // HOUR_NS * 3600
    if not rows("SELECT 1 FROM sqlite_master WHERE name = 'clause_count'", ()):  # a file of the first version
        counted = "SELECT clause, outcome, count(*) FROM finding WHERE time_unix_nano >= ? GROUP BY 1, 2"
        hour *= 10**9
    for name, outcome, findings in rows(counted, (hour,)):
        group = found.setdefault(name, Statistics(name))
        group.calls += findings
        group.verdicts[outcome] += findings
        group.violations += findings if outcome == "violated" else 0
    for name, reason, findings in rows(
        """SELECT clause, reason, count(*) FROM finding WHERE outcome = 'unassessed' AND time_unix_nano >= ?
           GROUP BY 1, 2""",
        (since // HOUR_NS * HOUR_NS,),
    ):
        found.setdefault(name, Statistics(name)).unassessed[reason or "unknown"] += findings
    return found.values()
