"""Groups of decisions, put together from rows of counts. Pure: every store counts in a language of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from .model import NO_CHECK, Statistics

Row = tuple[Any, ...]


def group_decisions(decisions: Iterable[Row], findings: Iterable[Row], overheads: Iterable[Row]) -> list[Statistics]:
    """Return groups in no order.

    Args:
        decisions: name of the group, verdict, provider, model, number of decisions, number of clauses that were not
            assessed, and tokens: input, output, and those of the input that a cache had.
        findings: name of the group, outcome, reason, number of findings, and number of clauses of decisions. Outcomes
            are ``violated`` and ``unassessed``.
        overheads: name of the group, and the 50th and 99th percentile of what specspan cost a caller, in nanoseconds.
    """
    found: dict[str | None, Statistics] = {}
    unassessed: Counter[str | None] = Counter()
    for name, verdict, provider, model, calls, not_assessed, *tokens in decisions:
        group = found.setdefault(name, Statistics(name))
        group.calls += calls
        group.verdicts[str(verdict)] += calls
        unassessed[name] += not_assessed or 0
        _add_usage(group, provider, model, tokens)
    for name, outcome, reason, number, clauses in findings:
        group = found.setdefault(name, Statistics(name))
        if outcome == "violated":
            group.violations += number
        else:
            group.unassessed[reason or "unknown"] += number
            unassessed[name] -= clauses
    for name, *percentiles in overheads:
        group = found.setdefault(name, Statistics(name))
        group.overhead_p50_ns, group.overhead_p99_ns = percentiles
    for name, group in found.items():
        if unassessed[name] > 0:
            group.unassessed[NO_CHECK] = unassessed[name]
    return list(found.values())


def group_clauses(outcomes: Iterable[Row], reasons: Iterable[Row], usages: Iterable[Row]) -> list[Statistics]:
    """Return a group for each clause, in no order.

    Args:
        outcomes: clause, outcome and number of findings.
        reasons: clause, reason and number of findings that assessed nothing.
        usages: clause, provider, model, and tokens, as `group_decisions` takes them, of the calls that violated it.
    """
    found: dict[str | None, Statistics] = {}
    for name, outcome, number in outcomes:
        group = found.setdefault(name, Statistics(name))
        group.calls += number
        group.verdicts[outcome] += number
        group.violations += number if outcome == "violated" else 0
    for name, reason, number in reasons:
        found.setdefault(name, Statistics(name)).unassessed[reason or "unknown"] += number
    for name, provider, model, *tokens in usages:
        _add_usage(found.setdefault(name, Statistics(name)), provider, model, tokens)
    return list(found.values())


def _add_usage(group: Statistics, provider: object, model: object, tokens: Sequence[int | None]) -> None:
    usage = group.usage[str(provider), str(model)]
    usage.input_tokens += tokens[0] or 0
    usage.output_tokens += tokens[1] or 0
    usage.cache_read_input_tokens += tokens[2] or 0


def order_groups(groups: Iterable[Statistics], by: str | None) -> list[Statistics]:
    """Return the group with the most calls first; days in their order."""
    ordered = sorted(groups, key=lambda group: (-group.calls, group.name or ""))
    return sorted(ordered, key=lambda group: group.name or "") if by == "day" else ordered
