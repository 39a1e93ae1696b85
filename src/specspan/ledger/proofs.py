"""Proofs about a ledger that are checked offline, with the public key alone (``docs/verify_proof.py``)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from specspan.errors import ConfigurationError, Problem
from specspan.ledger.chain_reader import Record
from specspan.ledger.merkle import Frontier, consistency_proof, inclusion_proof, leaf_hash
from specspan.ledger.signed_note import Checkpoint, PublicKey
from specspan.ledger.stream_files import first_segment, read_stream, stream_names

_REMEDY = "'specspan ledger verify' says what is wrong with the stream."


class _Leaves:
    """Hashes of a stream's records, and its last checkpoint."""

    def __init__(self, folder: Path, name: str, keys: Iterable[PublicKey]) -> None:
        if first_segment(folder, name) > 1:
            remedy = "Use a proof or checkpoint that was made before."
            raise ConfigurationError(name, Problem("the first records of the stream expired", remedy))
        self.hashes: list[bytes] = []
        self.records: list[Record] = []
        self.checkpoint: Checkpoint | None = None
        read_stream(folder, name, keys, self._visit)

    def _visit(self, item: Record | Checkpoint) -> None:
        if isinstance(item, Checkpoint):
            self.checkpoint = item
        else:
            self.hashes.append(leaf_hash(item.data))
            self.records.append(item)


def prove_inclusion(folder: Path, name: str, seq: int, keys: Iterable[PublicKey]) -> dict[str, Any]:
    """Return the proof that a record is under the last checkpoint of its stream.

    Raises:
        ConfigurationError: no checkpoint covers the record.
    """
    leaves = _Leaves(folder, name, keys)
    checkpoint = leaves.checkpoint
    if checkpoint is None or seq >= checkpoint.size:
        raise ConfigurationError(f"{name}:{seq}", Problem("no checkpoint covers the record", _REMEDY))
    proof = inclusion_proof(leaves.hashes[: checkpoint.size], seq)
    return {
        "record": leaves.records[seq].data.decode(),
        "index": seq,
        "checkpoint": checkpoint.note,
        "proof": [each.hex() for each in proof],
    }


def prove_consistency(folder: Path, old: Checkpoint, keys: Iterable[PublicKey]) -> dict[str, Any]:
    """Return the proof that the last checkpoint of a stream continues an older one.

    Raises:
        ConfigurationError: there is no such stream, or it does not continue the checkpoint.
    """
    name = old.origin.rpartition("/")[2]
    if name not in stream_names(folder):
        raise ConfigurationError(old.origin, Problem("the stream is not in the ledger", "Name another ledger."))
    leaves = _Leaves(folder, name, keys)
    new = leaves.checkpoint
    if new is None or new.size < old.size or Frontier().add(leaves.hashes[: old.size]).root != old.root:
        raise ConfigurationError(old.origin, Problem("the stream does not continue this checkpoint", _REMEDY))
    proof = consistency_proof(leaves.hashes[: new.size], old.size)
    return {"old": old.note, "new": new.note, "proof": [each.hex() for each in proof]}
