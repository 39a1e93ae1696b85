"""Retention: whole segments that are old enough, or that a full ledger has no room for, are removed, and provably so.

Before a segment goes, an ``expiry`` record in the chain says which stream it was of, and the size and root of the tree
up to its end. What is left of the stream begins with a segment of just that tree, so that nothing but expired records
is missing. Only segments go that every backend has; what is damaged stays.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from specspan.ledger import ledger_files as files
from specspan.ledger.chain_reader import ACCOUNTS, parse_checkpoint, parse_record
from specspan.ledger.delivery import CURSORS, is_delivered
from specspan.ledger.ledger_entry import DECISION
from specspan.ledger.ledger_settings import LedgerSettings
from specspan.ledger.signed_note import Checkpoint, InvalidNote, PublicKey, open_checkpoint
from specspan.ledger.stream_files import segment_paths

EXPIRY: Final = "expiry"
"""Type of the record that says what expired."""
_CHECKPOINT_BYTES: Final = 4096
"""Length within which a checkpoint's line is."""
_LOCK: Final = "retention.lock"
_MARK: Final = b',"type":"expiry"}'
_ROOM: Final = 0.9
"""Part of the cap beyond which delivered segments are removed, the oldest first."""


@dataclass(frozen=True, slots=True)
class Expiry:
    """Statement that the first segments of a stream expired."""

    stream: str
    segment: int
    """Number of the last of them."""
    records: int
    root: bytes
    """Of the tree of these records."""
    is_whole: bool
    """True where nothing of the stream is left."""
    recorded: int
    """Number of decisions in these records."""
    dropped: Mapping[str, int]
    """Decisions that the stream's process lost, by reason; only where all of it expired."""

    def body(self, reason: str) -> dict[str, Any]:
        """Return the body of its record."""
        return {
            "stream": self.stream,
            "segment": self.segment,
            "records": self.records,
            "root": self.root.hex(),
            "whole": self.is_whole,
            "recorded": self.recorded,
            "dropped": dict(self.dropped),
            "reason": reason,
        }


@dataclass(frozen=True, slots=True)
class _Segment:
    path: Path
    checkpoint: Checkpoint
    """At its end."""
    size_bytes: int
    is_last: bool
    """True where no other of the stream follows."""


def read_expiries(folder: Path) -> dict[str, Expiry]:
    """Return the latest statement about each stream; whether its own stream is intact the check of that one tells."""
    found: dict[str, Expiry] = {}
    for path in _all_segments(folder):
        for expiry in _expiries_in(path):
            known = found.get(expiry.stream)
            if known is None or known.segment <= expiry.segment:
                found[expiry.stream] = expiry
    return found


def backend_names(folder: Path) -> list[str]:
    """Return the names of the backends that were ever fed from a ledger."""
    cursors = folder / CURSORS
    return sorted(each.name for each in cursors.iterdir()) if cursors.is_dir() else []


def expire(
    settings: LedgerSettings,
    keys: Iterable[PublicKey],
    backends: Sequence[str],
    append: Callable[[Mapping[str, Any]], bool],
) -> int:
    """Remove what is older than `LedgerSettings.keep_s`, and what the cap has no room for; return its bytes.

    One process and thread at a time: who comes second leaves it to the first.

    Args:
        settings: the ledger's.
        keys: those that may have signed; a segment that none of them vouches for stays.
        backends: names of those that must have a segment before it goes.
        append: writes an ``expiry`` record, and returns True when the disk has it.

    Raises:
        OSError: a file cannot be read or removed.
    """
    path = settings.folder / _LOCK
    files.append_file(path, b"")
    lock = files.try_lock(path)
    if lock is None:
        return 0
    try:
        return _expire(settings, tuple(keys), backends, append)
    finally:
        os.close(lock)


