"""`specspan ledger`: check a ledger, show what is in it, prove it to others, and make the keys that sign it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import click

from specspan.cli.terminal import print_json, printable
from specspan.errors import ConfigurationError, Problem, StoreError
from specspan.ledger.audit import EXIT_CODES, Audit, StreamAudit, audit, read_anchors, records_of
from specspan.ledger.chain_reader import Record
from specspan.ledger.delivery import Delivery
from specspan.ledger.proofs import prove_consistency, prove_inclusion
from specspan.ledger.signed_note import PublicKey, Signer
from specspan.ledger.signing_keys import (
    KEY_NAME,
    configured_signer,
    listed_keys,
    parse_public_keys,
    write_signer,
)
from specspan.ledger.stream_files import stream_names

Command = TypeVar("Command", bound=Callable[..., Any])
_FOLLOW_S = 0.5
_NOT_ANCHORED = (
    "NOT ANCHORED: nothing outside of this folder vouches for it; with the key, all of it could have been made anew.\n"
    "  Keep checkpoints elsewhere (specspan ledger export --checkpoints), and compare: verify --against FILE"
)


@click.group("ledger")
def command() -> None:
    """Check a ledger of decisions, show what is in it, and prove it to others."""


def ledger_options(function: Command) -> Command:
    """Add ``--ledger`` and ``--key``."""
    folder = click.Path(path_type=Path, file_okay=False)
    function = click.option(
        "--key", "keys", multiple=True, metavar="KEY", help="Public key that may have signed, or a file of them."
    )(function)
    return click.option(
        "--ledger", "folder", type=folder, envvar="SPECSPAN_LEDGER", required=True, show_envvar=True, help="The folder."
    )(function)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@command.command()
@ledger_options
@json_option
@click.option(
    "--against",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Checkpoints that were kept elsewhere; repeatable.",
)
def verify(folder: Path, keys: Sequence[str], against: Sequence[Path], *, as_json: bool) -> None:
    """Check every record and signature, and name the first that is wrong.

    Exit codes: 0 intact, 1 tampered with, 2 misuse, 3 torn (a process did not end, and no other has started since),
    4 signed by an unknown key.
    """
    known, source = _keys(folder, keys)
    with _reading():
        anchors = [anchor for path in against for anchor in read_anchors(path, known)]
        found = audit(folder, known, anchors)
    if as_json:
        print_json({"fault": found.fault, "anchored": _is_anchored(found), "keys": source, **_to_json(found)})
    else:
        for line in _verdicts(found, source):
            click.echo(printable(line))
    raise click.exceptions.Exit(EXIT_CODES[found.fault])


@command.command()
@ledger_options
@json_option
@click.argument("record", required=False, metavar="[RECORD]")
def show(folder: Path, keys: Sequence[str], record: str | None, *, as_json: bool) -> None:
    """Show the streams and what was lost, or one record: by the start of a decision's id, or STREAM:SEQ."""
    known, _ = _keys(folder, keys)
    if record is not None:
        name, found = _find(folder, record, known)
        print_json({"stream": name, **json.loads(found.data)})
        return
    with _reading():
        audited = audit(folder, known)
    if as_json:
        print_json(_to_json(audited))
        return
    for each in audited.streams:
        click.echo(printable(f"{each.name}  {_counts(each)}  {_condition(each)}"))
    click.echo(_accounts(audited))


@command.command()
@ledger_options
@click.argument("record", metavar="RECORD")
def prove(folder: Path, keys: Sequence[str], record: str) -> None:
    """Print the proof that a record is under a signed checkpoint, for `docs/verify_proof.py` or any other verifier."""
    known, _ = _keys(folder, keys)
    name, found = _find(folder, record, known)
    with _reading():
        print_json(prove_inclusion(folder, name, found.seq, known))


@command.command()
@ledger_options
@click.argument("checkpoint", type=click.Path(path_type=Path, dir_okay=False))
def consistency(folder: Path, keys: Sequence[str], checkpoint: Path) -> None:
    """Print the proof that the ledger continues an older CHECKPOINT, a file with one signed note."""
    known, _ = _keys(folder, keys)
    with _reading():
        for old in read_anchors(checkpoint, known):
            print_json(prove_consistency(folder, old, known))


@command.command()
@ledger_options
@click.option("-n", "--lines", type=click.IntRange(0), default=10, show_default=True, help="Decisions to begin with.")
@click.option("-f", "--follow", is_flag=True, help="Go on with those that are written from now on.")
def tail(folder: Path, keys: Sequence[str], lines: int, *, follow: bool) -> None:
    """Print the last decisions, one JSON object a line."""
    known, _ = _keys(folder, keys)
    seen: dict[str, int] = {}
    decisions = _new_decisions(folder, known, seen)
    for body in decisions[-lines:] if lines else ():
        _print_line(body)
    while follow:
        time.sleep(_FOLLOW_S)
        for body in _new_decisions(folder, known, seen):
            _print_line(body)


