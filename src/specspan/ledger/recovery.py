"""Recovery of the streams that processes left open which are gone: killed, or without power.

Of a stream whose end is torn, the torn bytes are dropped, and a record says how many they were. Anything else that is
wrong was not done by a crash: such a stream is set aside as it is, for `specspan ledger verify` and for people.
"""

from __future__ import annotations

import contextlib
import logging
import os
from hashlib import sha256
from pathlib import Path

from specspan._support import drop_counts
from specspan.ledger import ledger_files as files
from specspan.ledger.chain_reader import LAST_TYPES, Fault
from specspan.ledger.ledger_entry import HEARTBEAT, control
from specspan.ledger.ledger_settings import LedgerSettings
from specspan.ledger.signed_note import PublicKey, Signer
from specspan.ledger.signing_keys import listed_keys
from specspan.ledger.staging import read_staged
from specspan.ledger.stream import Head, Stream
from specspan.ledger.stream_files import StreamState, read_stream, segment_paths

_log = logging.getLogger("specspan")
_MAX_CHAINED = 1024
STAGED = "staged"
"""File of a stream in quarantine with what its process had staged."""


def recover_streams(settings: LedgerSettings, signer: Signer) -> None:
    """End every stream whose writer is gone. Streams that are written to are left alone."""
    opened = settings.folder / files.OPEN
    for marker in sorted(opened.iterdir()) if opened.is_dir() else ():
        try:
            _recover(settings, signer, marker)
        except OSError as error:  # the next start tries again
            drop_counts.count("ledger_recovery", files.reason_of(error))
            _log.warning("the stream %s of the ledger cannot be recovered: %s", marker.name, error)


def _recover(settings: LedgerSettings, signer: Signer, marker: Path) -> None:
    lock = files.try_lock(marker)
    if lock is None:
        return
    try:
        segments = _segments(settings.folder / files.STREAMS / marker.name)
        if not segments or marker.name.startswith("."):  # its process ended before the first record
            _remove_empty(marker, segments, settings.folder)
            return
        keys = tuple(dict.fromkeys((*listed_keys(settings.folder), signer.public_key)))
        state = _read_end(settings.folder, marker.name, keys, segments)
        if state.problem is not None and state.problem.fault is not Fault.TORN:
            _quarantine(settings.folder, marker, state)
        elif state.problem is None and state.chain.last_type in LAST_TYPES:
            marker.unlink()
        else:
            descriptor, lock = lock, None
            _end(settings, signer, state, descriptor)
    finally:
        if lock is not None:
            os.close(lock)


def _segments(stream: Path) -> list[Path]:
    """Return the segments, without the last where it is empty: its writer ended before the first record in it."""
    segments = segment_paths(stream) if stream.is_dir() else []
    while segments and not segments[-1].stat().st_size:
        segments.pop().unlink()
    return segments


def _read_end(folder: Path, name: str, keys: tuple[PublicKey, ...], segments: list[Path]) -> StreamState:
    """Read the end of a stream: as many segments as it takes to meet a checkpoint, which vouches for what is before."""
    numbers = [int(path.stem) for path in segments]
    for first in reversed(numbers):
        state = read_stream(folder, name, keys, first=first, is_open=False)
        if first == numbers[0] or state.chain.checkpoint is not None:
            return state
    raise AssertionError("a stream has a segment")


def _end(settings: LedgerSettings, signer: Signer, state: StreamState, lock: int) -> None:
    chain = state.chain
    path = settings.folder / files.STREAMS / state.name / f"{state.segment:06d}.jsonl"
    torn = files.read_file(path)[state.good_bytes :]
    body: dict[str, object] = {
        "pid": os.getpid(),
        "dropped_bytes": len(torn),
        "dropped_digest": f"sha256:{sha256(torn).hexdigest()}" if torn else None,
        "unsigned": len(chain.unsigned),
        "recorded": chain.decisions,
    }
    staged, dropped = read_staged(lock, chain.size)
    head = Head(
        chain.tree, len(chain.unsigned), chain.last, chain.checkpoints, chain.decisions, state.good_bytes
    )  # fmt: skip
    stream = Stream.reopen(settings, signer, state.name, lock, state.segment, head, list(chain.unsigned))
    if staged and stream.is_at_segment_start and staged[0].type == HEARTBEAT:
        staged = staged[1:]  # it kept the place of the first record of the segment
    for start in range(0, len(staged), _MAX_CHAINED):
        stream.write(staged[start : start + _MAX_CHAINED], sign=False)
    if staged:
        body |= {"staged": len(staged), "recorded": stream.head.decisions}
    if dropped:  # the machine lost its power
        body["dropped_records"] = dropped
    stream.end(control("recovery", {key: value for key, value in body.items() if value is not None}))
    _log.warning(
        "the stream %s of the ledger was left open, and is ended: %d records, %d bytes dropped",
        *(state.name, chain.size + len(staged), len(torn)),
    )


def _quarantine(folder: Path, marker: Path, state: StreamState) -> None:
    files.make_folder(folder / files.QUARANTINE)
    (folder / files.STREAMS / state.name).rename(folder / files.QUARANTINE / state.name)
    if marker.stat().st_size:  # what waited for its place in the chain
        marker.rename(folder / files.QUARANTINE / state.name / STAGED)
    else:
        marker.unlink()
    drop_counts.count("ledger_stream", "quarantined")
    message = "" if state.problem is None else state.problem.message
    _log.error("the stream %s of the ledger is damaged, and set aside: %s", state.name, message)


def _remove_empty(marker: Path, segments: list[Path], folder: Path) -> None:
    if not segments:
        with contextlib.suppress(OSError):
            (folder / files.STREAMS / marker.name).rmdir()
    marker.unlink()
