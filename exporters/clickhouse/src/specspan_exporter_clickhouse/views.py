"""Views that questions are asked of: what holds now, each decision and each finding once."""

from __future__ import annotations

from specspan_exporter_clickhouse.tables import MINUTE_NS

SETTLED_NS = 60 * 10**9
"""Time after which an insertion that began has surely become visible: younger counts are made from decisions."""
_NOW = "toUnixTimestamp64Nano(now64(9))"
_MINUTE_KEYS = "minute, service, service_version, verdict, policy_digest, policy_record, outcomes"

# The first answer settles a finding; one that says it was lost gives way to any, and one that replaces stands.
_LATE_NOW = """SELECT decision_id, ordinal, found.1 AS outcome, found.2 AS reason, found.3 AS score, found.4 AS record,
        found.5 AS time_unix_nano, found.6 AS is_amending, found.7 AS verdict, found.8 AS action,
        found.9 AS governing_clause, found.10 AS ruling_reason, found.11 AS arrived, found.12 AS replaces,
        found.13 AS clause
    FROM (SELECT decision_id, ordinal, argMax(
            tuple(outcome, reason, score, record, time_unix_nano, is_amending, verdict, action, governing_clause,
                ruling_reason, arrived, replaces, clause),
            tuple(multiIf(replaces = 1, 2, coalesce(reason, '') = 'lost', 0, 1),
                if(replaces = 1 OR coalesce(reason, '') = 'lost', arrived, -arrived))) AS found
        FROM specspan_late_finding GROUP BY decision_id, ordinal)"""

_AMENDMENT = """SELECT decision_id, ruling.1 AS verdict, ruling.2 AS action, ruling.3 AS governing_clause,
        ruling.4 AS reason
    FROM (SELECT decision_id, argMax(tuple(verdict, action, governing_clause, ruling_reason), arrived) AS ruling
        FROM specspan_late_now WHERE is_amending GROUP BY decision_id)"""

_OWN = """f.clause AS clause, f.time_unix_nano AS time_unix_nano, f.decision_id AS decision_id, f.ordinal AS ordinal,
        f.authority AS authority, f.severity AS severity, f.stage AS stage, f.check_name AS check_name,
        f.check_kind AS check_kind, f.check_version AS check_version, f.service AS service,
        f.service_version AS service_version, f.policy_digest AS policy_digest"""
_FINDING_NOW = f"""SELECT {_OWN}, f.outcome AS outcome, f.reason AS reason, f.score AS score
    FROM specspan_finding AS f FINAL
    WHERE (f.decision_id, f.ordinal) NOT IN (SELECT decision_id, ordinal FROM specspan_late_finding)
        AND NOT (f.outcome = 'pending' AND f.pending_until < {_NOW})
    UNION ALL SELECT {_OWN}, 'unassessed' AS outcome, 'lost' AS reason, f.score AS score
    FROM specspan_finding AS f FINAL
    WHERE (f.decision_id, f.ordinal) NOT IN (SELECT decision_id, ordinal FROM specspan_late_finding)
        AND f.outcome = 'pending' AND f.pending_until < {_NOW}
    UNION ALL SELECT {_OWN}, if(f.outcome = 'pending' OR l.replaces = 1, l.outcome, f.outcome) AS outcome,
        if(f.outcome = 'pending' OR l.replaces = 1, l.reason, f.reason) AS reason,
        if(f.outcome = 'pending' OR l.replaces = 1, l.score, f.score) AS score
    FROM specspan_finding AS f FINAL
        INNER JOIN specspan_late_now AS l ON l.decision_id = f.decision_id AND l.ordinal = f.ordinal
    WHERE f.decision_id IN (SELECT decision_id FROM specspan_late_finding)"""

_OUTCOME_FINDING = """SELECT policy_record, outcomes, clause, outcome, reason, count() AS findings
    FROM (SELECT c.policy_record AS policy_record, c.outcomes AS outcomes, p.clauses AS clauses,
            splitByChar(':', kv.1)[1] AS outcome,
            nullIf(substring(kv.1, length(splitByChar(':', kv.1)[1]) + 2), '') AS reason,
            arrayJoin(arrayFlatten(arrayMap(part -> range(
                toUInt32(splitByChar('-', part)[1]),
                least(toUInt32(splitByChar('-', part)[-1]) + 1, toUInt32(length(p.clauses)))),
                splitByChar(',', kv.2)))) AS number, clauses[number + 1] AS clause
        FROM (SELECT policy_record, outcomes, arrayJoin(JSONExtractKeysAndValues(outcomes, 'String')) AS kv
            FROM specspan_combination FINAL) AS c
            INNER JOIN (SELECT id, clauses FROM specspan_policy FINAL) AS p ON p.id = c.policy_record)
    GROUP BY policy_record, outcomes, clause, outcome, reason"""

_UNCOUNTED = f"""SELECT a.minute AS minute FROM
        (SELECT minute, max(arrived) AS arrived FROM specspan_arrival GROUP BY minute) AS a
        LEFT JOIN (SELECT minute, max(counted_at) AS counted_at FROM specspan_decision_minute GROUP BY minute) AS c
            ON c.minute = a.minute
    WHERE c.counted_at <= a.arrived + {SETTLED_NS}"""

