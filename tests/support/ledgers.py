"""Ledgers in a folder of a test, with records to write and what is read back."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from specspan.ledger import ledger_files as files
from specspan.ledger.chain_reader import Record
from specspan.ledger.decision_ledger import DecisionLedger, open_ledger
from specspan.ledger.ledger_settings import Durability, LedgerSettings
from specspan.ledger.signed_note import Checkpoint, Signer
from specspan.ledger.signing_keys import listed_keys
from specspan.ledger.stream_files import StreamState, read_stream, segment_paths, stream_names

ROOT = Path(__file__).resolve().parents[2]
KEY = Signer("test-ledger", bytes(range(32)))
ENVIRONMENT = {"SPECSPAN_LEDGER_KEY": KEY.private_text}
POLICY: dict[str, Any] = {"v": 2, "type": "policy", "id": "sha256:p", "time_unix_nano": 1790000000000000000}


def decision(number: int | str, **members: Any) -> dict[str, Any]:
    """Return a short decision record."""
    record = {"v": 2, "type": "decision", "id": f"d-{number}", "time_unix_nano": 1790000000000000001}
    return {**record, "policy": {"digest": "sha256:q", "record": POLICY["id"]}, "verdict": "complied", **members}


def find_policy(record_id: str) -> Mapping[str, Any] | None:
    """Return the one policy record that there is."""
    return POLICY if record_id == POLICY["id"] else None


OPENED: list[DecisionLedger] = []
"""Ledgers that tests of this process opened."""


def open_in(folder: Path, mode: Durability = Durability.ASYNC, **settings: Any) -> DecisionLedger:
    """Return the ledger of a folder, after it recovered what others left."""
    ledger = open_ledger(replace(LedgerSettings(folder, mode), **settings), ENVIRONMENT)
    OPENED.append(ledger)
    return ledger


def write(folder: Path, numbers: Iterator[int] | range, **settings: Any) -> None:
    """Write a stream of decisions, and end it."""
    ledger = open_in(folder, **settings)
    for number in numbers:
        assert ledger.append(decision(number), find_policy)
    ledger.shutdown(5.0)


def states(folder: Path) -> list[StreamState]:
    """Return each stream as it is on the disk."""
    return [read_stream(folder, name, listed_keys(folder)) for name in stream_names(folder)]


def records(folder: Path) -> list[Record]:
    """Return the records of all streams, those that no one can find fault with."""
    found: list[Record] = []

    def visit(item: Record | Checkpoint) -> None:
        if isinstance(item, Record):
            found.append(item)

    for name in stream_names(folder):
        assert read_stream(folder, name, listed_keys(folder), visit).problem is None
    return found


def decision_ids(folder: Path) -> list[str]:
    """Return the ids of the decisions in all streams, in order."""
    return [record.body["id"] for record in records(folder) if record.type == "decision"]


def last_segment(folder: Path) -> Path:
    """Return the last segment of the only stream."""
    (name,) = stream_names(folder)
    return segment_paths(folder / files.STREAMS / name)[-1]


def environment() -> dict[str, str]:
    """Return the variables of a process that runs one of the programs in this folder."""
    path = os.pathsep.join(each for each in sys.path if each)
    return {**os.environ, **ENVIRONMENT, "PYTHONPATH": path}
