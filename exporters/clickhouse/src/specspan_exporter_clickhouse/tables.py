"""Tables and the materialised views that fill them from the log records that a Collector writes.

A log record's body is a record of specspan as JSON. Delivery is at least once: a decision that came twice has the same
time and id, lies in the same partition and is one row once parts are merged, and one row of every query before that, as
queries read ``FINAL``. What names findings by reference is listed once, in ``specspan_combination``.
"""

from __future__ import annotations

from specspan_exporter_clickhouse.address import Address

MINUTE_NS = 60 * 10**9
_DAY = "toDate(fromUnixTimestamp64Nano(time_unix_nano, 'UTC'))"
_WORD = "LowCardinality(Nullable(String))"
_CODEC = "CODEC(ZSTD(1))"
_NUMBER = "Nullable(Int64) CODEC(ZSTD(1))"
_TIME = "Int64 CODEC(Delta(8), ZSTD(1))"

_DECISION = f"""CREATE TABLE IF NOT EXISTS specspan_decision (
    time_unix_nano {_TIME},
    id String {_CODEC},
    trace_id String {_CODEC},
    span_id String {_CODEC},
    service {_WORD},
    service_version LowCardinality(String),
    verdict {_WORD},
    action {_WORD},
    would {_WORD},
    mode {_WORD},
    governing_clause {_WORD},
    reason {_WORD},
    policy_digest {_WORD},
    policy_record LowCardinality(String),
    outcomes LowCardinality(String),
    spec_version {_WORD},
    provider {_WORD},
    model {_WORD},
    input_tokens {_NUMBER},
    output_tokens {_NUMBER},
    cache_read_input_tokens {_NUMBER},
    considered Int64 CODEC(T64, ZSTD(1)),
    not_assessed {_NUMBER},
    overhead_ns {_NUMBER},
    pending_until Int64 {_CODEC},
    record String CODEC(ZSTD(3)),
    INDEX by_id id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_trace trace_id TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX by_verdict verdict TYPE set(8) GRANULARITY 1
) ENGINE = ReplacingMergeTree PARTITION BY {_DAY} ORDER BY (time_unix_nano, id)"""

_FINDING = f"""CREATE TABLE IF NOT EXISTS specspan_finding (
    clause LowCardinality(String),
    outcome LowCardinality(String),
    time_unix_nano {_TIME},
    decision_id String {_CODEC},
    ordinal UInt32,
    authority {_WORD},
    severity {_WORD},
    reason {_WORD},
    score Nullable(Float64) {_CODEC},
    stage {_WORD},
    check_name {_WORD},
    check_kind {_WORD},
    check_version {_WORD},
    service {_WORD},
    service_version LowCardinality(String),
    policy_digest {_WORD},
    pending_until Int64 {_CODEC},
    INDEX by_decision decision_id TYPE bloom_filter(0.001) GRANULARITY 1
) ENGINE = ReplacingMergeTree PARTITION BY {_DAY} ORDER BY (clause, outcome, time_unix_nano, decision_id, ordinal)"""

_LATE = f"""CREATE TABLE IF NOT EXISTS specspan_late_finding (
    decision_id String {_CODEC},
    ordinal UInt32,
    arrived Int64,
    time_unix_nano Int64,
    clause LowCardinality(String),
    outcome LowCardinality(String),
    reason {_WORD},
    score Nullable(Float64),
    replaces UInt8,
    is_amending UInt8,
    verdict {_WORD},
    action {_WORD},
    governing_clause {_WORD},
    ruling_reason {_WORD},
    record String CODEC(ZSTD(3))
) ENGINE = MergeTree ORDER BY (decision_id, ordinal, arrived)"""

_OTHERS = (
    """CREATE TABLE IF NOT EXISTS specspan_combination (policy_record String, outcomes String)
        ENGINE = ReplacingMergeTree ORDER BY (policy_record, outcomes)""",
    """CREATE TABLE IF NOT EXISTS specspan_policy (
        id String, digest String, clauses Array(LowCardinality(String)), record String CODEC(ZSTD(3)), place UInt64
        ) ENGINE = ReplacingMergeTree(place) ORDER BY id""",
    """CREATE TABLE IF NOT EXISTS specspan_policy_activation (
        policy_record String, time_unix_nano Int64, service String
        ) ENGINE = ReplacingMergeTree ORDER BY (policy_record, time_unix_nano, service)""",
    """CREATE TABLE IF NOT EXISTS specspan_policy_first_version (
        digest String, time_unix_nano Int64, record String CODEC(ZSTD(3))
        ) ENGINE = ReplacingMergeTree ORDER BY (digest, time_unix_nano, record)""",
    """CREATE TABLE IF NOT EXISTS specspan_other_record (
        type LowCardinality(String), time_unix_nano Int64, record String CODEC(ZSTD(3))
        ) ENGINE = ReplacingMergeTree ORDER BY (type, time_unix_nano, record)""",
    """CREATE TABLE IF NOT EXISTS specspan_arrival (
        minute Int64, arrived SimpleAggregateFunction(max, Int64)
        ) ENGINE = AggregatingMergeTree ORDER BY minute""",
    f"""CREATE TABLE IF NOT EXISTS specspan_decision_minute (
        minute Int64, service {_WORD}, service_version LowCardinality(String), verdict {_WORD}, policy_digest {_WORD},
        policy_record LowCardinality(String), outcomes LowCardinality(String),
        decisions UInt64, considered Int64, not_assessed Int64, counted_at Int64
        ) ENGINE = ReplacingMergeTree(counted_at)
        PARTITION BY toYYYYMM(fromUnixTimestamp64Second(minute * 60, 'UTC'))
        ORDER BY (minute, service, service_version, verdict, policy_digest, policy_record, outcomes)
        SETTINGS allow_nullable_key = 1""",
    "CREATE TABLE IF NOT EXISTS specspan_store (version UInt32, changed_at Int64) ENGINE = MergeTree ORDER BY version",
)
TABLES = (_DECISION, _FINDING, _LATE, *_OTHERS)
DATED = ("specspan_decision", "specspan_finding", "specspan_late_finding", "specspan_other_record")
"""Tables whose rows are removed with age, by ``time_unix_nano``."""


