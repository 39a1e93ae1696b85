"""`specspan traces`: which traces there are, and one of them as a tree with its decisions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from specspan.cli.listing import Kind, show_list, table
from specspan.cli.marks import clean, mark
from specspan.cli.output import console, print_json
from specspan.cli.stored import Listing, filtering, one, opened, reading
from specspan.cli.times import duration, local, utc
from specspan.cli.trace_view import trace_tree
from specspan_exporter_sqlite import Reader, StoredSpan, TraceSummary


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
        if as_json:
            print_json({"trace_id": found, "spans": [_span(span) for span in spans], "decisions": decisions})
            return
        policies = reader.policies((decision.get("policy") or {}).get("digest") or "" for decision in decisions)
        console().print(trace_tree(spans, decisions, policies))


def _find(reader: Reader, prefix: str | None) -> str:
    found = [trace.trace_id for trace in reader.traces()[:1]] if prefix is None else reader.trace_ids(prefix.lower())
    return one("trace", prefix or "", found, "specspan traces")


def _table(traces: Sequence[TraceSummary], _reader: Reader) -> Table:
    made = table(
        "time", "trace", "name", "service", "took", "spans", "verdict", "violated",
        right=("took", "spans"), folding=("name", "service", "violated"),
    )  # fmt: skip
    for trace in traces:
        made.add_row(
            local(trace.start_unix_nano),
            Text(trace.short_id, "cyan"),
            Text(clean(trace.name), "bold"),
            Text(clean(trace.service)),
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
