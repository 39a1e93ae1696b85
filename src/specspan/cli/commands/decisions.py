"""`specspan decisions`: what was decided, call by call; spans may be sampled away, decisions are not."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from specspan.cli.decision_view import action, decision_view
from specspan.cli.links import trace_link
from specspan.cli.listing import Kind, show_list, table
from specspan.cli.marks import clean, mark
from specspan.cli.output import console, print_json
from specspan.cli.stored import Listing, filtering, one, opened, reading
from specspan.cli.times import listed, local, utc
from specspan_exporter_sqlite import Reader

Record = Mapping[str, Any]


@click.group("decisions", cls=Listing)
def command() -> None:
    """List decisions, the newest first; show one with every finding."""


@command.command("list")
@reading
@filtering
def list_(**options: Any) -> None:
    """List decisions, the newest first."""
    show_list(Kind("decisions", Reader.decisions, _json, _table), **options)


@command.command()
@click.argument("decision_id")
@reading
def show(decision_id: str, db: Path | None, *, as_json: bool) -> None:
    """Show one decision, by the start of its id."""
    with opened(db) as reader:
        found = one("decision", decision_id, reader.decision_ids(decision_id.lower()), "specspan decisions")
        record = reader.decision(found)
        if as_json:
            print_json(_json(record))
            return
        policies = reader.policies([str(_of(record, "policy").get("digest"))])
    out = console()
    for name, value in _facts(record):
        out.print(Text(f"{name:<9}", "dim").append(value))
    out.print(decision_view(record, policies))
    link = trace_link(record["trace_id"], record.get("span_id")) if record.get("trace_id") else None
    if link:
        click.echo(clean(link))


def _table(records: Sequence[Record], reader: Reader) -> Table:
    made = table(
        "time", "decision", "trace", "verdict", "action", "governing clause", "reason",
        folding=("action", "governing clause", "reason"),
    )  # fmt: skip
    now = time.time_ns()
    for record in records:
        made.add_row(
            listed(record["time_unix_nano"], now),
            Text(reader.short_decision_id(record["id"]), "cyan"),
            reader.short_trace_id(record["trace_id"]) if record.get("trace_id") else "",
            mark(str(record.get("verdict"))),
            action(record),
            Text(clean(record.get("governing_clause")), "bold"),
            clean(record.get("reason")),
        )
    return made


def _facts(record: Record) -> Iterator[tuple[str, str]]:
    """What a decision is about, and under which texts it was made: enough to decide it again."""
    yield "decision", clean(record["id"])
    yield "time", local(record["time_unix_nano"])
    yield "service", _words(_of(record, "service"), "name", "version")
    yield "call", _words(_of(record, "call"), "provider", "operation", "model", "tool")
    if _of(_of(record, "call"), "scope"):
        yield "scope", _words(_of(_of(record, "call"), "scope"), "trust", "digest")
    yield "trace", f"{clean(record.get('trace_id'))} span {clean(record.get('span_id'))}"
    for spec in record.get("spec") or ():
        yield "spec", _words(spec, "id", "version", "digest")
    yield "policy", _words(_of(record, "policy"), "digest")


def _words(of: Record, *keys: str) -> str:
    return " ".join(clean(of[key]) for key in keys if of.get(key))


def _of(record: Record, key: str) -> Record:
    value = record.get(key)
    return value if isinstance(value, Mapping) else {}


def _json(record: Record) -> dict[str, Any]:
    return {**record, "time": utc(record["time_unix_nano"])}
