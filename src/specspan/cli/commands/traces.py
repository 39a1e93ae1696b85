"""`specspan traces`: which traces there are, and one of them as a tree with its decisions."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from specspan.cli.links import trace_link
from specspan.cli.listing import Kind, show_list, table
from specspan.cli.marks import clean, mark
from specspan.cli.output import console, print_json
from specspan.cli.stored import Listing, filtering, one, opened, reading
from specspan.cli.times import duration, listed, utc
from specspan.cli.trace_view import trace_tree
from specspan_exporter_sqlite import Reader, StoredSpan, TraceSummary
from specspan_exporter_sqlite.model import VERDICTS

_ROOM_FOR_SERVICES, _ROOM_FOR_ALL = 100, 140  # columns


@click.group("traces", cls=Listing)
def command() -> None:
    """List traces, the newest first; show one with its decisions."""


@command.command("list")
@reading
@filtering
def list_(**options: Any) -> None:
    """List traces, the newest first. The verdict is the worst of a trace's decisions."""
    show_list(Kind("traces", Reader.traces, _summary, _table), **options)


@command.command()
@click.argument("trace_id", metavar="[TRACE_ID]", required=False)
@reading
def show(trace_id: str | None, db: Path | None, *, as_json: bool) -> None:
    """Show one trace as a tree, by the start of its id; without one, the newest."""
    with opened(db) as reader:
        found = _find(reader, trace_id)
        spans, decisions = reader.spans(found), reader.decisions_of(found)
        link = trace_link(found, _telling(spans, decisions))
        if as_json:
            told = {"trace_id": found, **({"url": link} if link else {})}
            print_json({**told, "spans": [_span(span) for span in spans], "decisions": decisions})
            return
        policies = reader.policies((decision.get("policy") or {}).get("digest") or "" for decision in decisions)
        console().print(trace_tree(spans, decisions, policies))
        if link:
            click.echo(clean(link))


def _find(reader: Reader, prefix: str | None) -> str:
    found = [trace.trace_id for trace in reader.traces()[:1]] if prefix is None else reader.trace_ids(prefix.lower())
    return one("trace", prefix or "", found, "specspan traces")


def _telling(spans: Sequence[StoredSpan], decisions: Sequence[Mapping[str, Any]]) -> str:
    """The span to look at first: the one of the worst decision, else the first."""
    rank = {verdict: place for place, verdict in enumerate(VERDICTS)}
    worst = min(decisions, key=lambda decision: rank.get(decision["verdict"], len(rank)), default={})
    return str(worst.get("span_id") or spans[0].span_id)


def _table(traces: Sequence[TraceSummary], _reader: Reader) -> Table:
    room, now = console().width, time.time_ns()
    named = ("name", "service") if room >= _ROOM_FOR_SERVICES else ("name",)
    made = table(
        "time", "trace", *named, "took", "spans", "verdict", "violated",
        right=("took", "spans"), folding=("name", "service", "violated"),
    )  # fmt: skip
    if room < _ROOM_FOR_ALL:  # then one violated clause a line, and none torn apart
        made.columns[-1].width = max((len(clause) for trace in traces for clause in trace.violated), default=None)
    for trace in traces:
        names = (Text(clean(trace.name), "bold"), Text(clean(trace.service)))
        made.add_row(
            listed(trace.start_unix_nano, now),
            Text(trace.short_id, "cyan"),
            *names[: len(named)],
            duration(trace.end_unix_nano - trace.start_unix_nano),
            str(trace.spans),
            mark(trace.verdict) if trace.verdict else "",
            Text(clean(" ".join(trace.violated)), "red"),
        )
    return made


def _summary(trace: TraceSummary) -> dict[str, Any]:
    return {**asdict(trace), "start": utc(trace.start_unix_nano), "end": utc(trace.end_unix_nano)}


def _span(span: StoredSpan) -> dict[str, Any]:
    return {**asdict(span), "start": utc(span.start_unix_nano), "end": utc(span.end_unix_nano)}
