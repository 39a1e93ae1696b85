"""Tables in the schema ``specspan``, and the migrations that make them, under a lock that one process has at a time.

What many rows share is stored once, under a number made of its digest: ``span_shared``, ``decision_shared`` and
``decision_outcomes``. The last is a combination of outcomes that decisions name by reference; ``outcome_finding`` lists
what it says about each clause, as soon as the record of its policy is there. ``decision_count`` counts decisions by
hour and combination, so that counts of findings by clause need no decision to be read.
"""

from __future__ import annotations

import psycopg

from specspan.sqlite.oversight_tables import table_statements
from specspan_exporter_postgres.errors import RefusedDatabase

HOUR_NS = 3_600_000_000_000
WRITING, MAKING, NAMING = 0x5350_5301, 0x5350_5302, 0x5350_5303
"""Numbers of advisory locks: shared by all who write, alone for who makes tables, alone for who adds combinations."""

_FIRST = f"""
CREATE SCHEMA IF NOT EXISTS specspan;
COMMENT ON SCHEMA specspan IS 'Spans and decisions of specspan';
CREATE TABLE specspan.store (version int NOT NULL, epoch bigint NOT NULL);
INSERT INTO specspan.store VALUES (0, 0);
CREATE TABLE specspan.resource (
    id text COLLATE "C" PRIMARY KEY,
    service text,
    attributes text NOT NULL
);
CREATE TABLE specspan.span_shared (
    id bigint PRIMARY KEY,
    attributes text NOT NULL,
    scope text NOT NULL,
    resource_id text COLLATE "C" NOT NULL
);
CREATE TABLE specspan.span (
    trace_id text COLLATE "C" NOT NULL,
    span_id text COLLATE "C" NOT NULL,
    parent_span_id text COLLATE "C",
    name text NOT NULL,
    kind text NOT NULL,
    start_unix_nano bigint NOT NULL,
    end_unix_nano bigint NOT NULL,
    status text NOT NULL,
    status_message text,
    service text,
    verdict text,
    action text,
    decision_id text COLLATE "C",
    attributes text NOT NULL,
    events text NOT NULL,
    links text NOT NULL,
    user_id text,
    violated text[],
    shared_id bigint NOT NULL,
    arrival bigint GENERATED ALWAYS AS IDENTITY,
    PRIMARY KEY (trace_id, span_id)
);
CREATE INDEX span_start ON specspan.span (start_unix_nano, trace_id);
CREATE INDEX span_verdict ON specspan.span (verdict, trace_id) WHERE verdict <> 'complied';
CREATE TABLE specspan.decision_shared (
    id bigint PRIMARY KEY,
    record text NOT NULL,
    service text,
    mode text,
    policy_digest text,
    policy_record text,
    spec_version text
);
CREATE TABLE specspan.decision_outcomes (
    id bigint PRIMARY KEY,
    policy_record text NOT NULL,
    outcomes text NOT NULL,
    is_expanded boolean NOT NULL
);
CREATE INDEX decision_outcomes_policy ON specspan.decision_outcomes (policy_record) WHERE NOT is_expanded;
CREATE TABLE specspan.outcome_finding (
    outcomes_id bigint NOT NULL,
    clause text NOT NULL,
    outcome text NOT NULL,
    reason text,
    findings int NOT NULL
);
CREATE INDEX outcome_finding_outcomes ON specspan.outcome_finding (outcomes_id);
CREATE INDEX outcome_finding_clause ON specspan.outcome_finding (clause, outcome);
CREATE TABLE specspan.decision (
    id text COLLATE "C" PRIMARY KEY,
    time_unix_nano bigint NOT NULL,
    trace_id text COLLATE "C",
    span_id text COLLATE "C",
    service text,
    verdict text,
    action text,
    would text,
    mode text,
    governing_clause text,
    reason text,
    policy_digest text,
    record text NOT NULL,
    spec_version text,
    provider text,
    model text,
    input_tokens bigint,
    output_tokens bigint,
    cache_read_input_tokens bigint,
    not_assessed bigint,
    overhead_ns bigint,
    shared_id bigint,
    outcomes_id bigint
);
CREATE INDEX decision_time ON specspan.decision (time_unix_nano, id);
CREATE INDEX decision_trace ON specspan.decision (trace_id);
CREATE INDEX decision_service ON specspan.decision (service) WHERE service IS NOT NULL;
CREATE INDEX decision_verdict ON specspan.decision (verdict, time_unix_nano) WHERE verdict <> 'complied';
CREATE TABLE specspan.finding (
    decision_id text COLLATE "C" NOT NULL,
    ordinal int NOT NULL,
    time_unix_nano bigint NOT NULL,
    clause text NOT NULL,
    outcome text NOT NULL,
    authority text,
    severity text,
    reason text,
    score float8,
    stage text,
    check_name text,
    check_kind text,
    check_version text,
    PRIMARY KEY (decision_id, ordinal)
);
CREATE INDEX finding_clause ON specspan.finding (clause, outcome, time_unix_nano);
CREATE INDEX finding_outcome ON specspan.finding (outcome, time_unix_nano);
CREATE INDEX finding_pending ON specspan.finding (decision_id) WHERE outcome = 'pending';
CREATE TABLE specspan.late_finding (
    decision_id text COLLATE "C" NOT NULL,
    ordinal int NOT NULL,
    time_unix_nano bigint NOT NULL,
    record text NOT NULL,
    PRIMARY KEY (decision_id, ordinal)
);
CREATE TABLE specspan.decision_count (
    hour bigint NOT NULL,
    shared_id bigint NOT NULL,
    outcomes_id bigint NOT NULL,
    decisions bigint NOT NULL,
    PRIMARY KEY (hour, shared_id, outcomes_id)
);
CREATE TABLE specspan.policy (
    id text COLLATE "C" PRIMARY KEY,
    digest text,
    clauses text[] NOT NULL,
    record text NOT NULL
);
CREATE INDEX policy_digest ON specspan.policy (digest);
CREATE TABLE specspan.policy_activation (
    policy_record text COLLATE "C" NOT NULL,
    time_unix_nano bigint NOT NULL,
    service text NOT NULL,
    PRIMARY KEY (policy_record, time_unix_nano, service)
);
CREATE TABLE specspan.policy_first_version (
    id text COLLATE "C" PRIMARY KEY,
    digest text NOT NULL,
    time_unix_nano bigint NOT NULL,
    record text NOT NULL
);
CREATE TABLE specspan.other_record (
    id text COLLATE "C" PRIMARY KEY,
    type text,
    time_unix_nano bigint,
    record text NOT NULL
);
CREATE VIEW specspan.clause_count AS
    SELECT hour, to_timestamp(hour * 3600) AS hour_time, clause, outcome, service, policy_digest,
        sum(findings)::bigint AS count
    FROM (
        SELECT c.hour, o.clause, o.outcome, s.service, s.policy_digest, c.decisions * o.findings AS findings
        FROM specspan.decision_count AS c JOIN specspan.outcome_finding AS o USING (outcomes_id)
            JOIN specspan.decision_shared AS s ON s.id = c.shared_id
        UNION ALL
        SELECT f.time_unix_nano / {HOUR_NS}, f.clause, f.outcome, coalesce(s.service, d.service),
            coalesce(s.policy_digest, d.policy_digest), 1
        FROM specspan.finding AS f JOIN specspan.decision AS d ON d.id = f.decision_id
            LEFT JOIN specspan.decision_shared AS s ON s.id = d.shared_id
    ) AS counted GROUP BY 1, 2, 3, 4, 5, 6;
CREATE VIEW specspan.clause_day AS
    SELECT (hour_time AT TIME ZONE 'UTC')::date AS day, clause, outcome, sum(count)::bigint AS count
    FROM specspan.clause_count GROUP BY 1, 2, 3;
"""

