"""`specspan import`: decision records of files into a store, such as what a Collector's file exporter wrote."""

from __future__ import annotations

import gzip
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click

from specspan.cli.otlp_file import InvalidLine, Record, read_records
from specspan.cli.storage import db_option
from specspan.cli.terminal import clean, plural
from specspan.errors import StoreError
from specspan.stores.opening import find_kind, store_address

_BATCH = 512


@click.command("import")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path, allow_dash=True))
@db_option
def command(files: tuple[Path, ...], db: str | None) -> None:
    """Read decision records of FILEs into the store; - is standard input.

    A line is a record (JSON Lines), or OTLP's JSON of log records whose bodies are records, as the Collector
    writes it to files, Kafka and S3; .gz is unpacked. What is in the store already stays: a file may be read again.
    """
    from specspan.runtime.otel_providers import DECISIONS, create_exporter

    address = store_address(db)
    exporter = create_exporter(DECISIONS, find_kind(address).NAME, db=address)
    counts: Counter[str] = Counter()
    try:
        for file in files:
            _import_file(file, exporter, counts)
    finally:
        exporter.shutdown()
    read = [plural(counts[kind], noun) for kind, noun in _NOUNS.items() if counts[kind]]
    others = f"; left out {plural(counts['other'], 'other log record')}" if counts["other"] else ""
    click.echo(f"Read {', '.join(read) or 'no record'}{others}.", err=True)


_NOUNS = {"decision": "decision", "policy": "policy record", "finding": "late finding"}


def _import_file(file: Path, exporter: Any, counts: Counter[str]) -> None:
    batch: list[Record] = []
    number = 0
    try:
        with _open(file) as lines:
            for line in lines:
                number += 1
                records, others = read_records(line) if line.strip() else ([], 0)
                batch += records
                counts["other"] += others
                if len(batch) >= _BATCH:
                    _write(batch, exporter, counts)
        _write(batch, exporter, counts)
    except InvalidLine as error:
        remedy = "Give JSON Lines of records or of OTLP."
        raise click.ClickException(f"{clean(file)}:{number}: invalid line: {error}. {remedy}") from error
    except (OSError, EOFError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise click.ClickException(f"{clean(file)}: it cannot be read: {reason}.") from error


def _write(batch: list[Record], exporter: Any, counts: Counter[str]) -> None:
    try:
        exporter.export(batch)
    except StoreError:
        raise
    except Exception as error:  # of SQLite's exporter, which knows no error of ours
        raise StoreError(str(error)) from error
    counts.update(record["type"] for record in batch)
    batch.clear()


@contextmanager
def _open(file: Path) -> Iterator[IO[str]]:
    if str(file) == "-":
        yield sys.stdin
    elif file.suffix == ".gz":
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            yield lines
    else:
        with file.open(encoding="utf-8") as lines:
            yield lines
