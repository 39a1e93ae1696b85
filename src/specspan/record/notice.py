"""Notices: what people or pages should know besides decisions, handed to the exporters of decision records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

APPROVAL = "approval"
"""Type of the record of something that waits for an approval."""
POLICY_REFUSAL = "policy_refusal"
"""Type of the record of a changed policy that was refused."""


class Notice(NamedTuple):
    """Something that happened, as a record says it. It holds no content."""

    type: str
    id: str
    time_unix_nano: int
    members: Mapping[str, Any]
    """Members that only this type of record has; those that are None are left out."""


def notice_record(notice: Notice, version: int, service: Mapping[str, Any]) -> dict[str, Any]:
    """Return a notice as a record."""
    head = {"v": version, "type": notice.type, "id": notice.id, "time_unix_nano": notice.time_unix_nano}
    own = {name: value for name, value in notice.members.items() if value is not None}
    return {**head, "service": service, **own}
