"""Request for the approval of a call or a tool, its state, and who settled it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, is_dataclass
from enum import Enum
from typing import Any, Literal

from specspan.approvals.exact_value import exact_value, members_of
from specspan.ledger.canonical_json import canonical_json

Default = Literal["deny", "allow"]
"""What happens where nobody says anything in time."""
_MAX_DEPTH = 48


class ApprovalState(str, Enum):
    """State of an approval."""

    WAITING = "waiting"
    """Nobody has said anything yet."""
    APPROVED = "approved"
    """A person said yes, and it was not used yet."""
    DENIED = "denied"
    EXPIRED = "expired"
    """Its time was over before it was used."""
    USED = "used"
    """What was approved began, and is not known to have ended."""
    DONE = "done"
    """What was approved has run."""


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """Approval as it stands in a store."""

    id: str
    digest: str
    """``sha256:`` and the digest of exactly what was asked: kind, name, arguments, clause and key."""
    kind: str
    """``tool`` or ``call``."""
    name: str
    """Name of the tool or the model."""
    clause: str | None
    """Clause over which a person is asked; None where the application asks of its own accord."""
    service: str | None
    decision_id: str | None
    trace_id: str | None
    state: ApprovalState
    on_expiry: Default
    requested_unix_nano: int
    expires_unix_nano: int
    settled_unix_nano: int | None
    """Time of the approval or denial."""
    settled_by: str | None
    """Person who approved or denied."""
    detail: Mapping[str, Any]
    """``arguments`` and ``reason`` where they are recorded, and whatever else the asking side told."""


@dataclass(frozen=True, slots=True)
class ApprovalOutcome:
    """Result of waiting for an approval."""

    id: str
    """Id of the approval: the same after a restart, for an effect that is to happen once."""
    state: ApprovalState
    """State in which the waiting ended. `ApprovalState.USED` where it is this caller that uses the approval."""
    is_approved: bool
    """True where the caller may go ahead, once."""
    by: str | None = None
    """Person who approved or denied."""


def request_digest(kind: str, name: str, arguments: Any, clause: str | None = None, key: str | None = None) -> str:
    """Return the digest of exactly what is asked.

    Values that JSON does not have are told by their type and what they hold, so that none is mistaken for another.
    """
    asked = {"kind": kind, "name": name, "arguments": arguments, "clause": clause, "key": key}
    return f"sha256:{hashlib.sha256(canonical_json(exact_value(asked))).hexdigest()}"


def plain(value: Any, depth: int = 0) -> Any:
    """Return a value as JSON can hold it, for people to read."""
    if value is None or isinstance(value, (bool, str)) or value.__class__ in (int, float):
        return value
    if depth >= _MAX_DEPTH:
        return f"{type(value).__qualname__}: {value!r}"
    if isinstance(value, Mapping):
        return {
            key if isinstance(key, str) else f"{type(key).__qualname__}: {key!r}": plain(each, depth + 1)
            for key, each in value.items()
        }
    if is_dataclass(value) and not isinstance(value, type):
        return {type(value).__qualname__: plain(members_of(value), depth + 1)}
    if isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray, memoryview)):
        return [plain(each, depth + 1) for each in value]
    return f"{type(value).__qualname__}: {value!r}"
