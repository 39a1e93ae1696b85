"""`specspan traces`: list of traces, and one of them as a tree with its decisions."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import click
from rich.text import Text

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
    format_duration,
    format_short,
    format_utc,
    mark,
    print_json,
    print_pages,
    trace_link,
)
from specspan.cli.trace_view import Shown, trace_tree
from specspan.sqlite.model import VERDICTS, StoredSpan, TraceSummary
from specspan.stores.protocols import StoreReader


@click.group("traces", cls=ListGroup)
def command() -> None:
    """List traces, the newest first; show one with its decisions."""


@command.command("list")
@store_options
@filter_options
@follow_option
def list_(*, follow: bool, **options: Any) -> None:
    """List traces, the newest first. The verdict is the worst of a trace's decisions."""
    listing: Listing[TraceSummary] = Listing(
        "traces",
        read=lambda reader, wanted: reader.traces(wanted),
        to_json=_summary_json,
        to_table=_to_table,
        id_of=lambda trace: trace.trace_id,
        time_of=lambda trace: trace.start_unix_nano,
        grows=True,
        late_ns=600 * 10**9,
    )
    if follow:
        follow_list(listing, **options)
    else:
        show_list(listing, **options)


@command.command()
@click.argument("trace_id", metavar="[TRACE_ID]", required=False)
@click.option("--violated", is_flag=True, help="Only what was violated, and the spans around it.")
@click.option("--limit", type=click.IntRange(min=1), default=200, show_default=True, help="At most so many spans.")
@click.option("--all", "all_", is_flag=True, help="Every span, and a row for each clause.")
@store_options
def show(trace_id: str | None, db: str | None, *, violated: bool, limit: int, all_: bool, as_json: bool) -> None:
    """Show one trace as a tree, by the start of its id; without one, the newest. Clauses that complied share a line."""
    with open_reader(db) as reader:
        id_ = _find(reader, trace_id)
        spans, decisions = reader.spans(id_), reader.decisions_of(id_)
        link = trace_link(id_, _span_of_worst(spans, decisions))
        if as_json:
            url = {"url": link} if link else {}
            spans_json = [_span_json(span) for span in spans]
            print_json({"trace_id": id_, **url, "spans": spans_json, "decisions": decisions})
            return
        policies = reader.policies((decision.get("policy") or {}).get("digest") or "" for decision in decisions)
    view = Shown(only_violated=violated, most_spans=None if all_ else limit, most_rows=sys.maxsize if all_ else 0)
    print_pages(console(), trace_tree(spans, decisions, policies, view), *([Text(clean(link))] if link else []))


def _find(reader: StoreReader, prefix: str | None) -> str:
    ids = [trace.trace_id for trace in reader.traces(NEWEST)] if prefix is None else reader.trace_ids(prefix.lower())
    return require_one("trace", prefix, ids, "specspan traces")


def _span_of_worst(spans: Sequence[StoredSpan], decisions: Sequence[Mapping[str, Any]]) -> str:
    """Return the id of the span to look at first: the one of the worst decision, else the first."""
    rank = {verdict: place for place, verdict in enumerate(VERDICTS)}
    worst = min(decisions, key=lambda decision: rank.get(decision["verdict"], len(rank)), default={})
    return str(worst.get("span_id") or spans[0].span_id)


def _to_table(traces: Sequence[TraceSummary], _reader: StoreReader) -> ListTable:
    now = time.time_ns()
    table = ListTable(
        Column("time", gives_way=4),
        Column("trace", style="cyan"),
        Column("name", gives_way=5, is_text=True, style="bold"),
        Column("service", gives_way=1, is_text=True),
        Column("took", gives_way=3, align_right=True),
        Column("spans", gives_way=2, align_right=True),
        Column("verdict"),
        Column("violated", style="red"),
    )
    for trace in traces:
        table.add_row(
            format_short(trace.start_unix_nano, now),
            trace.short_id,
            clean(trace.name),
            clean(trace.service),
            format_duration(trace.end_unix_nano - trace.start_unix_nano),
            str(trace.spans),
            mark(trace.verdict) if trace.verdict else "",
            [clean(clause) for clause in trace.violated],
        )
    return table


def _summary_json(trace: TraceSummary) -> dict[str, Any]:
    return {**asdict(trace), "start": format_utc(trace.start_unix_nano), "end": format_utc(trace.end_unix_nano)}


def _span_json(span: StoredSpan) -> dict[str, Any]:
    return {**asdict(span), "start": format_utc(span.start_unix_nano), "end": format_utc(span.end_unix_nano)}
