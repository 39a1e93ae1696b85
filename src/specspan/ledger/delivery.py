"""Delivery of a ledger's records to one backend: in order, at least once, from where it stopped.

A cursor for each stream, a small file, says how far the backend has acknowledged. It is locked while its stream is
delivered, so that a process, its successor and `specspan ledger ship` never deliver one stream at the same time.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from opentelemetry.context import attach, detach, set_value

from specspan._support import drop_counts
from specspan._support.otel_private import SUPPRESS_INSTRUMENTATION_KEY
from specspan.ledger import ledger_files as files
from specspan.ledger.chain_reader import LAST_TYPES, parse_record
from specspan.ledger.ledger_entry import DECISION, FINDING, POLICY

CURSORS: Final = "cursors"
"""Folder with a folder for each backend, in which each stream has a cursor."""
SET_ASIDE: Final = "set-aside"
"""Folder with a file for each backend, of the records that it alone of their batch did not take."""
MAX_RECORDS: Final = 512
MAX_BYTES: Final = 3_500_000
_ATTEMPTS: Final = 3
"""Attempts to hand over a batch, after which its records are tried one by one."""
_REFUSED_ALL: Final = 16
"""Number of records, the first of a batch, after whose refusal the others are not tried."""
_log = logging.getLogger("specspan")


class Backend(Protocol):
    """Decision exporter, as `specspan.record.export.DecisionExporter` describes it."""

    def export(self, records: Sequence[Mapping[str, Any]]) -> None:
        """Carry ``records``; raise when that could not be done, and they are handed over again."""

    def shutdown(self) -> None:
        """Release every resource; nothing is exported after."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Place in a stream up to which a backend has everything."""

    segment: int = 1
    offset: int = 0
    is_done: bool = False
    """True behind the last record of a stream that was ended."""


@dataclass(frozen=True, slots=True)
class _Batch:
    records: Sequence[Mapping[str, Any]]
    after: Cursor


class Delivery:
    """Deliverer of streams to one backend. One thread at a time."""

    def __init__(self, folder: Path, name: str, backend: Backend) -> None:
        """Deliver to ``backend``, whose cursors are kept under ``name``."""
        self.delivered = 0
        """Number of records that the backend took, those that it had already among them."""
        self._folder = folder
        self._name = name
        self._backend = backend
        self._locks: dict[str, int] = {}
        self._cursors: dict[str, Cursor] = {}
        self._failures = 0

    def undelivered(self, names: Sequence[str]) -> list[str]:
        """Return the streams that the backend does not have to their end."""
        return [name for name in names if not self._cursor(name).is_done]

    def deliver(self, stream: str) -> bool:
        """Hand over what the backend does not have of a stream yet; return False where another process does that.

        Raises:
            Exception: the backend did not take a batch; it stays the next one.
            OSError: a file of the ledger cannot be read or written.
        """
        if not self._lock(stream):
            return False
        while (batch := _read_batch(self._folder, stream, self._cursor(stream))) is not None:
            if batch.records:
                self._export(batch.records)
                self.delivered += len(batch.records)
            self._move(stream, batch.after)
            if batch.after.is_done:
                self._unlock(stream)
                break
        return True

    def close(self) -> None:
        """Release every stream, for others to deliver."""
        for stream in tuple(self._locks):
            self._unlock(stream)

    def abandon(self) -> None:
        """Close the files in a forked child; the locks stay the parent's."""
        while self._locks:
            os.close(self._locks.popitem()[1])

    def _export(self, records: Sequence[Mapping[str, Any]]) -> None:
        try:
            self._hand_over(records)
        except Exception as error:
            self._failures += 1
            if getattr(error, "is_temporary", False) or self._failures < _ATTEMPTS or len(records) == 1:
                raise
            self._export_each(records, error)
        self._failures = 0

    def _export_each(self, records: Sequence[Mapping[str, Any]], error: Exception) -> None:
        """Hand records over one by one; set aside those that alone fail, unless all of them do."""
        refused: list[tuple[Mapping[str, Any], Exception]] = []
        for count, record in enumerate(records, start=1):
            try:
                self._hand_over((record,))
            except Exception as refusal:
                refused.append((record, refusal))
            if len(refused) == count and count in (_REFUSED_ALL, len(records)):
                raise error  # the backend takes nothing at all
        for record, reason in refused:
            self._set_aside(record, reason)

    def _hand_over(self, records: Sequence[Mapping[str, Any]]) -> None:
        # a backend's own database and network calls are no part of the application's traces
        token = attach(set_value(SUPPRESS_INSTRUMENTATION_KEY, value=True))
        try:
            self._backend.export(records)
        finally:
            detach(token)

    def _set_aside(self, record: Mapping[str, Any], reason: Exception) -> None:
        drop_counts.count(record["type"] if record.get("type") in (DECISION, FINDING) else "policy", "set_aside")
        _log.warning("%s did not take the record %s, which is set aside: %r", self._name, record.get("id"), reason)
        files.make_folder(self._folder / SET_ASIDE)
        line = json.dumps({"id": record.get("id"), "reason": repr(reason)[:500]}, separators=(",", ":"))
        files.append_file(self._folder / SET_ASIDE / f"{self._name}.jsonl", f"{line}\n".encode())

    def _cursor(self, stream: str) -> Cursor:
        if stream not in self._cursors:
            self._cursors[stream] = _read_cursor(self._path(stream))
        return self._cursors[stream]

    def _move(self, stream: str, cursor: Cursor) -> None:
        self._cursors[stream] = cursor
        value = {"segment": cursor.segment, "offset": cursor.offset, "done": cursor.is_done}
        hidden = self._path(stream).with_name(f".{stream}")
        with contextlib.suppress(FileNotFoundError):
            hidden.unlink()
        files.append_file(hidden, json.dumps(value).encode())
        hidden.rename(self._path(stream))

    def _lock(self, stream: str) -> bool:
        if stream in self._locks:
            return True
        files.make_folder(self._path(stream).parent)
        path = self._path(stream).with_suffix(".lock")
        files.append_file(path, b"")
        descriptor = files.try_lock(path)
        if descriptor is None:
            return False
        self._locks[stream] = descriptor
        self._cursors.pop(stream, None)  # another process may have moved it
        return True

    def _unlock(self, stream: str) -> None:
        with contextlib.suppress(OSError):
            self._path(stream).with_suffix(".lock").unlink()  # while it is locked: who waits for it sees it gone
        os.close(self._locks.pop(stream))

    def _path(self, stream: str) -> Path:
        return self._folder / CURSORS / self._name / f"{stream}.json"


