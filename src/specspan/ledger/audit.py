"""Audit of a whole ledger: every stream is checked, counted, and compared with the checkpoints that others keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from specspan.errors import ConfigurationError
from specspan.errors import Problem as Mistake
from specspan.ledger.chain_reader import ACCOUNTS, Chain, Fault, Problem, Record, parse_checkpoint
from specspan.ledger.ledger_entry import DECISION
from specspan.ledger.merkle import Frontier, leaf_hash
from specspan.ledger.retention import Expiry, read_expiries
from specspan.ledger.signed_note import Checkpoint, PublicKey, UnknownKey, open_checkpoint
from specspan.ledger.stream_files import (
    StreamState,
    first_segment,
    quarantined_names,
    read_stream,
    stream_names,
)
from specspan.ledger.witnesses import Witness

EXIT_CODES: Mapping[Fault | None, int] = {None: 0, Fault.TAMPERED: 1, Fault.TORN: 3, Fault.UNKNOWN_KEY: 4}
"""By the worst thing that is wrong; 2 is misuse, as of every command."""
_WORST_FIRST = (Fault.TAMPERED, Fault.UNKNOWN_KEY, Fault.TORN)


@dataclass(slots=True)
class StreamAudit:
    """Stream after its check."""

    state: StreamState
    problem: Problem | None
    """First thing that is wrong, by itself or beside the checkpoints that others keep."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Decisions that its process said were lost, by reason."""
    recovery: dict[str, Any] | None = None
    """Body of the recovery record, where the process did not end in order."""
    anchored: int = 0
    """Number of records under a checkpoint that somebody else keeps."""
    expired: int = 0
    """Number of records at its beginning that expired."""

    @property
    def name(self) -> str:
        """Return the name of the stream."""
        return self.state.name

    @property
    def chain(self) -> Chain:
        """Return the state of the chain after its last good record."""
        return self.state.chain


@dataclass(frozen=True, slots=True)
class Audit:
    """Ledger after its check."""

    streams: Sequence[StreamAudit]
    quarantined: Sequence[str]
    missing: Sequence[Checkpoint]
    """Checkpoints that others keep of streams that are not there."""
    expired: Sequence[Expiry] = ()
    """Streams of which nothing is left, and that is in the chain."""

    @property
    def fault(self) -> Fault | None:
        """Return the worst thing that is wrong."""
        if self.quarantined or self.missing:
            return Fault.TAMPERED
        faults = {each.problem.fault for each in self.streams if each.problem is not None}
        return next((fault for fault in _WORST_FIRST if fault in faults), None)

    @property
    def accounts(self) -> dict[str, Any]:
        """Return attempted = recorded + dropped by reason, over all streams."""
        recorded = sum(each.chain.decisions for each in self.streams) + sum(each.recorded for each in self.expired)
        dropped: Counter[str] = Counter()
        for expiry in self.expired:
            dropped.update(expiry.dropped)
        for each in self.streams:
            dropped += each.dropped
        return {"attempted": recorded + dropped.total(), "recorded": recorded, "dropped": dict(dropped)}


def audit(
    folder: Path,
    keys: Iterable[PublicKey],
    anchors: Sequence[Checkpoint] = (),
    witnesses: Sequence[Witness] = (),
) -> Audit:
    """Check every stream of a ledger.

    Args:
        folder: the ledger.
        keys: those that may have signed.
        anchors: checkpoints that others keep.
        witnesses: spans that name records, and checkpoints.

    Raises:
        StoreError: the folder holds no ledger.
        OSError: a file cannot be read.
    """
    keys = tuple(keys)
    names = stream_names(folder)
    anchors = [*anchors, *{each.checkpoint: None for each in witnesses if each.checkpoint is not None}]
    by_stream: dict[str, _Kept] = {name: _Kept([], {}) for name in names}
    for anchor in anchors:
        if (name := stream_of(anchor)) in by_stream:
            by_stream[name].anchors.append(anchor)
    for witness in witnesses:
        if witness.stream in by_stream:
            by_stream[witness.stream].decisions[witness.seq] = witness.decision
    expiries = read_expiries(folder)
    streams = [_audit_stream(folder, name, keys, by_stream[name], expiries.get(name)) for name in names]
    expired = [each for name, each in expiries.items() if each.is_whole and name not in names]
    gone = {each.stream: each for each in expired}
    missing = [each for each in anchors if stream_of(each) not in names and not _expired(each, gone)]
    return Audit(streams, quarantined_names(folder), missing, expired)


def _expired(anchor: Checkpoint, gone: Mapping[str, Expiry]) -> bool:
    """Return whether what a checkpoint is of expired; where it is of all that did, its root must be the same."""
    expiry = gone.get(stream_of(anchor))
    if expiry is None or anchor.size > expiry.records:
        return False
    return anchor.size < expiry.records or anchor.root == expiry.root


def stream_of(checkpoint: Checkpoint) -> str:
    """Return the name of the stream that a checkpoint is of."""
    return checkpoint.origin.rpartition("/")[2]