_OVERSIGHT = (
    "".join(
        statement.replace("CREATE TABLE ", "CREATE TABLE specspan.").replace(" ON ", " ON specspan.", 1) + ";\n"
        for statement in table_statements("bigint", 'text COLLATE "C"')
    )
    + """
CREATE FUNCTION specspan.keep_oversight_event() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'the record of oversight is only added to'; END $$;
CREATE TRIGGER oversight_event_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON specspan.oversight_event
    FOR EACH STATEMENT EXECUTE FUNCTION specspan.keep_oversight_event();
"""
)

_PAGES = """
CREATE INDEX decision_model ON specspan.decision (model COLLATE "C", time_unix_nano, id);
CREATE INDEX span_judge ON specspan.span (start_unix_nano) WHERE name >= 'judge ' AND name < 'judge!';
CREATE INDEX oversight_event_kind ON specspan.oversight_event (kind, time_unix_nano, id);
"""
"""Indexes by which pages of long lists are found."""

MIGRATIONS = (_FIRST, _OVERSIGHT, _PAGES)
"""Statements that take a database from each version to the next; never changed once released, only added to."""

VERSION = len(MIGRATIONS)
WITH_OVERSIGHT = 2
"""First version with the tables of oversight."""
# Rows of the catalogue: to_regclass() remembers for a whole transaction that there was nothing.
_LOOK = """SELECT count(*) > 0, bool_or(c.relname = 'store') IS TRUE
    FROM pg_namespace AS n LEFT JOIN pg_class AS c ON c.relnamespace = n.oid WHERE n.nspname = 'specspan'"""


def find_version(connection: psycopg.Connection, name: str, known: int = VERSION) -> int:
    """Return the version of the tables, 0 where there are none.

    Raises:
        RefusedDatabase: a newer version made them, or somebody else made the schema.
    """
    has_schema, has_tables = connection.execute(_LOOK).fetchone() or (False, False)
    if not has_tables:
        if has_schema and _has_others(connection):
            raise RefusedDatabase(name, "its schema specspan belongs to another program", "Name another database.")
        return 0
    found = int((connection.execute("SELECT version FROM specspan.store").fetchone() or (0,))[0])
    if found > known:
        problem = f"written by a newer version (schema {found}; this one knows {known})"
        raise RefusedDatabase(name, problem, "Upgrade with `pip install -U specspan-exporter-postgres`.")
    return found


def migrate(connection: psycopg.Connection, name: str) -> None:
    """Bring a database to the newest version, in one transaction; several processes may do so at once.

    Raises:
        RefusedDatabase: see `find_version`, or the database cannot hold every text.
    """
    if find_version(connection, name) == VERSION:
        return
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (MAKING,))
        start = find_version(connection, name)  # again: another process may have been first
        if start == VERSION:
            return
        if start == 0:
            _require_unicode(connection, name)
        for statements in MIGRATIONS[start:]:
            connection.execute(statements)
        connection.execute("UPDATE specspan.store SET version = %s", (VERSION,))


def _has_others(connection: psycopg.Connection) -> bool:
    asked = "SELECT EXISTS (SELECT 1 FROM pg_class WHERE relnamespace = to_regnamespace('specspan'))"
    return bool((connection.execute(asked).fetchone() or (False,))[0])


def _require_unicode(connection: psycopg.Connection, name: str) -> None:
    encoding = (connection.execute("SHOW server_encoding").fetchone() or ("",))[0]
    if encoding != "UTF8":
        raise RefusedDatabase(name, f"its encoding is {encoding}", "Make one with createdb --encoding=UTF8.")
