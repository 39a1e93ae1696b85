"""Audit of a whole ledger: every stream is checked, counted, and compared with the checkpoints that others keep."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from specspan.errors import ConfigurationError
from specspan.errors import Problem as Mistake
from specspan.ledger.chain_reader import Chain, Fault, Problem, Record, parse_checkpoint
from specspan.ledger.merkle import Frontier, leaf_hash
from specspan.ledger.signed_note import Checkpoint, PublicKey, UnknownKey, open_checkpoint
from specspan.ledger.stream_files import StreamState, quarantined_names, read_stream, stream_names

EXIT_CODES: Mapping[Fault | None, int] = {None: 0, Fault.TAMPERED: 1, Fault.TORN: 3, Fault.UNKNOWN_KEY: 4}
"""By the worst thing that is wrong; 2 is misuse, as of every command."""
_WORST_FIRST = (Fault.TAMPERED, Fault.UNKNOWN_KEY, Fault.TORN)
_ACCOUNTS = ("end", "heartbeat", "loss")


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
        recorded = sum(each.chain.decisions for each in self.streams)
        dropped: Counter[str] = Counter()
        for each in self.streams:
            dropped += each.dropped
        return {"attempted": recorded + dropped.total(), "recorded": recorded, "dropped": dict(dropped)}


def audit(folder: Path, keys: Iterable[PublicKey], anchors: Sequence[Checkpoint] = ()) -> Audit:
    """Check every stream of a ledger.

    Args:
        folder: the ledger.
        keys: those that may have signed.
        anchors: checkpoints that others keep.

    Raises:
        StoreError: the folder holds no ledger.
        OSError: a file cannot be read.
    """
    keys = tuple(keys)
    names = stream_names(folder)
    by_stream: dict[str, list[Checkpoint]] = {}
    for anchor in anchors:
        by_stream.setdefault(stream_of(anchor), []).append(anchor)
    streams = [_audit_stream(folder, name, keys, by_stream.get(name, [])) for name in names]
    missing = [anchor for anchor in anchors if stream_of(anchor) not in names]
    return Audit(streams, quarantined_names(folder), missing)


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

    read_stream(folder, name, keys, visit)
    return found


def _audit_stream(folder: Path, name: str, keys: tuple[PublicKey, ...], anchors: Sequence[Checkpoint]) -> StreamAudit:
    visitor = _Visitor(anchors)
    state = read_stream(folder, name, keys, visitor.visit)
    problem = state.problem or visitor.problem or visitor.short(state.chain)
    return StreamAudit(state, problem, visitor.dropped, visitor.recovery, visitor.anchored)


class _Visitor:
    """Collector of what the records of one stream say, and judge of the roots that others keep."""

    def __init__(self, anchors: Sequence[Checkpoint]) -> None:
        self.dropped: Counter[str] = Counter()
        self.recovery: dict[str, Any] | None = None
        self.problem: Problem | None = None
        self.anchored = 0
        self._anchors = sorted(anchors, key=lambda each: each.size)
        self._frontier = Frontier()

    def visit(self, item: Record | Checkpoint) -> None:
        """Take note of a record."""
        if isinstance(item, Checkpoint):
            return
        if item.type in _ACCOUNTS:
            self.dropped = Counter(item.body["dropped"])
        elif item.type == "recovery":
            self.recovery = item.body
        if self._anchors:
            self._frontier = self._frontier.add([leaf_hash(item.data)])
            while self._anchors and self._anchors[0].size == self._frontier.size:
                self._compare(self._anchors.pop(0))

    def short(self, chain: Chain) -> Problem | None:
        """Return the problem of a stream that is shorter than a checkpoint which somebody keeps."""
        if not self._anchors:
            return None
        message = f"the stream has {chain.size} records, and a checkpoint of {self._anchors[0].size} is kept elsewhere"
        return Problem(Fault.TAMPERED, message, seq=chain.size)

    def _compare(self, anchor: Checkpoint) -> None:
        if self._frontier.root == anchor.root:
            self.anchored = anchor.size
        elif self.problem is None:
            message = f"the first {anchor.size} records have another root than a checkpoint that is kept elsewhere"
            self.problem = Problem(Fault.TAMPERED, message, seq=self.anchored, last_seq=anchor.size - 1)
