"""Reader of one stream: every record and checkpoint is checked, and the first that is wrong is named. Pure.

Where a hash does not fit, one of two records was changed: the one before, or the one that names it. What stands behind
them tells which: the genuine record is the one whose hash the next record, or the next checkpoint, has.
"""

from __future__ import annotations

import base64
import json
import re
from binascii import a2b_hex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final, NamedTuple, NoReturn

from specspan.ledger.ledger_entry import DECISION
from specspan.ledger.merkle import Frontier, leaf_hash
from specspan.ledger.signed_note import Checkpoint, InvalidNote, PublicKey, UnknownKey, open_checkpoint
from specspan.ledger.stream import NO_RECORD

_TAIL = re.compile(rb',"prev":"([0-9a-f]{64})","seq":(0|[1-9][0-9]{0,15}),"type":"([a-z]{1,16})"\}\Z')
_TAIL_BYTES: Final = 140
_HEAD: Final = b'{"body":{'
_CHECKPOINT: Final = b'{"checkpoint":"'
LAST_TYPES: Final = ("end", "recovery")
"""Types of the record that ends a stream."""
ACCOUNTS: Final = ("end", "heartbeat", "loss")
"""Types of the records that say how many decisions were attempted, recorded and dropped so far."""


class Fault(str, Enum):
    """Kind of what is wrong with a stream."""

    TAMPERED = "tampered"
    TORN = "torn"
    """The end is missing, as after a crash: what there is, is intact."""
    UNKNOWN_KEY = "unknown_key"


class Line(NamedTuple):
    """Line of a segment."""

    segment: int
    number: int
    """Counted from 1."""
    data: bytes
    """Without the line break."""
    is_complete: bool
    """False for the last bytes of a file that does not end with a line break."""


class Record(NamedTuple):
    """Line that is a record. A named tuple, as millions are made."""

    data: bytes
    previous: bytes
    seq: int
    type: str

    @property
    def body(self) -> dict[str, Any]:
        """Return what the record says."""
        body: dict[str, Any] = json.loads(self.data)["body"]
        return body


@dataclass(frozen=True, slots=True)
class Problem:
    """First thing that is wrong with a stream."""

    fault: Fault
    message: str
    line: Line | None = None
    seq: int | None = None
    """Sequence number of the record that is wrong or missing; None for a checkpoint."""
    last_seq: int | None = None
    """Where only a range can be told, its last record."""


@dataclass(slots=True)
class Chain:
    """State of the check after some lines."""

    tree: Frontier = field(default_factory=Frontier)
    unsigned: list[bytes] = field(default_factory=list)
    """Hashes of the records since the last checkpoint."""
    last: bytes = NO_RECORD
    checkpoints: int = 0
    decisions: int = 0
    checkpoint: Checkpoint | None = None
    last_type: str = ""
    keys_used: set[str] = field(default_factory=set)

    @property
    def size(self) -> int:
        """Return the number of records."""
        return self.tree.size + len(self.unsigned)


