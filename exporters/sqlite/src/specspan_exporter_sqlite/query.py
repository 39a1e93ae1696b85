"""Translation of filters to SQL conditions and their parameters. Pure.

Lists are read from the newest backwards and stop when they are full. A property of most rows is therefore tested row by
row (``EXISTS``), after one test of whether any row has it; a property of few rows is looked up first, by its index
(``IN``). Otherwise a search that finds little would walk through the whole file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from specspan_exporter_sqlite.model import VERDICTS, Filter

Condition = tuple[str, tuple[Any, ...]]

_COMMON_OUTCOMES = (None, "complied", "not_applicable")
_COMMON_VERDICTS = ("complied",)

FIRST_OF_TRACE = """NOT EXISTS (SELECT 1 FROM span AS earlier WHERE earlier.trace_id = span.trace_id
    AND (earlier.start_unix_nano, earlier.rowid) < (span.start_unix_nano, span.rowid))"""


def where(conditions: Iterator[Condition]) -> Condition:
    """Return all conditions as one ``WHERE`` clause; empty for none."""
    pairs = list(conditions)
    if not pairs:
        return "", ()
    return "WHERE " + " AND ".join(sql for sql, _ in pairs), tuple(value for _, values in pairs for value in values)


def decisions(wanted: Filter) -> Iterator[Condition]:
    """Yield conditions on rows of ``decision``."""
    if wanted.since_unix_nano is not None:
        yield "time_unix_nano >= ?", (wanted.since_unix_nano,)
    if wanted.verdict is not None:
        yield "verdict = ?", (wanted.verdict,)
    if wanted.service is not None:
        yield "service = ?", (wanted.service,)
    finding, values = _finding(wanted)
    if finding and wanted.outcome in _COMMON_OUTCOMES:
        yield f"EXISTS (SELECT 1 FROM finding WHERE decision_id = decision.id AND {finding})", values
    elif finding:
        yield f"id IN (SELECT decision_id FROM finding WHERE {finding})", values


def traces(wanted: Filter) -> Iterator[Condition]:
    """Yield conditions on rows of ``span`` by which each is the first span of a trace that the filter lets pass."""
    yield FIRST_OF_TRACE, ()
    if wanted.since_unix_nano is not None:
        yield "start_unix_nano >= ?", (wanted.since_unix_nano,)
    if wanted.service is not None:
        yield "EXISTS (SELECT 1 FROM resource WHERE service = ?)", (wanted.service,)
        yield "EXISTS (SELECT 1 FROM span AS s WHERE s.trace_id = span.trace_id AND s.service = ?)", (wanted.service,)
    if wanted.verdict is not None:
        yield from _worst(wanted.verdict)
    finding, values = _finding(wanted)
    decided = "FROM finding JOIN decision AS d ON d.id = decision_id WHERE"
    if finding and wanted.outcome in _COMMON_OUTCOMES:
        yield f"EXISTS (SELECT 1 FROM finding WHERE {finding})", values
        yield f"EXISTS (SELECT 1 {decided} d.trace_id = span.trace_id AND {finding})", values
    elif finding:
        yield f"trace_id IN (SELECT d.trace_id {decided} {finding})", values


def _finding(wanted: Filter) -> Condition:
    """Return the condition on one finding, of clause and outcome; empty where the filter has neither."""
    conditions = {"clause = ?": wanted.clause, "outcome = ?": wanted.outcome}
    given = {sql: value for sql, value in conditions.items() if value is not None}
    # written out, as the partial index serves only queries that imply its condition
    notable = ["outcome NOT IN ('complied', 'not_applicable')"] if wanted.outcome not in _COMMON_OUTCOMES else []
    return " AND ".join([*given, *notable]), tuple(given.values())


def _worst(verdict: str) -> Iterator[Condition]:
    if verdict in _COMMON_VERDICTS:
        yield "EXISTS (SELECT 1 FROM trace_verdict AS v WHERE v.trace_id = span.trace_id AND v.verdict = ?)", (verdict,)
    else:
        yield "trace_id IN (SELECT trace_id FROM trace_verdict WHERE verdict = ?)", (verdict,)
    worse = VERDICTS[: VERDICTS.index(verdict)] if verdict in VERDICTS else ()
    if worse:
        marks = ", ".join("?" * len(worse))
        same = "SELECT 1 FROM trace_verdict AS v WHERE v.trace_id = span.trace_id"
        yield f"NOT EXISTS ({same} AND v.verdict IN ({marks}))", worse
