"""Removal of decisions and spans that are older than a time, with what was removed on record.

Rows go by mutations that are waited for. Policy records stay. `make_tables` can have the
server remove by age instead.
"""

from __future__ import annotations

import json
import time

from specspan.sqlite.model import Pruning
from specspan_exporter_clickhouse.address import parse_address
from specspan_exporter_clickhouse.connection import Connection
from specspan_exporter_clickhouse.schema import require_tables
from specspan_exporter_clickhouse.tables import MINUTE_NS, quote_name

_OLD = "time_unix_nano < {before:Int64}"
_KINDS = {
    "decision": "specspan_decision",
    "finding": "specspan_finding",
    "record": "specspan_other_record",
}
_SIZE = """SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase()
    AND (startsWith(table, 'specspan_') OR table = {traces:String})"""


def preview_pruning(address: str, before_unix_nano: int, by: str) -> Pruning:
    """Return what `prune` would remove; nothing is changed.

    Raises:
        EmptyStore, StoreError: the database has no tables of ours, or cannot be read.
    """
    connection = Connection(parse_address(address))
    try:
        require_tables(connection)
        return _preview(connection, Pruning(before_unix_nano, by))
    finally:
        connection.close()


def prune(address: str, before_unix_nano: int, by: str) -> Pruning:
    """Remove decisions and spans from before a time.

    Raises:
        EmptyStore, StoreError: as `preview_pruning`, or the user may not. What was removed by then is on record.
    """
    connection = Connection(parse_address(address))
    try:
        require_tables(connection)
        pruning = _preview(connection, Pruning(before_unix_nano, by))
        if pruning.removed:
            now_ns = time.time_ns()
            record = json.dumps(pruning.to_record(now_ns), separators=(",", ":"))
            values = {"type": "pruning", "now": now_ns, "record": record}
            connection.run(
                "INSERT INTO specspan_other_record VALUES ({type:String}, {now:Int64}, {record:String})", values
            )
            _remove(connection, before_unix_nano)
        pruning.size_after_bytes = _size(connection)
        return pruning
    finally:
        connection.close()


def _preview(connection: Connection, pruning: Pruning) -> Pruning:
    values = {"before": pruning.before_unix_nano}
    for kind, table in _KINDS.items():
        kept = "AND type != 'pruning'" if kind == "record" else ""
        found = connection.rows(f"SELECT count() FROM {table} FINAL WHERE {_OLD} {kept}", values)
        if found[0][0]:
            pruning.removed[kind] = int(found[0][0])
    spans = connection.rows("SELECT count() FROM specspan_span WHERE start_unix_nano < {before:Int64}", values)
    if spans[0][0]:
        pruning.removed["span"] = int(spans[0][0])
    for table, column in (("specspan_decision", "time_unix_nano"), ("specspan_span", "start_unix_nano")):
        times = connection.rows(
            f"SELECT count(), min({column}), max({column}) FROM {table} WHERE {column} < {{before:Int64}}", values
        )
        if times[0][0]:
            pruning.add_times(*times[0][1:])
    pruning.kept_policies = int(connection.rows("SELECT count() FROM specspan_policy FINAL")[0][0])
    pruning.size_before_bytes = _size(connection)
    return pruning


def _remove(connection: Connection, before: int) -> None:
    values = {"before": before, "minute": before // MINUTE_NS}
    traces, logs = quote_name(connection.address.traces_table), quote_name(connection.address.logs_table)
    waits = "SETTINGS mutations_sync = 1"
    statements = (
        f"ALTER TABLE {traces} DELETE WHERE Timestamp < fromUnixTimestamp64Nano({{before:Int64}}) {waits}",
        f"""ALTER TABLE {logs} DELETE WHERE Timestamp < fromUnixTimestamp64Nano({{before:Int64}})
            AND JSONExtractString(Body, 'type') IN ('decision', 'finding') {waits}""",
        f"ALTER TABLE specspan_finding DELETE WHERE {_OLD} {waits}",
        f"ALTER TABLE specspan_late_finding DELETE WHERE {_OLD} {waits}",
        f"ALTER TABLE specspan_other_record DELETE WHERE {_OLD} AND type != 'pruning' {waits}",
        f"ALTER TABLE specspan_decision_minute DELETE WHERE minute <= {{minute:Int64}} {waits}",
        f"ALTER TABLE specspan_decision DELETE WHERE {_OLD} {waits}",
        f"ALTER TABLE specspan_arrival DELETE WHERE minute < {{minute:Int64}} {waits}",
    )
    for statement in statements:
        connection.run(statement, values)


def _size(connection: Connection) -> int:
    return int(connection.rows(_SIZE, {"traces": connection.address.traces_table})[0][0])