def _text(*path: str, body: str = "Body") -> str:
    names = ", ".join(f"'{name}'" for name in path)
    return f"JSONExtract({body}, {names}, 'Nullable(String)')"


def _integer(*path: str, body: str = "Body") -> str:
    names = ", ".join(f"'{name}'" for name in path)
    return f"JSONExtract({body}, {names}, 'Nullable(Int64)')"


def _is(*types: str, versions: str = "1, 2") -> str:
    named = ", ".join(f"'{each}'" for each in types)
    return f"JSONExtractString(Body, 'type') IN ({named}) AND JSONExtractInt(Body, 'v') IN ({versions})"


_IS_DECISION = f"""{_is("decision")} AND JSONType(Body, 'id') = 'String' AND arrayAll(
    n -> NOT JSONHas(Body, n) OR JSONType(Body, n) IN ('Array', 'Null'), ['findings', 'overrides', 'spec'])"""
_WHEN = "JSONExtractInt(Body, 'time_unix_nano')"
_RANGES = "^[0-9]{1,9}(-[0-9]{1,9})?(,[0-9]{1,9}(-[0-9]{1,9})?)*$"
_POLICY_RECORD = "if(JSONExtractInt(Body, 'v') = 2, JSONExtractString(Body, 'policy', 'record'), '')"
_OUTCOMES = f"""if({_POLICY_RECORD} != '' AND JSONType(Body, 'outcomes') = 'Object'
            AND arrayAll(x -> match(x.2, '{_RANGES}'), JSONExtractKeysAndValues(Body, 'outcomes', 'String'))
            AND JSONExtractRaw(Body, 'outcomes') != '{{}}',
        JSONExtractRaw(Body, 'outcomes'), '')"""
_SPEC = """nullIf(arrayStringConcat(arrayFilter(x -> x != '', arrayMap(s -> if(
            JSONExtractString(s, 'id') = '' OR (JSONExtractString(s, 'version') = ''
                AND JSONExtractString(s, 'digest') = ''), '',
            concat(JSONExtractString(s, 'id'), ' ', if(JSONExtractString(s, 'version') != '',
                JSONExtractString(s, 'version'), substring(JSONExtractString(s, 'digest'), 1, 19)))),
        JSONExtractArrayRaw(Body, 'spec'))), ', '), '')"""
_UNTIL = "JSONExtractInt(Body, 'pending', 'until_unix_nano')"


