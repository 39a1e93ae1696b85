"""Staging buffer: shared memory of a file into which a call copies its record, for the ledger's thread to chain.

The buffer is mapped from the file that marks the stream as open. What is in it outlives the process, and no call needs
a system call for it. It has two halves: calls fill one while the records of the other are chained. A record is a frame
with its place in the chain: a start that finds the file of a killed process chains what is behind the chain's end.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from threading import Lock, get_ident
from typing import Final
from zlib import crc32

from specspan.ledger import ledger_files as files
from specspan.ledger.ledger_entry import DECISION, FINDING, HEARTBEAT, Entry

HALF_BYTES: Final = 2**20
_HEADER: Final = struct.Struct("<IIQ")
"""Length and type of the body, CRC-32 of the body that begins with the sequence number, sequence number."""
_HEADER_BYTES: Final = _HEADER.size
_NO_FRAME: Final = bytes(_HEADER_BYTES)
_LENGTH_BITS: Final = 24
_TYPES: Final = (DECISION, FINDING, HEARTBEAT)
_FLAGS: Final = {type_: number << _LENGTH_BITS for number, type_ in enumerate(_TYPES)}
_FILE_SYSTEMS: Final = frozenset({"ext2", "ext3", "ext4", "xfs", "f2fs", "tmpfs", "overlay"})
"""Those that write a block again where it is: on others a store into a full disk ends the process (SIGBUS)."""
_pack = _HEADER.pack


class _Half:
    """Half that calls fill, and the records of the other one, which are being chained."""

    __slots__ = ("batch", "begin", "limit", "ring_at", "staged")

    def __init__(self, begin: int, end: int, seq: int, batch: Sequence[Entry]) -> None:
        origin = Entry(DECISION, b"")  # its end and number are where the first record begins
        origin.end, origin.seq = begin, seq - 1
        self.begin, self.limit, self.batch = begin, end, batch
        self.ring_at = (begin + end) // 2
        self.staged = [origin]


class StagingBuffer:
    """Buffer of one stream. Any thread puts records; the one that has the writer's lock takes them."""

    def __init__(self, marker: Path, seq: int, ring: Callable[[], object]) -> None:
        """Map the file, and number records from ``seq`` on; ``ring`` is called when a half is half full.

        Raises:
            OSError: the file cannot be made as long as the buffer.
        """
        descriptor = files.open_file(marker, os.O_RDWR)
        try:
            if os.pwrite(descriptor, bytes(2 * HALF_BYTES), 0) < 2 * HALF_BYTES:  # a hole would fail at a store
                os.ftruncate(descriptor, 0)
                raise OSError("the disk is full")
            self._memory = mmap.mmap(descriptor, 2 * HALF_BYTES)
        finally:
            os.close(descriptor)
        self._ring = ring
        self._lock = Lock()
        self._owner: int | None = None
        self._half = _Half(0, HALF_BYTES, seq, ())

    def put(self, entry: Entry) -> bool:
        """Copy a record, and give it its number; return False where the writer's queue has to take it.

        A record that is put again, as the first time was interrupted, is there once.
        """
        me = get_ident()
        if self._owner == me:
            return False  # a finaliser or a signal's handler inside our own copy
        with self._lock:
            try:
                self._owner = me
                half = self._half
                staged = half.staged
                if entry.seq >= 0 and (entry.is_written or entry in staged or entry in half.batch):
                    return True
                last = staged[-1]
                body = entry.body
                start = last.end
                end = start + _HEADER_BYTES + len(body)
                if end > half.limit or entry.type not in _FLAGS:
                    return False
                seq = last.seq + 1
                self._memory[start:end] = _pack(len(body) | _FLAGS[entry.type], crc32(body, seq), seq) + body
                entry.seq = seq
                entry.end = end
                staged.append(entry)  # from here on it is there
            finally:
                self._owner = None
        if end > half.ring_at:
            half.ring_at = HALF_BYTES * 2
            self._ring()
        return True

    @property
    def is_mine(self) -> bool:
        """Return whether the calling thread is inside of a method of this buffer."""
        return self._owner == get_ident()

    @property
    def next_seq(self) -> int:
        """Return the number of the next record."""
        return self._half.staged[-1].seq + 1

    def count(self, type_: str | None = None) -> int:
        """Return how many records, of one type or of all, are not chained yet."""
        half = self._half
        left = [entry for entry in (*half.batch, *half.staged[1:]) if not entry.is_written]
        return len(left) if type_ is None else sum(entry.type == type_ for entry in left)

    def take(self) -> Sequence[Entry]:
        """Return the records that are to be chained next; the same as long as one of them is not."""
        with self._own():
            return self._take()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Hold calls up, for records that are written past the buffer."""
        with self._own():
            yield

    def take_held(self) -> Sequence[Entry]:
        """Take, inside of `held`."""
        return self._take()

    def go_on(self, seq: int) -> None:
        """Number records from here on, inside of `held`, where all are chained."""
        if seq != self.next_seq:
            half = self._half
            self._half = _Half(half.begin, half.begin + HALF_BYTES, seq, ())

    def stop(self) -> None:
        """Take no more records."""
        with self._own():
            self._half.limit = -1

    def withdraw(self) -> list[Entry]:
        """Take no more records, forget the file's, and return those that are not chained, without their numbers."""
        with self._own():
            half = self._half
            half.limit = -1
            for begin in (0, HALF_BYTES):
                self._memory[begin : begin + _HEADER_BYTES] = _NO_FRAME
            left = [entry for entry in (*half.batch, *half.staged[1:]) if not entry.is_written]
            for entry in left:
                entry.seq = -1
            return left

    def _take(self) -> Sequence[Entry]:
        half = self._half
        if all(entry.is_written for entry in half.batch[-1:]):
            if len(half.staged) == 1:
                return ()
            begin, stopped = HALF_BYTES - half.begin, half.limit < 0
            following = _Half(begin, begin + HALF_BYTES, half.staged[-1].seq + 1, half.staged[1:])
            if stopped:
                following.limit = -1
            self._half = half = following
        return half.batch

    @contextlib.contextmanager
    def _own(self) -> Iterator[None]:
        with self._lock:
            try:
                self._owner = get_ident()
                yield
            finally:
                self._owner = None


