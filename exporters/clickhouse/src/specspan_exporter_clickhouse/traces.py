"""Summaries of traces, from their spans and their decisions, a few queries for a whole list."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from specspan.sqlite.model import VERDICTS, TraceSummary
from specspan_exporter_clickhouse.statistics import Rows

_OF_TRACES = "trace_id IN {traces:Array(String)}"


def summarize(rows: Rows, short_ids: dict[str, str]) -> list[TraceSummary]:
    """Return the summaries of traces that have a span each, in the order of ``short_ids``, which are by their ids."""
    values = {"traces": list(short_ids)}
    spans = _by_trace(
        rows(
            f"""SELECT trace_id, span_id, parent_span_id, name, service, start_unix_nano, end_unix_nano, verdict,
                    violated
                FROM specspan_span WHERE {_OF_TRACES}
                ORDER BY start_unix_nano, end_unix_nano DESC, span_id LIMIT 1 BY trace_id, span_id""",
            values,
        )
    )
    # From both, for spans may have been sampled away, and decisions may never have come here.
    decided = _by_trace(
        rows(
            f"""SELECT d.trace_id, if(a.decision_id != '', a.verdict, d.verdict) FROM specspan_decision AS d FINAL
                LEFT ANY JOIN specspan_amendment AS a ON a.decision_id = d.id WHERE d.{_OF_TRACES}""",
            values,
        )
    )
    violated = _by_trace(
        rows(
            f"""SELECT DISTINCT d.trace_id, f.clause FROM specspan_finding_now AS f
                INNER JOIN (SELECT id, trace_id FROM specspan_decision WHERE {_OF_TRACES}) AS d ON d.id = f.decision_id
                WHERE f.outcome = 'violated'
                    AND f.decision_id IN (SELECT id FROM specspan_decision WHERE {_OF_TRACES})""",
            values,
        )
    )
    return [
        _summary(trace_id, short_id, spans[trace_id], decided[trace_id], violated[trace_id])
        for trace_id, short_id in short_ids.items()
    ]


def _by_trace(rows: Sequence[tuple[Any, ...]]) -> dict[str, list[tuple[Any, ...]]]:
    found: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for trace_id, *rest in rows:
        found[trace_id].append(tuple(rest))
    return found


def _summary(
    trace_id: str,
    short_id: str,
    spans: Sequence[tuple[Any, ...]],
    decided: Sequence[tuple[Any, ...]],
    violated: Sequence[tuple[Any, ...]],
) -> TraceSummary:
    present = {row[0] for row in spans}
    root = next((row for row in spans if row[1] not in present), spans[0])
    found = {row[0] for row in decided} | {row[6] for row in spans}
    clauses = {str(row[0]) for row in violated} | {str(each) for row in spans for each in row[7] or ()}
    return TraceSummary(
        trace_id=trace_id,
        short_id=short_id,
        name=root[2],
        service=root[3] or None,
        start_unix_nano=spans[0][4],
        end_unix_nano=max(row[5] for row in spans),
        spans=len(spans),
        verdict=next((verdict for verdict in VERDICTS if verdict in found), None),
        violated=tuple(sorted(clauses)),
    )