def read_anchors(path: Path, keys: Iterable[PublicKey]) -> list[Checkpoint]:
    """Return the checkpoints in a file: one signed note, or lines ``{"checkpoint":…}``.

    Raises:
        ConfigurationError: the file holds none, or one that none of the keys signed.
        OSError: the file cannot be read.
    """
    keys = tuple(keys)
    data = path.read_bytes()
    notes = [note for line in data.splitlines() if (note := parse_checkpoint(line)) is not None]
    try:
        return [open_checkpoint(note, keys) for note in notes or [data.decode()]]
    except ValueError as error:
        what = "signed by an unknown key" if isinstance(error, UnknownKey) else "not valid"
        remedy = "Give what 'specspan ledger export --checkpoints' printed, and the key with --key."
        mistake = Mistake(f"the checkpoint is {what}: {error}", remedy)
        raise ConfigurationError(str(path), mistake) from error


def records_of(folder: Path, name: str, keys: Iterable[PublicKey]) -> list[Record]:
    """Return the records of a stream, as far as they are good."""
    found: list[Record] = []

    def visit(item: Record | Checkpoint) -> None:
        if isinstance(item, Record):
            found.append(item)

    read_stream(folder, name, keys, visit, first=first_segment(folder, name))
    return found


def _audit_stream(
    folder: Path, name: str, keys: tuple[PublicKey, ...], kept: _Kept, expiry: Expiry | None
) -> StreamAudit:
    first = 1 if expiry is None else min(first_segment(folder, name), expiry.segment + 1)
    visitor = _Visitor(kept, expiry if expiry is not None and first == expiry.segment + 1 else None)
    state = read_stream(folder, name, keys, visitor.visit, first=first)
    problem = state.problem or visitor.problem or visitor.short(state.chain)
    return StreamAudit(state, problem, visitor.dropped, visitor.recovery, visitor.anchored, visitor.expired)


class _Kept(NamedTuple):
    """Facts about one stream that others keep."""

    anchors: list[Checkpoint]
    decisions: dict[int, str]
    """By the number of a record, the id of the decision in it."""


class _Visitor:
    """Collector of what the records of one stream say, and judge of the roots that others keep."""

    def __init__(self, kept: _Kept, expiry: Expiry | None) -> None:
        self.dropped: Counter[str] = Counter()
        self.recovery: dict[str, Any] | None = None
        self.problem: Problem | None = None
        self.anchored = 0
        self.expired = 0
        self._anchors = sorted(kept.anchors, key=lambda each: each.size)
        self._decisions = dict(kept.decisions)
        self._expiry = expiry
        self._frontier = Frontier()
        self._is_first = True

    def visit(self, item: Record | Checkpoint) -> None:
        """Take note of a record."""
        if isinstance(item, Checkpoint):
            return
        if self._is_first:
            self._is_first = False
            self._begin(item)
        if (decision := self._decisions.pop(item.seq, None)) is not None:
            self._compare_decision(item, decision)
        if item.type in ACCOUNTS:
            self.dropped = Counter(item.body["dropped"])
        elif item.type == "recovery":
            self.recovery = item.body
        if self._anchors:
            self._frontier = self._frontier.add([leaf_hash(item.data)])
            while self._anchors and self._anchors[0].size == self._frontier.size:
                self._compare(self._anchors.pop(0))

    def _begin(self, item: Record) -> None:
        """Begin with the tree of the records that expired, where some did."""
        if item.seq == 0:
            return
        tree = item.body["tree"]
        self._frontier = Frontier(int(tree["size"]), tuple(bytes.fromhex(each) for each in tree["hashes"]))
        self.expired = self._frontier.size
        self._anchors = [each for each in self._anchors if each.size >= self.expired]
        if self._anchors and self._anchors[0].size == self.expired:
            self._compare(self._anchors.pop(0))
        expiry = self._expiry
        if expiry is not None and (expiry.records, expiry.root) != (self.expired, self._frontier.root):
            message = f"what expired before record {item.seq} is not what the ledger says expired"
            self.problem = Problem(Fault.TAMPERED, message, seq=item.seq)

    def short(self, chain: Chain) -> Problem | None:
        """Return the problem of a stream that is shorter than what somebody keeps of it."""
        if not self._anchors and self._decisions and (seq := max(self._decisions)) >= chain.size:
            message = f"the stream has {chain.size} records, and a span names record {seq}"
            if self.recovery is None:
                return Problem(Fault.TAMPERED, message, seq=chain.size)
            why = "the machine lost its power before they were synced, or the ledger was set back"
            return Problem(Fault.TORN, f"{message}: {why}", seq=chain.size)
        if not self._anchors:
            return None
        message = f"the stream has {chain.size} records, and a checkpoint of {self._anchors[0].size} is kept elsewhere"
        return Problem(Fault.TAMPERED, message, seq=chain.size)

    def _compare_decision(self, item: Record, decision: str) -> None:
        if self.problem is None and (item.type != DECISION or item.body["id"] != decision):
            message = f"record {item.seq} is not the decision {decision}, as a span says"
            self.problem = Problem(Fault.TAMPERED, message, seq=item.seq)

    def _compare(self, anchor: Checkpoint) -> None:
        if self._frontier.root == anchor.root:
            self.anchored = anchor.size
        elif self.problem is None:
            message = f"the first {anchor.size} records have another root than a checkpoint that is kept elsewhere"
            self.problem = Problem(Fault.TAMPERED, message, seq=self.anchored, last_seq=anchor.size - 1)
