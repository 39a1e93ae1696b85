"""`specspan traces`: list of traces, and one of them as a tree with its decisions."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from specspan.cli.storage import ListGroup, Listing, filter_options, open_reader, require_one, show_list, store_options
from specspan.cli.terminal import (
    clean,
    console,
    format_duration,
    format_short,
    format_utc,
    mark,
    plain_table,
    print_json,
    trace_link,
)
from specspan.cli.trace_view import trace_tree
from specspan_exporter_sqlite import Reader, TraceSummary
from specspan_exporter_sqlite.model import VERDICTS, StoredSpan

# The narrowest terminals, in columns, that show the services, and the violated clauses on one line.
_WIDTH_WITH_SERVICES, _WIDTH_WITH_ALL = 100, 140


@click.group("traces", cls=ListGroup)
def command() -> None:
    """List traces, the newest first; show one with its decisions."""


@command.command("list")
@store_options
@filter_options
def list_(**options: Any) -> None:
    """List traces, the newest first. The verdict is the worst of a trace's decisions."""
    show_list(Listing("traces", Reader.traces, _summary_json, _to_table), **options)


@command.command()
@click.argument("trace_id", metavar="[TRACE_ID]", required=False)
@store_options
def show(trace_id: str | None, db: Path | None, *, as_json: bool) -> None:
    """Show one trace as a tree, by the start of its id; without one, the newest."""
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
        console().print(trace_tree(spans, decisions, policies))
        if link:
            click.echo(clean(link))


def _find(reader: Reader, prefix: str | None) -> str:
    ids = [trace.trace_id for trace in reader.traces()[:1]] if prefix is None else reader.trace_ids(prefix.lower())
    return require_one("trace", prefix or "", ids, "specspan traces")


def _span_of_worst(spans: Sequence[StoredSpan], decisions: Sequence[Mapping[str, Any]]) -> str:
    """Return the id of the span to look at first: the one of the worst decision, else the first."""
    rank = {verdict: place for place, verdict in enumerate(VERDICTS)}
    worst = min(decisions, key=lambda decision: rank.get(decision["verdict"], len(rank)), default={})
    return str(worst.get("span_id") or spans[0].span_id)


def _to_table(traces: Sequence[TraceSummary], _reader: Reader) -> Table:
    width, now = console().width, time.time_ns()
    columns = ("name", "service") if width >= _WIDTH_WITH_SERVICES else ("name",)
    table = plain_table(
        "time", "trace", *columns, "took", "spans", "verdict", "violated",
        right=("took", "spans"), folding=("name", "service", "violated"),
    )  # fmt: skip
    if width < _WIDTH_WITH_ALL:  # then one violated clause a line, and none torn apart
        table.columns[-1].width = max((len(clause) for trace in traces for clause in trace.violated), default=None)
    for trace in traces:
        names = (Text(clean(trace.name), "bold"), Text(clean(trace.service)))
        table.add_row(
            format_short(trace.start_unix_nano, now),
            Text(trace.short_id, "cyan"),
            *names[: len(columns)],
            format_duration(trace.end_unix_nano - trace.start_unix_nano),
            str(trace.spans),
            mark(trace.verdict) if trace.verdict else "",
            Text(clean(" ".join(trace.violated)), "red"),
        )
    return table


def _summary_json(trace: TraceSummary) -> dict[str, Any]:
    return {**asdict(trace), "start": format_utc(trace.start_unix_nano), "end": format_utc(trace.end_unix_nano)}


def _span_json(span: StoredSpan) -> dict[str, Any]:
    return {**asdict(span), "start": format_utc(span.start_unix_nano), "end": format_utc(span.end_unix_nano)}
