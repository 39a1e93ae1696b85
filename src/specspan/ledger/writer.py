"""Group commit: many threads hand over records, and one of them at a time writes for all.

A thread appends its record to a queue, then asks for the lock. Whoever gets it writes everything that is queued as
one group; the others find their records written when their turn comes. In the mode ``async`` the group is written
without waiting for the disk, and a thread of the ledger's own signs a checkpoint and calls fsync twice a second. In the
mode ``durable`` each group has its checkpoint and is synced before the lock is given on. Nothing here raises for a disk
that fails: a record that cannot be written is dropped, counted by reason, and the chain goes on without it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from specspan._support import drop_counts, process
from specspan._support.alarm import Alarm
from specspan._support.background import start_thread
from specspan._support.guard import guard
from specspan.ledger import ledger_files as files
from specspan.ledger.checkpoint_pin import Pin
from specspan.ledger.ledger_settings import Durability, LedgerSettings
from specspan.ledger.room import Room
from specspan.ledger.signed_note import Signer
from specspan.ledger.stream import DECISION, POLICY, Entry, Place, Stream, Sync, control

_log = logging.getLogger("specspan")
_MAX_GROUP: Final = 4096
_RETRY_S: Final = 0.5
"""Time after which a stream that could not be opened is tried again: until then no call pays for it."""


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
        self._queue: deque[Entry] = deque()
        self.streams: list[str] = []
        """Names of the streams that this process began."""
        self._policies: set[str] = set()
        self._recorded_before = 0
        self._lost: Counter[str] = Counter()
        self._unreported: Counter[str] = Counter()
        self._flushes: list[threading.Event] = []
        self._is_failing = False
        self._synced_line = b""
        self._retry_s = 0.0
        self._opening_error: tuple[int | None, str | None] = (None, None)
        self._seen_size, self._seen_s = 0, time.monotonic()
        self._alarm = Alarm()
        self._thread: threading.Thread | None = None

    def append(self, entry: Entry) -> bool:
        """Write a record, and wait until it is as safe as the mode promises; return False where it was lost.

        A record that is appended again, as the first time was interrupted, is written once.
        """
        if self._is_closed and not entry.is_done:
            self.lose([entry], "shutdown")
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
                if stream is None or len(queue) != 1 or queue[0] is not entry or entry.type != DECISION:
                    return False
                if entry.is_written or self._unreported or not stream.write_one(entry):
                    return False
            except OSError as error:
                self.lose([entry], files.reason_of(error))
                self._log_failure(error)
            finally:
                self._owner = None
            queue.popleft()
        return True

    def place_of(self, entry: Entry) -> Place | None:
        """Return where a record is; None where it was lost, or its stream has just been left."""
        stream = self._stream
        return (
            None if stream is None or not entry.is_written else Place(stream.name, entry.seq, stream.synced_checkpoint)
        )

    def has_policy(self, key: str) -> bool:
        """Return whether the record of a policy is in the stream."""
        return key in self._policies

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
        with self._locked():
            self._rotate()
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
        waiting = sum(entry.type == DECISION and not entry.is_done for entry in tuple(self._queue))
        dropped = dict(self._lost)
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
            self._drain(sign=False)
            self._is_ended = True
            stream, self._stream = self._stream, None
            try:
                if stream is not None:
                    self._recorded_before += stream.head.decisions
                    stream.end(control("end", self.accounts()))
                    self._synced_line = stream.last_line
            except OSError as error:
                self._log_failure(error)
                return
        while self._flushes:
            self._flushes.pop().set()
        self._pin.put(self._synced_line, is_last=True)

    def after_fork(self) -> None:
        """Leave the parent its stream; the child's own will name it."""
        stream, self._stream = self._stream, None
        if stream is not None:
            self._parent = {"stream": stream.name, "size": stream.head.size}
            self._room.leave(stream.size_bytes)
            stream.abandon()
        self._begin()

    def _write_for(self, entry: Entry) -> None:
        if self._owner == threading.get_ident() and self._lock.locked():
            return  # a finaliser or a signal's handler inside our own write, which takes this record along
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
        """Write everything that is queued, and what the ledger has to say itself."""
        while True:
            if self._stream is not None:
                self._stream.settle()
            group = [entry for entry in self._queued() if not self._is_superfluous(entry)]
            unsigned = sign and self._stream is not None and self._stream.head.unsigned > 0
            if group or unsigned:
                self._write_group(group, sign=sign)
            self._forget_written()
            if not self._queue:
                return

    def _queued(self) -> Iterable[Entry]:
        """Return what is queued, each once: whoever is interrupted appends a record again."""
        if len(self._queue) <= 1:  # mostly, and this way is the shorter one
            return tuple(self._queue)
        return dict.fromkeys(tuple(self._queue)[:_MAX_GROUP])

    def _write_group(self, group: list[Entry], *, sign: bool) -> None:
        if self._is_ended:
            self.lose(group, "shutdown")
            return
        reported: Counter[str] = Counter()
        try:
            stream = self._open_stream()
            if any(entry.type in (DECISION, POLICY) for entry in group):
                self._room.check(stream.size_bytes)
            if stream.is_due_to_rotate:
                if self._is_durable or self._thread is None:
                    self._rotate()
                else:
                    self._alarm.ring()
            if group and self._unreported:
                reported, self._unreported = self._unreported, reported
                stream.write([control("loss", {"lost": dict(reported), **self.accounts()}), *group], sign=sign)
            else:
                stream.write(group, sign=sign)
        except OSError as error:
            self._unreported.update(reported)
            self.lose(group, files.reason_of(error))
            self._log_failure(error)
            return
        self._allow_plain(stream)
        if self._is_failing:
            self._is_failing = False
            _log.warning("the ledger is written again; lost so far: %s", dict(self._lost))

    def _rotate(self) -> None:
        """Begin a new segment where one is due. In the mode `async` the thread does, after a sync, so no call waits."""
        stream = self._stream
        if stream is None or not stream.is_due_to_rotate:
            return
        try:
            stream.rotate()
        except OSError as error:  # the segment goes on
            self._log_failure(error)
        self._allow_plain(stream)

    def _open_stream(self) -> Stream:
        if self._stream is not None:
            return self._stream
        if time.monotonic() < self._retry_s:
            raise OSError(*self._opening_error)  # anew: an error that is raised often keeps every frame
        try:
            about = {
                "mode": self._settings.mode.value,
                "heartbeat_s": self._settings.heartbeat_s,
                "host": socket.gethostname(),
                "pid": os.getpid(),
                **({} if self._parent is None else {"parent": self._parent}),
            }
            self._stream = Stream(self._settings, self._signer, files.new_stream_name(), about)
            self.streams.append(self._stream.name)
        except OSError as error:
            self._retry_s, self._opening_error = time.monotonic() + _RETRY_S, (error.errno, error.strerror)
            raise
        return self._stream

    def _allow_plain(self, stream: Stream) -> None:
        stream.allow_plain(max(0, self._room.left_bytes(stream.size_bytes)))

    def _is_safe(self, entry: Entry) -> bool:
        """Return whether a record is as safe as the mode promises, or lost."""
        if not entry.is_written:
            return entry.loss is not None
        return not self._is_durable or self._stream is None or self._stream.is_synced

    def _is_superfluous(self, entry: Entry) -> bool:
        if entry.type == POLICY and entry.key in self._policies:
            entry.is_written = True
        return entry.is_done

    def _forget_written(self) -> None:
        while self._queue and self._queue[0].is_done:
            entry = self._queue[0]
            if entry.type == POLICY and entry.key is not None and entry.loss is None:
                self._policies.add(entry.key)
            self._queue.popleft()

    def lose(self, group: list[Entry], reason: str) -> None:
        """Count records that are not and will not be written."""
        for entry in group:
            if entry.loss is None:
                entry.loss = reason
                if entry.type == DECISION:
                    self._lost[reason] += 1
                    self._unreported[reason] += 1
                drop_counts.count(f"ledger_{entry.type}", reason)

    def _sync(self, work: Sync | None) -> bool:
        try:
            if work is not None:
                stream = self._stream
                work.run()
                if stream is not None:
                    stream.synced_checkpoint, self._synced_line = work.checkpoint, work.line
        except OSError as error:  # what the disk has is unknown now: the next group begins a stream of its own
            drop_counts.count("ledger_sync", files.reason_of(error))
            self._log_failure(error)
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
            self._policies = set()
            stream.abandon()

    def _log_failure(self, error: OSError) -> None:
        if not self._is_failing:  # once an outage
            _log.warning("the ledger in %s cannot be written: %s", self._settings.folder, error)
        self._is_failing = True

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
            self._queue.append(control("heartbeat", self.accounts()))
        self._allow_plain(stream)

    @property
    def _own_bytes(self) -> int:
        stream = self._stream
        return 0 if stream is None else stream.size_bytes