def is_delivered(folder: Path, backends: Sequence[str], stream: str, segment: int) -> bool:
    """Return whether each backend, by the name of its cursors, has acknowledged all of a segment."""
    cursors = [_read_cursor(folder / CURSORS / name / f"{stream}.json") for name in backends]
    return all(cursor.is_done or cursor.segment > segment for cursor in cursors)


def _read_batch(folder: Path, stream: str, cursor: Cursor) -> _Batch | None:
    """Return the next records for a backend and the cursor behind them; None where there are no whole lines more."""
    path = folder / files.STREAMS / stream / f"{cursor.segment:06d}.jsonl"
    following = path.with_name(f"{cursor.segment + 1:06d}.jsonl")
    has_following = following.exists()  # asked first: what is read then is all of the segment
    try:
        data = _read_lines(path, cursor.offset)
    except FileNotFoundError:
        return None
    if not data:
        return _Batch((), Cursor(cursor.segment + 1)) if has_following else None
    records: list[Mapping[str, Any]] = []
    offset, is_done = cursor.offset, False
    for line in data.splitlines(keepends=True):
        offset += len(line)
        record = parse_record(line[:-1])
        if record is None:
            continue
        if record.type in (DECISION, FINDING, POLICY):
            body = record.body
            records.append({**body, "time_unix_nano": int(body["time_unix_nano"])})
        is_done = record.type in LAST_TYPES
        if is_done or len(records) == MAX_RECORDS:
            break
    return _Batch(records, Cursor(cursor.segment, offset, is_done))


def _read_lines(path: Path, offset: int) -> bytes:
    """Return whole lines from an offset: as many as a request may hold, and one at least."""
    size = MAX_BYTES
    descriptor = files.open_file(path)
    try:
        while True:
            data = os.pread(descriptor, size, offset)
            end = data.rfind(b"\n") + 1
            if end or len(data) < size:
                return data[:end]
            size *= 2
    finally:
        os.close(descriptor)


def _read_cursor(path: Path) -> Cursor:
    try:
        value = json.loads(files.read_file(path))
        return Cursor(int(value["segment"]), int(value["offset"]), bool(value["done"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):  # none yet, or torn: from the beginning
        return Cursor()
