"""Group commit: many threads hand over records, and one of them at a time writes for all.

A thread appends its record to a queue, then asks for the lock. Whoever gets it writes everything that is queued as
one group; the others find their records written when their turn comes. In the mode ``durable`` each group has its
checkpoint and is synced before the lock is given on. In the mode ``async`` a thread of the ledger's own signs a
checkpoint and calls fsync twice a second. Once it has done so, calls copy their records into a buffer that outlives the
process (`staging`), and that thread chains them; before, and where there is no such buffer, calls write themselves.
Nothing here raises for a disk that fails: a record that cannot be written is dropped, counted by reason, and the chain
goes on without it. A record in the buffer waits there until the disk is back.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from specspan._support import drop_counts, process
from specspan._support.alarm import Alarm
from specspan._support.background import start_thread
from specspan._support.guard import guard
from specspan.ledger import ledger_files as files
from specspan.ledger.checkpoint_pin import Pin
from specspan.ledger.entry_queue import EntryQueue
from specspan.ledger.ledger_entry import DECISION, HEARTBEAT, POLICY, Entry, Place, control
from specspan.ledger.ledger_settings import Durability, LedgerSettings
from specspan.ledger.loss_account import LossAccount
from specspan.ledger.room import Room
from specspan.ledger.signed_note import Signer
from specspan.ledger.staged_stream import StagedStream, Waiting, stage
from specspan.ledger.stream import Stream, Sync
from specspan.ledger.stream_opener import StreamOpener

_log = logging.getLogger("specspan")


class LedgerWriter:
    """Writer of the stream of this process, shared by its threads. A forked child begins a stream of its own."""

    def __init__(self, settings: LedgerSettings, signer: Signer, tidy: Callable[[], object] = lambda: None) -> None:
        """Open no file yet: the first record does. ``tidy`` removes what is old, or too much; it is called at times."""
        self._room = Room(settings, tidy)  # measured here, so that no call of a child that was forked waits for it
        self._pin = Pin(settings.pinned)
        self._settings = settings
        self._signer = signer
        self._is_durable = settings.mode is Durability.DURABLE
        self._is_plain = not self._is_durable
        self._is_closed = self._is_ended = False
        self._stream: Stream | None = None
        self._parent: dict[str, Any] | None = None
        self._begin()
        process.after_fork(self)

    def _begin(self) -> None:
        self._lock = threading.Lock()
        self._owner: int | None = None
        self._queue = EntryQueue()
        self.opener = StreamOpener(self._settings, self._signer, self._parent)
        self._recorded_before = 0
        self.losses = LossAccount(self._settings.folder)
        self._flushes: list[threading.Event] = []
        self._synced_line = b""
        self._seen_size, self._seen_s = 0, time.monotonic()
        self._alarm = Alarm()
        self._staging: StagedStream | None = None
        self._staged_for: Stream | None = None
        self._thread: threading.Thread | None = None

    def append(self, entry: Entry) -> bool:
        """Take a record, and wait until it is as safe as the mode promises; return False where it was lost.

        A record that is appended again, as the first time was interrupted, is written once.
        """
        staging = self._staging
        if staging is not None and staging.put(entry):
            return True
        return self._append_now(entry)

    def _append_now(self, entry: Entry) -> bool:
        """Write a record past the buffer."""
        if self._is_closed and not entry.is_done:
            self.losses.add([entry], "shutdown")
            return False
        self._queue.append(entry)
        if self._thread is None:
            self._start_thread()
        if not (self._is_plain and self._write_plainly(entry)):
            self._write_for(entry)
            if self._thread is None and not self._is_durable:
                self.commit()
        return entry.loss is None

    def _write_plainly(self, entry: Entry) -> bool:
        """Write the one decision that is queued, as most calls of the mode `async` do; return False for all else."""
        me, queue = threading.get_ident(), self._queue
        if self._owner == me or self._thread is None:
            return False
        with self._lock:
            try:
                self._owner = me
                stream = self._stream
                if stream is None or self._staging is not None or entry.type != DECISION:
                    return False
                if len(queue) != 1 or queue[0] is not entry:
                    return False
                if entry.is_written or self.losses.unreported or not stream.write_one(entry):
                    return False
            except OSError as error:
                self.losses.add([entry], files.reason_of(error))
                self.losses.note_failure(error)
            finally:
                self._owner = None
            queue.popleft()
        return True

    def place_of(self, entry: Entry) -> Place | None:
        """Return where a record is; None where it was lost, or its stream has just been left."""
        stream = self._stream
        return None if stream is None or entry.seq < 0 else Place(stream.name, entry.seq, stream.synced_checkpoint)

    def has_policy(self, key: str) -> bool:
        """Return whether the record of a policy is in the stream."""
        return key in self._queue.policies

    def commit(self) -> bool:
        """Sign and sync everything written so far; return False where the disk failed."""
        flushes, self._flushes = self._flushes, []
        if (stream := self._stream) is not None:
            stream.grow_tree()
        is_safe = self._locked_commit(sign=True, sync=True)
        if not is_safe:
            self._flushes += flushes
            return False
        for event in flushes:
            event.set()
        staged = self._new_staging()
        with self._locked():
            if self._staging is None:
                self._rotate()
            if staged is not None:
                self._begin_staging(staged)
            if self._staging is not None and self._staging.is_due_to_rotate:
                self._staging.begin_segment()
        return True

    def flush(self) -> threading.Event:
        """Ask for a commit; the event is set when the disk has everything written so far. A disk may hang."""
        event = threading.Event()
        if self._is_ended or (self._stream is None and not self._queue):
            event.set()
            return event
        self._flushes.append(event)
        if self._thread is None:
            self.commit()
        self._alarm.ring()
        return event

    def accounts(self) -> dict[str, Any]:
        """Return the decisions of this process: attempted = recorded + dropped by reason, and some on their way."""
        recorded = self._recorded_before + (0 if (stream := self._stream) is None else stream.head.decisions)
        if stream is not None and (staging := self._staging) is not None:
            recorded += staging.count(DECISION)
        waiting = sum(entry.type == DECISION and not entry.is_done for entry in tuple(self._queue))
        dropped = dict(self.losses.lost)
        return {"attempted": recorded + waiting + sum(dropped.values()), "recorded": recorded, "dropped": dropped}

    def shutdown(self, timeout_s: float) -> None:
        """Write what is queued and the end of the stream; later records are dropped and counted."""
        if self._is_closed:
            return
        self._is_closed = True
        thread = self._thread
        if thread is None:
            self._finish()
        else:
            self._alarm.ring()
            thread.join(timeout_s)  # where the disk hangs the next start ends the stream

    def _finish(self) -> None:
        """Write what is queued and the end of the stream, and say of every flush that it is done."""
        with self._locked():
            if self._staging is not None:
                self._staging.stop()
            self._drain(sign=False)
            self._is_ended = True
            stream, self._stream = self._stream, None
            staging, self._staging = self._staging, None
            try:
                if stream is not None:
                    self._recorded_before += stream.head.decisions
                    if staging is not None and staging.count():  # the next start chains what is left
                        self._recorded_before += staging.count(DECISION)
                        stream.abandon()
                        return
                    stream.end(control("end", self.accounts()))
                    self._synced_line = stream.last_line
            except OSError as error:
                self.losses.note_failure(error)
                return
        while self._flushes:
            self._flushes.pop().set()
        self._pin.put(self._synced_line, is_last=True)

    def after_fork(self) -> None:
        """Leave the parent its stream; the child's own will name it."""
        stream, self._stream = self._stream, None
        if stream is not None:
            size = stream.head.size if self._staging is None else self._staging.next_seq
            self._parent = {"stream": stream.name, "size": size}
            self._room.leave(stream.size_bytes)
            stream.abandon()
        self._begin()

    def _write_for(self, entry: Entry) -> None:
        if self._owner == threading.get_ident() and self._lock.locked():
            return  # a finaliser or a signal's handler inside our own write, which takes this record along
        if self._staging is not None and self._staging.is_mine:
            return  # or inside our own copy: the next write takes it along
        while not self._is_safe(entry):
            self._locked_commit(sign=self._is_durable, sync=self._is_durable, entry=entry)

    def _locked_commit(self, *, sign: bool, sync: bool, entry: Entry | None = None) -> bool:
        with self._lock:
            try:
                self._owner = threading.get_ident()
                if entry is not None and self._is_safe(entry):
                    return True  # written by whoever had the lock before
                self._drain(sign=sign)
                work = self._stream.begin_sync() if sync and self._stream is not None else None
                if self._is_durable:
                    return self._sync(work)
            finally:
                self._owner = None
        return self._sync(work)  # in the mode `async` others write meanwhile

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the lock; a finaliser that runs meanwhile on this thread leaves its record in the queue."""
        with self._lock:
            try:
                self._owner = threading.get_ident()
                yield
            finally:
                self._owner = None

    def _drain(self, *, sign: bool) -> None:
        """Write everything that is staged or queued, and what the ledger has to say itself."""
        staging = self._staging
        if staging is None:
            self._drain_queue(sign=sign)
            return
        staging.drain(self._drain_queue)
        if sign and self._stream is not None and self._stream.head.unsigned > 0:
            self._write_group([], sign=True)

    def _new_staging(self) -> StagedStream | None:
        """Return a buffer, once a stream: its first records, and those of short processes, do without."""
        stream = self._stream
        if stream is None or stream is self._staged_for or self._is_durable or self._thread is None or self._is_closed:
            return None
        self._staged_for = stream
        return stage(stream, self._alarm.ring, Waiting(self._queue, self.losses, self._room, self.accounts))

    def _begin_staging(self, staged: StagedStream) -> None:
        """Let calls stage their records from the end of the stream on."""
        self._drain_queue()
        if self._stream is staged.stream and not self._is_ended and staged.begin():
            self._staging = staged

    def _drain_queue(self, *, sign: bool = False) -> None:
        """Write everything that is queued."""
        while True:
            if self._stream is not None:
                self._stream.settle()
            group = self._queue.group()
            unsigned = sign and self._stream is not None and self._stream.head.unsigned > 0
            if group or unsigned:
                self._write_group(group, sign=sign)
            self._queue.forget_done()
            if not self._queue:
                return

    def _write_group(self, group: list[Entry], *, sign: bool) -> None:
        if self._is_ended:
            self.losses.add(group, "shutdown")
            return
        reported: Counter[str] = Counter()
        try:
            stream = self._stream = self._stream or self.opener.open()
            if any(entry.type in (DECISION, POLICY) for entry in group):
                self._room.check(stream.size_bytes)
            if stream.is_due_to_rotate and self._staging is None:
                if self._is_durable or self._thread is None:
                    self._rotate()
                else:
                    self._alarm.ring()
            if group and self.losses.unreported:
                reported, self.losses.unreported = self.losses.unreported, reported
                stream.write([control("loss", {"lost": dict(reported), **self.accounts()}), *group], sign=sign)
            else:
                stream.write(group, sign=sign)
        except OSError as error:
            self.losses.unreported.update(reported)
            self.losses.add(group, files.reason_of(error))
            self.losses.note_failure(error)
            return
        self._allow_plain(stream)
        self.losses.note_success()

    def _rotate(self) -> None:
        """Begin a new segment where one is due. In the mode `async` the thread does, after a sync, so no call waits."""
        stream = self._stream
        if stream is None or not stream.is_due_to_rotate:
            return
        try:
            stream.rotate()
        except OSError as error:  # the segment goes on
            self.losses.note_failure(error)
        self._allow_plain(stream)

    def _allow_plain(self, stream: Stream) -> None:
        stream.allow_plain(max(0, self._room.left_bytes(stream.size_bytes)))

    def _is_safe(self, entry: Entry) -> bool:
        """Return whether a record is as safe as the mode promises, or lost."""
        if not entry.is_written:
            return entry.loss is not None
        return not self._is_durable or self._stream is None or self._stream.is_synced

    def _sync(self, work: Sync | None) -> bool:
        try:
            if work is not None:
                stream = self._stream
                work.run()
                if stream is not None:
                    stream.synced_checkpoint, self._synced_line = work.checkpoint, work.line
        except OSError as error:  # what the disk has is unknown now: the next group begins a stream of its own
            drop_counts.count("ledger_sync", files.reason_of(error))
            self.losses.note_failure(error)
            if self._owner == threading.get_ident():
                self._abandon_stream()
            else:
                with self._locked():
                    self._abandon_stream()
            return False
        except BaseException:  # the application interrupts us
            if self._stream is not None:
                self._stream.is_synced = False
            raise
        return True

    def _abandon_stream(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            self._recorded_before += stream.head.decisions
            self._queue.policies.clear()
            staging, self._staging = self._staging, None
            if staging is not None:  # the next stream, which has a buffer of its own, takes them
                self._queue.extendleft(reversed(staging.withdraw()))
            stream.abandon()

    def _start_thread(self) -> None:
        thread = threading.Thread(target=self._run, name="specspan-ledger", daemon=True)
        self._thread = thread
        if not start_thread(thread, "the ledger is synced by its next record"):
            self._thread = None

    def _run(self) -> None:
        while not self._is_closed:
            self._alarm.wait(self._settings.interval_s)
            with guard("ledger.commit"):
                self._beat()
                self.commit()
            self._pin.put(self._synced_line)
            with guard("ledger.tidy"):
                self._room.tidy_if_due(self._own_bytes)
        with guard("ledger.end"):
            self._finish()

    def _beat(self) -> None:
        """Write a sign of life where nothing else was written for a while."""
        stream, now_s = self._stream, time.monotonic()
        self._room.measure_if_due(self._own_bytes)
        if stream is None:
            return
        if stream.head.size != self._seen_size:
            self._seen_size, self._seen_s = stream.head.size, now_s
        elif now_s - self._seen_s >= self._settings.heartbeat_s:
            self._queue.append(control(HEARTBEAT, self.accounts()))
        self._allow_plain(stream)

    @property
    def _own_bytes(self) -> int:
        stream = self._stream
        return 0 if stream is None else stream.size_bytes
