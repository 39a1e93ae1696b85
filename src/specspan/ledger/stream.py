"""Stream of one process: a chain of records in append-only segments, each group under a signed checkpoint.

A record is one line of canonical JSON, ``{"body":…,"prev":…,"seq":…,"type":…}``. Its hash is that of a leaf of RFC
6962, over the bytes of the line: the next record has it as ``prev``, and a checkpoint signs the root of all so far.
"""

from __future__ import annotations

import base64
import contextlib
import os
import time
from binascii import hexlify
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

from specspan.ledger import ledger_files as files
from specspan.ledger.canonical_json import canonical_json
from specspan.ledger.ledger_entry import DECISION, Entry, control
from specspan.ledger.ledger_settings import LedgerSettings
from specspan.ledger.merkle import Frontier, leaf_hash
from specspan.ledger.signed_note import Checkpoint, Signer

FORMAT: Final = "specspan-ledger/1"
_LEAF: Final = b"\0"
_new = tuple.__new__  # a named tuple's own constructor takes twice as long
NO_RECORD: Final = bytes(32)
"""``prev`` of the first record."""


class Head(NamedTuple):
    """State of a chain after its last record. A named tuple, as one is made for every group."""

    tree: Frontier = Frontier()
    """Of the records under the last checkpoint."""
    unsigned: int = 0
    """Number of records since."""
    last: bytes = NO_RECORD
    """Hash of the last record."""
    checkpoints: int = 0
    decisions: int = 0
    offset: int = 0
    """Length of the segment in bytes."""

    @property
    def size(self) -> int:
        """Return the number of records, which is the sequence number of the next one."""
        return self.tree.size + self.unsigned


class _Write(NamedTuple):
    """Group on its way to the file, and what will be when it is there."""

    entries: Sequence[Entry]
    hashes: Sequence[bytes]
    after: Head


@dataclass(frozen=True, slots=True)
class Sync:
    """Work that makes what was written outlast a power cut; it needs no lock."""

    descriptor: int
    folders: Sequence[Path]
    checkpoint: str
    """Size and root of the last checkpoint that it covers, as `Place` has them."""
    line: bytes
    """Line of that checkpoint."""

    def run(self) -> None:
        """Wait until the disk has everything.

        Raises:
            OSError: the disk failed.
        """
        try:
            files.sync_file(self.descriptor)
            for folder in self.folders:
                files.sync_folder(folder)
        finally:
            os.close(self.descriptor)


