"""Ledgers on the command line: the options that name one, its keys, and what a check of it found."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from specspan.errors import ConfigurationError, Problem, StoreError
from specspan.ledger.audit import Audit, StreamAudit, records_of
from specspan.ledger.chain_reader import Record
from specspan.ledger.signed_note import PublicKey
from specspan.ledger.signing_keys import configured_signer, listed_keys, parse_public_keys
from specspan.ledger.stream_files import stream_names

Command = TypeVar("Command", bound=Callable[..., Any])


def ledger_option(function: Command) -> Command:
    """Add the option that names the folder."""
    folder = click.Path(path_type=Path, file_okay=False)
    return click.option(
        "--ledger", "folder", type=folder, envvar="SPECSPAN_LEDGER", required=True, show_envvar=True, help="The folder."
    )(function)


def ledger_options(function: Command) -> Command:
    """Add ``--ledger`` and ``--key``."""
    function = click.option(
        "--key", "keys", multiple=True, metavar="KEY", help="Public key that may have signed, or a file of them."
    )(function)
    return ledger_option(function)


json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def known_keys(folder: Path, given: Sequence[str]) -> tuple[tuple[PublicKey, ...], str]:
    """Return the keys to check with, and where they are from."""
    if given:
        texts = [(Path(text).read_text(encoding="ascii") if Path(text).is_file() else text) for text in given]
        return tuple(key for text in texts for key in parse_public_keys(text, "--key")), "given"
    signer = configured_signer(os.environ)
    if signer is not None:
        return (signer.public_key,), "configured"
    return listed_keys(folder), "folder"


@contextmanager
def reading() -> Iterator[None]:
    """Turn an error of the system into one that the command line prints."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"the ledger cannot be read: {error}") from error


def find_record(folder: Path, record: str, keys: Sequence[PublicKey]) -> tuple[str, Record]:
    """Return the record that an argument names, with its stream.

    Raises:
        ConfigurationError: there is none, or more than one.
    """
    stream, _, seq = record.rpartition(":")
    with reading():
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


def condition(each: StreamAudit) -> str:
    """Return what a check found about a stream, in words."""
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


def counts(each: StreamAudit) -> str:
    """Return the numbers of a stream, in words."""
    chain = each.chain
    expired = f" ({each.expired} of them expired)" if each.expired else ""
    return f"{chain.size} records{expired}, {chain.decisions} decisions, {chain.checkpoints} checkpoints"


def accounts(found: Audit) -> str:
    """Return attempted = recorded + dropped, in words."""
    accounts = found.accounts
    reasons = "".join(f" {reason} {count}" for reason, count in sorted(accounts["dropped"].items()))
    dropped = sum(accounts["dropped"].values())
    return f"attempted {accounts['attempted']} = recorded {accounts['recorded']} + dropped {dropped}{reasons}"


def audit_to_json(found: Audit) -> dict[str, Any]:
    """Return what a check found, as the commands print it."""
    return {
        **found.accounts,
        "streams": [_stream_to_json(each) for each in found.streams],
        "quarantined": list(found.quarantined),
        "missing": [anchor.origin for anchor in found.missing],
        "expired": [each.stream for each in found.expired],
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
        "expired": each.expired,
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


def print_line(value: dict[str, Any]) -> None:
    """Print a JSON object on a line of its own."""
    click.echo(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
