"""Records on their way into the ledger: what a call hands over, and where it stands afterwards."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from specspan.ledger.canonical_json import canonical_json

DECISION: Final = "decision"
POLICY: Final = "policy"
FINDING: Final = "finding"
"""Finding that came after its decision."""
HEARTBEAT: Final = "heartbeat"
"""Sign of life."""


class Entry:
    """Record that is to be written, before it has its place in the chain. One is made for every call."""

    is_written = False
    loss: str | None = None
    """Reason why it is not and will not be written."""
    seq = -1
    """Place in the stream, once it is staged or written."""
    end = 0
    """Place in the staging buffer behind it."""
    begins_segment = False
    """True for a sign of life in whose place a new segment begins."""

    def __init__(self, type_: str, body: bytes, key: str | None = None) -> None:
        """Take the body, which is canonical JSON, and the id of a decision or policy as ``key``."""
        self.type = type_
        self.body = body
        self.key = key

    @property
    def is_done(self) -> bool:
        """Return whether it is written or lost."""
        return self.is_written or self.loss is not None


class Place(NamedTuple):
    """Place of a record in the ledger, and the last checkpoint at that time: told elsewhere, it is a witness."""

    stream: str
    seq: int
    checkpoint: str
    """Number of records under the checkpoint and the root of their tree in base64: ``5001 ZNzB…``."""


def control(type_: str, body: Mapping[str, Any]) -> Entry:
    """Return a record about the ledger itself, with the time."""
    return Entry(type_, canonical_json({"time_unix_nano": str(time.time_ns()), **body}))