@command.command()
@ledger_options
@click.option("--checkpoints", is_flag=True, help="The last checkpoint of each stream, to be kept elsewhere.")
def export(folder: Path, keys: Sequence[str], *, checkpoints: bool) -> None:
    """Print every decision and policy, one JSON object a line, with stream, sequence number and hash chain."""
    known, _ = _keys(folder, keys)
    with _reading():
        if checkpoints:
            for found in audit(folder, known).streams:
                if found.chain.checkpoint is not None:
                    _print_line({"checkpoint": found.chain.checkpoint.note})
            return
        for name in stream_names(folder):
            for record in records_of(folder, name, known):
                if record.type in ("decision", "policy"):
                    _print_line({"stream": name, **json.loads(record.data)})


@command.command()
@click.option(
    "--ledger",
    "folder",
    envvar="SPECSPAN_LEDGER",
    required=True,
    show_envvar=True,
    help="The folder.",
    type=click.Path(path_type=Path, file_okay=False),
)
@click.option(
    "--to",
    "names",
    multiple=True,
    metavar="NAME",
    help="Decision exporter; repeatable.  [default: SPECSPAN_DECISION_EXPORTER]",
)
def ship(folder: Path, names: Sequence[str]) -> None:
    """Deliver what backends do not have yet, such as decisions of a killed process, also beside processes that write.

    Exit code 1 where a backend did not take something; it stays the next thing to be delivered.
    """
    from specspan.runtime.environment import read_environment
    from specspan.runtime.otel_providers import DECISIONS, create_exporter

    failed = False
    for name in names or read_environment(os.environ).decisions:
        exporter = create_exporter(DECISIONS, name)
        delivery = Delivery(folder, quote(name, safe=""), exporter)
        with _reading():
            streams = delivery.undelivered(stream_names(folder))
        busy = []
        try:
            busy = [stream for stream in streams if not delivery.deliver(stream)]
        except Exception as error:  # whatever a backend raises
            failed = True
            click.echo(printable(f"{name} did not take everything: {error!r}"), err=True)
        finally:
            delivery.close()
            exporter.shutdown()
        note = f"; {len(busy)} streams are being delivered by others" if busy else ""
        click.echo(printable(f"{name}: {delivery.delivered} records delivered{note}"))
    raise click.exceptions.Exit(int(failed))


@command.group("keys", invoke_without_command=True)
@click.pass_context
def keys_(context: click.Context) -> None:
    """List the public keys that signed a ledger; `new` makes one."""
    if context.invoked_subcommand is None:
        folder = os.environ.get("SPECSPAN_LEDGER")
        context.invoke(list_keys, folder=Path(folder) if folder else None)


@keys_.command("list")
@click.option("--ledger", "folder", type=click.Path(path_type=Path, file_okay=False), envvar="SPECSPAN_LEDGER")
def list_keys(folder: Path | None) -> None:
    """List the public key that is configured, and those that are listed beside the ledger."""
    signer = configured_signer(os.environ)
    listed = listed_keys(folder) if folder is not None else ()
    for key in dict.fromkeys((*listed, *([signer.public_key] if signer is not None else []))):
        click.echo(str(key))


@keys_.command("new")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--name", default=KEY_NAME, show_default=True, help="Name of the key, in checkpoints.")
def new_key(file: Path, name: str) -> None:
    """Make a key in a new FILE that only you can read, for SPECSPAN_LEDGER_KEY_FILE; print its public half."""
    try:
        signer = Signer.generate(name)
        if file.exists():
            raise ConfigurationError(str(file), Problem("the file is there already", "Name a new file."))
        write_signer(file, signer)
    except (OSError, ValueError) as error:
        raise ConfigurationError(str(file), Problem(str(error), "Name another file or key.")) from error
    click.echo(str(signer.public_key))


def _keys(folder: Path, given: Sequence[str]) -> tuple[tuple[PublicKey, ...], str]:
    """Return the keys to check with, and where they are from."""
    if given:
        texts = [(Path(text).read_text(encoding="ascii") if Path(text).is_file() else text) for text in given]
        return tuple(key for text in texts for key in parse_public_keys(text, "--key")), "given"
    signer = configured_signer(os.environ)
    if signer is not None:
        return (signer.public_key,), "configured"
    return listed_keys(folder), "folder"


