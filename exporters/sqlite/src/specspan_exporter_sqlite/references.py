"""Second version of the tables: what many rows share is stored once, and rows are written for what deviates.

A decision of record version 2 is a row of ``decision_row`` that refers to ``decision_shared`` (service, specs, policy,
mode) and names most findings by ranges of ``assessment``, the list of its policy's record. Rows of ``finding_row`` are
the findings that are written in full. ``finding_count`` counts every finding by hour, and tells in which blocks of
about a thousand decisions an outcome occurs. The views ``span``, ``decision``, ``finding`` and ``policy`` show all of
it as the tables of these names did in the first version, whose rows stay as they are.
"""

from __future__ import annotations

BLOCK_SIZE = 1024
"""Number of decisions from which on a batch begins a new block."""
HOUR_NS = 3_600_000_000_000

QUIET_OUTCOMES = ("complied", "not_applicable", "unassessed")
"""Outcomes of findings that decisions name by reference."""


def expand_ranges(outcomes: str, policy_id: str) -> str:
    """Return the tables of assessments (``a``) that are named by reference, with their outcome and reason (``o.key``).

    Args:
        outcomes: expression of what a decision names.
        policy_id: expression of the number of its policy's record.
    """
    return f"""json_each({outcomes}) AS o
        CROSS JOIN json_each('[[' || replace(replace(o.value, ',', '],['), '-', ',') || ']]') AS r
        CROSS JOIN assessment AS a ON a.policy_id = {policy_id} AND a.number BETWEEN json_extract(r.value, '$[0]')
            AND coalesce(json_extract(r.value, '$[1]'), json_extract(r.value, '$[0]'))"""


EXPANDED_RANGES = expand_ranges("d.outcomes", "s.policy_id")
"""Assessments that a decision (``d``, shared part ``s``) names."""

OUTCOME_OF_KEY = "substr(o.key, 1, instr(o.key || ':', ':') - 1)"


def _findings_by_reference(outcome: str) -> str:
    # one branch for each outcome: a search for any other outcome is spared the expansion
    return f"""SELECT d.id, a.number, d.time_unix_nano, clause.text, '{outcome}', a.authority, a.severity,
            nullif(substr(o.key, {len(outcome) + 2}), ''), json_extract(d.record, '$.scores."' || a.number || '"'),
            a.stage, a.check_name, a.check_kind, a.check_version
        FROM decision_row AS d CROSS JOIN decision_shared AS s ON s.id = d.shared_id
            CROSS JOIN {EXPANDED_RANGES}
            JOIN name AS clause ON clause.id = a.clause_id
        WHERE {OUTCOME_OF_KEY} = '{outcome}'"""


_OWN_SPAN_ATTRIBUTES = ", ".join(
    f"'specspan.decision.{name}', p.{column}"
    for name, column in (("verdict", "verdict"), ("action", "action"), ("id", "decision_id"))
)
_OWN_COLUMNS = (
    *("id", "time_unix_nano", "trace_id", "span_id"),
    *("verdict", "action", "would", "governing_clause", "reason"),
)
_OWN_MEMBERS = ", ".join(f"'{column}', d.{column}" for column in _OWN_COLUMNS)

