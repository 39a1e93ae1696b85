"""`specspan mitigate`: a clause enforced in every running process within seconds, until a time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import uuid4

import click
from rich.text import Text

from specspan.cli.incident_view import find_incident, open_log
from specspan.cli.list_table import Column, ListTable, print_lines
from specspan.cli.person_option import as_person, person_option
from specspan.cli.signed_mitigations import SignedMitigations
from specspan.cli.storage import open_reader, store_options
from specspan.cli.terminal import clean, console, format_local, parse_since, plural, print_json
from specspan.decision import Action
from specspan.incidents.incident import IncidentState
from specspan.policy.mitigation import ACTIONS, Mitigation

_DAY_NS = 86_400 * 10**9


@click.command("mitigate")
@click.option("--clause", metavar="ID", help="The clause that is enforced.")
@click.option("--action", type=click.Choice([action.value for action in ACTIONS]), default="block", show_default=True)
@click.option("--tool", metavar="NAME", help="Only calls with this tool; * stands for anything.")
@click.option("--model", metavar="NAME", help="Only calls of this model; * stands for anything.")
@click.option("--until", metavar="WHEN", help="When it ends by itself: +30m, +2h, +1d.")
@click.option("--reason", metavar="TEXT", help="Why, in a sentence; it is recorded.")
@click.option("--lift", metavar="ID", help="End a mitigation now, by the start of its id.")
@click.option("--list", "lists", is_flag=True, help="List the mitigations in the file.")
@click.option("--dry-run", is_flag=True, help="Only say what it would have done in the last day.")
@click.option("--incident", "incident_id", metavar="ID", help="Record it in this incident, too.")
@click.option(
    "--file",
    "path",
    envvar="SPECSPAN_MITIGATIONS",
    show_envvar=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file that processes watch.",
)
@person_option
@store_options
def command(
    clause: str | None,
    action: str,
    tool: str | None,
    model: str | None,
    until: str | None,
    reason: str | None,
    lift: str | None,
    incident_id: str | None,
    path: Path | None,
    person: str,
    db: str | None,
    *,
    lists: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Enforce a clause in every process that watches the file, until WHEN; nothing has to be deployed or restarted.

    The file is signed by the ledger's key (SPECSPAN_LEDGER_KEY, SPECSPAN_LEDGER_KEY_FILE or
    SPECSPAN_LEDGER_KEY_COMMAND), and processes take it by the keys in SPECSPAN_MITIGATION_KEYS. Each decision under it
    names it, by a layer of its policy.
    """
    if [clause is not None, lift is not None, lists].count(True) != 1:
        raise click.UsageError("Choose one of --clause, --lift and --list.")
    now_ns = time.time_ns()
    if clause is None:
        file = SignedMitigations.of(path)
        found = file.in_force(now_ns) if lift is None else file.change(now_ns, partial(_without, prefix=lift))
        _print_list(found, as_json=as_json)
        return
    if not all(text is None or text.strip() for text in (clause, tool, model)):
        raise click.UsageError("--clause, --tool and --model name something; leave out what is not narrowed.")
    if until is None or not reason or not reason.strip():
        raise click.UsageError("Say until when it holds with --until, and why with --reason.")
    mitigation = Mitigation(
        id=uuid4().hex[:12],
        clause=clause,
        action=Action(action),
        made_unix_nano=now_ns,
        until_unix_nano=_end(until, now_ns),
        reason=reason,
        by=as_person(person).name,
        tool=tool,
        model=model,
    )
    effect = _effect(db, mitigation, now_ns)
    if dry_run:
        _print_effect(effect, mitigation, as_json=as_json)
        return
    file = SignedMitigations.of(path)
    if incident_id is None:
        file.change(now_ns, lambda found: [*found, mitigation])
    else:
        with open_log(db) as log:
            incident = find_incident(log, incident_id)
            if incident.state is IncidentState.CLOSED:
                raise click.ClickException(f"the incident {incident.id[:8]} is closed; open a new one")
            file.change(now_ns, lambda found: [*found, mitigation])
            log.mitigate(incident.id, as_person(person), reason, {"mitigation": mitigation.id})
    if as_json:
        print_json(mitigation.to_json())
        return
    end = format_local(mitigation.until_unix_nano)
    click.echo(f"{clean(clause)} is under {action} until {end} in processes that watch {file.path} ({mitigation.id}).")


def _without(found: Sequence[Mitigation], prefix: str) -> list[Mitigation]:
    ended = [each for each in found if each.id.startswith(prefix)]
    if len(ended) != 1:
        raise click.ClickException(f"{plural(len(ended), 'mitigation')} in force begin with {prefix!r}; name one")
    return [each for each in found if each is not ended[0]]


def _end(until: str, now_ns: int) -> int:
    """Return the time that ``+2h`` stands for."""
    try:
        ahead = now_ns - parse_since(until.removeprefix("+"), now_ns)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="--until") from error
    if not until.startswith("+") or ahead <= 0:
        raise click.BadParameter("write +30m, +2h or +1d", param_hint="--until")
    return now_ns + ahead


@dataclass(slots=True)
class _Effect:
    """Calls of the last day that the mitigation would have been for."""

    calls: int = 0
    decided: int = 0
    violated: int = 0


def _effect(db: str | None, mitigation: Mitigation, now_ns: int) -> _Effect:
    effect = _Effect()
    with open_reader(db) as reader:
        known = reader.clauses()
        if mitigation.clause not in known:
            listed = ", ".join(known[:8])
            raise click.ClickException(f"no clause {mitigation.clause!r} is in {reader.name}; it has {listed}")
        for call in reader.clause_calls(mitigation.clause, now_ns - _DAY_NS, now_ns):
            if not mitigation.is_for_model(call.model):
                continue
            effect.calls += 1
            effect.decided += call.outcome in ("violated", "complied")
            effect.violated += call.outcome == "violated"
    return effect


def _print_effect(effect: _Effect, mitigation: Mitigation, *, as_json: bool) -> None:
    if as_json:
        counted = {"calls": effect.calls, "decided": effect.decided, "violated": effect.violated}
        print_json({"dry_run": True, **mitigation.to_json(), "last_day": counted})
        return
    told = f"{effect.violated} of {plural(effect.decided, 'decided call')} violated {clean(mitigation.clause)}"
    click.echo(f"In the last day {told}, of {effect.calls} in all: each of the {effect.violated} is under")
    click.echo(f"{mitigation.action.value} then. Nothing was written.")
    if mitigation.tool is not None:
        click.echo("Records do not name the tools that a call declares: calls without the tool are counted, too.")


def _print_list(found: Sequence[Mitigation], *, as_json: bool) -> None:
    if as_json:
        print_json([each.to_json() for each in found])
        return
    if not found:
        console().print(Text("No mitigation is in force."))
        return
    table = ListTable(
        Column("id", style="bold"),
        Column("clause", style="bold"),
        Column("action"),
        Column("until"),
        Column("tool", gives_way=1),
        Column("model", gives_way=2),
        Column("by", gives_way=3),
        Column("reason", gives_way=4, is_text=True),
    )
    for each in found:
        end = format_local(each.until_unix_nano)
        who = (clean(each.tool), clean(each.model), clean(each.by), clean(each.reason))
        table.add_row(each.id, clean(each.clause), each.action.value, end, *who)
    print_lines(console(), table)