def _expire(
    settings: LedgerSettings,
    keys: tuple[PublicKey, ...],
    backends: Sequence[str],
    append: Callable[[Mapping[str, Any]], bool],
) -> int:
    before_ns = time.time_ns() - settings.keep_s * 1e9
    excess = files.folder_size(settings.folder) - int(settings.cap_bytes * _ROOM)
    removable = _removable(settings.folder, keys, backends)
    known: dict[str, Expiry] | None = None
    removed = 0
    for segment in sorted(removable, key=lambda each: each.checkpoint.time_unix_nano):
        is_old = segment.checkpoint.time_unix_nano < before_ns
        if not is_old and removed >= excess:
            break
        known = read_expiries(settings.folder) if known is None else known
        expiry = _expiry_of(segment)
        again = [each.body("moved") for each in _expiries_in(segment.path) if _is_needed(settings.folder, each, known)]
        if not all(append(body) for body in (*again, expiry.body("age" if is_old else "disk_cap"))):
            break
        known[expiry.stream] = expiry
        _remove(settings.folder, segment)
        removed += segment.size_bytes
    return removed


def _is_needed(folder: Path, expiry: Expiry, known: Mapping[str, Expiry]) -> bool:
    """Return whether something is left of the stream that a statement is about, and no later one was made."""
    return known.get(expiry.stream) == expiry and (folder / files.STREAMS / expiry.stream).is_dir()


def _remove(folder: Path, segment: _Segment) -> None:
    segment.path.unlink()
    if segment.is_last:
        stream = segment.path.parent
        with contextlib.suppress(OSError):
            stream.rmdir()
        for cursor in (folder / CURSORS).glob(f"*/{stream.name}.json"):
            cursor.unlink(missing_ok=True)


def _removable(folder: Path, keys: tuple[PublicKey, ...], backends: Sequence[str]) -> Iterator[_Segment]:
    """Yield the first segments of each stream, as far as they are signed for and delivered; never one in use."""
    streams = folder / files.STREAMS
    for stream in sorted(streams.iterdir()) if streams.is_dir() else ():
        is_open = (folder / files.OPEN / stream.name).exists()
        paths = segment_paths(stream)
        for path in paths[:-1] if is_open else paths:
            if not is_delivered(folder, backends, stream.name, int(path.stem)):
                break
            checkpoint = _last_checkpoint(path, keys)
            if checkpoint is None:
                break
            yield _Segment(path, checkpoint, path.stat().st_size, path == paths[-1])


def _last_checkpoint(path: Path, keys: tuple[PublicKey, ...]) -> Checkpoint | None:
    """Return the checkpoint at the end of a segment; None where a key signed none there."""
    descriptor = files.open_file(path)
    try:
        size = os.fstat(descriptor).st_size
        end = os.pread(descriptor, _CHECKPOINT_BYTES, max(0, size - _CHECKPOINT_BYTES))
    finally:
        os.close(descriptor)
    note = parse_checkpoint(end.rstrip(b"\n").rpartition(b"\n")[2])
    try:
        return None if note is None else open_checkpoint(note, keys)
    except InvalidNote:
        return None


def _expiry_of(segment: _Segment) -> Expiry:
    recorded, dropped = 0, {}
    for line in files.read_file(segment.path).splitlines():
        record = parse_record(line)
        if record is None:
            continue
        if record.type == "segment":
            recorded = int(record.body["decisions"])
        recorded += record.type == DECISION
        if record.type in ACCOUNTS:
            dropped = record.body["dropped"]
    return Expiry(
        stream=segment.path.parent.name,
        segment=int(segment.path.stem),
        records=segment.checkpoint.size,
        root=segment.checkpoint.root,
        is_whole=segment.is_last,
        recorded=recorded,
        dropped=dropped if segment.is_last else {},
    )


def _all_segments(folder: Path) -> Iterator[Path]:
    streams = folder / files.STREAMS
    for stream in sorted(streams.iterdir()) if streams.is_dir() else ():
        yield from segment_paths(stream)


def _expiries_in(path: Path) -> Iterator[Expiry]:
    try:
        data = files.read_file(path)
    except FileNotFoundError:  # it has just expired
        return
    if _MARK not in data:
        return
    for line in data.splitlines():
        if line.endswith(_MARK) and parse_record(line) is not None:
            yield _parse(json.loads(line)["body"])


def _parse(body: Mapping[str, Any]) -> Expiry:
    return Expiry(
        stream=str(body["stream"]),
        segment=int(body["segment"]),
        records=int(body["records"]),
        root=bytes.fromhex(body["root"]),
        is_whole=bool(body["whole"]),
        recorded=int(body["recorded"]),
        dropped=dict(body["dropped"]),
    )
