"""`specspan demo`: support desk at work, and the decisions about its calls."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from specspan.cli.storage import db_option, open_reader
from specspan.cli.terminal import OUTCOMES, clean, console, mark
from specspan.cli.trace_view import Shown, trace_tree
from specspan.decision import Action, Mode
from specspan.errors import ConfigurationError, MissingDependency, Problem
from specspan.policy.policy import Policy
from specspan.stores.opening import store_address, url_scheme

if TYPE_CHECKING:  # the session needs the openai client, which may not be installed
    from specspan.demo.conversations import Conversation
    from specspan.demo.session import ConversationResult, ModelService

Record = Mapping[str, Any]

_MATERIAL = files("specspan.demo") / "material"

_START_JAEGER = "docker run --rm -p 16686:16686 -p 4318:4318 jaegertracing/jaeger:2.20.0"
_SEND_TO_JAEGER = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://localhost:4318/v1/traces specspan demo"
_ACTION_WORDS = {
    Action.ALLOW: "allowed",
    Action.FLAG: "flagged",
    Action.REDACT: "redacted",
    Action.REPLACE: "replaced",
    Action.BLOCK: "blocked",
    Action.ESCALATE: "escalated",
}


@click.command("demo")
@click.option("--policy", type=click.Path(path_type=Path), help="A policy in place of the demo's own.")
@click.option("--mode", type=click.Choice([mode.value for mode in Mode]), help="In place of what the policy says.")
@db_option
@click.option("--write", "folder", type=click.Path(path_type=Path), help="Only write policy and spec there, to edit.")
def command(policy: Path | None, mode: str | None, db: str | None, folder: Path | None) -> None:
    """Show a support desk at work: seven conversations, the trace of each, and the outcome of every clause.

    The decisions are made as you watch: edit the policy, and they change.
    """
    if folder is not None:
        _write_material(folder)
        return
    _require_openai()
    _require_sdk()
    with as_file(_MATERIAL) as material:
        _run(policy or material / "policy.yaml", mode, store_address(db))


def _run(policy: Path, mode: str | None, db: str) -> None:
    import specspan
    from specspan.demo.conversations import CONVERSATIONS
    from specspan.demo.session import connect
    from specspan.runtime.configure import resolve_policy

    loaded = resolve_policy(policy, mode)
    out = console()
    with connect() as service:
        specspan.configure(loaded, service_name="support-desk", db=db)
        specspan.instrument("openai")
        try:
            out.print(opening(loaded, service))
            decisions, name = [], ""
            for number, conversation in enumerate(CONVERSATIONS, 1):
                result = _hold(conversation, service)
                specspan.force_flush()
                with open_reader(db) as reader:
                    name = reader.name
                    records = reader.decisions_of(result.trace_id)
                    policies = reader.policies({loaded.digest})
                    tree = trace_tree(reader.spans(result.trace_id), records, policies, Shown(most_rows=0))
                out.print(conversation_view(number, result, tree))
                decisions += records
            out.print(closing(decisions, name))
        finally:
            specspan.shutdown()


def _hold(conversation: Conversation, service: ModelService) -> ConversationResult:
    import openai

    from specspan.demo.session import converse

    try:
        return converse(conversation, service)
    except openai.OpenAIError as error:
        raise click.ClickException(f"the model service failed: {type(error).__name__}: {error}") from error


def _require_sdk() -> None:
    if os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        raise ConfigurationError(
            "OTEL_SDK_DISABLED",
            Problem("it is set, so nothing would be recorded and there would be nothing to show", "Unset it."),
        )


def _write_material(folder: Path) -> None:
    """Copy policy and spec to a folder. A file that exists there is left as it is."""
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


def opening(policy: Policy, service: ModelService) -> RenderableType:
    """Return the policy in force, the model that answers, and a legend of the marks below."""
    spec = policy.spec
    clauses = sum(1 for _ in policy.authority.binding)
    texts = f"{clauses} clauses of {spec.id} {spec.version or ''}; {Path(policy.source).name}, {policy.mode} mode"
    model = f"{service.model} at {service.base_url}"
    model = f"The model is a script, {model}; the rest is real." if service.is_scripted else f"The model is {model}."
    legend = Text("   ").join(mark(outcome) for outcome in OUTCOMES if outcome != "pending")
    return Group(Text("The support desk of Tallow & Tide", "bold"), Text(texts), Text(model), legend)


def conversation_view(number: int, result: ConversationResult, trace: RenderableType) -> RenderableType:
    """Return the title of a conversation, its question and answer, and its trace."""
    rows = Table.grid(padding=(0, 2, 0, 0))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(overflow="fold")
    rows.add_row("asked", clean(result.conversation.question))
    rows.add_row("heard", _answer_text(result))
    title = Rule(f"[bold]{number}  {result.conversation.title}", align="left", style="dim")
    return Group(Text(), title, _indent(rows), _indent(trace))


def closing(decisions: Sequence[Record], db: str) -> RenderableType:
    """Return the totals of actions and outcomes, and what to try next."""
    return Group(Text(), Rule(style="dim"), *_totals(decisions), Text(), *_next_steps(db))


def _indent(part: RenderableType) -> RenderableType:
    return Padding(part, (0, 0, 0, 3), expand=False)


def _answer_text(result: ConversationResult) -> Text:
    text = Text(clean(result.answer), "italic")
    if result.is_blocked:
        text.append(" ✋ stopped here" if result.answer else "✋ nothing: the call was stopped", "bold red")
    return text


def _totals(decisions: Sequence[Record]) -> Iterator[Text]:
    actions = Counter(str(decision["action"]) for decision in decisions)
    outcomes = Counter(str(finding["outcome"]) for decision in decisions for finding in decision["findings"])
    outcomes["unassessed"] = sum(decision["counts"]["unassessed"] for decision in decisions)
    cut = sum(decision["stream"]["released_chars"] is not None for decision in decisions if decision.get("stream"))
    taken = (f"{actions[action]} {_ACTION_WORDS[action]}" for action in Action if actions[action])
    calls = f"{len(decisions)} model calls: {', '.join(taken)}"
    yield Text(calls + (f"; {cut} stream cut" if cut else ""), "bold")
    marks = [mark(outcome).append(f" {outcomes[outcome]}", "bold") for outcome in OUTCOMES if outcomes[outcome]]
    yield Text("   ").join(marks)


def _next_steps(db: str) -> Iterator[RenderableType]:
    rows = Table.grid(padding=(0, 2, 0, 0))
    rows.add_column(no_wrap=True)
    rows.add_column(overflow="fold")
    variable = f"SPECSPAN_DB={shlex.quote(db)} " if url_scheme(db) is None else ""  # a password may stand in a URL
    rows.add_row("Recorded in", Text(db, "bold"))
    rows.add_row("Look again", Text(f"{variable}specspan traces list --outcome violated", "cyan"))
    rows.add_row("Change it", Text("specspan demo --write desk; specspan demo --policy desk/policy.yaml", "cyan"))
    rows.add_row("In Jaeger", Text(_START_JAEGER, "cyan"))
    rows.add_row("", Text(_SEND_TO_JAEGER, "cyan"))
    rows.add_row("In a browser", Text(f"{variable}specspan console", "bold cyan"))
    yield rows
