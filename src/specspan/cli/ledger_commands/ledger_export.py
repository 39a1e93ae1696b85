"""`specspan ledger export`: decisions with their places in the chain, or checkpoints to keep elsewhere."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Any

import click

from specspan.cli.ledger_view import known_keys, ledger_options, print_line, reading
from specspan.cli.parquet import require_pyarrow
from specspan.ledger.audit import audit, records_of
from specspan.ledger.chain_reader import Record
from specspan.ledger.ledger_entry import DECISION, FINDING, POLICY
from specspan.ledger.merkle import leaf_hash
from specspan.ledger.ocsf import detection_findings
from specspan.ledger.signed_note import PublicKey
from specspan.ledger.stream_files import stream_names

_FORMATS = ("jsonl", "csv", "parquet", "ocsf")
_OWN = ("id", "mode", "verdict", "action", "governing_clause", "reason", "trace_id", "span_id")
COLUMNS = ("stream", "seq", "type", "time_unix_nano", *_OWN, "hash", "prev", "record")
"""Columns of CSV and Parquet. ``hash`` is SHA-256 over a zero byte and ``record``, which is the whole line."""
_ROWS_OF_GROUP = 10_000


@click.command("export")
@ledger_options
@click.option("--checkpoints", is_flag=True, help="The last checkpoint of each stream, to be kept elsewhere.")
@click.option("--format", "format_", type=click.Choice(_FORMATS), default="jsonl", show_default=True)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="A file in place of the screen.")
def command(folder: Path, keys: Sequence[str], format_: str, output: Path | None, *, checkpoints: bool) -> None:
    """Print every decision, late finding and policy with its stream, number and hash chain.

    JSON Lines and rows of CSV and Parquet (extra `parquet`) hold whole records; `ocsf` prints a Detection Finding
    (class 2004) for each violation and each finding that is uncertain, for a SIEM.
    """
    known, _ = known_keys(folder, keys)
    with reading():
        if checkpoints:
            for found in audit(folder, known).streams:
                if found.chain.checkpoint is not None:
                    print_line({"checkpoint": found.chain.checkpoint.note})
            return
        if format_ == "parquet":
            if output is None:
                raise click.UsageError("Parquet is written to a file. Name one with --output.")
            require_pyarrow()
            with output.open("wb") as file:
                _write_parquet((_row(*each) for each in _records(folder, known)), file)
            return
        with nullcontext() if output is None else output.open("w", encoding="utf-8", newline="") as text:
            for line in _lines(_records(folder, known), format_):
                click.echo(line, file=text, nl=False)


def _records(folder: Path, keys: Sequence[PublicKey]) -> Iterator[tuple[str, Record]]:
    for name in stream_names(folder):
        for record in records_of(folder, name, keys):
            if record.type in (DECISION, FINDING, POLICY):
                yield name, record


def _lines(records: Iterable[tuple[str, Record]], format_: str) -> Iterator[str]:
    if format_ == "csv":
        yield _csv_line(COLUMNS)
        for name, record in records:
            yield _csv_line(_row(name, record).values())
        return
    for name, record in records:
        for value in _values(name, record, format_):
            yield json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"


def _csv_line(cells: Iterable[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


def _values(name: str, record: Record, format_: str) -> Iterator[Mapping[str, Any]]:
    if format_ == "jsonl":
        yield {"stream": name, **json.loads(record.data)}
    else:
        place = {"stream": name, "sequence": record.seq, "hash": leaf_hash(record.data).hex()}
        yield from detection_findings(record.body, place)


def _row(name: str, record: Record) -> dict[str, Any]:
    body = record.body
    return {
        "stream": name,
        "seq": record.seq,
        "type": record.type,
        "time_unix_nano": int(body["time_unix_nano"]),
        **{member: body.get(member) for member in _OWN},
        "hash": leaf_hash(record.data).hex(),
        "prev": record.previous.hex(),
        "record": record.data.decode(),
    }


def _write_parquet(rows: Iterable[dict[str, Any]], stream: IO[bytes]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    numbers = ("seq", "time_unix_nano")
    schema = pa.schema([(name, pa.int64() if name in numbers else pa.string()) for name in COLUMNS])
    with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
        group: list[dict[str, Any]] = []
        for row in rows:
            group.append(row)
            if len(group) == _ROWS_OF_GROUP:
                writer.write_table(pa.Table.from_pylist(group, schema))
                group = []
        writer.write_table(pa.Table.from_pylist(group, schema))
