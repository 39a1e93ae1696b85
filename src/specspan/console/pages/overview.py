"""Overview: calls and verdicts over time, violations, what was not assessed, judges, losses and changes."""

from __future__ import annotations

import json
import time
from typing import Any

from starlette.responses import Response

from specspan.console import overview_figures as figures
from specspan.console.outcome_words import VERDICTS
from specspan.console.time_ranges import RANGES, TimeRange, choose_range
from specspan.console.visit import NavigationEntry, Visit, page_route
from specspan.sqlite.model import Filter
from specspan.stores.protocols import StoreReader

_MAX_AGE_S = 3.0
_MOST_CLAUSES = 12
_MOST_CHANGES = 8


def overview(visit: Visit) -> Response:
    """Return the page of figures."""
    now_ns = time.time_ns()
    answers = visit.console.answers
    newest = answers.get("newest", _MAX_AGE_S, lambda: _newest(visit.reader))
    chosen = choose_range(visit.parameter("range"), newest, now_ns)
    context = answers.get(("overview", chosen.name), _MAX_AGE_S, lambda: _context(visit.reader, chosen, now_ns))
    return visit.page("overview.html", ranges=RANGES, chosen=chosen, **context)


def _newest(reader: StoreReader) -> int | None:
    found = reader.decisions(Filter(limit=1))
    return int(found[0].get("time_unix_nano") or 0) if found else None


def _context(reader: StoreReader, chosen: TimeRange, now_ns: int) -> dict[str, Any]:
    since = chosen.since_unix_nano(now_ns)
    activations = reader.policy_activations()
    buckets = figures.fill_buckets(reader.decision_hours(since), chosen, since // 10**9, now_ns // 10**9)
    violations = figures.violations(reader.clause_counts(since, "violated"), activations)
    changes = figures.changes(activations, since)
    totals = figures.verdict_totals(buckets)
    considered = sum(bucket.considered for bucket in buckets)
    return {
        "since": since,
        "buckets": buckets,
        "totals": totals,
        "calls": sum(totals.values()),
        "unassessed": sum(bucket.unassessed for bucket in buckets) / considered if considered else None,
        "violations": violations[:_MOST_CLAUSES],
        "more_violated": max(0, len(violations) - _MOST_CLAUSES),
        "most": max((each.count for each in violations), default=1),
        "by_authority": figures.by_authority(violations),
        "changes": changes[:_MOST_CHANGES],
        "judges": figures.judge_figures(reader.judge_usage(since)),
        "prunings": reader.prunings()[:3],
        "chart": _chart(buckets, changes, chosen),
    }


def _chart(buckets: list[figures.Bucket], changes: list[figures.Change], chosen: TimeRange) -> str:
    """Return what the script draws, as JSON."""
    names = [name for name in VERDICTS if any(bucket.verdicts.get(name) for bucket in buckets)]
    return json.dumps(
        {
            "starts": [bucket.start_unix for bucket in buckets],
            "width": chosen.bucket_s,
            "verdicts": {name: [bucket.verdicts.get(name, 0) for bucket in buckets] for name in names},
            "changes": [
                {"time": change.time_unix_nano / 1e9, "words": change.words}
                for change in changes
                if not change.is_first
            ],
        }
    )


NAVIGATION = NavigationEntry(10, "/", "Overview")
ROUTES = [page_route("/", overview)]