def can_stage(folder: Path) -> bool:
    """Return whether a folder is on a file system whose mapped files are safe to store into (Linux only)."""
    device = folder.stat().st_dev
    name = f"{os.major(device)}:{os.minor(device)}"
    with contextlib.suppress(OSError), Path("/proc/self/mountinfo").open(encoding="utf-8") as mounts:
        for line in mounts:
            fields = line.split()
            if fields[2] == name:
                return fields[fields.index("-") + 1] in _FILE_SYSTEMS
    return False


def read_staged(descriptor: int, seq: int) -> tuple[list[Entry], int]:
    """Return the records that a process which is gone staged, from ``seq`` on, and how many more are behind a gap."""
    data = os.pread(descriptor, 2 * HALF_BYTES, 0)
    found: dict[int, Entry] = {}
    for begin in (0, HALF_BYTES):
        offset = begin
        while (frame := _frame(data, offset, begin + HALF_BYTES)) is not None:
            number, entry, offset = frame
            found[number] = entry
    staged: list[Entry] = []
    while (entry_ := found.get(seq + len(staged))) is not None:
        staged.append(entry_)
    return staged, sum(number >= seq + len(staged) for number in found)


def _frame(data: bytes, offset: int, limit: int) -> tuple[int, Entry, int] | None:
    """Return number and record of a frame, and where it ends; None where there is none, or not all of it."""
    start = offset + _HEADER_BYTES
    if start > min(limit, len(data)):
        return None
    kind, check, seq = _HEADER.unpack_from(data, offset)
    length, type_ = kind & (1 << _LENGTH_BITS) - 1, kind >> _LENGTH_BITS
    body = data[start : start + length]
    if not length or type_ >= len(_TYPES) or start + length > limit or crc32(body, seq) != check:
        return None
    return seq, Entry(_TYPES[type_], body), start + length
