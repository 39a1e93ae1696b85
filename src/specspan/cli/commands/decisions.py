"""`specspan decisions`: list of decisions, and one with its findings; they are kept where spans are sampled away."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from specspan.cli.decision_view import action_text, decision_view
from specspan.cli.storage import ListGroup, Listing, filter_options, open_reader, require_one, show_list, store_options
from specspan.cli.terminal import (
    clean,
    console,
    format_local,
    format_short,
    format_utc,
    mark,
    plain_table,
    print_json,
    trace_link,
)
from specspan_exporter_sqlite import Reader

Record = Mapping[str, Any]


@click.group("decisions", cls=ListGroup)
def command() -> None:
    """List decisions, the newest first; show one with every finding."""


@command.command("list")
@store_options
@filter_options
def list_(**options: Any) -> None:
    """List decisions, the newest first."""
    show_list(Listing("decisions", Reader.decisions, _to_json, _to_table), **options)


@command.command()
@click.argument("decision_id")
@store_options
def show(decision_id: str, db: Path | None, *, as_json: bool) -> None:
    """Show one decision, by the start of its id."""
    with open_reader(db) as reader:
        ids = reader.decision_ids(decision_id.lower())
        record = reader.decision(require_one("decision", decision_id, ids, "specspan decisions"))
        if as_json:
            print_json(_to_json(record))
            return
        policies = reader.policies([str(_mapping(record, "policy").get("digest"))])
    out = console()
    for name, value in _facts(record):
        out.print(Text(f"{name:<9}", "dim").append(value))
    out.print(decision_view(record, policies))
    link = trace_link(record["trace_id"], record.get("span_id")) if record.get("trace_id") else None
    if link:
        click.echo(clean(link))


def _to_table(records: Sequence[Record], reader: Reader) -> Table:
    table = plain_table(
        "time", "decision", "trace", "verdict", "action", "governing clause", "reason",
        folding=("action", "governing clause", "reason"),
    )  # fmt: skip
    now = time.time_ns()
    for record in records:
        table.add_row(
            format_short(record["time_unix_nano"], now),
            Text(reader.short_decision_id(record["id"]), "cyan"),
            reader.short_trace_id(record["trace_id"]) if record.get("trace_id") else "",
            mark(str(record.get("verdict"))),
            action_text(record),
            Text(clean(record.get("governing_clause")), "bold"),
            clean(record.get("reason")),
        )
    return table


def _facts(record: Record) -> Iterator[tuple[str, str]]:
    """Yield the call that a decision is about, and the texts it was made under: enough to decide the call again."""
    yield "decision", clean(record["id"])
    yield "time", format_local(record["time_unix_nano"])
    yield "service", _join_fields(_mapping(record, "service"), "name", "version")
    yield "call", _join_fields(_mapping(record, "call"), "provider", "operation", "model", "tool")
    if _mapping(_mapping(record, "call"), "scope"):
        yield "scope", _join_fields(_mapping(_mapping(record, "call"), "scope"), "trust", "digest")
    yield "trace", f"{clean(record.get('trace_id'))} span {clean(record.get('span_id'))}"
    for spec in record.get("spec") or ():
        yield "spec", _join_fields(spec, "id", "version", "digest")
    yield "policy", _join_fields(_mapping(record, "policy"), "digest")


def _join_fields(record: Record, *keys: str) -> str:
    return " ".join(clean(record[key]) for key in keys if record.get(key))


def _mapping(record: Record, key: str) -> Record:
    value = record.get(key)
    return value if isinstance(value, Mapping) else {}


def _to_json(record: Record) -> dict[str, Any]:
    return {**record, "time": format_utc(record["time_unix_nano"])}
