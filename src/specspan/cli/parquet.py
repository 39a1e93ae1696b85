"""Decisions as a table in Parquet, with types: times, numbers and lists, and each record whole as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from importlib.util import find_spec
from itertools import islice
from typing import IO, Any

from specspan.decision import Outcome
from specspan.errors import MissingDependency, Problem

_ROWS_OF_GROUP = 10_000
_OWN = ("id", "trace_id", "span_id", "mode", "verdict", "action", "would", "governing_clause", "reason")
_OF_CALL = ("provider", "operation", "model", "tool", "response_id")
_TOKENS = ("input_tokens", "output_tokens", "cache_read_input_tokens")
_LISTED = tuple(outcome.value for outcome in Outcome)
_INT64 = 2**63


def require_pyarrow() -> None:
    """Refuse where `pyarrow` is not installed.

    Raises:
        MissingDependency: it is not.
    """
    if find_spec("pyarrow") is None:
        raise MissingDependency("format 'parquet'", Problem("is not installed", "Run: pip install 'specspan[parquet]'"))


def write_parquet(records: Iterable[Mapping[str, Any]], stream: IO[bytes]) -> int:
    """Write a row for each decision record, and return their number.

    Columns named by an outcome hold the clauses that have it, sorted. ``time`` is in nanoseconds of UTC.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    texts = [(name, pa.string()) for name in (*_OWN, "service", *_OF_CALL, "policy")]
    numbers = [(name, pa.int64()) for name in (*_TOKENS, "overhead_ns")]
    lists = [(name, pa.list_(pa.string())) for name in ("spec", *_LISTED)]
    time = [("time", pa.timestamp("ns", "UTC"))]
    schema = pa.schema([*texts[:1], *time, *texts[1:], *numbers, *lists, ("record", pa.string())])
    written = 0
    with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        for rows in _groups(map(_row, records)):
            writer.write_table(pa.Table.from_pylist(rows, schema))
            written += len(rows)
    return written


def _groups(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    rest = iter(rows)
    while group := list(islice(rest, _ROWS_OF_GROUP)):
        yield group


def _row(record: Mapping[str, Any]) -> dict[str, Any]:
    call = _mapping(record.get("call"))
    usage = _mapping(call.get("usage"))
    texts = {
        **{name: record.get(name) for name in _OWN},
        "service": _mapping(record.get("service")).get("name"),
        **{name: call.get(name) for name in _OF_CALL},
        "policy": _mapping(record.get("policy")).get("digest"),
    }
    numbers = {**{name: usage.get(name) for name in _TOKENS}, "overhead_ns": record.get("overhead_ns")}
    specs = [f"{spec.get('id')} {spec.get('version') or spec.get('digest')}" for spec in record.get("spec") or ()]
    return {
        **{name: None if value is None else _text(value) for name, value in texts.items()},
        "time": record["time_unix_nano"],
        **{name: value if _is_int64(value) else None for name, value in numbers.items()},
        "spec": specs,
        **{outcome: _clauses(record, outcome) for outcome in _LISTED},
        "record": json.dumps(record, default=str),
    }


def _clauses(record: Mapping[str, Any], outcome: str) -> list[str]:
    found = (finding["clause"] for finding in record.get("findings") or () if finding.get("outcome") == outcome)
    return sorted(set(map(_text, found)))


def _text(value: Any) -> str:
    return str(value).encode("utf-8", "backslashreplace").decode("utf-8")


def _is_int64(value: Any) -> bool:
    return isinstance(value, int) and -_INT64 <= value < _INT64


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