STATEMENTS = (
    "DROP VIEW trace_verdict",
    "ALTER TABLE span RENAME TO span_row",
    "ALTER TABLE span_row ADD COLUMN shared_id INTEGER",
    """CREATE TABLE span_shared (
        id INTEGER PRIMARY KEY,
        attributes TEXT NOT NULL,
        scope TEXT NOT NULL,
        resource_id TEXT NOT NULL,
        UNIQUE (attributes, scope, resource_id)
    )""",
    "DROP INDEX span_verdict",
    "CREATE INDEX span_verdict ON span_row (verdict, trace_id) WHERE verdict <> 'complied'",
    f"""CREATE VIEW span AS SELECT p.trace_id, span_id, parent_span_id, name, kind, start_unix_nano, end_unix_nano,
        status, status_message, service, verdict, action, decision_id,
        CASE WHEN s.id IS NULL THEN p.attributes
            ELSE json_patch(s.attributes, json_patch(p.attributes, json_object({_OWN_SPAN_ATTRIBUTES})))
        END AS attributes,
        events, links, coalesce(s.scope, p.scope) AS scope, coalesce(s.resource_id, p.resource_id) AS resource_id,
        p.rowid AS arrival
        FROM span_row AS p LEFT JOIN span_shared AS s ON s.id = p.shared_id""",
    "ALTER TABLE decision RENAME TO decision_row",
    "ALTER TABLE decision_row ADD COLUMN outcomes TEXT",
    "ALTER TABLE decision_row ADD COLUMN shared_id INTEGER",
    "ALTER TABLE decision_row ADD COLUMN block INTEGER",
    """CREATE TABLE decision_shared (
        id INTEGER PRIMARY KEY,
        record TEXT NOT NULL UNIQUE,
        service TEXT,
        mode TEXT,
        policy_digest TEXT,
        policy_id INTEGER
    )""",
    "DROP INDEX decision_verdict",
    "CREATE INDEX decision_verdict ON decision_row (verdict, time_unix_nano, trace_id) WHERE verdict <> 'complied'",
    "CREATE INDEX decision_shared_time ON decision_row (shared_id, time_unix_nano)",
    "CREATE INDEX decision_block_rows ON decision_row (block)",
    """CREATE TABLE decision_block (
        block INTEGER PRIMARY KEY,
        decisions INTEGER NOT NULL,
        last_unix_nano INTEGER NOT NULL,
        outcomes TEXT NOT NULL
    )""",
    f"""CREATE VIEW decision AS SELECT d.id, time_unix_nano, trace_id, span_id,
        coalesce(s.service, d.service) AS service, verdict, action, would,
        coalesce(s.mode, d.mode) AS mode, governing_clause, reason,
        coalesce(s.policy_digest, d.policy_digest) AS policy_digest,
        CASE WHEN s.id IS NULL THEN d.record
            ELSE json_patch(s.record, json_patch(json_object({_OWN_MEMBERS}, 'outcomes', json(d.outcomes)), d.record))
        END AS record
        FROM decision_row AS d LEFT JOIN decision_shared AS s ON s.id = d.shared_id""",
    """CREATE VIEW trace_verdict AS
        SELECT trace_id, verdict FROM decision_row WHERE trace_id IS NOT NULL
        UNION ALL SELECT trace_id, verdict FROM span_row WHERE verdict IS NOT NULL""",
    "CREATE TABLE name (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE)",
    """CREATE TABLE policy_record (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        digest TEXT,
        record TEXT
    )""",
    """CREATE TABLE policy_activation (
        policy_id INTEGER NOT NULL,
        time_unix_nano INTEGER NOT NULL,
        service TEXT NOT NULL,
        PRIMARY KEY (policy_id, time_unix_nano, service)
    ) WITHOUT ROWID""",
    """CREATE TABLE assessment (
        policy_id INTEGER NOT NULL,
        number INTEGER NOT NULL,
        clause_id INTEGER NOT NULL,
        authority TEXT,
        severity TEXT,
        action TEXT,
        stage TEXT,
        check_name TEXT,
        check_kind TEXT,
        check_version TEXT,
        PRIMARY KEY (policy_id, number)
    ) WITHOUT ROWID""",
    "CREATE INDEX assessment_clause ON assessment (clause_id)",
    "ALTER TABLE policy RENAME TO policy_row",
    """CREATE VIEW policy AS SELECT id, digest, time_unix_nano, record FROM policy_row
        UNION ALL SELECT p.name, p.digest, a.time_unix_nano,
            json_set(p.record, '$.time_unix_nano', a.time_unix_nano, '$.service', json(a.service))
        FROM policy_record AS p JOIN policy_activation AS a ON a.policy_id = p.id WHERE p.record IS NOT NULL""",
    "ALTER TABLE finding RENAME TO finding_row",
    "CREATE VIEW finding AS SELECT * FROM finding_row UNION ALL "
    + " UNION ALL ".join(_findings_by_reference(outcome) for outcome in QUIET_OUTCOMES),
    "DROP INDEX finding_notable",
    """CREATE INDEX finding_notable ON finding_row (clause, outcome, time_unix_nano, decision_id)
        WHERE outcome NOT IN ('complied', 'not_applicable')""",
    """CREATE INDEX finding_latest ON finding_row (outcome, time_unix_nano, decision_id)
        WHERE outcome NOT IN ('complied', 'not_applicable')""",
    """CREATE TABLE finding_count (
        clause_id INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        block INTEGER NOT NULL,
        hour INTEGER NOT NULL,
        service_id INTEGER NOT NULL,
        policy_id INTEGER NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (clause_id, outcome, block, hour, service_id, policy_id)
    ) WITHOUT ROWID""",
    """CREATE VIEW clause_count AS SELECT hour * 3600 AS hour_unix, clause.text AS clause, outcome,
            service.text AS service, policy.text AS policy_digest, count
        FROM (SELECT clause_id, outcome, hour, service_id, policy_id, sum(count) AS count
                FROM finding_count GROUP BY 1, 2, 3, 4, 5) AS n
            JOIN name AS clause ON clause.id = n.clause_id JOIN name AS service ON service.id = n.service_id
            JOIN name AS policy ON policy.id = n.policy_id""",
    """CREATE VIEW clause_day AS SELECT date(day * 86400, 'unixepoch') AS day, clause.text AS clause, outcome, count
        FROM (SELECT clause_id, outcome, hour / 24 AS day, sum(count) AS count
                FROM finding_count GROUP BY 1, 2, 3) AS n
            JOIN name AS clause ON clause.id = n.clause_id""",
    # the rows of the first version, as one block
    "INSERT OR IGNORE INTO name (text) SELECT DISTINCT clause FROM finding_row",
    "INSERT OR IGNORE INTO name (text) SELECT DISTINCT coalesce(service, '') FROM decision_row",
    "INSERT OR IGNORE INTO name (text) SELECT DISTINCT coalesce(policy_digest, '') FROM decision_row",
    f"""INSERT INTO finding_count
        SELECT clause.id, f.outcome, 0, f.time_unix_nano / {HOUR_NS}, service.id, policy.id, count(*)
        FROM finding_row AS f JOIN decision_row AS d ON d.id = f.decision_id
            JOIN name AS clause ON clause.text = f.clause
            JOIN name AS service ON service.text = coalesce(d.service, '')
            JOIN name AS policy ON policy.text = coalesce(d.policy_digest, '')
        GROUP BY 1, 2, 3, 4, 5, 6""",
    """INSERT INTO decision_block
        SELECT 0, decisions, last, ' ' || (SELECT group_concat(DISTINCT outcome) FROM finding_count) || ' ' FROM
            (SELECT count(*) AS decisions, max(time_unix_nano) AS last FROM decision_row) WHERE decisions > 0""",
    "UPDATE decision_block SET outcomes = replace(coalesce(outcomes, ' '), ',', ' ')",
)
