"""Traces: search by what was decided, by whom, when and by id; one trace as a waterfall with its calls.

A search by what was decided lists decided calls, which indexes find at once; a search by time and service, traces.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import RedirectResponse, Response

from specspan.cli.terminal import parse_since
from specspan.console.outcome_words import OUTCOMES, VERDICTS
from specspan.console.shown_call import show_call
from specspan.console.visit import NavigationEntry, Visit, page_route
from specspan.console.waterfall import SCALE, make_waterfall
from specspan.sqlite.model import Filter, TraceSummary

_PAGE_SIZE = 50
_PAGE_SIZE_OF_CALLS = 25
_MOST_ROWS = 400
_MOST_CALLS = 12
"""Calls of a trace that its page shows in full; the others have a page each."""
_NAMES_MAX_AGE_S = 30.0
_ID = re.compile(r"[0-9a-z-]{4,64}")
_OF_DECISIONS = ("clause", "outcome", "verdict", "model")
_FIELDS = (*_OF_DECISIONS, "service")
_AFTER = re.compile(r"(\d{1,19})-([0-9a-z-]{1,64})")


def traces(visit: Visit) -> Response:
    """Return the list, or the one trace that an id means."""
    wanted_id = visit.parameter("id").lower()
    problems: list[str] = []
    if wanted_id:
        found = list(_find(visit, wanted_id))
        if len(found) == 1:
            return RedirectResponse(found[0], 303)
        problems.append(
            f"Several ids begin with {wanted_id!r}; write more of it." if found else f"No id begins with {wanted_id!r}."
        )
    chosen = {name: visit.parameter(name) for name in (*_FIELDS, "since", "until")}
    are_calls = any(chosen[name] for name in _OF_DECISIONS)
    size = _PAGE_SIZE_OF_CALLS if are_calls else _PAGE_SIZE
    wanted = Filter(
        **{name: chosen[name] or None for name in _FIELDS},
        since_unix_nano=_time(chosen["since"], problems),
        until_unix_nano=_time(chosen["until"], problems),
        after=_after(visit.parameter("after")),
        limit=size + 1,
    )
    rows: list[Any] = []
    if not problems:
        rows = list(visit.reader.decisions(wanted) if are_calls else visit.reader.traces(wanted))
    page = rows[:size]
    last = page[-1] if len(rows) > size else None
    return visit.page(
        "calls.html" if are_calls else "traces.html",
        rows=page,
        chosen=chosen,
        wanted_id=wanted_id,
        problems=problems,
        after=None if last is None else _call_key(last) if are_calls else _trace_key(last),
        is_first=wanted.after is None,
        outcomes=OUTCOMES,
        verdicts=VERDICTS,
        names=visit.console.answers.get("names", _NAMES_MAX_AGE_S, lambda: _names(visit)),
    )


def trace(visit: Visit) -> Response:
    """Return the page of one trace."""
    trace_id = str(visit.request.path_params["trace_id"])
    spans, decisions = visit.reader.spans(trace_id), visit.reader.decisions_of(trace_id)
    if not spans and not decisions:
        raise HTTPException(404, f"No trace {trace_id!r} is in the store. It may have been removed with age.")
    waterfall = make_waterfall(spans, decisions, _MOST_ROWS)
    by_id = {span.span_id: span for span in spans}
    decided = [row.decision for row in waterfall.rows if row.decision is not None] + list(waterfall.orphans)
    only = visit.parameter("span")
    wanted = [each for each in decided if only and each.get("span_id") == only] or decided[:_MOST_CALLS]
    digests = {str((each.get("policy") or {}).get("digest") or "") for each in wanted}
    policies = visit.reader.policies(digests)
    specs = visit.console.specs
    calls = [show_call(each, by_id.get(str(each.get("span_id"))), specs, policies) for each in wanted]
    shown = [str(call.decision.get("id")) for call in calls if call.content is not None and call.content.is_recorded]
    if shown:
        visit.record_view("trace", {"trace_id": trace_id, "decisions": shown})
    return visit.page(
        "trace.html",
        trace_id=trace_id,
        waterfall=waterfall,
        scale=SCALE,
        calls=calls,
        left_out=len(decided) - len(wanted),
        shown_spans={call.span.span_id for call in calls if call.span is not None},
        services=sorted({span.service for span in spans if span.service}),
    )


def decision(visit: Visit) -> Response:
    """Lead from a decision's id, as alerts and terminals name it, to its place in its trace."""
    decision_id = str(visit.request.path_params["decision_id"])
    try:
        record = visit.reader.decision(decision_id)
    except KeyError:
        raise HTTPException(404, f"No decision {decision_id!r} is in the store.") from None
    if not record.get("trace_id"):  # no tracing was set up, so that there is no trace to show it in
        policies = visit.reader.policies([str((record.get("policy") or {}).get("digest") or "")])
        return visit.page("decision.html", call=show_call(record, None, visit.console.specs, policies))
    return RedirectResponse(_place(record), 303)


def _place(record: Mapping[str, Any]) -> str:
    return f"/traces/{record.get('trace_id')}?span={record.get('span_id')}#s-{record.get('span_id')}"


def _find(visit: Visit, prefix: str) -> Iterator[str]:
    """Yield the pages of what an id means: traces and decisions that begin with it."""
    if not _ID.fullmatch(prefix):
        return
    yield from (f"/traces/{trace_id}" for trace_id in visit.reader.trace_ids(prefix))
    for decision_id in visit.reader.decision_ids(prefix):
        yield f"/decisions/{decision_id}"


def _names(visit: Visit) -> dict[str, list[str]]:
    reader = visit.reader
    return {"clause": reader.clauses(), "service": reader.services(), "model": reader.models()}


def _time(text: str, problems: list[str]) -> int | None:
    if not text:
        return None
    try:
        return parse_since(text, time.time_ns())
    except ValueError as error:
        problems.append(f"{error}.")
        return None


def _after(text: str) -> tuple[int, str] | None:
    match = _AFTER.fullmatch(text)
    return (min(int(match[1]), 2**63 - 1), match[2]) if match else None


def _trace_key(row: TraceSummary) -> str:
    return f"{row.start_unix_nano}-{row.trace_id}"


def _call_key(record: Mapping[str, Any]) -> str:
    return f"{record.get('time_unix_nano')}-{record.get('id')}"


NAVIGATION = NavigationEntry(20, "/traces", "Traces")
ROUTES = [
    page_route("/traces", traces),
    page_route("/traces/{trace_id}", trace),
    page_route("/decisions/{decision_id}", decision),
]