@contextmanager
def _reading() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"the ledger cannot be read: {error}") from error


def _find(folder: Path, record: str, keys: Sequence[PublicKey]) -> tuple[str, Record]:
    """Return the record that an argument names, with its stream.

    Raises:
        ConfigurationError: there is none, or more than one.
    """
    stream, _, seq = record.rpartition(":")
    with _reading():
        found = [
            (name, each)
            for name in stream_names(folder)
            for each in records_of(folder, name, keys)
            if (name == stream and str(each.seq) == seq)
            or (not stream and each.type == "decision" and str(each.body["id"]).startswith(record))
        ]
    if len(found) == 1:
        return found[0]
    what = "several records have an id that begins so" if found else "unknown record"
    raise ConfigurationError(record, Problem(what, "Give the id of a decision, or STREAM:SEQ."))


def _new_decisions(folder: Path, keys: Sequence[PublicKey], seen: dict[str, int]) -> list[dict[str, Any]]:
    """Return decisions by their time, without the first records of each stream that were ``seen``, and count those."""
    found = []
    with _reading():
        for name in stream_names(folder):
            records = records_of(folder, name, keys)
            found += [each.body for each in records[seen.get(name, 0) :] if each.type == "decision"]
            seen[name] = len(records)
    return sorted(found, key=lambda body: int(body["time_unix_nano"]))


def _verdicts(found: Audit, source: str) -> Iterator[str]:
    for each in found.streams:
        yield f"{each.name}  {_condition(each)}  {_counts(each)}"
    for name in found.quarantined:
        yield f"{name}  TAMPERED: a start found it damaged, and moved it to quarantine"
    for anchor in found.missing:
        yield f"{anchor.origin}  TAMPERED: the stream is missing, and a checkpoint of it is kept elsewhere"
    yield f"{_accounts(found)}; {'intact' if found.fault is None else found.fault.value.replace('_', ' ').upper()}"
    if source == "folder":
        yield "KEY NOT PINNED: the keys are those listed in the folder itself; give the one you know with --key"
    if not _is_anchored(found):
        yield _NOT_ANCHORED


def _condition(each: StreamAudit) -> str:
    problem = each.problem
    if problem is not None:
        line = problem.line
        where = "" if line is None else f" (segment {line.segment}, line {line.number})"
        return f"{problem.fault.value.replace('_', ' ').upper()}: {problem.message}{where}"
    if each.state.is_open:
        return f"intact, open, {len(each.chain.unsigned)} records under no checkpoint yet"
    if each.recovery is not None:
        dropped, unsigned = each.recovery["dropped_bytes"], each.recovery["unsigned"]
        return f"intact, recovered: {dropped} bytes dropped, {unsigned} records signed for afterwards"
    return "intact, ended"


def _counts(each: StreamAudit) -> str:
    chain = each.chain
    return f"{chain.size} records, {chain.decisions} decisions, {chain.checkpoints} checkpoints"


def _accounts(found: Audit) -> str:
    accounts = found.accounts
    reasons = "".join(f" {reason} {count}" for reason, count in sorted(accounts["dropped"].items()))
    dropped = sum(accounts["dropped"].values())
    return f"attempted {accounts['attempted']} = recorded {accounts['recorded']} + dropped {dropped}{reasons}"


def _is_anchored(found: Audit) -> bool:
    """Return whether a checkpoint that somebody else keeps vouches for each stream, for a part at least."""
    return bool(found.streams) and all(each.anchored for each in found.streams)


def _to_json(found: Audit) -> dict[str, Any]:
    return {
        **found.accounts,
        "streams": [_stream_to_json(each) for each in found.streams],
        "quarantined": list(found.quarantined),
        "missing": [anchor.origin for anchor in found.missing],
    }


def _stream_to_json(each: StreamAudit) -> dict[str, Any]:
    chain, problem = each.chain, each.problem
    return {
        "stream": each.name,
        "records": chain.size,
        "decisions": chain.decisions,
        "checkpoints": chain.checkpoints,
        "unsigned": len(chain.unsigned),
        "root": None if chain.checkpoint is None else chain.checkpoint.root.hex(),
        "is_open": each.state.is_open,
        "recovery": each.recovery,
        "anchored": each.anchored,
        "dropped": dict(each.dropped),
        "problem": None
        if problem is None
        else {
            "fault": problem.fault.value,
            "message": problem.message,
            "seq": problem.seq,
            "last_seq": problem.last_seq,
            "segment": None if problem.line is None else problem.line.segment,
            "line": None if problem.line is None else problem.line.number,
        },
    }


def _print_line(value: dict[str, Any]) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
