"""Stream whose records are staged by calls and chained later, by whoever has the writer's lock."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from specspan.ledger import ledger_files as files
from specspan.ledger.entry_queue import EntryQueue
from specspan.ledger.ledger_entry import HEARTBEAT, Entry, control
from specspan.ledger.loss_account import LossAccount
from specspan.ledger.room import Room
from specspan.ledger.staging import StagingBuffer, can_stage
from specspan.ledger.stream import Stream

_log = logging.getLogger("specspan")
_MAX_CHAINED: Final = 64
"""Records of one write: between two of them other threads run."""


class Waiting(NamedTuple):
    """Writer's own state that chaining needs."""

    queue: EntryQueue
    losses: LossAccount
    room: Room
    accounts: Callable[[], Mapping[str, Any]]


class StagedStream:
    """Stream with the buffer of what is on its way into it."""

    def __init__(self, stream: Stream, buffer: StagingBuffer, waiting: Waiting) -> None:
        self.stream = stream
        self._buffer = buffer
        self._waiting = waiting
        self._is_rotating = False
        self.put, self.stop, self.count = buffer.put, buffer.stop, buffer.count

    @property
    def is_mine(self) -> bool:
        """Return whether the calling thread is inside of a method of the buffer."""
        return self._buffer.is_mine

    @property
    def next_seq(self) -> int:
        """Return the number of the next record."""
        return self._buffer.next_seq

    @property
    def is_due_to_rotate(self) -> bool:
        """Return whether a new segment is due, and nobody has staged its beginning."""
        return not self._is_rotating and self.stream.is_due_to_rotate

    def begin(self) -> bool:
        """Number records from the end of the stream on; return False where it is between two segments."""
        if not self.stream.is_at_segment_start:
            self._buffer.go_on(self.stream.head.size)
            return True
        return False

    def drain(self, write_queue: Callable[[], object]) -> None:
        """Write everything that is staged, then what is queued, while no call stages anything.

        Where the disk fails, what is staged stays so, and what is queued is lost.
        """
        waiting = self._waiting
        self._chain(self._buffer.take)
        if not waiting.queue and not waiting.losses.unreported:
            return
        with self._buffer.held():  # for the few that were staged since
            reason = self._chain(self._buffer.take_held)
            if reason is not None:
                waiting.losses.add(waiting.queue.group(), reason)
                waiting.queue.forget_done()
                return
            if not waiting.queue:
                waiting.queue.append(control(HEARTBEAT, waiting.accounts()))  # a loss is said before it
            write_queue()
            self._buffer.go_on(self.stream.head.size)

    def begin_segment(self) -> None:
        """Stage the beginning of a segment, so that it has its number among those that calls are given."""
        entry = control(HEARTBEAT, self._waiting.accounts())
        entry.begins_segment = True
        self._is_rotating = self._buffer.put(entry)

    def withdraw(self) -> list[Entry]:
        """Take no more records, and return those that are not chained, for another stream."""
        return [entry for entry in self._buffer.withdraw() if not entry.begins_segment]

    def _chain(self, take: Callable[[], Sequence[Entry]]) -> str | None:
        """Write what was staged before; where the disk fails, return the reason."""
        stream = self.stream
        try:
            for _ in range(2):  # what is being chained, and what was staged since; not what others stage meanwhile
                batch = take()
                stream.settle()
                for entry in batch:  # an interruption may have come before it was noted
                    entry.is_written = entry.seq < stream.head.size
                left = [entry for entry in batch if not entry.is_written]
                for start in range(0, len(left), _MAX_CHAINED):
                    self._waiting.room.check(stream.size_bytes)
                    self._chain_group(left[start : start + _MAX_CHAINED])
                    self._waiting.losses.note_success()
        except OSError as error:
            self._waiting.losses.note_failure(error)
            return files.reason_of(error)
        return None

    def _chain_group(self, group: Sequence[Entry]) -> None:
        stream = self.stream
        for place, entry in enumerate(group):
            if entry.begins_segment:
                if not stream.is_at_segment_start:  # as it is where the disk failed after it had begun
                    stream.write(group[:place], sign=False)
                    stream.rotate()
                stream.write([] if stream.is_at_segment_start else [entry], sign=False)
                entry.is_written = True
                self._is_rotating = False
                group = group[place + 1 :]
                break
        if group:
            stream.write(group, sign=False)


def stage(stream: Stream, ring: Callable[[], object], waiting: Waiting) -> StagedStream | None:
    """Return a stream with a buffer; None where there can be none, and calls write themselves."""
    try:
        if can_stage(stream.marker.parent):
            return StagedStream(stream, StagingBuffer(stream.marker, stream.head.size, ring), waiting)
    except (OSError, ValueError) as error:
        _log.info("the ledger has no staging buffer: %s", error)
    return None
