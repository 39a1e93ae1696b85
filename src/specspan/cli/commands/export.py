"""`specspan export`: decisions of the store for other programs, as JSON Lines, or a table in CSV or Parquet."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import IO, Any

import click

from specspan.cli.parquet import require_pyarrow, write_parquet
from specspan.cli.storage import db_option, open_reader, since_option
from specspan.cli.terminal import clean, format_utc, plural
from specspan.decision import Outcome

_FORMATS = ("jsonl", "csv", "parquet")
_OWN = ("id", "trace_id", "span_id", "mode", "verdict", "action", "would", "governing_clause", "reason")
_OF_CALL = ("provider", "operation", "model", "tool", "response_id")
_TOKENS = ("input_tokens", "output_tokens")
_LISTED = tuple(outcome.value for outcome in Outcome if outcome not in (Outcome.COMPLIED, Outcome.NOT_APPLICABLE))
COLUMNS = (*_OWN[:1], "time", *_OWN[1:], "service", *_OF_CALL, *_TOKENS, "spec", "policy", *_LISTED)
"""Columns of CSV; those named by an outcome hold the clauses that have it."""


@click.command("export")
@click.argument("file", type=click.Path(path_type=Path, allow_dash=True))
@click.option("--format", "format_", type=click.Choice(_FORMATS), help="By default what the name of FILE ends in.")
@click.option("--force", is_flag=True, help="Write over a file that exists.")
@since_option
@db_option
def command(file: Path, format_: str | None, since: int | None, db: str | None, *, force: bool) -> None:
    """Write decisions to FILE, the earliest first; - is standard output.

    JSON Lines hold whole records, a line each, with every finding. CSV and Parquet hold a row for each decision; that
    of Parquet has the whole record, too, and needs the extra `parquet`.
    """
    ending = file.suffix.removeprefix(".").lower()
    format_ = format_ or ("jsonl" if str(file) == "-" else ending)
    if format_ not in _FORMATS:
        raise click.UsageError(f"Unknown format {ending!r}. Name it with --format, one of {', '.join(_FORMATS)}.")
    if format_ == "parquet":
        require_pyarrow()
    with open_reader(db) as reader:
        records = reader.iter_decisions(since)
        if str(file) == "-":
            _write(records, format_, sys.stdout.buffer)
            return
        try:
            with file.open("wb" if force else "xb") as stream:
                written = _write(records, format_, stream)
        except FileExistsError:
            raise click.ClickException(
                f"{file} exists already. Name another file, or write over it with --force."
            ) from None
        except OSError as error:
            raise click.ClickException(f"{file} cannot be written: {error.strerror}.") from error
    click.echo(f"Wrote {plural(written, 'decision')} to {clean(file)}.", err=True)


def _write(records: Iterable[Mapping[str, Any]], format_: str, stream: IO[bytes]) -> int:
    """Write records a few at a time, and return their number."""
    if format_ == "parquet":
        return write_parquet(records, stream)
    text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
    try:
        return _write_text(records, format_, text)
    finally:
        text.detach()


def _write_text(records: Iterable[Mapping[str, Any]], format_: str, stream: IO[str]) -> int:
    written = 0
    if format_ == "csv":
        table = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
        table.writeheader()
        for record in records:
            table.writerow(_row(record))
            written += 1
        return written
    for record in records:
        stream.write(json.dumps(record, default=str) + "\n")
        written += 1
    return written


def _row(record: Mapping[str, Any]) -> dict[str, str]:
    call, usage = _mapping(record.get("call")), _mapping(_mapping(record.get("call")).get("usage"))
    specs = [f"{spec.get('id')} {spec.get('version') or spec.get('digest')}" for spec in record.get("spec") or ()]
    values = {
        **{name: record.get(name) for name in _OWN},
        "time": format_utc(record["time_unix_nano"]),
        "service": _mapping(record.get("service")).get("name"),
        **{name: call.get(name) for name in _OF_CALL},
        **{name: usage.get(name) for name in _TOKENS},
        "spec": ", ".join(specs),
        "policy": _mapping(record.get("policy")).get("digest"),
        **{outcome: " ".join(_clauses(record, outcome)) for outcome in _LISTED},
    }
    return {name: _cell(value) for name, value in values.items()}


def _clauses(record: Mapping[str, Any], outcome: str) -> list[str]:
    found = (finding["clause"] for finding in record.get("findings") or () if finding.get("outcome") == outcome)
    return sorted(set(map(str, found)))


def _cell(value: Any) -> str:
    """Return a value as one line that no spreadsheet takes for a formula."""
    text = clean(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
