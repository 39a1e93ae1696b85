"""Translation of filters to SQL conditions and their parameters. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from specspan.sqlite.model import VERDICTS, Filter
from specspan.sqlite.references import QUIET_OUTCOMES

Condition = tuple[str, tuple[Any, ...]]

FIRST_OF_TRACE = """NOT EXISTS (SELECT 1 FROM specspan.span AS earlier WHERE earlier.trace_id = span.trace_id
    AND (earlier.start_unix_nano, earlier.arrival) < (span.start_unix_nano, span.arrival))"""


def where(conditions: Iterator[Condition]) -> Condition:
    """Return all conditions as one ``WHERE`` clause; empty for none."""
    pairs = list(conditions)
    if not pairs:
        return "", ()
    return "WHERE " + " AND ".join(sql for sql, _ in pairs), tuple(value for _, values in pairs for value in values)


def limit(wanted: Filter) -> int | None:
    """Return the value of ``LIMIT``; None for all."""
    return wanted.limit if wanted.limit >= 0 else None


def decisions(wanted: Filter) -> Iterator[Condition]:
    """Yield conditions on rows of ``decision AS d``, joined with ``decision_shared AS s``."""
    if wanted.since_unix_nano is not None:
        yield "d.time_unix_nano >= %s", (wanted.since_unix_nano,)
    if wanted.until_unix_nano is not None:
        yield "d.time_unix_nano < %s", (wanted.until_unix_nano,)
    if wanted.after is not None:
        yield '(d.time_unix_nano, d.id) < (%s, %s COLLATE "C")', wanted.after
    if wanted.model is not None:
        yield 'd.model COLLATE "C" = %s', (wanted.model,)
    if wanted.verdict is not None:
        yield f"d.verdict = %s{_not_common(wanted.verdict, 'd')}", (wanted.verdict,)
    if wanted.service is not None:
        yield "coalesce(s.service, d.service) = %s", (wanted.service,)
    if asks_for_findings(wanted):
        yield has_finding(wanted)


def traces(wanted: Filter) -> Iterator[Condition]:
    """Yield conditions on rows of ``span`` by which each is the first of a trace that the filter lets pass."""
    yield FIRST_OF_TRACE, ()
    if wanted.since_unix_nano is not None:
        yield "start_unix_nano >= %s", (wanted.since_unix_nano,)
    if wanted.until_unix_nano is not None:
        yield "start_unix_nano < %s", (wanted.until_unix_nano,)
    if wanted.after is not None:
        yield '(start_unix_nano, trace_id) < (%s, %s COLLATE "C")', wanted.after
    if wanted.model is not None:
        of_model = 'SELECT d.trace_id FROM specspan.decision AS d WHERE d.model COLLATE "C" = %s'
        yield f"trace_id IN ({of_model})", (wanted.model,)
    if wanted.service is not None:
        of_trace = "SELECT 1 FROM specspan.span AS other WHERE other.trace_id = span.trace_id"
        yield f"EXISTS ({of_trace} AND other.service = %s)", (wanted.service,)
    if wanted.verdict is not None:
        yield from _worst(wanted.verdict)
    if asks_for_findings(wanted):
        condition, values = has_finding(wanted)
        yield f"trace_id IN (SELECT d.trace_id FROM specspan.decision AS d WHERE {condition})", values


def asks_for_findings(wanted: Filter) -> bool:
    """Return whether a filter has a condition on findings."""
    return wanted.clause is not None or wanted.outcome is not None


def has_finding(wanted: Filter) -> Condition:
    """Return the condition that a row of ``decision AS d`` has a finding of a clause, of an outcome or of both."""
    given = {"clause = %s": wanted.clause, "outcome = %s": wanted.outcome}
    own = " AND ".join(sql for sql, value in given.items() if value is not None)
    values = tuple(value for value in given.values() if value is not None)
    in_full = f"d.id IN (SELECT decision_id FROM specspan.finding WHERE {own})"
    if wanted.outcome is not None and wanted.outcome not in QUIET_OUTCOMES:
        return in_full, values
    by_reference = f"d.outcomes_id IN (SELECT outcomes_id FROM specspan.outcome_finding WHERE {own})"
    return f"({in_full} OR {by_reference})", (*values, *values)


def _not_common(verdict: str, table: str) -> str:
    # written out, as the partial index serves only queries that imply its condition
    return "" if verdict == "complied" else f" AND {table}.verdict <> 'complied'"


def _worst(verdict: str) -> Iterator[Condition]:
    own = f"v.verdict = %s{_not_common(verdict, 'v')}"
    decided, traced = (
        f"SELECT v.trace_id FROM specspan.{table} AS v WHERE v.trace_id IS NOT NULL AND {own}"
        for table in ("decision", "span")
    )
    yield f"trace_id IN ({decided} UNION ALL {traced})", (verdict, verdict)
    worse = VERDICTS[: VERDICTS.index(verdict)] if verdict in VERDICTS else ()
    for table in ("decision", "span") if worse else ():
        same = f"SELECT 1 FROM specspan.{table} AS v WHERE v.trace_id = span.trace_id AND v.verdict <> 'complied'"
        yield f"NOT EXISTS ({same} AND v.verdict = ANY(%s))", (list(worse),)
