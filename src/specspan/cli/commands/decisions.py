"""`specspan decisions`: list of decisions, and one with its findings; they are kept where spans are sampled away."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
from rich.text import Text

from specspan.cli.decision_reviews import review_line, reviews_of
from specspan.cli.decision_view import action_text, decision_view
from specspan.cli.flow import Flow
from specspan.cli.list_table import Column, ListTable
from specspan.cli.storage import (
    NEWEST,
    ListGroup,
    Listing,
    filter_options,
    follow_list,
    follow_option,
    open_reader,
    require_one,
    show_list,
    store_options,
)
from specspan.cli.terminal import (
    clean,
    console,
    format_local,
    format_short,
    format_utc,
    mark,
    print_json,
    print_pages,
    trace_link,
)
from specspan.stores.protocols import StoreReader

Record = Mapping[str, Any]


@click.group("decisions", cls=ListGroup)
def command() -> None:
    """List decisions, the newest first; show one with every finding."""


@command.command("list")
@store_options
@filter_options
@follow_option
def list_(*, follow: bool, **options: Any) -> None:
    """List decisions, the newest first."""
    listing: Listing[Record] = Listing(
        "decisions",
        read=lambda reader, wanted: reader.decisions(wanted),
        to_json=_to_json,
        to_table=_to_table,
        id_of=lambda record: str(record["id"]),
        time_of=lambda record: int(record["time_unix_nano"]),
    )
    if follow:
        follow_list(listing, **options)
    else:
        show_list(listing, **options)


@command.command()
@click.argument("decision_id", metavar="[DECISION_ID]", required=False)
@store_options
def show(decision_id: str | None, db: str | None, *, as_json: bool) -> None:
    """Show one decision, by the start of its id; without one, the newest."""
    with open_reader(db) as reader:
        record = reader.decision(_find(reader, decision_id))
        reviews = reviews_of(db, record["id"])
        if as_json:
            print_json({**_to_json(record), "review_tasks": reviews})
            return
        policies = reader.policies([str(_mapping(record, "policy").get("digest"))])
    link = trace_link(record["trace_id"], record.get("span_id")) if record.get("trace_id") else None
    reviewed = [Text("reviews", "bold"), *map(review_line, reviews)] if reviews else []
    links = [Text(clean(link))] if link else []
    print_pages(console(), *_facts(record), decision_view(record, policies), *reviewed, *links)


def _find(reader: StoreReader, prefix: str | None) -> str:
    ids = (
        [record["id"] for record in reader.decisions(NEWEST)] if prefix is None else reader.decision_ids(prefix.lower())
    )
    return require_one("decision", prefix, ids, "specspan decisions")


def _to_table(records: Sequence[Record], reader: StoreReader) -> ListTable:
    now = time.time_ns()
    table = ListTable(
        Column("time", gives_way=4),
        Column("decision", style="cyan"),
        Column("trace", gives_way=2),
        Column("verdict"),
        Column("action", gives_way=3),
        Column("governing clause", style="bold"),
        Column("reason", gives_way=1, is_text=True),
    )
    for record in records:
        table.add_row(
            format_short(record["time_unix_nano"], now),
            reader.short_decision_id(record["id"]),
            reader.short_trace_id(record["trace_id"]) if record.get("trace_id") else "",
            mark(str(record.get("verdict"))),
            action_text(record),
            clean(record.get("governing_clause")),
            clean(record.get("reason")),
        )
    return table


def _facts(record: Record) -> Iterator[Flow]:
    """Yield the call that a decision is about, and the texts it was made under: enough to decide the call again."""
    yield _fact("decision", clean(record["id"]))
    yield _fact("time", format_local(record["time_unix_nano"]))
    yield _fact("service", *_fields(_mapping(record, "service"), "name", "version"))
    yield _fact("call", *_fields(_mapping(record, "call"), "provider", "operation", "model", "tool"))
    if _mapping(_mapping(record, "call"), "scope"):
        yield _fact("scope", *_fields(_mapping(_mapping(record, "call"), "scope"), "trust", "digest"))
    yield _fact("trace", clean(record.get("trace_id")), f"span {clean(record.get('span_id'))}")
    for spec in record.get("spec") or ():
        yield _fact("spec", *_fields(spec, "id", "version", "digest"))
    yield _fact("policy", *_fields(_mapping(record, "policy"), "digest"))


def _fact(name: str, *values: str) -> Flow:
    first, *others = values or ("",)
    return Flow([Text(f"{name:<9}", "dim").append(first, "not dim"), *map(Text, others)], gap=" ")


def _fields(record: Record, *keys: str) -> Iterator[str]:
    return (clean(record[key]) for key in keys if record.get(key))


def _mapping(record: Record, key: str) -> Record:
    value = record.get(key)
    return value if isinstance(value, Mapping) else {}


def _to_json(record: Record) -> dict[str, Any]:
    return {**record, "time": format_utc(record["time_unix_nano"])}
