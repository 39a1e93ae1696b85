"""Terminal view of one trace as a tree: each span, and under it the decision about its call."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from rich.console import Group
from rich.text import Text
from rich.tree import Tree

from specspan.cli.decision_view import MOST_ROWS, decision_view
from specspan.cli.terminal import clean, format_duration, format_local, plural
from specspan_exporter_sqlite.model import StoredSpan

Record = Mapping[str, Any]


def trace_tree(
    spans: Sequence[StoredSpan],
    decisions: Sequence[Record],
    policies: Sequence[Record],
    *,
    most_rows: int = MOST_ROWS,
) -> Tree:
    """Return the tree of one trace.

    Args:
        spans: of one trace, at least one, in any order. One whose parent is not among them stands at the top.
        decisions: decision records of the trace. A span without one shows the summary it carries itself; a decision
            whose span is not there is shown at the end.
        policies: policy records, from which the clauses that no check looked at are named.
        most_rows: findings of one decision that get a row each; above this number, the quiet ones share lines.
    """
    ordered = sorted(spans, key=lambda span: span.start_unix_nano)
    tree = Tree(_heading(ordered), guide_style="dim")
    by_span = {decision.get("span_id"): decision for decision in decisions}
    recorded = {decision.get("id") for decision in decisions}

    def view(decision: Record) -> Group:
        return decision_view(decision, policies, most_rows=most_rows)

    _add_spans(tree, ordered, lambda span: by_span.get(span.span_id) or _own_decision(span, recorded), view)
    present = {span.span_id for span in ordered}
    for decision in decisions:
        if decision.get("span_id") not in present:
            branch = tree.add(Text("decision without its span", "dim"))
            branch.add(view(decision))
    return tree


def _add_spans(
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


def _own_decision(span: StoredSpan, recorded: Collection[Any]) -> Record | None:
    """Return the decision in a span's attributes, unless its record is shown at the span of the call."""
    return None if span.attributes.get("specspan.decision.id") in recorded else span_decision(span)


def span_decision(span: StoredSpan) -> Record | None:
    """Return the decision in a span's attributes in the form of a record; None for a span without one."""
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
        "counts": {"unassessed": own.get("clauses.unassessed", 0), "complied": own.get("clauses.complied", 0)},
        "redacted": own.get("redactions", ()),
        "stream": {"released_chars": own.get("stream.released_chars")},
    }


def _heading(spans: Sequence[StoredSpan]) -> Text:
    start, end = spans[0].start_unix_nano, max(span.end_unix_nano for span in spans)
    services = sorted({clean(span.service) for span in spans if span.service})
    line = Text("trace ", "dim").append(spans[0].trace_id, "bold")
    facts = [format_local(start), ", ".join(services), format_duration(end - start), plural(len(spans), "span")]
    return line.append("".join(f"  {fact}" for fact in facts if fact), "dim")


def _only_service(spans: Sequence[StoredSpan]) -> str | None:
    """Return the service of all spans, which the heading alone names; None where there are several."""
    services = {span.service for span in spans}
    return services.pop() if len(services) == 1 else None


def _span_line(span: StoredSpan, service_above: str | None) -> Text:
    """Return the line of one span, without its service where that is the one of the span above."""
    line = Text(clean(span.name), "bold").append(f"  {format_duration(span.duration_ns)}", "dim")
    if span.service and span.service != service_above:
        line.append(f"  {clean(span.service)}", "cyan")
    if span.status == "ERROR":
        why = span.attributes.get("error.type") or span.status_message
        line.append("  ERROR", "bold red").append(f" {clean(why)}" if why else "", "red")
    elif span.status == "OK":
        line.append("  OK", "green")
    return line
