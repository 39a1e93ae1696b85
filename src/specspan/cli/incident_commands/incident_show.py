"""`specspan incident show`: everything that is known of an incident."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click
from rich.text import Text

from specspan.cli.incident_view import change_table, find_incident, open_log, read_facts
from specspan.cli.post_mortem import post_mortem, rate_words
from specspan.cli.storage import store_options
from specspan.cli.terminal import clean, console, list_width, plural, print_json, print_pages, printable
from specspan.incidents.incident_records import facts_record, history_record, incident_record


@click.command("show")
@click.argument("incident_id", metavar="INCIDENT")
@click.option("--markdown", "as_markdown", is_flag=True, help="Print a post-mortem, filled in as far as facts go.")
@store_options
def command(incident_id: str, db: str | None, *, as_markdown: bool, as_json: bool) -> None:
    """Show an incident: since when, how much, who was affected, and what changed before it."""
    if as_markdown and as_json:
        raise click.UsageError("Choose one of --markdown and --json.")
    with open_log(db) as log:
        incident = find_incident(log, incident_id)
        history = history_record(log.history(incident.id))
    facts = facts_record(read_facts(db, incident))
    head = incident_record(incident)
    if as_json:
        print_json({"v": 1, "type": "incident", **head, "facts": facts, "history": history})
    elif as_markdown:
        click.echo(printable(post_mortem(head, facts, history)), nl=False)
    else:
        _print(head, facts, history)


def _print(head: dict[str, Any], facts: dict[str, Any], history: list[dict[str, Any]]) -> None:
    out = console()
    lines = [Text(line) for line in _summary(head, facts)]
    if facts["changes"]:
        lines += [Text(""), Text("What changed, ranked by how well it separates violating from clean calls", "bold")]
        lines += change_table(facts["changes"]).lines(list_width(out))
    else:
        lines += [Text(""), Text("Nothing that is on record changed in that time.")]
    lines += [Text(""), Text("History", "bold")]
    lines += [Text(_event(event)) for event in history]
    print_pages(out, *lines)


def _summary(head: dict[str, Any], facts: dict[str, Any]) -> Iterator[str]:
    title = facts["clause"].get("title")
    yield clean(f"{head['clause']}{f' ({title})' if title else ''}: {head['state']}, opened {head['opened']}")
    if text := facts["clause"].get("text"):
        yield clean(f"  “{text}”")
    yield f"violations       {rate_words(facts['rate']['during'])}"
    yield f"before           {rate_words(facts['rate']['before'])}"
    yield f"first, last      {facts['first_violation'] or 'none'}, {facts['last_violation'] or 'none'}"
    yield f"last clean hour  ended {facts['last_clean']}" if facts["last_clean"] else "last clean hour  not on record"
    yield f"services         {_groups(facts['services'])}"
    yield f"models           {_groups(facts['models'])}"
    affected = facts["affected"]
    yield (
        f"affected         {plural(affected['users'], 'user')} and {plural(affected['conversations'], 'conversation')}"
        f" in {plural(affected['spans_read'], 'span')} of {plural(affected['violating_calls'], 'violating call')}"
    )
    if missing := facts["missing_policy_records"]:
        yield f"lacking          the record of {plural(len(missing), 'policy record')}: checks are not told apart there"
    if facts["examples"]:
        yield f"decisions        {', '.join(clean(name)[:18] for name in facts['examples'])}"


def _groups(groups: dict[str, dict[str, Any]]) -> str:
    return ", ".join(clean(f"{name} {rate['violated']} of {rate['of']}") for name, rate in groups.items()) or "none"


def _event(event: dict[str, Any]) -> str:
    text = f": {event['text']}" if event.get("text") else ""
    return clean(f"{event['time']}  {event['kind'].removeprefix('incident_')}{text}  ({event['by'] or 'nobody'})")
