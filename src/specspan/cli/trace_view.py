"""Terminal view of one trace as a tree: each span, and under it the decision about its call."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Group
from rich.text import Text
from rich.tree import Tree

from specspan.cli.decision_view import MOST_ROWS, decision_view
from specspan.cli.flow import Flow
from specspan.cli.terminal import clean, format_duration, format_local, plural
from specspan.sqlite.model import StoredSpan

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shown:
    """Extent of a view of a trace."""

    most_rows: int = MOST_ROWS
    """Findings of one decision that get a row each; above this number, the quiet ones share lines."""
    most_spans: int | None = None
    """Number of spans after which the rest is only counted; None: all are shown."""
    only_violated: bool = False
    """Show violations, and the spans above them, alone."""


def trace_tree(
    spans: Sequence[StoredSpan], decisions: Sequence[Record], policies: Sequence[Record], shown: Shown | None = None
) -> Tree:
    """Return the tree of one trace.

    Args:
        spans: of one trace, at least one, in any order. One whose parent is not among them stands at the top.
        decisions: decision records of the trace. A span without one shows the summary it carries itself; a decision
            whose span is not there is shown at the end.
        policies: policy records, from which the clauses that no check looked at are named.
        shown: how much of it is shown.
    """
    extent = shown or Shown()
    ordered = sorted(spans, key=lambda span: span.start_unix_nano)
    tree = Tree(_heading(ordered), guide_style="dim")
    _add_spans(tree, _Decided(ordered, decisions), policies, extent)
    present = {span.span_id for span in ordered}
    for decision in decisions:
        if decision.get("span_id") not in present and not (extent.only_violated and not _is_violated(decision)):
            branch = tree.add(Text("decision without its span", "dim"))
            branch.add(_view(decision, policies, extent))
    return tree


class _Decided:
    """Spans of a trace, by parent, with the decision about each."""

    def __init__(self, spans: Sequence[StoredSpan], decisions: Sequence[Record]) -> None:
        self.spans = spans
        self.children: defaultdict[str | None, list[StoredSpan]] = defaultdict(list)
        present = {span.span_id for span in spans}
        for span in spans:
            self.children[span.parent_span_id if span.parent_span_id in present else None].append(span)
        self._by_span = {decision.get("span_id"): decision for decision in decisions}
        self._recorded = {decision.get("id") for decision in decisions}

    def decision_of(self, span: StoredSpan) -> Record | None:
        """Return the decision about a span's call, from its record or from the span's attributes."""
        return self._by_span.get(span.span_id) or _own_decision(span, self._recorded)

    def leading_to_violations(self) -> set[str]:
        """Return the ids of spans whose call was violated, and of the spans above them."""
        parents = {span.span_id: span.parent_span_id for span in self.spans}
        found: set[str] = set()
        for span in self.spans:
            decision, id_ = self.decision_of(span), span.span_id
            while decision is not None and _is_violated(decision) and id_ in parents and id_ not in found:
                found.add(id_)
                id_ = parents[id_] or ""
        return found


def _add_spans(tree: Tree, decided: _Decided, policies: Sequence[Record], shown: Shown) -> None:
    only_service = _only_service(decided.spans)
    wanted = decided.leading_to_violations() if shown.only_violated else {span.span_id for span in decided.spans}
    waiting = [(tree, span, only_service) for span in reversed(decided.children[None])]
    seen: set[str] = set()
    while waiting:  # no recursion: a trace may be deeper than the stack
        branch, span, service_above = waiting.pop()
        if span.span_id not in wanted:
            continue
        if len(seen) == shown.most_spans:
            left = len(wanted) - len(seen)
            tree.add(Text(f"… {plural(left, 'span')} more; --limit or --all shows them", "dim"))
            return
        seen.add(span.span_id)
        node = branch.add(_span_line(span, service_above))
        decision = decided.decision_of(span)
        if decision is not None and not (shown.only_violated and not _is_violated(decision)):
            node.add(_view(decision, policies, shown))
        waiting += [(node, child, span.service) for child in reversed(decided.children[span.span_id])]
    for span in decided.spans:
        if span.span_id in wanted - seen:  # their parents form a circle
            tree.add(_span_line(span, only_service))


def _view(decision: Record, policies: Sequence[Record], shown: Shown) -> Group:
    return decision_view(decision, policies, most_rows=shown.most_rows, only_violated=shown.only_violated)


def _is_violated(decision: Record) -> bool:
    """Return True for a decision with a violated clause, whatever the verdict came to."""
    outcomes = (finding.get("outcome") for finding in decision.get("findings") or () if isinstance(finding, Mapping))
    return "violated" in outcomes


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


def _heading(spans: Sequence[StoredSpan]) -> Flow:
    start, end = spans[0].start_unix_nano, max(span.end_unix_nano for span in spans)
    services = sorted({clean(span.service) for span in spans if span.service})
    facts = [format_local(start), ", ".join(services), format_duration(end - start), plural(len(spans), "span")]
    trace = Text("trace ", "dim").append(spans[0].trace_id, "bold not dim")
    return Flow([trace, *(Text(fact, "dim") for fact in facts if fact)])


def _only_service(spans: Sequence[StoredSpan]) -> str | None:
    """Return the service of all spans, which the heading alone names; None where there are several."""
    services = {span.service for span in spans}
    return services.pop() if len(services) == 1 else None


def _span_line(span: StoredSpan, service_above: str | None) -> Flow:
    """Return the line of one span, without its service where that is the one of the span above."""
    facts = [Text(clean(span.name), "bold"), Text(format_duration(span.duration_ns), "dim")]
    if span.service and span.service != service_above:
        facts.append(Text(clean(span.service), "cyan"))
    if span.status == "ERROR":
        why = span.attributes.get("error.type") or span.status_message
        facts.append(Text("ERROR", "bold red").append(f" {clean(why)}" if why else "", "not bold red"))
    elif span.status == "OK":
        facts.append(Text("OK", "green"))
    return Flow(facts)