COUNTED = f"""SELECT intDiv(d.time_unix_nano, {MINUTE_NS}) AS minute, d.service AS service,
        d.service_version AS service_version, d.verdict AS verdict, d.policy_digest AS policy_digest,
        d.policy_record AS policy_record, d.outcomes AS outcomes, count() AS decisions,
        sum(d.considered) AS considered, sum(coalesce(d.not_assessed, 0)) AS not_assessed
    FROM specspan_decision AS d FINAL
    WHERE intDiv(d.time_unix_nano, {MINUTE_NS}) IN (SELECT minute FROM specspan_uncounted_minute)
    GROUP BY {_MINUTE_KEYS}"""
"""Query of the counts of minutes that changed since they were counted."""

_DECISION_COUNT = f"""SELECT {_MINUTE_KEYS}, decisions, considered, not_assessed
    FROM specspan_decision_minute WHERE minute NOT IN (SELECT minute FROM specspan_uncounted_minute)
        AND (minute, counted_at) IN (SELECT minute, max(counted_at) FROM specspan_decision_minute GROUP BY minute)
    UNION ALL {COUNTED}"""

_CLAUSE_MINUTE = f"""SELECT minute, clause, outcome, service, service_version, policy_digest, sum(n) AS count FROM (
        SELECT c.minute AS minute, o.clause AS clause, o.outcome AS outcome, c.service AS service,
            c.service_version AS service_version, c.policy_digest AS policy_digest, c.decisions * o.findings AS n
        FROM specspan_decision_count AS c INNER JOIN specspan_outcome_finding AS o
            ON o.policy_record = c.policy_record AND o.outcomes = c.outcomes
        UNION ALL SELECT intDiv(time_unix_nano, {MINUTE_NS}), clause, outcome, service, service_version, policy_digest,
            toUInt64(1) FROM specspan_finding_now)
    GROUP BY minute, clause, outcome, service, service_version, policy_digest"""

VIEWS = {
    "specspan_late_now": _LATE_NOW,
    "specspan_amendment": _AMENDMENT,
    "specspan_finding_now": _FINDING_NOW,
    "specspan_outcome_finding": _OUTCOME_FINDING,
    "specspan_uncounted_minute": _UNCOUNTED,
    "specspan_decision_count": _DECISION_COUNT,
    "specspan_clause_minute": _CLAUSE_MINUTE,
}
"""Queries of the views, by name, in an order in which each knows those before it."""

REFRESH = f"""CREATE MATERIALIZED VIEW specspan_decision_minute_mv REFRESH EVERY 1 MINUTE
    APPEND TO specspan_decision_minute AS SELECT *, {_NOW} AS counted_at FROM ({COUNTED})"""
"""Statement that has the server count minutes that changed, every minute."""


def span_view(table: str, *, is_json: bool) -> str:
    """Return the query of spans, from a Collector's table with attributes as maps or as JSON.

    A span that came twice is there twice: who reads takes one by its ids.
    """
    if is_json:
        text, of_list = "toString({})", "arrayMap(x -> toString(x), {})"
        value = "toString(SpanAttributes.`{}`)"
        clauses = "SpanAttributes.specspan.clauses.violated.:`Array(Nullable(String))`"
    else:
        text, of_list, value = "toJSONString({})", "arrayMap(x -> toJSONString(x), {})", "SpanAttributes['{}']"
        clauses = "JSONExtract(SpanAttributes['specspan.clauses.violated'], 'Array(Nullable(String))')"
    if is_json:
        named = {name: value.format(name.replace(".", "`.`")) for name in _NAMED}
    else:
        named = {name: value.format(name) for name in _NAMED}
    return f"""SELECT TraceId AS trace_id, SpanId AS span_id, ParentSpanId AS parent_span_id, SpanName AS name,
        upper(SpanKind) AS kind, toUnixTimestamp64Nano(Timestamp) AS start_unix_nano,
        toUnixTimestamp64Nano(Timestamp) + toInt64(Duration) AS end_unix_nano, upper(StatusCode) AS status,
        StatusMessage AS status_message, ServiceName AS service, {text.format("SpanAttributes")} AS attributes,
        arrayMap(t -> toUnixTimestamp64Nano(t), Events.Timestamp) AS event_times, Events.Name AS event_names,
        {of_list.format("Events.Attributes")} AS event_attributes, Links.TraceId AS link_traces,
        Links.SpanId AS link_spans, {of_list.format("Links.Attributes")} AS link_attributes,
        ScopeName AS scope_name, ScopeVersion AS scope_version,
        {text.format("ResourceAttributes")} AS resource, nullIf({named["user.id"]}, '') AS user_id,
        nullIf({named["specspan.decision.verdict"]}, '') AS verdict, {clauses} AS violated,
        {"true" if is_json else "false"} AS is_typed
    FROM {table}"""


_NAMED = ("user.id", "specspan.decision.verdict")
