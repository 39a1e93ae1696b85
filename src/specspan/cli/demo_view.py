"""What the demo prints: what was asked and heard, what became of the calls, and where it all is now."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from specspan.cli.marks import OUTCOMES, clean, mark
from specspan.decision import Action
from specspan.policy.model import Policy

if TYPE_CHECKING:
    from specspan.demo.run import Service, Told

Record = Mapping[str, Any]

JAEGER = "docker run --rm -p 16686:16686 -p 4318:4318 jaegertracing/jaeger:2.20.0"
SEND = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://localhost:4318/v1/traces specspan demo"
_DONE = {
    Action.ALLOW: "allowed",
    Action.FLAG: "flagged",
    Action.REDACT: "redacted",
    Action.REPLACE: "replaced",
    Action.BLOCK: "blocked",
    Action.ESCALATE: "escalated",
}


def opening(policy: Policy, answering: Service) -> RenderableType:
    """Which texts are in force, what answers, and how to read what follows."""
    spec = policy.spec
    clauses = sum(1 for _ in policy.authority.binding)
    texts = f"{clauses} clauses of {spec.id} {spec.version or ''}; {Path(policy.source).name}, {policy.mode} mode"
    model = f"{answering.model} at {answering.base_url}"
    model = f"The model is a script, {model}; the rest is real." if answering.scripted else f"The model is {model}."
    legend = Text("   ").join(mark(outcome) for outcome in OUTCOMES if outcome != "pending")
    return Group(Text("The support desk of Tallow & Tide", "bold"), Text(texts), Text(model), legend)


def conversation(number: int, told: Told, trace: RenderableType) -> RenderableType:
    """One conversation: its title, what the person lived through, and its trace."""
    rows = Table.grid(padding=(0, 2, 0, 0))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(overflow="fold")
    rows.add_row("asked", clean(told.conversation.question))
    rows.add_row("heard", _heard(told))
    title = Rule(f"[bold]{number}  {told.conversation.title}", align="left", style="dim")
    return Group(Text(), title, _indented(rows), _indented(trace))


def closing(decisions: Sequence[Record], db: Path) -> RenderableType:
    """How often each thing happened, and what to do next."""
    return Group(Text(), Rule(style="dim"), *_counted(decisions), Text(), *_next(db))


def _indented(part: RenderableType) -> RenderableType:
    return Padding(part, (0, 0, 0, 3), expand=False)


def _heard(told: Told) -> Text:
    heard = Text(clean(told.heard), "italic")
    if told.stopped:
        heard.append(" ✋ stopped here" if told.heard else "✋ nothing: the call was stopped", "bold red")
    return heard


def _counted(decisions: Sequence[Record]) -> Iterator[Text]:
    actions = Counter(str(decision["action"]) for decision in decisions)
    outcomes = Counter(str(finding["outcome"]) for decision in decisions for finding in decision["findings"])
    outcomes["unassessed"] = sum(decision["counts"]["unassessed"] for decision in decisions)
    cut = sum(decision["stream"]["released_chars"] is not None for decision in decisions if decision.get("stream"))
    done = (f"{actions[action]} {_DONE[action]}" for action in Action if actions[action])
    calls = f"{len(decisions)} model calls: {', '.join(done)}"
    yield Text(calls + (f"; {cut} stream cut" if cut else ""), "bold")
    found = [mark(outcome).append(f" {outcomes[outcome]}", "bold") for outcome in OUTCOMES if outcomes[outcome]]
    yield Text("   ").join(found)


def _next(db: Path) -> Iterator[RenderableType]:
    rows = Table.grid(padding=(0, 2, 0, 0))
    rows.add_column(no_wrap=True)
    rows.add_column(overflow="fold")
    at = f"SPECSPAN_DB={shlex.quote(str(db))} "
    rows.add_row("Recorded in", Text(str(db), "bold"))
    rows.add_row("Look again", Text(f"{at}specspan traces list --outcome violated", "cyan"))
    rows.add_row("Change it", Text("specspan demo --write desk; specspan demo --policy desk/policy.yaml", "cyan"))
    rows.add_row("In Jaeger", Text(JAEGER, "cyan"))
    rows.add_row("", Text(SEND, "cyan"))
    yield rows