class Stream:
    """Writer of one chain. One thread at a time."""

    def __init__(self, settings: LedgerSettings, signer: Signer, name: str, about: Mapping[str, Any]) -> None:
        """Open a new stream with its first record, which says ``about`` whom it is.

        Raises:
            OSError: a file cannot be made.
        """
        self.name = name
        self.closed_bytes = 0
        """Length of the segments before the one that is written."""
        self.last_line = b""
        """Line of the last checkpoint."""
        self._last_checkpoint = self.synced_checkpoint = ""
        """Size and root of the last checkpoint, written or known to be on the disk, as `Place` has them."""
        self._settings = settings
        self._signer = signer
        self._folder = settings.folder / files.STREAMS / name
        self._marker = settings.folder / files.OPEN / name
        files.make_folder(self._marker.parent)
        self._lock = files.create_locked(self._marker)
        try:
            files.make_folder(self._folder.parent)
            files.make_folder(self._folder)
            self._begin(files.create_file(self._segment(1)), 1, Head())
            start = {"format": FORMAT, "stream": name, "key": str(signer.public_key), **about}
            self.write([control("start", start)], sign=True)
        except BaseException:
            self.abandon()
            raise

    @classmethod
    def reopen(
        cls,
        settings: LedgerSettings,
        signer: Signer,
        name: str,
        lock: int,
        number: int,
        head: Head,
        leaves: list[bytes],
    ) -> Stream:
        """Return a stream of a process that is gone, to be ended; ``lock`` is that of its file in ``open``."""
        stream = cls.__new__(cls)
        stream.closed_bytes = 0
        stream._last_checkpoint, stream.synced_checkpoint, stream.last_line = "", "", b""
        stream.name, stream._settings, stream._signer, stream._lock = name, settings, signer, lock
        stream._folder = settings.folder / files.STREAMS / name
        stream._marker = settings.folder / files.OPEN / name
        descriptor = files.open_file(stream._segment(number), os.O_WRONLY | os.O_APPEND)
        stream._begin(descriptor, number, head)
        stream._leaves = leaves
        os.ftruncate(descriptor, head.offset)
        return stream

    def _begin(self, descriptor: int, number: int, head: Head) -> None:
        self._descriptor, self._number, self._head = descriptor, number, head
        self._leaves: list[bytes] = []  # hashes of the unsigned records, the first `unsigned` of them
        self._begun: _Write | None = None
        self._limit_bytes = self._settings.segment_bytes
        self._ahead = (0, 0, Frontier())
        self.plain_bytes = 0
        """Length of the segment up to which `write_one` writes: beyond it somebody looks at the cap."""
        self._limit_s = time.monotonic() + self._settings.segment_s
        self.is_synced = False
        self._new_folders: tuple[Path, ...] = (self._folder, self._folder.parent, self._marker.parent)

    @property
    def head(self) -> Head:
        """Return the state after the last record."""
        return self._head

    def write(self, entries: Sequence[Entry], *, sign: bool) -> None:
        """Write a group, in one ``write``; with ``sign``, a checkpoint of everything so far is part of it.

        Raises:
            OSError: nothing of the group was written, and the file is as before.
        """
        self.settle()
        self._write(entries, sign=sign)

    @property
    def size_bytes(self) -> int:
        """Return the length of all its segments."""
        return self.closed_bytes + self._head.offset

    @property
    def is_due_to_rotate(self) -> bool:
        """Return whether the next group goes into a new segment."""
        return self._head.offset >= self._limit_bytes or time.monotonic() >= self._limit_s

    @property
    def is_at_segment_start(self) -> bool:
        """Return whether the next write begins with the first record of a new segment."""
        return not self._head.offset and self._head.size > 0

    @property
    def marker(self) -> Path:
        """Return the file that marks the stream as open."""
        return self._marker

    def allow_plain(self, room_bytes: int) -> None:
        """Let `write_one` write so many bytes, to the end of the segment at most."""
        self.plain_bytes = min(self._head.offset + room_bytes, self._limit_bytes)

    def grow_tree(self) -> None:
        """Hash what is unsigned into the tree, ahead of its checkpoint: needs no lock, so that no call waits for it."""
        head, leaves = self._head, self._leaves
        unsigned = leaves[: head.unsigned]
        self._ahead = (head.tree.size, len(unsigned), head.tree.add(unsigned))

    def write_one(self, entry: Entry) -> bool:
        """Write one record without a checkpoint, as most calls do, in the fewest steps; return False where more is due.

        Raises:
            OSError: nothing was written, and the file is as before.
        """
        tree, unsigned, last, checkpoints, decisions, offset = self._head
        if offset >= self.plain_bytes or not offset or self._begun is not None:
            return False
        entry.seq = seq = tree.size + unsigned
        line = b'{"body":%b,"prev":"%b","seq":%d,"type":"decision"}\n' % (entry.body, hexlify(last), seq)
        length = len(line)
        hash_ = sha256(_LEAF + line[:-1]).digest()
        after = _new(Head, (tree, unsigned + 1, hash_, checkpoints, decisions + 1, offset + length))
        self._begun = _new(_Write, ((entry,), (hash_,), after))
        self.is_synced = False
        if os.write(self._descriptor, line) != length:
            return False  # `settle` cuts the file, and the next attempt tells why
        leaves = self._leaves  # as `_adopt` does
        if len(leaves) == unsigned:
            leaves.append(hash_)
        else:
            leaves[unsigned:] = (hash_,)
        self._head = after
        entry.is_written = True
        self._begun = None
        return True

    def settle(self) -> None:
        """Complete a write in which the application interrupted us: the length of the file says how far it came.

        Raises:
            OSError: the file cannot be asked or shortened.
        """
        begun = self._begun
        if begun is None:
            return
        if os.fstat(self._descriptor).st_size >= begun.after.offset:
            self._adopt(begun)
        else:
            os.ftruncate(self._descriptor, self._head.offset)
            self._begun = None

    def begin_sync(self) -> Sync | None:
        """Return what must be done for everything written so far to outlast a power cut; None where it does."""
        if self.is_synced:
            return None
        sync = Sync(os.dup(self._descriptor), self._new_folders, self._last_checkpoint, self.last_line)
        self.is_synced, self._new_folders = True, ()
        return sync

    def end(self, entry: Entry) -> None:
        """Write the last record, and close the stream for good.

        Raises:
            OSError: the stream stays open, for another process to end.
        """
        try:
            self.write([entry], sign=True)
            if sync := self.begin_sync():
                sync.run()
            self._marker.unlink()
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Close the files as they are: in a forked child, where they are the parent's, and after an error."""
        for name in ("_descriptor", "_lock"):
            descriptor, self.__dict__[name] = self.__dict__.get(name), None
            if descriptor is not None:
                with contextlib.suppress(OSError):
                    os.close(descriptor)

    def _write(self, entries: Sequence[Entry], *, sign: bool) -> None:
        head = self._head
        hashes: list[bytes] = []
        lines: list[bytes] = []
        if self.is_at_segment_start:
            entries = [self._segment_entry(), *entries]
        last, seq, decisions = head.last, head.size, head.decisions
        for entry in entries:
            line = b'{"body":%b,"prev":"%b","seq":%d,"type":"%b"}' % (
                entry.body, last.hex().encode(), seq, entry.type.encode(),
            )  # fmt: skip
            entry.seq, last, seq = seq, leaf_hash(line), seq + 1
            hashes.append(last)
            lines.append(line)
            decisions += entry.type == DECISION
        tree, unsigned, checkpoints = head.tree, head.unsigned + len(hashes), head.checkpoints
        if sign and unsigned:
            tree = self._tree_of_unsigned().add(hashes)
            unsigned, checkpoints = 0, checkpoints + 1
            lines.append(self._checkpoint(tree, checkpoints))
        if lines:
            data = b"\n".join([*lines, b""])
            after = Head(tree, unsigned, last, checkpoints, decisions, head.offset + len(data))
            self._put(data, _Write(entries, hashes, after))

    def _put(self, data: bytes, write: _Write) -> None:
        self._begun = write
        self.is_synced = False
        try:
            written = os.write(self._descriptor, data)
            while written < len(data):  # a full disk takes a part, and says so at the next attempt
                written += os.write(self._descriptor, data[written:])
        except OSError:
            os.ftruncate(self._descriptor, self._head.offset)
            self._begun = None
            raise
        self._adopt(write)

    def _adopt(self, write: _Write) -> None:
        # each step may be done twice, where an interruption comes between two of them
        self._leaves[write.after.unsigned - len(write.hashes) if write.after.unsigned else 0 :] = write.hashes
        self._head = write.after
        for entry in write.entries:
            entry.is_written = True
        self._begun = None

    def _tree_of_unsigned(self) -> Frontier:
        """Return the tree of all records so far, from what `grow_tree` has of it."""
        size, count, grown = self._ahead
        tree, unsigned = self._head.tree, self._head.unsigned
        if size != tree.size or count > unsigned:  # of another checkpoint
            count, grown = 0, tree
        return grown.add(self._leaves[count:unsigned])

    def _checkpoint(self, tree: Frontier, number: int) -> bytes:
        origin = f"{self._signer.name}/{self.name}"
        checkpoint = Checkpoint(origin, tree.size, tree.root, number, time.time_ns())
        self._last_checkpoint = f"{tree.size} {base64.b64encode(checkpoint.root).decode()}"
        self.last_line = canonical_json({"checkpoint": self._signer.sign(str(checkpoint))})
        return self.last_line

    def rotate(self) -> None:
        """Go on in a new segment, whose first record has all that is needed to check what follows.

        Raises:
            OSError: the disk failed; the stream goes on in its segment.
        """
        self.settle()
        self._write((), sign=True)
        files.sync_file(self._descriptor)
        try:
            descriptor = files.create_file(self._segment(self._number + 1))
        except OSError:  # no descriptor is to be had: go on here, and try again when the segment is twice as long
            self._limit_bytes, self._limit_s = 2 * self._head.offset + 1, time.monotonic() + self._settings.segment_s
            return
        before = self._descriptor
        self.closed_bytes += self._head.offset
        self._begin(descriptor, self._number + 1, self._head._replace(offset=0))
        os.close(before)

    def _segment_entry(self) -> Entry:
        tree = self._head.tree
        body = {
            "number": self._number,
            "checkpoints": self._head.checkpoints,
            "decisions": self._head.decisions,
            "tree": {"size": tree.size, "hashes": [each.hex() for each in tree.hashes]},
        }
        return control("segment", body)

    def _segment(self, number: int) -> Path:
        return self._folder / f"{number:06d}.jsonl"
