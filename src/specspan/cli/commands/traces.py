"""`specspan traces`: which traces there are, and one of them as a tree with its decisions."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Group
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from specspan.cli.commands.decisions import MOST_ROWS, decision_view
from specspan.cli.storage import Kind, Listing, filtering, one, opened, reading, show_list, table
from specspan.cli.terminal import clean, console, duration, listed, local, mark, print_json, trace_link, utc
from specspan_exporter_sqlite import Reader, TraceSummary
from specspan_exporter_sqlite.model import VERDICTS, StoredSpan

# MERGED trace_view: One trace as a tree: each span, under it the decision about it, under that every clause.


Record = Mapping[str, Any]


def trace_tree(
    spans: Sequence[StoredSpan],
    decisions: Sequence[Record],
    policies: Sequence[Record],
    *,
    most_rows: int = MOST_ROWS,
) -> Tree:
    """The tree of one trace.

    Args:
        spans: of one trace, at least one, in any order. One whose parent is not among them stands at the top.
        decisions: decision records of the trace. A span without one shows the summary it carries itself; a decision
            whose span is not there is shown at the end.
        policies: policy records, from which the clauses that no check looked at are named.
        most_rows: findings of one decision that get a row each; beyond that, the quiet ones share a line.
    """
    ordered = sorted(spans, key=lambda span: span.start_unix_nano)
    tree = Tree(_heading(ordered), guide_style="dim")
    by_span = {decision.get("span_id"): decision for decision in decisions}
    told = {decision.get("id") for decision in decisions}

    def view(decision: Record) -> Group:
        return decision_view(decision, policies, most_rows=most_rows)

    _grow(tree, ordered, lambda span: by_span.get(span.span_id) or _own(span, told), view)
    present = {span.span_id for span in ordered}
    for decision in decisions:
        if decision.get("span_id") not in present:
            branch = tree.add(Text("decision without its span", "dim"))
            branch.add(view(decision))
    return tree


def _grow(
    tree: Tree,
    spans: Sequence[StoredSpan],
    decision_of: Callable[[StoredSpan], Record | None],
    view: Callable[[Record], Group],
) -> None:
    children, present = defaultdict(list), {span.span_id for span in spans}
    for span in spans:
        children[span.parent_span_id if span.parent_span_id in present else None].append(span)
    only_service = _only_service(spans)
    waiting = [(tree, span, only_service) for span in reversed(children[None])]
    seen = set()
    while waiting:  # no recursion: a trace may be deeper than the stack
        branch, span, service_above = waiting.pop()
        seen.add(span.span_id)
        node = branch.add(_span_line(span, service_above))
        decision = decision_of(span)
        if decision is not None:
            node.add(view(decision))
        waiting += [(node, child, span.service) for child in reversed(children[span.span_id])]
    for span in spans:
        if span.span_id not in seen:  # their parents form a circle
            tree.add(_span_line(span, only_service))


def _own(span: StoredSpan, told: Collection[Any]) -> Record | None:
    """The decision that a span carries itself, unless its record stands at the call's own span."""
    return None if span.attributes.get("specspan.decision.id") in told else span_decision(span)


def span_decision(span: StoredSpan) -> Record | None:
    """The decision as the span's own attributes tell it, in the form of a record; None for a span without one."""
    own = {key[9:]: value for key, value in span.attributes.items() if key.startswith("specspan.")}
    if "decision.verdict" not in own:
        return None
    outcomes = dict.fromkeys(str(own.get("clauses.applied", "")).split(), "complied")
    for key in ("overridden", "errored", "uncertain", "violated"):
        outcomes.update(dict.fromkeys(own.get(f"clauses.{key}", ()), "error" if key == "errored" else key))
    outcomes.update({key[7:]: value for key, value in own.items() if key.startswith("clause.")})
    return {
        **{key: own.get(f"decision.{key}") for key in ("id", "verdict", "action", "would", "mode", "reason")},
        "governing_clause": own.get("decision.governing_clause"),
        "policy": {"digest": own.get("policy.digest")},
        "findings": [{"clause": clause, "outcome": outcome} for clause, outcome in outcomes.items()],
        "counts": {"unassessed": own.get("clauses.unassessed", 0)},
        "redacted": own.get("redactions", ()),
        "stream": {"released_chars": own.get("stream.released_chars")},
    }


def _heading(spans: Sequence[StoredSpan]) -> Text:
    start, end = spans[0].start_unix_nano, max(span.end_unix_nano for span in spans)
    services = sorted({clean(span.service) for span in spans if span.service})
    line = Text("trace ", "dim").append(spans[0].trace_id, "bold")
    facts = [local(start), ", ".join(services), duration(end - start), f"{len(spans)} span{'s' * (len(spans) > 1)}"]
    return line.append("".join(f"  {fact}" for fact in facts if fact), "dim")


def _only_service(spans: Sequence[StoredSpan]) -> str | None:
    """The service that goes without saying: the heading names it."""
    services = {span.service for span in spans}
    return services.pop() if len(services) == 1 else None


def _span_line(span: StoredSpan, service_above: str | None) -> Text:
    """``service_above``: the one that whoever reads down the tree is in."""
    line = Text(clean(span.name), "bold").append(f"  {duration(span.duration_ns)}", "dim")
    if span.service and span.service != service_above:
        line.append(f"  {clean(span.service)}", "cyan")
    if span.status == "ERROR":
        why = span.attributes.get("error.type") or span.status_message
        line.append("  ERROR", "bold red").append(f" {clean(why)}" if why else "", "red")
    elif span.status == "OK":
        line.append("  OK", "green")
    return line


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
