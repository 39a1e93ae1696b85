"""Summary of one trace for a list: the rows of its spans, and what was decided about them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from typing import Any

from .model import VERDICTS, TraceSummary

Rows = Callable[[str, Any], list[tuple[Any, ...]]]
"""Function that runs a statement with its parameters."""


def summarize_trace(rows: Rows, trace_id: str, short_id: str) -> TraceSummary:
    """Return the summary of a trace that is there.

    Raises:
        sqlite3.DatabaseError: the file is damaged.
    """
    spans = rows(
        """SELECT span_id, parent_span_id, name, service, start_unix_nano, end_unix_nano FROM span_row
           WHERE trace_id = ? ORDER BY start_unix_nano, rowid""",
        (trace_id,),
    )
    if not spans:
        raise sqlite3.DatabaseError("database disk image is malformed: an index names a span that the table has not")
    present = {row[0] for row in spans}
    root = next((row for row in spans if row[1] not in present), spans[0])
    verdicts = {row[0] for row in rows("SELECT verdict FROM trace_verdict WHERE trace_id = ?", (trace_id,))}
    return TraceSummary(
        trace_id=trace_id,
        short_id=short_id,
        name=root[2],
        service=root[3],
        start_unix_nano=spans[0][4],
        end_unix_nano=max(row[5] for row in spans),
        spans=len(spans),
        verdict=next((verdict for verdict in VERDICTS if verdict in verdicts), None),
        violated=tuple(sorted(_violated(rows, trace_id))),
    )


def _violated(rows: Rows, trace_id: str) -> Iterator[str]:
    # From both, for spans may have been sampled away, and decisions may never have been exported here.
    for (clause,) in rows(
        """SELECT clause FROM finding_row JOIN decision_row AS d ON d.id = decision_id
             WHERE trace_id = :trace AND outcome = 'violated'
           UNION
           SELECT value FROM span_row AS span, json_each(span.attributes, '$."specspan.clauses.violated"')
             WHERE trace_id = :trace AND verdict = 'violated'""",
        {"trace": trace_id},
    ):
        yield str(clause)
