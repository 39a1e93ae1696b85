"""Translation of filters to SQL conditions and their values. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from specspan.sqlite.model import VERDICTS, Filter
from specspan.sqlite.references import QUIET_OUTCOMES

Condition = tuple[str, dict[str, Any]]
_AMENDED = "SELECT decision_id FROM specspan_amendment"


def where(conditions: Iterable[Condition]) -> Condition:
    """Return all conditions as one ``WHERE`` clause; empty for none."""
    pairs = list(conditions)
    if not pairs:
        return "", {}
    values = {name: value for _, each in pairs for name, value in each.items()}
    return "WHERE " + " AND ".join(sql for sql, _ in pairs), values


def limit(wanted: Filter) -> str:
    """Return the ``LIMIT`` clause; empty for all."""
    return f"LIMIT {int(wanted.limit)}" if wanted.limit >= 0 else ""


def decisions(wanted: Filter) -> Iterator[Condition]:
    """Yield conditions on rows of ``specspan_decision AS d``, by what holds after findings that came late."""
    if wanted.since_unix_nano is not None:
        yield "d.time_unix_nano >= {since:Int64}", {"since": wanted.since_unix_nano}
    if wanted.until_unix_nano is not None:
        yield "d.time_unix_nano < {until:Int64}", {"until": wanted.until_unix_nano}
    if wanted.after is not None:
        when, decision_id = wanted.after
        values = {"after_time": when, "after_id": decision_id}
        yield "d.time_unix_nano <= {after_time:Int64}", values
        yield "(d.time_unix_nano, d.id) < ({after_time:Int64}, {after_id:String})", values
    if wanted.model is not None:
        yield "d.model = {model:String}", {"model": wanted.model}
    if wanted.service is not None:
        yield "d.service = {service:String}", {"service": wanted.service}
    if wanted.verdict is not None:
        yield has_verdict("{verdict:String}"), {"verdict": wanted.verdict}
    if asks_for_findings(wanted):
        yield has_finding(wanted)


def has_verdict(verdict: str) -> str:
    """Return the condition that a row of ``specspan_decision AS d`` has a verdict after findings that came late."""
    amended = f"d.id IN ({_AMENDED} WHERE verdict = {verdict})"
    return f"((d.verdict = {verdict} AND d.id NOT IN ({_AMENDED})) OR {amended})"


def traces(wanted: Filter) -> Iterator[Condition]:
    """Yield conditions on rows of first spans: ``trace_id``, ``start_unix_nano`` and ``services`` of each trace."""
    if wanted.since_unix_nano is not None:
        yield "start_unix_nano >= {since:Int64}", {"since": wanted.since_unix_nano}
    if wanted.until_unix_nano is not None:
        yield "start_unix_nano < {until:Int64}", {"until": wanted.until_unix_nano}
    if wanted.after is not None:
        when, trace_id = wanted.after
        yield (
            "(start_unix_nano, trace_id) < ({after_time:Int64}, {after_id:String})",
            {"after_time": when, "after_id": trace_id},
        )
    if wanted.service is not None:
        yield "has(services, {service:String})", {"service": wanted.service}
    if wanted.model is not None:
        of_model = "SELECT d.trace_id FROM specspan_decision AS d WHERE d.model = {model:String}"
        yield f"trace_id IN ({of_model})", {"model": wanted.model}
    if wanted.verdict is not None:
        yield from _worst(wanted.verdict)
    if asks_for_findings(wanted):
        condition, values = has_finding(wanted)
        yield f"trace_id IN (SELECT d.trace_id FROM specspan_decision AS d WHERE {condition})", values


def asks_for_findings(wanted: Filter) -> bool:
    """Return whether a filter has a condition on findings."""
    return wanted.clause is not None or wanted.outcome is not None


def has_finding(wanted: Filter) -> Condition:
    """Return the condition that a row of ``specspan_decision AS d`` has a finding of a clause, an outcome or both."""
    given = {"clause": wanted.clause, "outcome": wanted.outcome}
    values = {name: value for name, value in given.items() if value is not None}
    own = " AND ".join(f"{name} = {{{name}:String}}" for name in values)
    times = [
        sql
        for sql, value in (
            ("time_unix_nano >= {since:Int64}", wanted.since_unix_nano),
            ("time_unix_nano < {until:Int64}", wanted.until_unix_nano),
            ("time_unix_nano <= {after_time:Int64}", wanted.after),
        )
        if value is not None
    ]
    found = f"SELECT time_unix_nano, decision_id FROM specspan_finding_now WHERE {' AND '.join([own, *times])}"
    in_full = f"(d.time_unix_nano, d.id) IN ({found}{_newest(wanted)})"
    if wanted.outcome is not None and wanted.outcome not in QUIET_OUTCOMES:
        return in_full, values
    named = f"SELECT policy_record, outcomes FROM specspan_outcome_finding WHERE {own}"
    return f"({in_full} OR (d.policy_record, d.outcomes) IN ({named}))", values


def _newest(wanted: Filter) -> str:
    """Return the clause by which only the newest decisions are looked up, where no other condition leaves some out."""
    is_alone = wanted.verdict is None and wanted.service is None and wanted.model is None and wanted.after is None
    if wanted.limit < 0 or not is_alone or wanted.outcome is None or wanted.outcome in QUIET_OUTCOMES:
        return ""
    newest = "ORDER BY time_unix_nano DESC, decision_id DESC LIMIT 1 BY decision_id"
    return f" {newest} LIMIT {int(wanted.limit)}"


def _worst(verdict: str) -> Iterator[Condition]:
    same = _traces_of(has_verdict("{verdict:String}"), "verdict = {verdict:String}")
    yield f"trace_id IN ({same})", {"verdict": verdict}
    for each in VERDICTS[: VERDICTS.index(verdict)] if verdict in VERDICTS else ():
        worse = _traces_of(has_verdict(f"'{each}'"), f"verdict = '{each}'")
        yield f"trace_id NOT IN ({worse})", {}


def _traces_of(decided: str, traced: str) -> str:
    return f"""SELECT d.trace_id FROM specspan_decision AS d FINAL WHERE d.trace_id != '' AND {decided}
        UNION ALL SELECT trace_id FROM specspan_span WHERE {traced}"""
