"""`specspan incident bundle`: an incident and what it stands on, in one zip with a signed manifest."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from specspan.cli.incident_view import find_incident, open_log, read_facts
from specspan.cli.post_mortem import post_mortem
from specspan.cli.storage import db_option, open_reader
from specspan.cli.terminal import json_text, plural
from specspan.incidents.incident import Incident
from specspan.incidents.incident_facts import IncidentFacts
from specspan.incidents.incident_records import facts_record, history_record, incident_record
from specspan.incidents.signed_zip import MANIFEST, make_bundle
from specspan.ledger.signing_keys import configured_signer
from specspan.stores.protocols import StoreReader

_DECISIONS = 10_000
"""Number of violating decisions in a bundle, at most; the first ones."""


@click.command("bundle")
@click.argument("incident_id", metavar="INCIDENT")
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="The file.  [default: by the id]")
@db_option
def command(incident_id: str, output: Path | None, db: str | None) -> None:
    """Write an incident into a zip: facts, post-mortem, the records of violating decisions and of their policies.

    No prompt and no answer is in it. The manifest is signed by the ledger's key, where one is configured
    (SPECSPAN_LEDGER_KEY, SPECSPAN_LEDGER_KEY_FILE or SPECSPAN_LEDGER_KEY_COMMAND).
    """
    signer = configured_signer(os.environ)
    with open_log(db) as log:
        incident = find_incident(log, incident_id)
        history = history_record(log.history(incident.id))
    facts = read_facts(db, incident)
    told, head = facts_record(facts), incident_record(incident)
    with open_reader(db) as reader:
        decisions = list(_violating(reader, incident, facts))
    policies = [record for record in facts.history.policies.values() if record]
    files = {
        "incident.json": json_text({"v": 1, "type": "incident", **head, "facts": told, "history": history}) + "\n",
        "post-mortem.md": post_mortem(head, told, history),
        "decisions.jsonl": _lines(decisions),
        "policies.jsonl": _lines(policies),
    }
    path = output or Path(f"incident-{incident.id[:8]}.zip")
    try:
        path.write_bytes(make_bundle(files, signer))
    except OSError as error:
        raise click.ClickException(f"the bundle cannot be written: {error}") from error
    of_all = "" if len(decisions) == facts.during.violated else f" of {facts.during.violated}"
    told_decisions, told_policies = plural(len(decisions), "violating decision"), plural(len(policies), "policy record")
    click.echo(f"{path}: {told_decisions}{of_all}, {told_policies}.")
    if signer is None:
        click.echo(f"{MANIFEST} is NOT SIGNED: no key is configured (SPECSPAN_LEDGER_KEY_FILE).")
    else:
        click.echo(f"{MANIFEST} is signed by {signer.public_key}.")


def _violating(reader: StoreReader, incident: Incident, facts: IncidentFacts) -> Iterator[Any]:
    calls = reader.clause_calls(incident.clause, incident.since_unix_nano, facts.until_unix_nano)
    ids = [call.decision_id for call in calls if call.outcome == "violated"][:_DECISIONS]
    for decision_id in ids:
        yield reader.decision(decision_id)


def _lines(records: list[Any]) -> str:
    return "".join(json_text(record, None) + "\n" for record in records)
