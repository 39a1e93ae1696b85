"""Translation of filters to SQL conditions and their parameters. Pure.

Lists are read from the newest backwards and stop when they are full. A property of most rows is therefore tested row by
row (``EXISTS``); a property of few rows is looked up first, by its index (``IN``). Otherwise a search that finds little
would walk through the whole file. Which decisions have a finding of a clause and an outcome is searched in the blocks
that have one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from .decision_hours import MODEL
from .model import VERDICTS, Filter
from .references import OUTCOME_OF_KEY, QUIET_OUTCOMES

Condition = tuple[str, tuple[Any, ...]]

COMMON_VERDICTS = ("complied",)

FIRST_OF_TRACE = """NOT EXISTS (SELECT 1 FROM span_row AS earlier WHERE earlier.trace_id = span.trace_id
    AND (earlier.start_unix_nano, earlier.rowid) < (span.start_unix_nano, span.rowid))"""


def where(conditions: Iterator[Condition]) -> Condition:
    """Return all conditions as one ``WHERE`` clause; empty for none."""
    pairs = list(conditions)
    if not pairs:
        return "", ()
    return "WHERE " + " AND ".join(sql for sql, _ in pairs), tuple(value for _, values in pairs for value in values)


def decisions(wanted: Filter, of_service: str) -> Iterator[Condition]:
    """Yield conditions on rows of ``decision_row AS d``, but for those on findings.

    ``of_service`` is the condition of a service, with one parameter.
    """
    if wanted.since_unix_nano is not None:
        yield "d.time_unix_nano >= ?", (wanted.since_unix_nano,)
    if wanted.until_unix_nano is not None:
        yield "d.time_unix_nano < ?", (wanted.until_unix_nano,)
    if wanted.after is not None:
        yield "(d.time_unix_nano, d.id) < (?, ?)", wanted.after
    if wanted.model is not None:
        yield f"{MODEL} = ?", (wanted.model,)
    if wanted.verdict is not None:
        yield f"d.verdict = ?{_not_common(wanted.verdict, 'd')}", (wanted.verdict,)
    if wanted.service is not None:
        yield of_service, (wanted.service,)


def traces(wanted: Filter, *, is_common_verdict: bool) -> Iterator[Condition]:
    """Yield conditions on rows of ``span_row AS span`` by which each is the first of a trace that the filter lets pass,
    but for the conditions on findings.
    """
    yield FIRST_OF_TRACE, ()
    if wanted.since_unix_nano is not None:
        yield "start_unix_nano >= ?", (wanted.since_unix_nano,)
    if wanted.until_unix_nano is not None:
        yield "start_unix_nano < ?", (wanted.until_unix_nano,)
    if wanted.after is not None:
        yield "(start_unix_nano, trace_id) < (?, ?)", wanted.after
    if wanted.service is not None:
        of_trace = "SELECT 1 FROM span_row AS s WHERE s.trace_id = span.trace_id"
        yield f"EXISTS ({of_trace} AND s.service = ?)", (wanted.service,)
    if wanted.verdict is not None:
        yield from _worst(wanted.verdict, is_common=is_common_verdict)


def traces_of_findings(wanted: Filter, blocks: Sequence[int] | None = None) -> Condition:
    """Return the condition that a trace has a decision with such a finding, where given in some blocks only."""
    condition, values = has_finding(wanted)
    decided = "SELECT 1 FROM decision_row AS d WHERE d.trace_id = span.trace_id"
    if blocks is None:
        return f"EXISTS ({decided} AND {condition})", values
    of_blocks = "coalesce(d.block, 0) IN (SELECT value FROM json_each(?))"
    return f"EXISTS ({decided} AND {of_blocks} AND {condition})", (json.dumps(list(blocks)), *values)


def traces_of_model(model: str, *, is_common: bool) -> Condition:
    """Return the condition that a trace has a decision about a call of a model."""
    if is_common:
        return f"EXISTS (SELECT 1 FROM decision_row AS d WHERE d.trace_id = span.trace_id AND +{MODEL} = ?)", (model,)
    return f"trace_id IN (SELECT d.trace_id FROM decision_row AS d WHERE {MODEL} = ?)", (model,)


def traces_of_decisions(ids: Sequence[str]) -> Condition:
    """Return the condition that a trace has one of some decisions."""
    decided = "SELECT d.trace_id FROM decision_row AS d WHERE d.id IN (SELECT value FROM json_each(?))"
    return f"trace_id IN ({decided})", (json.dumps(list(ids)),)


def deviations(wanted: Filter) -> Condition:
    """Return the condition on rows of ``finding_row AS f`` of an outcome that is never named by reference."""
    given, values = _where_given({"f.outcome = ?": wanted.outcome, "f.clause = ?": wanted.clause})
    # written out, as the partial indexes serve only queries that imply their condition
    later = "" if wanted.after is None else " AND f.time_unix_nano <= ?"  # for the index; decisions have the rest
    return f"f.outcome NOT IN ('complied', 'not_applicable') AND {given}{later}", (*values, *(wanted.after or ())[:1])


def is_deviation(outcome: str | None) -> bool:
    """Return whether findings of an outcome are always written in full."""
    return outcome is not None and outcome not in QUIET_OUTCOMES


def blocks(wanted: Filter) -> Condition:
    """Return the query of the blocks with such a finding and of the time of their last decisions, the latest first."""
    conditions: list[Condition] = []
    if wanted.clause is not None:
        conditions.append(("clause_id = (SELECT id FROM name WHERE text = ?)", (wanted.clause,)))
    since = wanted.since_unix_nano if wanted.since_unix_nano is not None else -(2**63)
    if wanted.clause is None:
        return (
            """SELECT block, last_unix_nano FROM decision_block
                WHERE last_unix_nano >= ? AND instr(outcomes, ' ' || ? || ' ')
                ORDER BY last_unix_nano DESC, block DESC""",
            (since, wanted.outcome),
        )
    if wanted.outcome is not None:
        conditions.append(("outcome = ?", (wanted.outcome,)))
    if wanted.service is not None:
        conditions.append(("service_id = (SELECT id FROM name WHERE text = ?)", (wanted.service,)))
    condition, values = where(iter(conditions))
    return (
        f"""SELECT block, last_unix_nano FROM decision_block
            WHERE last_unix_nano >= ? AND block IN (SELECT block FROM finding_count {condition})
            ORDER BY last_unix_nano DESC, block DESC""",
        (since, *values),
    )


def asks_for_findings(wanted: Filter) -> bool:
    """Return whether a filter has a condition on findings."""
    return wanted.clause is not None or wanted.outcome is not None


def has_finding(wanted: Filter) -> Condition:
    """Return the condition that a row of ``decision_row AS d`` has a finding of a clause, of an outcome or of both."""
    # by the decision's own findings, not by the index of all findings of the clause: hence the plus signs
    own, values = _where_given({"+f.clause = ?": wanted.clause, "+f.outcome = ?": wanted.outcome})
    in_full = f"EXISTS (SELECT 1 FROM finding_row AS f WHERE f.decision_id = d.id AND {own})"
    if is_deviation(wanted.outcome):
        return in_full, values
    referenced, more = _where_given(
        {"a.clause_id = (SELECT id FROM name WHERE text = ?)": wanted.clause, f"{OUTCOME_OF_KEY} = ?": wanted.outcome}
    )
    # in this order: one assessment of the clause, then the few ranges
    by_reference = f"""EXISTS (SELECT 1 FROM decision_shared AS s CROSS JOIN assessment AS a
        CROSS JOIN json_each(d.outcomes) AS o
        CROSS JOIN json_each('[[' || replace(replace(o.value, ',', '],['), '-', ',') || ']]') AS r
        WHERE s.id = d.shared_id AND a.policy_id = s.policy_id AND {referenced}
            AND a.number BETWEEN json_extract(r.value, '$[0]')
                AND coalesce(json_extract(r.value, '$[1]'), json_extract(r.value, '$[0]')))"""
    return f"({in_full} OR {by_reference})", (*values, *more)


def _where_given(conditions: dict[str, str | None]) -> Condition:
    given = {sql: value for sql, value in conditions.items() if value is not None}
    return " AND ".join(given), tuple(given.values())


def _not_common(verdict: str, table: str) -> str:
    # written out, as the partial index serves only queries that imply its condition
    return "" if verdict in COMMON_VERDICTS else f" AND {table}.verdict <> 'complied'"


def _worst(verdict: str, *, is_common: bool) -> Iterator[Condition]:
    if is_common:
        yield "EXISTS (SELECT 1 FROM trace_verdict AS v WHERE v.trace_id = span.trace_id AND v.verdict = ?)", (verdict,)
    else:
        of_verdict = f"SELECT trace_id FROM trace_verdict AS v WHERE v.verdict = ?{_not_common(verdict, 'v')}"
        yield f"trace_id IN ({of_verdict})", (verdict,)
    worse = VERDICTS[: VERDICTS.index(verdict)] if verdict in VERDICTS else ()
    if worse:
        marks = ", ".join("?" * len(worse))
        same = "SELECT 1 FROM trace_verdict AS v WHERE v.trace_id = span.trace_id"
        yield f"NOT EXISTS ({same} AND v.verdict IN ({marks}))", worse