def views_from(address: Address) -> dict[str, str]:
    """Return the statement of each materialised view that reads the table of log records, by name."""
    source = f"FROM {quote_name(address.logs_table)}"
    arrived = "toUnixTimestamp64Nano(now64(9)) + rowNumberInAllBlocks()"
    made = {
        "specspan_decision": f"""SELECT {_WHEN} AS time_unix_nano, JSONExtractString(Body, 'id') AS id,
            JSONExtractString(Body, 'trace_id') AS trace_id, JSONExtractString(Body, 'span_id') AS span_id,
            {_text("service", "name")} AS service,
            JSONExtractString(Body, 'service', 'version') AS service_version, {_text("verdict")} AS verdict,
            {_text("action")} AS action, {_text("would")} AS would, {_text("mode")} AS mode,
            {_text("governing_clause")} AS governing_clause, {_text("reason")} AS reason,
            {_text("policy", "digest")} AS policy_digest, {_POLICY_RECORD} AS policy_record, {_OUTCOMES} AS outcomes,
            {_SPEC} AS spec_version, {_text("call", "provider")} AS provider, {_text("call", "model")} AS model,
            {_integer("call", "usage", "input_tokens")} AS input_tokens,
            {_integer("call", "usage", "output_tokens")} AS output_tokens,
            {_integer("call", "usage", "cache_read_input_tokens")} AS cache_read_input_tokens,
            JSONExtractInt(Body, 'counts', 'considered') AS considered,
            {_integer("counts", "unassessed")} AS not_assessed, {_integer("overhead_ns")} AS overhead_ns,
            {_UNTIL} AS pending_until, Body AS record
            {source} WHERE {_IS_DECISION}""",
        "specspan_finding": f"""SELECT JSONExtractString(f.1, 'clause') AS clause,
            JSONExtractString(f.1, 'outcome') AS outcome, {_WHEN} AS time_unix_nano,
            JSONExtractString(Body, 'id') AS decision_id,
            toUInt32(if(JSONHas(f.1, 'position') AND JSONExtractInt(f.1, 'position') >= 0,
                JSONExtractInt(f.1, 'position'), f.2 - 1)) AS ordinal,
            {_text("authority", body="f.1")} AS authority, {_text("severity", body="f.1")} AS severity,
            {_text("reason", body="f.1")} AS reason, JSONExtract(f.1, 'score', 'Nullable(Float64)') AS score,
            {_text("stage", body="f.1")} AS stage, {_text("check", "name", body="f.1")} AS check_name,
            {_text("check", "kind", body="f.1")} AS check_kind,
            {_text("check", "version", body="f.1")} AS check_version,
            {_text("service", "name")} AS service, JSONExtractString(Body, 'service', 'version') AS service_version,
            {_text("policy", "digest")} AS policy_digest, {_UNTIL} AS pending_until
            {source} ARRAY JOIN arrayZip(JSONExtractArrayRaw(Body, 'findings'),
                arrayEnumerate(JSONExtractArrayRaw(Body, 'findings'))) AS f
            WHERE {_IS_DECISION}""",
        "specspan_late_finding": f"""SELECT JSONExtractString(Body, 'decision') AS decision_id,
            toUInt32(JSONExtractInt(Body, 'finding', 'position')) AS ordinal, {arrived} AS arrived,
            {_WHEN} AS time_unix_nano, JSONExtractString(Body, 'finding', 'clause') AS clause,
            JSONExtractString(Body, 'finding', 'outcome') AS outcome, {_text("finding", "reason")} AS reason,
            JSONExtract(Body, 'finding', 'score', 'Nullable(Float64)') AS score, JSONHas(Body, 'replaces') AS replaces,
            JSONType(Body, 'amended', 'after') = 'Object' AS is_amending,
            {_text("amended", "after", "verdict")} AS verdict, {_text("amended", "after", "action")} AS action,
            {_text("amended", "after", "governing_clause")} AS governing_clause,
            {_text("amended", "after", "reason")} AS ruling_reason, Body AS record
            {source} WHERE {_is("finding", versions="2")} AND JSONExtractString(Body, 'decision') != ''
                AND JSONExtractInt(Body, 'finding', 'position') >= 0 AND JSONHas(Body, 'finding', 'position')""",
        "specspan_combination": f"""SELECT DISTINCT {_POLICY_RECORD} AS policy_record, {_OUTCOMES} AS outcomes
            {source} WHERE {_IS_DECISION} AND {_OUTCOMES} != ''""",
        "specspan_policy": f"""SELECT JSONExtractString(Body, 'id') AS id,
            JSONExtractString(Body, 'policy', 'digest') AS digest,
            arrayMap(x -> JSONExtractString(x, 'clause'), JSONExtractArrayRaw(Body, 'assessments')) AS clauses,
            Body AS record, toUInt64(9223372036854775807 - ({arrived})) AS place
            {source} WHERE {_is("policy", versions="2")} AND JSONExtractString(Body, 'id') != ''""",
        "specspan_policy_activation": f"""SELECT JSONExtractString(Body, 'id') AS policy_record,
            {_WHEN} AS time_unix_nano,
            if(JSONType(Body, 'service') = 'Object', JSONExtractRaw(Body, 'service'), '{{}}') AS service
            {source} WHERE {_is("policy", versions="2")} AND JSONExtractString(Body, 'id') != ''""",
        "specspan_policy_first_version": f"""SELECT JSONExtractString(Body, 'policy', 'digest') AS digest,
            {_WHEN} AS time_unix_nano, Body AS record
            {source} WHERE {_is("policy", versions="1")} AND JSONExtractString(Body, 'policy', 'digest') != ''""",
        "specspan_other_record": f"""SELECT JSONExtractString(Body, 'type') AS type, {_WHEN} AS time_unix_nano,
            Body AS record {source} WHERE ScopeName = 'specspan' AND JSONExtractString(Body, 'type') != ''
                AND JSONExtractString(Body, 'type') NOT IN ('decision', 'policy', 'finding')""",
        "specspan_arrival": f"""SELECT intDiv({_WHEN}, {MINUTE_NS}) AS minute,
            max(toUnixTimestamp64Nano(now64(9))) AS arrived {source} WHERE {_IS_DECISION} GROUP BY minute""",
    }
    return {f"{name}_mv": f"CREATE MATERIALIZED VIEW {name}_mv TO {name} AS {query}" for name, query in made.items()}


def quote_name(name: str) -> str:
    """Return a name as an identifier of ClickHouse."""
    escaped = name.replace("\\", "\\\\").replace("`", "\\`")
    return f"`{escaped}`"
