"""Filters as SQL. Pure: conditions and their parameters, joined by the reader.

Lists are read from the newest backwards and stop when they are full. What most rows have is therefore asked row by row
(``EXISTS``), and before that once whether anything at all has it; what few rows have is looked up first, by its index
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
    """All conditions as one ``WHERE`` clause; empty for none."""
    found = list(conditions)
    if not found:
        return "", ()
    return "WHERE " + " AND ".join(sql for sql, _ in found), tuple(value for _, values in found for value in values)


def decisions(wanted: Filter) -> Iterator[Condition]:
    """Conditions on rows of ``decision``."""
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
    """Conditions on rows of ``span`` that make each the first of a trace that is wanted."""
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
    """One finding has both, clause and outcome; empty where neither is asked for."""
    conditions = {"clause = ?": wanted.clause, "outcome = ?": wanted.outcome}
    asked = {sql: value for sql, value in conditions.items() if value is not None}
    # Said in so many words, for the partial index serves only queries that imply its condition.
    notable = ["outcome NOT IN ('complied', 'not_applicable')"] if wanted.outcome not in _COMMON_OUTCOMES else []
    return " AND ".join([*asked, *notable]), tuple(asked.values())


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
