"""Waterfall of a trace: its spans in the order of the tree, each with the place of its bar and the decision on it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from specspan.cli.trace_view import span_decision
from specspan.sqlite.model import StoredSpan

Record = Mapping[str, Any]

SCALE = 1000
"""Width of the whole trace, in units of a bar."""
_LEAST_WIDTH = 3
_DEEPEST = 12
"""Depth from which on rows are indented no further."""


@dataclass(frozen=True, slots=True)
class Row:
    """Span in a waterfall."""

    span: StoredSpan
    depth: int
    x: int
    """Start of the bar, of `SCALE`."""
    width: int
    decision: Record | None


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Trace as rows, one for each span."""

    rows: Sequence[Row]
    left_out: int
    """Number of spans beyond the most that are shown."""
    start_unix_nano: int
    duration_ns: int
    orphans: Sequence[Record]
    """Decisions whose span is not in the store."""


def make_waterfall(spans: Sequence[StoredSpan], decisions: Sequence[Record], most_rows: int) -> Waterfall:
    """Return the waterfall of one trace, which has a span or a decision at least."""
    by_span = {decision.get("span_id"): decision for decision in decisions}
    present = {span.span_id for span in spans}
    start = min((span.start_unix_nano for span in spans), default=0)
    end = max((span.end_unix_nano for span in spans), default=0)
    extent = max(1, end - start)
    rows: list[Row] = []
    for span, depth in _in_tree_order(spans):
        if len(rows) == most_rows:
            break
        x = min(SCALE - _LEAST_WIDTH, (span.start_unix_nano - start) * SCALE // extent)
        width = max(_LEAST_WIDTH, min(SCALE - x, span.duration_ns * SCALE // extent))
        decision = by_span.get(span.span_id) or span_decision(span)
        rows.append(Row(span, min(depth, _DEEPEST), x, width, decision))
    orphans = [decision for decision in decisions if decision.get("span_id") not in present]
    return Waterfall(rows, len(spans) - len(rows), start, end - start, orphans)


def _in_tree_order(spans: Sequence[StoredSpan]) -> Iterator[tuple[StoredSpan, int]]:
    """Yield each span with its depth: parents first, children in the order of time. No recursion: traces are deep."""
    present = {span.span_id for span in spans}
    children: defaultdict[str | None, list[StoredSpan]] = defaultdict(list)
    for span in sorted(spans, key=lambda each: each.start_unix_nano):
        children[span.parent_span_id if span.parent_span_id in present else None].append(span)
    waiting = [(span, 0) for span in reversed(children[None])]
    seen: set[str] = set()
    while waiting:
        span, depth = waiting.pop()
        if span.span_id in seen:
            continue
        seen.add(span.span_id)
        yield span, depth
        waiting += [(child, depth + 1) for child in reversed(children[span.span_id])]
    yield from ((span, 0) for span in spans if span.span_id not in seen)  # their parents form a circle