class Defective(Exception):
    """Line that does not fit what stands before it."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def split_lines(segment: int, data: bytes) -> Iterator[Line]:
    """Yield the lines of a segment; a tail without a line break is incomplete."""
    *lines, tail = data.split(b"\n")
    for number, line in enumerate(lines, start=1):
        yield Line(segment, number, line, is_complete=True)
    if tail:
        yield Line(segment, len(lines) + 1, tail, is_complete=False)


def parse_record(data: bytes) -> Record | None:
    """Return the record in a line; None where it has not the form of one."""
    match = _TAIL.search(data, max(0, len(data) - _TAIL_BYTES))
    if match is None or not data.startswith(_HEAD):
        return None
    return Record(data, a2b_hex(match[1]), int(match[2]), match[3].decode())


def parse_checkpoint(data: bytes) -> str | None:
    """Return the note in a line that is a checkpoint; None for any other line."""
    if not data.startswith(_CHECKPOINT):
        return None
    try:
        value = json.loads(data)
    except ValueError:
        return None
    note = value.get("checkpoint") if len(value) == 1 else None
    return note if isinstance(note, str) else None


class ChainReader:
    """Checker of the lines of one stream, in order."""

    def __init__(self, stream: str, keys: Iterable[PublicKey]) -> None:
        self.chain = Chain()
        self._stream = stream
        self._keys = tuple(keys)

    def read(self, lines: Sequence[Line]) -> Iterator[Record | Checkpoint]:
        """Yield what each line holds, once it is known to fit.

        Raises:
            Defective: a line does not.
        """
        for index, line in enumerate(lines):
            note = parse_checkpoint(line.data)
            if note is not None:
                yield self._check_checkpoint(line, note, _Following(lines, index))
                continue
            record = parse_record(line.data)
            if record is None or not line.is_complete:
                what = "is not a record" if line.is_complete else "is not complete"
                self._fail(line, f"the line of record {self.chain.size} {what}", self.chain.size)
            if record.previous != self.chain.last:
                self._locate(line, record, _Following(lines, index))
            if record.seq != self.chain.size:
                self._fail(line, f"record {self.chain.size} says that it is record {record.seq}", self.chain.size)
            self._accept(record)
            yield record

    def _accept(self, record: Record) -> None:
        chain = self.chain
        chain.last = leaf_hash(record.data)
        chain.unsigned.append(chain.last)
        chain.decisions += record.type == DECISION
        chain.last_type = record.type

    def _locate(self, line: Line, record: Record, following: _Following) -> NoReturn:
        """Fail for a record that does not name the one before."""
        size = self.chain.size
        if record.seq > size:
            many = f"records {size} to {record.seq - 1} are missing"
            self._fail(line, f"record {size} is missing" if record.seq == size + 1 else many, size)
        right = self.chain.last.hex().encode()
        repaired = right.join(line.data.rsplit(record.previous.hex().encode(), 1))
        if record.seq < size:
            hash_ = leaf_hash(line.data)
            if record.seq == size - 1 and hash_ != self.chain.last and following.fits(self._without_last(), hash_):
                self._fail(line, f"another record stands before record {size - 1}", size - 1)
            self._fail(line, f"record {record.seq} stands again in the place of record {size}", size)
        if following.fits(self.chain, leaf_hash(repaired)) or size == 0:
            self._fail(line, f"record {size} was changed: it does not name the record before it", size)
        self._fail(line, f"record {size - 1} was changed: record {size} names another", size - 1)

    def _without_last(self) -> Chain:
        return replace(self.chain, unsigned=self.chain.unsigned[:-1])

    def _check_checkpoint(self, line: Line, note: str, following: _Following) -> Checkpoint:
        chain = self.chain
        where = f"checkpoint {chain.checkpoints + 1}, after record {chain.size - 1},"
        if not line.is_complete:
            self._fail(line, f"{where} is not complete", None)
        try:
            checkpoint = open_checkpoint(note, self._keys)
        except UnknownKey as error:
            names = ", ".join(error.args)
            problem = Problem(Fault.UNKNOWN_KEY, f"{where} is signed by an unknown key: {names}", line)
            raise Defective(problem) from error
        except InvalidNote as error:
            self._fail(line, f"{where} is not valid: {error}", None)
        if checkpoint.origin.rpartition("/")[2] != self._stream:
            self._fail(line, f"{where} is one of another stream: {checkpoint.origin}", None)
        if checkpoint.number != chain.checkpoints + 1:
            self._fail(line, f"{where} is missing: checkpoint {checkpoint.number} stands here", None)
        if checkpoint.size != chain.size:
            shorter = min(chain.size, checkpoint.size)
            self._fail(line, f"{where} is of {checkpoint.size} records, not {chain.size}", shorter)
        tree = chain.tree.add(chain.unsigned)
        if tree.root != checkpoint.root:
            self._fail_root(line, following)
        chain.tree, chain.unsigned, chain.checkpoint = tree, [], checkpoint
        chain.checkpoints += 1
        return checkpoint

    def _fail_root(self, line: Line, following: _Following) -> NoReturn:
        first, last = self.chain.tree.size, self.chain.size - 1
        previous = following.previous()
        if first >= last or (previous is not None and previous != self.chain.last):
            self._fail(line, f"record {last} was changed: its checkpoint has another root", last)
        if previous is None:
            message = f"record {last}, or one of those from {first} on, was changed: the checkpoint has another root"
            self._fail(line, message, last, first)
        self._fail(line, f"one of the records {first} to {last} was changed, and those after it to fit", first, last)

    def _fail(self, line: Line, message: str, seq: int | None, last_seq: int | None = None) -> NoReturn:
        raise Defective(Problem(Fault.TAMPERED, message, line, seq, last_seq))


class _Following:
    """Lines that follow one of a stream."""

    def __init__(self, lines: Sequence[Line], index: int) -> None:
        self._lines, self._index = lines, index

    def previous(self) -> bytes | None:
        """Return the hash that the next record has for the one before it; None where there is none."""
        for line in self._lines[self._index + 1 : self._index + 3]:
            record = parse_record(line.data)
            if record is not None:
                return record.previous
        return None

    def fits(self, chain: Chain, hash_: bytes) -> bool:
        """Return whether what stands behind a record agrees that this is its hash."""
        previous = self.previous()
        if previous is not None:
            return previous == hash_
        note = parse_checkpoint(self._lines[self._index + 1].data) if self._index + 1 < len(self._lines) else None
        root = chain.tree.add([*chain.unsigned, hash_]).root
        return note is not None and base64.b64encode(root).decode() in note
