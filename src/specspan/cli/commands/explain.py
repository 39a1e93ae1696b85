"""`specspan explain`: the whole chain that one decision stands on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from specspan.bridges.stored_call import stored_call
from specspan.calibration.calibration_file import read_calibration
from specspan.cli.decision_reviews import reviews_of
from specspan.cli.explain_view import lineage_lines
from specspan.cli.ledger_view import find_record, known_keys, reading
from specspan.cli.options import import_modules, import_option
from specspan.cli.storage import open_reader, require_one, store_options
from specspan.cli.terminal import console, print_json, print_pages
from specspan.errors import ConfigurationError
from specspan.ledger.proofs import prove_inclusion
from specspan.lineage.lineage import Sources, build_lineage
from specspan.lineage.policy_source import find_policy
from specspan.spec.read import find_spec, load_spec

_FILE = click.Path(path_type=Path, dir_okay=False)
Record = Mapping[str, Any]


@click.command("explain")
@click.argument("decision")
@click.option("--clause", "clauses", metavar="ID", multiple=True, help="Of this clause; repeatable.")
@click.option("--policy", type=_FILE, help="The file of the policy, where it is not where it was.")
@click.option("--spec", "specs", metavar="SPEC", multiple=True, help="The text of then, where the policy has another.")
@click.option("--calibration", "calibrations", type=_FILE, multiple=True, help="Of the judges; the last holds.")
@click.option(
    "--ledger",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="SPECSPAN_LEDGER",
    show_envvar=True,
    help="The ledger that holds the decision's record.",
)
@click.option("--key", "keys", multiple=True, metavar="KEY", help="Public key of the ledger, or a file of them.")
@store_options
@import_option
def command(
    decision: str,
    clauses: tuple[str, ...],
    policy: Path | None,
    specs: tuple[str, ...],
    calibrations: tuple[Path, ...],
    folder: Path | None,
    keys: tuple[str, ...],
    db: str | None,
    modules: tuple[str, ...],
    *,
    as_json: bool,
) -> None:
    """Show what a decision stands on: call, clause's text, policy, check, judge, override, review and proof.

    DECISION is an id or the start of one. Every link is found by its digest; what is not at hand is named, and how to
    give it.
    """
    with open_reader(db) as reader:
        id_ = require_one("decision", decision, reader.decision_ids(decision.lower()), "specspan decisions")
        record = reader.decision(id_)
        digest = str((record.get("policy") or {}).get("digest"))
        policies = reader.policies([digest])
        has_content = stored_call(reader, record) is not None
    policy_record = policies[0] if policies else None
    with import_modules(modules):
        source = find_policy(policy_record, digest, policy)
        ledger, lacks = _ledger(folder, keys, id_)
        document = build_lineage(
            Sources(
                decision=record,
                policy_record=policy_record,
                policy=source,
                specs=[load_spec(find_spec(each, Path())) for each in specs],
                calibrations=[read_calibration(each) for each in calibrations],
                has_content=has_content,
                reviews=reviews_of(db, id_),
                ledger=ledger,
                lacks=lacks,
            ),
            clauses,
        )
    if as_json:
        print_json(document)
    else:
        print_pages(console(), *lineage_lines(document))


def _ledger(folder: Path | None, keys: Sequence[str], decision_id: str) -> tuple[dict[str, Any] | None, list[str]]:
    """Return the place and the proof of a decision's record in a ledger, and what is missing of them."""
    if folder is None:
        return None, ["No ledger was named, so that nobody vouches for the record; --ledger names one."]
    try:
        known, _ = known_keys(folder, keys)
        stream, found = find_record(folder, decision_id, known)
    except ConfigurationError as error:
        return None, [f"The ledger has no record of the decision: {error}"]
    place: dict[str, Any] = {"stream": stream, "seq": found.seq, "checkpoint": None, "is_proved": False}
    lacks = []
    with reading():
        try:
            place |= prove_inclusion(folder, stream, found.seq, known) | {"is_proved": True}
        except ConfigurationError as error:
            lacks.append(f"The record is not proved: {error}")
    with suppress(KeyError):
        del place["index"]
    return place, lacks
