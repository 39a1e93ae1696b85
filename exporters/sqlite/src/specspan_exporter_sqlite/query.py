"""Filters as SQL. Pure: conditions and their parameters, joined by the reader."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from specspan_exporter_sqlite.model import VERDICTS, Filter

Condition = tuple[str, tuple[Any, ...]]


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
    finding, values = where(_findings(wanted))
    if finding:
        yield f"id IN (SELECT decision_id FROM finding {finding})", values


def traces(wanted: Filter) -> Iterator[Condition]:
    """Conditions on ``trace_id`` of rows of ``span``."""
    if wanted.since_unix_nano is not None:
        yield "trace_id IN (SELECT trace_id FROM span WHERE start_unix_nano >= ?)", (wanted.since_unix_nano,)
    if wanted.service is not None:
        yield "trace_id IN (SELECT trace_id FROM span WHERE service = ?)", (wanted.service,)
    if wanted.verdict is not None:
        yield from _worst(wanted.verdict)
    finding, values = where(_findings(wanted))
    if finding:
        yield (
            "trace_id IN (SELECT d.trace_id FROM finding AS f JOIN decision AS d ON d.id = f.decision_id "
            + finding
            + ")",
            values,
        )


def _findings(wanted: Filter) -> Iterator[Condition]:
    if wanted.clause is not None:
        yield "clause = ?", (wanted.clause,)
    if wanted.outcome is not None:
        yield "outcome = ?", (wanted.outcome,)
    # Said in so many words, for the partial index serves only queries that imply its condition.
    if wanted.outcome not in (None, "complied", "not_applicable"):
        yield "outcome NOT IN ('complied', 'not_applicable')", ()


def _worst(verdict: str) -> Iterator[Condition]:
    yield "trace_id IN (SELECT trace_id FROM trace_verdict WHERE verdict = ?)", (verdict,)
    worse = VERDICTS[: VERDICTS.index(verdict)] if verdict in VERDICTS else ()
    if worse:
        marks = ", ".join("?" * len(worse))
        yield f"trace_id NOT IN (SELECT trace_id FROM trace_verdict WHERE verdict IN ({marks}))", worse
