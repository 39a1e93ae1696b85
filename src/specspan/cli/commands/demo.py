"""``specspan demo``: a support desk at work, and what became of every clause."""

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

from specspan.cli.terminal import OUTCOMES, clean, mark
from specspan.decision import Action
from specspan.policy.policy import Policy

if TYPE_CHECKING:
    from specspan.demo.session import Service, Told
import os
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

import click

from specspan.cli.commands.traces import trace_tree
from specspan.cli.storage import opened
from specspan.cli.terminal import console
from specspan.decision import Mode
from specspan.errors import ConfigurationError, MissingDependency, Problem

if TYPE_CHECKING:  # they need the openai client, which may not be installed
    from specspan.demo.conversations import Conversation
    from specspan.demo.session import Service, Told

# MERGED demo_view: What the demo prints: what was asked and heard, what became of the calls, and where it all is now.


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


_MATERIAL = files("specspan.demo") / "material"


@click.command("demo")
@click.option("--policy", type=click.Path(path_type=Path), help="A policy in place of the demo's own.")
@click.option("--mode", type=click.Choice([mode.value for mode in Mode]), help="In place of what the policy says.")
@click.option(
    "--db", type=click.Path(path_type=Path), help="The SQLite file.  [default: SPECSPAN_DB, else specspan.db]"
)
@click.option("--write", "folder", type=click.Path(path_type=Path), help="Only write policy and spec there, to edit.")
def command(policy: Path | None, mode: str | None, db: Path | None, folder: Path | None) -> None:
    """A support desk at work: seven conversations, the trace of each, and what became of every clause.

    Nothing in it is canned: edit the policy, and the decisions change.
    """
    if folder is not None:
        _write(folder)
        return
    _require_openai()
    _require_sdk()
    with as_file(_MATERIAL) as material:
        _run(policy or material / "policy.yaml", mode, db or Path(os.environ.get("SPECSPAN_DB") or "specspan.db"))


def _run(policy: Path, mode: str | None, db: Path) -> None:
    import specspan
    from specspan.demo import session as run
    from specspan.demo.conversations import CONVERSATIONS
    from specspan.runtime.configure import resolve_policy

    loaded = resolve_policy(policy, mode)
    out = console()
    with run.service() as answering:
        specspan.configure(loaded, service_name="support-desk", db=db)
        specspan.instrument("openai")
        try:
            out.print(opening(loaded, answering))
            decisions = []
            for number, asked in enumerate(CONVERSATIONS, 1):
                told = _told(asked, answering)
                specspan.force_flush()
                with opened(db) as reader:
                    found = reader.decisions_of(told.trace_id)
                    policies = reader.policies({loaded.digest})
                    tree = trace_tree(reader.spans(told.trace_id), found, policies, most_rows=0)
                out.print(conversation(number, told, tree))
                decisions += found
            out.print(closing(decisions, db.absolute()))
        finally:
            specspan.shutdown()


def _told(asked: Conversation, answering: Service) -> Told:
    import openai

    from specspan.demo import session as run

    try:
        return run.converse(asked, answering)
    except openai.OpenAIError as error:
        raise click.ClickException(f"the model service failed: {type(error).__name__}: {error}") from error


def _require_sdk() -> None:
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        raise ConfigurationError(
            "OTEL_SDK_DISABLED",
            Problem("it is set, so nothing would be recorded and there would be nothing to show", "Unset it."),
        )


def _write(folder: Path) -> None:
    """Copy policy and spec to a folder; what stands there already stays."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        remedy = "Name a folder that can be written."
        raise ConfigurationError(
            str(folder), Problem(f"no folder can be made here: {error.strerror}", remedy)
        ) from None
    for entry in sorted(_MATERIAL.iterdir(), key=lambda entry: entry.name):
        target = folder / entry.name
        try:
            with target.open("xb") as file:
                file.write(entry.read_bytes())
        except FileExistsError:
            remedy = "Name another folder, or remove it first."
            raise ConfigurationError(str(target), Problem("stands here already and was left alone", remedy)) from None
        click.echo(f"wrote {target}")


def _require_openai() -> None:
    try:
        import openai  # noqa: F401  # only whether it is there
    except ImportError:
        problem = Problem("talks to its model through the openai client", "Run: pip install 'specspan[openai]'")
        raise MissingDependency("demo", problem) from None
