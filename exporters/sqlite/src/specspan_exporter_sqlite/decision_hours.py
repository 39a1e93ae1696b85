"""Counts of decisions and findings by hour, and indexes for pages of long lists: fifth version of the tables.

Triggers keep the counts, whatever writes a decision, changes its verdict or removes it. So a chart of a million
decisions is read from some thousand rows. ``clause_hour`` holds the sums of ``finding_count`` over blocks, services and
policies.
"""

from __future__ import annotations

from .references import HOUR_NS

MODEL = "CASE WHEN json_valid(d.record) THEN json_extract(d.record, '$.call.model') END"
"""Model of a row of ``decision_row AS d``, as the index has it."""
IS_JUDGE = "span.name >= 'judge ' AND span.name < 'judge!'"
"""Condition on a row of ``span_row AS span`` by which it is a judge's own call."""


def _values(decision: str, sign: str = "") -> str:
    """Return the columns of one decision's row of ``decision_hour``."""
    of_shared = f"(SELECT service FROM decision_shared WHERE id = {decision}.shared_id)"
    considered, unassessed = (
        f"""{sign}CAST(coalesce(CASE WHEN json_valid({decision}.record)
            THEN json_extract({decision}.record, '$.counts.{name}') END, 0) AS INTEGER)"""
        for name in ("considered", "unassessed")
    )
    return f"""{decision}.time_unix_nano / {HOUR_NS} AS hour, coalesce({of_shared}, {decision}.service, '') AS service,
        coalesce({decision}.verdict, '') AS verdict, {sign}1 AS decisions, {considered} AS considered,
        {unassessed} AS unassessed"""


def _add(decision: str, sign: str = "") -> str:
    return f"""INSERT INTO decision_hour SELECT {_values(decision, sign)} WHERE true
        ON CONFLICT (hour, service, verdict) DO UPDATE SET decisions = decisions + excluded.decisions,
            considered = considered + excluded.considered, unassessed = unassessed + excluded.unassessed;"""


def _add_findings(number: str, row: str = "new") -> str:
    return f"""INSERT INTO clause_hour VALUES ({row}.clause_id, {row}.outcome, {row}.hour, {number})
        ON CONFLICT (clause_id, outcome, hour) DO UPDATE SET count = count + excluded.count;"""


COUNTED = f"""SELECT hour, service, verdict, sum(decisions) AS decisions, sum(considered) AS considered,
        sum(unassessed) AS unassessed
    FROM (SELECT {_values("d")} FROM decision_row AS d) GROUP BY hour, service, verdict"""
"""Query of the same rows in a file that does not have them yet."""

STATEMENTS = (
    """CREATE TABLE decision_hour (
        hour INTEGER NOT NULL,
        service TEXT NOT NULL,
        verdict TEXT NOT NULL,
        decisions INTEGER NOT NULL,
        considered INTEGER NOT NULL,
        unassessed INTEGER NOT NULL,
        PRIMARY KEY (hour, service, verdict)
    ) WITHOUT ROWID""",
    f"INSERT INTO decision_hour {COUNTED}",
    f"CREATE TRIGGER decision_written AFTER INSERT ON decision_row BEGIN {_add('new')} END",
    f"CREATE TRIGGER decision_removed AFTER DELETE ON decision_row BEGIN {_add('old', '-')} END",
    f"""CREATE TRIGGER decision_amended AFTER UPDATE OF verdict ON decision_row
        WHEN old.verdict IS NOT new.verdict BEGIN {_add("old", "-")} {_add("new")} END""",
    """CREATE TABLE clause_hour (
        clause_id INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        hour INTEGER NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (clause_id, outcome, hour)
    ) WITHOUT ROWID""",
    "INSERT INTO clause_hour SELECT clause_id, outcome, hour, sum(count) FROM finding_count GROUP BY 1, 2, 3",
    f"CREATE TRIGGER findings_counted AFTER INSERT ON finding_count BEGIN {_add_findings('new.count')} END",
    f"""CREATE TRIGGER findings_recounted AFTER UPDATE OF count ON finding_count
        BEGIN {_add_findings("new.count - old.count")} END""",
    f"CREATE TRIGGER findings_removed AFTER DELETE ON finding_count BEGIN {_add_findings('-old.count', 'old')} END",
    f"CREATE INDEX decision_model ON decision_row ({MODEL.replace('d.', '')}, time_unix_nano, id)",
    f"CREATE INDEX span_judge ON span_row (start_unix_nano) WHERE {IS_JUDGE.replace('span.', '')}",
    "CREATE INDEX oversight_event_kind ON oversight_event (kind, time_unix_nano, id)",
    "DROP INDEX decision_block_rows",
    "CREATE INDEX decision_block_rows ON decision_row (block, time_unix_nano, id)",
)
"""Fifth version of the tables."""
