"""`specspan ledger verify`: check of a whole ledger, alone and beside what others keep of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from specspan.cli.ledger_view import (
    accounts,
    audit_to_json,
    condition,
    counts,
    json_option,
    known_keys,
    ledger_options,
    reading,
)
from specspan.cli.terminal import print_json, printable
from specspan.ledger.audit import EXIT_CODES, Audit, audit, read_anchors
from specspan.ledger.stream_files import stream_names
from specspan.ledger.witnesses import fetch_witnesses

_NOT_ANCHORED = (
    "NOT ANCHORED: nothing outside of this folder vouches for it; with the key, all of it could have been made anew.\n"
    "  Keep checkpoints elsewhere (specspan ledger export --checkpoints, or SPECSPAN_LEDGER_PINNED), and compare:\n"
    "  verify --against FILE; or compare with exported spans: verify --against http://JAEGER_OR_TEMPO"
)


@click.command("verify")
@ledger_options
@json_option
@click.option(
    "--against",
    multiple=True,
    metavar="FILE|URL",
    envvar="SPECSPAN_LEDGER_PINNED",
    help="Checkpoints that were kept elsewhere, or Jaeger or Tempo, which has spans; repeatable.",
)
def command(folder: Path, keys: Sequence[str], against: Sequence[str], *, as_json: bool) -> None:
    """Check every record and signature, and name the first that is wrong.

    Exit codes: 0 intact, 1 tampered with, 2 misuse, 3 torn (a process did not end, and no other has started since),
    4 signed by an unknown key.
    """
    known, source = known_keys(folder, keys)
    with reading():
        files = [Path(each) for each in against if not _is_url(each)]
        anchors = [anchor for path in files for anchor in read_anchors(path, known)]
        names = stream_names(folder)
        witnesses = [witness for url in filter(_is_url, against) for witness in fetch_witnesses(url, names)]
        found = audit(folder, known, anchors, witnesses)
    if as_json:
        print_json({"fault": found.fault, "anchored": _is_anchored(found), "keys": source, **audit_to_json(found)})
    else:
        for line in _verdicts(found, source):
            click.echo(printable(line))
    raise click.exceptions.Exit(EXIT_CODES[found.fault])


def _is_url(text: str) -> bool:
    return text.startswith(("http://", "https://"))


def _verdicts(found: Audit, source: str) -> Iterator[str]:
    for each in found.streams:
        yield f"{each.name}  {condition(each)}  {counts(each)}"
    for expiry in found.expired:
        yield f"{expiry.stream}  expired: {expiry.records} records, {expiry.recorded} decisions"
    for name in found.quarantined:
        yield f"{name}  TAMPERED: a start found it damaged, and moved it to quarantine"
    for anchor in found.missing:
        yield f"{anchor.origin}  TAMPERED: the stream is missing, and a checkpoint of it is kept elsewhere"
    yield f"{accounts(found)}; {'intact' if found.fault is None else found.fault.value.replace('_', ' ').upper()}"
    if source == "folder":
        yield "KEY NOT PINNED: the keys are those listed in the folder itself; give the one you know with --key"
    if not _is_anchored(found):
        yield _NOT_ANCHORED


def _is_anchored(found: Audit) -> bool:
    """Return whether a checkpoint that somebody else keeps vouches for each stream, for a part at least."""
    return bool(found.streams) and all(each.anchored for each in found.streams)
